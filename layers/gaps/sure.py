"""How sure a figure is: the share of plausible assumptions under which it holds, and an interval for people.

Every draw takes one value of each assumption from its span (a triangle over low, usual and high) and asks
again who is in time. What is not known of a country errs everywhere alike (speed, detour, margin, how
available units are); what is not known of a unit or a place errs by itself (turnout, whether it comes, where
exactly it is). The seed is fixed, so that the same question has the same answer; and since a draw does not
depend on the question's minutes, more minutes never cover less.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from layers.errors import N_, Invalid
from layers.gaps.assumptions import Assumptions, Span
from layers.gaps.demand import Demand
from layers.gaps.reach import Reach, Travel
from layers.gaps.supply import Units
from layers.gaps.travel import StraightLine, check_minutes, class_of, min_per_km
from layers.snapshot import Flags, Numbers, Ordinals

DRAWS = 200
LEVELS = (0.05, 0.5, 0.95)
_EXACT = Span(0, 0, 0)


class TooFew(Invalid):
    text = N_("“{name}” must be a whole number from 1 on; {value} is not.")


@dataclass(frozen=True)
class Interval:
    """People covered: in nine of ten plausible worlds between `low` and `high`, in half at least `middle`."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, eq=False)
class Sure:
    """In which of the drawn worlds (d) each row of demand (n) is covered: `held` is d × n."""

    held: Flags
    people: Numbers
    within_min: float
    depth: int
    seed: int

    @property
    def share(self) -> Numbers:
        """The share of worlds, 0 to 1, in which a row is covered (n): how sure a "covered" is.

        A gap is as sure as 1 − share.
        """
        return np.asarray(self.held.mean(axis=0), dtype=float)

    def covered(self) -> Interval:
        """People covered, of everybody."""
        return self.by_zone([""] * self.held.shape[1]).get("", Interval(0, 0, 0))

    def by_zone(self, codes: Sequence[str]) -> dict[str, Interval]:
        """People covered in every zone, by the code of each row (n), for example `demand.zones[kind]`.

        A zone's people in one world = the sum of the people of its rows that are covered in it; the interval
        are the 5, 50 and 95 % quantiles over all worlds.
        """
        if not len(codes):
            return {}
        names, zone = np.unique(np.asarray(codes, dtype=str), return_inverse=True)
        totals = np.stack([np.bincount(zone, self.people * row, minlength=len(names)) for row in self.held])
        quantiles = np.quantile(totals, LEVELS, axis=0)
        return {
            str(name): Interval(float(low), float(middle), float(high))
            for name, low, middle, high in zip(names, *quantiles, strict=True)
        }


