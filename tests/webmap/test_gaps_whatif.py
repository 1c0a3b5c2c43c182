"""The page of scenarios: steps by form, figures as the layer counts them, and nothing in the real data."""

import csv
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.orm import Session

from layers.gaps import scenario
from layers.geo import Place
from tests import make
from tests.webmap import site
from tests.webmap.site import look
from webmap import db, params
from webmap.planning import tables, world

PAGE = "/en/gaps/whatif"
VORU = "0087"
USUAL = f"{PAGE}?role=rescue_land&within=15&zone=municipality"
# A unit comes near Tabina, Värska's goes to Obinitsa, Meremäe's closes, and so does the new one in Hiiumaa.
PLAN = (
    "add:57.8,27.3,5;move:varska-paastekomando-state@57.81,27.44;close:meremae-vabatahtlik-paastekomando;"
    "add:58.9,22.7,2;close:new-2"
)
EVE, DAY = "2012-05-15", "2012-05-16"


@pytest.fixture(scope="module")
def known(app):
    with app.test_request_context(PAGE):
        return world.world(params.today())


@pytest.fixture(scope="module")
def keys(known):
    """Names of units on land by key, so that a plan of this file can be seen to name real ones."""
    units = known.units["rescue_land"]
    return dict(zip(units.keys, units.names, strict=True))


def record(client, **asked):
    answer = client.get(PAGE, query_string={"format": "json", **asked})
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), answer.text
    return answer.json


def figures(client, **asked):
    """Zone → people, covered before and after, gained, lost."""
    columns = ("people", "covered_before", "covered_after", "gained", "lost")
    return {one["zone"]: [one[name] for name in columns] for one in record(client, **asked)["zones"]}


def by_the_layer(app, known, plan, *, role="rescue_land", within_min=15, zone="municipality", only=()):
    """The same, straight from the rooms below: people by zone, and land in all."""
    with app.test_request_context(PAGE):
        able = next(one.capabilities for one in world.roles() if one.key == role)
        srid = db.instance().metric_crs
    first = known.units[role]
    then = scenario.applied(first, scenario.parse(plan), srid=srid, abilities=able)

    def changes(demand):
        before, after = (
            scenario.covered(
                known.travels[role].reach(units, demand, within_min=within_min), within_min=within_min
            )
            for units in (first, then)
        )
        return scenario.changes(demand, before, after, kind=zone, only=only)

    people = {
        one.zone: [round(n) for n in (one.total, one.before, one.after, one.gained, one.lost)]
        for one in changes(known.people)
    }
    land = changes(known.land)[0]
    return people, [round(land.total), round(land.before), round(land.after)]


# --- Steps by form


@pytest.mark.parametrize(
    ("form", "plan"),
    [
        ({"do": "add", "place": "58.1, 27.05"}, "add:58.1,27.05,5"),
        ({"do": "add", "place": "58.1 27.05", "turnout": "12"}, "add:58.1,27.05,12"),
        ({"do": "add", "place": "Otepää linn"}, "add:58.0557,26.496,5"),
        ({"do": "add", "place": "  otepää   linn "}, "add:58.0557,26.496,5"),
        ({"do": "add", "place": "6474000, 659000"}, None),
        (
            {"do": "move", "unit": "varska-paastekomando-state", "place": "58,27.6"},
            "move:varska-paastekomando-state@58,27.6",
        ),
        ({"do": "close", "unit": "varska-paastekomando-state"}, "close:varska-paastekomando-state"),
        (
            {"do": "close", "unit": "varska-paastekomando-state", "place": "58,27"},
            "close:varska-paastekomando-state",
        ),
        ({"do": "close", "unit": "new-1", "plan": "add:58,27"}, "add:58,27,5;close:new-1"),
    ],
)
def test_a_step_leads_to_the_link_of_the_scenario(client, form, plan):
    answer = client.get(PAGE, query_string=form)

    assert answer.status_code == 303
    if plan:
        assert answer.headers["Location"] == f"{USUAL}&plan={plan}"
    else:  # The national grid: easting and northing, in degrees to five digits.
        assert re.fullmatch(
            re.escape(f"{USUAL}&plan=add:58.3") + r"\d{4},26\.\d{5},5", answer.headers["Location"]
        )
    assert client.get(answer.headers["Location"]).status_code == 200


