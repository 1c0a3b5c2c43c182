"""Land and people inside no area, beside a twin that counts unit squares on paper."""

from random import Random

import numpy as np
import pytest
import shapely
from shapely import box

from layers.gaps import land
from layers.gaps.demand import Demand

SIDE = 24
WORLDS = 120


def a_demand(points, people, *, side_m=None, zones=None):
    """People at points, or in cells with these middles."""
    people = np.array(people, dtype=float)
    density = people / (side_m / 1000) ** 2 if side_m else np.full(len(people), np.nan)
    keys = tuple(f"{i:05}" for i in range(len(people)))
    return Demand(
        basis="cells" if side_m else "places",
        keys=keys,
        names=keys,
        points=np.array(points, dtype=float).reshape(-1, 2),
        people=people,
        density_km2=density,
        zones=zones or {},
        estimated=np.zeros(len(people), dtype=bool),
    )


def a_raster(*rectangles):
    """Which unit squares lie in any of the rectangles (west, south, east, north)."""
    found = np.zeros((SIDE, SIDE), dtype=bool)
    for west, south, east, north in rectangles:
        found[west:east, south:north] = True
    return found


def a_rectangle(chance, most=10):
    west, south = chance.randrange(SIDE - 1), chance.randrange(SIDE - 1)
    east = min(SIDE, west + chance.randint(1, most))
    return west, south, east, min(SIDE, south + chance.randint(1, most))


def shapes_of(rectangles):
    return np.array([box(*one) for one in rectangles], dtype=object)


