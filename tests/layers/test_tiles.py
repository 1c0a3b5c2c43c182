"""Big layers as tiles: built once for each state, read quickly, never half there; and small ones prepared."""

import gzip
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date

import mapbox_vector_tile
import pytest
import shapely
from pmtiles.tile import tileid_to_zxy
from shapely import box
from sqlalchemy import select

from layers import catalog, imports, outlines, places, store, tiles
from layers.geo import Bbox
from layers.model import Outline
from layers.tiles import NoSuchTile, NoTiles, Shelf, TilesBroken
from tests import make

TODAY = date(2026, 11, 22)
DAY = TODAY
SPAWN = multiprocessing.get_context("spawn")
needs_tippecanoe = pytest.mark.skipif(not tiles.tippecanoe(), reason="tippecanoe is not installed")


def squares(count=60, *, changed=(), skip=(), more=()):
    """A chessboard of small squares around 24.5, 58.5; those in `changed` are larger."""
    found = []
    for i in range(count):
        west, south = 24.3 + (i % 10) * 0.04, 58.3 + (i // 10) * 0.04
        size = 0.035 if i in changed else 0.03
        about = {"kind": "watch_area", "code": f"w{i:03}", "name_et": f"Ala {i}", "accuracy": "approximate"}
        about |= {"valid_from": "2020" if i == 7 else "", "valid_to": "2015" if i == 8 else ""}
        if i not in skip:
            found.append((about, box(west, south, west + size, south + size)))
    return [*found, *more]


def with_watch_areas(folder, features):
    """The tiny country with one more layer of areas."""
    make.write(folder, "areas/watch.geojson", make.a_map(features))
    layer = {"key": "watch_areas", "of": "areas", "kind": "watch_area", "colour": "#CC79A7", "symbol": "line"}
    words = {"label": {"en": "Watch areas"}, "about": {"en": "About them"}}
    keys = [one["key"] for one in _layers(folder)]
    if "watch_areas" not in keys:
        make.change(folder, "instance.yaml", lambda said: said["layers"].append(layer | words))
        make.change(
            folder,
            "datapackage.json",
            lambda said: said["resources"].append(make.a_resource("watch_areas", "areas/watch.geojson")),
        )
    return folder


def _layers(folder):
    return make.yaml.safe_load((folder / "instance.yaml").read_text(encoding="utf-8"))["layers"]


@pytest.fixture
def country(instance):
    with_watch_areas(instance.folder, squares())
    return catalog.read_instance(instance.folder)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "tiles", least=20)


def load(engine, instance):
    again = catalog.read_instance(instance.folder)
    imports.load(engine, again, now=make.moment(TODAY))
    return again


def built(engine, instance, shelf):
    """Loads, builds, and returns the archive with what was told."""
    told = []
    found = tiles.build(engine, load(engine, instance), shelf, tell=told.append)
    return found, told


def keys_in(archive):
    """Every key of every tile of the deepest zoom, with its properties."""
    _, index = tiles._indexed(archive.file, archive.layer, archive.revision)
    found = {}
    for number in index.ids:
        z, x, y = tileid_to_zxy(number)
        if z == archive.last_zoom:
            decoded = mapbox_vector_tile.decode(gzip.decompress(tiles.tile(archive, z, x, y)))
            found |= {f["properties"]["key"]: f["properties"] for f in decoded["areas"]["features"]}
    return found


# --- Building


@needs_tippecanoe
@pytest.mark.slow
def test_a_big_layer_gets_an_archive_that_holds_every_area_with_its_days(engine, country, shelf):
    (archive,), told = built(engine, country, shelf)

    found = keys_in(archive)
    assert sorted(found) == [f"watch_area:w{i:03}" for i in range(60)]
    assert found["watch_area:w007"] == {"key": "watch_area:w007", "n": "Ala 7", "valid_from": "2020"}
    assert found["watch_area:w008"]["valid_to"] == "2015"
    assert (archive.layer, archive.revision, archive.shown_from) == ("watch_areas", 1, 9)
    assert (told[0].share, told[-1].archive) == (0.0, archive)


@needs_tippecanoe
@pytest.mark.slow
def test_a_state_is_built_once(engine, country, shelf):
    (archive,), _ = built(engine, country, shelf)
    written = archive.file.stat().st_mtime_ns

    again, told = built(engine, country, shelf)

    assert (again, told) == ([archive], [])
    assert archive.file.stat().st_mtime_ns == written


