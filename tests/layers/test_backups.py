"""A backup holds one moment of a store; a restore puts back all of it or nothing, on either store."""

import json
import os
import random
import tempfile
import threading
import zipfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from sqlalchemy import JSON, Boolean, DateTime, LargeBinary, MetaData, select, text, update
from sqlalchemy import Column as C
from sqlalchemy import Table as T

from layers import columns, store
from layers.backups import archive, restoring, rows, saving
from layers.backups.archive import BadBackup, FileThere, NewerBackup, NoRoom
from layers.backups.restoring import ForeignBackup, OtherSystem
from layers.errors import StoreNotReady
from layers.model import Area, Base, Body, Count, Edition, Revision
from tests import make
from tests.conftest import a_store, an_engine

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def other(tmp_path, request):
    """Stores beside the first: by kind, each new and empty."""
    with ExitStack() as made:

        def another(kind):
            folder = Path(tempfile.mkdtemp(dir=tmp_path))
            url = made.enter_context(a_store(request, kind, folder))
            return made.enter_context(an_engine(url))

        yield another


def fill(engine):
    """A store with something in every kind of column."""
    store.set_up(engine)
    with store.writing(engine, srid=make.SRID) as session:
        make.an_edition(session)
        make.an_area(session, code="01", names={"et": "Lääs 🜁", "en": 'West "quoted"\nline'})
        make.an_area(session, code="02", shape=shapely.box(25, 58, 26, 59), facts={"population": "12"})
        make.a_body(session, key="mapped", serves=["county:01", "county:02"])
        make.a_body(session, key="listed", at=None, hidden_in=1)
        make.a_settlement(session, key="1001", population=120)
        make.a_practice(session, key="alpha")
        make.a_case(session, key="story", at=(25, 58.5), bodies=["mapped"], areas=["county:01"])
        make.a_count(session, key="some", number=None)
        session.add(Revision(layer="villages", number=7))
        restoring.outlines.renew(session, ["county"])
        session.commit()


def everything(engine):
    """All rows, the revisions aside, which only ever rise."""
    with store.reading(engine, srid=make.SRID) as session:
        found = make.everything(session)
    found.pop("revision")
    return found


def revisions(engine):
    return dict(store.revisions(engine))


def test_a_store_comes_back_as_it_was_from_either_kind_into_either(engine, other, tmp_path, instance):
    fill(engine)
    before = everything(engine)
    assert all(before[name] for name in ("area", "body", "serves", "outline", "case_practice", "count"))
    told = saving.save(engine, instance, tmp_path / "a.backup", now=NOW)

    for kind in ("sqlite", "postgis"):
        target = other(kind)
        with archive.opened(tmp_path / "a.backup") as backup:
            restoring.restore(target, backup, instance, now=LATER)

        assert everything(target) == before
        assert told.rows == sum(len(found) for name, found in before.items() if name != "outline") + 1
        with store.reading(target, srid=make.SRID) as session:  # The spatial index is there and works.
            west = shapely.bounds(make.metric(shapely.box(24, 58, 24.2, 58.2)))
            found = session.scalars(select(Area.code).where(columns.in_box(Area.geom, west)))
            assert found.all() == ["01"]
        with store.writing(target, srid=make.SRID) as session:  # And numbers go on.
            make.a_body(session, key="next", serves=["county:01"])
            session.commit()


