"""Files for offices: what goes in comes out, and equal content has equal bytes."""

import io
from datetime import date

import geopandas
import openpyxl
import shapely

from layers import exports

DAY = date(2026, 11, 22)
ROWS = [
    {"zone": "Võru vald", "people": 33_000, "share": 0.5, "note": "=SUM(A1)"},
    {"zone": "Ямы", "people": 0, "share": float(1), "note": ""},
]


def test_a_workbook_holds_the_table_and_no_formula():
    made = exports.xlsx({"Zones: [all]": ROWS, "Empty": []}, day=DAY)

    book = openpyxl.load_workbook(io.BytesIO(made))
    assert book.sheetnames == ["Zones   all ", "Empty"]
    found = [[cell.value for cell in row] for row in book.worksheets[0].iter_rows()]
    assert found == [
        ["zone", "people", "share", "note"],
        ["Võru vald", 33_000, 0.5, "=SUM(A1)"],
        ["Ямы", 0, 1, None],
    ]
    assert book.worksheets[0]["D2"].data_type == "s"


def test_equal_content_has_equal_bytes():
    shapes = [{"geometry": shapely.Point(600_000, 6_400_000), "name": "Küla", "people": 3}]

    assert exports.xlsx({"a": ROWS}, day=DAY) == exports.xlsx({"a": ROWS}, day=DAY)
    packages = [exports.geopackage({"holes": shapes}, srid=3301, day=DAY) for _ in range(2)]
    assert packages[0] == packages[1]


def test_a_geopackage_has_its_layers_shapes_and_system(tmp_path):
    holes = [{"geometry": shapely.Point(600_000, 6_400_000), "name": "Küla", "people": 3}]
    zones = [{"geometry": shapely.box(0, 0, 5, 5), "code": "0101"}]
    file = tmp_path / "made.gpkg"

    file.write_bytes(exports.geopackage({"holes": holes, "zones": zones}, srid=3301, day=DAY))

    found = geopandas.read_file(file, layer="holes")
    assert found.crs.to_epsg() == 3301
    assert found.drop(columns="geometry").to_dict("records") == [{"name": "Küla", "people": 3}]
    assert found.geometry[0].equals(shapely.Point(600_000, 6_400_000))
    assert geopandas.read_file(file, layer="zones")["code"].tolist() == ["0101"]
