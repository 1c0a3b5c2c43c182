"""Read: whom a service leads to from a place, for programs that ask for one service and one place.

It is the question of RFC 5222 without its XML. A service is a role of the instance, or an emergency service:
that one leads nowhere but to the number that the instance names, because this map routes no calls. What is
told may be relied on until it expires, so that nobody is told whose fact is not current.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from layers import freshness
from layers.answers import INSIDE, NEAREST, SHORE, Answer, RoleAnswer
from layers.catalog import Instance, Lifetime, Role
from layers.places import Area, Body

EMERGENCY = "emergency"
"""Why the emergency number is told: it holds wherever this map knows the ground."""
_REGISTERED = "urn:service:"
# Only IANA names services below urn:service (RFC 5031): ours must not look as if they were registered.
_OWN = "urn:x-turvakaart:service:"


@dataclass(frozen=True)
class Service:
    """What one may ask for. `role` is None for an emergency service."""

    urn: str
    role: Role | None


@dataclass(frozen=True)
class Lead:
    """Whom a service leads to, and why: a body, an area that plays the role itself, None for the number.

    `area` is the key of the area in which this holds, "" where no known area holds the place.
    """

    who: Body | Area | None
    why: str
    area: str


@dataclass(frozen=True)
class Leads:
    """Everybody to whom a service leads from a place, in the order of the answer for it.

    `is_default`: nobody is responsible there, so these are those of the nearest land, else the nearest.
    """

    found: tuple[Lead, ...]
    is_default: bool


def offered(instance: Instance) -> tuple[Service, ...]:
    """The emergency services of the instance, then its roles."""
    emergency = (Service(f"{_REGISTERED}{label}", None) for label in instance.emergency_services)
    return (*emergency, *(Service(f"{_OWN}{role.key}", role) for role in instance.roles))


def named(instance: Instance, name: str) -> Service | None:
    """The service of a URN, or of a role's key; None where none is so called. Letter case does not matter."""
    wanted = name.strip().lower()
    every = offered(instance)
    found = (one for one in every if wanted in (one.urn.lower(), one.role.key.lower() if one.role else ""))
    return next(found, None) if wanted else None


def instead(instance: Instance, urn: str) -> Service | None:
    """The service above one that is not offered: sos for sos.gas; None where there is none."""
    above = urn.strip().lower().rpartition(".")[0]
    return (named(instance, above) or instead(instance, above)) if above else None


def leads(found: Answer, service: Service, *, rules: Iterable[Lifetime], today: date) -> Leads:
    """Whom the service leads to from the place of an answer. Ages are told against `today`."""
    if service.role is None:
        return _emergency(found)
    rules = tuple(rules)
    role = next(one for one in found.roles if one.role == service.role)
    current = [
        one
        for one in _told(role)
        if one.who is not None and freshness.of(one.who, rules, today=today).is_current
    ]
    ranks = ([one for one in current if _rank(one) == rank] for rank in range(3))
    is_default = not any(_rank(one) == 0 for one in current)
    return Leads(tuple(next(filter(None, ranks), [])), is_default)


def _emergency(found: Answer) -> Leads:
    """The number holds in the areas of this map and on the water beside them, not abroad or far away."""
    if found.areas:
        return Leads((Lead(None, EMERGENCY, found.areas[0].key),), False)
    beside = found.shore is not None and found.abroad is None
    return Leads((Lead(None, EMERGENCY, ""),), False) if beside else Leads((), True)


def _told(role: RoleAnswer) -> Iterator[Lead]:
    for area in role.areas:
        yield Lead(area, INSIDE, area.key)
    for area in role.ashore:
        yield Lead(area, SHORE, "")
    for match in role.matches:
        yield Lead(match.body, match.why, match.area if match.why not in (SHORE, NEAREST) else "")


def _rank(lead: Lead) -> int:
    """Those who are responsible come before those of the nearest land, and these before the nearest."""
    return {SHORE: 1, NEAREST: 2}.get(lead.why, 0)
