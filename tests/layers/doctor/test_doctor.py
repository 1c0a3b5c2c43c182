"""Files as people write them: what each row becomes, told exactly; and none is lost."""

import json
from datetime import date

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import box

from layers import catalog, doctor, editions, geo
from layers.doctor import REFUSED, REPAIRED, USED, About, How, written
from layers.sources import areas, tables
from tests import make

TODAY = date(2026, 11, 22)
ABOUT = About("made", "Made up for a test", "CC0-1.0")
SAME = {"form": "association", "precision": "settlement"}
NEAR = "58.5,25.0"
HEAD = "name,lat,lon"


@pytest.fixture
def territory(session):
    """What is known before: two counties, places of which two share a name, one organisation."""
    make.an_area(session, code="01", names={"et": "Lääne maakond"})
    make.an_area(session, code="02", names={"et": "Ida maakond"}, shape=box(25, 58, 26, 59))
    for number, (name, county) in enumerate(
        [
            ("Esimene küla", "01"),
            ("Teine küla", "01"),
            ("Mäe küla", "01"),
            ("Mäe küla", "02"),
            ("Oja küla", "02"),
        ]
    ):
        place = (25.5, 58.25) if county == "02" else (24.5, 58.25)
        make.a_settlement(session, key=f"100{number}", name=name, county=county, at=place, municipality="")
    make.a_body(session, key="old-society", name="Vana Selts", layer="villages", county="01")
    make.a_body(session, key="a-station", name="Jaoskond", layer="police")
    return session


def read(session, instance, file, *, layer="villages", columns=None, same=SAME, crs=""):
    """A file examined: by the guessed columns, or by those named."""
    begun = doctor.begin(session, instance, file, layer=layer, today=TODAY)
    how = How(begun.how.columns if columns is None else columns, same=same, crs=crs)
    return doctor.examine(session, instance, begun, how, ABOUT, today=TODAY)


def written_file(folder, text, name="file.csv"):
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def told(exam):
    """What is told of each row: state, sentences, remedy."""
    return {one.row: (one.state, " ".join(one.told), one.remedy or "") for one in exam.findings if one.row}


