"""What lies between neighbouring areas of one layer: gaps, ground of several, and slivers of the drawing.

Found by overlay, which finds every fault that was put into a clean coverage; GEOS's quick check of edges
(`coverage_invalid_edges`) misses rings and whole polygons and goes blind at large widths. A piece is a sliver
when its mean width `2 · area / perimeter` is under a limit: then it tells of the drawing, not of the country.
What would mend the drawing is proposed by `mended` and applied by nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from layers.errors import N_, Invalid
from layers.gaps import land
from layers.gaps.demand import Demand
from layers.gaps.parts import EMBEDDED, Runner
from layers.geo import Shapes
from layers.snapshot import Flags, Numbers

GAP, OVERLAP = "gap", "overlap"
MOST_PAIRS = 50_000
DUST_M = 1e-2
_TOUCH_M = 1e-2
_BATCH = 100_000


class TooTangled(Invalid):
    text = N_(
        "These areas overlap each other more than {most} times: between them there are no seams. Ask instead "
        "what land and people lie in none of them."
    )


class BadWidth(Invalid):
    text = N_("The width of a sliver is a number of metres from 0 on; {value} is not.")


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of the ground that no area holds (`gap`) or that two hold (`overlap`).

    `neighbours` are the keys of the two, or of the areas around a gap; `owner` is the one with the longest
    common border, "" where nobody has any. `inside` is a metric point in it, `people` persons.
    """

    kind: str
    is_sliver: bool
    area_m2: float
    width_m: float
    people: float
    neighbours: tuple[str, ...]
    owner: str
    inside: tuple[float, float]
    shape: BaseGeometry


@dataclass(frozen=True)
class Account:
    """Of one area: its m² inside `outer` that it holds alone and with others, and its m² outside `outer`."""

    key: str
    alone_m2: float
    shared_m2: float
    outside_m2: float


@dataclass(frozen=True)
class Ledger:
    """Every square metre of `outer` once: owned by one, shared by several, or nobody's.

    `outside_m2` is what areas hold outside `outer`, also once. `dust_m2` are parts of `nobody_m2` and
    `shared_m2` narrower than a centimetre: rounded coordinates, which are counted and not listed. People are
    persons; those who live outside `outer`, or whom rounding loses, are in none of the three.
    """

    outer_m2: float
    owned_m2: float
    shared_m2: float
    nobody_m2: float
    outside_m2: float
    dust_m2: float
    owned_people: float = 0.0
    shared_people: float = 0.0
    nobody_people: float = 0.0

    @property
    def error_m2(self) -> float:
        """What the three lack to the whole. They are found apart from each other, so this is a proof."""
        return self.outer_m2 - self.owned_m2 - self.shared_m2 - self.nobody_m2


@dataclass(frozen=True, eq=False)
class Seams:
    """The pieces, those with the most people first, then the largest; what each area holds, by its key.

    `groundless` are the keys of areas without any ground: empty, missing, a line or a point.
    """

    pieces: tuple[Piece, ...]
    accounts: tuple[Account, ...]
    ledger: Ledger
    groundless: tuple[str, ...]
    sliver_m: float


def find(
    keys: Sequence[str],
    shapes: Shapes,
    *,
    outer: BaseGeometry | None,
    sliver_m: float = 5.0,
    demand: Demand | None = None,
    runner: Runner = EMBEDDED,
) -> Seams:
    """Gaps, overlaps and slivers of the areas of one layer, in metres.

    A gap is a part of `outer - union(areas)`; without an `outer` it is the union itself, then nothing is a
    gap. An overlap is a part of the common ground of two areas inside `outer`; ground of three appears with
    each of its pairs, and once in the ledger. Areas that touch have none, of nested or identical ones it is
    the whole smaller one. People of `demand` are counted as in `land.people_in`. Every `runner` comes to the
    same numbers: pairs, areas and pieces are asked each for itself; the union alone is made in one place.

    Raises:
        BadShapes: an area crosses itself; with their keys.
        NoOuter, BadWidth, TooTangled: see their sentences.
        ValueError: keys and shapes do not fit together.
    """
    if not (np.isfinite(sliver_m) and sliver_m >= 0):
        raise BadWidth(value=sliver_m)
    layer = _layer(keys, shapes)
    united = land.union(layer.shapes)
    outer = _outline(united) if outer is None else land.checked_outer(outer)
    whole = shapely.multipolygons(shapely.get_parts(united))
    gaps = _polygons(shapely.difference(outer, whole))
    beyond = _polygons(shapely.difference(whole, outer))
    pairs, common = _common(layer, outer, runner)
    gap_lists = _around(gaps, layer)
    pair_lists = _beside(common, pairs, layer, runner)
    people = partial(_people, demand=demand, outer=outer)
    found = _pieces(GAP, gaps, gap_lists, people(gaps), sliver_m)
    found += _pieces(OVERLAP, common, pair_lists, people(common), sliver_m)
    shared = land.union(common)
    accounts = _accounts(layer, pairs, common, beyond, runner)
    ledger = _ledger(outer, gaps, shared, beyond, accounts, people)
    return Seams(
        tuple(sorted(found, key=lambda one: (-one.people, -one.area_m2, one.kind, one.neighbours))),
        accounts,
        ledger,
        layer.groundless,
        sliver_m,
    )


