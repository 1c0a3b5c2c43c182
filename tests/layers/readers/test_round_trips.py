"""Random tables → each format → read → the same; and the memory of large files, and the real ones."""

import csv
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import geopandas
import numpy as np
import openpyxl
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layers import readers
from layers.readers import Limits, Unreadable
from tests.conftest import lacking
from tests.layers.readers.corpus import CASES
from tests.layers.readers.files import collection, feature, packed, sheet

REAL = Path(__file__).parents[4] / "shared" / "data" / "real"
# Words as people write them: letters of several scripts, inner blanks and marks, never a number or a formula.
LETTERS = "abcdefghijkõäöüšžABÕÜàéßñłжяБ"
WORDS = st.text(st.sampled_from(LETTERS + " ,;|\"'\t\n.<&>"), min_size=0, max_size=12).map(
    lambda text: text.strip() and f"x{text.strip()}y"
)
TABLES = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.tuples(*[WORDS] * width), min_size=1, max_size=8)
)
FAST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def cells_of(table):
    return [cells for piece in table.pieces() for cells in piece.cells]


def shapes_of(table):
    return [shape for piece in table.pieces() for shape in piece.shapes]


def read(raw, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        table = readers.read(path)
        return table, cells_of(table), shapes_of(table) if table.geometry else []


def with_heads(rows):
    """The rows under names of columns; a first cell is never blank, so that no row is one."""
    heads = [f"veerg{column}" for column in range(len(rows[0]))]
    return heads, [(row[0] or "x", *row[1:]) for row in rows]


@FAST
@given(
    rows=TABLES,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_any_text_table_is_read_as_it_was_written(rows, delimiter, encoding):
    heads, rows = with_heads(rows)
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([heads, *rows])

    table, cells, _ = read(stream.getvalue().encode(encoding), "a.csv")

    assert (list(table.columns), cells) == (heads, rows)


@FAST
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["Põlva", "Järva", "Võru", "Jõhvi", "Šveits", "Kõrvemaa žanr"]), WORDS),
        min_size=3,
    ),
    encoding=st.sampled_from(["cp1257", "iso8859-13"]),
)
def test_a_baltic_table_is_never_taken_for_another_language(rows, encoding):
    keep = set("abcdefghijkõäöüšžABÕÜxy ")
    rows = [
        (name, "".join(letter for letter in word if letter in keep).strip() or "x") for name, word in rows
    ]
    stream = io.StringIO()
    csv.writer(stream, delimiter=";").writerows([("nimi", "muu"), *rows])

    _, cells, _ = read(stream.getvalue().encode(encoding), "a.csv")

    assert cells == rows


@FAST
@given(rows=TABLES, numbers=st.lists(st.floats(-180, 180).map(lambda x: round(x, 6)), min_size=8, max_size=8))
def test_any_geojson_is_read_as_it_was_written(rows, numbers):
    heads, rows = with_heads(rows)
    features = [
        feature(number, number / 2, **dict(zip(heads, row, strict=True)))
        for row, number in zip(rows, numbers, strict=False)
    ]

    _, cells, shapes = read(collection(*features), "a.geojson")
    _, lines, _ = read(b"\n".join(json.dumps(one).encode() for one in features), "a.geojsonl")

    assert cells == lines == rows
    assert [shape.coords[0] for shape in shapes] == [(n, n / 2) for n in numbers[: len(rows)]]


@settings(FAST, max_examples=12)
@given(rows=TABLES)
def test_any_sheet_is_read_as_it_was_written(rows):
    heads, rows = with_heads(rows)

    table, cells, _ = read(sheet(heads, *rows), "a.xlsx")

    assert (list(table.columns), cells) == (heads, rows)


@settings(FAST, max_examples=6)
@given(rows=TABLES, seed=st.integers(0, 1000))
def test_any_layer_is_read_as_it_was_written(rows, seed):
    heads, rows = with_heads(rows)
    chance = np.random.default_rng(seed)
    shapes = shapely.points(chance.uniform((4e5, 6.4e6), (7e5, 6.6e6), (len(rows), 2)))
    frame = geopandas.GeoDataFrame(
        [dict(zip(heads, row, strict=True)) for row in rows], geometry=shapes, crs=3301
    )
    with tempfile.TemporaryDirectory() as folder:
        frame.to_file(Path(folder) / "a.gpkg")
        frame.to_file(Path(folder) / "a.shp", encoding="utf-8")
        package = (Path(folder) / "a.gpkg").read_bytes()
        zipped = packed(
            {part.name: part.read_bytes() for part in Path(folder).glob("a.*") if part.suffix != ".gpkg"}
        )

    for raw, name in ((package, "a.gpkg"), (zipped, "a.zip")):
        table, cells, found = read(raw, name)

        assert (list(table.columns), cells, table.crs) == (heads, rows, "EPSG:3301")
        assert [shape.wkb for shape in found] == [shape.wkb for shape in shapes]


