"""Files → plan → store: what a first, a second and a changed load do, and what a failing one leaves."""

from datetime import date

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DBAPIError

from layers import catalog, editions, imports, places, practices, store
from layers.errors import BadInstance
from layers.model import Body, Case, Edition
from layers.sources import instance as sources
from layers.sources.rows import digests
from tests import make

TODAY = date(2026, 11, 22)
LATER = date(2026, 12, 24)
RESOURCES = ["land", "settlements", "practices", "police", "villages", "cases", "counties"]


@pytest.fixture
def reading(engine):
    """A short session on the test's own store."""

    def opened():
        return store.reading(engine, srid=make.SRID)

    return opened


def load(engine, instance, today=TODAY):
    """Loads a folder as it is now; what each plan of a resource says, by resource."""
    plans = imports.load(engine, catalog.read_instance(instance.folder), now=make.moment(today))
    return {plan.source.resource.name: said(plan) for plan in plans}


def said(plan):
    """A plan in figures: keys added, keys changed, unchanged, ended."""
    return (
        [row.key for row in plan.added],
        [row.key for row in plan.changed],
        plan.unchanged,
        len(plan.ended),
    )


NOTHING_NEW = {
    "land": ([], [], 1, 0),
    "settlements": ([], [], 3, 0),
    "practices": ([], [], 2, 0),
    "police": ([], [], 2, 0),
    "villages": ([], [], 2, 0),
    "cases": ([], [], 2, 0),
    "counties": ([], [], 2, 0),
}


def test_the_first_load_adds_everything(engine, instance, reading):
    found = load(engine, instance)

    assert found == {
        "land": (["land:tiny"], [], 0, 0),
        "settlements": (["1001", "1002", "1003"], [], 0, 0),
        "practices": (["alpha", "beta"], [], 0, 0),
        "police": (["west-station", "old-station"], [], 0, 0),
        "villages": (["first-village", "placeless-village"], [], 0, 0),
        "cases": (["first-case", "second-case"], [], 0, 0),
        "counties": (["county:01", "county:02"], [], 0, 0),
    }
    with reading() as session:
        assert places.revisions(session) == dict.fromkeys(RESOURCES, 1)
        assert imports.is_current(session, instance)


def test_what_was_loaded_is_what_the_files_say(engine, instance, reading):
    load(engine, instance)

    with reading() as session:
        station = places.body(session, "west-station", as_of=TODAY)
        case = practices.case(session, "first-case")
        county = places.area(session, "county", "01", as_of=TODAY)
        editions = [(e.name, e.source, e.licence, e.loaded_at, e.rows) for e in places.editions(session)]
    assert station == places.Body(
        key="west-station",
        layer="police",
        name="Lääne jaoskond",
        names={"en": "West station"},
        form="station",
        capabilities=("order", "youth"),
        readiness="always",
        locality="Esimene",
        settlement="1001",
        municipality="",
        county="01",
        precision="settlement",
        place=places.Place(lon=24.25, lat=58.25),
        serves=("county:01", "county:02"),
        valid_from="2010",
        valid_to="",
        notes={"et": "Avatud iga päev, ka öösel.", "en": "Open every day, at night too."},
        source=places.Source("Made up for a test", "https://example.org/west", "2021-06", True),
    )
    assert case.practices == (
        practices.Documented("beta", {"et": "Teisiti", "en": "Differently"}),
        practices.Documented("alpha", {}),
    )
    assert (case.bodies, case.areas) == (("first-village", "west-station"), ("county:01",))
    assert (case.period_from, case.period_to, case.as_of, case.as_of_inferred) == (
        "2015",
        "2021",
        "2021-06",
        True,
    )
    assert case.titles == {"et": "first-case eesti keeles", "en": "first-case in English"}
    assert (county.names, county.facts) == ({"et": "Lääs", "en": "West"}, {"population": "01000"})
    assert editions == [
        (
            name,
            {"en": f"Made up: {name}"},
            "CC0-1.0",
            "2026-11-22T08:00:00Z",
            1 if name == "land" else 3 if name == "settlements" else 2,
        )
        for name in sorted(RESOURCES)
    ]


def test_the_second_load_does_nothing(engine, instance, reading):
    load(engine, instance)
    with reading() as session:
        before = make.everything(session)

    found = load(engine, instance, LATER)

    assert found == {}
    with reading() as session:
        assert make.everything(session) == before