@dataclass(frozen=True, eq=False)
class _Layer:
    """Areas that have ground, with the tree that finds them."""

    keys: tuple[str, ...]
    shapes: Shapes
    groundless: tuple[str, ...]
    tree: shapely.STRtree


def _layer(keys: Sequence[str], shapes: Shapes) -> _Layer:
    shapes = np.asarray(shapes, dtype=object).ravel()
    if len(keys) != len(shapes) or len(set(keys)) != len(keys):
        raise ValueError("Every area has one key of its own and one shape.")
    good = land.checked(shapes, keys)
    there = land.has_ground(shapes)
    used = tuple(key for key, has in zip(keys, there, strict=True) if has)
    groundless = tuple(key for key, has in zip(keys, there, strict=True) if not has)
    shapely.prepare(good)
    return _Layer(used, good, groundless, shapely.STRtree(good))


def _outline(united: Shapes) -> BaseGeometry:
    if not len(united):
        raise land.NoOuter
    found: BaseGeometry = shapely.multipolygons(united)  # type: ignore[assignment]
    return found


def _polygons(shape: Any) -> Shapes:
    """The parts with ground of what an overlay gives."""
    parts = shapely.get_parts(np.atleast_1d(shape))
    parts = shapely.get_parts(parts)  # A collection may hold several.
    found: Shapes = parts[land.has_ground(parts)]
    return found


def _common(layer: _Layer, outer: BaseGeometry, runner: Runner) -> tuple[Any, Shapes]:
    """The parts of common ground inside `outer`, and the positions of the two areas of each (k × 2).

    A tangle is noticed before all of it has been looked at.
    """
    i, j = layer.tree.query(layer.shapes)
    i, j = i[i < j], j[i < j]
    cuts = _cuts(_corners(layer.shapes)[i] + _corners(layer.shapes)[j], min(runner.size, _BATCH))
    parts = ((layer.shapes[i[one:other]], layer.shapes[j[one:other]]) for one, other in cuts)
    pairs, common, count = [np.empty((0, 2), dtype=np.int64)], [np.empty(0, dtype=object)], 0
    for (begin, _), (meeting, of, ground) in zip(cuts, runner.each(_shared, outer, parts), strict=True):
        count += meeting
        if count > MOST_PAIRS:
            raise TooTangled(most=MOST_PAIRS)
        pairs.append(np.column_stack([i[begin + of], j[begin + of]]))
        common.append(ground)
    return np.concatenate(pairs), np.concatenate(common)


def _shared(outer: BaseGeometry, pairs: tuple[Shapes, Shapes]) -> tuple[int, Any, Shapes]:
    """How many pairs do more than touch; whose and what the parts of their common ground are."""
    one, other = pairs
    shapely.prepare(one)
    met = np.flatnonzero(shapely.intersects(one, other) & ~shapely.touches(one, other))
    if len(met) > MOST_PAIRS:
        return len(met), np.empty(0, dtype=np.int64), np.empty(0, dtype=object)
    shared = shapely.intersection(one[met], other[met])
    shapely.prepare(outer)
    cut = ~shapely.contains_properly(outer, shared)
    shared[cut] = shapely.intersection(shared[cut], outer)
    parts, of = shapely.get_parts(shared, return_index=True)
    parts, deeper = shapely.get_parts(parts, return_index=True)
    ground = land.has_ground(parts)
    return len(met), met[of[deeper]][ground], parts[ground]


def _corners(shapes: Shapes) -> Any:
    return shapely.get_num_coordinates(shapes)


