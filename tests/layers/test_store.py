"""The store: migrations, set-up by many at once, indexes, and what is said when it cannot be used."""

import multiprocessing
import shutil
import socket
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from datetime import date

import pytest
import shapely
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, inspect, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import aliased

from layers import catalog, geo, imports, store
from layers.columns import Geom, in_box, wkb_of
from layers.errors import BadStoreAddress, StoreBroken, StoreNotReady
from layers.model import Area, Base, Body, Edition
from tests import make

TODAY = date(2026, 11, 22)
degrees = st.tuples(
    st.floats(23.5, 26.5, allow_nan=False).map(lambda lon: round(lon, 4)),
    st.floats(57.6, 59.4, allow_nan=False).map(lambda lat: round(lat, 4)),
)


def differences(engine):
    """What the models have and the store has not, or the other way round."""

    def ours(name, type_, _parents):
        if type_ == "table":
            return name in Base.metadata.tables
        return not (type_ == "index" and (name or "").startswith("idx_"))

    with engine.connect() as connection:
        options = {"include_name": ours, "compare_type": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def tables(engine):
    ours = {*Base.metadata.tables}
    return {name for name in inspect(engine).get_table_names() if name in ours or name.startswith("idx_")}


def indexes(engine):
    """Names of the spatial indexes and, on SQLite, of their triggers."""
    if engine.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE name GLOB 'idx_*_geom*' AND type IN ('table','trigger')"
    else:
        query = "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%USING gist%'"
    with engine.connect() as connection:
        names = connection.execute(text(query)).scalars().all()
    return {name for name in names if not name.endswith(("_node", "_parent", "_rowid"))}


# --- Migrations


def test_migrations_go_up_down_and_up_again_and_end_at_the_models(engine):
    store.migrate(engine, "head")
    made = tables(engine)
    store.migrate(engine, "base")
    left = tables(engine)
    store.migrate(engine, "head")

    assert {*Base.metadata.tables} <= made
    assert left == set()
    assert tables(engine) == made
    assert differences(engine) == []


def test_a_difference_to_the_models_would_be_seen(engine):
    store.set_up(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE body ADD COLUMN surprise INTEGER"))

    assert [kind for kind, *_ in differences(engine)] == ["remove_column"]


def test_a_store_can_be_taken_down_while_it_holds_facts(engine, instance):
    imports.load(engine, instance, now=make.moment(TODAY))
    store.migrate(engine, "base")
    store.migrate(engine, "head")

    with store.reading(engine, srid=make.SRID) as session:
        assert [rows for rows in make.everything(session).values() if rows] == []


def test_setting_up_twice_changes_nothing(engine, instance):
    imports.load(engine, instance, now=make.moment(TODAY))
    with store.reading(engine, srid=make.SRID) as session:
        before = make.everything(session)
    found = indexes(engine)

    store.set_up(engine)

    with store.reading(engine, srid=make.SRID) as session:
        assert make.everything(session) == before
    assert len(found) >= 4
    assert indexes(engine) == found


def test_a_lost_trigger_is_made_anew_and_the_index_filled(tmp_path):
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    store.set_up(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER idx_body_geom_insert"))
    with store.writing(engine, srid=make.SRID) as session:
        make.a_body(session, key="unseen")
        session.commit()

    store.set_up(engine)

    with store.reading(engine, srid=make.SRID) as session:
        found = session.scalars(select(Body.key).where(in_box(Body.geom, (0, 0, 1e7, 1e7)))).all()
    engine.dispose()
    assert found == ["unseen"]


# --- Many at once


# Processes of their own, but libraries are loaded once for all of them where the system can do so.
KINDS = multiprocessing.get_all_start_methods()
PROCESSES = multiprocessing.get_context("forkserver" if "forkserver" in KINDS else "spawn")
PROCESSES.set_forkserver_preload([__name__, "geopandas"])


def load_at_once(url, folder, gate):
    """One of several processes that set up and load; `gate` lets them begin together."""
    engine = store.open_store(url)
    try:
        gate.wait(timeout=60)
        imports.load(engine, catalog.read_instance(folder), now=make.moment(TODAY))
    finally:
        engine.dispose()


def facts(engine):
    """All facts by table, without the numbers that tell which edition brought them."""
    with store.reading(engine, srid=make.SRID) as session:
        held = make.everything(session)
    return {name: rows for name, rows in held.items() if name != "edition"}


@pytest.mark.slow
def test_four_processes_that_set_up_and_load_at_once_leave_what_one_leaves(engine, instance, tmp_path):
    alone = store.open_store(f"sqlite:///{tmp_path / 'alone.sqlite'}")
    imports.load(alone, instance, now=make.moment(TODAY))
    url = engine.url.render_as_string(hide_password=False)

    with PROCESSES.Manager() as manager, ProcessPoolExecutor(4, mp_context=PROCESSES) as pool:
        gate = manager.Barrier(4)
        done = [pool.submit(load_at_once, url, instance.folder, gate) for _ in range(4)]
        failed = [future.exception() for future in done]

    assert failed == [None] * 4
    assert facts(engine) == facts(alone)
    alone.dispose()


# --- The box


def plan_of(session, query):
    """How the store would answer a query."""
    if session.get_bind().dialect.name == "sqlite":
        compiled = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        return "\n".join(row[-1] for row in session.execute(text(f"EXPLAIN QUERY PLAN {compiled}")))
    compiled = query.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    session.execute(text("SET LOCAL enable_seqscan = off"))
    return "\n".join(session.execute(text(f"EXPLAIN {compiled}")).scalars())


@pytest.mark.parametrize("table", [Body, Area, aliased(Body)], ids=["bodies", "areas", "alias"])
def test_a_box_uses_the_spatial_index(session, table):
    query = select(table.id).where(in_box(table.geom, (0, 0, 1, 1)))

    plan = plan_of(session, query)

    name = inspect(table).mapper.local_table.name
    if session.get_bind().dialect.name == "sqlite":
        assert f"SCAN idx_{name}_geom VIRTUAL TABLE INDEX" in plan
        # The other table is looked up by its key, never read from end to end.
        assert [line for line in plan.splitlines() if line.startswith(("SCAN body", "SCAN area"))] == []
    else:
        assert f"idx_{name}_geom" in plan


def test_a_box_joined_to_other_conditions_still_uses_the_index(session):
    query = select(Body.id).where(Body.layer == "police", in_box(Body.geom, (0, 0, 1, 1)))

    plan = plan_of(session, query)

    assert "idx_body_geom" in plan


@given(points=st.lists(degrees, max_size=12), corners=st.tuples(degrees, degrees))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # Each example is undone, so that the fixture's session is as new.
def test_a_box_finds_all_that_meets_it_and_little_more(session, points, corners):
    first, second = (geo.metric_point(geo.Place(lon=lon, lat=lat), srid=make.SRID) for lon, lat in corners)
    frame = shapely.union(first, second).bounds
    with make.undone(session):
        there = {make.a_body(session, at=at).key: make.metric(shapely.Point(at)) for at in points}

        found = set(session.scalars(select(Body.key).where(in_box(Body.geom, frame))))

        exact = {
            key
            for key, point in there.items()
            if shapely.intersects_xy(shapely.box(*frame), point.x, point.y)
        }
        wide = shapely.buffer(shapely.box(*frame), 2)
        assert exact <= found
        assert found <= {key for key, point in there.items() if wide.intersects(point)}


# --- The index follows the facts


def everywhere(session):
    """Keys of the bodies that the spatial index knows at all."""
    return sorted(session.scalars(select(Body.key).where(in_box(Body.geom, (-1e7, -1e7, 1e8, 1e8)))))


def near(session, at):
    x, y = make.metric(shapely.Point(at)).coords[0]
    query = select(Body.key).where(in_box(Body.geom, (x - 5, y - 5, x + 5, y + 5)))
    return sorted(session.scalars(query))


def test_the_index_follows_what_is_added_moved_unplaced_placed_and_removed(session):
    here, there = (24.5, 58.5), (25.5, 58.6)
    make.a_body(session, key="moved", at=here)
    make.a_body(session, key="unplaced", at=here)
    make.a_body(session, key="placed", at=None)
    make.a_body(session, key="removed", at=here)
    assert everywhere(session) == ["moved", "removed", "unplaced"]

    def shift(key, at):
        geom = make.metric(shapely.Point(at)) if at else None
        session.execute(update(Body).where(Body.key == key).values(geom=geom))

    shift("moved", there)
    shift("unplaced", None)
    shift("placed", there)
    session.execute(delete(Body).where(Body.key == "removed"))

    assert (near(session, here), near(session, there)) == ([], ["moved", "placed"])
    assert everywhere(session) == ["moved", "placed"]


def test_the_index_forgets_what_is_rolled_back(session):
    make.a_body(session, key="kept", at=(24.5, 58.5))
    with make.undone(session):
        make.a_body(session, key="gone", at=(24.5, 58.5))
        session.execute(
            update(Body).where(Body.key == "kept").values(geom=make.metric(shapely.Point(25, 58)))
        )
        assert near(session, (24.5, 58.5)) == ["gone"]

    assert near(session, (24.5, 58.5)) == ["kept"]
    assert everywhere(session) == ["kept"]


def test_a_shape_comes_back_as_it_went_in(session):
    shape = make.metric(shapely.box(24, 58, 25, 59).difference(shapely.box(24.2, 58.2, 24.4, 58.4)))
    make.an_area(session, geom=shapely.set_srid(shapely.multipolygons([shape]), make.SRID))

    live = session.scalars(select(Area.geom)).one()
    _, wkb = session.execute(select(Area.key, wkb_of(Area.geom))).one()

    assert shapely.get_srid(live) == make.SRID
    assert list(live.geoms) == [shape]
    assert list(shapely.from_wkb(wkb).geoms) == [shape]


def test_an_invalid_shape_is_refused(session):
    bow_tie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])

    with pytest.raises(Exception, match="Self-intersection"), make.undone(session):
        make.an_area(session, geom=shapely.multipolygons([bow_tie]))

    assert session.scalars(select(Area.key)).all() == []


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgis"])
def test_no_shape_is_kept_as_no_shape(dialect):
    assert Geom().process_bind_param(None, dialect) is None
    assert Geom().process_result_value(None, dialect) is None


# --- What is said when the store cannot be used


def test_a_store_that_is_not_set_up_is_not_ready(engine):
    with pytest.raises(StoreNotReady, match=r"The store is not set up\. Run: turvakaart setup"):
        store.check_ready(engine)

    store.set_up(engine)
    store.check_ready(engine)


def test_a_store_at_an_earlier_version_is_not_ready(engine):
    store.set_up(engine)
    store.migrate(engine, "base")

    with pytest.raises(StoreNotReady):
        store.check_ready(engine)


def told(work, engine):
    """The sentence in which work on a broken store ends."""
    with pytest.raises(StoreBroken) as found:
        work(engine)
    engine.dispose()
    return str(found.value)


REMEDY = (
    ". It was left as it is. Move it away, then put the last backup in its place with: "
    "turvakaart restore FILE --write"
)
WORK = pytest.mark.parametrize("work", [store.check_ready, store.set_up])


@WORK
def test_a_file_that_is_no_store_is_told_in_a_sentence(tmp_path, work):
    file = make.write(tmp_path, "store.sqlite", "This is a letter and no database. " * 100)

    found = told(work, store.open_store(f"sqlite:///{file}"))

    assert found == f"The store {file} cannot be used: file is not a database{REMEDY}"
    assert file.read_text(encoding="utf-8").startswith("This is a letter")


@WORK
def test_a_folder_in_place_of_the_store_is_told_in_a_sentence(tmp_path, work):
    found = told(work, store.open_store(f"sqlite:///{tmp_path}"))

    assert found == f"The store {tmp_path} cannot be used: unable to open database file."


@WORK
def test_half_a_store_is_told_in_a_sentence(tmp_path, work):
    whole = store.open_store(f"sqlite:///{tmp_path / 'whole.sqlite'}")
    store.set_up(whole)
    whole.dispose()
    file = shutil.copy(tmp_path / "whole.sqlite", tmp_path / "half.sqlite")
    with open(file, "r+b") as stream:  # noqa: PTH123
        stream.truncate(6_000)

    found = told(work, store.open_store(f"sqlite:///{file}"))

    assert found == f"The store {file} cannot be used: database disk image is malformed{REMEDY}"


@WORK
def test_an_empty_file_is_a_store_that_was_lost_and_not_a_new_one(tmp_path, work):
    file = make.write(tmp_path, "store.sqlite", "")

    found = told(work, store.open_store(f"sqlite:///{file}"))

    assert found == f"The store {file} cannot be used: it is empty{REMEDY}"
    assert [one.name for one in tmp_path.iterdir()] == ["store.sqlite"]
    assert file.stat().st_size == 0


def test_a_page_that_is_damaged_in_the_middle_is_found_at_the_start(tmp_path):
    file = tmp_path / "store.sqlite"
    engine = store.open_store(f"sqlite:///{file}")
    store.set_up(engine)
    engine.dispose()
    body = bytearray(file.read_bytes())
    body[40 * 4096 : 41 * 4096] = b"x" * 4096
    file.write_bytes(body)

    found = told(store.set_up, store.open_store(f"sqlite:///{file}"))

    assert found.endswith(REMEDY)
    assert file.read_bytes() == body


@WORK
def test_a_damaged_name_that_is_no_text_is_told_as_damage(tmp_path, work):
    file = tmp_path / "store.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE somewhere (name TEXT)")
    connection.close()
    body = file.read_bytes()
    body = body.replace(b"tablesomewheresomewhere", b"tablesomew\xf5eresomewhere")
    file.write_bytes(body.replace(b"CREATE TABLE", b"xREATE TABLE"))

    found = told(work, store.open_store(f"sqlite:///{file}"))

    reason = r"malformed database schema (somew\xf5ere)"
    assert found == f"The store {file} cannot be used: {reason}{REMEDY}"


