"""The page of new sites: four models as the layer answers them, proofs in the background, files, refusals."""

import csv
import io
import json
import re
import time

import numpy as np
import pytest
import shapely

from layers import catalog, imports
from layers.gaps import jobs, siting
from layers.gaps.siting import plans
from tests import make
from tests.webmap import site
from tests.webmap.site import look
from webmap import params
from webmap.planning import inquiry, sites, world

PAGE = "/en/gaps/siting"
VORU = "0087"
ALL_HERE = "Everybody here is covered already: a new unit would reach nobody more."
OTHER = "The data or the question are not those with which this calculation began. Start it again."
FORMULA = '=HYPERLINK("https://evil.example")'


def rows_of(client, query):
    answer = client.get(f"{PAGE}?format=csv&{query}")
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def asked_directly(app, model, *, exact=False, **options):
    """The problem of a county, and the plan as the layer makes it without the page."""
    with app.test_request_context(PAGE):
        known = world.world(params.today())
        rule = inquiry.asked({"county": VORU, "role": "rescue_land", "within": "15"}, known).rule
        problem = sites.posed(known, rule, model, county=VORU)
    model = getattr(siting, model)
    plan = model(
        problem.cost,
        problem.demand.people,
        within=problem.within,
        fixed=problem.fixed,
        exact=exact,
        **options,
    )
    return known, problem, plan


def follow(client, address, *, within_s=40):
    """The page of a job when it is over."""
    end = time.monotonic() + within_s
    while "data-follow" in (html := client.get(address).text):
        assert time.monotonic() < end, html
        time.sleep(0.1)
    return html


@pytest.fixture
def tiny(tmp_path):
    """A tiny country one of whose places is called like a formula: its folder, its application, a visitor."""
    folder = make.an_instance(tmp_path / "tiny")
    quoted = FORMULA.replace('"', '""')
    make.replace(folder, "places.csv", "Kolmas", f'"{quoted}"')
    with site.a_site(folder, tmp_path / "state") as app:
        yield folder, app, app.test_client(use_cookies=False)


# --- The four models


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mclp", {"p": 3}),
        ("lscp", {"backup": 1}),
        ("lscp", {"backup": 2}),
        ("p_median", {"p": 2}),
        ("p_center", {"p": 2}),
    ],
)
def test_a_model_says_what_the_layer_says(app, client, model, options):
    _, problem, plan = asked_directly(app, model, **options)
    query = f"model={model}&county={VORU}&sites={options.get('p', 3)}&backup={options.get('backup', 1)}"
    rows = rows_of(client, f"role=rescue_land&within=15&{query}")
    page = look(client, f"{PAGE}?role=rescue_land&within=15&{query}")

    chosen = [problem.sites.keys[at] for at in plan.sites]
    assert [row["code"] for row in rows] == chosen
    assert [float(row["gain"]) for row in rows] == [round(gain, 1) for gain in plan.gains]
    assert [row["order"] for row in rows] == [str(number) for number in range(1, len(chosen) + 1)]
    assert [f"/en/places/{key}" for key in chosen] == [link for link in page.links if "/places/" in link]
    assert (page.status, page.inline, len(page.ids)) == (200, [], len(set(page.ids)))
    said = {
        "mclp": f"{plan.objective:,.0f} of the {problem.demand.people.sum():,.0f} people who are not covered"
        " would be.",
        "lscp": f"{plan.objective:.0f} new units",
        "p_median": "Help would come after ",
        "p_center": "Nobody would wait longer than ",
    }[model]
    if model == "lscp" and not plan.proven:
        said = f"Between {np.ceil(plan.bound):.0f} and {plan.objective:.0f} new units are needed"
    assert said in page.text
    assert f"{len(plan.verification.checks)} independent checks were passed." in page.text


def test_the_proposed_units_gain_as_a_scenario_what_the_page_promises(client):
    query = f"role=rescue_land&within=15&county={VORU}&sites=3&turnout=4"
    promised = sum(float(row["gain"]) for row in rows_of(client, query))
    page = look(client, f"{PAGE}?{query}")
    (link,) = [link for link in page.links if "/gaps/whatif?plan=add:" in link]

    assert re.search(r"plan=(add:57\.\d+,2\d\.\d+,4;?){3}&", link)
    assert client.get(f"{link}&format=json").json["zones"][0]["gained"] == round(promised) > 1000


def test_cover_medians_and_centres_hold_when_every_way_is_asked_again(app):
    """From the travel times alone: who is reached by what is open and what is new."""
    for model, options in (("lscp", {}), ("p_median", {"p": 2}), ("p_center", {"p": 2})):
        known, problem, plan = asked_directly(app, model, **options)
        opened = problem.sites.only(np.isin(np.arange(len(problem.sites)), [*problem.fixed, *plan.sites]))
        reach = known.travels["rescue_land"].reach(opened, problem.demand, within_min=world.LONGEST_MIN)
        minutes, people = reach.kth_min(1), problem.demand.people
        there = np.setdiff1d(np.arange(len(people)), plan.unreachable)

        if model == "lscp":
            assert (minutes[there] <= 15 + 1e-9).all()
            assert len(plan.sites) == plan.objective
        elif model == "p_median":
            assert (minutes[there] * people[there]).sum() == pytest.approx(plan.objective)
        else:
            assert minutes[there].max() == pytest.approx(plan.objective)