def test_a_small_layer_gets_none(engine, country, shelf):
    found, told = built(engine, country, replace(shelf, least=60))

    assert (found, told, shelf.folder.exists()) == ([], [], False)


@needs_tippecanoe
@pytest.mark.slow
def test_the_previous_state_is_kept_and_older_ones_go(engine, country, shelf):
    for size in (60, 59, 58):
        with_watch_areas(country.folder, squares(size))
        built(engine, country, shelf)

    files = sorted(file.name for file in shelf.folder.iterdir() if not file.name.startswith("."))
    assert files == [f"watch_areas-{n}{end}" for n in (2, 3) for end in (".pmtiles", ".tallies.json")]
    assert tiles.newest(shelf, "watch_areas", revision=2).revision == 2


@needs_tippecanoe
@pytest.mark.slow
def test_the_archive_of_another_store_is_not_taken_for_ours(engine, country, shelf, tmp_path):
    other = store.open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with_watch_areas(country.folder, squares(40))
    built(other, country, shelf)
    other.dispose()
    with_watch_areas(country.folder, squares(60))

    (archive,), _ = built(engine, country, shelf)

    assert archive.revision == 1
    assert len(keys_in(archive)) == 60


@needs_tippecanoe
@pytest.mark.slow
def test_what_a_killed_build_left_is_cleared_away(engine, country, shelf):
    left = shelf.folder / ".building-killed"
    left.mkdir(parents=True)
    (left / "areas.pmtiles").write_bytes(b"half")

    (archive,), _ = built(engine, country, shelf)

    assert not left.exists()
    assert len(keys_in(archive)) == 60


