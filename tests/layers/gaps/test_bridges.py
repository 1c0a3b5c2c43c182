"""Who never met: pairs, levels, neighbours and loners against a slow twin that reads plain dictionaries."""

import math
from datetime import date
from fractions import Fraction
from itertools import combinations

import pytest

from layers import catalog, practices, snapshot
from layers.gaps import bridges, demand
from layers.gaps import zones as grounds
from layers.gaps.missing import NoDistance
from tests import make
from tests.layers.gaps import little

DAY = date.fromisoformat(little.DAY)
ORDER = [role["key"] for role in little.ROLES]
TOWNS = list(little.TOWNS)
BORDERS = {(0, 1), (1, 2), (2, 3)}
"""The towns stand in one row."""


@pytest.fixture
def country(tmp_path):
    return catalog.read_instance(little.an_instance(tmp_path / "little"))


def a_net(session, country):
    known = snapshot.take(session, {"county", "municipality", "district"})
    people = demand.of_store(session, as_of=DAY)
    zones = grounds.areas(known, people, "municipality", as_of=DAY)
    return bridges.net(known, country, zones, practices.practices(session, as_of=DAY), as_of=DAY)


# --- The twin


def covers(area):
    kind, _, code = area.partition(":")
    if kind == "municipality":
        return {code}
    return (
        {town for town, county in little.TOWNS.items() if county == code}
        if kind == "county"
        else {"0101", "0102"}
    )


def slow_actors(world):
    """By key: roles, ground and served towns, point."""
    found = {}
    for body in world.bodies:
        if roles := little.roles_of(body):
            serves = {town for area in body["serves"] for town in covers(area)}
            ground = serves | ({body["municipality"]} - {""})
            point = little.stored_metric(body["at"]) if body["at"] else None
            found[body["key"]] = (roles, ground, serves, point, set(body["serves"]))
    for town in TOWNS:
        key = f"municipality:{town}"
        found[key] = (["council"], {town}, {town}, None, {key})
    return found


def going(world):
    return [case for case in world.cases if case["period_from"] != "2022"]


def participants(world, case):
    """Keys of organisations, also of such that have ended, and of a municipality that is a party."""
    known = {body["key"] for body in world.bodies}
    own = (
        {f"municipality:{case['municipality']}"}
        if case["municipality"] and "council" in case["parties"]
        else set()
    )
    return (set(case["bodies"]) & known) | own


def roles_named(world, case):
    bodies = [body for body in world.bodies if body["key"] in case["bodies"]]
    played = {role["key"] for role in little.ROLES for body in bodies if little.plays(role, body)}
    found = set(played)
    for party in case["parties"]:
        meant = {role["key"] for role in little.ROLES if party in role["parties"]}
        found |= meant & played or meant
    return found


def touches(case, town):
    county = little.TOWNS[town]
    return case["municipality"] == town or bool(
        {f"municipality:{town}", f"county:{county}"} & set(case["areas"])
    )


def slow_hint(world, actors, zones, one, two):
    """The first case on the common ground that may have been these two."""
    found = []
    for case in going(world):
        if not any(touches(case, town) for town in zones):
            continue
        who, roles = participants(world, case), roles_named(world, case)
        may_be = []
        for key in (one, two):
            mine = set(actors[key][0])
            others = any(set(actors[other][0]) & mine for other in who if other in actors)
            may_be.append(key in who or (bool(mine & roles) and not others))
        if all(may_be):
            found.append(case["key"])
    return min(found, default=None)


def slow_bringing(world):
    weights, told = {}, {}
    for case in going(world):
        if case["outcome"] == "ended":
            continue
        named = [role for role in ORDER if role in roles_named(world, case)]
        pairs = list(combinations(named, 2))
        bodies = [body for body in world.bodies if body["key"] in case["bodies"]]
        for role in little.ROLES:
            if sum(bool(little.plays(role, body)) for body in bodies) > 1:
                pairs.append((role["key"], role["key"]))
        several = sum(one != other for one, other in pairs)
        for pair in pairs:
            told.setdefault(pair, []).append(case)
            for practice in set(case["practices"]):
                share = Fraction(1) if pair[0] == pair[1] else Fraction(1, several)
                weights.setdefault(pair, {}).setdefault(practice, Fraction(0))
                weights[pair][practice] += share
    found = {
        pair: sorted(sums.items(), key=lambda one: (-one[1], one[0]))[0][0] for pair, sums in weights.items()
    }
    audiences = {
        "alpha": {"police"},
        "beta": {"police", "residents"},
        "gamma": {"police", "residents", "council"},
    }
    for pair in combinations(ORDER, 2):
        parties = [set(next(r for r in little.ROLES if r["key"] == role)["parties"]) for role in pair]
        for practice in sorted(audiences, key=lambda key: (len(audiences[key]), key)):
            if all(party & audiences[practice] for party in parties):
                found.setdefault(pair, practice)
                break
    return found, told


