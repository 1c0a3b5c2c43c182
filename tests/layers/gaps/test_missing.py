"""Who is missing, and methods tried nowhere near: against a slow twin that reads plain dictionaries."""

import math
from datetime import date

import pytest

from layers import catalog, fit, places, snapshot
from layers.errors import BadInstance
from layers.gaps import demand, missing, untried
from layers.gaps import zones as grounds
from layers.gaps.missing import Combination, NoDistance, NoTerm, NothingAsked, Term
from layers.gaps.untried import Circumstance, Nearby
from tests import make
from tests.layers.gaps import little

DAY = date.fromisoformat(little.DAY)
ORDER = ["nobody", "unable", "counted", "present"]
QUESTIONS = [
    (["police"], []),
    (["council"], []),
    ([".youth"], []),
    (["police.youth"], []),
    (["council.order"], []),
    (["land.diving"], []),
    (["police"], ["land", "sea"]),
    (["council", "land"], [".diving"]),
    ([], ["police.land", "sea"]),
]


@pytest.fixture
def country(tmp_path):
    return catalog.read_instance(little.an_instance(tmp_path / "little"))


def taken(session):
    return snapshot.take(session, {"county", "municipality", "district"})


# --- The twin


def seats(body):
    return {
        f"county:{body['county']}",
        f"municipality:{body['municipality']}",
        f"settlement:{body['settlement']}",
    }


def holding(kind, code, world):
    """Keys of an area or place and of all that hold it."""
    if kind == "county":
        found = [f"county:{code}", *(["district:D1"] if code == "01" else [])]
    elif kind == "municipality":
        found = [f"municipality:{code}", f"county:{little.TOWNS[code]}"]
        found += ["district:D1"] if code in little.DISTRICT[1] else []
    else:
        town = next(one for one in world.places if one["key"] == code)["municipality"]
        found = [f"settlement:{code}", *holding("municipality", town, world)]
    return found


def slow_standing(world, kind, code, middle, term, within_m):
    role_key, _, ability = term.partition(".")
    roles = [role for role in little.ROLES if role_key in ("", role["key"])]
    keys = holding(kind, code, world)
    there = []
    for body in world.bodies:
        if not any(role["key"] in little.roles_of(body) for role in roles):
            continue
        if within_m is not None:
            near = body["at"] and little.apart(little.stored_metric(body["at"]), middle) <= within_m
        else:
            near = keys[0] in seats(body) or set(body["serves"]) & set(keys)
        if near:
            there.append(body)
    itself = kind != "county" and any(role.get("area") for role in roles)
    able = [body["key"] for body in there if not ability or ability in body["capabilities"]]
    if able or (itself and not ability):
        return "present", able, ""
    if there or (itself and role_key):
        return "unable", able, ""
    for role in roles:
        if role.get("layer") and not role.get("capabilities"):
            for key in (one for one in keys if not one.startswith("district")):
                told = [one for one in world.counts if one["layer"] == role["layer"] and one["area"] == key]
                if told:
                    newest = max(told, key=lambda one: one["as_of"])["number"]
                    named = sum(
                        body["layer"] == role["layer"]
                        and little.is_there(body)
                        and body["readiness"] != "closed"
                        and (key in seats(body) or key in body["serves"])
                        for body in world.bodies
                    )
                    if newest > named:
                        return "counted", able, key
    return "nobody", able, ""


def slow_nearest(world, middle, term):
    role_key, _, ability = term.partition(".")
    wanted = {role["key"] for role in little.ROLES if role_key in ("", role["key"])}
    found = [
        (round(little.apart(little.stored_metric(body["at"]), middle), 1), body["key"])
        for body in world.bodies
        if body["at"]
        and wanted & set(little.roles_of(body))
        and (not ability or ability in body["capabilities"])
    ]
    return min(found, default=None)


def slow_lacks(world, zones, all_of, one_of, within_m):
    """(key, state, lacking, states, able, nearest) of every zone that has people, worst first."""
    rows = []
    for kind, code, people, middle in zones:
        told = [slow_standing(world, kind, code, middle, term, within_m) for term in (*all_of, *one_of)]
        needed = [ORDER.index(one[0]) for one in told[: len(all_of)]]
        either = [ORDER.index(one[0]) for one in told[len(all_of) :]]
        state = min(needed + ([max(either)] if either else []))
        lacking = sum(one < 2 for one in needed) + (1 if either and max(either) < 2 else 0)
        open_ = [term for term, rank in zip(all_of, needed, strict=True) if rank < 3]
        if either and max(either) < 3:
            open_ += one_of
        near = [one for term in open_ if (one := slow_nearest(world, middle, term))]
        able = [one[1] for one in told]
        rows.append((f"{kind}:{code}", state, lacking, people, [one[0] for one in told], able, near))
    rows.sort(key=lambda row: (max(0, row[1] - 1), -row[2], row[1], -row[3], row[0]))
    return rows