def test_the_page_is_whole_and_its_plan_the_same_in_every_language(client):
    found = {}
    for language in ("et", "en", "ru"):
        asked = f"/{language}/gaps/siting?model=lscp&backup=2&county={VORU}"
        page = look(client, asked)
        assert (page.status, page.language, len(page.headings)) == (200, language, 1)
        assert page.inline == []
        assert any(
            link.startswith("/en/gaps/siting?") and "backup=2" in link and "model=lscp" in link
            for link in page.links
        )
        found[language] = [link.rpartition("/")[2] for link in page.links if "/places/" in link]

    assert found["et"] == found["en"] == found["ru"] != []


# --- Files


def test_the_map_is_valid_geojson_with_every_place_unit_and_site(app, client):
    known, problem, plan = asked_directly(app, "mclp", p=2)
    answer = client.get(f"{PAGE}?role=rescue_land&within=15&county={VORU}&sites=2&format=geojson")
    collection = json.loads(answer.data)
    of = {}
    for one in collection["features"]:
        of.setdefault(one["properties"]["state"], []).append(one["properties"])

    assert (answer.mimetype, collection["type"]) == ("application/geo+json", "FeatureCollection")
    shapes = [shapely.from_geojson(json.dumps(one["geometry"])) for one in collection["features"]]
    assert {shape.geom_type for shape in shapes} == {"Point"}
    west, south, east, north = shapely.total_bounds(shapes)
    assert 21 < west < east < 29
    assert 57 < south < north < 60.2
    assert len(of["covered"]) + len(of["uncovered"]) == len(problem.demand)
    assert len(of["unit"]) == len(known.units["rescue_land"])
    assert [one["title"].partition(". ")[0] for one in of["added"]] == ["1", "2"]
    assert sum(one["size"] for one in of["covered"]) == pytest.approx(plan.objective, abs=len(of["covered"]))


def test_a_place_named_like_a_formula_is_a_text_in_the_table(tiny):
    _, _, client = tiny
    rows = rows_of(client, "role=police&within=15&sites=1")

    assert [row["place"] for row in rows] == [f"'{FORMULA}"]
    assert FORMULA in look(client, f"{PAGE}?role=police&within=15&sites=1").text


# --- Proofs in the background


def post(client, data, **headers):
    return client.post(PAGE, data=data, headers=headers)


@pytest.mark.slow
def test_a_proof_is_followed_to_its_end_and_its_plan_is_the_best(app, client):
    _, _, best = asked_directly(app, "lscp", exact=True)
    query = {"model": "lscp", "county": VORU, "role": "rescue_land", "within": "15"}
    quick = rows_of(client, "&".join(f"{name}={value}" for name, value in query.items()))

    begun = post(client, query, Origin="http://localhost")
    address = begun.headers["Location"]
    assert begun.status_code == 303
    assert re.search(r"model=lscp&.*job=\d{13}-[0-9a-f]{16}&state=[0-9a-f]{12}$", address)
    html = follow(client, address)

    assert best.proven
    assert "No better plan exists; this is proven." in html
    assert f"{best.objective:.0f} new units cover everybody whom a unit can reach." in html
    assert "Prove it in the background" not in html
    assert 0 < len(best.sites) < len(quick)
    file = html.split('href="')
    link = next(one for one in file if "format=csv" in one).partition('"')[0].replace("&amp;", "&")
    rows = list(csv.DictReader(io.StringIO(client.get(link).text.removeprefix("\ufeff"))))
    assert len(rows) == len(best.sites)
    features = client.get(f"{address}&format=geojson").json["features"]
    assert sum(one["properties"]["state"] == "added" for one in features) == len(best.sites)
    assert client.get(f"{address}&part=1").text.count("<h1") == 0


@pytest.mark.slow
def test_a_proof_can_be_stopped_and_the_best_plan_stays(app, client):
    query = {"model": "p_median", "county": VORU, "sites": "3", "as_of": "2026-01-01"}
    address = client.post(f"{PAGE}?as_of=2026-01-01", data=query).headers["Location"]
    html = client.get(address).text
    name, fields = re.search(r'name="cancel" value="([^"]+)"', html)[1], form_of(html)

    assert "Looking for a proof …" in html
    stopped = client.post(address, data={**fields, "cancel": name})

    assert (stopped.status_code, stopped.headers["Location"]) == (303, address)
    html = follow(client, address)
    folder = app.config["JOBS"]
    assert jobs.status(folder, name).state == "cancelled"
    assert "Stopped. This is the best plan found until then." in html
    assert html.count('href="/en/places/') == 3
    assert "as_of=2026-01-01" in address