def slow_pairs(world, people, middles, *, near_km, like, role, other, within):
    actors = slow_actors(world)
    bringing, told = slow_bringing(world)
    rows = []
    for one, two in combinations(sorted(actors), 2):
        (roles, ground, serves, point, served), (roles2, ground2, serves2, point2, served2) = (
            actors[one],
            actors[two],
        )
        both_areas = ":" in one and ":" in two
        if both_areas or any({one, two} <= participants(world, case) for case in going(world)):
            continue
        apart = round(little.apart(point, point2), 1) if point and point2 else None
        beside = {
            town
            for a in serves
            for b in serves2
            if tuple(sorted((TOWNS.index(a), TOWNS.index(b)))) in BORDERS
            for town in (a, b)
        }
        if serves & serves2:
            why, zones = "served", serves & serves2
        elif ground & ground2:
            why, zones = "seated", ground & ground2
        elif beside and ":" not in one + two:
            why, zones = "border", beside
        elif point and point2 and little.apart(point, point2) <= near_km * 1000 and ground | ground2:
            why, zones = "near", ground | ground2
        else:
            continue
        if not like and set(roles) & set(roles2):
            continue
        if within and not any(within == f"county:{little.TOWNS[t]}" for t in zones):
            continue
        pair = None
        for mine in roles:
            for yours in roles2:
                wanted = {role, other} - {""}
                fits = {mine, yours} == wanted if role and other else wanted <= {mine, yours}
                if pair is None and fits:
                    pair = tuple(sorted((mine, yours), key=ORDER.index))
        if pair is None:
            continue
        there = sum(people[town] for town in zones)
        either = sum(people[town] for town in ground | ground2)
        weight = there if why in ("border", "near") else there * there / either if either else 0.0
        hint = slow_hint(world, actors, zones, one, two) if why in ("served", "seated") else None
        weights = [people[town] if there else 1 for town in sorted(zones)]
        middle = tuple(
            sum(w * middles[t][axis] for w, t in zip(weights, sorted(zones), strict=True)) / sum(weights)
            for axis in (0, 1)
        )
        cases = told.get(pair, [])
        ways = [
            (round(little.apart(middle, little.stored_metric(c["at"])), 1), c["key"])
            for c in cases
            if c["at"]
        ]
        example = min(ways)[1] if ways else min((c["key"] for c in cases), default=None)
        rows.append(
            (
                ("served", "seated", "border", "near").index(why),
                hint is not None,
                -round(weight, 3),
                math.inf if apart is None else apart,
                one,
                two,
                tuple(sorted(zones)),
                tuple(sorted(served & served2)),
                hint,
                pair,
                bringing.get(pair, ""),
                example,
            )
        )
    return sorted(rows, key=lambda row: row[:6])


QUESTIONS = (
    {},
    {"like": True},
    {"near_km": 40.0},
    {"role": "police", "other": "land"},
    {"role": "council"},
    {"role": "police", "other": "police", "like": True},
    {"within": "county:02", "near_km": 0.0},
)


def test_pairs_are_those_of_a_slow_twin(session, country):
    compared = 0
    for seed in range(300, 318):
        world = little.a_world(seed)
        with make.undone(session):
            little.stored(session, world)
            if not sum(little.people_of(world).values()):
                continue
            net = a_net(session, country)
            people = {zone.code: zone.people for zone in net.zones}
            middles = {zone.code: zone.middle for zone in net.zones}
            assert net.borders == BORDERS
            for asked in QUESTIONS:
                usual = {"near_km": 10.0, "like": False, "role": "", "other": "", "within": ""}
                slow = slow_pairs(world, people, middles, **{**usual, **asked})
                found = bridges.pairs(net, **asked)
                fast = [
                    (
                        bridges.REASONS.index(one.why),
                        one.hint is not None,
                        -round(one.weight, 3),
                        math.inf if one.distance_m is None else one.distance_m,
                        one.first.key,
                        one.second.key,
                        tuple(key.partition(":")[2] for key in one.zones),
                        one.both_serve,
                        one.hint.key if one.hint else None,
                        one.roles,
                        one.practice,
                        one.example.case.key if one.example else None,
                    )
                    for one in found
                ]
                assert fast == slow, (seed, asked)
                assert [*found[1:4]] == [*found][1:4]
                assert found.on_ground == sum(row[0] < 2 for row in slow)
                assert found.hinted == sum(row[1] for row in slow)
                compared += 12 * len(fast) + 1
    assert compared > 10_000


