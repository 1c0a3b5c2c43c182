"""Attacks on a secret house: whatever is asked, nothing finer than the policy of its layer comes out.

Two members of a watch live where nobody shall know it. The one's row names its settlement, the other's only
a street, and both hold the exact point of the house. Two kinds of test: an attacker measures as exactly as
the outputs allow; and two worlds whose secret houses lie far apart, but in one settlement and one cell, give
the same bytes, so that no attack can tell them apart. The controls show that each would find the house
without the policy.
"""

import gzip
import json
import re
from math import hypot, radians

import numpy as np
import pytest
from scipy.optimize import least_squares

from layers import catalog, geo
from layers.errors import BadInstance
from layers.sources import instance as sources
from tests import make
from tests.webmap import homes, site
from tests.webmap.homes import (
    BEFORE,
    CELL_M,
    HOUSES,
    LATER,
    POLICY,
    SETTLEMENT,
    STREET,
    STREET_M,
    a_country,
    apart_m,
    load,
    metric,
    write_watches,
)


@pytest.fixture(scope="module")
def open_world(tmp_path_factory):
    """A visitor to a country without a policy: what the attacks are tried on first."""
    home = tmp_path_factory.mktemp("open")
    with site.a_site(a_country(home / "tiny", policy=None), home / "state") as app:
        yield app.test_client(use_cookies=False)


@pytest.fixture(scope="module")
def kept_world(tmp_path_factory):
    home = tmp_path_factory.mktemp("kept")
    with site.a_site(a_country(home / "tiny"), home / "state") as app:
        yield app.test_client(use_cookies=False)


@pytest.fixture(scope="module")
def late_world(tmp_path_factory):
    """The policy came later: the first edition held the houses."""
    home = tmp_path_factory.mktemp("late")
    folder = a_country(home / "tiny", policy=None)
    load(folder, home / "state")
    make.change(folder, "instance.yaml", lambda about: about["layers"][-1].update(finest=POLICY))
    load(folder, home / "state", day=LATER)
    with site.an_app(site.Settings(instance=folder, state=home / "state")) as app:
        yield app.test_client(use_cookies=False)


# --- Trilateration


def answers(client, number, **asked):
    """What is told of the two watches from many places: key → place of the asker, metres, degrees."""
    chance, told = np.random.default_rng(7), {"one": [], "two": []}
    for lon, lat in zip(chance.uniform(24, 26, number), chance.uniform(58, 59, number), strict=True):
        query = {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}", **asked}
        for role in client.get("/api/answer", query_string=query).get_json()["roles"]:
            for match in role["matches"]:
                if match["key"] in told and match["distance_m"] is not None:
                    here = metric(float(query["lon"]), float(query["lat"]))
                    told[match["key"]].append((here, match["distance_m"], match["bearing"]))
    return told


def located(told):
    """The best estimate of a point from distances and directions, by least squares."""
    here = np.array([where for where, *_ in told])
    far_m = np.array([distance_m for _, distance_m, _ in told])
    bearing = np.array([radians(degrees) for *_, degrees in told])

    def errors(at):
        east, north = (at - here).T
        turned = np.angle(np.exp(1j * (np.arctan2(east, north) - bearing)))
        # A tenth of a degree is 90 m at 50 km: it tells the side, the distances tell the rest.
        return np.concatenate([np.hypot(east, north) - far_m, turned * far_m / 1000])

    return least_squares(errors, here.mean(axis=0), x_scale=1000.0).x


def error_m(told, secret):
    return float(hypot(*(located(told) - metric(*secret))))


def test_without_a_policy_trilateration_finds_the_house(open_world):
    told = answers(open_world, 30)

    assert error_m(told["one"], HOUSES[0]) < 2
    assert error_m(told["two"], STREET) < 2


def test_trilateration_finds_no_more_than_the_settlement_however_often_one_asks(kept_world):
    errors = [error_m(answers(kept_world, number)["one"], HOUSES[0]) for number in (10, 50, 300)]

    assert min(errors) >= CELL_M
    assert max(errors) - min(errors) < 2
    published = located(answers(kept_world, 50)["one"])
    assert float(hypot(*(published - metric(*SETTLEMENT)))) < 2


