"""What is taken along in any format and brought back through the import doctor is what it was."""

import unicodedata
from datetime import date

import pytest
import shapely
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from layers import doctor, downloads, editions, exports
from layers.doctor import About
from layers.downloads import Question
from layers.sources import areas, tables
from layers.sources.instance import Source
from layers.sources.rows import Unusable
from tests import make

TODAY = date(2026, 11, 22)
ABOUT = About("made", "Made up for a test", "CC0-1.0", as_of="2025", source_url="https://example.org/made")
SLOW = settings(
    max_examples=150,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
every_format = pytest.mark.parametrize("format", list(exports.FORMATS))

# What no reader keeps of anybody's file: control characters, turned writing, breaks that are none.
_UNSEEN = {*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\ufeff", "\ufffd"}
letters = st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zl", "Zp"], exclude_characters=_UNSEEN)
odd = st.sampled_from(
    [
        *(
            "=1+1",
            "+372",
            "-2",
            "@SUM(A1)",
            "'=x",
            "''=x",
            "'tis",
            "＝1",
            "-",
            "n/a",
            "null",
            "NULL",
            "None",
            "nan",
        ),
        *(
            "a,b;c|d\te",
            'he said "no"',
            "two\nlines",
            "a\n\nb  c",
            "<b>bold</b>",
            "&amp; &copy x",
            "]]>",
            "\\N",
        ),
        *(
            "Põhja-Läänemaa",
            "Ямы",
            "גדר",
            "شرطة",
            "警察署",
            "👮🏽‍♀️",
            "0044",
            "1e5",
            "TRUE",
            "2018-05-29",
            "POINT (1 2)",
        ),
    ]
)
words = (odd | st.text(letters, max_size=30)).map(lambda text: unicodedata.normalize("NFC", text).strip())
days = st.sampled_from(["", "1900-01-01", "1999", "2018-05", "2018-05-29", "2026-11-22"])
place = st.none() | st.tuples(st.floats(58.01, 58.99), st.floats(24.01, 25.99))


@st.composite
def bodies(draw):
    at = draw(place)
    one = st.sampled_from
    return {
        "name": draw(words.filter(bool)),
        "form": draw(one(["station", "association"])),
        "capabilities": draw(one(["", "order", "youth;order"])),
        "readiness": draw(one(["", "always"])),
        "place": draw(words),
        "settlement": draw(one(["", "1001", "9999"])),
        "municipality": draw(one(["", "0500"])),
        "county": draw(one(["", "01", "02"])),
        "lat": f"{at[0]:.8f}" if at else "",
        "lon": f"{at[1]:.8f}" if at else "",
        "precision": draw(one(["settlement", "municipality"])),
        "serves": draw(one(["", "county:01", "county:01;county:02", "county:03"])),
        "valid_from": draw(days),
        "valid_to": draw(one(["", "2031", "2031-02-03"])),
        "as_of": draw(days),
        "as_of_inferred": draw(one(["", "yes"])),
        "source": draw(words.filter(bool)),
        "source_url": draw(one(["", "https://example.org/?a=1&b=<2>"])),
        **{f"{word}_{language}": draw(words) for word in ("name", "note") for language in ("et", "en")},
    }


@st.composite
def shapes(draw):
    """Polygons apart from each other, some with a hole, at any corner of a millimetre."""
    ends = st.floats(0.1, 0.9)
    parts = []
    for number in range(draw(st.integers(1, 3))):
        west, south = 500_000 + number * 20_000 + draw(ends), 6_500_000 + draw(ends) * 1000
        width, height = 1000 + draw(ends) * 9000, 1000 + draw(ends) * 9000
        holes = []
        if draw(st.booleans()):
            hole = shapely.box(west + 100, south + 100, west + width / 2, south + height / 2)
            holes = [hole.exterior.coords]
        # Its turn is as it comes: files hold it the other way.
        parts.append(shapely.Polygon(shapely.box(west, south, west + width, south + height).exterior, holes))
    return shapely.set_srid(shapely.multipolygons(parts), make.SRID)


@st.composite
def territories(draw):
    one = st.sampled_from
    return {
        "record": {
            "kind": "county",
            "accuracy": draw(one(["approximate", "official"])),
            "parent": draw(one(["", "country:ee"])),
            "name_et": draw(words),
            "name_en": draw(words),
            "valid_from": draw(days),
            "valid_to": draw(one(["", "2031"])),
            "as_of": draw(days),
            "source": draw(words.filter(bool)),
            "source_url": draw(one(["", "https://example.org/"])),
        },
        "facts": draw(st.dictionaries(one(["population", "name", "as_of", "Põhi fact"]), words.filter(bool))),
        "shape": draw(shapes()),
    }


@pytest.fixture
def territory(session):
    make.an_area(session, code="01", names={"et": "Lääs"})
    make.an_area(session, code="02", names={"et": "Ida"}, shape=shapely.box(25, 58, 26, 59))
    make.an_area(session, code="03", names={"et": "Endine"}, valid_to="2012")
    make.a_settlement(session, key="1001", name="Esimene", county="01", at=(24.25, 58.25), municipality="")
    return session


def row_of(line, number, instance):
    form = tables.body_form("villages", instance)
    try:
        return form.row({"key": f"body-{number}", **line}, number=number, file="made")
    except tables.Refused:
        assume(False)  # A private contact that chance has made.


def area_of(told, number, instance, about):
    code, record = f"c-{number}.x", told["record"]
    facts = {(code, record["valid_from"]): told["facts"]}
    try:
        return areas.row(
            {**record, "code": code}, told["shape"], about, instance, facts=facts, file="made", dated=False
        )
    except Unusable:
        assume(False)


def stored(session, table, rows, about):
    source = Source(about, table, tuple(rows), "made")
    editions.apply(session, editions.plan(editions.known(session, source), source), now=make.moment(TODAY))


def taken_along(session, instance, layer, format, folder, *, language="en"):
    file = folder / f"{layer}.{format}"
    table = downloads.dataset(session, instance, Question(layer, TODAY, TODAY, language))
    exports.write(table, exports.format_of(format), file)
    return file


def brought_back(session, instance, layer, file):
    """As `turvakaart import` does it, with nothing said about columns."""
    begun = doctor.begin(session, instance, file, layer=layer, today=TODAY)
    exam = doctor.examine(session, instance, begun, begun.how, ABOUT, today=TODAY)
    return exam, doctor.plan(session, exam, doctor.resource(ABOUT, layer, instance), file=file)


def assert_unchanged(exam, plan, rows):
    refused = [one for one in exam.findings if one.state == doctor.REFUSED]
    before = {row.key: row for row in rows}
    changed = [
        (row.key, name, before[row.key].values.get(name) if row.key in before else None, value)
        for row in (*plan.added, *plan.changed)
        for name, value in row.values.items()
        if row.key not in before or before[row.key].values.get(name) != value
    ]
    assert (refused, changed, plan.ended, plan.unchanged) == ([], [], (), len(rows))


@every_format
@SLOW
@given(lines=st.lists(bodies(), min_size=1, max_size=4))
def test_organisations_come_back_as_they_were(format, lines, territory, instance, tmp_path):
    about = doctor.resource(ABOUT, "villages", instance)
    rows = [row_of(line, number, instance) for number, line in enumerate(lines)]
    with territory.begin_nested() as undone:
        stored(territory, "body", rows, about)
        file = taken_along(territory, instance, "villages", format, tmp_path)
        exam, plan = brought_back(territory, instance, "villages", file)
        undone.rollback()
    assert_unchanged(exam, plan, rows)
    file.unlink()


@every_format
@SLOW
@given(told=st.lists(territories(), min_size=1, max_size=3))
def test_areas_come_back_as_they_were(format, told, session, instance, tmp_path):
    about = doctor.resource(ABOUT, "counties", instance)
    rows = [area_of(one, number, instance, about) for number, one in enumerate(told)]
    with session.begin_nested() as undone:
        stored(session, "area", rows, about)
        file = taken_along(session, instance, "counties", format, tmp_path)
        exam, plan = brought_back(session, instance, "counties", file)
        undone.rollback()
    assert_unchanged(exam, plan, rows)
    file.unlink()


def test_what_somebody_changed_in_a_file_is_seen(territory, instance, tmp_path):
    about = doctor.resource(ABOUT, "villages", instance)
    line = {"name": "Selts", "form": "association", "as_of": "2020", "source": "S", "precision": "settlement"}
    rows = [row_of({**line, "lat": "58.5", "lon": "24.5"}, number, instance) for number in range(2)]
    stored(territory, "body", rows, about)
    file = taken_along(territory, instance, "villages", "csv", tmp_path)
    text = file.read_text(encoding="utf-8-sig")
    moved = text.replace("POINT (24.5 58.5)", "POINT (24.5001 58.5)", 1)
    assert moved != text
    file.write_text(moved, encoding="utf-8")

    _, plan = brought_back(territory, instance, "villages", file)

    assert (len(plan.changed), plan.unchanged, plan.added) == (1, 1, ())


def test_a_border_that_moved_by_a_centimetre_has_moved(session, instance, tmp_path):
    about = doctor.resource(ABOUT, "counties", instance)
    told = {
        "record": {"kind": "county", "accuracy": "official", "valid_from": "", "source": "S"},
        "facts": {},
    }
    shape = shapely.set_srid(shapely.multipolygons([shapely.box(5e5, 65e5, 51e4, 651e4)]), make.SRID)
    rows = [area_of({**told, "shape": shape}, 0, instance, about)]
    stored(session, "area", rows, about)
    file = taken_along(session, instance, "counties", "csv", tmp_path)
    assert_unchanged(*brought_back(session, instance, "counties", file), rows)
    before = file.read_text(encoding="utf-8-sig")
    lon = before.split("(((")[1].split(" ")[0]
    file.write_text(before.replace(lon, f"{float(lon) - 2e-7:.9f}"), encoding="utf-8")

    _, plan = brought_back(session, instance, "counties", file)

    assert (len(plan.changed), plan.unchanged) == (1, 0)