def test_levels_neighbours_and_loners_are_those_of_a_slow_twin(session, country):
    compared = 0
    for seed in range(400, 420):
        world = little.a_world(seed)
        with make.undone(session):
            little.stored(session, world)
            if not sum(little.people_of(world).values()):
                continue
            net = a_net(session, country)
            people = {zone.code: zone.people for zone in net.zones}
            actors = slow_actors(world)

            linked = {key for case in going(world) for key in participants(world, case)}
            told = {t for case in going(world) for t in TOWNS if is_of(case, t)}
            alone = [
                (-sum(people[town] for town in actor[1]), key)
                for key, actor in actors.items()
                if key not in linked and key.partition(":")[2] not in told
            ]
            fast = [(one.actor.key, round(one.people, 6)) for one in bridges.isolates(net)]
            assert fast == [(key, round(-number, 6)) for number, key in sorted(alone)]

            never = [
                (-people[TOWNS[a]] - people[TOWNS[b]], f"municipality:{TOWNS[a]}", f"municipality:{TOWNS[b]}")
                for a, b in BORDERS
                if not any(
                    has_part(world, case, TOWNS[a]) and has_part(world, case, TOWNS[b])
                    for case in going(world)
                )
            ]
            fast = [(one.first.key, one.second.key, one.is_across) for one in bridges.neighbours(net)]
            assert fast == [(a, b, {a[-4:], b[-4:]} == {"0102", "0201"}) for _, a, b in sorted(never)]

            slow = {town: slow_levels(world, town) for town in TOWNS}
            rows = bridges.levels(net)
            assert {one.zone.code: (list(one.roles), list(one.silent)) for one in rows} == slow
            assert all({*one.met} | {*one.silent} == {*combinations(one.roles, 2)} for one in rows)
            weights = [one.zone.people * len(one.silent) for one in rows]
            assert weights == sorted(weights, reverse=True)
            compared += len(alone) + len(never) + sum(len(one.met) + len(one.silent) for one in rows)
    assert compared > 300


def is_of(case, town):
    return case["municipality"] == town or f"municipality:{town}" in case["areas"]


def has_part(world, case, town):
    seated = {body["key"] for body in world.bodies if body["municipality"] == town}
    return is_of(case, town) or bool(seated & set(case["bodies"]))


def slow_levels(world, town):
    """The roles played in a town, and the pairs of them that no case links."""
    area = {f"municipality:{town}", f"county:{little.TOWNS[town]}"}
    area |= {"district:D1"} if town in little.DISTRICT[1] else set()
    players = {}
    for body in world.bodies:
        if body["municipality"] == town or area & set(body["serves"]):
            for role in little.roles_of(body):
                players.setdefault(role, set()).add(body["key"])
    players["council"] = {f"municipality:{town}"}
    played = [role for role in ORDER if role in players]
    silent = []
    for first, second in combinations(played, 2):
        one, two = players[first], players[second]
        together = any(one & participants(world, c) and two & participants(world, c) for c in going(world))
        named = any(touches(c, town) and {first, second} <= roles_named(world, c) for c in going(world))
        if not (one & two or together or named):
            silent.append((first, second))
    return played, silent


# --- Rules that a reader would ask about


def test_two_who_took_part_in_one_case_are_no_pair_and_a_case_without_names_is_a_hint(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_settlement(session, key="s1", at=(24.2, 58.2))
    for key in ("north", "south"):
        make.a_body(session, key=key, layer="police", municipality="0101", county="01")
    make.a_body(session, key="unit", capabilities=["land"], municipality="0101", county="01")

    def told():
        found = bridges.pairs(a_net(session, country), role="police", other="land")
        return {one.first.key: one.hint and one.hint.key for one in found}

    assert told() == {"north": None, "south": None}

    make.a_case(session, key="somebody", municipality="0101", county="01", parties=["police", "residents"])
    assert told() == {"north": "somebody", "south": "somebody"}

    make.a_case(session, key="named", municipality="0201", county="02", parties=[], bodies=["north", "unit"])
    assert told() == {"south": "somebody"}


def test_a_case_that_ended_is_no_example(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_case(session, key="over", outcome="ended", parties=["police", "council"], practices=["gamma"])
    known = snapshot.take(session, {"county", "municipality"})

    found = bridges.bringing(known, country, practices.practices(session, as_of=DAY), as_of=DAY)

    assert found.cases == {}
    assert found.practices["police", "council"] == "gamma"  # Written for both, though tried nowhere.

    make.a_case(session, key="tried", parties=["police", "council"], practices=["alpha"])
    known = snapshot.take(session, {"county", "municipality"})
    found = bridges.bringing(known, country, [], as_of=DAY)
    assert found.practices == {("police", "council"): "alpha"}
    assert [case.key for case, _ in found.cases["police", "council"]] == ["tried"]


def test_a_distance_that_is_none_is_told(session, country):
    little.stored(session, little.a_world(1))
    for km in (-1, 301, math.nan):
        with pytest.raises(NoDistance, match="km"):
            bridges.pairs(a_net(session, country), near_km=km)
