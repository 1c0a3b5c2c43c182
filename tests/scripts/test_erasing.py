"""`turvakaart erase` and `erasures` as one runs them: told, done, proven, and kept by a restore."""

import pytest
from click.testing import CliRunner

from layers import catalog, imports, store
from tests import make
from tests.webmap import site
from webmap.cli import cli

KEY = "placeless-village"


@pytest.fixture
def house(tmp_path, monkeypatch):
    folder = make.an_instance(tmp_path / "tiny")
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WEBMAP_INSTANCE", str(folder))
    engine = store.open_store(f"sqlite:///{tmp_path / 'state' / 'tiny.sqlite'}")
    imports.load(engine, catalog.read_instance(folder), now=make.moment(site.TODAY))
    engine.dispose()
    return tmp_path / "state"


def run(*line, typed=None):
    found = CliRunner().invoke(cli, [*map(str, line)], input=typed)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def held(state):
    files = [state / f"tiny.sqlite{ending}" for ending in ("", "-wal")]
    return KEY.encode() in b"".join(file.read_bytes() for file in files if file.exists())


def test_an_erasure_is_told_then_done_then_proven_and_kept_when_the_store_is_lost(house, tmp_path):
    run("backup", tmp_path / "before")
    decided = ("--by", "protection officer", "--reason", "asked for")

    code, said = run("erase", "body", "-", *decided, typed=f"{KEY}\n")
    assert code == 0
    assert "body: 1 rows" in said
    assert "still in the file" in said
    assert "villages.csv, line 3" in said
    assert "Nothing was changed" in said
    assert run("erasures") == (0, "")
    assert held(house)

    code, said = run("erase", "body", KEY, *decided, "--write")
    assert (code, "Erased. Receipt:" in said) == (0, True)
    ledger = house / "tiny-erasures.jsonl"
    assert ledger.stat().st_mode & 0o777 == 0o600
    assert KEY not in ledger.read_text(encoding="utf-8")
    assert not held(house)

    code, said = run("erasures", "--check", "--is", "body", KEY)
    assert code == 0
    assert "protection officer: asked for  (body: 1)" in said
    assert "This has been erased." in said
    assert "Nothing of it is in any row." in said
    assert run("erasures", "--is", "body", "first-village")[0] == 1
    assert run("erase", "body", KEY, *decided)[0] == 1

    for ending in ("", "-wal", "-shm"):
        (house / f"tiny.sqlite{ending}").unlink(missing_ok=True)
    code, said = run("restore", tmp_path / "before", "--write")
    assert code == 0
    assert "What had been erased since is erased again: 1 rows." in said
    assert not held(house)