def same(found, wanted):
    return found == pytest.approx(wanted, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("basis", ["cells", "places"])
def test_land_and_people_are_those_of_a_count_of_unit_squares(basis):
    compared = 0
    for seed in range(WORLDS):
        chance = Random(seed)  # noqa: S311
        ground = [(0, 0, chance.randint(8, SIDE), SIDE), a_rectangle(chance)]
        areas = [a_rectangle(chance) for _ in range(chance.randint(0, 9))]
        on_land, covered = a_raster(*ground), a_raster(*areas)
        split = chance.randint(1, SIDE - 1)
        wide = 2 * chance.randint(1, 3)
        corners = [(x, y) for x in range(0, SIDE - wide, wide) for y in range(0, SIDE - wide, wide)]
        people = [chance.randint(0, 50) for _ in corners]
        codes = ["west" if x < split else "east" if x < SIDE - 4 else "" for x, _ in corners]
        shift = 0.0 if basis == "cells" else 0.5
        where = a_demand(
            [(x + wide / 2 + shift, y + wide / 2 + shift) for x, y in corners],
            people,
            side_m=wide if basis == "cells" else None,
            zones={"part": tuple(codes)},
        )
        zones = {"west": (0, 0, split, SIDE), "east": (split, 0, SIDE, SIDE)}

        found = land.uncovered(
            shapely.union_all(shapes_of(ground)),
            shapes_of(areas),
            where,
            zones={"part": land.Zones(list(zones), shapes_of(zones.values()))},
        )

        lacking = {"": 0.0, "west": 0.0, "east": 0.0}
        for (x, y), number, code in zip(corners, people, codes, strict=True):
            square = np.s_[x : x + wide, y : y + wide]
            if basis == "cells":
                lived = on_land[square].sum()
                inside = (on_land & covered)[square].sum() / lived if lived else 0.0
            else:
                at = (x + wide // 2, y + wide // 2)
                inside = float((on_land & covered)[at])
            lacking[code] += number * (1 - inside)
        of_zone = {code: a_raster(corners_) for code, corners_ in zones.items()}
        living = {code: sum(n for n, c in zip(people, codes, strict=True) if c == code) for code in lacking}
        wanted = [
            ("country", "", on_land.sum(), (on_land & ~covered).sum(), sum(people), sum(lacking.values()))
        ]
        wanted += [
            ("part", code, (on_land & m).sum(), (on_land & m & ~covered).sum(), living[code], lacking[code])
            for code, m in of_zone.items()
        ]
        if living[""]:
            wanted.append(("part", "", 0, 0, living[""], lacking[""]))
        assert [(one.kind, one.code) for one in found] == [one[:2] for one in wanted]
        for row, numbers in zip(found, wanted, strict=True):
            told = (row.land_m2, row.uncovered_m2, row.people, row.uncovered_people)
            assert same(told, tuple(map(float, numbers[2:]))), (seed, row.code)
            compared += 4
    assert compared > 1400


def test_people_of_a_shape_are_those_of_its_unit_squares():
    compared = 0
    for seed in range(100, 200):
        chance = Random(seed)  # noqa: S311
        rectangles = [a_rectangle(chance, most=16) for _ in range(40)]
        wide = chance.choice([2, 4, 6])
        corners = [(x, y) for x in range(0, SIDE, wide) for y in range(0, SIDE, wide)]
        people = [chance.randint(0, 50) for _ in corners]
        where = a_demand([(x + wide / 2, y + wide / 2) for x, y in corners], people, side_m=wide)

        found = land.people_in(shapes_of(rectangles), where)

        for told, rectangle in zip(found, rectangles, strict=True):
            inside = a_raster(rectangle)
            wanted = sum(
                number * inside[x : x + wide, y : y + wide].sum() / wide**2
                for (x, y), number in zip(corners, people, strict=True)
            )
            assert same(told, wanted), (seed, rectangle)
            compared += 1
    assert compared == 4000


def a_star(chance, at, reach):
    """A polygon that is not convex, with a hole in it now and then."""
    turns = np.sort(chance.uniform(0, 2 * np.pi, 11))
    rays = np.column_stack([np.cos(turns), np.sin(turns)])
    outside = shapely.make_valid(shapely.polygons(at + rays * chance.uniform(0.3, 1, (11, 1)) * reach))
    inside = shapely.buffer(shapely.Point(at), reach / 20) if chance.random() < 0.4 else shapely.Point(at)
    return shapely.difference(outside, inside)


def test_the_ground_of_a_polygon_in_a_box_is_that_of_their_intersection():
    chance = np.random.default_rng(5)
    parts = shapely.get_parts([a_star(chance, chance.uniform(6e6, 6e6 + 900, 2), 300.0) for _ in range(300)])
    parts = parts[land.has_ground(parts)]
    of = chance.integers(0, len(parts), 6000)
    low = shapely.get_coordinates(shapely.centroid(parts))[of] + chance.normal(size=(6000, 2)) * 150
    boxes = np.hstack([low, low + chance.choice([20.0, 100.0, 400.0, 2000.0], size=(6000, 1))])

    found = land._in_boxes_m2(parts, boxes, of)

    wanted = shapely.area(shapely.intersection(parts[of], shapely.box(*boxes.T)))
    assert (wanted > 0).sum() > 3000
    assert np.abs(found - wanted).max() < 1e-5  # Of squares of up to 4,000,000 m².


def test_the_union_is_the_same_ground_in_parts_that_do_not_overlap():
    chance = np.random.default_rng(6)
    for size in (1, 2, 60, 400):
        stars = np.array([a_star(chance, chance.uniform(0, 6000, 2), 300.0) for _ in range(size)])
        stars[-1] = shapely.buffer(stars[-1], 3000)  # One that holds most of the others.

        found = land.union(stars)

        whole = shapely.union_all(stars)
        assert shapely.area(found).sum() == pytest.approx(whole.area, rel=1e-12)
        assert shapely.area(shapely.symmetric_difference(shapely.union_all(found), whole)) < 1e-3


def test_nothing_that_is_no_area_counts():
    where = a_demand([(1, 1), (9, 9)], [10, 20])
    odd = np.array([None, shapely.Polygon(), shapely.LineString([(0, 0), (9, 9)]), box(0, 0, 2, 2)])

    (found,) = land.uncovered(box(0, 0, 10, 10), odd, where)

    assert found == land.Uncovered("country", "", 100.0, 96.0, 30.0, 20.0)


def test_without_an_area_everything_lies_in_none():
    where = a_demand([(1, 1)], [10])

    (found,) = land.uncovered(box(0, 0, 10, 10), np.empty(0, dtype=object), where)

    assert found == land.Uncovered("country", "", 100.0, 100.0, 10.0, 10.0)


def test_what_crosses_itself_is_refused_by_its_place():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    where = a_demand([(1, 1)], [10])

    with pytest.raises(land.BadShapes, match=r"#2\. Mend them"):
        land.uncovered(box(0, 0, 9, 9), np.array([box(0, 0, 1, 1), bow]), where)
    with pytest.raises(land.NoOuter):
        land.uncovered(shapely.Polygon(), np.array([box(0, 0, 1, 1)]), where)
