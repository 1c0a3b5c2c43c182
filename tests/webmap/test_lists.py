"""A long list of organisations comes in sheets that together have everybody once."""

import re

import pytest

from tests import make
from tests.webmap import site
from webmap import pages


@pytest.fixture
def listed(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "_ON_A_SHEET", 1)
    with site.a_site(make.an_instance(tmp_path / "tiny"), tmp_path / "state") as app:
        yield app.test_client()


def named(page):
    return re.findall(r'<th role="rowheader" scope="row"><a data-panel href="/en/bodies/([^"?]+)', page.text)


def test_the_sheets_of_a_list_have_everybody_once(listed):
    page, found = listed.get("/en/layers/villages"), []
    while True:
        found += named(page)
        following = re.search(r'rel="next" href="([^"]+)"', page.text)
        if not following:
            break
        page = listed.get(following[1].replace("&amp;", "&"))

    assert len(found) == len(set(found)) == 2
    assert f"{len(found)} of {len(found)}" in page.text


def test_a_sheet_that_is_no_more_is_the_last_one(listed):
    page = listed.get("/en/layers/villages?sheet=99")

    assert page.status_code == 200
    assert named(page)


@pytest.mark.parametrize("sheet", ["0", "-1", "x", "1e9", "99999"])
def test_a_sheet_has_a_number(listed, sheet):
    assert listed.get(f"/en/layers/villages?sheet={sheet}").status_code == 400
