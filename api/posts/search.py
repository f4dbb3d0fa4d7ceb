"""What people type into a search field, as conditions on posts.

Words are found at the beginning of a word ("서울" finds "서울에서"), and from three letters on in the
middle of one too; ``"a phrase"`` just as it stands; ``-word`` or ``-"a phrase"`` leaves out. Whatever else
is typed is punctuation, never an error.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Function,
    Text,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    not_,
    or_,
    true,
)

from api.models.post import SEARCH, TEXT

MOST_TERMS = 10
"""Of more than that, the first ones count: each costs a look into the indexes."""
_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_ONE_LETTER = re.compile(r"[\W_]*[a-z0-9][\W_]*", re.IGNORECASE)
_THREE_LETTERS = re.compile(r"[^\W_]{3}")
_SIMPLE: ColumnElement[str] = literal_column("'simple'")

Query = Function[str]
"""A ``tsquery``."""


class Form(NamedTuple):
    """What a statement has to know of a term, of which the rest are its parameters."""

    function: str
    """Of PostgreSQL, which makes a ``tsquery`` of it."""
    is_inside: bool
    """Whether it is also looked for in the middle of words."""
    is_excluded: bool


Forms = tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Term:
    text: str
    is_phrase: bool
    is_excluded: bool

    @property
    def form(self) -> Form:
        if self.is_phrase:
            return Form("phraseto_tsquery", is_inside=False, is_excluded=self.is_excluded)
        if _ONE_LETTER.fullmatch(self.text):  # half the dictionary begins with an "s"
            return Form("plainto_tsquery", is_inside=False, is_excluded=self.is_excluded)
        is_inside = not self.is_excluded and bool(_THREE_LETTERS.search(self.text))
        return Form("to_tsquery", is_inside=is_inside, is_excluded=self.is_excluded)

    def values(self, place: int) -> dict[str, str]:
        """The parameters of ``condition`` and ``rank`` for the term at that place."""
        form, text = self.form, self.text
        if form.function == "to_tsquery":
            quoted = text.replace("\\", "\\\\").replace("'", "''")
            text = f"'{quoted}':*"
        if not form.is_inside:
            return {f"term_{place}": text}
        literal = re.sub(r"([\\%_])", r"\\\1", self.text)
        return {f"term_{place}": text, f"inside_{place}": f"%{literal}%"}


@dataclass(frozen=True, slots=True)
class Search:
    terms: tuple[Term, ...]

    @property
    def forms(self) -> Forms:
        return tuple(term.form for term in self.terms)

    @property
    def values(self) -> dict[str, str]:
        return {
            name: value
            for place, term in enumerate(self.terms)
            for name, value in term.values(place).items()
        }


def condition(forms: Forms) -> ColumnElement[bool]:
    """Every term; nothing is found by no term at all."""
    if not forms:
        return false()
    return and_(true(), *(one(place, form) for place, form in enumerate(forms)))


def rank(forms: Forms) -> ColumnElement[float]:
    """How well a post fits, by PostgreSQL's ``ts_rank``: words in the title count more."""
    wanted = [_query(place, form) for place, form in enumerate(forms) if not form.is_excluded]
    if not wanted:
        return literal_column("0::float8")
    query: ColumnElement[str] = wanted[0]
    for other in wanted[1:]:
        query = query.op("||")(other)
    found: ColumnElement[float] = func.ts_rank(SEARCH, query).op("::")(literal_column("float8"))
    return found


def one(place: int, form: Form) -> ColumnElement[bool]:
    """The term at that place."""
    found = SEARCH.bool_op("@@")(_query(place, form))
    if form.is_excluded:
        return not_(found)
    return (
        or_(found, TEXT.ilike(bindparam(f"inside_{place}", type_=Text)))
        if form.is_inside
        else found
    )


def _query(place: int, form: Form) -> Query:
    made: Query = getattr(func, form.function)(_SIMPLE, bindparam(f"term_{place}", type_=Text))
    return made


def parse(text: str) -> Search:
    """Read it as it was typed. A term without a letter or digit says nothing."""
    found = _TERM.finditer(unicodedata.normalize("NFKC", text))
    terms = (_term(match) for match in found)
    said = [term for term in terms if any(character.isalnum() for character in term.text)]
    return Search(tuple(said[:MOST_TERMS]))


def _term(match: re.Match[str]) -> Term:
    word, phrase = match["word"], match["phrase"]
    return Term(word or phrase or "", phrase is not None, bool(match["minus"]))