def test_what_is_committed_has_reached_the_disk(tmp_path):
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with engine.connect() as connection:
        told = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
        ]
    engine.dispose()

    assert told == [2, "wal"]  # FULL
    assert [one.name for one in tmp_path.iterdir()] == ["store.sqlite"]


@WORK
def test_a_server_that_does_not_answer_is_told_without_the_password(work):
    url = "postgresql+psycopg://someone:hush-hush@127.0.0.1:9/nowhere"

    found = told(work, store.open_store(url))

    assert found.startswith("The store nowhere cannot be used: connection failed")
    assert "hush-hush" not in found
    assert "Traceback" not in found
    assert "\n" not in found


def test_a_store_below_a_file_is_told_in_a_sentence(tmp_path):
    file = make.write(tmp_path, "letter.txt", "Not a folder")

    with pytest.raises(StoreBroken, match="cannot be used"):
        store.check_ready(store.open_store(f"sqlite:///{file}/store.sqlite"))


def test_a_reader_does_not_wait_for_a_writer(engine):
    store.set_up(engine)
    with store.writing(engine, srid=make.SRID) as writer:
        make.an_edition(writer)

        with store.reading(engine, srid=make.SRID) as reader:
            seen = reader.scalars(select(Edition.id)).all()

        writer.rollback()
    assert seen == []


def test_sqlite_has_the_index_that_is_needed():
    with sqlite3.connect(":memory:") as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    connection.close()

    assert "ENABLE_RTREE" in options


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql+nodriver://me:secret@host/name", "oracle://me:secret@host"]
)
def test_an_address_without_a_driver_is_told_in_a_sentence(url):
    with pytest.raises(BadStoreAddress) as told:
        store.open_store(url)

    assert "secret" not in str(told.value)


@pytest.mark.slow
def test_a_server_that_swallows_what_is_sent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(store, "_CONNECT_PATIENCE_S", 2)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        engine = store.open_store(f"postgresql+psycopg://nobody@127.0.0.1:{deaf.getsockname()[1]}/none")

        with pytest.raises(OperationalError, match="timeout"):
            engine.connect()
