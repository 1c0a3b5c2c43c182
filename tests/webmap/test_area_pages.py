"""Area pages: who is here by role, gaps, neighbours, contact points, fitting cases; pages of places."""

import re
from datetime import date

import pytest

from layers import contacts, fit, places, practices
from tests.webmap import site
from tests.webmap.site import look
from webmap import advice, db, networks, params, replies

HARKU = "areas/municipality/0198"


@pytest.fixture
def asked(app):
    """Inside a request, so that the store may be asked."""
    with app.test_request_context("/en/"):
        yield


def as_json(client, query):
    answer = client.get(f"/api/fit?{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def every_municipality():
    return places.areas(db.session(), "municipality", as_of=params.today())


# --- Fitting cases


def test_the_points_of_the_parts_sum_to_the_score_for_every_municipality(app, client, asked):
    codes = [area.key for area in every_municipality()]

    for key in codes:
        found = as_json(client, f"area={key}&lang=en")
        assert found["cases"], key
        weights = {one["key"]: one for one in found["weights"]}
        for one in found["cases"]:
            assert one["score"] == sum(part["points"] for part in one["parts"])
            for part in one["parts"]:
                assert part["reason"]
                assert part["points"] * part["weight"] > 0 or part["key"] == "setting"
                assert (part["weight"], part["formula"]) == (
                    weights[part["key"]]["weight"],
                    weights[part["key"]]["formula"],
                )
        scores = [one["score"] for one in found["cases"]]
        assert scores == sorted(scores, reverse=True)


def test_no_own_case_is_proposed_to_a_place(app, client, asked):
    for area in every_municipality():
        own = {c.key for c in practices.cases(db.session(), as_of=params.today()) if contacts.is_of(c, area)}
        proposed = {one["case"]["key"] for one in as_json(client, f"area={area.key}")["cases"]}
        assert proposed
        assert proposed.isdisjoint(own)


def test_sea_rescue_goes_first_to_places_with_a_shore(client):
    found = as_json(client, "practice=sea-rescue-association&lang=en")["places"]

    shores = [part["points"] for one in found[:5] for part in one["parts"] if part["key"] == "setting"]
    assert len(found) == 10
    assert len(shores) == 5
    assert min(shores) > 0


def test_a_practice_is_proposed_only_where_no_case_of_it_is_known(app, client, asked):
    key = "neighbourhood-watch-sector"
    cases = practices.cases(db.session(), practice=key, as_of=params.today())
    towns = {area.key: area for area in every_municipality()}

    found = [one["area"]["key"] for one in as_json(client, f"practice={key}")["places"]]

    assert len(cases) > 5
    assert not any(contacts.is_of(case, towns[area]) for area in found for case in cases)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("area=nowhere", 400),
        ("area=municipality:9999", 404),
        ("practice=none-such", 404),
        ("case=none-such", 404),
        ("lat=58.5", 400),
        ("lat=91&lon=25", 400),
        ("area=municipality:0198&as_of=yesterday", 400),
        ("area=municipality:0198&lang=xx", 400),
    ],
)
def test_a_bad_question_about_fit_is_told_in_one_shape(client, query, status):
    answer = client.get(f"/api/fit?{query}")

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json()["detail"]


def test_a_point_and_a_case_are_answered_too(client):
    at_point = as_json(client, "lat=59.43&lon=24.45&lang=en")
    of_case = as_json(client, "case=muraste&lang=en")

    assert {one["case"]["key"] for one in at_point["cases"]}
    assert all(one["case"]["key"] == "muraste" for one in of_case["places"])


def test_the_same_question_about_fit_gives_the_same_bytes_and_is_kept(client):
    first = client.get("/api/fit?area=municipality:0198&lang=et&as_of=2026-11-22")
    again = client.get("/api/fit?area=municipality:0198&lang=et&as_of=2026-11-22")
    kept = client.get(
        "/api/fit?area=municipality:0198&lang=et&as_of=2026-11-22",
        headers={"If-None-Match": first.headers["ETag"]},
    )

    assert (first.data, kept.status_code) == (again.data, 304)
    assert first.headers["Access-Control-Allow-Origin"] == "*"


