"""What SECURITY.md says of the application security standard stands: every item once, every proof there."""

import ast
import hashlib
import re
from collections import Counter
from functools import cache

import pytest
from sqlalchemy import func, select

import asvs
from layers import store
from layers.accounts.tables import AccountRow
from tests import make
from tests.conftest import ROOT
from tests.webmap import desk, site
from tests.webmap.desk import Door, enter

# Of the 253 numbers of levels 1 and 2, in the standard's order, so that none is lost unseen.
COUNTS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29, 11: 14, 12: 9, 13: 13, 14: 9}
COUNTS |= {15: 13, 16: 16, 17: 7}
DIGEST = "282745478e0972f8663a0e24ce028bf2ed29f83f9e9e6b90067bdc2484b7e2a4"


@cache
def named_in(file):
    """The names of the tests in a file, as pytest finds them."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {
        one.name for one in tree.body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    }


@cache
def headings_of(file):
    text = (ROOT / file).read_text(encoding="utf-8")
    return {line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("#")}


def test_every_item_of_levels_one_and_two_is_there_once():
    ids = [(row["id"], row["level"]) for row in asvs.rows()]
    order = [tuple(map(int, id.split("."))) for id, _ in ids]

    assert Counter(int(id.split(".")[0]) for id, _ in ids) == COUNTS
    assert Counter(level for _, level in ids) == {"1": 70, "2": 183}
    assert order == sorted({*order})
    assert hashlib.sha256(repr(ids).encode()).hexdigest() == DIGEST


@pytest.mark.parametrize("row", asvs.rows(), ids=lambda row: row["id"])
def test_what_holds_is_proven_and_what_does_not_has_its_reason(row):
    assert row["state"] in asvs.STATES
    assert row["requirement"].endswith(".")
    proofs = [one for one in row["proof"].split("; ") if one]
    assert bool(proofs) == (row["state"] == "holds")
    assert row["state"] == "holds" or len(row["remark"]) > 6
    for proof in proofs:
        file, is_test, name = proof.partition("::")
        if is_test:
            assert name in named_in(file), proof
        else:
            file, _, heading = proof.partition("#")
            assert heading in headings_of(file), proof


def test_the_page_shows_the_table_as_it_is():
    page = asvs.PAGE.read_text(encoding="utf-8")

    assert asvs.renewed(page) == page, "run: python scripts/asvs.py"
    assert len(re.findall(r"^\| \d+\.\d+\.\d+ \|", page, re.MULTILINE)) >= 253


# --- What no other test shows


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    root = tmp_path_factory.mktemp("asvs")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        yield app


def test_a_new_store_has_no_account(app):
    house = app.extensions["house"]
    with store.reading(house.engine, srid=make.SRID) as session:
        assert session.scalar(select(func.count()).select_from(AccountRow)) == 0


def test_fields_for_passwords_hide_them_and_let_managers_fill_them():
    folder = ROOT / "webmap" / "templates" / "account"
    pages = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.html")}
    asked = re.findall(r"field\('(password|new|again)', [^}]*", "".join(pages.values()))
    fields = re.findall(r"\{\{ field\('(?:password|new|again)'[^}]*\}\}", "".join(pages.values()))

    assert len(asked) == len(fields) >= 5
    for field in fields:
        assert "'password', complete=" in field
        assert re.search(r"complete='(current|new)-password'", field)
    assert not re.search(
        r"(?i)secret question|hint_question|onpaste|autocomplete=.off", "".join(pages.values())
    )


def test_a_refusal_for_want_of_a_role_is_logged_by_number(app, caplog):
    door = Door(app)
    reader = door.account("reader", name="mari@vald.ee")

    assert door.visitor(reader).get("/en/account/all").status_code == 403
    assert f"account {reader.id} may not open pages.account.everybody" in caplog.text
    assert "mari" not in caplog.text


def test_nobody_writes_lines_into_the_log(app, caplog, monkeypatch):
    desk.quicken(monkeypatch)
    door = Door(app)
    client = door.visitor()
    enter(client, "x\n2026 ERROR invented line", "y\r\ninvented line")
    client.get("/en/%0d%0ainvented line?x=%0ainvented line")

    assert "invented" not in caplog.text


def test_no_setting_holds_a_password():
    text = (ROOT / "webmap" / "settings.py").read_text(encoding="utf-8")

    assert not re.search(r"(?i)(password|secret|token)\w*\s*(:\s*str)?\s*=\s*\"[^\"]+\"", text)


def test_what_is_installed_holds_no_tests():
    import tomllib

    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packed = found["tool"]["setuptools"]["packages"]["find"]["include"]
    needed = " ".join(found["project"]["dependencies"])

    assert packed == ["layers*", "webmap*"]
    assert not re.search(r"pytest|hypothesis|playwright|mypy|ruff", needed)


# In tests/webmap/test_headers.py the same is asked without anybody signed in.
def test_a_second_step_cannot_be_skipped_by_an_address(app):
    assert Door(app).visitor().get("/en/account/second").status_code == 405