def test_a_changed_an_added_and_a_removed_row_raise_the_revision_of_their_layer_only(
    engine, instance, reading
):
    load(engine, instance)
    rows = [
        {"key": "first-village", "name": "Esimese küla uus selts", "form": "association"},
        {"key": "new-village", "name": "Uus selts", "form": "association"},
    ]
    make.write(instance.folder, "bodies/villages.csv", make.bodies_csv(rows))

    # The case names first-village still, and nothing names the removed one.
    found = load(engine, instance, LATER)

    assert found == {**NOTHING_NEW, "villages": (["new-village"], ["first-village"], 0, 1)}
    with reading() as session:
        assert places.revisions(session) == {**dict.fromkeys(RESOURCES, 1), "villages": 2}
        names = [body.name for body in places.bodies(session, as_of=LATER, layer="villages")]
    assert names == ["Esimese küla uus selts", "Uus selts"]


def test_a_changed_text_and_a_changed_link_are_changes(engine, instance, reading):
    load(engine, instance)
    make.replace(instance.folder, "cases/second-case.en.md", "Text.", "Another text.")
    make.replace(instance.folder, "bodies/police.csv", "county:01;county:02", "county:01")

    found = load(engine, instance, LATER)

    assert (found["cases"], found["police"]) == (([], ["second-case"], 1, 0), ([], ["west-station"], 1, 0))
    with reading() as session:
        assert practices.case(session, "second-case").texts["en"] == "## Background\nAnother text."
        assert [body.key for body in places.bodies_serving(session, "county:02", as_of=LATER)] == []


def test_changed_facts_of_an_area_are_a_change_of_that_area(engine, instance, reading):
    load(engine, instance)
    make.replace(instance.folder, "counties.csv", "02000", "02001")

    found = load(engine, instance, LATER)

    assert found == {**NOTHING_NEW, "counties": ([], ["county:02"], 1, 0)}
    with reading() as session:
        assert places.area(session, "county", "02", as_of=LATER).facts == {"population": "02001"}


def test_old_rows_keep_their_edition_and_say_which_one_ended_them(engine, instance, reading):
    load(engine, instance)
    make.replace(instance.folder, "bodies/police.csv", "Vana jaoskond", "Vana maja")
    load(engine, instance, LATER)

    with reading() as session:
        brought = dict(session.execute(select(Edition.id, Edition.loaded_at)).all())
        query = select(Body.name, Body.edition_id, Body.retired_in).where(Body.key == "old-station")
        states = [
            (name, brought[edition], brought.get(retired))
            for name, edition, retired in session.execute(query.order_by(Body.id))
        ]
    assert states == [
        ("Vana jaoskond", "2026-11-22T08:00:00Z", "2026-12-24T08:00:00Z"),
        ("Vana maja", "2026-12-24T08:00:00Z", None),
    ]


def test_a_row_that_comes_back_is_added_again(engine, instance, reading):
    load(engine, instance)
    table = (instance.folder / "bodies/villages.csv").read_text(encoding="utf-8")
    shorter = "".join(line for line in table.splitlines(True) if not line.startswith("placeless"))
    make.write(instance.folder, "bodies/villages.csv", shorter)
    load(engine, instance)
    make.write(instance.folder, "bodies/villages.csv", table)

    found = load(engine, instance)

    assert found["villages"] == (["placeless-village"], [], 1, 0)
    with reading() as session:
        assert places.revisions(session)["villages"] == 3


def test_two_states_of_one_organisation_are_two_rows(engine, instance, reading):
    states = [
        {"key": "moved", "name": "Enne", "form": "station", "valid_to": "2018-01-01"},
        {"key": "moved", "name": "Pärast", "form": "station", "valid_from": "2018-01-01"},
        {"key": "west-station", "name": "Lääs", "form": "station"},
    ]
    make.write(instance.folder, "bodies/police.csv", make.bodies_csv(states))
    load(engine, instance)

    with reading() as session:
        names = [
            [body.name for body in places.bodies(session, as_of=day, keys=["moved"])]
            for day in (date(2017, 12, 31), date(2018, 1, 1))
        ]
    assert names == [["Enne"], ["Pärast"]]


def test_files_with_problems_leave_the_store_as_it_was(engine, instance, reading):
    load(engine, instance)
    with reading() as session:
        before = make.everything(session)
    make.replace(instance.folder, "bodies/villages.csv", "Esimese küla selts", "Uus nimi")
    make.replace(instance.folder, "bodies/police.csv", "2012-05-16", "16.05.2012")

    with pytest.raises(BadInstance):
        load(engine, instance, LATER)

    with reading() as session:
        assert make.everything(session) == before


def test_a_load_that_fails_half_way_leaves_the_store_as_it_was(engine, instance, reading):
    load(engine, instance)
    with reading() as session:
        before = make.everything(session)
    make.replace(instance.folder, "bodies/police.csv", "Vana jaoskond", "Vana maja")

    def fail_late(plan):
        if plan.source.resource.name == "counties":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.load(engine, catalog.read_instance(instance.folder), now=make.moment(LATER), tell=fail_late)

    with reading() as session:
        assert make.everything(session) == before
    assert load(engine, instance, LATER)["police"] == ([], ["old-station"], 1, 0)


