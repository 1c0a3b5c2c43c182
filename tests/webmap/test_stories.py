"""The page of a case: its parts, why it ended, the guides that speak of it; and how endings are found."""

import re

import pytest

from layers import practices as read
from layers import texts
from tests.webmap.site import look
from webmap import db, params, prose

ENDED, MIXED, LASTED = "puka-komando", "avinurme", "hara"


def page(client, address):
    return client.get(address).get_data(as_text=True)


def headings(html):
    return [re.sub("<[^>]+>", "", found).strip() for found in re.findall(r"<h2[^>]*>(.*?)</h2>", html, re.S)]


@pytest.mark.parametrize(
    ("language", "first"), [("et", "Miks püsis või lõppes"), ("en", "Why it lasted or ended")]
)
@pytest.mark.parametrize("key", [ENDED, MIXED])
def test_what_did_not_last_says_why_before_anything_else(client, language, key, first):
    html = page(client, f"/{language}/cases/{key}")

    assert headings(html)[0] == first
    assert headings(html).count(first) == 1
    assert html.index(first) < html.index('class="facts boxed"')


def test_what_lasted_says_why_in_its_place(client):
    found = headings(page(client, "/en/cases/hara"))

    assert found.index("Background") < found.index("Why it lasted or ended") < found.index("Evidence")


def test_every_part_stands_on_the_page_once_and_the_roles_in_the_box(app, client, estonia):
    with app.test_request_context("/"):
        cases = read.cases(db.session(), as_of=params.today())
    words = estonia.sections["cases"]

    assert len(cases) > 40
    for case in cases[::6]:
        html = page(client, f"/en/cases/{case.key}")
        found = headings(html)
        for key, heading in words.items():
            assert found.count(heading["en"]) == (0 if key == "roles" else 1), (case.key, key)
        box = html[html.index('class="facts boxed"') :].split("</dl>")[0]
        roles = texts.parts(case.texts["en"], words, "en")["roles"].body
        assert box.count("<li>") == roles.count("- **")


def test_a_page_in_a_language_without_the_text_says_so(client):
    html = page(client, "/ru/cases/hara")

    assert 'class="notice"' in html
    assert 'lang="et"' in html


def test_guides_that_speak_of_a_case_are_linked_from_it(client):
    guides = {"/en/practices/business-as-partner"}

    assert "](case:hara)" in open_guide(client, "business-as-partner")
    assert guides <= set(look(client, "/en/cases/hara").links)


def open_guide(client, key):
    app = client.application
    with app.test_request_context("/"):
        return read.practice(db.session(), key).texts["en"]


def test_every_mention_in_a_guide_leads_back(app, client):
    with app.test_request_context("/"):
        guides = read.practices(db.session(), as_of=params.today())
    speaks = {(one.key, m.key) for one in guides for m in texts.mentions(one.texts["en"]) if m.kind == "case"}

    assert len(speaks) > 80
    for guide, case in sorted(speaks)[::9]:
        assert f"/en/practices/{guide}" in look(client, f"/en/cases/{case}").links, (guide, case)


def test_endings_are_found_with_one_click(client):
    listed = look(client, "/en/cases/")
    ended = "/en/cases/?outcome=ended"

    assert ended in listed.links
    found = {link for link in look(client, ended).links if re.fullmatch(r"/en/cases/[a-z-]+\?*.*", link)}
    assert {f"/en/cases/{ENDED}", "/en/cases/ida-viru-menetlusteenistus"} <= found
    assert f"/en/cases/{LASTED}" not in found


def test_one_click_keeps_what_was_chosen_before(client):
    links = look(client, "/en/cases/?theme=rescue&county=0081").links

    assert any("theme=rescue" in link and "county=0081" in link and "outcome=ended" in link for link in links)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("2017. aasta juunis oli 30 liiget.", "<p>2017. aasta juunis oli 30 liiget.</p>"),
        ("16. mail 2012 suleti.", "<p>16. mail 2012 suleti.</p>"),
        ("1. Tulge kokku.\n2. Leppige kokku.", "<ol>\n<li>Tulge kokku.</li>\n<li>Leppige kokku.</li>\n</ol>"),
    ],
)
def test_an_ordinal_at_the_beginning_is_no_list(app, text, html):
    with app.test_request_context("/"):
        assert prose.render(text, language="et").strip() == html
