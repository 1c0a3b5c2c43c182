"""`turvakaart backup` and `restore` as one runs them: refusals, kills, a full disk, a running server."""

import os
import resource
import signal
import sys

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from layers import catalog, imports, store
from layers.model import Body, Settlement
from tests import make
from tests.webmap import site
from webmap.cli import cli

# Newer Pythons warn of a fork beside the threads of numpy; nothing of theirs is used in the child.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A tiny country with a store that is loaded: run(*line) runs the command in this process."""
    folder = make.an_instance(tmp_path / "tiny")
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WEBMAP_INSTANCE", str(folder))
    read = catalog.read_instance(folder)
    engine = store.open_store(f"sqlite:///{tmp_path / 'state' / 'tiny.sqlite'}")
    imports.load(engine, read, now=make.moment(site.TODAY))
    yield engine
    engine.dispose()


def run(*line):
    found = CliRunner().invoke(cli, [*map(str, line)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


def names(engine):
    with store.reading(engine, srid=make.SRID) as session:
        return sorted(session.scalars(select(Body.name)))


def rename(engine):
    with store.writing(engine, srid=make.SRID) as session:
        session.execute(update(Body).values(name="Changed since"))
        session.commit()


def test_a_backup_is_one_command_and_a_restore_another_that_first_only_tells(house, tmp_path):
    file, before = tmp_path / "a.backup", names(house)
    code, said = run("backup", file)
    assert (code, said.splitlines()[-1].split(",")[0]) == (
        0,
        f"{file}: 33 rows".replace("33", said.split(": ")[-1].split()[0]),
    )
    code, said = run("backup", file)
    assert (code, "with --force" in said) == (1, True)
    assert run("backup", file, "--force")[0] == 0
    rename(house)

    code, said = run("restore", file)
    assert code == 0
    assert "body: 4 rows now, 4 then" in said
    assert "Nothing was changed: add --write" in said
    assert names(house) == ["Changed since"] * 4

    code, said = run("restore", file, "--write")
    assert (code, "The store is restored." in said) == (0, True)
    assert names(house) == before


def test_a_running_server_tells_the_restored_state_at_once(house, tmp_path):
    with site.a_site(tmp_path / "tiny", tmp_path / "state") as app:
        client = app.test_client()
        assert run("backup", tmp_path / "a.backup")[0] == 0

        def ask():
            asked = ("/en/bodies/west-station", "/api/layers/police.geojson?lang=en")
            return "".join(client.get(url).text for url in asked)

        first = ask()
        assert first.count("West station") > 1
        with store.writing(house, srid=make.SRID) as session:
            session.execute(update(Body).values(names={"en": "Changed since"}))
            store.raise_revision(session, "police")
            session.commit()
        assert "Changed since" in ask()
        assert run("restore", tmp_path / "a.backup", "--write")[0] == 0
        assert "Changed since" not in ask()
        assert ask().count("West station") == first.count("West station")


def test_an_instance_goes_along_and_comes_out_elsewhere(house, tmp_path, monkeypatch):
    (tmp_path / "tiny" / "privacy.key").write_text("secret", encoding="utf-8")
    before = names(house)
    assert run("backup", tmp_path / "a.backup", "--with-instance")[0] == 0
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "new-state"))
    target = tmp_path / "again"

    code, said = run("restore", tmp_path / "a.backup", "--instance-to", target)
    assert (code, target.exists(), (tmp_path / "new-state" / "tiny.sqlite").exists()) == (0, False, False), (
        said
    )
    assert run("restore", tmp_path / "a.backup", "--instance-to", target, "--write")[0] == 0

    wanted = {
        one.relative_to(tmp_path / "tiny"): one.read_bytes()
        for one in (tmp_path / "tiny").rglob("*")
        if one.is_file()
    }
    found = {one.relative_to(target): one.read_bytes() for one in target.rglob("*") if one.is_file()}
    assert found == wanted
    engine = store.open_store(f"sqlite:///{tmp_path / 'new-state' / 'tiny.sqlite'}")
    assert names(engine) == before
    engine.dispose()
    code, said = run("restore", tmp_path / "a.backup", "--instance-to", target, "--write")
    assert (code, "is there already" in said) == (1, True)
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")] == []


