"""Files to take along, read by programs that know nothing of ours."""

import csv
import json
from datetime import date
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyarrow.parquet
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import downloads, exports, model
from layers.downloads import Question
from layers.errors import LayerNotFound
from layers.exports import shapes
from layers.filters import Filter
from tests import make

TODAY = date(2026, 11, 22)
KML = "{http://www.opengis.net/kml/2.2}"


@pytest.fixture
def world(session):
    """Two organisations of which one has no place, and a county of two parts with a hole."""
    make.an_edition(session)
    old = make.an_edition(session, table_name="villages", licence="ODbL-1.0", source={"en": "OpenStreetMap"})
    about = {"names": {"en": "=cmd|'/c calc'!A1"}, "notes": {"et": 'Õ, "Я"\nkaks'}}
    make.a_body(session, key="here", name="+Selts", county="01", as_of="2018-05", **about)
    make.a_body(session, key="nowhere", name="Mujal", at=None, county="02", edition=old)
    ring = shapely.box(24.2, 58.2, 24.4, 58.4).exterior.coords
    parts = [shapely.Polygon(shapely.box(24, 58, 25, 59).exterior, [ring]), shapely.box(25.5, 58, 25.7, 58.2)]
    make.an_area(session, code="01", shape=shapely.multipolygons(parts), facts={"population": "5"})
    return session


def dataset(session, instance, layer, **changes):
    question = Question(layer, **{"as_of": TODAY, "today": TODAY, "language": "en", **changes})
    return downloads.dataset(session, instance, question)


def written(folder, table, format):
    file = folder / f"{table.name}.{format}"
    exports.write(table, exports.format_of(format), file)
    return file


def told(table):
    """What a table tells, as rows and shapes."""
    rows = [dict(zip(table.columns, row, strict=True)) for piece in table.pieces() for row in piece.rows]
    return rows, [shape for piece in table.pieces() for shape in piece.shapes]


def read(file, format):
    """A file as others read it: rows of what is not blank, as text, and their shapes."""
    if format == "csv":
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = [*csv.DictReader(stream)]
        drawn = [line.pop("wkt") for line in lines]
        return lines, [shapely.from_wkt(text) if text else None for text in drawn]
    if format == "kml":
        marks = [*ElementTree.parse(file).getroot().iter(f"{KML}Placemark")]  # noqa: S314 (our own)
        lines = [
            {data.get("name"): data.find(f"{KML}value").text or "" for data in mark.iter(f"{KML}Data")}
            for mark in marks
        ]
        return lines, list(geopandas.read_file(file).geometry)
    frame = geopandas.read_parquet(file) if format == "parquet" else geopandas.read_file(file)
    frame = frame.sort_values("key" if "key" in frame else "code")
    lines = frame.drop(columns=[*{"geometry", "bbox"} & {*frame.columns}]).to_dict("records")
    return lines, list(frame.geometry)


def plain(row):
    return {name: str(value) for name, value in row.items() if value not in (None, "") and value == value}


def unguarded(text):
    """As a person takes the apostrophe away that guards a formula."""
    return text[1:] if text[:1] == "'" else text


@pytest.mark.parametrize("format", list(exports.FORMATS))
@pytest.mark.parametrize("layer", ["villages", "counties"])
def test_others_read_what_was_written(world, instance, tmp_path, layer, format):
    table = dataset(world, instance, layer)
    rows, drawn = told(table)
    lines, found = read(written(tmp_path, table, format), format)

    if format == "kml":
        lines = [
            {name: text.replace("&amp;", "&").replace("&lt;", "<") for name, text in line.items()}
            for line in lines
        ]
    if format == "csv":
        lines = [{name: unguarded(text) for name, text in line.items()} for line in lines]
    assert len(rows) == (2 if layer == "villages" else 1)
    assert [plain(line) for line in lines] == [plain(row) for row in rows]
    for one, other in zip(found, drawn, strict=True):
        assert (one is None) == (other is None)
        assert one is None or shapely.equals(one, other)


def test_every_row_tells_where_it_is_from(world, instance):
    rows, _ = told(dataset(world, instance, "villages"))

    assert [(row["key"], row["licence"], row["attribution"]) for row in rows] == [
        ("here", "CC0-1.0", rows[0]["attribution"]),
        ("nowhere", "ODbL-1.0", "OpenStreetMap (ODbL-1.0)"),
    ]
    assert [row["precision"] for row in rows] == ["settlement", None]
    assert all(row["source"] and row["freshness"] for row in rows)


