"""Every page a person reads: in each language, whole, reachable, and in agreement with the others."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from layers import places, practices
from layers.places import Source
from tests.webmap import site
from tests.webmap.site import look
from webmap import db, params

ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "map": "",
    "lists": "layers/",
    "bodies": "layers/rescue",
    "areas": "layers/counties",
    "body": "bodies/palamuse-pritsumehed",
    "county": "areas/county/0037",
    "municipality": "areas/municipality/0141",
    "here": "here?lat=58.5&lon=25",
    "abroad": "here?lat=57.6&lon=22",
    "cases": "cases/",
    "case": "cases/turi-lembitu",
    "practices": "practices/",
    "practice": "practices/neighbourhood-watch-sector",
    "data": "data",
    "journal": "journal/",
    "entry": "journal/2015-12-28-study-begins",
    "trainings": "trainings/",
    "slides": "practices/neighbourhood-watch-sector/slides",
    "about": "about",
    "network": "network",
    "cover": "gaps/",
    "missing": "gaps/missing",
    "seams": "gaps/seams",
    "never met": "gaps/bridges",
    "what if": "gaps/whatif",
    "where next": "gaps/siting",
    "report": "gaps/report",
}
PARTS = ("body", "county", "here", "case", "practice")
EVE, DAY = "2012-05-15", "2012-05-16"


def rows_of(layer, as_of=None):
    """The rows of a layer as the store tells them, inside a request."""
    as_of = as_of or params.today()
    if layer.of == "areas":
        return places.areas(db.session(), layer.kind, as_of=as_of)
    if layer.of == "cases":
        return practices.cases(db.session(), as_of=as_of)
    return places.bodies(db.session(), layer=layer.key, as_of=as_of)


# --- Each page


@pytest.mark.parametrize("language", ["et", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_whole_in_each_language(client, kind, language):
    found = look(client, f"/{language}/{KINDS[kind]}")

    assert (found.status, found.language) == (200, language)
    assert len(found.headings) == 1
    assert found.headings[0]
    assert re.fullmatch(r".+ · Turvakaart", found.title)
    assert len(found.ids) == len(set(found.ids))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_offers_itself_in_the_other_language(client, kind):
    found = look(client, f"/et/{KINDS[kind]}")

    assert f"/en/{KINDS[kind]}" in found.links


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_is_the_inside_of_its_page(client, kind):
    address = f"/et/{KINDS[kind]}"
    whole = look(client, address)
    part = look(client, f"{address}{'&' if '?' in address else '?'}part=1")

    assert part.status == 200
    assert part.tags.isdisjoint({"html", "head", "body", "header", "footer", "main", "script"})
    assert part.headings == whole.headings
    assert part.text in whole.text


def test_the_layer_of_cases_is_the_list_of_cases(client):
    assert client.get("/en/layers/cases").headers["Location"] == "/en/cases/"


# --- The language


@pytest.mark.parametrize(
    ("accepts", "cookie", "expected"),
    [
        ("", "", "et"),
        ("en", "", "en"),
        ("en-GB,en;q=0.9,et;q=0.1", "", "en"),
        ("fi,sv;q=0.5", "", "et"),
        ("et", "en", "en"),
        ("en", "et", "et"),
        ("en", "xx", "en"),
        ("*;q=0.1, nonsense;;q=x", "", "et"),
    ],
)
def test_the_start_takes_the_remembered_language_then_the_wanted_one(client, accepts, cookie, expected):
    headers = {"Accept-Language": accepts, "Cookie": f"language={cookie}"} if cookie else {}
    answer = client.get("/", headers={**headers, "Accept-Language": accepts})

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/{expected}/")
    assert {"Accept-Language", "Cookie"} <= set(answer.vary)


def test_the_language_that_was_read_is_remembered(app):
    visitor = app.test_client()
    wants = {"Accept-Language": "et"}
    before = visitor.get("/", headers=wants).headers["Location"]

    visitor.get("/en/data")

    assert [before, visitor.get("/", headers=wants).headers["Location"]] == ["/et/", "/en/"]


def test_a_page_that_is_not_there_is_not_remembered(client):
    assert "Set-Cookie" not in client.get("/en/bodies/nobody").headers


@pytest.mark.parametrize(("accepts", "language"), [("et", "et"), ("en", "en")])
def test_an_unknown_language_is_a_page_that_is_not_there(client, accepts, language):
    found = site.see(client.get("/xx/", headers={"Accept-Language": accepts}))

    assert (found.status, found.language) == (404, language)
    assert f"/{language}/" in found.links


# --- Time


def closed(page):
    return sum(link.partition("?")[0].endswith("-state-closed") for link in page.links)


def test_nine_state_units_end_on_the_day_that_they_closed(client):
    eve, day, today = (
        look(client, f"/et/layers/rescue{asked}") for asked in (f"?as_of={EVE}", f"?as_of={DAY}", "")
    )

    assert [closed(page) for page in (eve, day, today)] == [9, 0, 0]


def test_a_list_of_another_day_says_so_and_leads_back_to_today(client):
    asked, today = look(client, f"/en/layers/rescue?as_of={EVE}"), look(client, "/en/layers/rescue")
    notice = "This is how it was on 15 May 2012"

    assert (notice in asked.text, notice in today.text) == (True, False)
    assert "/en/layers/rescue" in asked.links


def test_the_map_of_another_day_asks_for_the_data_of_that_day(client):
    page = client.get(f"/et/?as_of={EVE}").text
    script = client.get(re.search(r'src="(/et/map-[^"]+)"', page)[1].replace("&amp;", "&")).text

    assert f"as_of={EVE}" in script
    assert "as_of=" not in client.get(re.search(r'src="(/et/map-[^"]+)"', client.get("/et/").text)[1]).text


def test_a_body_that_ended_keeps_its_page(client):
    found = look(client, "/en/bodies/palamuse-paastekomando-state-closed")

    assert found.status == 200
    assert "16 May 2012" in found.text


# --- All pages together


def in_language(pages, language):
    return {url: page for url, page in pages.items() if url.startswith(f"/{language}/")}


@pytest.mark.slow
def test_every_link_inside_leads_to_a_page(pages, client):
    linked = {link for page in pages.values() for link in site.inside(page)}
    twins = {f"/{code}{url[3:]}" for url in pages if "/here?" in url for code in ("et", "en")}
    beyond = linked - set(pages) - twins

    broken = {url: page.status for url, page in pages.items() if page.status not in (200, 302)}
    broken |= {url: status for url in beyond if (status := client.get(url, buffered=True).status_code) != 200}

    assert len(pages) > 600
    assert broken == {}


@pytest.mark.slow
def test_every_page_has_one_heading_a_title_and_its_language(pages):
    def faults(page):
        return (page.language != page.url[1:3], len(page.headings) != 1, " · " not in page.title)

    # Files to take along are no pages.
    read = {url: page for url, page in pages.items() if "text/html" in page.headers["Content-Type"]}
    wrong = {url: faults(page) for url, page in read.items() if page.status == 200 and any(faults(page))}

    assert len(read) > 500
    assert wrong == {}


def pieces(text):
    """The words of a sentence between its gaps that are long enough to be told from other words."""
    return [piece.strip() for piece in re.split(r"%\(\w+\)\w|\{\w+\}", text) if len(piece.strip()) > 12]


def sentences():
    """(English, Estonian) of all that the interface says, without what is the same in both."""
    with (ROOT / "webmap/translations/et/LC_MESSAGES/messages.po").open("rb") as file:
        found = [message for message in read_po(file, locale="et") if message.id]
    many = [
        (message.id, message.string) if isinstance(message.id, tuple) else ((message.id,), (message.string,))
        for message in found
    ]
    return [pair for ids, strings in many for pair in zip(ids, strings, strict=True) if pair[0] != pair[1]]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "stranger"), [("et", 0), ("en", 1)])
def test_no_page_mixes_in_the_other_language(pages, language, stranger):
    foreign = {piece for pair in sentences() for piece in pieces(pair[stranger])}
    own = {piece for pair in sentences() for piece in pieces(pair[1 - stranger])}
    # The form for a new case has a section in each language, and says so.
    read = {url: page for url, page in in_language(pages, language).items() if "/cases/new" not in url}
    spoken = {url: f" {page.text} " for url, page in read.items()}
    heard = {piece for piece in own if any(piece in text for text in spoken.values())}
    marks = {piece: re.compile(rf"(?<!\w){re.escape(piece)}(?!\w)") for piece in foreign - own}

    mixed = {
        (piece, url)
        for piece, mark in marks.items()
        for url, text in spoken.items()
        if piece in text and mark.search(text)
    }

    assert len(heard) > 40
    assert sorted(mixed)[:10] == []


# --- Lists, map and store say the same


@pytest.mark.parametrize("language", ["et", "en"])
def test_a_list_has_every_row_of_its_layer_and_marks_what_is_not_on_the_map(app, client, estonia, language):
    with app.test_request_context("/"):
        rows = {layer.key: rows_of(layer) for layer in estonia.layers_of("bodies")}
    unplaced = {"et": "kaardil ei ole", "en": "not on the map"}[language]

    listed = {key: look(client, f"/{language}/layers/{key}") for key in rows}

    assert {
        key: (
            sorted(link for link in page.links if "/bodies/" in link),
            page.text.count(unplaced),
        )
        for key, page in listed.items()
    } == {
        key: (
            sorted(f"/{language}/bodies/{body.key}" for body in bodies),
            sum(body.place is None for body in bodies),
        )
        for key, bodies in rows.items()
    }
    assert sum(page.text.count(unplaced) for page in listed.values()) > 0


def test_the_lists_of_areas_and_cases_are_whole(app, client, estonia):
    with app.test_request_context("/"):
        cases = {f"/et/cases/{case.key}" for case in practices.cases(db.session(), as_of=params.today())}
        areas = {
            layer.key: {f"/et/areas/{a.kind}/{a.code}" for a in rows_of(layer)}
            for layer in estonia.layers_of("areas")
        }

    assert cases <= set(look(client, "/et/cases/").links)
    for key, wanted in areas.items():
        assert wanted
        assert wanted <= set(look(client, f"/et/layers/{key}").links)


@pytest.mark.parametrize("asked", ["", f"?as_of={EVE}"])
def test_the_counts_of_the_map_are_those_of_the_lists(app, client, estonia, asked):
    page = client.get(f"/et/{asked}").text
    counts = dict(re.findall(r'class="count" href="/et/layers/([\w-]+)(?:\?[^"]*)?" [^>]*>(\d+)<', page))
    with app.test_request_context(f"/{asked}"):
        as_of = params.as_of(params.arguments())
        rows = {layer.key: len(rows_of(layer, as_of)) for layer in estonia.layers}

    assert {key: int(count) for key, count in counts.items()} == rows


def test_the_lists_of_the_map_of_another_day_are_of_that_day(client):
    found = look(client, f"/et/?as_of={EVE}")

    assert f"/et/layers/rescue?as_of={EVE}" in found.links


def test_from_a_case_to_its_practice_and_back_and_to_the_map_is_one_step_each(app, client):
    with app.test_request_context("/"):
        cases = practices.cases(db.session(), as_of=params.today())
    steps, there = {}, {}

    for case in cases:
        links = look(client, f"/et/cases/{case.key}").links
        practice = f"/et/practices/{case.practices[0].practice}"
        back = there.setdefault(practice, look(client, practice).links if practice not in there else [])
        on_map = any(
            link.startswith("/et/#at=") and link.endswith(f"open=cases/{case.key}") for link in links
        )
        steps[case.key] = (practice in links, f"/et/cases/{case.key}" in back, on_map)

    assert steps == {case.key: (True, True, case.place is not None) for case in cases}
    assert sum(case.place is not None for case in cases) > 30


def test_every_fact_of_a_body_stands_on_its_page(app, client):
    with app.test_request_context("/"):
        body = places.body(db.session(), "palamuse-pritsumehed", as_of=params.today())
    found = look(client, f"/et/bodies/{body.key}")

    assert isinstance(body.source, Source)
    assert body.source.url in found.links
    for fact in (body.name, body.notes["et"], body.source.title, "2013", "ööpäev läbi", "päästetöö maal"):
        assert fact in found.text


# --- Filters


@pytest.mark.parametrize(("name", "page"), [("theme", "cases"), ("outcome", "cases"), ("party", "practices")])
def test_a_filter_shows_as_many_as_it_promises(client, name, page):
    text = client.get(f"/en/{page}/").text
    field = rf'name="{name}" value="(\w+)"[^>]*> <span>[^<]*</span> <span class="quiet">\((\d+)\)'
    promised = {code: int(count) for code, count in re.findall(field, text)}

    shown = {
        code: sum(
            bool(re.fullmatch(rf"/en/{page}/(?!(compare|new)$)[\w-]+", link))
            for link in set(look(client, url).links)
        )
        for code in promised
        for url in [f"/en/{page}/?{name}={code}"]
    }

    assert len(promised) > 2
    assert shown == promised