@pytest.mark.parametrize("world", ["kept_world", "late_world"])
def test_an_older_revision_tells_nothing_finer(request, world):
    client = request.getfixturevalue(world)

    told = answers(client, 30, known=BEFORE)["one"] if world == "late_world" else answers(client, 30)["one"]

    assert told
    assert error_m(told, HOUSES[0]) >= CELL_M


def test_before_the_policy_came_the_older_revision_did_tell_the_house(tmp_path):
    folder = a_country(tmp_path / "tiny", policy=None)
    load(folder, tmp_path / "state")
    make.replace(folder, "bodies/watch.csv", "Esimene valve", "Esimese valve")
    load(folder, tmp_path / "state", day=LATER)

    with site.an_app(site.Settings(instance=folder, state=tmp_path / "state")) as app:
        told = answers(app.test_client(), 30, known=BEFORE)

    assert error_m(told["one"], HOUSES[0]) < 2


# --- Every output

ADDRESSES = [
    "/api/layers/watch.geojson",
    "/api/layers/watch.geojson?known={known}",
    "/api/layers/settlements.geojson",
    "/api/search?q=valve&limit=50",
    "/api/search?q=pikk",
    "/api/history?body=one&lang=en",
    "/api/history?body=two&lang=en",
    "/api/history?body=one&known={known}",
    "/api/answer?lat=58.3&lon=24.3&lang=en",
    "/api/answer?lat=58.3&lon=24.3&format=text",
    "/api/answer?lat=58.3&lon=24.3&known={known}",
    "/api/answer?place=Esimene",
    "/api/fit?lat=58.3&lon=24.3",
    "/api/coverage.geojson?shade=county",
    "/api/openapi.json",
    "/api/tiles/watch/1/10/580/300.mvt",
    "/en/",
    "/en/legend",
    "/en/print",
    "/en/embed",
    "/en/layers/",
    "/en/layers/watch",
    "/en/layers/watch?known={known}",
    "/en/coverage",
    "/en/bodies/one",
    "/en/bodies/two",
    "/en/bodies/one?known={known}",
    "/en/bodies/one.vcf",
    "/en/bodies/two.vcf",
    "/en/bodies/two.vcf?known={known}",
    "/en/areas/county/01",
    "/en/areas/county/02",
    "/en/areas/county/01/changes.atom",
    "/en/areas/county/01/changes.atom?known={known}",
    "/en/places/1001",
    "/en/here?lat=58.3&lon=24.3",
    "/en/here?lat=58.7&lon=25.6",
    "/en/search?q=valve",
    "/en/card/settlement/1001",
    "/en/card/settlement/1001.pdf?as_of=2026-11-22",
    "/en/data",
    "/en/programs",
    "/en/bodies/one.jsonld",
    "/en/bodies/two.jsonld",
    "/en/bodies/two.jsonld?known={known}",
    "/en/areas/county/01.jsonld",
    "/hsds/organizations?full=true&full_service=true",
    "/hsds/organizations?full=true&known={known}",
    "/hsds/services?full=true",
    "/hsds/service_at_locations?full=true",
    "/api/find-service?lat=58.3&lon=24.3&service=urn:service:sos&boundary=value",
    "/catalog.jsonld",
    "/catalog.ttl",
]


def outputs(client, known=BEFORE):
    found = {}
    for address in ADDRESSES:
        answer = client.get(address.format(known=known))
        body = answer.data
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        found[address] = (answer.status_code, re.sub(rb'data-now="[^"]*"', b"", body))  # The clock.
    return found


def leaks(found, houses):
    """Addresses whose answers hold both coordinates of a place nearer to a house than the street's cell."""
    seen = []
    for address, (_, body) in found.items():
        text = body.decode("latin-1")
        numbers = [float(one) for one in re.findall(r"\d{2}\.\d{3,}", text)]
        for lon, lat in houses:
            near_lat = any(abs(one - lat) < STREET_M / 4 / 111_320 for one in numbers)
            near_lon = any(abs(one - lon) < STREET_M / 4 / 58_000 for one in numbers)
            if near_lat and near_lon:
                seen.append(address)
    return seen


