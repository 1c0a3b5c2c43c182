"""Seams beside a twin that knows only unit squares, and beside faults put into a clean coverage."""

from collections import Counter
from datetime import date
from random import Random

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from layers import snapshot
from layers.gaps import borders, land, seams
from layers.gaps.demand import Demand
from tests import make

WIDE = 8
STEP_M = 1000.0
SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))


def a_shape(cells):
    found = [box(x * STEP_M, y * STEP_M, (x + 1) * STEP_M, (y + 1) * STEP_M) for x, y in sorted(cells)]
    return shapely.union_all(found)


def some_cells(chance, most):
    """One or two blocks, of which a bit may be missing."""
    found = set()
    for _ in range(chance.choice([1, 1, 2])):
        x, y = chance.randrange(WIDE), chance.randrange(WIDE)
        found |= {
            (x + i, y + j) for i in range(chance.randint(1, most)) for j in range(chance.randint(1, most))
        }
    missing = chance.choice(sorted(found))
    return found - {missing} if len(found) > 1 and chance.random() < 0.4 else found


def islands(cells):
    """The parts of cells that hang together by a side."""
    left, found = set(cells), []
    while left:
        island, waiting = set(), [left.pop()]
        while waiting:
            x, y = waiting.pop()
            island.add((x, y))
            near = {(x + i, y + j) for i, j in SIDES} & left
            left -= near
            waiting += near
        found.append(island)
    return found


def borders_of(island):
    """Every side of an island with the cell beyond it."""
    return [(x + i, y + j) for x, y in island for i, j in SIDES if (x + i, y + j) not in island]


def around(island):
    return {(x + i, y + j) for x, y in island for i in (-1, 0, 1) for j in (-1, 0, 1)}


def longest(lengths):
    best = max(lengths.values(), default=0)
    return min((key for key, length in lengths.items() if length == best), default="") if best else ""


def a_demand(cells, chance):
    people = np.array([float(chance.randint(0, 9)) for _ in cells])
    keys = tuple(map(str, range(len(cells))))
    points = (np.array(cells, dtype=float) + 0.5) * STEP_M
    flags = np.zeros(len(cells), dtype=bool)
    return Demand("places", keys, keys, points, people, people * np.nan, {}, flags)


def twin(areas, ground, living):
    """Pieces, ledger and accounts from sets of cells alone."""
    owners = {cell: {k for k, cells in areas.items() if cell in cells} for cell in ground}
    pieces = []
    for island in islands(cell for cell, of in owners.items() if not of):
        near = {key: 0.0 for key, cells in areas.items() if cells & around(island)}
        for beyond in borders_of(island):
            for key in near:
                near[key] += STEP_M * (beyond in areas[key])
        pieces.append(("gap", island, tuple(sorted(near)), longest(near)))
    keys = sorted(areas)
    for one, other in ((a, b) for i, a in enumerate(keys) for b in keys[i + 1 :]):
        for island in islands(areas[one] & areas[other] & ground):
            beyond = borders_of(island)
            beside = {
                key: STEP_M * sum(c in areas[key] and c not in areas[against] for c in beyond)
                for key, against in ((one, other), (other, one))
            }
            pieces.append(("overlap", island, (one, other), longest(beside)))
    told = Counter(
        (kind, len(island), sum(living.get(c, 0) for c in island), near, owner)
        for kind, island, near, owner in pieces
    )
    count = Counter(min(len(of), 2) for of in owners.values())
    outside = set().union(*areas.values()) - ground
    accounts = {
        key: (
            sum(owners[c] == {key} for c in cells & ground),
            sum(len(owners[c]) > 1 for c in cells & ground),
            len(cells - ground),
        )
        for key, cells in areas.items()
    }
    return told, (len(ground), count[1], count[2], count[0], len(outside)), accounts