BAD = "refused"
COORDINATES = "Write numbers, for example 58.3701 and 26.7290."
OUTSIDE = "Check the numbers, or the bounds in instance.yaml."
WHERE = "Add a column with the municipality or county, or with the code of the place."
CODES = "Use one of: station, association."
DATE = "Write the date so, or leave it blank when it is not known."
CONTACT = ("There is a private contact in the text.", "Take it out: no contact is published.")
ROWS = {
    # Coordinates
    "a decimal comma": (
        "name,lat,lon",
        'A,"58,5","25,0"',
        REPAIRED,
        "“58,5” has a decimal comma: read as 58.5. “25,0” has a decimal comma: read as 25.0.",
        "",
    ),
    "degrees, minutes, seconds": (
        HEAD,
        "A,58°30'00\"N,25°00'00\"E",
        REPAIRED,
        "“58°30'00\"N” was read as 58.5 degrees. “25°00'00\"E” was read as 25 degrees.",
        "",
    ),
    "swapped in one row": (
        HEAD,
        "A,25.0,58.5",
        BAD,
        "The point 25.0, 58.5 lies outside the territory.",
        "Swap lat and lon.",
    ),
    "another continent": (HEAD, "A,8.5,5.0", BAD, "The point 8.5, 5.0 lies outside the territory.", OUTSIDE),
    "only one": (
        HEAD,
        "A,58.5,",
        BAD,
        "Only one of the two coordinates is there.",
        "Give both, or leave both blank.",
    ),
    "words for numbers": (HEAD, "A,north,east", BAD, "“north, east” are no coordinates.", COORDINATES),
    "not a number": (HEAD, "A,nan,25.0", BAD, "“nan, 25.0” are no coordinates.", COORDINATES),
    "infinite": (HEAD, "A,inf,25.0", BAD, "“inf, 25.0” are no coordinates.", COORDINATES),
    "huge": (
        HEAD,
        "A,1e300,25.0",
        BAD,
        "Its coordinates lie outside everything that the system covers.",
        "Check the numbers, or name the right system of coordinates.",
    ),
    "zeros": (HEAD, "A,0,0", REPAIRED, "The coordinates 0, 0 mean that none are known: left blank.", ""),
    "none": (HEAD, "A,,", USED, "", ""),
    "a dash for none": (HEAD, "A,-,-", USED, "", ""),
    # Names and keys
    "no name": (
        "name,place",
        ",Somewhere",
        BAD,
        "It has no name.",
        "Fill it in, or name the column that holds the names.",
    ),
    "a key of another layer": (
        "name,key",
        "A,a-station",
        BAD,
        "The key “a-station” belongs to an organisation of the layer “police”.",
        "Give it another key, or leave the key blank.",
    ),
    "a key in capitals": (
        "name,key",
        "A,My_Key 1",
        REPAIRED,
        "The key “My_Key 1” was written as mu-keu-1.",
        "",
    ),
    "markup": ("name,place", "<b>A</b>,x", USED, "", ""),
    # Codes
    "a label for a code": ("name,form", "A,selts", REPAIRED, "“selts” was read as the code association.", ""),
    "an unknown code": ("name,form", "A,castle", BAD, "Form: “castle” is not a known code.", CODES),
    "labels for codes": (
        "name,capabilities",
        "A,order / nothing",
        BAD,
        "Capabilities: “order / nothing” is not a known code.",
        "Use one of: order, youth.",
    ),
    "codes by commas": (
        "name,capabilities",
        'A,"order, youth work"',
        REPAIRED,
        "“youth work” was read as the code youth.",
        "",
    ),
    # Dates
    "a local date": (
        "name,valid_from",
        "A,29.05.2012",
        REPAIRED,
        "“29.05.2012” was read as the date 2012-05-29.",
        "",
    ),
    "a spreadsheet's day": (
        "name,valid_from",
        "A,41058",
        REPAIRED,
        "“41058” is a spreadsheet's day: read as 2012-05-29.",
        "",
    ),
    "a day that is none": (
        "name,valid_from",
        "A,31.02.2012",
        BAD,
        "Since: A date is written 2018, 2018-05 or 2018-05-29; “2012-02-31” is not.",
        DATE,
    ),
    "words for a date": (
        "name,valid_from",
        "A,long ago",
        BAD,
        "Since: A date is written 2018, 2018-05 or 2018-05-29; “long ago” is not.",
        DATE,
    ),
    "a program's nothing": (
        "name,valid_to",
        "A,1899-12-30",
        REPAIRED,
        "“1899-12-30” is what programs write where no date is known: left blank.",
        "",
    ),
    "an end before the beginning": (
        "name,valid_from,valid_to",
        "A,2020,2019",
        BAD,
        "It ends (2019) before it begins (2020).",
        "Correct one of the dates.",
    ),
    # Places
    "a place by name": (
        "name,settlement",
        "A,Esimene",
        REPAIRED,
        "“Esimene” was read as Esimene küla (1000). "
        "It has no point: it stands at the point of its settlement.",
        "",
    ),
    "a place by code": (
        "name,settlement",
        "A,1000",
        REPAIRED,
        "It has no point: it stands at the point of its settlement.",
        "",
    ),
    "a name that two share": ("name,settlement", "A,Mäe", BAD, "There are 2 places called “Mäe”.", WHERE),
    "a name in the wrong county": (
        "name,settlement,county",
        "A,Oja,Lääne maakond",
        BAD,
        "There is no “Oja” in Lääne maakond.",
        "Correct one of the two names.",
    ),
    "a name that the county decides": (
        "name,settlement,county",
        "A,Mäe,Ida maakond",
        REPAIRED,
        "“Mäe” was read as Mäe küla (1003). It has no point: it stands at the point of its settlement.",
        "",
    ),
    "an unknown place": (
        "name,settlement",
        "A,Atlantis",
        REPAIRED,
        "“Atlantis” is no place known here: it stays as words.",
        "",
    ),
    "an unknown area served": (
        "name,serves",
        "A,county:99",
        BAD,
        "It serves the area “county:99”, which does not exist.",
        "Correct it, or import the areas first.",
    ),
    "no area at all": (
        "name,serves",
        "A,everywhere",
        BAD,
        "It serves the area “everywhere”, which does not exist.",
        "Correct it, or import the areas first.",
    ),
    # Contacts and addresses
    "a telephone": ("name,note_et", "A,Helista +372 5555 5555", BAD, f"Note (et): {CONTACT[0]}", CONTACT[1]),
    "a letter box": ("name,note_et", "A,kirjuta mari@kyla.ee", BAD, f"Note (et): {CONTACT[0]}", CONTACT[1]),
    "an address without its scheme": (
        "name,source_url",
        "A,www.example.org/a",
        REPAIRED,
        "“www.example.org/a” was read as the address https://www.example.org/a.",
        "",
    ),
    "no address": (
        "name,source_url",
        "A,javascript:alert(1)",
        BAD,
        "Address of the source: “javascript:alert(1)” is no web address.",
        "Begin with https:// or leave it blank.",
    ),
}


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS.keys())
def test_each_row_is_used_repaired_or_refused_with_a_true_reason(territory, instance, tmp_path, case):
    head, row, state, what, remedy = case
    # A sound neighbour, so that the system of coordinates is known.
    sound = ["B"] + [{"lat": "58.5", "lon": "25.0"}.get(name, "") for name in head.split(",")[1:]]
    file = written_file(tmp_path, f"{head}\n{row}\n{','.join(sound)}\n")

    exam = read(territory, instance, file, columns={name: name for name in head.split(",")})

    assert told(exam).get(2, (USED, "", "")) == (state, what, remedy)
    assert exam.counts[state] >= 1
    assert sum(exam.counts.values()) == exam.total == 2


