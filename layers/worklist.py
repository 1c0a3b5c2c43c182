"""Read: what should be checked, worst first: every kind of fact that an instance keeps, with its age.

What is overdue weighs its days times the importance that the instance's rule gives it. A fact without a date
weighs as if it had been due for as long as it may stay unchecked. A fact whose source has gone is on the list
too, after those that are due.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import freshness, model, places, practices
from layers.catalog import Instance, Words
from layers.freshness import Age, Thing
from layers.linkcheck import DEAD
from layers.places import Body, Count
from layers.practices import Case, Practice

_MONTH_DAYS = 30.4
COUNTS, PRACTICES = "counts", "practices"
_DUE = (freshness.OLD, freshness.EXPIRED, freshness.UNDATED)


@dataclass(frozen=True)
class Item:
    """One fact and its age. `table` and `key` name it, `layer` is the layer of the map that it belongs to.

    `kind` is an organisation's form, an area's kind or a case's theme, "" for the rest; `county` is a code.
    `link` tells how its source's address answered, "" where nobody has asked.
    """

    table: str
    key: str
    layer: str
    kind: str
    county: str
    names: Words
    age: Age
    overdue_days: int
    source: str
    source_url: str
    link: str

    @property
    def is_due(self) -> bool:
        return self.age.state in _DUE

    @property
    def is_work(self) -> bool:
        return self.is_due or self.link in DEAD

    @property
    def weight(self) -> float:
        return self.overdue_days * self.age.lifetime.importance


def items(session: Session, instance: Instance, *, as_of: date, today: date) -> list[Item]:
    """Every fact that was so on a day, the one that needs a check most first; then by table and key."""
    links = _links(session)
    parents = {area.key: area.parent for area in places.areas(session, "municipality", as_of=as_of)}
    found = [
        _item(thing, instance, layer, parents, links, today)
        for layer, thing in _things(session, instance, as_of)
    ]
    return sorted(found, key=lambda one: (not one.is_work, -one.weight, one.table, one.key))


def _links(session: Session) -> dict[str, str]:
    table = model.LinkCheck
    return {row.url: row.outcome for row in session.execute(select(table.url, table.outcome))}


def _things(session: Session, instance: Instance, as_of: date) -> Iterator[tuple[str, Thing]]:
    for body in places.bodies(session, as_of=as_of):
        yield body.layer, body
    for layer in instance.layers_of("cases")[:1]:
        yield from ((layer.key, case) for case in practices.cases(session, as_of=as_of))
    yield from ((PRACTICES, practice) for practice in practices.practices(session, as_of=as_of))
    yield from ((COUNTS, count) for count in places.counts(session, as_of=as_of))
    for layer in instance.layers_of("areas"):
        yield from ((layer.key, area) for area in places.areas(session, layer.kind, as_of=as_of))


def _item(
    thing: Thing,
    instance: Instance,
    layer: str,
    parents: Mapping[str, str],
    links: Mapping[str, str],
    today: date,
) -> Item:
    age = freshness.of(thing, instance.freshness, today=today)
    about = _about(thing, instance, parents)
    return Item(
        **about,
        layer=layer,
        age=age,
        overdue_days=_overdue_days(age, today),
        link=links.get(about["source_url"], ""),
    )


def _overdue_days(age: Age, today: date) -> int:
    if age.state == freshness.UNDATED:
        return round(age.lifetime.old_months * _MONTH_DAYS)
    return max(0, (today - age.due).days) if age.due else 0


def _about(thing: Thing, instance: Instance, parents: Mapping[str, str]) -> dict[str, Any]:
    """What an item says of itself besides its age."""
    if isinstance(thing, Case | Practice):
        first: Mapping[str, str] = next(iter(thing.sources), {})
        is_case = isinstance(thing, Case)
        return {
            "table": "case_study" if is_case else "practice",
            "key": thing.key,
            "kind": thing.theme if isinstance(thing, Case) else "",
            "county": thing.county if isinstance(thing, Case) else "",
            "names": thing.titles,
            "source": first.get("title", ""),
            "source_url": first.get("url", ""),
        }
    told = {"source": thing.source.title, "source_url": thing.source.url}
    if isinstance(thing, Body):
        names = {instance.default_language: thing.name, **thing.names}
        about = {"table": "body", "key": thing.key, "kind": thing.form, "county": thing.county}
        return {**told, **about, "names": names}
    if isinstance(thing, Count):
        label = instance.layer(thing.layer).label
        county = _county(thing.area, parents)
        return {**told, "table": "count", "key": thing.key, "kind": "", "county": county, "names": label}
    return {
        **told,
        "table": "area",
        "key": thing.key,
        "kind": thing.kind,
        "county": _county(thing.key, {**parents, thing.key: thing.parent}),
        "names": thing.names,
    }


def _county(area: str, parents: Mapping[str, str]) -> str:
    """The code of the county that an area is or lies in; "" where it is larger."""
    for key in (area, parents.get(area, "")):
        if key.startswith("county:"):
            return key.partition(":")[2]
    return ""


@dataclass(frozen=True)
class Row:
    """How many facts of a layer or county are in each state."""

    key: str
    states: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.states.values())


def tally(found: Iterable[Item], part: str) -> list[Row]:
    """The facts by state for each `layer` or `county`, those with most to check first."""
    counts: dict[str, Counter[str]] = {}
    for one in found:
        counts.setdefault(getattr(one, part), Counter())[one.age.state] += 1
    rows = [Row(key, {state: states[state] for state in freshness.STATES}) for key, states in counts.items()]
    return sorted(rows, key=lambda row: (-sum(row.states[state] for state in _DUE), row.key))