def test_pieces_ledger_and_accounts_are_those_of_unit_squares():
    compared, kinds = 0, Counter()
    for seed in range(260):
        chance = Random(seed)  # noqa: S311
        areas = {f"area:{i}": some_cells(chance, most=5) for i in range(chance.randint(1, 7))}
        ground = {(x, y) for x in range(WIDE) for y in range(WIDE)} - some_cells(chance, most=2)
        cells = sorted({(x, y) for x in range(WIDE + 3) for y in range(WIDE + 3)})
        demand = a_demand(cells, chance)
        living = dict(zip(cells, demand.people, strict=True))

        found = seams.find(
            list(areas),
            np.array([a_shape(cells) for cells in areas.values()]),
            outer=a_shape(ground),
            demand=demand,
        )

        pieces, ledger, accounts = twin(areas, ground, living)
        told = Counter(
            (one.kind, one.area_m2 / 1e6, one.people, one.neighbours, one.owner) for one in found.pieces
        )
        assert told == pieces, seed
        book = found.ledger
        sums = (book.outer_m2, book.owned_m2, book.shared_m2, book.nobody_m2, book.outside_m2)
        assert tuple(one / 1e6 for one in sums) == ledger, seed
        assert {
            one.key: (one.alone_m2 / 1e6, one.shared_m2 / 1e6, one.outside_m2 / 1e6) for one in found.accounts
        } == accounts, seed
        assert all(piece.shape.contains(shapely.Point(piece.inside)) for piece in found.pieces)
        assert sum(one.people for one in found.pieces if one.kind == "gap") == book.nobody_people
        compared += 5 * len(found.pieces) + len(sums) + 3 * len(accounts)
        kinds.update(one.kind for one in found.pieces)
    assert compared > 10_000
    assert min(kinds.values()) > 300


# --- Faults put into a clean coverage


def a_coverage(seed, number=40):
    """Voronoi cells of a square of 40 km, their corners whole metres; and their outline."""
    points = np.random.default_rng(seed).uniform(0, 40_000, (number, 2))
    frame = box(0, 0, 40_000, 40_000)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=frame))
    cells = shapely.transform(cells, np.round)
    assert shapely.coverage_is_valid(cells)
    return [f"area:{i:02}" for i in range(number)], cells, shapely.coverage_union_all(cells)


def proven(found):
    book = found.ledger
    assert abs(book.error_m2) <= 1e-9 * book.outer_m2
    owned = sum(one.alone_m2 for one in found.accounts)
    assert owned == pytest.approx(book.owned_m2, rel=1e-12)
    return True


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000))
def test_every_fault_is_found_and_none_is_invented(seed):
    keys, clean, outer = a_coverage(seed)
    none = seams.find(keys, clean, outer=outer)
    assert none.pieces == ()
    assert proven(none)

    chance = np.random.default_rng(seed)
    sizes = np.argsort(-shapely.area(clean))
    ring, fat, gone, thin, wide = (int(i) for i in chance.permutation(sizes[:20])[:5])
    faulty = clean.copy()
    faulty[ring] = shapely.buffer(clean[ring], -200)
    faulty[fat] = shapely.union(clean[fat], shapely.buffer(clean[fat], 200))
    faulty[thin] = shapely.buffer(clean[thin], -2, join_style="mitre")
    faulty[wide] = shapely.buffer(clean[wide], 3, join_style="mitre")
    kept = [i for i in range(len(keys)) if i != gone]
    found = seams.find([keys[i] for i in kept], faulty[kept], outer=outer)

    assert proven(found)
    gaps = shapely.union_all([one.shape for one in found.pieces if one.kind == "gap"])
    overlaps = shapely.union_all([one.shape for one in found.pieces if one.kind == "overlap"])
    others = [i for i in kept if i != ring]
    hole = shapely.difference(clean[ring], shapely.union_all(faulty[[ring, *others]]))
    missing = shapely.difference(clean[gone], shapely.union_all(faulty[others]))
    strip = shapely.difference(clean[thin], shapely.union_all(faulty[kept]))
    lent = shapely.intersection(faulty[fat], shapely.union_all(faulty[[i for i in kept if i != fat]]))
    edge = shapely.intersection(faulty[wide], shapely.union_all(faulty[[i for i in kept if i != wide]]))
    for fault, told in ((hole, gaps), (missing, gaps), (strip, gaps), (lent, overlaps), (edge, overlaps)):
        inside = shapely.intersection(fault, outer)
        assert inside.area > 0
        assert shapely.difference(inside, told).area <= 1e-6 * inside.area + 1e-3
    wanted = outer.area - shapely.intersection(shapely.union_all(faulty[kept]), outer).area
    assert gaps.area == pytest.approx(wanted, rel=1e-9, abs=1e-3)