def test_what_cannot_be_restored_is_told_in_a_sentence(house, tmp_path):
    other = make.an_instance(tmp_path / "other", key="other")
    assert run("backup", tmp_path / "a.backup")[0] == 0
    for line, words in (
        (("restore", tmp_path / "none.backup"), "No such file or directory"),
        (("restore", tmp_path / "tiny" / "places.csv"), "no backup of Turvakaart"),
        (
            ("restore", tmp_path / "a.backup", "--instance", other),
            "is of the instance “tiny”, and this is “other”",
        ),
        (("restore", tmp_path / "a.backup", "--instance-to", tmp_path / "x"), "made without --with-instance"),
        (("backup", tmp_path / "no" / "folder.backup"), "No such file or directory"),
        (("backup", tmp_path / "b.backup", "--instance", other), "The store is not set up."),
    ):
        code, said = run(*line)
        assert (code, words in said) == (1, True), said
    store_file = tmp_path / "state" / "tiny.sqlite"
    house.dispose()
    store_file.write_bytes(b"no database at all" * 300)
    code, said = run("restore", tmp_path / "a.backup", "--write")
    assert (code, "cannot be used: file is not a database" in said) == (1, True), said


# --- Killed in the middle


def many(engine, number=10_000):
    """Rows enough that a backup and a restore take a moment."""
    with store.writing(engine, srid=make.SRID) as session:
        edition = make.an_edition(session, "settlements")
        shape = store.columns.stored([make.metric(make.shapely.Point(25, 58.5))])[0]
        row = {"digest": "0", "name": "Many", "municipality": "0101", "county": "01"}
        row |= {"geom": shape, "edition_id": edition}
        rows = [{**row, "key": f"many-{n}"} for n in range(number)]
        session.connection().execute(Settlement.__table__.insert(), rows)
        session.commit()


def forked(line, *, before=lambda: None):
    """The command in a process of its own, and its output; a fork spares the second of a fresh start."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(theirs, 1)
        os.dup2(theirs, 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1)
        code = 99
        try:
            before()
            cli([*map(str, line)], prog_name="turvakaart", standalone_mode=True)
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            os._exit(code)
    os.close(theirs)
    return child, os.fdopen(ours)


def killed(engine, line, after):
    """Runs the command and kills it when it has said so many lines; whether it was still at work."""
    engine.dispose()
    child, said = forked(line)
    with said:
        for _ in range(after):
            said.readline()
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_backup_that_is_killed_leaves_no_backup_and_the_old_one_whole(house, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    assert run("backup", folder / "a.backup")[0] == 0
    first = (folder / "a.backup").read_bytes()
    many(house)
    for after in (1, 9, 13):
        assert killed(house, ("backup", folder / "a.backup", "--force"), after)
        assert killed(house, ("backup", folder / "b.backup"), after)
        assert (folder / "a.backup").read_bytes() == first
        assert not (folder / "b.backup").exists()
    assert run("backup", folder / "b.backup")[0] == 0


def test_a_restore_that_is_killed_leaves_the_store_as_it_was(house, tmp_path):
    many(house)
    assert run("backup", tmp_path / "a.backup")[0] == 0
    rename(house)
    with store.reading(house, srid=make.SRID) as session:
        before = make.everything(session)
    told = 1 + len([line for line in run("restore", tmp_path / "a.backup")[1].splitlines() if "then" in line])
    for after in (told, told + 5, told + 12):
        assert killed(house, ("restore", tmp_path / "a.backup", "--write"), after)
        with store.reading(house, srid=make.SRID) as session:
            assert make.everything(session) == before
    assert run("restore", tmp_path / "a.backup", "--write")[0] == 0
    assert "Changed since" not in names(house)


# --- A full disk


def limited(engine, line, size):
    """Runs the command where no file may grow beyond so many bytes: its exit code and its output."""
    engine.dispose()
    child, said = forked(line, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    with said:
        told = said.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), told


def test_a_full_disk_is_told_and_changes_nothing(house, tmp_path):
    many(house)
    folder = tmp_path / "kept"
    folder.mkdir()
    code, said = limited(house, ("backup", folder / "a.backup"), 45_000)
    assert (code, [*folder.iterdir()]) == (1, [])
    assert "cannot be written (File too large). Nothing was changed." in said

    assert run("backup", folder / "a.backup")[0] == 0
    with store.writing(house, srid=make.SRID) as session:
        session.execute(update(Body).values(name="Changed since"))
        session.commit()
    code, said = limited(house, ("restore", folder / "a.backup", "--write"), 500_000)
    assert (code, "cannot be used: " in said, "Traceback" in said) == (1, True, False), said
    assert names(house) == ["Changed since"] * 4
    with store.reading(house, srid=make.SRID) as session:
        assert session.scalar(select(func.count()).select_from(Settlement)) > 10_000