def test_a_step_keeps_the_question_and_the_day(client):
    asked = {"role": "police", "within": "30", "zone": "county", "county": VORU, "against": "add:58,27"}
    answer = client.get(PAGE, query_string={**asked, "as_of": EVE, "do": "add", "place": "57.8,27"})

    assert answer.headers["Location"] == (
        f"{PAGE}?as_of={EVE}&role=police&within=30&zone=county&county={VORU}"
        "&plan=add:57.8,27,5&against=add:58,27,5"
    )


def test_a_name_that_several_places_bear_offers_a_step_for_each(client):
    found = site.see(client.get(f"{PAGE}?do=add&place=Aruküla&turnout=7&county={VORU}&as_of={EVE}"), PAGE)
    links = [link for link in found.links if "place=" in link and "do=add" in link]

    assert (found.status, found.headings) == (300, ["Which one?"])
    assert "8 places are called “Aruküla”." in found.text
    assert "Aruküla Märjamaa municipality, Rapla county" in found.text
    assert len(links) == 8
    plans = {client.get(link).headers["Location"] for link in links}
    assert len(plans) == 8
    for plan in plans:
        assert plan.startswith(f"{PAGE}?as_of={EVE}&")
        assert re.search(rf"county={VORU}&plan=add:5\d\.\d+,2\d\.\d+,7$", plan)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("do=add&place=Nowhere", "There is no place “Nowhere”. Write the name as on the map, or coordinates"),
        ("do=add&place=", "There is no place “”."),
        ("do=add", "There is no place “”."),
        ("do=add&place=95,27", "There is no place “95,27”."),
        ("do=move&unit=x", "There is no place “”."),
        ("do=move&place=58,27", "“move:@58,27” is no step of a scenario."),
        ("do=close", "“close:” is no step of a scenario."),
        ("do=close&unit=A b", "“close:A b” is no step of a scenario."),
        ("do=jump", "“do” must be one of add, move, close; “jump” is not."),
        ("do=add&place=58,27&turnout=-1", "“turnout” must be a whole number from 1 to 60; “-1” is not."),
        ("do=add&place=58,27&turnout=0", "“turnout” must be a whole number from 1 to 60; “0” is not."),
        ("do=add&place=58,27&turnout=99999999", "“turnout” must be a whole number from 1 to 60;"),
        ("plan=nonsense", "“nonsense” is no step of a scenario. Write add:58.12,27.05"),
        ("plan=add:58,27,-5", "“add:58,27,-5” is no step of a scenario."),
        ("plan=add:58,27,1e9", "“add:58,27,1e9” is no step of a scenario."),
        ("plan=add:nan,27", "“add:nan,27” is no step of a scenario."),
        ("plan=add:95,27", "“lat” must lie between -90 and 90; 95.0 does not."),
        ("plan=add:58,999", "“lon” must lie between -180 and 180; 999.0 does not."),
        ("plan=close:nobody", "The scenario names the unit “nobody”, which is not among those of this role"),
        ("plan=move:nobody@58,27", "The scenario names the unit “nobody”"),
        ("plan=close:new-1;add:58,27", "The scenario names the unit “new-1”"),
        ("plan=add:58,27&against=close:nobody", "The scenario names the unit “nobody”"),
        ("plan=add:58,27&against=nonsense", "“nonsense” is no step of a scenario."),
        ("plan=" + ";".join(["add:58,27"] * 51), "A scenario has at most 50 steps; this one has 51."),
        ("do=add&place=58,27&plan=" + ";".join(["add:58,27"] * 50), "at most 50 steps; this one has 51."),
        ("within=0", "“within” must be a whole number from 1 to 120; “0” is not."),
        ("within=-15", "“within” must be a whole number from 1 to 120; “-15” is not."),
        ("within=1e300", "“within” must be a whole number from 1 to 120; “1e300” is not."),
        ("role=knight", "“role” must be one of police,"),
        ("zone=village", "“zone” must be one of municipality, county; “village” is not."),
        ("county=9999", "“county” must be one of 0037, 0039,"),
        ("format=pdf", "“format” must be one of csv, json; “pdf” is not."),
        ("as_of=yesterday", "“as_of” is a date,"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(client, asked, sentence):
    found = look(client, f"{PAGE}?{asked}".replace(";", "%3B"))

    assert found.status == 400
    assert sentence in found.text


def test_fifty_steps_and_places_at_the_end_of_the_earth_are_counted(client, known):
    many = ";".join([f"add:58.{step:02},26" for step in range(50)])

    assert figures(client, plan=many)[""][2] > figures(client, plan="")[""][2]
    for far in ("add:0,0", "add:-58,-27", "add:89.9,179.9"):
        _, before, after, gained, lost = figures(client, plan=far)[""]
        assert (after, gained, lost) == (before, 0, 0)


# --- The figures


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"zone": "county"},
        {"county": VORU},
        {"within": "30", "county": VORU},
        {"role": "police", "within": "20", "zone": "county"},
    ],
)
def test_the_figures_are_those_of_the_layer(app, client, known, keys, asked):
    plan = PLAN if asked.get("role", "rescue_land") == "rescue_land" else "add:57.8,27.3,5"
    assert {"varska-paastekomando-state", "meremae-vabatahtlik-paastekomando"} <= set(keys)
    zone = asked.get("zone", "municipality")
    inside = known.people.within("county", VORU)
    codes = {known.people.zones[zone][row] for row in inside.nonzero()[0]} if "county" in asked else ()
    rest = {"zone": zone, "role": asked.get("role", "rescue_land"), "only": sorted(codes)}
    people, land = by_the_layer(app, known, plan, within_min=int(asked.get("within", 15)), **rest)

    found = record(client, plan=plan, **asked)

    assert figures(client, plan=plan, **asked) == people
    assert people[""][3] > 0
    if not codes:
        whole = found["zones"][0]
        names = ("land_km2", "land_covered_before_km2", "land_covered_after_km2")
        assert [whole[name] for name in names] == land
    zones = [one["zone"] for one in found["zones"]]
    assert zones[0] == ""
    size = {code: abs(row[2] - row[1]) for code, row in people.items()}
    assert [size[code] for code in zones[1:]] == sorted((size[code] for code in zones[1:]), reverse=True)


