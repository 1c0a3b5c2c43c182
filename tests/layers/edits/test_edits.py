"""Edits by hand: what is told on every day, who may, what is refused, and that all of it is undone."""

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from layers import accounts, catalog, dates, edits, geo, imports, model, places, practices, proposals, store
from layers.editions import AlreadyUndone, ChangedSince
from layers.edits import CORRECT, END, FROM_DAY, NEW, Change, Clash, NoEdit, NothingChanged, Wrong
from layers.model import EDITS
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
_LAYERS = [
    *(
        {"key": key, "of": "bodies", "colour": "#0072B2", "symbol": "square"}
        for key in ("police", "villages")
    ),
    {"key": "cases", "of": "cases", "colour": "#6A3D9A", "symbol": "star"},
    {"key": "counties", "of": "areas", "kind": "county", "colour": "#5B6B7A", "symbol": "line"},
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = make.an_instance(tmp_path_factory.mktemp("edits") / "tiny")
    _LAYERS[1]["finest"] = {"settlement": 2000, "municipality": 5000}
    layers = [{"label": {"en": one["key"]}, "about": {"en": "x"}, **one} for one in _LAYERS]
    make.change(folder, "instance.yaml", lambda said: said.update(layers=layers))
    return catalog.read_instance(folder)


@pytest.fixture
def engine(tiny, store_url):
    """A store of its own that holds the tiny country, for tests that commit."""
    engine = store.open_store(store_url)
    imports.load(engine, tiny, now=NOW)
    yield engine
    engine.dispose()


def a_change(session, tiny, key="west-station", *, table="body", way=CORRECT, day="", state=None, **cells):
    thing = edits.thing(session, tiny, table, key)
    state = thing.states[-1].valid_from if state is None else state
    whole = {**thing.state(state).cells, **cells}
    return Change(table, key, thing.layer, way, state, day, whole), thing.seen


def edit(session, tiny, key="west-station", *, by="Steward", note="", seen=None, **about):
    change, now_seen = a_change(session, tiny, key, **about)
    prepared = edits.prepare(session, tiny, change, seen=now_seen if seen is None else seen)
    return edits.write(session, tiny, prepared, account=by, note=note, now=NOW)


def names_on(session, key, day):
    query = model.on_day(session, select(model.Body.name).where(model.Body.key == key), model.Body, day)
    return " and ".join(session.scalars(query))


def faults(raised):
    return [(one.field, str(one.what)) for one in raised.value.faults]


def test_a_correction_was_always_so_and_leaves_the_rest_as_it_was(session, tiny):
    before = places.body(session, "west-station", as_of=date(2026, 1, 1))

    edit(session, tiny, name="Uus jaoskond", note="Renamed wrongly")

    after = places.body(session, "west-station", as_of=date(2026, 1, 1))
    assert after.name == "Uus jaoskond"
    assert (after.place, after.serves, after.notes) == (before.place, before.serves, before.notes)
    assert names_on(session, "west-station", date(2011, 1, 1)) == "Uus jaoskond"


def test_a_change_from_a_day_keeps_what_was_before(session, tiny):
    edit(session, tiny, way=FROM_DAY, day="2020-05", name="Uus jaoskond")

    told = [names_on(session, "west-station", date(2020, 5, 1) - timedelta(days=n)) for n in (0, 1)]
    assert told == ["Uus jaoskond", "Lääne jaoskond"]


def test_what_ends_is_told_until_its_day_and_cases_still_lead_to_it(session, tiny):
    edit(session, tiny, way=END, day="2022-01-01")

    assert names_on(session, "west-station", date(2021, 12, 31)) == "Lääne jaoskond"
    assert names_on(session, "west-station", date(2022, 1, 1)) == ""
    assert "west-station" in practices.case(session, "first-case").bodies


def test_a_point_that_was_not_touched_does_not_move(session, tiny):
    where = select(model.Body.geom).where(model.Body.key == "west-station", model.is_shown(model.Body))
    before = session.scalars(where).one()

    edit(session, tiny, name="Uus")

    assert session.scalars(where).one() == before


def test_undo_and_the_undoing_of_it(session, tiny):
    first = edit(session, tiny, name="Uus")
    second = edit(session, tiny, way=FROM_DAY, day="2020", name="Uuem")
    with pytest.raises(ChangedSince):
        edits.undo(session, tiny, first, now=NOW, account="S", note="")
    undone = edits.undo(session, tiny, second, now=NOW, account="S", note="")
    with pytest.raises(AlreadyUndone):
        edits.undo(session, tiny, second, now=NOW, account="S", note="")
    assert names_on(session, "west-station", date(2026, 1, 1)) == "Uus"
    edits.undo(session, tiny, undone, now=NOW, account="S", note="")
    assert names_on(session, "west-station", date(2026, 1, 1)) == "Uuem"
    files = session.scalars(select(model.Edition.id).where(model.Edition.dataset == "")).first()
    with pytest.raises(NoEdit):
        edits.undo(session, tiny, files, now=NOW, account="S", note="")


def test_the_history_tells_who_changed_what_and_why(session, tiny):
    number = edit(session, tiny, name="Uus jaoskond", note="The sign says so", by="Steward of West")

    step = edits.history(session, tiny, "body", "west-station")[0]

    assert (step.about.edition, step.about.account, step.about.note) == (
        number,
        "Steward of West",
        "The sign says so",
    )
    assert [(one.start, [(x.field, x.before, x.after) for x in one.lines]) for one in step.changes] == [
        ("2010", [("name", "Lääne jaoskond", "Uus jaoskond")])
    ]
    assert edits.latest(session)[0].things == (("body", "west-station"),)


def test_a_new_organisation_gets_a_key_of_its_own(session, tiny):
    blank = {"name": "Lääne jaoskond", "form": "station", "source": "Seen", "county": "01"}
    made = []
    for _ in range(2):
        prepared = edits.prepare(session, tiny, Change("body", "", "police", NEW, cells=blank), seen=0)
        edits.write(session, tiny, prepared, account="S", note="", now=NOW)
        made.append(prepared.outcome.rows[0].key)

    assert made == ["laane-jaoskond", "laane-jaoskond-2"]
    assert names_on(session, made[1], date(2026, 1, 1)) == "Lääne jaoskond"


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"name": ""}, "name"),
        ({"note_en": "Call juhan@selts.ee"}, "note_en"),
        ({"serves": "county:01;county:99"}, "serves"),
        ({"county": "99"}, "county"),
        ({"settlement": "9"}, "settlement"),
        ({"form": "<b>"}, "form"),
        ({"lat": "far"}, "lat"),
        ({"lat": "10", "lon": "10"}, ""),
        ({"valid_from": "soon"}, "valid_from"),
        ({"source_url": "javascript:alert(1)"}, "source_url"),
        ({"note_et": "x" * 4001}, "note_et"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_field(session, tiny, cells, field):
    with pytest.raises(Wrong) as raised:
        edit(session, tiny, **cells)

    assert [one for one, _ in faults(raised)] == [field]
    assert edits.latest(session) == []


@pytest.mark.parametrize("day", ["", "2010", "2009-12-31", "soon"])
def test_a_change_lies_inside_its_state(session, tiny, day):
    with pytest.raises(Wrong) as raised:
        edit(session, tiny, way=FROM_DAY, day=day, name="Uus")

    assert [one for one, _ in faults(raised)] == ["day"]


def test_nothing_to_change_is_said_so(session, tiny):
    for about in ({}, {"way": FROM_DAY, "day": "2020"}):
        with pytest.raises(NothingChanged):
            edit(session, tiny, **about)


def test_a_layer_with_a_policy_refuses_a_house_and_moves_a_point_that_is_too_fine(session, tiny):
    key = next(row.key for row in places.bodies(session, as_of=date(2026, 1, 1)) if row.layer == "villages")
    with pytest.raises(Wrong) as raised:
        edit(session, tiny, key, place="Kalda 5")
    assert [one for one, _ in faults(raised)] == ["place"]

    change, seen = a_change(
        session, tiny, key, lat="58.3123", lon="24.3123", precision="settlement", settlement="1001"
    )
    prepared = edits.prepare(session, tiny, change, seen=seen)

    point = prepared.outcome.rows[0].values["geom"]
    known = session.scalars(select(model.Settlement.geom).where(model.Settlement.key == "1001")).one()
    assert len(prepared.told) == 1
    assert "was moved" in prepared.told[0]
    assert point.equals_exact(known if hasattr(known, "x") else shapely.from_wkb(bytes(known.data)), 0.01)


# --- Areas


def test_an_area_is_renamed_and_keeps_its_shape_and_facts(session, tiny):
    before = edits.area(session, tiny, "county", "01").states[-1].row.values

    edit(session, tiny, "county:01", table="area", name_en="Westland")

    after = edits.area(session, tiny, "county", "01").states[-1].row.values
    assert after["names"]["en"] == "Westland"
    assert (after["facts"], after["geom"].wkb) == (before["facts"], before["geom"].wkb)


def test_a_drawn_area_is_repaired_and_its_overlap_told(session, tiny):
    shape = '{"type":"Polygon","coordinates":[[[24,58],[25.2,58],[25.2,59],[24,59],[24,58]]]}'
    change, seen = a_change(session, tiny, "county:01", table="area", shape=shape)

    prepared = edits.prepare(session, tiny, change, seen=seen)

    assert [one for one in prepared.told if "16.7%" in one and "county:02" in one]
    edits.write(session, tiny, prepared, account="S", note="", now=NOW)
    area = edits.area(session, tiny, "county", "01").states[-1].row.values["geom"]
    assert area.area == pytest.approx(make.metric(shapely.box(24, 58, 25.2, 59)).area, rel=1e-6)


@pytest.mark.parametrize(
    "shape",
    [
        "POINT (24 58)",
        "<svg>",
        "{",
        '{"type":"FeatureCollection"}',
        "POLYGON ((0 0, 1 0, 1 1, 0 0))",
        "POLYGON ((24 58, nan 58, 25 59, 24 58))",
        "LINESTRING (24 58, 25 59)",
        '{"type":"Polygon","coordinates":"x"}',
        "[" * 5000,
    ],
)
def test_a_shape_that_is_none_is_refused(session, tiny, shape):
    with pytest.raises(Wrong):
        edit(session, tiny, "county:01", table="area", shape=shape)


def test_a_broken_shape_is_repaired_and_the_repair_told(session, tiny):
    bow = "POLYGON ((24 58, 25 59, 25 58, 24 59, 24 58))"
    change, seen = a_change(session, tiny, "county:01", table="area", shape=bow)

    prepared = edits.prepare(session, tiny, change, seen=seen)

    assert [str(one) for one in prepared.told] == ["Its shape was repaired: Self-intersection."]
    assert prepared.outcome.rows[0].values["geom"].is_valid


# --- Two at once


def test_the_second_of_two_is_told_and_nothing_is_lost(session, tiny):
    change, seen = a_change(session, tiny, name="Mine", place="There")
    edit(session, tiny, name="Theirs", note_en="Closed on Sundays.")

    with pytest.raises(Clash) as raised:
        edits.prepare(session, tiny, change, seen=seen)

    told = {one.field: (one.before, one.present, one.after) for one in raised.value.lines}
    assert told == {
        "name": ("Lääne jaoskond", "Theirs", "Mine"),
        "place": ("Esimene", "Esimene", "There"),
        "note_en": (
            "Open every day, at night too.",
            "Closed on Sundays.",
            "Open every day, at night too.",
        ),
    }
    merged = raised.value.merged
    assert (merged.cells["name"], merged.cells["place"], merged.cells["note_en"]) == (
        "Mine",
        "There",
        "Closed on Sundays.",
    )
    prepared = edits.prepare(session, tiny, merged, seen=raised.value.present.seen)
    edits.write(session, tiny, prepared, account="S", note="", now=NOW)
    assert names_on(session, "west-station", date(2026, 1, 1)) == "Mine"


def test_what_somebody_else_changes_elsewhere_is_no_clash(session, tiny):
    change, seen = a_change(session, tiny, name="Mine")
    edit(session, tiny, "county:01", table="area", name_en="Westland")

    edits.prepare(session, tiny, change, seen=seen)


def test_of_writers_at_the_same_moment_one_wins_and_the_others_are_told(engine, tiny):
    with store.reading(engine, srid=tiny.metric_crs) as session:
        ready = [a_change(session, tiny, name=f"Name {n}") for n in range(4)]
    gate, told = threading.Barrier(4), []

    def run(change, seen):
        gate.wait()
        with store.writing(engine, srid=tiny.metric_crs) as session:
            try:
                prepared = edits.prepare(session, tiny, change, seen=seen)
                edits.write(session, tiny, prepared, account="S", note="", now=NOW)
                session.commit()
                told.append(("won", change.cells["name"]))
            except Clash as clash:
                told.append(("told", clash.merged.cells["name"]))

    threads = [threading.Thread(target=run, args=one) for one in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(what for what, _ in told) == ["told"] * 3 + ["won"]
    assert {name for _, name in told} == {f"Name {n}" for n in range(4)}
    with store.reading(engine, srid=tiny.metric_crs) as session:
        won = next(name for what, name in told if what == "won")
        assert names_on(session, "west-station", date(2026, 1, 1)) == won
        assert len(edits.latest(session)) == 1


# --- Who may


@pytest.mark.parametrize(
    ("role", "layers", "areas", "may"),
    [
        ("steward", (), (), True),
        ("partner", (), (), False),
        ("steward", ("villages",), (), False),
        ("steward", ("police",), ("county:01",), True),
        ("steward", (), ("county:02",), False),
        ("admin", ("villages",), ("county:02",), True),
    ],
)
def test_a_scope_limits_what_one_may_edit(session, tiny, role, layers, areas, may):
    who = accounts.Account(1, "n", "l", role, layers, areas, False, True, False, "")
    change, seen = a_change(session, tiny, name="Uus")
    prepared = edits.prepare(session, tiny, change, seen=seen)

    assert edits.may(session, who, "steward", layer="police", rows=prepared.rows) is may


def test_nothing_is_moved_out_of_ones_own_area(session, tiny):
    who = accounts.Account(1, "n", "l", "steward", (), ("county:01",), False, True, False, "")
    change, seen = a_change(session, tiny, county="02", settlement="")
    prepared = edits.prepare(session, tiny, change, seen=seen)

    assert not edits.may(session, who, "steward", layer="police", rows=prepared.rows)


# --- Proposals


def propose(session, tiny, **cells):
    change, seen = a_change(session, tiny, **cells)
    prepared = edits.prepare(session, tiny, change, seen=seen)
    return proposals.propose(session, prepared, seen=seen, label="Watch of West", note="Seen there", now=NOW)


def test_a_proposal_changes_nothing_until_it_is_accepted_and_then_names_both(session, tiny):
    number = propose(session, tiny, name="Uus")
    assert names_on(session, "west-station", date(2026, 1, 1)) == "Lääne jaoskond"

    edition, _ = proposals.accept(session, tiny, number, by="Steward", now=NOW)

    about = edits.latest(session)[0]
    assert (about.edition, about.account, about.proposed_by, about.note) == (
        edition,
        "Steward",
        "Watch of West",
        "Seen there",
    )
    assert names_on(session, "west-station", date(2026, 1, 1)) == "Uus"
    assert proposals.waiting(session) == []
    with pytest.raises(proposals.Decided):
        proposals.accept(session, tiny, number, by="Steward", now=NOW)


def test_a_proposal_keeps_no_point_that_is_finer_than_the_layer_may_tell(session, tiny):
    key = next(row.key for row in places.bodies(session, as_of=date(2026, 1, 1)) if row.layer == "villages")
    number = propose(
        session, tiny, key=key, lat="58.3123", lon="24.3123", precision="settlement", settlement="1001"
    )

    kept = proposals.one(session, number).change.cells

    assert (kept["lat"], kept["lon"]) == ("58.25", "24.25")
    proposals.accept(session, tiny, number, by="Steward", now=NOW)


def test_a_proposal_that_others_overtook_is_shown_and_not_written(session, tiny):
    number = propose(session, tiny, name="Uus")
    edit(session, tiny, name="Teine")

    with pytest.raises(Clash):
        proposals.accept(session, tiny, number, by="Steward", now=NOW)

    assert [one.id for one in proposals.waiting(session)] == [number]


def test_a_proposal_is_declined_with_a_reason_and_forgotten(session, tiny):
    number = propose(session, tiny, name="Uus")
    with pytest.raises(proposals.NoReason):
        proposals.decline(session, number, by="Steward", reason=" ", now=NOW)

    proposals.decline(session, number, by="Steward", reason="It is not so", now=NOW)

    (mine,) = proposals.of(session, "Watch of West")
    assert (mine.state, mine.reason, mine.change.cells) == ("declined", "It is not so", {})


def test_edits_are_taken_back_one_after_the_other(session, tiny):
    numbers = [edit(session, tiny, name=name) for name in ("One", "Two", "Three")]

    for number, left in zip(reversed(numbers), ("Two", "One", "Lääne jaoskond"), strict=True):
        undone = edits.undo(session, tiny, number, now=NOW, account="S", note="")
        assert names_on(session, "west-station", date(2026, 1, 1)) == left
        assert edits.latest(session)[0].undoes == number
        with pytest.raises(AlreadyUndone):
            edits.undo(session, tiny, number, now=NOW, account="S", note="")
    edits.undo(session, tiny, undone, now=NOW, account="S", note="")
    assert names_on(session, "west-station", date(2026, 1, 1)) == "One"


# --- Any history, against a slow twin: a word for every day


DAYS = [f"{year}-{month:02}-{day:02}" for year in (2011, 2012, 2013) for month in (1, 7) for day in (1, 15)]
ASKED = [date(2010, 6, 1), *map(date.fromisoformat, DAYS), date(2020, 1, 1)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from([CORRECT, FROM_DAY, FROM_DAY, END, "undo"]),
        st.integers(0, 5),
        st.sampled_from(DAYS),
        st.sampled_from(["One", "Two", "Three"]),
    ),
    min_size=1,
    max_size=6,
)


def days_told(session):
    return [names_on(session, "west-station", day) for day in ASKED]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_history_tells_every_day_what_was_written_of_it(session, tiny, steps):
    session.expunge_all()
    with make.undone(session):
        twin = ["Lääne jaoskond"] * len(ASKED)
        written = []
        for what, which, day, word in steps:
            thing = edits.thing(session, tiny, "body", "west-station")
            if what == "undo":
                if written:
                    number, twin = written.pop()
                    edits.undo(session, tiny, number, now=NOW, account="S", note="")
                    assert days_told(session) == twin
                continue
            state = thing.states[which % len(thing.states)]
            inside = [
                state.valid_from <= one.isoformat()
                and (not state.valid_to or one.isoformat() < state.valid_to)
                for one in ASKED
            ]
            try:
                number = edit(session, tiny, way=what, day=day, state=state.valid_from, name=word)
            except (Wrong, NothingChanged):
                is_inside = state.valid_from < day and (not state.valid_to or day < state.valid_to)
                assert state.cells["name"] == word or (what != CORRECT and not is_inside)
                continue
            before = twin
            first = dates.first_day(day)
            new = "" if what == END else word
            twin = [
                new if hit and (what == CORRECT or one >= first) else old
                for one, hit, old in zip(ASKED, inside, twin, strict=True)
            ]
            written.append((number, before))
            assert days_told(session) == twin


def test_edits_touch_no_file_and_stay_when_the_files_are_loaded_again(engine, tiny):
    def files():
        return {file: file.read_bytes() for file in sorted(Path(tiny.folder).rglob("*")) if file.is_file()}

    before = files()
    with store.writing(engine, srid=tiny.metric_crs) as session:
        edit(session, tiny, name="Uus")
        session.commit()
    imports.load(engine, tiny, now=NOW + timedelta(days=1))

    with store.reading(engine, srid=tiny.metric_crs) as session:
        assert names_on(session, "west-station", date(2026, 1, 1)) == "Uus"
        rows = select(model.Edition.dataset, model.Edition.rows).where(model.Edition.dataset == EDITS)
        assert session.execute(rows).all() == [(EDITS, 1)]
    assert files() == before


def test_a_comparison_shows_a_shape_by_its_size_and_corners(session, tiny):
    change, seen = a_change(session, tiny, "county:01", table="area")
    before = edits.thing(session, tiny, "area", "county:01").states[-1].row.values["geom"]
    holed = shapely.difference(before, before.centroid.buffer(1000, quad_segs=1))
    drawn = shapely.to_geojson(geo.to_degrees([holed], srid=tiny.metric_crs)[0])
    prepared = edits.prepare(
        session, tiny, replace(change, cells={**change.cells, "shape": drawn}), seen=seen
    )
    (line,) = [one for one in prepared.lines if one.field == "shape"]

    assert line.before.text == "{area} km², corners: {corners}"
    assert line.before.endswith("corners: 4")
    assert line.after.endswith("corners: 8")
    size, smaller = (float(str(one).split(" ", 1)[0]) for one in (line.before, line.after))
    assert size == pytest.approx(before.area / 1e6, abs=1e-4)
    assert size - smaller == pytest.approx(2, abs=1e-3)
