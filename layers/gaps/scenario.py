"""What if: units added, moved or closed, never in the real data, and what that changes for whom.

A scenario is a short text that fits in a link, steps between semicolons in the order in which they happen:
`add:58.12,27.05,5` (a new unit there that leaves within 5 minutes), `move:key@58.12,27.05`, `close:key`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from layers import geo
from layers.errors import N_, Invalid, OutOfRange
from layers.gaps.demand import Demand
from layers.gaps.reach import Reach
from layers.gaps.supply import Units
from layers.geo import Place
from layers.snapshot import Flags, Numbers

MOST_STEPS = 50
_NEW = "new-{}"
_AT = r"(?P<lat>-?\d{1,2}(\.\d{1,6})?),(?P<lon>-?\d{1,3}(\.\d{1,6})?)"
_ADD = re.compile(rf"add:{_AT}(,(?P<turnout>\d{{1,3}}(\.\d)?))?", re.ASCII)
_MOVE = re.compile(rf"move:(?P<key>[a-z0-9-]{{1,80}})@{_AT}", re.ASCII)
_CLOSE = re.compile(r"close:(?P<key>[a-z0-9-]{1,80})", re.ASCII)
_TURNOUT_MIN = 5.0


class NoScenario(Invalid):
    text = N_(
        "“{step}” is no step of a scenario. Write add:58.12,27.05 or add:58.12,27.05,5 (with minutes until "
        "it leaves), move:key@58.12,27.05 or close:key, with semicolons between."
    )


class TooManySteps(Invalid):
    text = N_("A scenario has at most {most} steps; this one has {count}.")


class NoSuchUnit(Invalid):
    text = N_("The scenario names the unit “{key}”, which is not among those of this role on this day.")


@dataclass(frozen=True)
class Step:
    """One change: `what` is "add", "move" or "close"; `key` names the unit, a new one by its number."""

    what: str
    key: str
    at: Place | None = None
    turnout_min: float = _TURNOUT_MIN

    def __str__(self) -> str:
        if self.at is None:
            return f"close:{self.key}"
        where = f"{self.at.lat:.8g},{self.at.lon:.8g}"
        return f"add:{where},{self.turnout_min:g}" if self.what == "add" else f"move:{self.key}@{where}"


@dataclass(frozen=True)
class Scenario:
    """Steps in their order. `str` gives the text of which it was made, in its shortest form."""

    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return ";".join(str(step) for step in self.steps)


def parse(text: str) -> Scenario:
    """The scenario that a text tells; new units get the keys new-1, new-2 in their order.

    Raises:
        NoScenario: a step is written otherwise.
        TooManySteps: there are more than `MOST_STEPS`.
        OutOfRange: a coordinate lies outside the earth.
    """
    written = [part.strip() for part in text.split(";") if part.strip()]
    if len(written) > MOST_STEPS:
        raise TooManySteps(most=MOST_STEPS, count=len(written))
    steps: list[Step] = []
    for part in written:
        steps.append(_step(part, new=1 + sum(step.what == "add" for step in steps)))
    return Scenario(tuple(steps))


def _step(part: str, *, new: int) -> Step:
    if found := _ADD.fullmatch(part):
        turnout = float(found["turnout"]) if found["turnout"] else _TURNOUT_MIN
        return Step("add", _NEW.format(new), _place(found), turnout)
    if found := _MOVE.fullmatch(part):
        return Step("move", found["key"], _place(found))
    if found := _CLOSE.fullmatch(part):
        return Step("close", found["key"])
    raise NoScenario(step=part[:80])


def _place(found: re.Match[str]) -> Place:
    return Place(lon=float(found["lon"]), lat=float(found["lat"]))


def without(plan: Scenario, position: int) -> Scenario:
    """The scenario without one step, and without what happens later to a unit that so never comes.

    The other new units are numbered again, so that the text of the rest tells the same as the rest.
    """
    gone = plan.steps[position]
    left = [
        step
        for at, step in enumerate(plan.steps)
        if at != position and not (gone.what == "add" and step.key == gone.key)
    ]
    added = [step.key for step in left if step.what == "add"]
    keys = {key: _NEW.format(number) for number, key in enumerate(added, start=1)}
    return Scenario(tuple(replace(step, key=keys.get(step.key, step.key)) for step in left))


def applied(units: Units, scenario: Scenario, *, srid: int, abilities: Iterable[str] = ()) -> Units:
    """The units after the scenario; new ones can do `abilities`. The given ones are not touched.

    Raises:
        NoSuchUnit: a step names a unit that is not there (any more).
        OutOfRange: a place cannot be told in the metric system.
    """
    for step in scenario.steps:
        if step.at is None:
            units = units.only(_others(units, step.key))
            continue
        point = geo.metric_point(step.at, srid=srid)
        if not np.isfinite([point.x, point.y]).all():
            raise OutOfRange(name="lat", low=-90, high=90, value=step.at.lat)
        at = np.array([[point.x, point.y]])
        units = _added(units, step, at, abilities) if step.what == "add" else _moved(units, step.key, at)
    return units


def _others(units: Units, key: str) -> Flags:
    others = np.array([one != key for one in units.keys], dtype=np.bool_)
    if others.all():
        raise NoSuchUnit(key=key)
    return others


def _moved(units: Units, key: str, at: Numbers) -> Units:
    others = _others(units, key)
    return replace(units, points=np.where(others[:, None], units.points, at))


def _added(units: Units, step: Step, at: Numbers, abilities: Iterable[str]) -> Units:
    return replace(
        units,
        keys=(*units.keys, step.key),
        names=(*units.names, step.key),
        forms=(*units.forms, ""),
        abilities=(*units.abilities, frozenset(abilities)),
        points=np.vstack([units.points, at]),
        turnout_min=np.append(units.turnout_min, step.turnout_min),
        # Nothing is known of these for a unit that is none yet; without them the rows would not agree.
        readiness=(*units.readiness, "") if units.readiness else (),
        precision=(*units.precision, "") if units.precision else (),
    )


@dataclass(frozen=True)
class Change:
    """What a scenario changes in one zone: persons (or km² of land) covered before and after, and in all."""

    zone: str
    total: float
    before: float
    after: float
    gained: float
    lost: float

    @property
    def net(self) -> float:
        return self.after - self.before

    @property
    def changed(self) -> bool:
        return bool(self.gained or self.lost)


def changes(
    demand: Demand, before: Flags, after: Flags, *, kind: str, only: Sequence[str] = ()
) -> list[Change]:
    """The change by zone, the largest first; ties by code. `before` and `after` say who is covered (n).

    covered = Σ people of the rows that are; gained = Σ of those only after; lost = Σ of those only before.
    The zone "" has all of them and stands first. Zones without any people are left out.
    """
    codes = np.array(demand.zones.get(kind, [""] * len(demand)), dtype=object)
    wanted = sorted(set(only) & set(codes)) if only else sorted({*codes} - {""})
    inside = np.isin(codes, wanted) if only else np.ones(len(demand), dtype=np.bool_)
    found = [_change(code, demand.people, before, after, codes == code) for code in wanted]
    whole = _change("", demand.people, before, after, inside)
    return [whole, *sorted((one for one in found if one.total), key=lambda one: (-abs(one.net), one.zone))]


def _change(zone: str, people: Numbers, before: Flags, after: Flags, there: Flags) -> Change:
    def of(flags: Flags) -> float:
        return float(people[flags & there].sum())

    return Change(
        zone, float(people[there].sum()), of(before), of(after), of(after & ~before), of(before & ~after)
    )


def covered(reach: Reach, *, within_min: float, depth: int = 1) -> Flags:
    """Who is reached by `depth` units in time (n)."""
    found: Flags = reach.kth_min(depth) <= within_min
    return found