def test_the_page_says_the_figures_and_the_steps(client, keys):
    whole = figures(client, plan=PLAN)[""]
    text = look(client, f"{PAGE}?plan={PLAN}").text

    said = [f"{number:,}" for number in (whole[2], whole[1], whole[3], whole[4])]
    assert "Help in 15 minutes comes to {} people instead of {}: {} gain it and {} lose it.".format(
        *said
    ) in (text)
    assert "New unit near Tabina küla, leaves within 5 min" in text
    assert f"{keys['varska-paastekomando-state']} moves to near " in text
    assert f"{keys['meremae-vabatahtlik-paastekomando']} closes" in text
    assert "New unit 2 closes" in text
    assert whole[4] > 0
    assert "Nothing is changed yet" in look(client, PAGE).text


def test_the_link_gives_the_same_figures_again_in_its_shortest_and_its_longest_form(client):
    first = record(client, plan=PLAN)

    again = record(client, **first["asked"])
    spoken = record(client, plan=PLAN.replace(",5;", ",5.0 ; ").replace("57.8,", "57.80000,"))

    assert again == first == spoken
    assert first["asked"]["plan"] == PLAN
    assert first["asked"]["as_of"] == params.today().isoformat()
    assert dict(first["revisions"])["rescue"] > 0


def test_steps_can_be_taken_back_one_by_one(client):
    """Without the unit that came its later steps go too, and the other new units are still the same."""
    plan = "add:57.8,27.3,5;add:58.9,22.7,2;move:new-1@57.7,27;close:new-2"
    left = [
        "add:58.9,22.7,2;close:new-1",
        "add:57.8,27.3,5;move:new-1@57.7,27",
        "add:57.8,27.3,5;add:58.9,22.7,2;close:new-2",
        "add:57.8,27.3,5;add:58.9,22.7,2;move:new-1@57.7,27",
    ]
    html = client.get(f"{PAGE}?plan={plan}").text
    links = re.findall(r'<li>[^<]* <a href="([^"]*)">Take back', html)

    assert [link.partition("&amp;plan=")[2] for link in links] == left
    assert {client.get(link.replace("&amp;", "&")).status_code for link in links} == {200}