def robustness(
    travel: Travel,
    units: Units,
    demand: Demand,
    assumptions: Assumptions,
    *,
    within_min: float,
    depth: int = 1,
    draws: int = DRAWS,
    seed: int = 1,
    before: int = 0,
    after: int = 0,
) -> Sure:
    """Whether `depth` units are in time, asked again in `draws` plausible worlds.

    minutes = turnout′ + max(0, way + pace × (metres′ − metres) ÷ 1000) × f, with
    f = speed ÷ speed′ × detour′ ÷ detour (the detour only on straight lines); ′ marks what is drawn, the
    rest is as usual, pace is the class's usual minutes for a straight kilometre. A row holds where at least
    `depth` units that can come need at most `within_min` + margin′.

    A unit whose turnout is not its form's usual one keeps it. A precision that the assumptions do not name
    is exact. Where `demand` is a run of rows out of more, `before` and `after` are how many stand around it:
    then it is asked in the same worlds as all of them together.

    Raises:
        NotMinutes: `within_min` is no time.
        TooFew: `depth` or `draws` is less than one.
    """
    check_minutes(within_min)
    for name, value in (("depth", depth), ("draws", draws)):
        if value < 1:
            raise TooFew(name=name, value=value)
    worlds = _Worlds.of(units, demand, assumptions, detours=isinstance(travel, StraightLine))
    held = np.zeros((draws, len(demand)), dtype=np.bool_)
    if len(units) and len(demand):
        reach = travel.reach(units, demand, within_min=worlds.needed_min(units, within_min))
        pairs = _Pairs.of(reach, units, demand)
        pairs = pairs.only(worlds.may_hold(pairs, within_min))
        for row, world in zip(held, worlds.drawn(draws, seed, before, after), strict=True):
            in_time = world.minutes(pairs) <= within_min + world.margin_min
            in_time &= world.there[pairs.unit]
            row[:] = np.bincount(pairs.row[in_time], minlength=len(demand)) >= depth
    return Sure(held, np.nan_to_num(demand.people, nan=0.0), within_min, depth, seed)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Who may reach whom (p): the minutes of the way, and from unit to place metres east and north."""

    row: Ordinals
    unit: Ordinals
    way_min: Numbers
    offset_m: Numbers
    metres: Numbers

    @staticmethod
    def of(reach: Reach, units: Units, demand: Demand) -> "_Pairs":
        row = np.repeat(np.arange(len(reach), dtype=np.int32), np.diff(reach.starts))
        return _Pairs(
            row,
            reach.unit,
            reach.minutes - units.turnout_min[reach.unit],
            (demand.points[row] - units.points[reach.unit]).T,
            reach.metres,
        )

    def only(self, wanted: Flags) -> "_Pairs":
        return _Pairs(
            self.row[wanted],
            self.unit[wanted],
            self.way_min[wanted],
            self.offset_m[:, wanted],
            self.metres[wanted],
        )


@dataclass(frozen=True, eq=False)
class _World:
    """One draw: by class (`factor`), by unit (turnout, there, displaced) and by row (displaced, class)."""

    factor: Numbers
    margin_min: float
    turnout_min: Numbers
    there: Flags
    unit_moved_m: Numbers
    row_moved_m: Numbers
    class_of: Ordinals
    pace: Numbers

    def minutes(self, pairs: _Pairs) -> Numbers:
        moved = pairs.offset_m + self.row_moved_m[:, pairs.row] - self.unit_moved_m[:, pairs.unit]
        more_km = (np.hypot(moved[0], moved[1]) - pairs.metres) / 1000
        way = np.maximum(0.0, pairs.way_min + more_km * self.pace[pairs.row])
        minutes: Numbers = self.turnout_min[pairs.unit] + way * self.factor[self.class_of[pairs.row]]
        return minutes


@dataclass(frozen=True, eq=False)
class _Worlds:
    """The spans of everything, as arrays of low, usual and high (3 × how many)."""

    speed: Numbers
    detour: Numbers
    margin_min: Numbers
    turnout_min: Numbers
    availability: Numbers
    unit_m: Numbers
    row_m: Numbers
    class_of: Ordinals
    pace: Numbers

    @staticmethod
    def of(units: Units, demand: Demand, assumptions: Assumptions, *, detours: bool) -> "_Worlds":
        exact = np.ones((3, len(assumptions.classes)))
        readiness = units.readiness or ("",) * len(units)
        kinds = list(zip(units.forms, readiness, strict=True))
        turnout = _spans(assumptions.turnout(*kind) for kind in kinds)
        own = turnout[1] != units.turnout_min
        turnout[:, own] = units.turnout_min[own]
        return _Worlds(
            speed=_spans(one.speed_kmh for one in assumptions.classes),
            detour=_spans(one.detour for one in assumptions.classes) if detours else exact,
            margin_min=_spans([assumptions.margin_min]),
            turnout_min=turnout,
            availability=_spans(assumptions.availability(*kind) for kind in kinds),
            unit_m=_positions(assumptions.position_m, units.precision or ("",) * len(units)),
            row_m=_positions(assumptions.position_m, [demand.basis]),
            class_of=class_of(assumptions, demand),
            pace=min_per_km(assumptions, demand),
        )

    @property
    def _least_factor(self) -> Numbers:
        """By class, the most that the way may be shorter than usual."""
        return np.asarray(self.speed[1] / self.speed[2] * self.detour[0] / self.detour[1])

    def needed_min(self, units: Units, within_min: float) -> float:
        """As usual a way may take so long, and yet be in time in some world."""
        left = within_min + self.margin_min[2, 0] - self.turnout_min[0].min()
        way = max(left, 0.0) / self._least_factor.min() + self._slack_km.max() * self.pace.max()
        return float(units.turnout_min.max() + way)

    @property
    def _slack_km(self) -> Numbers:
        """By unit, how much nearer it may be than it seems."""
        return np.asarray((self.unit_m[2] + self.row_m[2, 0]) / 1000)

    def may_hold(self, pairs: _Pairs, within_min: float) -> Flags:
        """Which pairs are in time in the best of all worlds."""
        way = np.maximum(0.0, pairs.way_min - self._slack_km[pairs.unit] * self.pace[pairs.row])
        least = self.turnout_min[0, pairs.unit] + way * self._least_factor[self.class_of[pairs.row]]
        found: Flags = least <= within_min + self.margin_min[2, 0] + 1e-9
        return found

    def drawn(self, draws: int, seed: int, before: int, after: int) -> Iterator[_World]:
        # It takes one step for each number and can leave steps out, whatever NumPy's usual one is.
        steps = np.random.PCG64(seed)
        chance = np.random.Generator(steps)
        units, rows = self.turnout_min.shape[1], len(self.class_of)
        for _ in range(draws):
            fast, winding, late, able = chance.random(4)
            # Who is wrong about the speed in the country is so in the town as well: one rank for all.
            factor = self.speed[1] / _drawn(self.speed, fast) * _drawn(self.detour, winding) / self.detour[1]
            likely = _drawn(self.availability, able)
            yield _World(
                factor=factor,
                margin_min=float(_drawn(self.margin_min, late)[0]),
                turnout_min=_drawn(self.turnout_min, chance.random(units)),
                there=chance.random(units) < likely,
                unit_moved_m=_moved(self.unit_m, units, chance),
                row_moved_m=_moved(self.row_m, rows, chance, before, after),
                class_of=self.class_of,
                pace=self.pace,
            )


def _spans(found: Iterable[Span]) -> Numbers:
    return np.array([(one.low, one.usual, one.high) for one in found], dtype=float).reshape(-1, 3).T.copy()


def _positions(known: Mapping[str, Span], precisions: Sequence[str]) -> Numbers:
    return _spans(known.get(precision, _EXACT) for precision in precisions)


def _drawn(spans: Numbers, rank: float | Numbers) -> Numbers:
    """Values of triangles (low, usual, high) at a rank from 0 to 1: the inverse of their distribution."""
    low, usual, high = spans
    width = high - low
    rising = low + np.sqrt(rank * width * (usual - low))
    falling = high - np.sqrt((1 - rank) * width * (high - usual))
    return np.asarray(np.where(rank * width < usual - low, rising, falling), dtype=float)


def _moved(
    spans: Numbers, count: int, chance: np.random.Generator, before: int = 0, after: int = 0
) -> Numbers:
    """Metres east and north (2 × count) from where somebody seems to be, in any direction."""
    metres = _drawn(spans, _some(chance, before, count, after))
    angle = _some(chance, before, count, after) * 2 * np.pi
    return np.stack([metres * np.cos(angle), metres * np.sin(angle)])


def _some(chance: np.random.Generator, before: int, count: int, after: int) -> Numbers:
    """A run of as many numbers as there are in all."""
    steps: Any = chance.bit_generator
    steps.advance(before)
    found = chance.random(count)
    steps.advance(after)
    return found
