"""What people type into a search field, as conditions on posts.

Words are found at the beginning of a word ("서울" finds "서울에서"), and from three letters on in the
middle of one too; ``"a phrase"`` just as it stands; ``-word`` or ``-"a phrase"`` leaves out. Whatever else
is typed is punctuation, never an error.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Function, and_, false, func, literal_column, not_, or_, true

from api.models.post import SEARCH, TEXT

MOST_TERMS = 10
"""Of more than that, the first ones count: each costs a look into the indexes."""
_TERM = re.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_ONE_LETTER = re.compile(r"[\W_]*[a-z0-9][\W_]*", re.IGNORECASE)
_THREE_LETTERS = re.compile(r"[^\W_]{3}")
_SIMPLE: ColumnElement[str] = literal_column("'simple'")

Query = Function[str]
"""A ``tsquery``."""


@dataclass(frozen=True, slots=True)
class Term:
    text: str
    is_phrase: bool
    is_excluded: bool

    @property
    def query(self) -> Query:
        if self.is_phrase:
            return func.phraseto_tsquery(_SIMPLE, self.text)
        if _ONE_LETTER.fullmatch(self.text):  # half the dictionary begins with an "s"
            return func.plainto_tsquery(_SIMPLE, self.text)
        quoted = self.text.replace("\\", "\\\\").replace("'", "''")
        return func.to_tsquery(_SIMPLE, f"'{quoted}':*")

    @property
    def condition(self) -> ColumnElement[bool]:
        found = SEARCH.bool_op("@@")(self.query)
        if self.is_excluded:
            return not_(found)
        if self.is_phrase or not _THREE_LETTERS.search(self.text):
            return found
        literal = re.sub(r"([\\%_])", r"\\\1", self.text)
        return or_(found, TEXT.ilike(f"%{literal}%"))


@dataclass(frozen=True, slots=True)
class Search:
    terms: tuple[Term, ...]

    @property
    def condition(self) -> ColumnElement[bool]:
        """Every term; nothing is found by no term at all."""
        return and_(true(), *(term.condition for term in self.terms)) if self.terms else false()

    @property
    def rank(self) -> ColumnElement[float]:
        """How well a post fits, by PostgreSQL's ``ts_rank``: words in the title count more."""
        wanted = [term.query for term in self.terms if not term.is_excluded]
        if not wanted:
            return literal_column("0::float8")
        query: ColumnElement[str] = wanted[0]
        for other in wanted[1:]:
            query = query.op("||")(other)
        rank: ColumnElement[float] = func.ts_rank(SEARCH, query).op("::")(literal_column("float8"))
        return rank


def parse(text: str) -> Search:
    """Read it as it was typed. A term without a letter or digit says nothing."""
    found = _TERM.finditer(unicodedata.normalize("NFKC", text))
    terms = (_term(match) for match in found)
    said = [term for term in terms if any(character.isalnum() for character in term.text)]
    return Search(tuple(said[:MOST_TERMS]))


def _term(match: re.Match[str]) -> Term:
    word, phrase = match["word"], match["phrase"]
    return Term(word or phrase or "", phrase is not None, bool(match["minus"]))
