"""Cases edited by hand: read as the loader reads files, told everywhere, clashing, undone, given as files."""

import time
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from layers import accounts, catalog, edits, imports, model, practices, proposals, store
from layers import texts as written_texts
from layers.edits import CASE, CORRECT, END, FROM_DAY, NEW, Change, Clash, NothingChanged, Wrong, sheets
from layers.sources import rows, texts
from layers.sources.rows import digests
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TODAY = NOW.date()
PARTS = ("context", "done", "lasting")
SECTIONS = {"cases": {key: {"et": f"Osa {key}", "en": f"Part {key}"} for key in PARTS}}
NEW_CASE = {
    "title-et": "Järveküla valve",
    "summary-et": "Kaksteist peret.",
    "theme": "watch",
    "outcome": "lasted",
    "stage": "described",
    "parties": "police;residents",
    "practices": "alpha",
    "county": "02",
    "sources": "The paper\thttps://example.org/a\t2021-05",
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return catalog.read_instance(make.an_instance(tmp_path_factory.mktemp("case-edits") / "tiny"))


def a_change(session, tiny, key="first-case", *, way=CORRECT, day="", state=None, **cells):
    thing = edits.case(session, tiny, key)
    state = thing.states[-1].valid_from if state is None else state
    whole = {**thing.state(state).cells, **{name.replace("_", "-"): text for name, text in cells.items()}}
    return Change(CASE, key, thing.layer, way, state, day, whole), thing.seen


def written(session, tiny, change, seen, note=""):
    prepared = edits.prepare(session, tiny, change, seen=seen, today=TODAY)
    return edits.write(session, tiny, prepared, account="Steward", note=note, now=NOW)


def edit(session, tiny, key="first-case", **about):
    return written(session, tiny, *a_change(session, tiny, key, **about))


def told(session, key="first-case", day=TODAY):
    """The titles of a case in English on a day."""
    return [one.titles["en"] for one in practices.cases(session, as_of=day) if one.key == key]


# --- Changed


def test_a_corrected_case_is_told_everywhere_and_the_rest_of_it_stays(session, tiny):
    before = practices.case(session, "first-case")
    revision = session.get(model.Revision, "cases").number

    edit(session, tiny, title_en="A watch by the lake", outcome="mixed")

    after = practices.case(session, "first-case")
    assert (after.titles, after.outcome) == ({**before.titles, "en": "A watch by the lake"}, "mixed")
    same = ("texts", "practices", "bodies", "areas", "place", "sources", "period_from", "as_of_inferred")
    assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
    assert told(session) == ["A watch by the lake"]
    session.expire_all()
    assert session.get(model.Revision, "cases").number == revision + 1


def test_its_links_are_written_anew(session, tiny):
    edit(session, tiny, bodies="first-village", practices="alpha", adaptation_en="alpha: Twice a week")

    case = practices.case(session, "first-case")
    assert (case.bodies, [one.practice for one in case.practices]) == (("first-village",), ["alpha"])
    assert case.practices[0].adaptation == {"en": "Twice a week"}
    assert "first-case" not in [one.key for one in practices.cases(session, as_of=TODAY, body="west-station")]


def test_what_changes_from_a_day_was_otherwise_before_it(session, tiny):
    edit(session, tiny, way=FROM_DAY, day="2020-05", title_en="Later")

    assert [told(session, day=day) for day in (date(2020, 4, 30), date(2020, 5, 1))] == [
        ["first-case in English"],
        ["Later"],
    ]
    edit(session, tiny, title_en="Later still", state="2020-05")
    assert told(session) == ["Later still"]
    assert told(session, day=date(2019, 1, 1)) == ["first-case in English"]


def test_a_case_that_is_ended_is_listed_until_its_day_and_keeps_its_page(session, tiny):
    edit(session, tiny, way=END, day="2022")

    assert told(session, day=date(2021, 12, 31)) == ["first-case in English"]
    assert told(session) == []
    assert practices.case(session, "first-case").titles["en"] == "first-case in English"


def test_when_it_began_is_when_it_is_first_told(session, tiny):
    edit(session, tiny, **{"from": "2012-03"})

    assert [told(session, day=date(year, 6, 1)) for year in (2011, 2012)] == [[], ["first-case in English"]]


def test_a_point_that_was_not_touched_does_not_move_and_another_one_does(session, tiny):
    where = select(model.Case.geom).where(model.Case.key == "first-case", model.is_shown(model.Case))
    before = session.scalars(where).one()
    edit(session, tiny, title_en="Moved?")
    assert session.scalars(where).one() == before

    edit(session, tiny, lat="58.3", lon="24.4")

    place = practices.case(session, "first-case").place
    assert (place.lat, place.lon) == (58.3, 24.4)


def test_a_new_case_gets_a_key_of_its_own_and_is_told_from_its_beginning(session, tiny):
    made = []
    for _ in range(2):
        change = Change(CASE, "", "cases", NEW, cells={**NEW_CASE, "from": "2019"})
        prepared = edits.prepare(session, tiny, change, seen=0, today=TODAY)
        edits.write(session, tiny, prepared, account="S", note="", now=NOW)
        made.append(prepared.outcome.rows[0].key)

    assert made == ["jarvekula-valve", "jarvekula-valve-2"]
    assert practices.case(session, made[1]).summaries == {"et": "Kaksteist peret."}
    listed = {one.key for one in practices.cases(session, as_of=date(2018, 12, 31))}
    assert not listed & {*made}


def test_nothing_to_change_is_said_so(session, tiny):
    for about in ({}, {"way": FROM_DAY, "day": "2020"}):
        with pytest.raises(NothingChanged):
            edit(session, tiny, **about)


# --- Refused


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"theme": ""}, "theme"),
        ({"outcome": "<b>"}, "outcome"),
        ({"parties": "police;nobody"}, "parties"),
        ({"practices": "alpha;nothing"}, "practices"),
        ({"bodies": "west-station;nobody"}, "bodies"),
        ({"areas": "county:99"}, "areas"),
        ({"areas": "the county"}, "areas"),
        ({"county": "99"}, "county"),
        ({"settlement": "9"}, "settlement"),
        ({"lat": "far"}, "lat"),
        ({"from": "soon"}, "from"),
        ({"to": "2010"}, "to"),
        ({"place": "Call juhan@selts.ee"}, "place"),
        ({"practices": ""}, "practices"),
        ({"sources": ""}, "sources"),
        ({"sources": "The paper\tno address\t2021"}, "sources"),
        ({"to": "2099"}, ""),
        ({"lat": "10", "lon": "10"}, ""),
        ({"precision": ""}, ""),
        ({"title_et": ""}, "title-et"),
        ({"summary_en": ""}, "summary-en"),
        ({"title_en": "Write to juhan@selts.ee"}, "title-en"),
        ({"part_text_en": "See [it](case:nothing)."}, "part-text-en"),
        ({"summary_en": "x" * 40_001}, "summary-en"),
    ],
)
def test_what_the_loader_would_refuse_is_refused_with_its_field(session, tiny, cells, field):
    with pytest.raises(Wrong) as raised:
        edit(session, tiny, **cells)

    assert [one.field for one in raised.value.faults] == [field] * len(raised.value.faults)
    assert edits.latest(session) == []


