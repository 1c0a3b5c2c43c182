"""Cases and practices to choose from: every count is what choosing shows, in the list and on the map."""

import re
from html import unescape
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests import make
from tests.webmap import site

TICK = re.compile(
    r'<input type="checkbox" name="(\w+)" value="([\w-]+)"[^>]*> <span>.*?</span> <span[^>]*>\((\d+)\)'
)
OF_CASES = {
    "theme", "party", "outcome", "stage", "place_kind", "county", "municipality", "practice", "freshness"
}  # fmt: skip
OF_PRACTICES = OF_CASES - {"practice", "freshness"}


def offered(client, path):
    return [(name, value, int(count)) for name, value, count in TICK.findall(client.get(path).text)]


def cases(client, asked):
    found = re.findall(r'<a data-panel href="/en/cases/([\w-]+)[?"]', client.get(f"/en/cases/?{asked}").text)
    assert len(found) == len(set(found))
    return set(found)


def practices(client, asked):
    page = client.get(f"/en/practices/?{asked}").text
    return set(re.findall(r'<h3><a href="/en/practices/([\w-]+)[?"]', page))


def on_map(client, asked):
    answer = client.get(f"/api/layers/cases.geojson?{asked}&lang=en")
    assert answer.status_code == 200
    return {one["properties"]["key"] for one in answer.json["features"]}


@pytest.mark.parametrize(
    "base", ["", "theme=watch,rescue", "place_kind=island&outcome=lasted,unclear", "text=leping"]
)
def test_for_every_value_list_map_and_count_agree(client, base):
    values = offered(client, f"/en/cases/?{base}")
    rest = dict(parse_qsl(base))
    wrong = {}
    for name, value, count in values:
        asked = "&".join(f"{n}={v}" for n, v in {**rest, name: value}.items())
        listed, mapped = cases(client, asked), on_map(client, asked)
        if listed != mapped or len(listed) != count:
            wrong[name, value] = (count, len(listed), len(mapped))

    assert {name for name, _, _ in values} == OF_CASES
    assert sum(count > 0 for _, _, count in values) > 20
    assert wrong == {}


@pytest.mark.parametrize("base", ["", "place_kind=coast", "county=0037&party=municipality", "text=valve"])
def test_for_every_value_the_list_of_practices_is_as_long_as_its_count(client, base):
    values, rest = offered(client, f"/en/practices/?{base}"), dict(parse_qsl(base))
    shown = [
        (name, value, len(practices(client, "&".join(f"{n}={v}" for n, v in {**rest, name: value}.items()))))
        for name, value, _ in values
    ]

    assert {name for name, _, _ in values} == OF_PRACTICES
    assert shown == values


def test_of_several_values_one_is_enough_and_of_several_parts_all_are_needed(client):
    watch, patrol = cases(client, "theme=watch"), cases(client, "theme=patrol")
    either = cases(client, "theme=watch&theme=patrol")

    assert watch
    assert patrol
    assert either == watch | patrol
    assert either == cases(client, "theme=patrol,watch")
    assert cases(client, "theme=watch,patrol&place_kind=border") == either & cases(
        client, "place_kind=border"
    )


def test_the_links_of_a_list_lead_to_the_same_choice_on_the_map_and_in_other_languages(client):
    page = client.get("/en/cases/?theme=watch&theme=patrol&text=leping").text
    link = unescape(re.search(r'href="/en/#([^"]+)">Show these on the map', page)[1])

    assert dict(parse_qsl(link)) == {"show": "cases", "theme": "watch,patrol", "text": "leping"}
    asked = link.partition("&")[2]
    assert (
        on_map(client, asked)
        == cases(client, asked)
        == cases(client, "theme=watch&theme=patrol&text=leping")
        != set()
    )
    there = unescape(re.search(r'href="(/et/cases/[^"]+)" lang="et"', page)[1])
    assert parse_qs(urlsplit(there).query) == {"theme": ["watch,patrol"], "text": ["leping"]}


def test_the_map_keeps_several_values_and_leads_back_to_the_list(client):
    legend = client.get("/en/legend?theme=watch,patrol&text=leping").text
    link = unescape(
        re.search(r'class="count" href="(/en/layers/cases[^"]+)" aria-label="[^"]*list of (\d+)', legend)[1]
    )
    back = client.get(link).location

    assert '<option value="watch,patrol" selected>' in legend
    assert 'name="text" value="leping"' in legend
    assert cases(client, urlsplit(back).query) == cases(client, "theme=watch,patrol&text=leping") != set()


