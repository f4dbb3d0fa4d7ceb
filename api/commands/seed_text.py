"""Korean and English to fill a large database with: realistic in length and vocabulary, not in sense.

Some words stand in every other post, some in one of a hundred; the name in a title, made up of syllables,
in ten at all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


def _words(text: str) -> list[str]:
    return text.split()


NAMES = 64**3
"""There are no more names than this in a language."""
POOL = 2_000
"""Passages, and titles, of a language."""
KOREAN_NOUNS = _words("""
    아침 시장 마당 골목 바람 커피 친구 도서관 자전거 버스 저녁 라디오 강아지 고양이 우산 편지 사진 정원 바다 기차 산책
    김치 국수 만두 떡볶이 노래 영화 소설 화분 창문 계단 지하철 공원 다리 불빛 별 달력 시계 연필 공책 수업 시험 방학
    여행 숙소 지도 배낭 운동화 이웃 할머니 동생 언니 가게 빵집 서점 미술관 박물관 극장 축제 불꽃 눈사람 얼음 호수 다람쥐
    나무 단풍 열매 씨앗 텃밭 상추 된장 항아리 부엌 식탁 의자 책상 서랍 열쇠 대문 담장 기와 처마 빗소리 천둥 무지개 안개
    이슬 첫눈 썰매 팽이 윷놀이 장기 바둑 서예 한지 도자기 가마 물레 방앗간 참기름 한과 수정과 식혜 유자 모과
""")
KOREAN_PLACES = _words("서울 부산 제주 전주 경주 강릉 속초 통영 여수 춘천 안동 목포 군산 인천 대구")
MADE_UP_PLACES = 500
"""Beside the real ones, in passages."""
KOREAN_ADVERBS = _words("오늘은 어제는 천천히 조용히 다시 가끔 문득 처음으로 우연히 드디어 여전히")
KOREAN_JOINTS = _words("보고 만나고 찾고 그리고 떠올리고 고치고 나누고 고르고 옮기고 빌리고 배우고")
KOREAN_ENDS = _words("보았다 만났다 찾았다 그렸다 기다렸다 떠올렸다 고쳤다 나누었다 골랐다 옮겼다")
ENGLISH_NOUNS = _words("""
    morning market yard window river letter garden train neighbour kitchen bicycle library harbour
    teacher evening song bridge paper coffee street mountain lamp kettle umbrella station island forest
    candle orchard village piano violin theatre museum gallery pottery ladder fence gate roof chimney
    cellar attic shelf drawer lock stamp envelope postcard map compass rucksack tent lantern blanket
    pillow quilt needle thread button pocket scarf glove boot puddle rainbow thunder fog frost snowman
    sledge kite chess puzzle marble brush canvas quill notebook pencil ruler chalk lesson holiday
    festival bonfire picnic basket loaf butter honey cheese pepper onion carrot turnip pumpkin barley
    sparrow heron otter badger hedgehog squirrel beetle moth willow birch maple acorn pebble lighthouse
""")
ENGLISH_PLACES = _words("London Bristol York Leeds Oxford Dover Bath Exeter Lincoln Whitby Truro")
ENGLISH_ADJECTIVES = _words("""
    quiet old small bright warm late green yellow heavy patient careful crooked empty crowded familiar
    distant gentle hollow muddy narrow painted rusty salty shallow silver sleepy steep stubborn wooden
""")
ENGLISH_VERBS = _words("""
    found carried painted mended remembered followed borrowed crossed noticed folded opened watched
    described forgot gathered polished repaired returned sketched traded visited
""")
ENGLISH_LINKS = _words("because while although until before after so and whenever")


class Text(NamedTuple):
    """What posts are made of; *number* counts from 0 within kind and language."""

    kind: str
    language: str
    number: int
    text: str


def texts(names: int) -> Iterator[Text]:
    """Passages, titles and so many names (in each language), the same ones each time."""
    draw = random.Random("yard")  # noqa: S311 - text, no secret
    korean = KOREAN_PLACES + _last(korean_name)
    english = ENGLISH_PLACES + _last(english_name)
    for number in range(POOL):
        yield Text("passage", "ko", number, f"{_korean(draw, korean)} {_korean(draw, korean)}")
        yield Text("passage", "en", number, _english(draw, english))
        seen = f"{_by(draw, KOREAN_JOINTS)} 온 {_by(draw, KOREAN_NOUNS)}"
        yield Text("title", "ko", number, f"{{}}에서 {seen}")
        yield Text("title", "en", number, f"The {_thing(draw)} of {{}}")
    for number in range(names):
        yield Text("name", "ko", number, korean_name(number))
        yield Text("name", "en", number, english_name(number))


def korean_name(number: int) -> str:
    """Of a place that does not exist; another one for each number below ``NAMES``."""
    firsts, vowels = range(16), (0, 4, 8, 13)
    syllables = [chr(0xAC00 + (first * 21 + vowel) * 28) for first in firsts for vowel in vowels]
    return "".join(_digits(number, syllables)) + "동"


def english_name(number: int) -> str:
    """As ``korean_name``."""
    syllables = [first + vowel for first in "bdfghjklmnprstvz" for vowel in "aeio"]
    return "".join(_digits(number, syllables)).capitalize() + "ton"


def _digits(number: int, syllables: list[str]) -> Iterator[str]:
    for _ in range(3):
        number, digit = divmod(number, len(syllables))
        yield syllables[digit]


def _last(name: Callable[[int], str]) -> list[str]:
    """Names that no title has."""
    return [name(number) for number in range(NAMES - MADE_UP_PLACES, NAMES)]


def _korean(draw: random.Random, places: list[str]) -> str:
    joint, end = _by(draw, KOREAN_JOINTS), _by(draw, KOREAN_ENDS)
    seen, found, beside = (_by(draw, KOREAN_NOUNS) for _ in range(3))
    scene = f"{_by(draw, KOREAN_ADVERBS)} {_by(draw, places)}에서 {_object(seen)} {joint}"
    return f"{scene} {beside} 옆의 {_object(found)} {end}."


def _object(noun: str) -> str:
    """With the particle that its last syllable asks for: 을 after a consonant."""
    return noun + ("을" if (ord(noun[-1]) - 0xAC00) % 28 else "를")


def _english(draw: random.Random, places: list[str]) -> str:
    def clause() -> str:
        return f"the {_thing(draw)} of {_by(draw, places)} {_by(draw, ENGLISH_VERBS)} the {_thing(draw)}"

    return f"{clause()} {_by(draw, ENGLISH_LINKS)} {clause()}.".replace("the", "The", 1)


def _thing(draw: random.Random) -> str:
    return f"{_by(draw, ENGLISH_ADJECTIVES)} {_by(draw, ENGLISH_NOUNS)}"


def _by(draw: random.Random, words: Sequence[str]) -> str:
    """The earlier in the list, the more often (Zipf's law, flattened at its top)."""
    [word] = draw.choices(words, [1 / (rank + 10) for rank in range(len(words))])
    return word