def zones_of(world, kind, known):
    people = little.people_of(world)
    if kind == "settlement":
        order = sorted(world.places, key=lambda one: one["key"])
        return [(kind, one["key"], people[one["key"]], little.stored_metric(one["at"])) for one in order]
    codes = little.TOWNS if kind == "municipality" else little.COUNTIES
    found = []
    for code in codes:
        total = sum(people[one["key"]] for one in world.places if one[kind] == code)
        middle = little.middle_of(world, kind, code)
        if middle is None:  # A point inside: taken as it is, since any would do.
            at = next(i for i, area in enumerate(known.areas) if area.key == f"{kind}:{code}")
            point = known.shapes[at].point_on_surface()
            middle = point.x, point.y
        found.append((kind, code, total, middle))
    return found


@pytest.mark.parametrize("first", [0, 100])
def test_states_ranks_and_nearest_bodies_are_those_of_a_slow_twin(session, country, first):
    compared = 0
    for seed in range(first, first + 9):
        world = little.a_world(seed)
        with make.undone(session):
            little.stored(session, world)
            if not sum(little.people_of(world).values()):
                continue
            known, people = taken(session), demand.of_store(session, as_of=DAY)
            counts = places.counts(session, as_of=DAY)
            for kind, within_km in (
                ("municipality", None),
                ("county", None),
                ("settlement", None),
                ("settlement", 20),
            ):
                found = (
                    grounds.places(people)
                    if kind == "settlement"
                    else grounds.areas(known, people, kind, as_of=DAY)
                )
                who = missing.who(known, country, found, as_of=DAY, counts=counts, within_km=within_km)
                plain = zones_of(world, kind, known)
                for all_of, one_of in QUESTIONS:
                    asked = missing.combination(all_of, one_of, instance=country)
                    rows = missing.lacks(who, asked)
                    within_m = within_km and within_km * 1000
                    slow = slow_lacks(world, plain, all_of, one_of, within_m)
                    ranked = [(row[0], ORDER[row[1]], row[2], row[4], row[5], row[6]) for row in slow]
                    fast = [
                        (
                            row.zone.key,
                            row.state,
                            row.lacking,
                            [s.state for s in row.standings],
                            [[body.key for body in s.able] for s in row.standings],
                            [(near.way.distance_m, near.body.key) for near in row.nearest],
                        )
                        for row in rows
                    ]
                    assert fast == ranked, (seed, kind, within_km, all_of, one_of)
                    total = missing.totals(rows)[0]
                    for state in ORDER:
                        told = sum(row[3] for row in slow if ORDER[row[1]] == state)
                        assert math.isclose(total.people[state], told, abs_tol=1e-6)
                    compared += len(rows) * 6 + len(ORDER)
    assert compared > 7_000