def test_a_sliver_is_told_from_a_gap_by_its_mean_width():
    west, east = box(0, 0, 1000, 1000), box(1004, 0, 2000, 1000)
    outer = box(0, 0, 2000, 1000)

    (narrow,) = seams.find(["w", "e"], np.array([west, east]), outer=outer).pieces
    (wide,) = seams.find(["w", "e"], np.array([west, east]), outer=outer, sliver_m=3).pieces

    assert narrow.width_m == pytest.approx(2 * 4000 / 2008)
    assert (narrow.is_sliver, wide.is_sliver) == (True, False)


def test_rounded_coordinates_are_counted_and_not_listed():
    west, east = box(0, 0, 1000, 1000), box(1000.004, 0, 2000, 1000)

    found = seams.find(["w", "e"], np.array([west, east]), outer=box(0, 0, 2000, 1000))

    assert found.pieces == ()
    assert found.ledger.dust_m2 == pytest.approx(4.0)
    assert found.ledger.nobody_m2 == found.ledger.dust_m2
    assert proven(found)


def test_ground_of_three_is_told_for_each_pair_and_counted_once():
    shapes = np.array([box(0, 0, 2, 2), box(1, 0, 3, 2), box(1, 1, 2, 3)])
    found = seams.find(["a", "b", "c"], shapes, outer=box(0, 0, 4, 4), sliver_m=0)

    overlaps = {one.neighbours: one.area_m2 for one in found.pieces if one.kind == "overlap"}
    assert overlaps == {("a", "b"): 2.0, ("a", "c"): 1.0, ("b", "c"): 1.0}
    assert (found.ledger.shared_m2, found.ledger.owned_m2, found.ledger.nobody_m2) == (2.0, 5.0, 9.0)


@pytest.mark.parametrize(
    ("second", "shared_m2"),
    [
        (box(0, 0, 10, 10), 100.0),
        (box(2, 2, 4, 4), 4.0),
        (box(10, 0, 20, 10), 0.0),
        (box(10, 10, 20, 20), 0.0),
        (shapely.MultiPolygon([box(8, 0, 12, 1), box(8, 5, 12, 6)]), 4.0),
    ],
    ids=["identical", "nested", "touching", "a corner", "two parts"],
)
def test_how_two_areas_may_lie(second, shared_m2):
    found = seams.find(["a", "b"], np.array([box(0, 0, 10, 10), second]), outer=box(0, 0, 20, 20))

    assert found.ledger.shared_m2 == shared_m2
    assert proven(found)


def test_what_has_no_ground_is_named_and_left_out():
    odd = np.array([box(0, 0, 1, 1), None, shapely.Polygon(), shapely.LineString([(0, 0), (1, 1)])])

    found = seams.find(["a", "none", "empty", "line"], odd, outer=box(0, 0, 2, 1))

    assert found.groundless == ("none", "empty", "line")
    assert [(one.kind, one.neighbours) for one in found.pieces] == [("gap", ("a",))]


def test_a_layer_without_areas_leaves_the_land_to_nobody():
    found = seams.find([], np.empty(0, dtype=object), outer=box(0, 0, 2, 1))

    assert [(one.kind, one.neighbours, one.owner) for one in found.pieces] == [("gap", (), "")]
    assert found.ledger.nobody_m2 == 2.0


def test_without_an_outline_nothing_is_a_gap():
    found = seams.find(["a", "b"], np.array([box(0, 0, 1, 1), box(5, 5, 6, 6)]), outer=None)

    assert found.pieces == ()
    assert (found.ledger.outer_m2, found.ledger.owned_m2) == (2.0, 2.0)


def test_what_cannot_be_measured_is_refused_with_a_sentence(monkeypatch):
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    two = np.array([box(0, 0, 2, 2), box(1, 1, 3, 3)])

    with pytest.raises(land.BadShapes, match=r"cross themselves.*: bow\."):
        seams.find(["a", "bow"], np.array([box(0, 0, 1, 1), bow]), outer=box(0, 0, 9, 9))
    with pytest.raises(land.NoOuter):
        seams.find(["a", "b"], two, outer=shapely.LineString([(0, 0), (1, 1)]))
    with pytest.raises(land.NoOuter):
        seams.find([], np.empty(0, dtype=object), outer=None)
    for width in (-1.0, float("nan"), float("inf")):
        with pytest.raises(seams.BadWidth):
            seams.find(["a", "b"], two, outer=box(0, 0, 9, 9), sliver_m=width)
    for keys in (["a"], ["a", "a"]):
        with pytest.raises(ValueError, match="one key"):
            seams.find(keys, two, outer=box(0, 0, 9, 9))
    monkeypatch.setattr(seams, "MOST_PAIRS", 0)
    with pytest.raises(seams.TooTangled):
        seams.find(["a", "b"], two, outer=box(0, 0, 9, 9))