def test_without_a_policy_many_outputs_hold_the_house(open_world):
    found = leaks(outputs(open_world), (HOUSES[0], STREET))

    assert {
        "/api/layers/watch.geojson",
        "/en/bodies/one",
        "/en/bodies/one.vcf",
        "/en/bodies/two.vcf",
        "/en/bodies/two.jsonld",
        "/hsds/organizations?full=true&full_service=true",
        "/hsds/service_at_locations?full=true",
    } <= set(found)


@pytest.mark.parametrize("world", ["kept_world", "late_world"])
def test_no_output_holds_a_house(request, world):
    found = outputs(request.getfixturevalue(world))

    statuses = {address: status for address, (status, _) in found.items() if status != 200}
    assert set(statuses) <= {"/api/tiles/watch/1/10/580/300.mvt", "/api/coverage.geojson?shade=county"} | {
        address for address in ADDRESSES if "known=" in address and world == "kept_world"
    }
    assert leaks(found, (HOUSES[0],)) == []


def test_a_history_does_not_tell_how_far_a_house_was_from_where_it_is_shown(late_world, open_world):
    for key in ("one", "two"):
        told = late_world.get(f"/api/history?body={key}&lang=en").get_json()
        facts = {fact["fact"] for event in told["events"] for fact in event["facts"]}
        assert [event["what"] for event in told["events"]][-1] == "added"
        assert "point" not in facts


# --- Two houses that nobody can tell apart


@pytest.fixture(scope="module")
def one_cell(tmp_path_factory):
    """Two places in one cell of the street's grid, as far apart as can be found near STREET."""
    return homes.a_cell(homes.a_country(tmp_path_factory.mktemp("grid") / "tiny"), 2)


def test_houses_of_one_settlement_and_cell_give_the_same_bytes(tmp_path, one_cell):
    assert apart_m(*HOUSES) > CELL_M
    found = []
    for number, (house, street) in enumerate(zip(HOUSES, one_cell, strict=True)):
        home = tmp_path / str(number)
        with site.a_site(a_country(home / "tiny", house=house, street=street), home / "state") as app:
            client = app.test_client(use_cookies=False)
            told = answers(client, 20)
            answered = json.dumps([(key, [one[1:] for one in told[key]]) for key in told])
            found.append((outputs(client), answered))

    (first, first_told), (second, second_told) = found
    assert first_told == second_told
    assert {address for address in ADDRESSES if first[address] != second[address]} == set()


def test_without_a_policy_they_give_other_bytes(tmp_path):
    found = []
    for number, house in enumerate(HOUSES):
        home = tmp_path / str(number)
        with site.a_site(a_country(home / "tiny", house=house, policy=None), home / "state") as app:
            found.append(outputs(app.test_client(use_cookies=False)))

    differing = {address for address in ADDRESSES if found[0][address] != found[1][address]}
    assert {"/api/layers/watch.geojson", "/en/bodies/one", "/en/bodies/one.vcf"} <= differing


def test_the_blur_is_stable_for_one_secret_and_another_for_another(tmp_path):
    folder = a_country(tmp_path / "tiny")

    def shown():
        read = catalog.read_instance(folder)
        (watch,) = [source for source in sources.read(read) if source.resource.name == "watch"]
        return {row.key: (row.values["geom"].x, row.values["geom"].y) for row in watch.rows}

    first, again = shown(), shown()
    make.write(folder, "privacy.key", "anything that nobody guesses")
    keyed = shown()

    assert first == again
    assert keyed["one"] == first["one"] == pytest.approx(tuple(metric(*SETTLEMENT)))
    assert keyed["two"] != first["two"]
    for key in (first, keyed):
        assert hypot(*(np.array(key["two"]) - metric(*STREET))) < STREET_M * 1.5
    make.write(folder, "privacy.key", "something else")
    assert shown()["two"] != keyed["two"]


# --- What is refused, and what the steward is told

REFUSED = [
    ({"precision": "municipality"}, "The precision “municipality” is finer than the layer “watch” may tell."),
    ({"place": "Pikk tänav 12"}, "“Pikk tänav 12” names a house, and the layer “watch” may name none."),
    (
        {"place": "Kalda 5a, Esimene"},
        "“Kalda 5a, Esimene” names a house, and the layer “watch” may name none.",
    ),
]


