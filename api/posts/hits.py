"""How many posts a list has, as far as they are counted, and which, where a search has found few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Select, Uuid, case, func, select
from sqlalchemy.orm import Session

from api.infra.paging import MOST_COUNTED, bounded_count
from api.posts import search
from api.posts.filters import POSTS, Filter, Kind, ask, known, narrowed

MOST_HITS = 1_000
"""Of a search: so many are counted, and the newest so many are put in order of relevance."""
FEW_HITS = 200
"""So many are remembered from being counted, and not searched for once more."""
MOST_TRIED = 3
"""Words of a search of which it is found out whether few posts have them."""


@dataclass(frozen=True, slots=True)
class Hits:
    total: int | None = None
    """None for more than can be counted, ``MOST_HITS`` of a search."""
    ids: Sequence[UUID] | None = None
    """None for more than ``FEW_HITS``, and where nobody asked for them."""


def of_search(session: Session, wanted: Filter) -> Hits:
    if len(_tried(wanted.kind)) > 1:
        ids = ask(session, _of_a_rare_word(wanted.kind), wanted).scalar_one()
        if ids is not None:
            return Hits(len(ids), ids)
    total, few = ask(session, _all(wanted.kind), wanted).one()
    return Hits(total if total <= MOST_HITS else None, few)


def count_some(session: Session, wanted: Filter) -> int | None:
    """None for more than can be counted at once."""
    found: int = ask(session, _count(wanted.kind), wanted).scalar_one()
    return found if found <= MOST_COUNTED else None


def _tried(kind: Kind) -> list[int]:
    """Places of the words that are wanted."""
    places = [place for place, form in enumerate(kind.terms or ()) if not form.is_excluded]
    return places[:MOST_TRIED]


@known
def _of_a_rare_word(kind: Kind) -> Select[tuple[list[UUID] | None]]:
    """What the first word with few hits finds, and all the others too; null where none has few.

    Asked for all words at once, GIN gathers whatever the common ones find, a third of all posts.
    """
    terms, others = kind.terms or (), kind._replace(terms=None)
    few = []
    for place in _tried(kind):
        one = narrowed(select(POSTS.c.id), others).where(search.one(place, terms[place]))
        found = one.limit(FEW_HITS + 1).cte(f"found_{place}").prefix_with("MATERIALIZED")
        number = select(func.count()).select_from(found).scalar_subquery()
        few.append((number <= FEW_HITS, func.array(select(found.c.id).scalar_subquery())))
    rare = select(case(*few).label("ids")).cte("rare").prefix_with("MATERIALIZED")
    wanted = narrowed(select(POSTS.c.id), kind).where(POSTS.c.id == func.any(rare.c.ids))
    ids = func.array(wanted.correlate(rare).scalar_subquery(), type_=ARRAY(Uuid))
    return select(case((rare.c.ids.is_not(None), ids)))


@known
def _all(kind: Kind) -> Select[tuple[int, list[UUID] | None]]:
    found = narrowed(select(POSTS.c.id), kind).limit(MOST_HITS + 1).subquery()
    number = func.count()
    ids = case((number <= FEW_HITS, func.array_agg(found.c.id)))
    return select(number, ids).select_from(found)


@known
def _count(kind: Kind) -> Select[tuple[int]]:
    return bounded_count(narrowed(select(POSTS.c.id), kind), MOST_COUNTED)