def test_a_store_that_refuses_a_row_keeps_what_it_had(engine, instance, reading):
    store.set_up(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE case_body"))

    with pytest.raises(DBAPIError):
        load(engine, instance)

    with reading() as session:
        assert session.scalars(select(Edition.id)).all() == []
        assert session.scalars(select(Body.id)).all() == []


def test_a_plan_writes_nothing(engine, instance, reading):
    store.set_up(engine)

    with reading() as session:
        for source in sources.read(instance):
            editions.plan(editions.known(session, source), source)
        session.commit()
        assert session.scalars(select(Edition.id)).all() == []


def test_each_plan_is_told_in_order(engine, instance):
    heard = []

    plans = imports.load(engine, instance, now=make.moment(TODAY), tell=heard.append)

    assert heard == plans
    assert [plan.source.resource.name for plan in heard] == RESOURCES
    assert [plan.does_nothing for plan in heard] == [False] * len(RESOURCES)


def test_digests_are_the_same_on_both_stores_and_in_the_files(engine, instance, reading):
    rows = [row for source in sources.read(instance) for row in source.rows]
    in_files = dict(zip([row.key for row in rows], digests(rows), strict=True))
    load(engine, instance)

    with reading() as session:
        held = [dict(session.execute(select(table.key, table.digest)).all()) for table in (Body, Case)]
    for found in held:
        assert found == {key: in_files[key] for key in found}
    again = [row for source in sources.read(instance) for row in source.rows]
    assert dict(zip([row.key for row in again], digests(again), strict=True)) == in_files


def hearing_the_second_writer(engine, work):
    """Calls `work` once, when the load is about to wait for its turn (the first turn is the set-up's)."""
    turns = []

    @event.listens_for(engine, "before_cursor_execute")
    def hear(_connection, _cursor, statement, *_rest):
        if statement.startswith("BEGIN IMMEDIATE") or "pg_advisory_xact_lock" in statement:
            turns.append(statement)
            if len(turns) == 2:
                work()


def test_of_two_loads_at_once_the_second_finds_nothing_to_do(engine, instance, reading):
    other = store.open_store(engine.url.render_as_string(hide_password=False))
    try:
        hearing_the_second_writer(engine, lambda: imports.load(other, instance, now=make.moment(TODAY)))

        found = load(engine, instance)
    finally:
        other.dispose()

    assert found == {}
    with reading() as session:
        names = session.scalars(select(Edition.table_name)).all()
        revisions = places.revisions(session)
    assert sorted(names) == sorted(RESOURCES)
    assert revisions == dict.fromkeys(RESOURCES, 1)


def without_villages(instance):
    """The tiny country with one layer less."""

    def edit(about):
        about["layers"] = [layer for layer in about["layers"] if layer["key"] != "villages"]

    make.change(instance.folder, "instance.yaml", edit)
    make.replace(instance.folder, "cases/first-case.et.md", "- first-village\n", "")


def test_a_layer_that_is_gone_from_the_instance_is_gone_from_the_answers(engine, instance, reading):
    load(engine, instance)
    without_villages(instance)

    load(engine, instance, LATER)

    with reading() as session:
        keys = [body.key for body in places.bodies(session, as_of=date(2011, 1, 1))]
    assert keys == ["west-station", "old-station"]


def test_after_a_layer_is_gone_a_second_load_does_nothing(engine, instance):
    load(engine, instance)
    without_villages(instance)
    load(engine, instance, LATER)

    assert load(engine, instance, LATER) == {}


def test_a_layer_that_is_gone_is_retired_and_comes_back_when_it_returns(engine, instance, reading):
    load(engine, instance)
    kept = {
        name: (instance.folder / name).read_bytes() for name in ("instance.yaml", "cases/first-case.et.md")
    }

    def told():
        with reading() as session:
            keys = [body.key for body in places.bodies(session, as_of=LATER, layer="villages")]
            names = [edition.name for edition in places.editions(session)]
            return keys, "villages" in names, places.revisions(session)["villages"]

    there = told()
    without_villages(instance)
    load(engine, instance, LATER)
    gone = told()
    with reading() as session:
        held = session.scalars(select(Body.key).where(Body.layer == "villages").order_by(Body.key)).all()
    for name, content in kept.items():
        make.write(instance.folder, name, content)
    found = load(engine, instance, LATER)

    assert there == (["placeless-village", "first-village"], True, 1)
    assert gone == ([], False, 2)
    assert held == ["first-village", "placeless-village"]
    assert found["villages"] == (["first-village", "placeless-village"], [], 0, 0)
    assert told() == (["placeless-village", "first-village"], True, 3)
    assert load(engine, instance, LATER) == {}