def test_everything_that_is_wrong_is_told_at_once(session, tiny):
    with pytest.raises(Wrong) as raised:
        edit(session, tiny, theme="", bodies="nobody", county="99", lat="far")

    assert {one.field for one in raised.value.faults} == {"theme", "bodies", "county", "lat"}


def test_a_practice_that_no_other_case_shows_is_told(session, tiny):
    change, seen = a_change(session, tiny, practices="alpha")

    prepared = edits.prepare(session, tiny, change, seen=seen)

    assert [str(one) for one in prepared.told] == ["No other case shows the practice “beta”."]


# --- Two at once, undone, proposed


def test_of_two_who_write_the_second_is_told_and_loses_nothing(session, tiny):
    mine, seen = a_change(session, tiny, title_en="Mine", summary_en="Mine too")
    edit(session, tiny, title_en="Theirs", outcome="mixed")

    with pytest.raises(Clash) as raised:
        edits.prepare(session, tiny, mine, seen=seen)

    lines = {one.field: (one.before, one.present, one.after) for one in raised.value.lines}
    assert lines == {
        "title-en": ("first-case in English", "Theirs", "Mine"),
        "summary-en": ("In short.", "In short.", "Mine too"),
        "outcome": ("lasted", "mixed", "lasted"),
    }
    merged = raised.value.merged
    assert (merged.cells["title-en"], merged.cells["outcome"]) == ("Mine", "mixed")
    written(session, tiny, merged, raised.value.present.seen)
    assert told(session) == ["Mine"]


