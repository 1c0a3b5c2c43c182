"""Which of several datasets speaks, how an edition is undone, and what was known before stays so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from layers import editions, model
from layers.catalog import Resource
from layers.editions import AlreadyUndone, ChangedSince, EditionNotFound, OfFiles
from layers.model import EDITS
from layers.sources.instance import Source
from layers.sources.rows import Row
from tests import make

BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)


def a_source(dataset, facts, *, layer="rescue"):
    """Organisations of a dataset: (key, beginning) -> word, with an end after a slash."""
    rows = [
        Row(
            key=key,
            line=0,
            file="made",
            values={
                "layer": layer,
                "name": word.split("/")[0],
                "names": {},
                "form": "land_unit",
                "capabilities": [],
                "notes": {},
                "geom": None,
                "valid_from": start,
                "valid_to": end(word),
            },
            links={"serves": [{"area": f"county:{word.split('/')[0]}"}]},
        )
        for (key, start), word in facts.items()
    ]
    about = Resource(layer, Path(), {}, "CC0-1.0", {}, "", "2026", dataset=dataset)
    return Source(about, "body", tuple(rows), checksum=repr(sorted(facts.items())))


def end(word):
    return word.partition("/")[2]


def brought(session, dataset, facts, *, day=0, ends=None, layer="rescue"):
    source = a_source(dataset, facts, layer=layer)
    plan = editions.plan(editions.known(session, source), source, ends=ends)
    return editions.apply(session, plan, now=BEGIN + timedelta(days=day))


def shown(session, *, known=None):
    """What is said: (key, beginning, end, word, the area served), as known at an edition."""
    if known is not None:
        session.info["known"] = known
    table, link = model.Body, model.Serves
    query = select(table.key, table.valid_from, table.valid_to, table.name, link.area)
    rows = session.execute(model.known(session, query.join(link, link.body_id == table.id), table)).all()
    session.info.pop("known", None)
    return sorted(tuple(row) for row in rows)


def said(**words):
    return [(key, "", "", word, f"county:{word}") for key, word in sorted(words.items())]


ALL = ""


def test_an_import_hides_the_files_row_and_undoing_it_shows_it_again(session):
    brought(session, "", {("a", ALL): "file", ("b", ALL): "file"})
    imported = brought(session, "county", {("a", ALL): "import"})
    assert shown(session) == said(a="import", b="file")

    editions.undo(session, imported, now=BEGIN)

    assert shown(session) == said(a="file", b="file")


def test_what_was_corrected_by_hand_stays_when_files_and_imports_come_again(session):
    brought(session, "", {("a", ALL): "file"})
    brought(session, EDITS, {("a", ALL): "hand"}, ends=[])
    brought(session, "", {("a", ALL): "newer file"})
    brought(session, "county", {("a", ALL): "import"})

    assert shown(session) == said(a="hand")


def test_a_correction_of_one_thing_ends_no_other(session):
    brought(session, EDITS, {("a", ALL): "hand"}, ends=[])

    brought(session, EDITS, {("b", ALL): "hand"}, ends=[])

    assert shown(session) == said(a="hand", b="hand")


def test_a_hidden_row_follows_its_files_and_comes_back_as_they_say_it_now(session):
    brought(session, "", {("a", ALL): "file"})
    imported = brought(session, "county", {("a", ALL): "import"})
    brought(session, "", {("a", ALL): "newer file"})
    assert shown(session) == said(a="import")

    editions.undo(session, imported, now=BEGIN)

    assert shown(session) == said(a="newer file")


def test_a_hidden_row_that_its_files_no_longer_have_does_not_come_back(session):
    brought(session, "", {("a", ALL): "file", ("b", ALL): "file"})
    imported = brought(session, "county", {("a", ALL): "import"})
    brought(session, "", {("b", ALL): "file"})

    editions.undo(session, imported, now=BEGIN)

    assert shown(session) == said(b="file")


def test_times_that_do_not_meet_stand_beside_each_other(session):
    brought(session, "", {("a", ""): "file/2015"})
    brought(session, "county", {("a", "2015"): "import"})

    assert [(row[1], row[3]) for row in shown(session)] == [("", "file"), ("2015", "import")]


def test_an_official_area_goes_before_an_approximate_correction(session):
    def area(dataset, accuracy):
        shape = make.metric(shapely.multipolygons([shapely.box(25, 58, 26, 59)]))
        values = {
            "kind": "county",
            "code": "1",
            "names": {},
            "accuracy": accuracy,
            "geom": shape,
            "facts": {},
        }
        about = Resource("counties", Path(), {}, "", {}, "", "2026", dataset=dataset)
        return Source(about, "area", (Row("county:1", 0, "made", values),), checksum=accuracy)

    for dataset, accuracy in (("official", "official"), ("", "approximate"), (EDITS, "approximate")):
        source = area(dataset, accuracy)
        editions.apply(session, editions.plan(editions.known(session, source), source), now=BEGIN)

    rows = session.scalars(model.known(session, select(model.Area.accuracy), model.Area)).all()
    drawn = session.scalars(select(model.Outline.area_id).distinct()).all()
    assert rows == ["official"]
    assert len(drawn) == 1


def test_only_what_can_be_undone_is_undone(session):
    files = brought(session, "", {("a", ALL): "file"})
    first = brought(session, "county", {("a", ALL): "one"})
    second = brought(session, "county", {("a", ALL): "two"})

    with pytest.raises(EditionNotFound):
        editions.undo(session, 999, now=BEGIN)
    with pytest.raises(OfFiles):
        editions.undo(session, files, now=BEGIN)
    with pytest.raises(ChangedSince, match=f"Edition {second} has changed “a” since"):
        editions.undo(session, first, now=BEGIN)
    undone = editions.undo(session, second, now=BEGIN)
    with pytest.raises(AlreadyUndone, match=f"by edition {undone}"):
        editions.undo(session, second, now=BEGIN)
    assert shown(session) == said(a="one")
    editions.undo(session, undone, now=BEGIN)
    assert shown(session) == said(a="two")


def test_a_dataset_can_be_ended_whole(session):
    brought(session, "", {("a", ALL): "file"})
    brought(session, "county", {("a", ALL): "import", ("b", ALL): "import"})

    plan = editions.end(session, a_source("county", {}).resource, now=BEGIN, checksum="")

    assert plan.ended == ("a", "b")
    assert shown(session) == said(a="file")


def test_revisions_rise_where_another_layers_row_is_hidden(session):
    brought(session, "", {("a", ALL): "file"}, layer="watch")
    before = dict(session.execute(select(model.Revision.layer, model.Revision.number)).all())

    brought(session, "county", {("a", ALL): "import"}, layer="rescue")

    after = dict(session.execute(select(model.Revision.layer, model.Revision.number)).all())
    assert {layer for layer in after if after[layer] != before.get(layer)} == {"watch", "rescue"}


def test_an_import_of_the_same_changes_nothing(session):
    brought(session, "county", {("a", ALL): "import"})
    source = a_source("county", {("a", ALL): "import"})

    assert editions.plan(editions.known(session, source), source).does_nothing


def test_how_far_a_plan_moves_things_is_told(session):
    def placed(dataset, lon):
        source = a_source(dataset, {("a", ALL): "x"})
        row = source.rows[0]
        moved = {**row.values, "geom": make.metric(shapely.Point(lon, 58.5)), "precision": "settlement"}
        return Source(source.resource, "body", (Row("a", 0, "made", moved),), checksum=str(lon))

    here, there = placed("", 25.0), placed("county", 25.1)
    editions.apply(session, editions.plan(editions.known(session, here), here), now=BEGIN)

    found = editions.moved(session, editions.plan(editions.known(session, there), there))

    assert {key: round(metres, -2) for key, metres in found.items()} == {"a": 5800}


# --- Any history, against a slow twin that keeps every dataset whole


class Twin:
    """Every dataset as a dictionary, and who came first."""

    def __init__(self):
        self.sets, self.came, self.steps = {}, [], {}

    def bring(self, dataset, facts, *, number, ends):
        self.came += [] if dataset in self.came else [dataset]
        before = self.sets.get(dataset, {})
        after = dict(facts) if ends is None else {**before, **facts}
        self.sets[dataset] = after
        changed = {one for one in {*before, *after} if before.get(one) != after.get(one)}
        self.steps[number] = (dataset, {one: (before.get(one), after.get(one)) for one in changed})

    def undo(self, number, *, by):
        dataset, changes = self.steps[number]
        now = self.sets[dataset]
        for one, (before, _) in changes.items():
            now.pop(one, None)
            if before is not None:
                now[one] = before
        self.steps[by] = (dataset, {one: (after, before) for one, (before, after) in changes.items()})

    def may_undo(self, number):
        """No later step of the dataset has touched a key that this one touched."""
        dataset, changes = self.steps[number]
        keys = {key for key, _ in changes}
        later = [one for one in self.steps if one > number and self.steps[one][0] == dataset]
        return not any(key in keys for one in later for key, _ in self.steps[one][1])

    def shown(self):
        def strength(dataset):
            return (dataset == EDITS, dataset != "", self.came.index(dataset))

        found = []
        for dataset in sorted(self.sets, key=strength, reverse=True):
            mine = []
            for (key, start), word in self.sets[dataset].items():
                covered = any(
                    key == other[0]
                    and (not end(word) or other[1] < end(word))
                    and (not other[2] or start < other[2])
                    for other in found
                )
                name = word.split("/")[0]
                mine += [] if covered else [(key, start, end(word), name, f"county:{name}")]
            found += mine
        return sorted(found)


FACTS = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["", "2010", "2015"])),
    st.sampled_from(["one", "two", "one/2016", "two/2020"]),
    max_size=4,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["", "county", "parish", EDITS]), FACTS),
        st.tuples(st.just("undo"), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_history_shows_what_the_strongest_say_and_every_earlier_state_stays(session, steps):
    session.expunge_all()  # The numbers of editions come again.
    with session.begin_nested() as savepoint:
        twin, known, undone = Twin(), {}, set()
        for day, (what, value) in enumerate(steps):
            now = BEGIN + timedelta(days=day)
            if what != "undo":
                ends = [] if what == EDITS else None
                twin.bring(what, value, number=brought(session, what, value, day=day, ends=ends), ends=ends)
            elif twin.steps:
                number = sorted(twin.steps)[value % len(twin.steps)]
                if twin.steps[number][0] == "" or number in undone or not twin.may_undo(number):
                    with pytest.raises((OfFiles, AlreadyUndone, ChangedSince)):
                        editions.undo(session, number, now=now)
                    continue
                twin.undo(number, by=editions.undo(session, number, now=now))
                undone.add(number)
            assert shown(session) == twin.shown()
            newest = session.scalar(select(func.max(model.Edition.id)))
            known[newest or 0] = twin.shown()
        for edition, then in known.items():
            assert shown(session, known=edition) == then
        savepoint.rollback()
