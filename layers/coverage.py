"""Read: which kinds of partner are known in each area, and which are missing; how stale what is known is."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from layers import freshness, places
from layers.catalog import Lifetime
from layers.places import Area, Body
from layers.practices import Case


@dataclass(frozen=True)
class Presence:
    """One area: how many organisations of each role are known there by name.

    An organisation is there when its seat is, or when it is responsible for exactly this area; one that is
    responsible for a larger area is not counted in each of its parts. `counted` are the roles of which a
    source only tells a number, in the newest figure of the area. A closed unit is not there.
    """

    area: Area
    named: Mapping[str, int]
    counted: frozenset[str]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(role for role, count in self.named.items() if not count and role not in self.counted)

    @property
    def roles(self) -> int:
        """How many kinds of partner are known there."""
        return len(self.named) - len(self.missing)


def presence(
    session: Session,
    kind: str,
    roles: Sequence[str],
    *,
    as_of: date,
    bodies: Sequence[Body],
    with_counts: bool = True,
) -> list[Presence]:
    """Every area of a kind (county or municipality) with what `bodies` do there, thin ones first.

    Ties are in the order of codes. `roles` are the layers of organisations that are asked for. Without
    counts only names tell: a figure does not say what those that it counts can do.
    """
    there: Counter[tuple[str, str]] = Counter()
    for body in bodies:
        if body.readiness != "closed":
            there.update((key, body.layer) for key in {*body.serves, f"{kind}:{getattr(body, kind, '')}"})
    told = _told(session, as_of) if with_counts else set()
    found = [
        Presence(
            area,
            {role: there[area.key, role] for role in roles},
            frozenset(role for role in roles if (area.key, role) in told),
        )
        for area in places.areas(session, kind, as_of=as_of)
    ]
    return sorted(found, key=lambda one: one.roles)


def _told(session: Session, as_of: date) -> set[tuple[str, str]]:
    """Area and role wherever the newest figure is more than none."""
    newest: dict[tuple[str, str], int] = {}
    for count in places.counts(session, as_of=as_of):
        if count.number is not None:
            newest.setdefault((count.area, count.layer), count.number)
    return {where for where, number in newest.items() if number}


@dataclass(frozen=True)
class Staleness:
    """One area: how many organisations and cases are known there, and of how many the facts are stale.

    `due` are those that somebody should check (old, expired or without a date), `expired` those of them that
    are not current any more.
    """

    area: Area
    facts: int
    due: int
    expired: int

    @property
    def share(self) -> float | None:
        """The part that is due, from 0 to 1; None where nothing is known at all."""
        return self.due / self.facts if self.facts else None


def staleness(
    session: Session,
    kind: str,
    things: Sequence[Body | Case],
    *,
    as_of: date,
    today: date,
    rules: Sequence[Lifetime],
) -> list[Staleness]:
    """Every area of a kind (county or municipality) with the age of what is known there, stale ones first.

    A thing is there when its seat or place is, or when it is for exactly this area. Ties are in the order of
    the numbers due, then of codes.
    """
    there: dict[str, list[str]] = defaultdict(list)
    for thing in things:
        state = freshness.of(thing, rules, today=today).state
        areas = thing.serves if isinstance(thing, Body) else thing.areas
        for key in {*areas, f"{kind}:{getattr(thing, kind, '')}"}:
            there[key].append(state)
    found = [
        Staleness(
            area,
            len(states := there[area.key]),
            sum(state in (freshness.OLD, freshness.EXPIRED, freshness.UNDATED) for state in states),
            states.count(freshness.EXPIRED),
        )
        for area in places.areas(session, kind, as_of=as_of)
    ]
    return sorted(found, key=lambda one: (-1.0 if one.share is None else one.share, one.due), reverse=True)