def _cuts(weights: Any, size: int) -> list[tuple[int, int]]:
    """From where to where parts go whose weights come to about `size`; a part has one member at least."""
    so_far = np.cumsum(weights)
    if not len(so_far):
        return []
    ends = np.unique(np.searchsorted(so_far, np.arange(size, so_far[-1], size), side="right"))
    edges = [0, *(int(end) for end in ends if 0 < end < len(so_far)), len(so_far)]
    return list(pairwise(edges))


# --- Pieces


def _pieces(
    kind: str, shapes: Shapes, borders: list[dict[str, float]], people: Numbers, sliver_m: float
) -> list[Piece]:
    sizes, widths = shapely.area(shapes), width_m(shapes)
    inside = shapely.get_coordinates(shapely.point_on_surface(shapes)).reshape(-1, 2)
    return [
        Piece(
            kind,
            bool(widths[i] < sliver_m),
            float(sizes[i]),
            float(widths[i]),
            float(people[i]),
            tuple(sorted(borders[i])),
            _longest(borders[i]),
            (float(inside[i, 0]), float(inside[i, 1])),
            shapes[i],
        )
        for i in np.flatnonzero(widths >= DUST_M)
    ]


def width_m(shapes: Shapes) -> Numbers:
    """The mean width `2 · area / perimeter` (m): of a long strip its breadth, of a square half a side."""
    found: Numbers = 2 * shapely.area(shapes) / shapely.length(shapes)
    return found


def _longest(borders: dict[str, float]) -> str:
    """The one with the longest common border, of equal ones the first by key; "" where nobody has any."""
    best = max(sorted(borders), key=lambda key: borders[key], default="")
    return best if best and borders[best] > 0 else ""


def _around(gaps: Shapes, layer: _Layer) -> list[dict[str, float]]:
    """For each gap how many metres of its border it shares with which area; 0 where a corner touches."""
    found: list[dict[str, float]] = [{} for _ in gaps]
    if not len(gaps) or not len(layer.shapes):
        return found
    lines, gap = _segments(gaps)
    lengths = shapely.length(lines)
    middles = shapely.line_interpolate_point(lines, 0.5, normalized=True)
    area, line = shapely.STRtree(middles).query(layer.shapes, predicate="dwithin", distance=_TOUCH_M)
    near, touched = shapely.STRtree(gaps).query(layer.shapes, predicate="dwithin", distance=_TOUCH_M)
    for i, g in zip(near, touched, strict=True):
        found[g][layer.keys[i]] = 0.0
    for i, k in zip(area, line, strict=True):
        key = layer.keys[i]
        found[gap[k]][key] = found[gap[k]].get(key, 0.0) + float(lengths[k])
    return found