def test_it_is_undone_and_the_history_tells_who_and_why(session, tiny):
    before = edits.case(session, tiny, "first-case").digest
    number = written(session, tiny, *a_change(session, tiny, title_en="Uus"), note="The paper says so")
    step = edits.history(session, tiny, CASE, "first-case")[0]
    assert (step.about.account, step.about.note) == ("Steward", "The paper says so")
    assert [(x.field, x.before, x.after) for one in step.changes for x in one.lines] == [
        ("title-en", "first-case in English", "Uus")
    ]
    assert edits.latest(session)[0].things == ((CASE, "first-case"),)

    edits.undo(session, tiny, number, now=NOW, account="S", note="")

    assert edits.case(session, tiny, "first-case").digest == before
    assert practices.case(session, "first-case").bodies == ("first-village", "west-station")


def test_an_end_and_a_new_case_are_undone(session, tiny):
    ended = edit(session, tiny, way=END, day="2022")
    edits.undo(session, tiny, ended, now=NOW, account="S", note="")
    assert told(session) == ["first-case in English"]
    made = written(session, tiny, Change(CASE, "", "cases", NEW, cells=NEW_CASE), 0)
    edits.undo(session, tiny, made, now=NOW, account="S", note="")
    assert edits.thing(session, tiny, CASE, "jarvekula-valve").states == ()


def test_a_proposal_is_written_under_both_labels(session, tiny):
    change, seen = a_change(session, tiny, title_en="Proposed")
    prepared = edits.prepare(session, tiny, change, seen=seen, today=TODAY)
    number = proposals.propose(session, prepared, seen=seen, label="Watch", note="Seen there", now=NOW)
    assert told(session) == ["first-case in English"]

    proposals.accept(session, tiny, number, by="Steward", now=NOW, today=TODAY)

    about = edits.latest(session)[0]
    assert (told(session), about.account, about.proposed_by) == (["Proposed"], "Steward", "Watch")


@pytest.mark.parametrize(
    ("layers", "areas", "may"),
    [((), (), True), (("police",), (), False), ((), ("county:01",), True), ((), ("county:02",), False)],
)
def test_a_scope_limits_which_cases_one_edits(session, tiny, layers, areas, may):
    who = accounts.Account(1, "n", "l", "steward", layers, areas, False, True, False, "")
    for cells in ({"title_en": "Uus"}, {"title_en": "Uus", "county": "", "settlement": ""}):
        change, seen = a_change(session, tiny, **cells)
        rows = edits.prepare(session, tiny, change, seen=seen).rows
        assert edits.may(session, who, "steward", layer="cases", rows=rows) is may