@needs_tippecanoe
@pytest.mark.slow
def test_a_tile_that_is_damaged_is_not_sent_and_the_next_build_makes_it_anew(engine, country, shelf):
    (archive,), _ = built(engine, country, shelf)
    whole, (_, index) = (
        archive.file.read_bytes(),
        tiles._indexed(archive.file, archive.layer, archive.revision),
    )
    at, (offset, length, _) = index.ids[0], index.places[0]
    hurt = bytearray(whole)
    hurt[offset + length // 2] ^= 1
    archive.file.write_bytes(hurt)

    with pytest.raises(TilesBroken):
        tiles.tile(archive, *tileid_to_zxy(at))
    (again,), _ = built(engine, country, shelf)

    assert len(keys_in(again)) == 60
    told = []
    assert tiles.build(engine, country, shelf, tell=told.append) == [again]
    assert told == []


def build_at_once(url, folder, shelf):
    engine = store.open_store(url)
    try:
        told = []
        tiles.build(engine, catalog.read_instance(folder), shelf, tell=told.append)
        return len(told)
    finally:
        engine.dispose()


@needs_tippecanoe
@pytest.mark.slow
def test_of_two_that_build_at_once_the_second_finds_nothing_to_do(engine, country, shelf):
    load(engine, country)
    url = engine.url.render_as_string(hide_password=False)

    with ProcessPoolExecutor(2, mp_context=SPAWN) as pool:
        told = sorted(pool.map(build_at_once, [url] * 2, [country.folder] * 2, [shelf] * 2))

    assert told[0] == 0
    assert told[1] > 0
    assert len(keys_in(tiles.archive(shelf, "watch_areas", 1))) == 60


def test_without_tippecanoe_the_layer_is_counted_and_says_why_it_has_no_tiles(
    engine, country, shelf, monkeypatch
):
    monkeypatch.setattr(tiles, "tippecanoe", lambda: "")

    found, told = built(engine, country, shelf)

    assert found == []
    assert "tippecanoe is not installed" in told[-1].problem
    assert sum(t.number for t in tiles.tallies(shelf, "watch_areas", 1, step="far", as_of=DAY)) == 59


# --- Reading


@pytest.fixture
def archive(tmp_path):
    """An archive made without a store: 60 squares."""
    if not tiles.tippecanoe():
        pytest.skip("tippecanoe is not installed")
    folder = make.an_instance(tmp_path / "tiny")
    engine = store.open_store(f"sqlite:///{tmp_path / 'one.sqlite'}")
    with_watch_areas(folder, squares())
    (found,), _ = built(engine, catalog.read_instance(folder), Shelf(tmp_path / "shelf", least=20))
    engine.dispose()
    return found


def place_of_a_tile(archive):
    _, index = tiles._indexed(archive.file, archive.layer, archive.revision)
    return tileid_to_zxy(index.ids[-1])


@pytest.mark.slow
def test_an_empty_place_has_no_tile_and_an_impossible_one_is_refused(archive):
    assert tiles.tile(archive, 12, 0, 0) is None
    assert tiles.tile(archive, *place_of_a_tile(archive)) is not None
    for z, x, y in ((7, 0, 0), (13, 0, 0), (12, 4096, 0), (12, 0, 4096), (12, -1, 0)):
        with pytest.raises(NoSuchTile):
            tiles.tile(archive, z, x, y)


@pytest.mark.slow
def test_a_damaged_archive_is_told_and_rebuilt(archive):
    shelf, whole = Shelf(archive.file.parent, least=20), archive.file.read_bytes()
    for damaged in (b"", b"x" * 500, whole[:200], whole[:-50], whole[:127] + b"\0" * (len(whole) - 127)):
        archive.file.write_bytes(damaged)
        with pytest.raises(TilesBroken):
            tiles.archive(shelf, "watch_areas", 1)
        assert tiles.newest(shelf, "watch_areas", revision=1) is None
    archive.file.unlink()
    with pytest.raises(NoTiles):
        tiles.archive(shelf, "watch_areas", 1)
    shutil.rmtree(shelf.folder)
    assert tiles.newest(shelf, "watch_areas", revision=1) is None


# --- Numbers for far views


@pytest.mark.slow
def test_areas_are_counted_by_the_county_in_which_they_lie_on_a_day(archive):
    shelf = Shelf(archive.file.parent, least=20)

    def numbers(day):
        return {t.key: t.number for t in tiles.tallies(shelf, "watch_areas", 1, step="far", as_of=day)}

    assert numbers(date(2026, 1, 1)) == {"county:01": 59}
    assert numbers(date(2018, 1, 1)) == {"county:01": 58}
    assert numbers(date(2014, 1, 1)) == {"county:01": 59}


# --- What has changed since


def test_changes_name_what_to_hide_and_what_to_draw(engine, country):
    load(engine, country)
    with store.reading(engine, srid=make.SRID) as session:
        (state,) = tiles.states(session, country, least=20)
    more = ({"kind": "watch_area", "code": "new", "accuracy": "approximate"}, box(24.1, 58.1, 24.2, 58.2))
    with_watch_areas(country.folder, squares(changed=[3], skip=[5], more=[more]))
    load(engine, country)

    with store.reading(engine, srid=make.SRID) as session:
        found = tiles.changes(session, state.layer, since=state.edition, as_of=DAY, most=10)
        too_many = tiles.changes(session, state.layer, since=state.edition, as_of=DAY, most=2)
        none = tiles.changes(session, state.layer, since=state.edition + 99, as_of=DAY, most=10)

    assert found.gone == ("watch_area:new", "watch_area:w003", "watch_area:w005")
    assert [area.key for area, _ in found.added] == ["watch_area:new", "watch_area:w003"]
    assert shapely.from_geojson(found.added[1][1]).bounds == (24.42, 58.3, 24.455, 58.335)
    assert too_many is None
    assert (none.gone, none.added) == ((), ())


def test_a_frame_shows_the_largest_when_there_are_too_many(engine, country):
    with_watch_areas(country.folder, squares(changed=[3, 4]))
    load(engine, country)
    frame = Bbox(24.25, 58.25, 24.8, 58.8)

    with store.reading(engine, srid=make.SRID) as session:
        cut, is_cut = places.outlines_in(session, "watch_area", frame, as_of=DAY, most=2)
        whole, is_whole = places.outlines_in(session, "watch_area", frame, as_of=DAY, most=100)

    assert ([area.code for area, _ in cut], is_cut) == (["w003", "w004"], True)
    assert (len(whole), is_whole) == (59, False)


# --- Outlines of small layers


def neighbours(*, until=""):
    """Two areas with a wiggling border, of which the right one may end and be followed by another."""
    border = [(24.5 + (0.01 if i % 2 else -0.01), 58 + i / 50) for i in range(1, 50)]
    left = shapely.Polygon([(24, 58), (24.5, 58), *border, (24.5, 59), (24, 59)])
    right = shapely.Polygon([(25, 58), (25, 59), (24.5, 59), *reversed(border), (24.5, 58)])
    about = {"kind": "county", "accuracy": "approximate"}
    found = [({**about, "code": "01"}, left), ({**about, "code": "02", "valid_to": until}, right)]
    if until:
        found.append(({**about, "code": "03", "valid_from": until}, right.buffer(0.001)))
    return found


@pytest.fixture
def counties(instance):
    make.change(
        instance.folder,
        "datapackage.json",
        lambda said: said.update(resources=[r for r in said["resources"] if r["name"] != "counties-facts"]),
    )
    make.replace(instance.folder, "bodies/police.csv", "county:01;county:02", "county:01")
    make.write(instance.folder, "areas/counties.geojson", make.a_map(neighbours(until="2018-05-01")))
    return catalog.read_instance(instance.folder)


def shapes_of(found):
    return {area.code: shapely.from_geojson(text) for area, text in found}


def test_a_first_request_simplifies_nothing(engine, counties, monkeypatch):
    load(engine, counties)
    simplified = []
    monkeypatch.setattr(shapely, "coverage_simplify", lambda *_: simplified.append(1))

    with store.reading(engine, srid=make.SRID) as session:
        found = {
            step: shapes_of(places.outlines(session, "county", as_of=DAY, step=step))
            for step in outlines.STEPS
        }

    assert simplified == []
    points = {step: int(shapely.get_num_coordinates(shapes["01"])) for step, shapes in found.items()}
    assert points["far"] <= points["middle"] <= points["near"] == 54


def test_neighbours_keep_one_border_at_every_step_and_on_every_day(engine, counties):
    load(engine, counties)

    with store.reading(engine, srid=make.SRID) as session:
        for day in (date(2017, 1, 1), date(2018, 5, 1), DAY):
            for step in outlines.STEPS:
                found = shapes_of(places.outlines(session, "county", as_of=day, step=step))
                there = sorted(found)
                assert there == (["01", "02"] if day.year == 2017 else ["01", "03"])
                if day.year == 2017:
                    pair = [found[code] for code in there]
                    assert shapely.union_all(pair).area == pytest.approx(sum(s.area for s in pair), rel=1e-9)


def test_what_was_prepared_is_what_would_be_drawn_now(engine, counties):
    load(engine, counties)
    with store.writing(engine, srid=make.SRID) as session:
        for day in (date(2017, 1, 1), DAY):
            for step in outlines.STEPS:
                prepared = places.outlines(session, "county", as_of=day, step=step)
                with make.undone(session):
                    session.execute(Outline.__table__.delete())
                    drawn = places.outlines(session, "county", as_of=day, step=step)
                assert prepared == drawn
                assert len(prepared) == 2


def test_both_stores_prepare_the_same(engine, counties, tmp_path):
    other = store.open_store(f"sqlite:///{tmp_path / 'other.sqlite'}")
    held = []
    for one in (engine, other):
        load(one, counties)
        with store.reading(one, srid=make.SRID) as session:
            query = select(Outline.step, Outline.since, Outline.until, Outline.shape)
            held.append(sorted(map(tuple, session.execute(query))))
    other.dispose()

    assert held[0] == held[1]
    assert len(held[0]) > 9


def test_a_store_that_was_loaded_before_gets_its_outlines(engine, counties):
    load(engine, counties)
    with store.writing(engine, srid=make.SRID) as session:
        before = len(session.scalars(select(Outline.step)).all())
        session.execute(Outline.__table__.delete())
        session.commit()

    load(engine, counties)

    with store.reading(engine, srid=make.SRID) as session:
        assert len(session.scalars(select(Outline.step)).all()) == before > 0


def test_a_look_back_is_drawn_from_what_was_known_then(engine, counties):
    load(engine, counties)
    make.write(counties.folder, "areas/counties.geojson", make.a_map(neighbours()))
    imports.load(engine, catalog.read_instance(counties.folder), now=make.moment(date(2027, 1, 1)))

    with store.reading(engine, srid=make.SRID) as session:
        now = shapes_of(places.outlines(session, "county", as_of=DAY, step="far"))
        store.look_back(session, "2026-12-01T00:00:00Z")
        then = shapes_of(places.outlines(session, "county", as_of=DAY, step="far"))

    assert (sorted(now), sorted(then)) == (["01", "02"], ["01", "03"])