SYSTEMS = {
    "degrees": ("lat,lon", "58.5,25.0", None),
    "the country's metres": ("lat,lon", "{north},{east}", "they make sense as EPSG:3301."),
    "metres, the other way round": (
        "lat,lon",
        "{east},{north}",
        "they make sense as EPSG:3301, northing first.",
    ),
    "degrees, the other way round": ("lat,lon", "25.0,58.5", "they make sense as EPSG:4326, northing first."),
    "metres of the web": ("lat,lon", "{web_north},{web_east}", "they make sense as EPSG:3857."),
    "a span of metres": ("lat,lon", "{north0}-{north1},{east0}-{east1}", "they make sense as EPSG:3301."),
}


@pytest.mark.parametrize("case", SYSTEMS.values(), ids=SYSTEMS.keys())
def test_coordinates_are_understood_in_whatever_system_they_come(territory, instance, tmp_path, case):
    head, text, why = case
    point = make.metric(shapely.Point(25.0, 58.5))
    web = geo.moved(np.array([shapely.Point(25.0, 58.5)]), source="EPSG:4326", target=3857)[0]
    text = text.format(
        web_north=f"{web.y:.1f}",
        web_east=f"{web.x:.1f}",
        north=f"{point.y:.1f}",
        east=f"{point.x:.1f}",
        north0=int(point.y) - 250,
        north1=int(point.y) + 250,
        east0=int(point.x) - 250,
        east1=int(point.x) + 250,
    )
    file = written_file(tmp_path, f"name,{head}\nA,{text}\n")

    exam = read(territory, instance, file)

    (row,) = exam.rows
    assert row.values["geom"].distance(point) < 2
    said = [str(one.told[0]) for one in exam.findings if not one.row and "system" in one.told[0]]
    assert said == ([] if why is None else [f"The file does not say its system of coordinates: {why}"])


def test_what_a_file_declares_is_not_believed_where_it_makes_no_sense(territory, instance, tmp_path):
    point = make.metric(shapely.Point(25.0, 58.5))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3035"}}
    feature = {
        "type": "Feature",
        "properties": {"name": "A"},
        "geometry": {"type": "Point", "coordinates": [point.x, point.y]},
    }
    text = json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]})

    exam = read(territory, instance, written_file(tmp_path, text, "a.geojson"))

    assert exam.rows[0].values["geom"].distance(point) < 1
    assert "The file says EPSG:3035, but its coordinates only make sense as EPSG:3301." in [
        str(one.told[0]) for one in exam.findings if not one.row
    ]


def test_the_one_organisation_of_this_name_there_is_taken_for_the_same(territory, instance, tmp_path):
    text = "name,county\nVana selts,Lääne\nVana Selts,Ida\n"

    exam = read(territory, instance, written_file(tmp_path, text))

    assert [row.key for row in exam.rows] == ["old-society", "vana-selts"]


def test_a_key_that_stands_twice_is_refused(territory, instance, tmp_path):
    exam = read(territory, instance, written_file(tmp_path, "key,name\na,One\na,Two\nb,Three\n"))

    assert told(exam)[3][1:] == (
        "The key “a” stands in line 2 already.",
        "Give one of them another key, or another valid_from.",
    )
    assert [row.key for row in exam.rows] == ["a", "b"]


