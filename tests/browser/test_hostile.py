"""Payloads in every text of every table, label, file and argument, in a real browser: they stay text.

TURVAKAART_TURNS=5 pytest tests/browser/test_hostile.py      # other payloads in other fields, every page
"""

import os
from urllib.parse import quote

import pytest

from tests.browser.conftest import served
from tests.browser.test_editing import enter
from tests.webmap import hostile, payloads
from tests.webmap.desk import Door

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TURNS = int(os.environ.get("TURVAKAART_TURNS", "0"))
LOOK = """(mark) => {
  const wrong = [];
  if (window[mark] !== undefined) wrong.push('a script ran');
  const walk = (root) => {
    for (const one of root.querySelectorAll('*')) {
      if (one.localName.includes(mark)) wrong.push(`element ${one.localName}`);
      for (const { name, value } of one.attributes) {
        const plain = [...value].filter((letter) => letter > ' ').join('').toLowerCase();
        if (name.includes(mark) || /^on/.test(name) || name === 'srcdoc')
          wrong.push(`${one.localName} ${name}`);
        if (['href', 'src', 'action', 'formaction', 'data', 'xlink:href'].includes(name)
          && /^(javascript|vbscript|data:text|file):?/.test(plain))
          wrong.push(`${one.localName} ${name}=${plain}`);
      }
      if (one.localName === 'iframe' || one.localName === 'object' || one.localName === 'embed'
        || one.localName === 'base') wrong.push(one.localName);
      if (one.shadowRoot) walk(one.shadowRoot);
    }
  };
  walk(document);
  return wrong;
}"""
OPEN = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"


@pytest.fixture(scope="module", params=range(max(TURNS, 1)))
def door(request, tmp_path_factory):
    with hostile.a_site(tmp_path_factory.mktemp("hostile"), turn=request.param) as app:
        door = Door(app)
        words, _ = app.extensions["hostile"]
        for role in ("steward", "partner", "admin"):
            account = door.account(role, password="")
            door.people = {**getattr(door, "people", {}), role: account}
            with door.writing() as session:
                table = hostile.Base.metadata.tables["account"]
                session.execute(
                    hostile.update(table).where(table.c.id == account.id).values(label=words.word())
                )
                session.commit()
        with served(app) as door.home:
            yield door


def guard(visitor):
    """A dialog, another page or a refused policy is trouble; what the visitor meets on purpose is not."""
    visitor.page.on("dialog", lambda said: (visitor._complain(f"dialog: {said.message}"), said.dismiss()))
    visitor.forgive("status of 4", "basemap")
    return visitor


def look(visitor, path):
    at = visitor.page.url
    wrong = visitor.page.evaluate(LOOK, payloads.MARK)
    assert at.startswith(visitor.home), (path, at)
    return [(path, one) for one in wrong]


def test_every_text_of_the_store_is_a_payload(door):
    words, reached = door.app.extensions["hostile"]

    assert len(words.used) > 90
    assert len(payloads.MARKUP) + len(payloads.URLS) >= 100
    tables = {table for table, _ in reached}
    assert {
        "area",
        "body",
        "case_study",
        "edition",
        "event",
        "journal",
        "page",
        "practice",
        "settlement",
    } <= tables
    assert len(reached) > 30


def test_no_public_page_runs_or_builds_what_a_text_holds(visit, door):
    visitor = guard(visit(home=door.home))
    pages = [*hostile.addresses("en"), *(hostile.addresses("et") if TURNS else ())]
    wrong = []
    client = door.app.test_client(use_cookies=False)
    for path in pages:
        visitor.go(path)
        visitor.page.evaluate(OPEN)
        wrong += look(visitor, path)

    refused = {path.split("/", 2)[2] for path in pages if client.get(path).status_code >= 400}
    assert refused <= {"for/police", "confirm/x", "nowhere", "here?place=Esimene", "editions/compare"}
    assert wrong == []


def test_the_map_its_tips_panels_and_search_show_text_alone(visit, door):
    visitor = guard(visit(home=door.home))
    wrong = []
    for opened in ("bodies/west-station", "cases/first-case", "areas/county/01", "practices/alpha"):
        visitor.map(f"/en/#open={opened}")
        assert visitor.panel() != "", opened
        wrong += look(visitor, opened)
    page = visitor.map("/et/#at=14/58.25/24.25")
    page.mouse.move(*visitor.middle)
    page.locator(".leaflet-tooltip").first.wait_for()
    wrong += look(visitor, "tooltip")
    visitor.press_middle()
    wrong += look(visitor, "panel")
    page.evaluate(OPEN)
    for typed in ("img", "script", "<svg"):
        page = visitor.go("/en/search")
        page.locator("input[name=q]").last.fill(typed)
        page.wait_for_timeout(300)
        visitor.settle()
        wrong += look(visitor, f"suggestions for {typed}")

    assert wrong == []


def test_what_is_typed_or_stands_in_an_address_stays_text(visit, door):
    visitor = guard(visit(home=door.home))
    words = payloads.MARKUP if TURNS else payloads.MARKUP[::14]
    wrong = []
    for word in words:
        for path in ("/en/search?q=", "/en/cases/?text=", "/en/here?place="):
            visitor.go(path + quote(word))
            wrong += look(visitor, path + word)
    visitor.go(f"/en/#open={quote(payloads.MARKUP[6], safe='')}")
    wrong += look(visitor, "hash")

    assert wrong == []


def test_pages_of_those_who_keep_the_map_show_text_alone(visit, door):
    words, _ = door.app.extensions["hostile"]
    wrong = []
    visitor = enter(guard(visit(home=door.home)), door, "steward")
    page = visitor.go("/en/import")
    name = "<img src=x xqzmark onerror=alert(1)>.csv"
    page.set_input_files("#file", {"name": name, "mimeType": "text/csv", "buffer": hostile.a_file(words)})
    page.select_option("#layer", "villages")
    for field in ("source", "licence", "dataset"):
        page.fill(f"#{field}", "county-list" if field == "dataset" else words.word().replace("\n", " "))
    page.fill("#as_of", "2026")
    page.click("text=Send and look at it")
    page.wait_for_selector(".mapping")
    wrong += look(visitor, "columns")
    page.click("text=Examine every row")
    page.wait_for_selector("main h2")
    visitor.settle()
    wrong += look(visitor, "findings")
    for path in (
        "/en/edit",
        "/en/edit?q=a",
        "/en/edit/body/west-station",
        "/en/edit/area/county/01",
        "/en/edit/proposals",
        "/en/suggestions",
        "/en/account",
        "/en/editions/1",
    ):
        visitor.go(path)
        visitor.page.evaluate(OPEN)
        wrong += look(visitor, path)
    admin = enter(guard(visit(home=door.home)), door, "admin")
    for path in ("/en/account/all", f"/en/account/all/{door.people['steward'].id}", "/en/account/record"):
        admin.go(path)
        wrong += look(admin, path)

    assert wrong == []