def test_a_border_of_a_hundred_thousand_corners_is_measured():
    turns = np.linspace(0, 2 * np.pi, 100_001)[:-1]
    rays = np.column_stack([np.cos(turns), np.sin(turns)])
    lake = shapely.polygons(rays * (5000 + 20 * np.sin(turns * 4000))[:, None])

    found = seams.find(
        ["a", "b"], np.array([lake, box(4000, -6000, 9000, 6000)]), outer=box(-6e3, -6e3, 9e3, 6e3)
    )

    assert {one.kind for one in found.pieces} == {"gap", "overlap"}
    assert proven(found)


# --- The proposal


def test_mending_proposes_what_would_change_and_changes_nothing():
    above, below = box(0, 1000, 2000, 2000), box(0, -1000, 2000, 0)
    shapes = np.array([box(0, 0, 1000, 1000), box(1003, 0, 2000, 1000), above, below])
    before = shapely.to_wkb(shapes)

    found = seams.mended(["a", "b", "c", "d"], shapes, sliver_m=5)

    assert sum(one.gained_m2 for one in found) == pytest.approx(3000)
    assert sum(one.lost_m2 for one in found) == 0
    assert (shapely.to_wkb(shapes) == before).all()
    assert seams.mended(["a", "c"], shapes[[0, 2]]) == ()


# --- Shared ground, and neighbours who never met


def test_shared_ground_of_two_layers_is_that_of_unit_squares():
    compared = 0
    for seed in range(60):
        chance = Random(seed)  # noqa: S311
        ours = {f"a:{i}": some_cells(chance, most=5) for i in range(4)}
        theirs = {f"b:{i}": some_cells(chance, most=5) for i in range(4)}
        shapes = [np.array([a_shape(c) for c in layer.values()]) for layer in (ours, theirs)]

        found = borders.shared(list(ours), shapes[0], (list(theirs), shapes[1]))
        own = borders.shared(list(ours), shapes[0])

        assert {(one.first, one.second): one.area_m2 / 1e6 for one in found} == {
            (a, b): len(x & y) for a, x in ours.items() for b, y in theirs.items() if x & y
        }
        assert {(one.first, one.second): (one.of_first, one.of_second) for one in own} == {
            (a, b): (len(x & y) / len(x), len(x & y) / len(y))
            for a, x in ours.items()
            for b, y in ours.items()
            if a < b and x & y
        }
        compared += len(found) + len(own)
    assert compared > 300


def test_neighbours_without_a_common_case_are_strangers(session):
    for code, (west, east) in {"a": (24, 25), "b": (25, 26), "c": (26, 27), "far": (27.5, 28)}.items():
        make.an_area(session, kind="county", code=code, shape=box(west, 58, east, 59))
    make.a_body(session, key="of-a", serves=["county:a"])
    make.a_body(session, key="of-b", serves=["county:b"])
    make.a_body(session, key="of-c", serves=["county:c"])
    make.a_case(session, bodies=["of-a", "of-b"])
    known = snapshot.take(session, {"county"})

    found = borders.strangers(known, "county", as_of=date(2026, 11, 22))

    assert [(one.first.code, one.second.code) for one in found] == [("b", "c")]
    assert [body.key for one in found for body in (*one.first_bodies, *one.second_bodies)] == ["of-b", "of-c"]


def test_who_is_told_of_in_one_case_is_no_stranger(session):
    for code, (west, east) in {"a": (24, 25), "b": (25, 26)}.items():
        make.an_area(session, kind="prefecture", code=code, shape=box(west, 58, east, 59))
    before = snapshot.take(session, {"prefecture"})
    make.a_case(session, areas=["prefecture:a", "prefecture:b"])
    after = snapshot.take(session, {"prefecture"})

    met = [len(borders.strangers(known, "prefecture", as_of=date(2026, 11, 22))) for known in (before, after)]

    assert met == [1, 0]
