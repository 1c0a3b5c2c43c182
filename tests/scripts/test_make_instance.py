"""The full-size instance: the same at every run, valid, and nowhere shown as fact."""

import csv
import hashlib
import json

import numpy as np
import pyogrio
import pytest
import shapely

import make_instance
from layers import catalog
from layers.sources import instance as sources
from tests import make


@pytest.fixture(scope="module")
def folder(tmp_path_factory, estonia):
    """A small one: Estonia and a few hundred invented areas."""
    assert estonia.folder == make_instance.ESTONIA
    made = tmp_path_factory.mktemp("made") / "small"
    return make_instance.make(made, areas=300, settlements=150, bodies=0.05)


def read(folder, layer):
    _, _, wkbs, columns = pyogrio.raw.read(folder / make_instance.LAYERS[layer]["path"], columns=["code"])
    return list(columns[0]), shapely.from_wkb(wkbs)


def digest(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.mark.slow
def test_it_is_the_same_at_every_run(folder, tmp_path):
    again = make_instance.make(tmp_path / "again", areas=300, settlements=150, bodies=0.05)

    assert digest(again) == digest(folder)


@pytest.mark.slow
def test_every_row_can_be_loaded(folder):
    found = {source.resource.name: len(source.rows) for source in sources.read(catalog.read_instance(folder))}
    real = {name: len(rows) for name, rows in _bodies(make_instance.ESTONIA).items()}

    assert found["watch_areas"] == 300
    assert found["settlements_areas"] == 150
    assert 35 <= found["police_districts"] <= 50
    assert {name: found[name] - real[name] for name in real} == {
        "police": 10,
        "villages": 75,
        "watch": 100,
        "rescue": 8,
    }


def _bodies(folder):
    return {layer: list(_rows(folder / "bodies" / f"{layer}.csv")) for layer in make_instance.BODIES}


def _rows(file):
    with file.open(encoding="utf-8", newline="") as opened:
        yield from csv.DictReader(opened)


def test_everything_added_says_that_it_is_invented(folder):
    known = {row["key"] for rows in _bodies(make_instance.ESTONIA).values() for row in rows}
    added = [row for rows in _bodies(folder).values() for row in rows if row["key"] not in known]
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    titles = [
        entry["titles"]["en"] for entry in package["resources"] if entry["name"] in make_instance.LAYERS
    ]
    labels = [catalog.read_instance(folder).layer(key).label["en"] for key in make_instance.LAYERS]

    assert len(added) == 193
    assert {row["source"] for row in added} == {"Invented for tests: not a fact"}
    assert {row["name"].split(":")[0] for row in added} == {"Näidis"}
    assert [title.split(":")[0] for title in titles] == ["Invented for tests"] * 3
    assert [label.split(":")[0] for label in labels] == ["Sample"] * 3


def test_settlement_cells_share_their_borders_and_cover_the_land(folder):
    _, cells = read(folder, "settlements_areas")
    metric = make.geo.to_metric(cells, srid=make.SRID)
    land = make_instance._shapes(folder / "areas" / "odbl" / "land.geojson")[1][0]

    assert shapely.is_valid(cells).all()
    assert shapely.coverage_is_valid(metric, gap_width=0)
    assert shapely.union_all(metric).area == pytest.approx(land.area, rel=1e-3)


def test_watch_areas_are_small_and_crowd_where_people_live(folder):
    codes, areas = read(folder, "watch_areas")
    metric = make.geo.to_metric(areas, srid=make.SRID)
    corners = shapely.get_num_coordinates(areas) - 1
    tallinn = make.metric(shapely.Point(24.75, 59.44))
    near = shapely.distance(metric, tallinn) < 15_000

    assert len(set(codes)) == 300
    assert shapely.is_valid(areas).all()
    assert (corners.min(), corners.max()) == (8, 16)
    assert np.sqrt(shapely.area(metric)).max() < 500
    assert near.mean() > 0.2


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, capsys, monkeypatch):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["make_instance.py", str(tmp_path)])

    with pytest.raises(SystemExit):
        make_instance.main()

    assert "is not empty. Name a new folder." in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