@settings(FAST, max_examples=80)
@given(
    number=st.integers(0, len(CASES) - 1),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6),
)
def test_no_damage_makes_anything_but_a_table_or_a_sentence(number, cut, flips):
    case = CASES[number]
    raw = bytearray(case.make()[:200_000])
    for where, value in flips:
        if raw:
            raw[int(where * len(raw))] = value
    raw = bytes(raw[: int(len(raw) * cut) if cut < 0.5 else len(raw)])

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / case.file
        path.write_bytes(raw)
        try:
            table = readers.read(path)
        except Unreadable:
            return
        pieces = list(table.pieces())
    assert sum(len(piece.numbers) for piece in pieces) == table.rows
    assert all(len(row) == len(table.columns) for piece in pieces for row in piece.cells)


@pytest.mark.parametrize(
    ("limits", "raw", "name", "says"),
    [
        (
            Limits(rows=2),
            b"a,b\n1,2\n3,4\n5,6\n",
            "a.csv",
            "The table “a” has more than 2 rows. Split it into smaller files.",
        ),
        (
            Limits(columns=2),
            b"a,b,c\nx,y,z\n",
            "a.csv",
            "The table has 3 columns; at most 2 are read. Leave out those that are not needed.",
        ),
        (
            Limits(cell_length=9),
            b"a,b\nx,1234567890\n",
            "a.csv",
            "Row 2 has a cell of 10 characters; at most 9 are read. Shorten it, or look whether a quotation "
            "mark is missing.",
        ),
        (
            Limits(cell_length=50),
            b"a,b\n" + b"x" * 500,
            "a.csv",
            "Line 2 is longer than 100 characters. Perhaps this is not a table as text.",
        ),
        (
            Limits(bytes_at_once=10),
            json.dumps({"type": "Topology", "arcs": [], "objects": {}}).encode(),
            "a.json",
            "The file “a.json” is larger than 0 MB, and its format can only be read whole. "
            "Save it as GeoPackage.",
        ),
    ],
)
def test_what_is_more_than_the_limits_is_refused(tmp_path, limits, raw, name, says):
    path = tmp_path / name
    path.write_bytes(raw)

    with pytest.raises(Unreadable) as refused:
        readers.read(path, limits=limits)

    assert str(refused.value) == says


def test_a_shape_of_too_many_vertices_is_left_out_with_a_note(tmp_path):
    ring = shapely.Point(25, 59).buffer(0.1, quad_segs=100)
    path = tmp_path / "a.geojson"
    path.write_bytes(
        collection(feature(geometry=shapely.geometry.mapping(ring), nimi="A"), feature(nimi="B"))
    )

    table = readers.read(path, limits=Limits(vertices_per_shape=100))

    assert [shape is None for shape in shapes_of(table)] == [True, False]
    assert [str(note.said) for note in table.notes if note.row == 1] == [
        "The shape has more than 100 vertices; the row has none now. Simplify it in a GIS."
    ]


def test_of_many_notes_alike_the_first_are_kept_and_the_others_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n" + b"x\n" * 100)

    notes = readers.read(path).notes

    assert len(notes) == 21
    assert str(notes[0].said) == "More rows with the same remark as row 2: 80."


def test_an_encoding_that_is_given_is_taken(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("nimi;x\nPõlva šaht;1\n".encode("cp775"))

    assert cells_of(readers.read(path, encoding="cp775")) == [("Põlva šaht", "1")]
    with pytest.raises(Unreadable, match="The encoding “klingon” is not known"):
        readers.read(path, encoding="klingon")


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(sheet(["a", "b"], ["x", "y"]))

    with pytest.raises(Unreadable, match=r"There is no table “Leht9” in the file\. Choose one of: Leht1\."):
        readers.read(path, name="Leht9")


@pytest.mark.parametrize(
    "name", ["/vsicurl/http://example.org/a.geojson", "/vsizip/a.zip", "no.csv", "GeoJSON:{}"]
)
def test_a_path_is_only_ever_a_file(name):
    with pytest.raises(Unreadable, match="cannot be opened"):
        readers.read(Path(name))


def test_rows_that_a_sheet_leaves_out_are_counted_and_not_kept(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append(["x", "y"])
    book.active.cell(50_000, 2, "z")
    book.save(tmp_path / "a.xlsx")

    table = readers.read(tmp_path / "a.xlsx")

    assert [piece.numbers for piece in table.pieces()] == [[2, 50_000]]
    assert "Blank lines left out: 49997." in [str(note.said) for note in table.notes]


WALK = """
import resource, sys
from pathlib import Path
from layers import readers
import shapely, pyogrio, openpyxl, pyproj
pyproj.Transformer.from_crs(4326, 3301)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
table = readers.read(Path(sys.argv[1]))
rows = sum(len(piece.numbers) for piece in table.pieces())
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def walked(path):
    """Rows of a file, and the megabytes that reading them took at most, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", WALK, str(path)], capture_output=True, text=True, check=True)
    rows, megabytes = done.stdout.split()
    return int(rows), int(megabytes)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".geojson"])