def test_an_area_page_shows_three_cases_and_what_the_json_says_of_them(client):
    found = as_json(client, "area=municipality:0198&lang=en")["cases"]
    page = look(client, f"/en/{HARKU}")

    links = [link for link in page.links if link in {one["case"]["url"] for one in found}]
    assert links == [one["case"]["url"] for one in found[:3]]
    for one in found[:3]:
        assert f"{one['score']} points" in page.text
        assert all(part["reason"] in page.text for part in one["parts"])


@pytest.mark.parametrize("kind", ["practices/sea-rescue-association", "cases/juminda"])
def test_a_practice_and_a_case_say_where_else_they_could_go(client, kind):
    name, key = kind.split("/")
    found = as_json(client, f"{name.removesuffix('s')}={key}&lang=en")["places"][:5]
    page = look(client, f"/en/{kind}")

    assert [link for link in page.links if link in {one["area"]["url"] for one in found}][-5:] == [
        one["area"]["url"] for one in found
    ]
    assert all(part["reason"] in page.text for one in found for part in one["parts"])


@pytest.fixture(scope="module")
def with_an_end(tmp_path_factory):
    """A tiny country one of whose cases has ended."""
    folder = site.make.an_instance(tmp_path_factory.mktemp("ended") / "tiny")
    site.make.replace(folder, "cases/first-case.et.md", "outcome: lasted", "outcome: ended")
    site.make.change(folder, "instance.yaml", lambda said: said["outcomes"].update(ended={"en": "ended"}))
    with site.a_site(folder, tmp_path_factory.mktemp("state")) as app:
        yield app.test_client(use_cookies=False)


def test_a_case_that_ended_is_a_warning_and_no_example(with_an_end):
    page = look(with_an_end, "/en/cases/first-case")
    beside = look(with_an_end, "/en/areas/county/02")

    assert "It ended here. Read why before you begin:" in page.text
    assert as_json(with_an_end, "case=first-case")["places"] == []
    assert (
        "These would fit too, but they ended. Read why before you begin: first-case in English" in beside.text
    )
    found = as_json(with_an_end, "area=county:02")
    assert [one["case"]["key"] for one in found["cases"]] == []
    assert [one["case"]["key"] for one in found["warnings"]] == ["first-case"]


def test_every_reason_is_a_sentence_in_every_language(app, estonia):
    told = {
        "roles": {"roles": ("watch",)},
        "missing": {"roles": ("watch", "police")},
        "density": {"here": 6.2, "there": 8.0},
        "theme": {"theme": "watch"},
        "near": {"distance_m": 12_000.0},
        "remote": {"here_m": 12_000.0, "there_m": 9_000.0},
        "size": {"here": 5_000.0, "there": 6_000.0},
        "border": {},
        "outcome": {"outcome": "lasted"},
    }
    parts = [fit.Part(key, points, values) for key, values in told.items() for points in (1, 20)]
    kinds = (fit.ISLAND, fit.ISLANDS, fit.COAST, fit.INLAND)
    parts += [fit.Part("setting", 5, {"here": one, "there": other}) for one in kinds for other in kinds]
    assert {part.key for part in parts} == {weight.key for weight in fit.PARTS}

    for language in estonia.languages:
        with app.test_request_context(f"/{language}/"):
            sentences = [advice.reason(part) for part in parts]
            assert all(re.fullmatch(r"[^{}]+\.", sentence) for sentence in sentences)


def test_density_is_called_similar_only_where_it_is(app):
    with app.test_request_context("/en/"):
        app.preprocess_request()
        alike = advice.reason(fit.Part("density", 18, {"here": 6.2, "there": 8.0}))
        apart = advice.reason(fit.Part("density", 3, {"here": 6.2, "there": 45.0}))

    assert alike == "Similar density: 6.2 against 8 people per km²."
    assert "Similar" not in apart


# --- Who is here, gaps, neighbours, contact points