# --- Another scenario beside it


def test_another_scenario_stands_beside_this_one(client):
    rival = "add:57.9,27.0,5"
    html = client.get(f"{PAGE}?county={VORU}&plan={PLAN}&against={rival}").text
    other = figures(client, county=VORU, plan=rival)

    told = re.findall(
        r'(?:class="whole"|municipality/(\d+)\?*[^>]*>).*?'
        r'Covered in the other scenario">([\d,]*)</td>',
        html.partition("Every area")[2],
        re.DOTALL,
    )
    assert {code: int(count.replace(",", "")) for code, count in told} == {
        code: row[2] for code, row in other.items()
    }
    assert len(told) == 6
    assert "Covered in the other scenario" not in client.get(f"{PAGE}?plan={PLAN}").text


def test_this_scenario_can_be_kept_to_plan_another_beside_it(client):
    found = look(client, f"{PAGE}?plan={PLAN}&within=20")
    (link,) = [link for link in found.links if f"against={PLAN}" in link]

    assert "plan=&" in link
    assert "within=20" in link
    assert "Covered in the other scenario" in client.get(link).text


# --- Files, parts, languages, days


def test_the_table_holds_the_figures_of_the_page(client, known):
    answer = client.get(f"{PAGE}?format=csv&plan={PLAN}")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))

    assert answer.mimetype == "text/csv"
    assert 'filename="what-if.csv"' in answer.headers["Content-Disposition"]
    assert {**rows[0], "people": int(rows[0]["people"])} == {
        **{name: str(value) for name, value in record(client, plan=PLAN)["zones"][0].items()},
        "people": round(known.people.people.sum()),
    }
    assert len(rows) == len(record(client, plan=PLAN)["zones"]) == 80
    assert {row["zone"]: row["name"] for row in rows}["0917"] == "Võru municipality"


def test_no_cell_of_a_table_is_a_formula():
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a=1", -1, 2.5]
    answer = tables.csv([{"name": cell} for cell in cells], name="x")

    read = [
        row["name"]
        for row in csv.DictReader(
            io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"), newline="")
        )
    ]
    assert read == ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", "a=1", "-1", "2.5"]


def test_a_part_is_the_result_alone_with_the_units_that_can_be_changed_then(client, keys):
    asked = f"{PAGE}?plan=add:58,27;close:varska-paastekomando-state"
    whole, part = client.get(asked), client.get(f"{asked}&part=1")
    html, offered = part.text.split("<template data-offered>")

    seen = site.see(part)
    assert seen.tags.isdisjoint({"html", "head", "body", "main", "script", "form"})
    assert "".join(html.split()) in "".join(whole.text.split())
    options = re.findall(r'<option value="([^"]+)">', offered)
    assert set(options) == {*keys, "new-1"} - {"varska-paastekomando-state"}
    assert re.findall(r'<option value="([^"]+)">', whole.text)[-len(options) :] == options
    assert "data-offered" not in whole.text