def test_a_layers_privacy_goes_for_imports_too(territory, tmp_path):
    folder = make.an_instance(tmp_path / "t")

    def keep(about):
        about["layers"][1]["finest"] = {"settlement": 1000}

    make.change(folder, "instance.yaml", keep)
    private = catalog.read_instance(folder)
    rows = ("A,Kalda 5,58.5,25.0,settlement", "B,Küla,58.5,25.0,municipality", "C,Küla,58.5,25.0,settlement")
    text = "\n".join(["name,place,lat,lon,precision", *rows])

    exam = read(territory, private, written_file(tmp_path, text), same={"form": "association"})

    found = told(exam)
    assert found[2][:2] == (REFUSED, "“Kalda 5” names a house, and the layer “villages” may name none.")
    assert found[3][0] == REFUSED
    assert found[4][0] == REPAIRED
    assert exam.rows[0].values["geom"].distance(make.metric(shapely.Point(25.0, 58.5))) > 1


# --- Areas


def an_area(shape, **properties):
    return {"type": "Feature", "properties": properties, "geometry": json.loads(shapely.to_geojson(shape))}


BOWTIE = shapely.Polygon([(24, 58), (25, 59), (25, 58), (24, 59)])
SPIKED = shapely.Polygon([(24, 58), (25, 58), (25, 58.5), (25, 58), (25, 59), (24, 59)])
SHAPES = {
    "whole": (box(24, 58, 25, 59), USED, ""),
    "two in one collection": (
        shapely.GeometryCollection([box(24, 58, 25, 59), shapely.Point(24, 58)]),
        REPAIRED,
        "Points and lines beside its polygons were left out.",
    ),
    "a bow tie": (BOWTIE, REPAIRED, "Its shape was repaired: Self-intersection."),
    "a spike": (SPIKED, REPAIRED, "Its shape was repaired: Self-intersection."),
    "a point": (shapely.Point(24.5, 58.5), REFUSED, "It is a Point, not a polygon."),
    "nothing": (shapely.Polygon(), REFUSED, "It has no shape."),
}


@pytest.mark.parametrize("case", SHAPES.values(), ids=SHAPES.keys())
def test_the_shape_of_an_area_is_whole_or_repaired_or_refused(territory, instance, tmp_path, case):
    shape, state, what = case
    features = [an_area(box(25, 58, 26, 59), code="02", name="B"), an_area(shape, code="01", name="A")]
    file = written_file(
        tmp_path, json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson"
    )

    exam = read(territory, instance, file, layer="counties", same={})

    assert told(exam).get(2, (USED, "", ""))[:2] == (state, what)
    assert sum(exam.counts.values()) == exam.total == 2
    assert all(shapely.is_valid(row.values["geom"]) for row in exam.rows)


def test_a_repaired_copy_is_a_file_of_the_instance(territory, instance, tmp_path):
    file = written_file(
        tmp_path, 'Name;Form;Settlement;Lat;Lon;Since\nA;selts;Oja;"58,5";"25,0";29.05.2012\nB;;Esimene;;;\n'
    )
    exam = read(territory, instance, file)

    name, text = written.repaired(exam, instance)
    copy = instance.folder / "bodies" / name
    copy.write_text(text, encoding="utf-8")
    again = tables.bodies(copy, layer="villages", instance=instance)

    assert (name, again.problems) == ("villages.csv", ())
    assert [(row.key, {**row.values, "geom": None}) for row in again.rows] == [
        (row.key, {**row.values, "geom": None}) for row in exam.rows
    ]
    assert all(
        one.values["geom"].distance(other.values["geom"]) < 0.2
        for one, other in zip(again.rows, exam.rows, strict=True)
    )


def test_a_repaired_copy_of_areas_is_a_file_of_the_instance(territory, instance, tmp_path):
    features = [an_area(box(24, 58, 25, 59), code="01", name="A")]
    file = written_file(
        tmp_path, json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson"
    )
    exam = read(territory, instance, file, layer="counties", same={})

    name, text = written.repaired(exam, instance)
    resource = instance.resources["counties"]
    resource.path.write_text(text, encoding="utf-8")
    again = areas.read(resource, instance=instance, facts={})

    assert (name, again.problems) == ("counties.geojson", ())
    assert [row.values["names"] for row in again.rows] == [{"et": "A"}]


def test_the_list_of_what_to_mend_is_harmless_in_a_spreadsheet(territory, instance, tmp_path):
    exam = read(
        territory,
        instance,
        written_file(tmp_path, 'name,form\n"A","=cmd()"\n'),
        columns={"name": "name", "form": "form"},
    )

    lines = written.fixes(exam, tell=lambda sentence: f"={sentence}").splitlines()

    assert lines[0] == "\ufeffrow,state,what,remedy"
    assert lines[-1].startswith("2,refused,'=")