def test_files_say_what_they_are_made_of(world, instance, tmp_path):
    table = dataset(world, instance, "villages")
    said = {name: text for name, text in table.about.items() if text}
    assert {"ODbL-1.0", "CC0-1.0"} == {*said["licence"].split("; ")}
    assert "same licence" in said["share_alike"]

    files = {format: written(tmp_path, table, format) for format in exports.FORMATS}

    assert said.items() <= json.loads(files["geojson"].read_text(encoding="utf-8"))["about"].items()
    packed = pyogrio.read_info(files["gpkg"])
    # GDAL keeps the description where GeoPackages have a place of their own for it.
    assert said.items() - packed["dataset_metadata"].items() == {("description", "About villages")}
    assert packed["layer_metadata"]["DESCRIPTION"] == "About villages"
    assert json.loads(pyogrio.read_info(files["fgb"])["layer_metadata"]["DESCRIPTION"]) == said
    parquet = pyarrow.parquet.read_metadata(files["parquet"]).metadata
    assert {name: parquet[name.encode()].decode() for name in said} == said
    document = ElementTree.parse(files["kml"]).getroot()[0]  # noqa: S314 (our own)
    assert said["attribution"] in document.find(f"{KML}description").text


def test_a_layer_of_free_data_asks_for_nothing(world, instance):
    assert dataset(world, instance, "counties").about["share_alike"] == ""


def test_geojson_is_as_the_standard_has_it(world, instance, tmp_path):
    whole = json.loads(written(tmp_path, dataset(world, instance, "counties"), "geojson").read_text())

    assert "crs" not in whole
    [polygon, other] = whole["features"][0]["geometry"]["coordinates"]
    assert [shapely.LinearRing(ring).is_ccw for ring in (*polygon, *other)] == [True, False, True]
    assert polygon[0][0] == polygon[0][-1]


