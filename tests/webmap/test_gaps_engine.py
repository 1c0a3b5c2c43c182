"""The planner's pack by several processes and from another store: the same files; and whole or not at all."""

import csv
import hashlib
import shutil
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from layers import imports, store
from layers.errors import LayersError
from layers.gaps import cluster
from layers.gaps.cluster import WorkersLost
from layers.gaps.parts import EMBEDDED
from tests import make
from tests.webmap import site
from webmap import create_app
from webmap.cli import cli
from webmap.planning import pack
from webmap.planning.pack import OtherState
from webmap.settings import Settings

pytestmark = pytest.mark.slow
VORU = {"county": "0087", "role": "rescue_land", "within": "15", "sites": "1", "as_of": "2026-11-22"}


def checksums(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def ask(state, folder, *more):
    """Asks by the command."""
    words = {**VORU, "areas": "municipality", "out": str(folder)}
    line = [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value)]
    said = CliRunner().invoke(cli, ["gaps", *line, *more], env={"WEBMAP_STATE": str(state)})
    assert said.exit_code == 0, said.output
    return folder


@pytest.fixture(scope="module")
def alone(app, state, tmp_path_factory):
    """The pack that one process writes from SQLite."""
    return ask(state, tmp_path_factory.mktemp("packs") / "alone")


# --- The command


def test_the_command_writes_the_same_files_with_processes(alone, state, tmp_path, monkeypatch):
    sent, send = [], cluster.Workers._send

    def noted(self, *given, key):
        sent.append(key)
        return send(self, *given, key=key)

    monkeypatch.setattr(cluster.Workers, "_send", noted)
    found = ask(state, tmp_path / "pack", "--engine", "2", "--part", "300", "--memory", "1GB")

    assert len([key for key in sent if key.startswith(cluster._TASK)]) > 20
    assert {"report.pdf", "record.json", "areas-uncovered.csv"} <= {file.name for file in alone.iterdir()}
    assert checksums(found) == checksums(alone)


def test_the_command_tells_what_is_no_engine(app, state, tmp_path):
    said = CliRunner().invoke(
        cli,
        ["gaps", "--county", "0087", "--out", str(tmp_path / "x"), "--engine", "many"],
        env={"WEBMAP_STATE": str(state)},
    )
    assert said.exit_code == 1
    assert "“many” is no engine" in said.output
    assert not (tmp_path / "x").exists()


# --- Whole or not at all


class Meeting:
    """A runner that meets with something as often as it is asked; all that can be divided is."""

    size = 300

    def __init__(self, meet):
        self.meet, self.met = meet, 0

    def each(self, work, common, parts):
        self.met += 1
        self.meet()
        return EMBEDDED.each(work, common, parts)


@contextmanager
def an_app(instance, state, runner=EMBEDDED, **changes):
    app = create_app(Settings(instance=instance.folder, state=state, **changes), runner=runner)
    try:
        yield app
    finally:
        app.extensions["house"].engine.dispose()


def fail():
    raise WorkersLost(count=4)


def test_a_pack_that_fails_leaves_no_file_and_keeps_an_older_one(app, estonia, state, tmp_path):
    older = tmp_path / "older"
    older.mkdir()
    (older / "report.pdf").write_text("of yesterday")
    lost = Meeting(fail)

    with an_app(estonia, state, lost) as app:
        for folder in (tmp_path / "new" / "pack", older):
            with pytest.raises(LayersError, match="lõpetas järjest 4 töölist"):
                pack.write(app, VORU, folder, language="et")

    assert lost.met
    assert sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*")) == [
        "new",
        "older",
        "older/report.pdf",
    ]
    assert (older / "report.pdf").read_text() == "of yesterday"


def test_a_pack_whose_data_change_meanwhile_is_not_written(app, estonia, state, tmp_path):
    mine = shutil.copytree(state, tmp_path / "state")
    url = Settings(state=mine).store_url(estonia.key)

    def change():
        if changed.met > 1:
            return
        engine = store.open_store(url)
        with Session(engine) as session, session.begin():
            store.raise_revision(session, "rescue")
        engine.dispose()

    changed = Meeting(change)
    with an_app(estonia, mine, changed) as app, pytest.raises(OtherState, match="The data changed"):
        pack.write(app, VORU, tmp_path / "pack", language="et")

    assert changed.met
    assert not (tmp_path / "pack").exists()


# --- Another store


@pytest.mark.postgis
def test_a_pack_from_postgis_in_parts_is_that_from_sqlite_in_one(estonia, alone, postgis, tmp_path):
    url, divided = postgis.create(), Meeting(lambda: None)
    engine = store.open_store(url)
    imports.load(engine, estonia, now=make.moment(site.TODAY))
    engine.dispose()
    with an_app(estonia, tmp_path / "state", divided, database_url=url) as other:
        pack.write(other, {**VORU, "areas": "municipality"}, tmp_path / "postgis", language="et")
    postgis.drop(url)

    assert divided.met
    assert checksums(tmp_path / "postgis") == checksums(alone)
    (row,) = csv.DictReader((alone / "areas-uncovered.csv").read_text(encoding="utf-8-sig").splitlines())
    assert float(row["people"]) > 1_000_000
    assert float(row["land_m2"]) == pytest.approx(45.3e9, rel=0.05)