def _segments(shapes: Shapes) -> tuple[Shapes, Any]:
    """The straight pieces of the borders of shapes, and whose each is; long ones are cut."""
    rings, owner = shapely.get_rings(shapely.segmentize(shapes, 1000.0), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    goes_on = ring[1:] == ring[:-1]
    ends = np.stack([points[:-1][goes_on], points[1:][goes_on]], axis=1)
    lines: Shapes = np.asarray(shapely.linestrings(ends), dtype=object)
    return lines, owner[ring[:-1][goes_on]]


def _beside(common: Shapes, pairs: Any, layer: _Layer, runner: Runner) -> list[dict[str, float]]:
    """How many metres of each common ground border on what either of the two holds besides.

    Where the border of the one runs, the other goes on; where both run, neither does.
    """
    corners = _corners(layer.shapes)
    cuts = _cuts(_corners(common) + corners[pairs].sum(axis=1), runner.size)
    parts = ((common[one:other], layer.shapes[pairs[one:other]]) for one, other in cuts)
    beside = [np.empty((0, 2)), *runner.each(_metres_beside, None, parts)]
    return [
        {layer.keys[int(one)]: float(metres) for one, metres in zip(pair, both, strict=True)}
        for pair, both in zip(pairs, np.concatenate(beside), strict=True)
    ]


def _metres_beside(_: None, part: tuple[Shapes, Shapes]) -> Numbers:
    """Of each common ground (k) the metres beside the one and the other of its two areas (k × 2)."""
    common, areas = part
    lines, of = _segments(common)
    middles, lengths = shapely.line_interpolate_point(lines, 0.5, normalized=True), shapely.length(lines)
    borders = shapely.boundary(areas)
    shapely.prepare(borders)
    near = [shapely.dwithin(borders[of, side], middles, _TOUCH_M) for side in (0, 1)]
    beside = [np.bincount(of, lengths * (near[1 - side] & ~near[side]), len(common)) for side in (0, 1)]
    return np.column_stack(beside)


def _people(shapes: Shapes, *, demand: Demand | None, outer: BaseGeometry) -> Numbers:
    return np.zeros(len(shapes)) if demand is None else land.people_in(shapes, demand, outer)


# --- The ledger


def _accounts(
    layer: _Layer, pairs: Any, common: Shapes, beyond: Shapes, runner: Runner
) -> tuple[Account, ...]:
    """What each area holds, found area by area and so apart from the union."""
    sharing: list[list[int]] = [[] for _ in layer.keys]
    for k, pair in enumerate(pairs):
        for one in pair:
            sharing[int(one)].append(k)
    leaving: list[list[int]] = [[] for _ in layer.keys]
    if len(beyond):
        for i, k in zip(*shapely.STRtree(beyond).query(layer.shapes, predicate="intersects"), strict=True):
            leaving[int(i)].append(int(k))
    parts = (
        [(layer.keys[i], layer.shapes[i], common[sharing[i]], beyond[leaving[i]]) for i in range(one, other)]
        for one, other in _cuts(_corners(layer.shapes), runner.size)
    )
    return tuple(account for some in runner.each(_accounted, None, parts) for account in some)


def _accounted(_: None, areas: Sequence[tuple[str, Any, Shapes, Shapes]]) -> list[Account]:
    return [_account(*one) for one in areas]


def _account(key: str, shape: BaseGeometry, common: Shapes, beyond: Shapes) -> Account:
    inside = shapely.difference(shape, shapely.union_all(beyond)) if len(beyond) else shape
    shared = shapely.union_all(common) if len(common) else None
    alone = shapely.difference(inside, shared) if shared is not None else inside
    return Account(
        key,
        float(shapely.area(alone)),
        float(shapely.area(shared)) if shared is not None else 0.0,
        float(shape.area - shapely.area(inside)) if len(beyond) else 0.0,
    )


def _ledger(
    outer: BaseGeometry,
    gaps: Shapes,
    shared: Shapes,
    beyond: Shapes,
    accounts: Sequence[Account],
    people: Any,
) -> Ledger:
    dust = np.concatenate([gaps[width_m(gaps) < DUST_M], shared[width_m(shared) < DUST_M]])
    inhabitants = float(people(np.array([outer], dtype=object))[0])
    shared_people, nobody_people = float(people(shared).sum()), float(people(gaps).sum())
    return Ledger(
        outer_m2=float(outer.area),
        owned_m2=float(sum(one.alone_m2 for one in accounts)),
        shared_m2=float(shapely.area(shared).sum()),
        nobody_m2=float(shapely.area(gaps).sum()),
        outside_m2=float(shapely.area(beyond).sum()),
        dust_m2=float(shapely.area(dust).sum()),
        owned_people=max(inhabitants - shared_people - nobody_people, 0.0),
        shared_people=shared_people,
        nobody_people=nobody_people,
    )


# --- A proposal


@dataclass(frozen=True)
class Change:
    """What mending the drawing would give an area and take from it (m²)."""

    key: str
    gained_m2: float
    lost_m2: float


def mended(keys: Sequence[str], shapes: Shapes, *, sliver_m: float = 5.0) -> tuple[Change, ...]:
    """What closing slivers up to a width, and giving common ground to one, would change: by m², then key.

    A proposal of GEOS's coverage cleaner, which nobody applies: it gives *all* common ground to the area with
    the longest common border, also ground that two share on purpose.

    Raises:
        BadShapes, BadWidth: as `find`.
    """
    if not (np.isfinite(sliver_m) and sliver_m >= 0):
        raise BadWidth(value=sliver_m)
    layer = _layer(keys, shapes)
    if not len(layer.shapes):
        return ()
    clean: Shapes = shapely.coverage_clean(layer.shapes, gap_width=sliver_m)  # type: ignore[attr-defined]
    changed: Flags = ~shapely.equals_exact(layer.shapes, clean, 0.0, normalize=True)
    at = np.flatnonzero(changed)
    gained = shapely.area(shapely.difference(clean[at], layer.shapes[at]))
    lost = shapely.area(shapely.difference(layer.shapes[at], clean[at]))
    found = [
        Change(layer.keys[i], float(more), float(less))
        for i, more, less in zip(at, gained, lost, strict=True)
    ]
    real = [one for one in found if one.gained_m2 + one.lost_m2 >= 1.0]
    return tuple(sorted(real, key=lambda one: (-one.gained_m2 - one.lost_m2, one.key)))