def test_the_gaps_sentence_counts_what_the_answers_say(app, client, asked):
    labels = {role.key: role.label["en"] for role in db.instance().roles}
    told = []
    for code in ("0198", "0141", "0714", "0303"):
        area = places.area(db.session(), "municipality", code, as_of=params.today())
        counts = places.counts(db.session(), area=area.key, as_of=params.today())
        here = contacts.here(replies.known(), db.instance(), area, as_of=params.today(), counts=counts)
        missing = [labels[one.role.key].lower() for one in here if not one.is_known]
        sentence = look(client, f"/en/areas/municipality/{code}").text.split("Who is here, by role ")[1]
        told.append(len(missing))
        if not missing:
            assert sentence.startswith("All 6 roles are known here.")
        else:
            number = "one is" if len(missing) == 1 else f"{len(missing)} are"
            said = sentence.lower().split(".")[0]
            assert said.startswith(f"of 6 roles {number} not known here: {missing[0]}")
            assert all(label in said for label in missing)
    assert set(told) >= {0, 1}


def test_neighbours_are_mutual_for_every_municipality_and_county(asked):
    known = replies.known()
    for kind in contacts.SEATS:
        found = {
            area.key: {one.key for one in contacts.bordering(known, area, as_of=params.today())}
            for area in places.areas(db.session(), kind, as_of=params.today())
        }
        assert all(key in found[other] for key, others in found.items() for other in others)
    assert found["municipality:0784"] >= {"municipality:0890", "municipality:0198", "municipality:0653"}
    assert found["municipality:0689"] == set()  # Ruhnu lies alone in the sea.


def test_an_area_page_links_its_neighbours_and_its_contact_points(client):
    page = look(client, f"/en/{HARKU}")

    assert {"/en/areas/municipality/0784", "/en/areas/municipality/0431"} <= set(page.links)
    assert "Who met here Harku municipality + Muraste Village Society" in page.text
    assert "Told by: Muraste, a large village that looks after its own safety" in page.text


def test_what_never_met_is_told_carefully(client):
    page = look(client, "/en/areas/municipality/0184")

    assert (
        "No public source tells of cooperation here between: district police – village association"
        in page.text
    )


def test_a_page_of_another_day_is_of_that_day(client):
    page = look(client, "/en/areas/county/0060?as_of=2011-01-01")
    today = look(client, "/en/areas/county/0060")

    assert (page.status, today.status) == (200, 200)
    assert page.text != today.text


def test_a_prefecture_has_no_roles_of_its_own(client):
    page = look(client, "/en/areas/prefecture/pohja")

    assert (page.status, page.headings) == (200, ["Northern Prefecture"])
    assert "by role" not in page.text
    assert "by role" in look(client, f"/en/{HARKU}").text


@pytest.mark.parametrize("missing", [0, 1, 2, 5])
def test_the_gaps_sentence_has_its_plurals(app, asked, missing):
    roles = db.instance().roles
    here = [
        contacts.RoleHere(role, (), (), (), is_counted=number >= missing) for number, role in enumerate(roles)
    ]

    sentence = networks.gaps(here)

    assert sentence.endswith(".")
    assert str(len(roles)) in sentence
    assert sum(role.label["et"].lower() in sentence.lower() for role in roles) == missing


# --- Pages of places


def test_a_place_says_its_people_with_their_date_and_who_is_seated_there(app, client, asked):
    day = params.today()
    seated = [body for body in places.bodies(db.session(), as_of=day) if body.settlement == "1088"]
    town = places.settlement(db.session(), "1088")
    page = look(client, "/en/places/1088")

    assert seated
    assert page.headings == [town.name]
    assert {f"/en/bodies/{body.key}" for body in seated} <= set(page.links)
    assert f"/en/areas/municipality/{town.municipality}" in page.links
    assert f"/en/here?lat={town.place.lat}&lon={town.place.lon}" in page.links


def test_every_place_of_the_gazetteer_has_a_page(app, client, asked):
    towns = places.settlements(db.session(), as_of=date(2026, 11, 22))

    assert len(towns) > 4_000
    for town in towns[::97]:
        assert look(client, f"/et/places/{town.key}").headings == [town.name]


def test_a_place_that_is_none_is_a_page_that_is_not_there(client):
    assert look(client, "/en/places/none-such").status == 404