def test_geoparquet_has_the_metadata_of_its_standard(world, instance, tmp_path):
    file = written(tmp_path, dataset(world, instance, "counties"), "parquet")

    geo = json.loads(pyarrow.parquet.read_metadata(file).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == (
        "1.1.0",
        "WKB",
        ["MultiPolygon"],
    )
    assert column["bbox"] == pytest.approx([24, 58, 25.7, 59], abs=1e-6)
    assert "crs" not in column  # OGC:CRS84
    assert geopandas.read_parquet(file, bbox=(25.6, 58, 25.65, 58.1)).shape[0] == 1
    assert geopandas.read_parquet(file, bbox=(30, 58, 31, 58.1)).shape[0] == 0


def test_no_cell_runs_in_a_spreadsheet_and_none_is_changed(world, instance, tmp_path):
    file = written(tmp_path, dataset(world, instance, "villages"), "csv")

    with file.open(encoding="utf-8-sig", newline="") as stream:
        cells = [(name, cell) for line in csv.DictReader(stream) for name, cell in line.items() if cell]
    assert ("name", "'+Selts") in cells
    assert ("name_en", "'=cmd|'/c calc'!A1") in cells
    assert [cell for _, cell in cells if cell[0] in "=+-@\t\r＝＋－＠"] == []


@given(st.text(st.sampled_from("='+-@a ＝\t")) | st.text())
def test_what_guards_a_formula_can_be_taken_away(text):
    guarded = exports.harmless(text)

    assert exports.restored(guarded) == text
    assert guarded[:1] not in [*"=+-@\t\r"]


@pytest.mark.parametrize("format", list(exports.FORMATS))
def test_equal_questions_have_equal_bytes(world, instance, tmp_path, format):
    (tmp_path / "again").mkdir()
    files = [
        written(folder, dataset(world, instance, "villages"), format)
        for folder in (tmp_path, tmp_path / "again")
    ]

    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("format", ["csv", "geojson", "gpkg", "parquet"])
def test_what_has_no_place_is_a_table(session, instance, tmp_path, format):
    make.a_practice(session, key="alpha", titles={"en": "Watch, together"})
    resources = {**instance.resources, "practices": instance.resources["villages"]}
    country = make_instance(instance, resources=resources)
    table = dataset(session, country, "practices")

    file = written(tmp_path, table, format)

    rows = pyarrow.parquet.read_table(file).to_pylist() if format == "parquet" else None
    rows = rows or pyogrio.read_dataframe(file, read_geometry=False).to_dict("records")
    assert [row["label"] for row in rows] == ["Watch, together"]
    with pytest.raises(exports.NoShapes, match=r"“practices” has no places.*csv"):
        exports.write(table, exports.format_of("kml"), tmp_path / "no.kml")


def make_instance(instance, **changes):
    from dataclasses import replace

    return replace(instance, **changes)


@pytest.mark.parametrize("format", list(exports.FORMATS))
@pytest.mark.parametrize("layer", ["villages", "counties"])
def test_a_layer_without_rows_has_its_columns(session, instance, tmp_path, layer, format):
    table = dataset(session, instance, layer)
    file = written(tmp_path, table, format)

    if format == "csv":
        assert file.read_text(encoding="utf-8-sig").split(",")[0] == next(iter(table.columns))
    elif format == "parquet":
        assert {*table.columns} <= {*pyarrow.parquet.read_schema(file).names}
    elif format == "kml":
        assert [*ElementTree.parse(file).getroot().iter(f"{KML}Placemark")] == []  # noqa: S314 (our own)
    else:
        assert len(pyogrio.read_dataframe(file)) == 0
    assert {"source", "licence", "attribution"} <= {*table.columns}


def test_a_day_a_choice_and_a_language_are_kept_to(session, instance):
    make.a_body(session, key="old", name="Vana", names={"en": "Old"}, valid_to="2012", county="01")
    make.a_body(session, key="new", name="Uus", valid_from="2012", county="02")

    def keys(**changes):
        return [
            (row["key"], row["label"]) for row in told(dataset(session, instance, "villages", **changes))[0]
        ]

    assert keys(as_of=date(2011, 1, 1)) == [("old", "Old")]
    assert keys(as_of=date(2011, 1, 1), language="et") == [("old", "Vana")]
    assert keys() == [("new", "Uus")]
    assert keys(only=Filter(county=("01",))) == []


def test_what_another_dataset_hides_is_not_told(session, instance):
    shown, hidden = make.a_body(session, key="shown"), make.a_body(session, key="hidden")
    session.get(model.Body, hidden.id).hidden_in = shown.edition_id
    session.flush()

    assert [row["key"] for row in told(dataset(session, instance, "villages"))[0]] == ["shown"]


def test_a_layer_that_is_none_is_told(session, instance):
    with pytest.raises(LayerNotFound, match="no layer “cells”"):
        dataset(session, instance, "cells")


def test_a_format_that_is_none_is_told():
    with pytest.raises(exports.NoFormat, match=r"no format “doc”\. Use one of: geojson, gpkg"):
        exports.format_of("doc")


def test_without_pyarrow_a_sentence_says_how_to_have_it(monkeypatch):
    monkeypatch.setattr(exports.parquet, "find_spec", lambda name: None)

    assert "parquet" not in [one.key for one in exports.offered()]
    with pytest.raises(exports.NotInstalled, match=r"install turvakaart\[parquet\]"):
        exports.format_of("parquet")


def test_big_layers_are_read_piece_by_piece(session, instance, monkeypatch):
    for number in range(7):
        make.an_area(session, code=f"{number:02}")
    monkeypatch.setattr("layers.downloads.areas.BATCH", 3)

    pieces = [*dataset(session, instance, "counties").pieces()]

    assert [len(piece.rows) for piece in pieces] == [3, 3, 1]
    assert [row[1] for piece in pieces for row in piece.rows] == [f"{number:02}" for number in range(7)]


# --- The 180th meridian


def degrees(*polygons):
    return shapes.areas(np.array([None, shapely.multipolygons(polygons)], dtype=object)[1:])[0]


def round_the_earth(ring):
    """A ring as it is written with longitudes from -180 to 180."""
    return [((lon + 180) % 360 - 180 if lon != 180 else 180, lat) for lon, lat in ring]


@settings(max_examples=40, deadline=None)
@given(
    west=st.integers(100, 200),
    width=st.integers(3, 100),
    south=st.integers(-80, 60),
    height=st.integers(3, 20),
)
def test_an_area_on_both_sides_of_the_meridian_is_cut_there(west, width, south, height):
    east, north = west + width, south + height
    there = shapely.Polygon(shapely.box(west, south, east, north).exterior)
    hole = shapely.box(west + width / 3, south + 1, west + width / 2, south + 2)
    straight = shapely.segmentize(shapely.Polygon(there.exterior, [hole.exterior]), 5)
    rings = [straight.exterior.coords, *(ring.coords for ring in straight.interiors)]
    found = degrees(shapely.Polygon(round_the_earth(rings[0]), [round_the_earth(ring) for ring in rings[1:]]))

    assert found.is_valid
    assert found.area == pytest.approx(straight.area)
    for lon, lat in np.random.default_rng(7).uniform((-180, -85), (180, 85), (200, 2)):
        point = shapely.Point(lon, lat)
        twin = any(shapely.contains(straight, shapely.Point(lon + turn, lat)) for turn in (0, 360))
        assert twin == found.contains(point) or found.boundary.distance(point) < 1e-6


def test_an_area_around_a_pole_reaches_it():
    ring = [(lon, 70.0) for lon in range(-180, 180, 30)]

    found = degrees(shapely.Polygon(ring))

    assert found.is_valid
    assert found.contains(shapely.Point(17, 89))
    assert found.area == pytest.approx(360 * 20)


def test_an_area_that_only_is_wide_stays_whole():
    assert degrees(shapely.segmentize(shapely.box(-100, 0, 100, 5), 20)).area == pytest.approx(1000)
