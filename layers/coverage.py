"""Read: which kinds of partner are known in each area, and which are missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from layers import places
from layers.places import Area, Body


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
