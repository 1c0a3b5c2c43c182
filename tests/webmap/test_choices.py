"""What a visitor chooses: lists, map and counts say the same, links keep the question, none is mixed up."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from layers import filters, places, practices
from layers.filters import Filter
from tests.webmap.site import look
from webmap import choices, db, params

EVE, KNOWN = "2012-05-15", "2026-11-22T09:00:00Z"
WHEN = f"as_of={EVE}&known={KNOWN}"
TOO_EARLY = "2020-01-01T00:00:00Z"
LISTED = ("police", "villages", "watch", "rescue", "cases")


def address(key, asked):
    return f"/en/cases/?{asked}" if key == "cases" else f"/en/layers/{key}?{asked}"


def listed(client, key, asked):
    """Keys on a list page, and those of them that have a place there."""
    page = client.get(address(key, asked)).text
    if key == "cases":
        keys = re.findall(r'<a data-panel href="/en/cases/([\w-]+)[?"]', page)
        return keys, None
    rows = re.findall(r'<tr role="row">\s*<th role="rowheader".*?</tr>', page, re.S)
    found = [(re.search(r'href="/en/bodies/([\w-]+)', row)[1], "not on the map" in row) for row in rows]
    return [key for key, _ in found], [key for key, unplaced in found if not unplaced]


def mapped(client, key, asked):
    features = client.get(f"/api/layers/{key}.geojson?{asked}").json["features"]
    return [feature["properties"]["key"] for feature in features]


def counted(client, asked, path="legend"):
    """By layer: how many the panel of the map counts."""
    page = client.get(f"/en/{path}?{asked}").text
    return {
        key: int(count)
        for key, count in re.findall(r'class="count" href="/en/layers/([\w-]+)[^>]*>(\d+)<', page)
    }


def offered(client, path, asked=""):
    """Every value of every field of a filter form, with the count it promises."""
    page = client.get(f"/en/{path}?{asked}").text
    if ticks := re.findall(
        r'<input type="checkbox" name="(\w+)" value="([\w-]+)"[^>]*> <span>.*?</span> <span[^>]*>\((\d+)\)',
        page,
    ):
        return [(name, value, int(count)) for name, value, count in ticks]
    fields = re.findall(r'<select name="(\w+)">(.*?)</select>', page, re.S)
    return [
        (name, value, int(count))
        for name, options in fields
        for value, count in re.findall(r'<option value="([\w-]+)"[^>]*>[^<]*\((\d+)\)</option>', options)
    ]


def placed_cases(app):
    with app.test_request_context("/"):
        return {c.key for c in practices.cases(db.session(), as_of=params.today()) if c.place}


# --- Lists, map and counts


def test_for_every_value_offered_list_map_and_counts_agree(app, client):
    with_place = placed_cases(app)
    every = offered(client, "legend")
    # What is asked of cases alone, test_browse.py holds against their list and map.
    values = [one for one in every if one[0] not in filters.OF_CASES or one[0] in ("theme", "outcome")]
    wrong = {}

    for name, value, promised in values:
        asked = f"{name}={value}"
        counts, total = counted(client, asked), 0
        for key in LISTED:
            keys, placed = listed(client, key, asked)
            placed = [one for one in keys if one in with_place] if placed is None else placed
            if sorted(mapped(client, key, asked)) != sorted(placed) or counts[key] != len(keys):
                wrong[asked, key] = (len(keys), len(placed), counts[key])
            is_asked = key == "cases" if name in filters.OF_CASES else key != "cases"
            total += len(keys) if is_asked or name not in (*filters.OF_CASES, *filters.OF_BODIES) else 0
        if total != promised:
            wrong[asked] = (promised, total)

    assert {name for name, _, _ in every} == {
        "county", "municipality", "capability", "readiness", "theme", "party", "outcome", "stage",
        "place_kind", "practice", "freshness",
    }  # fmt: skip
    assert len(values) > 90
    assert wrong == {}


@pytest.mark.parametrize("path", ["layers/rescue", "layers/villages", "cases/"])
@pytest.mark.parametrize("asked", ["", "county=0037", "freshness=old", f"as_of={EVE}"])
def test_a_form_beside_a_list_promises_what_choosing_shows(client, path, asked):
    key = path.strip("/").rpartition("/")[2]
    values = offered(client, path, asked)
    rest = {name: value for name, (value, *_) in parse_qs(asked).items()}

    shown = [
        (
            name,
            value,
            len(listed(client, key, "&".join(f"{n}={v}" for n, v in {**rest, name: value}.items()))[0]),
        )
        for name, value, _ in values
    ]

    assert len(values) > 3
    assert shown == values


@pytest.mark.parametrize(
    "asked",
    [
        "county=0037&capability=land",
        "readiness=round_the_clock&freshness=old",
        "municipality=0198&theme=watch",
        f"county=0050&as_of={EVE}",
        f"freshness=undated&known={KNOWN}",
    ],
)
def test_two_choices_at_once_agree_too(app, client, asked):
    name, _, value = asked.partition("&")[0].partition("=")
    assert value in {code for of, code, _ in offered(client, "legend") if of == name}
    with_place = placed_cases(app)
    for key in LISTED:
        keys, placed = listed(client, key, asked)
        placed = [one for one in keys if one in with_place] if placed is None else placed
        assert sorted(mapped(client, key, asked)) == sorted(placed)
        assert counted(client, asked)[key] == counted(client, asked, "")[key] == len(keys)


def test_a_combination_that_shows_nothing_says_so_everywhere(client):
    asked = "county=0037&municipality=0184"

    assert counted(client, "municipality=0184")["rescue"] > 0
    assert {key: counted(client, asked)[key] for key in LISTED} == dict.fromkeys(LISTED, 0)
    for key in LISTED:
        assert mapped(client, key, asked) == []
        assert "Nothing fits this choice and day." in look(client, address(key, asked)).text
    assert look(client, f"/en/coverage?{asked}").status == 200
    assert 'value="0184" selected' in client.get(f"/en/layers/rescue?{asked}").text


def test_an_earlier_moment_than_every_import_shows_nothing(client):
    asked = f"known={TOO_EARLY}"

    assert set(counted(client, asked).values()) == {0}
    assert mapped(client, "rescue", asked) == []
    assert set(counted(client, f"known={KNOWN}").values()) > {0} or min(counted(client, "").values()) > 0


# --- Shading


def shades(client, asked):
    """How many areas the table of coverage tells of, by "n of m"."""
    page = look(client, f"/en/coverage?{asked}")
    return [int(n) for n in re.findall(r" (\d) of 4 ", page.text.partition("Inhabitants")[2])]


@pytest.mark.parametrize("kind", ["municipality", "county"])
@pytest.mark.parametrize("asked", ["", "&capability=land", "&county=0037", f"&as_of={EVE}"])
def test_table_legend_and_colours_of_a_shading_agree(client, kind, asked):
    features = client.get(f"/api/coverage.geojson?shade={kind}{asked}").json["features"]
    colours = [feature["properties"]["colour"] for feature in features]
    legend = client.get(f"/en/legend?shade={kind}{asked}").text.partition('id="layers"')[0]
    classes = re.findall(r'fill="(#\w+)".*?<span class="quiet">\((\d+)\)', legend, re.S)
    rows = shades(client, f"shade={kind}{asked}")

    assert len(classes) == 5
    assert [(colour, str(colours.count(colour))) for colour, _ in classes] == classes
    assert [str(rows.count(roles)) for roles in range(5)] == [count for _, count in classes]
    assert rows == sorted(rows)
    assert colours


def test_a_figure_does_not_say_what_those_that_it_counts_can_do(client):
    assert "counted, not named" in look(client, "/en/coverage?shade=county").text
    assert "counted, not named" not in look(client, "/en/coverage?shade=county&capability=land").text


def test_of_a_chosen_municipality_the_county_that_it_lies_in_is_shaded(client):
    def areas(asked):
        text = client.get(f"/en/coverage?{asked}").text
        return re.findall(r'rowheader" scope="row"><a data-panel href="/en/areas/(\w+/\w+)', text)

    assert len(areas("shade=county")) == 15
    assert areas("shade=county&municipality=0198") == ["county/0037"]
    assert areas("shade=municipality&municipality=0198") == ["municipality/0198"]
    assert set(areas("shade=municipality&county=0037")) > {"municipality/0198"}
    assert areas("shade=county&county=0037&municipality=0184") == []


# --- What is no value


BAD = {
    "county=9999": "“county” must be one of",
    "municipality=x": "“municipality” must be one of",
    "capability=flying": "“capability” must be one of",
    "readiness=x": "“readiness” must be one of",
    "theme=x": "“theme” must be one of",
    "outcome=x": "“outcome” must be one of",
    "freshness=x": "“freshness” must be one of",
    "as_of=2018-13": "“as_of” is a date",
    "known=yesterday": "“known” is a moment in UTC",
    "known=2026-11-22": "“known” is a moment in UTC",
}


@pytest.mark.parametrize("asked", BAD)
@pytest.mark.parametrize("path", ["", "legend", "layers/", "layers/rescue", "cases/", "coverage"])
def test_a_value_that_is_none_is_told_in_a_sentence_on_every_page(client, path, asked):
    found = look(client, f"/en/{path}?{asked}")

    assert found.status == 400
    assert BAD[asked] in found.text
    assert f"“{asked.partition('=')[2]}” is not." in found.text


@pytest.mark.parametrize("asked", [*BAD, "step=x", "lang=xx"])
@pytest.mark.parametrize("path", ["layers/rescue.geojson?", "coverage.geojson?shade=county&"])
def test_a_value_that_is_none_is_a_problem_to_a_program(client, path, asked):
    answer = client.get(f"/api/{path}{asked}&lang=en" if "lang" not in asked else f"/api/{path}{asked}")

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert set(answer.json) == {"type", "title", "status", "detail"}
    assert f"{asked.partition('=')[2]}” " in answer.json["detail"].replace("“ ", "” ")


@pytest.mark.parametrize(
    ("asked", "said"), [("", "“shade” is missing."), ("shade=x", "“shade” must be one of")]
)
def test_a_shading_that_is_none_is_a_problem(client, asked, said):
    answer = client.get(f"/api/coverage.geojson?{asked}&lang=en")

    assert answer.status_code == 400
    assert said in answer.json["detail"]


@pytest.mark.parametrize("path", ["coverage", "legend", ""])
def test_an_unknown_shading_is_told_on_the_page(client, path):
    found = look(client, f"/en/{path}?shade=x")

    assert (found.status, "“shade” must be one of" in found.text) == (400, True)


# --- Links keep the question

PAGES = (
    "", "layers/", "layers/rescue", "layers/counties", "cases/", "coverage", "practices/", "data",
    "bodies/palamuse-pritsumehed", "areas/county/0037", "areas/municipality/0141", "cases/turi-lembitu",
    "practices/neighbourhood-watch-sector", "here?lat=58.5&lon=25", "search?q=rouge", "bodies/nobody",
)  # fmt: skip


def links_of(client, path, asked):
    """(address, text) of every link to a page of ours."""
    page = client.get(f"/en/{path}{'&' if '?' in path else '?'}{asked}").text
    found = re.findall(r'<a\b[^>]*?href="([^"]+)"[^>]*>(.*?)</a>', page, re.S)
    return [(unescape(link), re.sub("<[^>]+>", "", text).strip()) for link, text in found if link[0] in "/?"]


def days(link):
    query = parse_qs(urlsplit(link).query)
    return {name: query[name][0] for name in ("as_of", "known") if name in query}


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_carries_the_day_and_the_moment(client, path):
    links = links_of(client, path, WHEN)
    leave = {"Show today", "Clear"}

    def is_of_no_day(link):
        """Feeds, address cards, what is kept on the device and what can be edited are of now."""
        return re.search(r"\.(atom|vcf)$|/offline$|/edit/", link.partition("?")[0])

    assert len(links) > 8
    assert [
        link
        for link, text in links
        if text not in leave and not is_of_no_day(link) and days(link) != {"as_of": EVE, "known": KNOWN}
    ] == []
    assert [link for link, text in links if text in leave and days(link)] == []


@pytest.mark.parametrize("path", PAGES)
def test_every_form_of_a_page_carries_the_day_and_the_moment(client, path):
    page = client.get(f"/en/{path}{'&' if '?' in path else '?'}{WHEN}").text
    forms = re.findall(r"<form\b.*?</form>", page, re.S)

    lacking = [
        form[:80]
        for form in forms
        for name, value in (("as_of", EVE), ("known", KNOWN))
        if not re.search(rf'name="{name}" value="{value}"', form)
    ]

    assert lacking == []


def test_show_today_drops_the_day_and_keeps_the_choice(client):
    links = {text: link for link, text in links_of(client, "layers/rescue", f"county=0037&{WHEN}")}

    assert links["Show today"] == "/en/layers/rescue?county=0037"
    assert links["Clear"] == "/en/layers/rescue"


@pytest.mark.parametrize("path", ["layers/", "layers/rescue", "cases/", "coverage", ""])
def test_the_other_language_keeps_the_question(client, path):
    asked = f"county=0037&freshness=old&shade=county&{WHEN}"
    found = [link for link, text in links_of(client, path, asked) if text == "et"]

    assert [parse_qs(urlsplit(link).query) for link in found] == [parse_qs(asked)]
    assert [urlsplit(link).path for link in found] == [f"/et/{path}"]


def test_the_layer_of_cases_leads_to_their_list_with_the_whole_question(client):
    answer = client.get(f"/en/layers/cases?theme=watch&{WHEN}")

    assert urlsplit(answer.location).path == "/en/cases/"
    assert parse_qs(urlsplit(answer.location).query) == parse_qs(f"theme=watch&{WHEN}")


def test_coordinates_that_are_looked_for_keep_the_day(client):
    answer = client.get(f"/en/search?q=58.5, 25&{WHEN}")

    assert days(answer.location) == {"as_of": EVE, "known": KNOWN}
    assert urlsplit(answer.location).path == "/en/here"


# --- What has been kept is kept for one question


QUESTIONS = (
    ("county=0037", "county=0039"),
    ("freshness=old", "freshness=new"),
    (f"as_of={EVE}", "as_of=2012-05-17"),
    ("known=2026-11-22T07:00:00Z", f"known={KNOWN}"),  # One day, before and after the import.
    (f"known={TOO_EARLY}", ""),
    ("lang=en", "lang=et"),
)


@pytest.mark.parametrize("two", QUESTIONS)
@pytest.mark.parametrize("path", ["/api/layers/rescue.geojson?", "/api/coverage.geojson?shade=county&"])
def test_answers_of_two_questions_are_never_mixed(client, path, two):
    first, second = (f"{path}{asked}" for asked in two)
    said = [client.get(url).data for url in (first, second, first, second)]

    assert said[0] == said[2]
    assert said[1] == said[3]
    # Colours name no language, and so few units closed in 2012 that no county went without.
    if "layers" in path or not two[0].startswith(("lang", "as_of")):
        assert said[0] != said[1]


@pytest.mark.parametrize("two", QUESTIONS[:5])
@pytest.mark.parametrize("path", ["legend", "layers/", "layers/rescue", "coverage"])
def test_pages_of_two_questions_are_never_mixed(client, path, two):
    first, second = (f"/en/{path}?{asked}" for asked in two)
    said = [client.get(url).text for url in (first, second, first, second)]

    assert said[0] == said[2] != said[1] == said[3]


def test_a_question_is_answered_as_without_what_was_kept(app, client):
    client.get("/en/legend?county=0039")
    with app.test_request_context("/"):
        bodies = places.bodies(db.session(), as_of=params.today())
        wanted = filters.bodies(bodies, Filter(county=("0037",)), today=params.today())

    kept = counted(client, "county=0037")

    assert {key: kept[key] for key in LISTED[:4]} == {
        key: sum(body.layer == key for body in wanted) for key in LISTED[:4]
    }


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (f"as_of={EVE}", "max-age"),  # What has expired looks otherwise from the next day on.
        (f"as_of={EVE}&known={KNOWN}", "immutable"),
        (f"as_of={EVE}&county=0037&known={KNOWN}", "immutable"),
        (f"as_of={EVE}&freshness=old", "max-age"),
        (f"as_of={EVE}&freshness=old&known={KNOWN}", "immutable"),
        ("freshness=old", "max-age"),
    ],
)
def test_an_answer_is_kept_for_ever_only_when_no_part_of_it_changes_with_today(client, asked, kept):
    said = client.get(f"/api/layers/rescue.geojson?v=1&{asked}").headers["Cache-Control"]

    assert ("immutable" in said) is (kept == "immutable")
    assert "max-age" in said


def test_a_value_without_rows_is_offered_only_while_it_is_chosen(app):
    with app.test_request_context("/en/layers/watch?capability=sea"):
        watch = places.bodies(db.session(), as_of=params.today(), layer="watch")
        only = choices.chosen(params.arguments())
        forms = [
            choices.form(one, filters.facets(watch, (), one, today=params.today()))
            for one in (only, Filter())
        ]

    values = [
        [o.value for field in form if field.name == "capability" for o in field.options] for form in forms
    ]
    assert ["sea" in found for found in values] == [True, False]