def test_the_policy_of_the_layer_moves_a_point_and_refuses_a_house(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    make.change(folder, "instance.yaml", lambda said: said["layers"][2].update(finest={"settlement": 2000}))
    tiny = catalog.read_instance(folder)
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    imports.load(engine, tiny, now=NOW)
    with store.writing(engine, srid=tiny.metric_crs) as session:
        with pytest.raises(Wrong) as raised:
            edit(session, tiny, place="Kalda 5")
        assert [one.field for one in raised.value.faults] == ["place"]
        change, seen = a_change(session, tiny, lat="58.3123", lon="24.3123", settlement="")
        prepared = edits.prepare(session, tiny, change, seen=seen)
        assert "was moved" in prepared.told[0]
        number = proposals.propose(session, prepared, seen=seen, label="W", note="x", now=NOW)
        assert proposals.one(session, number).change.cells["lat"] != "58.3123"
    engine.dispose()


def test_an_edit_stays_when_the_files_come_again_and_gives_way_when_it_is_taken_back(tmp_path, store_url):
    folder = make.an_instance(tmp_path / "tiny")
    tiny, engine = catalog.read_instance(folder), store.open_store(store_url)
    imports.load(engine, tiny, now=NOW)
    with store.writing(engine, srid=tiny.metric_crs) as session:
        number = edit(session, tiny, title_en="Edited")
        session.commit()
    file = folder / "cases/first-case.en.md"
    make.write(folder, "cases/first-case.en.md", file.read_text().replace("In short.", "From the file."))
    imports.load(engine, tiny, now=NOW)
    with store.writing(engine, srid=tiny.metric_crs) as session:
        assert practices.case(session, "first-case").summaries["en"] == "In short."
        assert told(session) == ["Edited"]

        edits.undo(session, tiny, number, now=NOW, account="S", note="")

        assert practices.case(session, "first-case").summaries["en"] == "From the file."
        assert told(session) == ["first-case in English"]
    engine.dispose()


def test_a_long_word_is_read_in_the_time_of_its_length():
    """40,000 letters took 12 s while every letter was tried as the beginning of an address."""
    began = time.perf_counter()

    assert rows.text("x" * 200_000)
    assert not list(written_texts.contacts("x" * 200_000))

    assert time.perf_counter() - began < 2


# --- As files


def test_an_edited_case_as_files_is_loaded_as_it_is(session, tiny, tmp_path):
    edit(
        session,
        tiny,
        title_en="A: “watch” # ---",
        sources="P\thttps://example.org\tundated",
        lat="58.31234",
        adaptation_en="alpha: Twice",
        bodies="west-station",
    )
    state = edits.case(session, tiny, "first-case").states[-1]

    files = edits.files(tiny, "first-case", state.cells, base=state.row)

    for name, text in files.items():
        make.write(tmp_path, name, text)
    read = texts.cases(tmp_path, instance=replace(tiny, folder=tmp_path), today=TODAY).rows[0]
    assert digests([replace(read, values={**read.values, "valid_to": ""})]) == digests([state.row])
    assert read.values["titles"]["en"] == "A: “watch” # ---"


_WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40).filter(str.strip)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    title=_WORDS,
    bodies=st.lists(_WORDS.filter(lambda text: "#" not in text), min_size=3, max_size=3),
    adaptation=_WORDS,
)
def test_whatever_is_written_comes_back_out_of_the_files(parted, title, bodies, adaptation):
    line = " ".join(adaptation.split())
    cells = {
        **NEW_CASE,
        "title-et": title,
        "adaptation-et": f"alpha: {line}" if line else "",
        **{f"part-{key}-et": "\n".join(text.split()) for key, text in zip(PARTS, bodies, strict=True)},
    }
    read = texts.case_in(sheets.files(parted, "one", cells), instance=parted)

    if read.rows:
        again = sheets.cells(parted, read.rows[0])
        assert {name: again[name] for name in cells} == cells
        files = sheets.files(parted, "one", again)
        said = texts.case_in(files, instance=parted)
        assert digests(said.rows) == digests(read.rows)
    else:
        assert read.problems


@pytest.fixture(scope="module")
def parted(tmp_path_factory):
    folder = make.an_instance(tmp_path_factory.mktemp("parted") / "tiny", sections=SECTIONS)
    return catalog.read_instance(folder)


def test_parts_stand_in_fields_of_their_own_and_untouched_text_stays_letter_by_letter(parted):
    text = "Before.\n\n## Osa done\n\n  Indented.  \n\n\n## Osa context\nFirst."
    row = texts.case_in(sheets.files(parted, "one", {**NEW_CASE, "part-text-et": "x"}), instance=parted).rows[
        0
    ]
    row = type(row)(row.key, 0, "", {**row.values, "texts": {"et": text}}, row.links)
    cells = sheets.cells(parted, row)

    assert [cells[f"part-{key}-et"] for key in ("text", *PARTS)] == ["Before.", "First.", "Indented.", ""]
    kept = sheets.files(parted, "one", {**cells, "title-et": "Other"}, base=row)["one.et.md"]
    assert kept.endswith(f"---\n{text}\n")
    changed = sheets.files(parted, "one", {**cells, "part-lasting-et": "It did."}, base=row)["one.et.md"]
    assert changed.endswith(
        "---\nBefore.\n\n## Osa context\nFirst.\n\n## Osa done\nIndented.\n\n## Osa lasting\nIt did.\n"
    )