def test_a_large_text_file_is_read_in_little_memory(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    line = "külaselts,{n},59.1,25.2," + "tekst " * 60 + "\n"
    if suffix == ".csv":
        path.write_text("nimi,n,lat,lon,kirjeldus\n" + "".join(line.format(n=n) for n in range(150_000)))
    else:
        one = json.dumps(feature(nimi="külaselts", kirjeldus="tekst " * 300))
        path.write_text('{"type":"FeatureCollection","features":[' + ",\n".join([one] * 30_000) + "]}")
    assert path.stat().st_size > 50e6

    rows, megabytes = walked(path)

    assert rows in (150_000, 30_000)
    assert megabytes < 60


@pytest.mark.slow
def test_a_large_geopackage_is_read_in_little_memory(tmp_path):
    path = tmp_path / "a.gpkg"
    shapes = shapely.buffer(shapely.points([[6e5 + n, 6.5e6] for n in range(8_000)]), 100, quad_segs=120)
    geopandas.GeoDataFrame({"n": range(8_000)}, geometry=shapes, crs=3301).to_file(path)
    assert path.stat().st_size > 60e6

    rows, megabytes = walked(path)

    assert rows == 8_000
    assert megabytes < 120


EXPECTED = {
    "ee-ehak-2018/geojson/omavalitsus.json": (79, "polygon", "EPSG:4326"),
    "ee-ehak-2018/topojson/asustusyksus.json": (4711, "polygon", "EPSG:4326"),
    "ee-ehak-2018/csv/asustusyksus.csv": (4711, "", ""),
    "ee-ehak-2018/csv/omavalitsus_rahvaarv.csv": (215, "", ""),
    "ee-ehak-2018/asustusyksus_tyyp.csv": (10, "", ""),
    "ee-ehak-2026/omavalitsus.geojson": (78, "polygon", "EPSG:4326"),
    "ee-ut-geopython-2019/population_admin_units.shp": (79, "polygon", "EPSG:3301"),
    "ee-ut-geopython-2019/population_square_km.shp": (3584, "polygon", "EPSG:3301"),
    "ee-ut-geopython-2019/schools_tartu.csv": (137, "", ""),
    "ee-ut-geopython-2019/roads.shp": (678, "line", "EPSG:3301"),
    "ee-ut-geopython-2019/porijogi_sub_catchments.geojson": (8, "polygon", "EPSG:3301"),
    "ee-ut-geopython-2019/category_3_species_porijogi.gpkg": (1037, "point", "EPSG:3301"),
    "fi-helsinki-region/PKS_suuralue.kml": (23, "polygon", "EPSG:4326"),
    "fi-helsinki-region/addresses.txt": (34, "", ""),
    "fi-helsinki-region/addresses.zip": (35, "point", "EPSG:4326"),
    "us-chicago-police/police_districts.zip": (25, "polygon", "EPSG:4326"),
    "us-chicago-police/police_beats.zip": (277, "polygon", "EPSG:4326"),
    "us-mecklenburg/fire_stations.geojson": (60, "point", "EPSG:4326"),
    "de-schleswig-holstein-police/polizeidienststellen.csv": (264, "", ""),
}


@pytest.mark.parametrize("file", EXPECTED)
def test_a_real_file_is_read_whole(file, request):
    path = REAL / file
    if not path.exists():
        lacking(request.config, f"the real file {file} is not here")

    table = readers.read(path)

    assert (table.rows, table.geometry, table.crs) == EXPECTED[file]
    assert sum(len(piece.numbers) for piece in table.pieces()) == table.rows


def test_real_traps_are_seen_and_left_to_whoever_asked(request):
    if not REAL.exists():
        lacking(request.config, "the real files are not here")

    population = readers.read(REAL / "ee-ut-geopython-2019/population_admin_units.shp")
    grid = readers.read(REAL / "ee-ut-geopython-2019/population_square_km.shp")
    basins = readers.read(REAL / "ee-ut-geopython-2019/porijogi_sub_catchments.geojson")
    police = readers.read(REAL / "de-schleswig-holstein-police/polizeidienststellen.csv")
    kinds = readers.read(REAL / "ee-ehak-2018/asustusyksus_tyyp.csv")
    old = readers.read(REAL / "ee-ehak-2018/csv/omavalitsus_rahvaarv.csv")

    assert sum(int(row[population.columns.index("population")]) for row in cells_of(population)) == 1_317_762
    assert {row[0] for row in cells_of(grid)} == {"", "2018-11-10"}
    assert "The date 1899-12-30 stands for “no date”; it was left blank." in [
        str(note.said) for note in grid.notes
    ]
    assert [str(note.said) for note in basins.notes] == [
        "The text looks as if its encoding was mistaken before: “VÃ¤nda”."
    ]
    at = police.columns.index("longitude")
    assert sum(not row[at] for row in cells_of(police)) == 11
    assert all(cell == cell.strip() for row in cells_of(kinds) for cell in row)
    assert sum(row[0] == "0" for row in cells_of(old)) == 2