@pytest.mark.parametrize(("change", "what"), REFUSED)
def test_a_row_that_says_itself_that_it_is_a_home_is_refused(tmp_path, change, what):
    folder = a_country(tmp_path / "tiny")
    row = {"key": "one", "name": "Valve", "form": "association", "settlement": "1001", "place": "Esimene"}
    row |= {"precision": "settlement", "lon": "24.2731", "lat": "58.2587"}
    make.write(folder, "bodies/watch.csv", make.bodies_csv([row]))
    sources.read(catalog.read_instance(folder))
    make.write(folder, "bodies/watch.csv", make.bodies_csv([{**row, **change}]))

    with pytest.raises(BadInstance) as told:
        sources.read(catalog.read_instance(folder))

    (problem,) = told.value.problems
    assert (problem.file, problem.row) == ("bodies/watch.csv", 2)
    assert what in problem.what
    assert problem.remedy.endswith((".", "blank."))


def test_a_moved_point_is_told_with_its_line_and_how_to_take_the_house_out(tmp_path):
    folder = a_country(tmp_path / "tiny")

    (watch,) = [plan for plan in load(folder, tmp_path / "state") if plan.source.resource.name == "watch"]

    said = [str(note) for note in watch.source.notes]
    (shown,) = [row.values["geom"] for row in watch.source.rows if row.key == "two"]
    place = geo.place_of(shown.x, shown.y, srid=make.SRID)
    street = f"{place.lat}, {place.lon}"
    begin = "The point may be finer than the layer “watch” may tell; it was moved to"
    end = "Put this point into the file, so that no finer one stands anywhere."
    assert said == [
        f"bodies/watch.csv, line 2: {begin} the point of its settlement (58.25, 24.25). {end}",
        f"bodies/watch.csv, line 3: {begin} a point of its cell of 300 m ({street}). {end}",
    ]


def test_a_point_that_is_the_published_one_is_not_touched(tmp_path):
    folder = a_country(tmp_path / "tiny")
    write_watches(folder, house=SETTLEMENT, street=STREET)

    (watch,) = [plan for plan in load(folder, tmp_path / "state") if plan.source.resource.name == "watch"]

    assert [note.row for note in watch.source.notes] == [3]


def test_estonias_watches_stand_where_the_gazetteer_publishes_their_settlements(estonia):
    found = {source.resource.name: source for source in sources.read(estonia)}

    assert estonia.layer("watch").finest
    assert found["watch"].notes == ()
    assert len([row for row in found["watch"].rows if row.values["geom"] is not None]) > 30


def test_a_shape_smaller_than_a_cell_is_refused(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    small = {"kind": "county", "code": "03", "name_et": "Maja", "accuracy": "approximate"}
    counties = [
        ({**small, "code": code}, make.shapely.box(west, 58, west + wide, 58 + wide))
        for code, west, wide in (("01", 24, 1), ("02", 25, 1), ("03", 24.2, 0.001))
    ]
    make.write(folder, "areas/counties.geojson", make.a_map(counties))
    sources.read(catalog.read_instance(folder))
    make.change(folder, "instance.yaml", lambda about: about["layers"][3].update(finest={"settlement": 500}))

    with pytest.raises(BadInstance, match="1 problems") as told:
        sources.read(catalog.read_instance(folder))

    assert "“county:03” is smaller than anything that the layer “counties” may show" in str(
        told.value.problems[0]
    )


@pytest.mark.parametrize(
    ("finest", "what"),
    [
        ({"house": 100}, "the precision “house” is unknown"),
        ({"settlement": 0}, "“0” is no side of a cell"),
        ({"settlement": "wide"}, "“wide” is no side of a cell"),
        ({"settlement": True}, "“True” is no side of a cell"),
        ({}, "finest names no precision"),
        (["settlement"], "finest names no precision"),
    ],
)
def test_a_policy_that_protects_nothing_is_refused(tmp_path, finest, what):
    folder = a_country(tmp_path / "tiny")
    make.change(folder, "instance.yaml", lambda about: about["layers"][-1].update(finest=finest))

    with pytest.raises(BadInstance) as told:
        catalog.read_instance(folder)

    assert what in str(told.value.problems[0])