def test_counted_is_neither_there_nor_missing_and_says_where(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_settlement(session, key="s1", at=(24.2, 58.2))
    make.a_count(session, layer="police", area="county:01", number=2, as_of="2018")
    make.a_body(session, key="known", layer="police", at=None, municipality="0102", county="01")
    known, people = taken(session), demand.of_store(session, as_of=DAY)
    zones = grounds.areas(known, people, "municipality", as_of=DAY)
    asked = missing.combination(["police"], [], instance=country)

    def states(number):
        session.flush()
        who = missing.who(known, country, zones, as_of=DAY, counts=places.counts(session, as_of=DAY))
        return {row.zone.key: (row.state, row.standings[0].counted_in) for row in missing.lacks(who, asked)}

    found = states(2)

    assert found["municipality:0101"] == ("counted", "county:01")
    assert found["municipality:0102"] == ("present", "county:01")
    assert found["municipality:0201"] == ("nobody", "")

    make.a_count(session, layer="police", area="county:01", number=1, as_of="2019")
    assert states(1)["municipality:0101"] == (
        "nobody",
        "",
    )  # The only one that is counted is named elsewhere.


def test_a_capability_gap_is_told_from_a_coverage_gap_and_says_of_whom_nothing_is_said(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_settlement(session, key="s1", at=(24.2, 58.2))
    make.a_body(
        session, key="able", layer="police", at=(25.2, 58.2), municipality="0201", capabilities=["diving"]
    )
    make.a_body(session, key="silent", layer="police", municipality="0101")
    make.a_body(session, key="other", layer="police", municipality="0101", capabilities=["order"])
    known, people = taken(session), demand.of_store(session, as_of=DAY)
    zones = grounds.areas(known, people, "municipality", as_of=DAY)
    who = missing.who(known, country, zones, as_of=DAY)

    rows = {row.zone.key: row for row in missing.lacks(who, Combination((Term("police", "diving"),)))}

    assert {key: row.state for key, row in rows.items()} == {
        "municipality:0101": "unable",
        "municipality:0102": "nobody",
        "municipality:0201": "present",
        "municipality:0202": "nobody",
    }
    standing = rows["municipality:0101"].standings[0]
    assert ([body.key for body in standing.others], standing.unsaid) == (["other", "silent"], 1)
    assert rows["municipality:0101"].nearest[0].body.key == "able"
    assert 45 < rows["municipality:0101"].nearest[0].way.bearing < 135
    assert rows["municipality:0201"].nearest == ()


# --- What is asked, and what is wrong with it


@pytest.mark.parametrize(
    "text", ["", "nobody", ".nothing", "police.", "police.nothing", "police.order.x", "."]
)
def test_a_term_that_nobody_knows_is_told_with_those_that_are_known(country, text):
    with pytest.raises(NoTerm, match=r"police, council, land, sea.*order, land, youth, diving"):
        missing.combination([text], [], instance=country)


def test_nothing_asked_and_no_distance_are_told(country, session):
    with pytest.raises(NothingAsked):
        missing.combination([], [], instance=country)
    for km in (0, -1, 301, math.nan, math.inf):
        with pytest.raises(NoDistance, match="km"):
            missing.who(taken(session), country, [], as_of=DAY, within_km=km)


def test_named_combinations_are_read_and_every_mistake_is_told(country):
    assert missing.combinations(country) == ()
    text = """
combinations:
  - {key: both, label: {en: both}, all: [police], any: [.youth, land.diving]}
  - {key: both, label: {en: again}, all: [police]}
  - {key: wrong, label: {en: wrong}, all: [nobody]}
  - {label: {en: no key}}
  - just words
"""
    make.write(country.folder, missing.FILE, text)
    with pytest.raises(BadInstance) as told:
        missing.combinations(country)
    assert [problem.what.split(":")[0].split(" needs")[0] for problem in told.value.problems] == [
        "combinations, entry 3",
        "combinations, entry 4",
        "combinations, entry 5",
        "A key of combinations stands there twice.",
    ]

    make.write(country.folder, missing.FILE, "\n".join(text.splitlines()[:3]))
    assert [(one.key, *map(str, one.terms)) for one in missing.combinations(country)] == [
        ("both", "police", ".youth", "land.diving")
    ]
    make.write(country.folder, missing.FILE, "combinations: [")
    with pytest.raises(BadInstance, match="1 problem"):
        missing.combinations(country)


def test_circumstances_are_read_and_every_mistake_is_told(country):
    text = """
circumstances:
  - {key: far, label: {en: far}, town_from_km: 30, practices: [alpha]}
  - {key: odd, label: {en: odd}, settings: [moon], practices: [alpha]}
  - {key: none, label: {en: none}, practices: [alpha]}
  - {key: typo, label: {en: typo}, density_too: 3, practices: [alpha]}
"""
    make.write(country.folder, missing.FILE, text)
    with pytest.raises(BadInstance) as told:
        untried.circumstances(country)
    assert [problem.what.split(" cannot")[0] for problem in told.value.problems] == [
        f"circumstances, entry {number}" for number in (2, 3, 4)
    ]

    make.write(country.folder, missing.FILE, "\n".join(text.splitlines()[:3]))
    assert untried.circumstances(country) == (Circumstance("far", {"en": "far"}, ("alpha",), (), 30.0, None),)


def test_the_combinations_and_circumstances_of_estonia_name_what_is_there(estonia):
    guides = {file.name.split(".")[0] for file in (estonia.folder / "practices").glob("*.md")}

    assert {one.key for one in missing.combinations(estonia)} >= {"police_and_local", "crisis"}
    assert all(set(one.label) == {"et", "en", "ru"} for one in missing.combinations(estonia))
    assert all(set(one.practices) <= guides for one in untried.circumstances(estonia))


# --- Methods

CIRCUMSTANCES = (
    Circumstance("dense", {"en": "dense"}, ("gamma",), density_to=1.0),
    Circumstance("inland", {"en": "inland"}, ("alpha", "beta"), settings=(fit.INLAND,)),
)


def slow_evidence(world, code, profile):
    found = [
        ("ended", case["key"], case["practices"])
        for case in world.cases
        if case["period_from"] != "2022" and case["outcome"] == "ended" and is_of(case, code)
    ]
    for body in world.bodies:
        if body["readiness"] == "closed" and little.is_there(body) and body["municipality"] == code:
            open_ = {**body, "readiness": ""}
            guides = [r["guide"] for r in little.ROLES if little.plays(r, open_) and r.get("guide")]
            found += [("closed", body["key"], guides)] if guides else []
    if profile.density is not None and profile.density < 1:
        found.append(("circumstance", "dense", ["gamma"]))
    if profile.setting == fit.INLAND:
        found.append(("circumstance", "inland", ["alpha", "beta"]))
    return found


def is_of(case, code):
    return case["municipality"] == code or f"municipality:{code}" in case["areas"]


def is_of_county(case, county):
    return case["county"] == county or f"county:{county}" in case["areas"]


def slow_untried(world, territory, middles, worry, near):
    rows = []
    for code, middle in middles.items():
        profile = territory.profiles[f"municipality:{code}"]
        shown = slow_evidence(world, code, profile)
        for kind, key, methods in [("asked", "fire", ["beta", "gamma"])] if worry else shown:
            tried = [
                case
                for case in world.cases
                if case["period_from"] != "2022"
                and case["outcome"] != "ended"
                and set(case["practices"]) & set(methods)
            ]
            others = fit.cases_for(territory, f"municipality:{code}")[0]
            scores = {one.case.key: one.score for one in others}
            ways = sorted(
                (round(little.apart(little.stored_metric(case["at"]), middle), 1), case["key"])
                for case in tried
                if case["at"]
            )
            if near.rule == "km":
                close = any(metres <= near.km * 1000 for metres, _ in ways)
            elif near.rule == "county":
                close = any(is_of_county(case, little.TOWNS[code]) for case in tried)
            else:
                close = any(scores.get(case["key"], 0) >= near.score for case in tried)
            if close or any(is_of(case, code) for case in tried):
                continue
            keys = {case["key"]: case for case in tried}
            best = (
                max((score, key) for key, score in scores.items() if key in keys)[0]
                if set(keys) & set(scores)
                else None
            )
            first = min((key for key in keys if scores.get(key) == best), default=None)
            practice = next((m for m in methods if first and m in keys[first]["practices"]), methods[0])
            rows.append((code, kind, key, practice, first, ways[0] if ways else None))
    return sorted(rows, key=str)


def test_gaps_of_practice_are_those_of_a_slow_twin(session, country):
    compared = 0
    for seed in range(200, 212):
        world = little.a_world(seed)
        with make.undone(session):
            little.stored(session, world)
            if not sum(little.people_of(world).values()):
                continue
            known, people = taken(session), demand.of_store(session, as_of=DAY)
            zones = grounds.areas(known, people, "municipality", as_of=DAY)
            territory = fit.territory(session, country, known, as_of=DAY)
            middles = {zone.code: zone.middle for zone in zones}
            for near in (Nearby("km", 25), Nearby("county"), Nearby("similar", score=45)):
                for worry in (None, country.worries[0]):
                    rows = untried.gaps(
                        territory, country, zones, circumstances=CIRCUMSTANCES, worry=worry, near=near
                    )
                    fast = sorted(
                        (
                            (
                                row.zone.code,
                                row.evidence.kind,
                                row.evidence.key,
                                row.practice,
                                row.best.case.key if row.best else None,
                                (row.way.distance_m, row.example.key) if row.example else None,
                            )
                            for row in rows
                        ),
                        key=str,
                    )
                    assert fast == slow_untried(world, territory, middles, worry, near), (seed, near, worry)
                    compared += 4 * len(rows) + 4
    assert compared > 1_000


def test_the_data_tell_of_a_closed_unit_only_from_the_day_on_which_it_closed(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_settlement(session, key="s1", at=(24.2, 58.2))
    make.a_body(
        session, key="gone", layer="police", municipality="0101", readiness="closed", valid_to="2012-05-16"
    )
    known, people = taken(session), demand.of_store(session, as_of=DAY)

    def told(day):
        zone = grounds.areas(known, people, "municipality", as_of=day)[0]
        territory = fit.territory(session, country, known, as_of=day)
        return untried.evidence(territory, country, zone, circumstances=())

    assert told(date(2012, 5, 15)) == ()
    assert [(one.kind, one.key, one.methods) for one in told(date(2012, 5, 16))] == [
        ("closed", "gone", ("alpha",))
    ]


def test_somebody_there_who_plays_the_role_is_told_beside_the_gap(session, country):
    little.stored(session, little.World(dict.fromkeys(little.TOWNS, 100), [], [], [], []))
    make.a_settlement(session, key="s1", at=(24.2, 58.2))
    make.a_body(session, key="unit", municipality="0201", capabilities=["land"])
    known, people = taken(session), demand.of_store(session, as_of=DAY)
    zones = grounds.areas(known, people, "municipality", as_of=DAY)
    territory = fit.territory(session, country, known, as_of=DAY)

    rows = untried.gaps(territory, country, zones, worry=country.worries[0])

    assert [(row.zone.code, [body.key for body in row.there]) for row in rows][-1] == ("0201", ["unit"])
    assert len(rows) == 4
    assert all((row.best, row.example, row.practice) == (None, None, "beta") for row in rows)
