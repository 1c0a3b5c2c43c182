"""What was known at an earlier moment is answered as it was answered at that moment, whatever came since."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from shapely import box

from layers import catalog, coverage, dates, editions, geo, imports, nearby, places, practices, search, store
from layers.catalog import Resource
from layers.errors import AreaNotFound, BodyNotFound, CaseNotFound, PracticeNotFound
from layers.geo import Bbox, Place
from layers.sources.instance import Source
from layers.sources.rows import Row
from tests import make

BEGIN = datetime(2026, 1, 1, 8, tzinfo=UTC)
DAYS = (date(2011, 6, 15), date(2026, 1, 1))
KEYS = ("one", "two")
WORDS = ("first", "second", "third")
POINT = Place(lon=24.5, lat=58.5)
FRAME = Bbox(west=24, south=58, east=26, north=59)
FACT = {"source": "Made up for a test", "source_url": ""}


# --- Rows that an import may bring


def words(text):
    return {"et": f"{text} nimi", "en": f"the {text} name"}


def a_body(key, word, beginning):
    at = {"first": (24.5, 58.5), "second": (25.5, 58.75), "third": None}[word]
    about = {
        "layer": "police",
        "name": word,
        "names": words(word),
        "form": "station",
        "capabilities": [word],
        "readiness": {"first": "always", "second": "closed", "third": ""}[word],
        "municipality": "0101" if word == "first" else "",
        "county": "01",
        "precision": "settlement" if at else "",
        "geom": make.metric(shapely.Point(at)) if at else None,
        "notes": words(word),
    }
    return about, {"serves": [{"area": area} for area in ("county:one", "municipality:two")[: len(word) - 4]]}


def an_area(key, word, beginning):
    corners = {"first": (24, 58, 25, 59), "second": (24, 58, 26, 59), "third": (25, 58, 26, 59)}[word]
    shape = shapely.multipolygons([box(*corners)])
    about = {"names": words(word), "parent": "", "accuracy": "approximate", "facts": {"word": word}}
    return about | {"kind": "county", "code": key, "geom": make.metric(shape)}, {}


def a_settlement(key, word, beginning):
    about = {"name": word, "municipality": "0101", "county": "01", "population": len(word) * 100}
    return about | {"geom": make.metric(shapely.Point(24.5, 58.5))}, {}


def a_count(key, word, beginning):
    number = {"first": 3, "second": 0, "third": None}[word]
    about = {"layer": "police", "area": f"county:{key}", "number": number, "as_of": "2010"}
    return about | {"households": None, "members": None, "notes": words(word)}, {}


def a_practice(key, word, beginning):
    text = {"titles": words(word), "summaries": words(word), "texts": words(word)}
    return text | {"audiences": [word], "themes": ["watch"], "related": [], "stage": word, "sources": []}, {}


def a_case(key, word, beginning):
    text = {"titles": words(word), "summaries": words(word), "texts": words(word)}
    about = {"theme": "watch", "outcome": "lasted", "stage": word, "parties": [word], "sources": []}
    links = {
        "practices": [{"practice": KEYS[len(word) % 2], "position": 0, "adaptation": words(word)}],
        "bodies": [{"body": key}],
        "areas": [{"area": f"county:{KEYS[len(word) % 2]}"}],
    }
    return text | about | {"county": "01", "geom": None}, links


MADE = {
    "body": a_body,
    "area": an_area,
    "settlement": a_settlement,
    "count": a_count,
    "practice": a_practice,
    "case_study": a_case,
}
# A fact by its key and beginning, with the word that it says.
tables = st.dictionaries(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["", "2012", "2020-06-15"])),
    st.tuples(st.sampled_from(WORDS), st.sampled_from(["", "2021"])),
    max_size=4,
)
histories = st.lists(st.tuples(st.sampled_from([*MADE]), tables), min_size=2, max_size=5)


def a_source(table, facts):
    """One resource as its file would say it: what is no longer there is ended by the import."""
    rows = []
    for (key, beginning), (word, end) in facts.items():
        values, links = MADE[table](key, word, beginning)
        times = {"valid_from": beginning, "valid_to": end}
        key = f"county:{key}" if table == "area" else key
        rows.append(Row(key, 1, "made", {**FACT, **times, **values}, links))
    resource = Resource(
        table, Path(), title=words(table), licence="CC0-1.0", source=words(table), source_url="", as_of="2026"
    )
    return Source(resource, table, tuple(rows), checksum=str(sorted(facts.items())))


def bring(session, table, facts, now):
    source = a_source(table, facts)
    editions.apply(session, editions.plan(editions.known(session, source), source), now=now)


# --- All that one may ask


def or_none(error, ask, *args, **more):
    try:
        return ask(*args, **more)
    except error:
        return None


def answers(session):
    """What every reader says, on several days."""
    around = geo.metric_point(POINT, srid=make.SRID).buffer(200_000).bounds
    found = {
        "editions": places.editions(session),
        "area names": places.area_names(session),
        "settlement names": places.settlement_names(session, KEYS),
        "case": [or_none(CaseNotFound, practices.case, session, key) for key in KEYS],
        "practice": [or_none(PracticeNotFound, practices.practice, session, key) for key in KEYS],
    }
    for day in DAYS:
        bodies = places.bodies(session, as_of=day)
        found[day] = {
            "bodies": bodies,
            "of a layer": places.bodies(session, as_of=day, layer="police", keys=["one"]),
            "body": [or_none(BodyNotFound, places.body, session, key, as_of=day) for key in KEYS],
            "serving": places.bodies_serving(session, "county:one", as_of=day),
            "seated": places.bodies_in(session, as_of=day, county="01"),
            "near": places.points_near(session, around, layer="police", as_of=day),
            "partners": nearby.partners(session, place=POINT, layer="police", as_of=day),
            "areas": places.areas(session, "county", as_of=day),
            "area": [or_none(AreaNotFound, places.area, session, "county", key, as_of=day) for key in KEYS],
            "later": places.later_areas(session, "county", as_of=day),
            "here": places.areas_at(session, POINT, as_of=day),
            "shapes": places.shapes(session, "county", as_of=day, bbox=FRAME),
            "settlements": places.settlements(session, as_of=day, least_population=100),
            "counts": places.counts(session, as_of=day),
            "presence": coverage.presence(session, "county", ["police"], as_of=day, bodies=bodies),
            "cases": practices.cases(session, as_of=day),
            "of a practice": practices.cases(session, as_of=day, practice="one", county="01"),
            "of an area": practices.cases(session, as_of=day, area="county:one", body="one"),
            "practices": practices.practices(session, as_of=day),
            "names": search.index(session, ["county"], as_of=day),
        }
    return found


def as_known(session, moment):
    """All answers of a session that looks back, and then no longer does."""
    store.look_back(session, moment)
    try:
        return answers(session)
    finally:
        del session.info["known"]


# --- The claims


@settings(
    # Each example is undone, so that the fixture's session is as new.
    max_examples=5,
    # Every answer is asked many times: too slow to shrink.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories)
def test_the_answer_of_each_past_moment_is_the_answer_that_was_given_then(session, history):
    with make.undone(session):
        given_then = {dates.moment(BEGIN - timedelta(days=1)): answers(session)}
        for number, (table, facts) in enumerate(history):
            now = BEGIN + timedelta(hours=number)
            bring(session, table, facts, now)
            said = answers(session)
            given_then[dates.moment(now + timedelta(minutes=59 * (number % 2)))] = said

        assert {moment: as_known(session, moment) for moment in given_then} == given_then


@pytest.mark.parametrize("table", MADE)
def test_each_kind_of_fact_that_was_changed_ended_and_taken_back_is_known_as_it_was(session, table):
    steps = [
        {("one", ""): ("first", "")},
        {("one", ""): ("second", ""), ("two", "2012"): ("first", "2021")},
        {("two", "2012"): ("first", "")},
        {("one", ""): ("first", "")},
        {},
    ]
    given_then = {}
    for number, facts in enumerate(steps):
        now = BEGIN + timedelta(hours=number)
        bring(session, table, facts, now)
        given_then[dates.moment(now)] = answers(session)

    *earlier, last = given_then.values()
    assert all(said != last for said in earlier)
    assert {moment: as_known(session, moment) for moment in given_then} == given_then


def test_before_the_first_import_nothing_is_known(session):
    nothing = answers(session)
    for table in MADE:
        bring(session, table, {("one", ""): ("first", "")}, BEGIN)

    assert answers(session) != nothing
    assert as_known(session, dates.moment(BEGIN - timedelta(seconds=1))) == nothing


def test_a_resource_that_was_taken_away_is_still_known_as_it_was(engine, instance):
    imports.load(engine, instance, now=BEGIN)
    with store.reading(engine, srid=make.SRID) as session:
        before = answers(session)
    make.change(instance.folder, "datapackage.json", lambda package: package["resources"].pop(1))
    make.change(instance.folder, "instance.yaml", lambda about: about["layers"].pop(1))
    make.change(instance.folder, "datapackage.json", lambda package: package["texts"].pop(0))
    make.change(instance.folder, "instance.yaml", lambda about: about["layers"].pop(1))

    imports.load(engine, catalog.read_instance(instance.folder), now=BEGIN + timedelta(hours=1))

    with store.reading(engine, srid=make.SRID) as session:
        after = answers(session)
        assert {edition.name for edition in before["editions"]} > {e.name for e in after["editions"]}
        assert as_known(session, dates.moment(BEGIN)) == before
        assert as_known(session, dates.moment(BEGIN + timedelta(hours=1))) == after