def form_of(html):
    """The hidden fields of the form that stops a job."""
    form = html.partition('<form method="post">')[2].partition("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def test_names_in_a_form_that_mean_something_elsewhere_mean_nothing(tiny):
    _, _, client = tiny
    query = {"role": "police", "within": "15", "sites": "1"}
    address = post(client, query).headers["Location"]
    name = re.search(r"job=([^&]+)", address)[1]

    for more in ({"endpoint": "x"}, {"language": "xx"}, {"_scheme": "x", "_external": "1"}):
        answer = post(client, {**query, **more, "cancel": name})
        assert (answer.status_code, answer.headers["Location"]) == (303, address)
    follow(client, address)


def test_a_proof_of_other_data_or_of_another_question_is_not_shown(tiny):
    folder, app, client = tiny
    address = post(client, {"role": "police", "within": "15", "sites": "1"}).headers["Location"]
    follow(client, address)

    other = address.replace("sites=1", "sites=2")
    assert client.get(address).status_code == 200
    assert (look(client, other).status, OTHER in look(client, other).text) == (400, True)
    make.replace(folder, "places.csv", "3400", "3500")
    imports.load(app.extensions["house"].engine, catalog.read_instance(folder), now=make.moment(site.TODAY))
    found = look(client, address)
    assert (found.status, OTHER in found.text) == (400, True)
    begun = address.replace("/siting?", "/siting?state=x&")
    assert look(client, begun).status == 400


def test_a_job_that_is_not_there_is_told(tiny):
    _, _, client = tiny
    query = {"role": "police", "within": "15", "sites": "1"}
    address = post(client, query).headers["Location"]
    follow(client, address)

    for name in ("1234567890123-0123456789abcdef", "x", "..", "../../store", "%00", "1" * 500):
        found = look(client, re.sub(r"job=[^&]+", f"job={name}", address))
        stopped = post(client, {**query, "cancel": name})
        assert (found.status, stopped.status_code) == (404, 404)
        assert "There is no calculation “" in found.text
        assert "it may have been cleared away. Start it again." in found.text


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("http://localhost:81", 403),
        ("null", 403),
        ("http://localhost", 303),
    ],
)
def test_another_site_may_not_start_work(tiny, origin, status):
    _, app, client = tiny
    answer = post(client, {"role": "police", "within": "15", "sites": "1"}, Origin=origin)
    folder = app.config["JOBS"]

    assert answer.status_code == status
    assert (folder.exists() and any(one.is_dir() for one in folder.iterdir())) == (status == 303)
    if status == 403:
        assert "This can only be started from a page of this site." in site.see(answer).text
    else:
        follow(client, answer.headers["Location"])


def test_work_without_an_answer_is_not_started(client):
    asked = {"role": "village", "within": "60", "county": VORU}
    answer = post(client, asked)

    assert answer.status_code == 400
    assert ALL_HERE in site.see(answer).text


# --- Questions without an answer


@pytest.mark.parametrize("model", plans.MODELS)
def test_where_everybody_is_covered_a_sentence_says_so(client, model):
    asked = f"role=village&within=60&county={VORU}&model={model}"
    text = look(client, f"{PAGE}?{asked}").text

    assert (ALL_HERE in text) == (model in ("mclp", "lscp"))
    assert ("Prove it in the background" in text or "this is proven" in text) != (ALL_HERE in text)
    features = client.get(f"{PAGE}?{asked}&format=geojson").json["features"]
    assert {one["properties"]["state"] for one in features} >= {"unit"}
    assert (rows_of(client, asked) == []) == (ALL_HERE in text)


def test_more_sites_than_there_are_places_are_refused_in_a_sentence(tiny):
    _, _, client = tiny
    found = look(client, f"{PAGE}?role=police&within=15&sites=50")

    assert found.status == 200
    assert (
        "50 new sites were asked for, but there are only 3 to choose from. Ask for at most 3." in found.text
    )


def test_a_mix_of_roles_has_no_single_site(client):
    found = look(client, f"{PAGE}?role=police and (village or watch)&county={VORU}")

    assert found.status == 200
    assert "A site is proposed for one role at a time" in found.text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("model=guess", "“model” must be one of mclp, lscp, p_median, p_center; “guess” is not."),
        ("sites=0", "“sites” must be a whole number from 1 to 50; “0” is not."),
        ("sites=-3", "“sites” must be a whole number from 1 to 50; “-3” is not."),
        ("sites=1000000", "“sites” must be a whole number from 1 to 50; “1000000” is not."),
        ("backup=4", "“backup” must be a whole number from 1 to 3; “4” is not."),
        ("turnout=61", "“turnout” must be a whole number from 1 to 60; “61” is not."),
        ("within=0", "“within” must be a whole number from 1 to 60; “0” is not."),
        ("role=knight", "“knight” is no role that an organisation plays here;"),
        ("county=1", "“county” must be one of 0037,"),
        ("format=pdf", "“format” must be one of csv, geojson; “pdf” is not."),
        ("job=x", OTHER),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client, asked, sentence):
    found = look(client, f"{PAGE}?{asked}&county={VORU}")

    assert found.status == 400
    assert sentence in found.text


def test_names_that_are_markup_stay_text(hostile):
    found = look(hostile, f"{PAGE}?role=villages&within=5")

    assert found.status == 200
    assert found.inline == []
    assert "img" not in found.tags