def test_the_page_is_whole_and_its_figures_the_same_in_every_language(client):
    found = {}
    for language in ("et", "en", "ru"):
        page = look(client, f"/{language}/gaps/whatif?plan={PLAN}&county={VORU}")
        assert (page.status, page.language, len(page.headings)) == (200, language, 1)
        assert (page.inline, len(page.ids)) == ([], len(set(page.ids)))
        own = [link for link in page.links if link.startswith(f"/{language}/gaps/whatif?")]
        assert len(own) > 5
        others = {
            link.split("/")[1]
            for link in page.links
            if "/gaps/whatif?" in link
            and parse_qs(urlsplit(link).query) == {"plan": [PLAN], "county": [VORU]}
        }
        assert others == {"et", "en", "ru"}
        rows = client.get(f"/{language}/gaps/whatif?format=json&plan={PLAN}").json["zones"]
        found[language] = [{name: value for name, value in row.items() if name != "name"} for row in rows]

    assert found["et"] == found["en"] == found["ru"]


def test_the_day_is_asked_with_every_step_and_file(client):
    closing = "close:kanepi-paastekomando-state-closed"
    page = look(client, f"{PAGE}?as_of={EVE}&plan={closing}")
    own = [link for link in page.links if link.startswith(f"{PAGE}?")]
    after = look(client, f"{PAGE}?as_of={DAY}&plan={closing}")

    assert page.status == 200, page.text
    assert len(own) >= 4
    assert [link for link in own if f"as_of={EVE}" not in link and f"plan={closing}" in link] == [
        f"{PAGE}?plan={closing}"  # “Show today” alone leads to another day.
    ]
    assert record(client, as_of=EVE, plan=closing)["asked"]["as_of"] == EVE
    assert figures(client, as_of=EVE, plan=closing)[""][4] > 0
    assert (after.status, "names the unit “kanepi-paastekomando-state-closed”" in after.text) == (400, True)
    html = client.get(f"{PAGE}?as_of={EVE}").text
    assert html.count(f'name="as_of" value="{EVE}"') == 3


def test_the_map_shows_whom_the_change_reaches(client, known, keys):
    features = client.get(f"/en/gaps/whatif.geojson?plan={PLAN}").json["features"]
    by_state = {}
    for one in features:
        by_state.setdefault(one["properties"]["state"], []).append(one["properties"])

    whole = figures(client, plan=PLAN)[""]
    for state, expected in (("gained", whole[3]), ("lost", whole[4])):
        assert sum(one["size"] for one in by_state[state]) == pytest.approx(
            expected, abs=len(by_state[state]) / 2
        )
    assert {one["unit"] for one in by_state["added"]} == {"new-1"}
    assert {one["unit"] for one in by_state["moved"]} == {"varska-paastekomando-state"}
    assert {one["unit"] for one in by_state["closed"]} == {"meremae-vabatahtlik-paastekomando"}
    assert len(by_state["unit"]) == len(keys) - 2
    for one in features:
        lon, lat = one["geometry"]["coordinates"]
        assert Place(lon=lon, lat=lat)
        assert 21 < lon < 29
        assert 57 < lat < 60.2


# --- The real data


def test_nothing_of_a_scenario_is_ever_written(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state") as app:
        client, engine = app.test_client(use_cookies=False), app.extensions["house"].engine

        def held():
            with Session(engine) as session:
                return make.everything(session)

        before = held()
        plan = "add:58.75,25.75;move:west-station@58.5,25.5;close:west-station"
        for asked in ("", "&format=csv", "&format=json", "&part=1", "&against=add:58.5,25.5"):
            assert client.get(f"{PAGE}?role=police&plan={plan}{asked}").status_code == 200
        assert client.get(f"{PAGE}?do=close&unit=west-station&role=police").status_code == 303
        assert client.get(f"/en/gaps/whatif.geojson?role=police&plan={plan}").status_code == 200
        moved = client.get(f"{PAGE}?role=police&plan={plan}&format=json").json["zones"][0]

        assert moved["gained"] == 3400
        assert moved["lost"] == 120
        assert held() == before
        assert len(before["body"]) > 2
        assert client.post(PAGE, data={"do": "close"}).status_code == 405


def test_names_that_are_markup_stay_text(hostile):
    for asked in ("", "plan=close:evil-script;move:evil-image@58.5,24.5"):
        found = look(hostile, f"{PAGE}?role=villages&{asked}")

        assert found.status == 200
        assert found.inline == []
        assert "img" not in found.tags
        assert "<img src=x" in found.text