def test_a_plan_says_what_the_same_file_changes_and_undoing_it_brings_back_all(territory, instance, tmp_path):
    file = written_file(tmp_path, "name,county\nVana Selts,01\nUus,02\n")
    exam = read(territory, instance, file)
    about = doctor.resource(ABOUT, "villages", instance)
    now = make.moment(TODAY)

    plan = doctor.plan(territory, exam, about, file=file)
    number = editions.apply(territory, plan, now=now, how={"columns": {"name": "name", "county": "county"}})

    assert ([row.key for row in plan.added], plan.changed, plan.ended) == (["old-society", "uus"], (), ())
    assert doctor.plan(territory, exam, about, file=file).does_nothing
    assert doctor.remembered(territory, "villages", "made").columns == {"name": "name", "county": "county"}
    assert editions.undo(territory, number, now=now) > number


def test_an_import_without_a_usable_row_is_no_success(territory, instance, tmp_path):
    file = written_file(tmp_path, "name,form\nA,castle\n")
    exam = read(territory, instance, file, columns={"name": "name", "form": "form"})

    with pytest.raises(doctor.NothingUsable, match="None of the 1 rows can be used"):
        doctor.plan(territory, exam, doctor.resource(ABOUT, "villages", instance), file=file)


@pytest.mark.parametrize(
    ("about", "error"),
    [
        (About("", "s", "l"), doctor.BadDataset),
        (About("edits", "s", "l"), doctor.BadDataset),
        (About("a b", "s", "l"), doctor.BadDataset),
        (About("a", " ", "l"), doctor.NoSource),
        (About("a", "s", ""), doctor.NoSource),
        (About("a", "s", "l", source_url="ftp://x"), doctor.BadAddress),
    ],
)
def test_nothing_comes_in_without_source_licence_and_a_name(instance, about, error):
    with pytest.raises(error):
        doctor.resource(about, "villages", instance)


CELLS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["58,5", "58.5", "25.0", "2012", "29.05.2012", "selts", "Mäe", "1000", "01", "=1+1", "-", "0"]
    ),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=6), min_size=1, max_size=6))
def test_no_row_is_ever_lost_and_nothing_ends_the_examination(territory, instance, tmp_path, rows):
    head = ["name", "form", "lat", "lon", "settlement", "valid_from"]
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [head, *rows]]
    file = written_file(tmp_path, "\n".join(lines) + "\n")
    try:
        begun = doctor.begin(territory, instance, file, layer="villages", today=TODAY)
    except doctor.readers.Unreadable:
        return
    columns = {name: name for name in head if name in begun.table.columns}
    exam = doctor.examine(
        territory, instance, begun, How(columns, same={"precision": "settlement"}), ABOUT, today=TODAY
    )

    assert sum(exam.counts.values()) == exam.total == begun.table.rows
    assert len(exam.rows) == exam.counts[USED] + exam.counts[REPAIRED]
    assert all(one.remedy for one in exam.findings if one.state == REFUSED)
    west, south, east, north = instance.bounds
    for row in exam.rows:
        if row.values["geom"] is not None:
            place = geo.place_of(row.values["geom"].x, row.values["geom"].y, srid=instance.metric_crs)
            assert west - 2 <= place.lon <= east + 2
            assert south - 2 <= place.lat <= north + 2


def test_a_new_organisation_beside_a_known_one_of_its_name_is_told_with_the_plan(
    territory, instance, tmp_path
):
    make.a_body(territory, key="beside", name="Meie selts", at=(25.0, 58.5))
    make.a_body(territory, key="afar", name="Teie Selts", at=(24.2, 58.1))
    text = "key,name,lat,lon\nuus-1,MEIE  selts,58.505,25\nuus-2,Teie selts,58.5,25\nother,Muu,58.5,25\n"
    file = written_file(tmp_path, text)
    exam = read(territory, instance, file)
    plan = doctor.plan(territory, exam, doctor.resource(ABOUT, "villages", instance), file=file)

    (found,) = doctor.doubles(territory, plan)

    assert (found.row.key, found.known) == ("uus-1", "beside")
    assert str(found.remedy) == "If they are the same, give it the key beside; if not, leave it."
    file = written_file(tmp_path, text.replace("uus-1", "beside"))
    plan = doctor.plan(
        territory, read(territory, instance, file), doctor.resource(ABOUT, "villages", instance), file=file
    )
    assert doctor.doubles(territory, plan) == []