def test_what_came_after_the_backup_is_gone_and_every_revision_is_one_that_never_was(
    engine, tmp_path, instance
):
    fill(engine)
    before = everything(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    with store.writing(engine, srid=make.SRID) as session:
        make.a_body(session, key="later")
        session.execute(update(Revision).values(number=9))
        session.add(Revision(layer="new", number=3))
        session.commit()

    with archive.opened(tmp_path / "a.backup") as backup:
        assert [
            (one.now, one.then) for one in restoring.changes(engine, backup.manifest) if one.table == "body"
        ] == [(3, 2)]
        restoring.restore(engine, backup, instance, now=LATER)
        first = revisions(engine)
        assert everything(engine) == before
        assert set(first) == {"villages", "new"}
        assert min(first.values()) > 9
        restoring.restore(engine, backup, instance, now=LATER)

    again = revisions(engine)
    assert all(again[layer] > first[layer] for layer in first)


def test_a_lost_store_leaves_no_revision_that_comes_back(engine, other, tmp_path, instance):
    """Browsers and tile archives may know revisions that neither the backup nor the store knows."""
    fill(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    found = []
    for day in (NOW, LATER):
        target = other("sqlite")
        with archive.opened(tmp_path / "a.backup") as backup:
            restoring.restore(target, backup, instance, now=day)
        found.append(revisions(target)["villages"])

    assert found[1] - found[0] > 1000  # So many changes may have been lost in a day.


# --- Others write meanwhile

POTS, ALL = 40, 4000


def pots(engine):
    store.set_up(engine)
    with store.writing(engine, srid=make.SRID) as session:
        first = make.an_edition(session, rows=0)
        for pot in range(POTS):
            make.a_count(session, key=f"pot-{pot}", number=ALL // POTS, edition=first)
        session.add(Revision(layer="villages", number=1))
        session.commit()


def move(engine, seed, stop):
    """Moves amounts between counts, each with an edition that names its number: sums stay the same."""
    chance = random.Random(seed)  # noqa: S311 (a world, no secret)
    while not stop.is_set():
        with store.writing(engine, srid=make.SRID) as session:
            one, other = chance.sample(range(POTS), 2)
            for pot, change in ((one, 1), (other, -1)):
                where = Count.key == f"pot-{pot}"
                session.execute(update(Count).where(where).values(number=Count.number + change))
            session.execute(update(Revision).values(number=Revision.number + 1))
            make.an_edition(session, rows=session.scalar(select(Revision.number)) - 1)
            session.commit()


def test_a_backup_under_writers_is_a_state_that_really_was(engine, other, tmp_path, instance):
    pots(engine)
    stop = threading.Event()
    writers = [threading.Thread(target=move, args=(engine, seed, stop)) for seed in range(3)]
    for writer in writers:
        writer.start()
    try:
        told = []
        for number in range(4):
            # Every table is read some time after the one before it.
            pause = threading.Event()
            tell = lambda name, done, of, pause=pause: pause.wait(0.02)  # noqa: E731
            told.append(saving.save(engine, instance, tmp_path / f"{number}.backup", now=NOW, tell=tell))
    finally:
        stop.set()
        for writer in writers:
            writer.join()

    states = set()
    for number in range(4):
        target = other("sqlite")
        with archive.opened(tmp_path / f"{number}.backup") as backup:
            (line,) = backup.lines(next(part for part in told[number].tables if part.name == "revision"))
            restoring.restore(target, backup, instance, now=LATER)
        with store.reading(target, srid=make.SRID) as session:
            numbers = session.scalars(select(Count.number)).all()
            editions = sorted(session.scalars(select(Edition.rows)))
        assert sum(numbers) == ALL
        assert editions == [*range(len(editions))]  # None is missing, none is from later.
        assert json.loads(line)[1] == len(editions)
        states.add(len(editions))
    assert len(states) == 4, "nobody wrote meanwhile: the test has shown nothing"


def test_who_reads_during_a_restore_sees_the_old_or_the_new_and_nothing_between(engine, tmp_path, instance):
    pots(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    with store.writing(engine, srid=make.SRID) as session:
        session.execute(update(Count).values(number=1))
        session.commit()
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            with store.reading(engine, srid=make.SRID) as session:
                seen.add(sum(session.scalars(select(Count.number))))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with archive.opened(tmp_path / "a.backup") as backup:
            slow = lambda name, rows: threading.Event().wait(0.02)  # noqa: E731
            restoring.restore(engine, backup, instance, now=LATER, tell=slow)
        threading.Event().wait(0.1)
    finally:
        stop.set()
        reader.join()

    assert seen == {POTS, ALL}


# --- Damage


def restored_or_refused(file, engine, instance):
    try:
        with archive.opened(file) as backup:
            restoring.restore(engine, backup, instance, now=LATER)
    except BadBackup as error:
        return str(error)
    return ""


def test_damage_anywhere_is_refused_with_a_reason_and_touches_nothing(tmp_path, instance, other):
    engine = other("sqlite")
    fill(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW, with_instance=True)
    whole, before = (tmp_path / "a.backup").read_bytes(), everything(engine)
    chance = random.Random(7)  # noqa: S311 (a world, no secret)
    hurt = tmp_path / "hurt.backup"
    cases = [b"", b"PK", b"hello" * 100, whole[1:], whole + b"x", whole * 2]
    cases += [whole[: chance.randrange(len(whole))] for _ in range(40)]
    for _ in range(150):
        at, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        cases.append(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
    for _ in range(20):
        at = chance.randrange(len(whole) - 60)
        cases.append(whole[:at] + bytes(60) + whole[at + 60 :])
    for one in cases:
        if one == whole:
            continue
        hurt.write_bytes(one)
        said = restored_or_refused(hurt, engine, instance)
        assert said.startswith(f"The backup {hurt} cannot be used: it is "), said
        assert said.endswith("Nothing was changed.")
    assert everything(engine) == before
    assert revisions(engine)["villages"] == 7


def forged(file, into, edit, *, parts=None):
    """The same backup with another manifest and other parts, and its checksums counted anew."""
    with zipfile.ZipFile(file) as packed:
        held = {name: packed.read(name) for name in packed.namelist()}
    held |= parts or {}
    told = json.loads(held.pop("manifest.json"))
    for part in told["tables"]:
        said = held[f"tables/{part['name']}.jsonl"]
        part |= {"bytes": len(said), "sha256": archive.hashlib.sha256(said).hexdigest()}
    edit(told, held)
    with into.open("w+b") as stream:
        with zipfile.ZipFile(stream, "w") as packed:
            packed.comment = b" " * 71
            for name, content in held.items():
                packed.writestr(name, content)
            packed.writestr("manifest.json", json.dumps(told))
        archive._seal(stream)
    return into


FORGERIES = {
    "a number is a word": ("body", lambda line: line.replace(b'"villages"', b"5", 1)),
    "a cell is missing": ("body", lambda line: b"[]\n"),
    "it is no JSON": ("count", lambda line: b"hello\n"),
    "a shape is none": ("area", lambda line: line.replace(b"0106", b"01ff", 1)),
    "a shape is in another system": ("area", lambda line: line.replace(b"e50c0000", b"e60c0000", 1)),
    "a fact has no edition": ("edition", lambda line: b""),
    "the same key twice": ("serves", lambda line: line.splitlines(keepends=True)[0] * 2),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_rows_that_are_none_are_refused_though_their_checksums_are_right(engine, tmp_path, instance, name):
    fill(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    before, (table, change) = everything(engine), FORGERIES[name]
    with zipfile.ZipFile(tmp_path / "a.backup") as packed:
        held = packed.read(f"tables/{table}.jsonl")
    parts = {f"tables/{table}.jsonl": change(held)}
    assert parts[f"tables/{table}.jsonl"] != held

    def recount(told, _held):
        for part in told["tables"]:
            part["rows"] = (
                parts[f"tables/{table}.jsonl"].count(b"\n") if part["name"] == table else part["rows"]
            )

    file = forged(tmp_path / "a.backup", tmp_path / "b.backup", recount, parts=parts)

    assert "Nothing was changed." in restored_or_refused(file, engine, instance)
    assert everything(engine) == before
    assert revisions(engine) == {"villages": 7}


def test_a_backup_of_another_country_another_system_or_a_newer_version_is_refused(tmp_path, instance, other):
    engine = other("sqlite")
    fill(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    for part, value, error in (
        ("instance", "fi", ForeignBackup),
        ("metric_crs", 3067, OtherSystem),
        ("schema", "9999", NewerBackup),
        ("format", 2, NewerBackup),
        ("tables", [], BadBackup),
        ("files", None, BadBackup),
        ("schema", "0000", BadBackup),
        ("schema", 6, BadBackup),
    ):
        file = forged(
            tmp_path / "a.backup",
            tmp_path / "b.backup",
            lambda told, held, part=part, value=value: told.update({part: value}),
        )
        with pytest.raises(error), archive.opened(file) as backup:
            restoring.restore(engine, backup, instance, now=LATER)
    assert revisions(engine) == {"villages": 7}


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a//b", "c:out", "a\\..\\out", ""])
def test_no_file_of_a_backup_leads_out_of_its_folder(tmp_path, instance, other, name):
    engine = other("sqlite")
    fill(engine)
    saving.save(engine, instance, tmp_path / "a.backup", now=NOW, with_instance=True)

    def edit(told, held):
        told["files"][0]["name"], was = name, told["files"][0]["name"]
        held[f"instance/{name}"] = held.pop(f"instance/{was}")

    file = forged(tmp_path / "a.backup", tmp_path / "b.backup", edit)
    with pytest.raises(BadBackup), archive.opened(file):
        pass


# --- An earlier schema


@pytest.mark.parametrize("schema", ["0003", "0005"])
def test_a_backup_of_an_earlier_schema_is_brought_up(tmp_path, instance, other, engine, schema):
    old = other("sqlite")
    fill(old)
    saving.save(old, instance, tmp_path / "now.backup", now=NOW)
    wanted = everything(old)
    store.migrate(old, schema)
    with old.connect() as connection:
        there = {
            name: [row[1] for row in connection.execute(text(f"PRAGMA table_info({name})"))]
            for name in (table.name for table in rows.kept())
        }

    def edit(told, held):
        """The backup as the earlier version would have written it: without what it did not know."""
        told["schema"], tables = schema, []
        for part in told["tables"]:
            name, columns = f"tables/{part['name']}.jsonl", part["columns"]
            known = [at for at, (column, _) in enumerate(columns) if column in there[part["name"]]]
            lines = held.pop(name).splitlines()
            if known:
                cells = [[json.loads(line)[at] for at in known] for line in lines]
                held[name] = b"".join(json.dumps(row).encode() + b"\n" for row in cells)
                part |= {"columns": [columns[at] for at in known], "bytes": len(held[name])}
                part["sha256"] = archive.hashlib.sha256(held[name]).hexdigest()
                tables.append(part)
        told["tables"] = tables

    file = forged(tmp_path / "now.backup", tmp_path / "old.backup", edit)
    with archive.opened(file) as backup:
        assert backup.manifest.schema == schema
        restoring.restore(engine, backup, instance, now=LATER)

    with store.reading(engine, srid=make.SRID) as session:
        session.execute(update(Body).where(Body.key == "listed").values(hidden_in=1))  # Not known then.
        found = make.everything(session)
    found.pop("revision")
    assert found == wanted


# --- Which tables


def test_every_table_is_kept_but_for_those_that_say_no(tmp_path, instance, other):
    engine = other("sqlite")
    fill(engine)
    told = saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    left = {table.name for table in Base.metadata.sorted_tables} - {part.name for part in told.tables}
    assert left == {name for name, table in Base.metadata.tables.items() if table.info.get("kept") is False}
    assert "outline" in left


def test_nothing_that_opens_a_door_is_kept_and_nothing_kept_points_to_what_is_not():
    kept = {table.name: table for table in rows.kept()}
    doors = [name for name in kept if any(word in name for word in ("session", "token", "login", "sign_in"))]
    assert doors == [], "mark these tables with model.NOT_KEPT, or a restore lets old sessions in"
    for table in kept.values():
        assert {key.column.table.name for key in table.foreign_keys} <= kept.keys()


def test_every_kind_of_column_comes_back_as_it_was(engine):
    """Tables that other rooms will add: moments, bytes, truth, and NULL beside JSON's own null."""
    told = MetaData()
    table = T(
        "all_kinds",
        told,
        C("id", rows.Integer, primary_key=True),
        C("at", DateTime(timezone=True)),
        C("data", LargeBinary),
        C("is", Boolean),
        C("maybe", JSON(none_as_null=True), nullable=True),
        C("said", JSON, nullable=False),
        C("share", rows.Float),
    )
    some = [
        {"id": 1, "at": NOW, "data": b"\0\xff", "is": True, "maybe": {"a": [1]}, "said": "x", "share": 0.1},
        {"id": 2, "at": None, "data": None, "is": None, "maybe": None, "said": None, "share": None},
    ]
    with engine.connect() as connection, connection.begin() as undone:
        table.create(connection)
        connection.execute(table.insert(), some)
        lines = list(rows.lines(connection, table))
        connection.execute(table.delete())
        assert rows.fill(connection, table, lines, srid=0) == 2
        found = [dict(row) for row in connection.execute(select(table).order_by(table.c.id)).mappings()]
        nulls = connection.execute(text("SELECT count(*) FROM all_kinds WHERE maybe IS NULL")).scalar()
        for row in found:
            row["at"] = row["at"] and row["at"].replace(tzinfo=row["at"].tzinfo or UTC)
        assert found == some
        assert nulls == 1
        undone.rollback()


# --- The file


def test_a_backup_takes_no_name_that_is_taken_and_leaves_nothing_half(tmp_path, instance, other, monkeypatch):
    engine = other("sqlite")
    with pytest.raises(StoreNotReady):
        saving.save(engine, instance, tmp_path / "a.backup", now=NOW)
    assert not store.file_of(engine).exists()
    fill(engine)
    folder = tmp_path / "kept"
    folder.mkdir()
    saving.save(engine, instance, folder / "a.backup", now=NOW)
    first = (folder / "a.backup").read_bytes()
    with pytest.raises(FileThere):
        saving.save(engine, instance, folder / "a.backup", now=LATER)
    assert (folder / "a.backup").read_bytes() == first

    def stop(*_about):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        saving.save(engine, instance, folder / "a.backup", now=LATER, replace=True, tell=stop)
    assert [file.name for file in folder.iterdir()] == ["a.backup"]
    assert (folder / "a.backup").read_bytes() == first
    saving.save(engine, instance, folder / "a.backup", now=LATER, replace=True)
    assert (folder / "a.backup").read_bytes() != first
    assert (folder / "a.backup").stat().st_mode & 0o077 == 0

    left = folder / ".a.backup.1.part"
    left.write_bytes(b"x")
    os.utime(left, (0, 0))
    saving.save(engine, instance, folder / "a.backup", now=NOW, replace=True)
    assert not left.exists()
    assert (folder / "a.backup").read_bytes() == first  # The same state gives the same bytes.


def test_a_disk_that_is_too_small_is_told_beforehand(tmp_path):
    with pytest.raises(NoRoom, match="MB left"):
        archive.check_room(tmp_path, 1 << 60)


def test_memory_is_bounded_by_a_batch_of_rows(tmp_path, instance, other):
    """Reading and filling go on row by row: the first lines come before the last is asked for."""
    engine = other("sqlite")
    pots(engine)
    with store.one_moment(engine) as connection:
        lines = rows.lines(connection, Count.__table__)
        assert "pot-0" in json.loads(next(lines))
    taken = []
    batches = rows._batches(taken.append(n) or b"" for n in range(rows.BATCH * 3))
    assert len(next(batches)) == rows.BATCH
    assert len(taken) == rows.BATCH
