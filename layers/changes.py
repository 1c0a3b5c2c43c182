"""Read: what has changed in an area's safety network, and when we came to know it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from layers import model
from layers.catalog import Words

ADDED, CHANGED, ENDED = "added", "changed", "ended"


@dataclass(frozen=True)
class Change:
    """One thing that was added, changed or taken away. `at` is the moment in UTC, `of` is body or case."""

    of: str
    key: str
    names: Words
    what: str
    at: str


def in_area(session: Session, kind: str, code: str, *, most: int = 50) -> list[Change]:
    """The newest changes among the organisations and cases that sit in an area, serve or cover it."""
    found = [
        *_of(session, "body", model.Body, model.Serves, "body_id", kind, code),
        *_of(session, "case", model.Case, model.CaseArea, "case_id", kind, code),
    ]
    found.sort(key=lambda one: (one.of, one.key))
    return sorted(found, key=lambda one: one.at, reverse=True)[:most]


def _of(
    session: Session, of: str, table: Any, link: Any, back: str, kind: str, code: str
) -> Iterator[Change]:
    here = [exists().where(getattr(link, back) == table.id, link.area == f"{kind}:{code}")]
    if kind in ("county", "municipality"):
        here.append(getattr(table, kind) == code)
    names = table.names if of == "body" else table.titles
    own = table.name if of == "body" else table.key
    query = select(table.key, table.edition_id, table.retired_in, names.label("names"), own.label("own"))
    loaded = session.execute(select(model.Edition.id, model.Edition.loaded_at))
    moments = {row.id: row.loaded_at for row in loaded}
    rows = session.execute(query.where(or_(*here)).order_by(table.key, table.edition_id)).all()
    for key, states in groupby(rows, key=lambda row: row.key):
        yield from _history(of, key, list(states), moments)


def _history(of: str, key: str, states: Sequence[Any], moments: dict[int, str]) -> Iterator[Change]:
    """The life of one thing: added by its first edition, changed by later ones, ended by the last."""
    editions = sorted({state.edition_id for state in states})
    for edition in editions:
        state = next(state for state in states if state.edition_id == edition)
        words = {"": state.own, **state.names} if of == "body" else state.names
        yield Change(of, key, words, ADDED if edition == editions[0] else CHANGED, moments[edition])
    last = [state for state in states if state.edition_id == editions[-1]]
    if all(state.retired_in for state in last):
        words = {"": last[-1].own, **last[-1].names} if of == "body" else last[-1].names
        yield Change(of, key, words, ENDED, moments[max(state.retired_in for state in last)])