@pytest.mark.parametrize(
    "asked", ["county=0037", "place_kind=island", "outcome=ended", "party=watch&theme=council", ""]
)
def test_the_cases_of_the_practices_are_the_same_in_the_list_and_on_the_map(client, asked):
    page = client.get(f"/en/practices/?{asked}").text
    number = int(re.search(r"(\d+) cases? shows? them", page)[1])
    maps = (
        unescape(re.search(r'href="/en/#([^"]+)">on the map', page)[1]).removeprefix("show=cases").lstrip("&")
    )
    listed = unescape(re.search(r'href="/en/cases/\??([^"]*)">as a list', page)[1])

    assert len(cases(client, listed)) == number > 0
    assert cases(client, listed) == on_map(client, maps)


def test_words_are_found_whatever_the_language_of_the_page_and_in_any_spelling(client):
    found = cases(client, "text=NOAROOTSI")

    assert "hara" in found
    assert cases(client, "text=noarootsi hara") <= found
    assert cases(client, "text=qqqq") == set()
    assert "sea-rescue-association" in practices(client, "text=jrcc merepääste")


def test_where_nothing_fits_the_page_says_what_to_leave_out(client):
    page = client.get("/en/cases/?theme=islands&outcome=ended").text
    told = re.findall(r'<li><a href="([^"]+)">([^<]+)</a> <span class="quiet">then (\d+)', page)

    assert "0 of 49" in page
    assert [(text, int(count)) for _, text, count in told] == [("Outcome: ended", 3), ("Theme: islands", 2)]
    for link, _, count in told:
        assert len(cases(client, urlsplit(unescape(link)).query)) == int(count)
    hopeless = client.get("/en/practices/?theme=islands&text=qqqq&county=0087").text
    assert "take out two or more" in hopeless


def test_every_chip_leads_to_the_choice_without_it(client):
    page = client.get("/en/practices/?theme=watch&theme=police&county=0037&text=kaamera").text
    chips = re.findall(r'<li><a class="tag" href="([^"]+)" aria-label="Leave out ([^"]+)"', page)

    assert [(parse_qs(urlsplit(unescape(link)).query), text) for link, text in chips] == [
        ({"theme": ["watch,police"], "text": ["kaamera"]}, "County: Harju county"),
        ({"county": ["0037"], "theme": ["police"], "text": ["kaamera"]}, "Theme: neighbourhood watch"),
        ({"county": ["0037"], "theme": ["watch"], "text": ["kaamera"]}, "Theme: police and municipality"),
        ({"county": ["0037"], "theme": ["watch,police"]}, "Words in the text: kaamera"),
    ]


def test_failures_are_one_link_away(client):
    page = client.get("/en/cases/").text
    link, number = re.search(
        r'class="tag outcome-ended" href="([^"]+)"[^>]*>ended <span[^>]*>\((\d+)\)', page
    ).groups()

    assert len(cases(client, urlsplit(unescape(link)).query)) == int(number) > 0
    assert "outcome=ended" in link
    listed = client.get("/en/practices/").text
    assert re.search(r'href="/en/cases/\?practice=volunteer-rescue-unit&amp;outcome=ended"', listed)


def test_links_of_earlier_days_still_work(client):
    answer = client.get("/en/practices/?audience=watch&as_of=2020")

    assert answer.status_code == 302
    assert parse_qs(urlsplit(answer.location).query) == {"party": ["watch"], "as_of": ["2020"]}


@pytest.mark.parametrize(
    "asked", ["place_kind=moon", "party=x", "practice=nothing", "theme=watch,x", "stage="]
)
@pytest.mark.parametrize("path", ["/en/cases/?", "/en/practices/?", "/api/layers/cases.geojson?lang=en&"])
def test_a_value_that_is_none_is_told(client, path, asked):
    answer = client.get(path + asked)

    assert answer.status_code == (200 if asked == "stage=" else 400)
    if answer.status_code == 400:
        said = answer.json["detail"] if answer.is_json else unescape(answer.text)
        assert f"“{asked.partition('=')[0]}” must be one of" in said


def test_kinds_of_place_are_not_measured_where_the_instance_has_no_words_for_them(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state") as app:
        page = app.test_client().get("/en/cases/").text

    assert "first-case" in page
    assert 'name="place_kind"' not in page
