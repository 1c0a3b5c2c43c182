"""The full division and a real grid go into Estonia as official servers would send them."""

import shutil
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
import yaml

from layers import catalog, geo, imports, places, store
from layers.gaps import demand
from layers.updates import run, wanted
from layers.updates.fetch import Client
from layers.updates.kept import Shelf
from tests.layers.official import Served, a_cube, a_zip, serving, zipped
from tests.layers.test_aliases import SHARED

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TODAY = date(2026, 11, 22)
RENAMED = ["0142", "0251", "0304", "0503", "0514", "0638", "0718", "0726", "0735", "0809", "0855"]
NEEDED = {
    "counties": "ee-ehak-2026/maakond_small.geojson",
    "municipalities": "ee-ehak-2026/omavalitsus.geojson",
    "settlements": "ee-ehak-2018/topojson/asustusyksus.json",
    "grid": "ee-ut-geopython-2019/population_square_km.shp",
}


def real(name):
    """Columns and metric shapes of a real file."""
    about, _, wkbs, columns = pyogrio.raw.read(SHARED / NEEDED[name])
    shapes = geo.moved(shapely.from_wkb(wkbs), source=about["crs"] or "EPSG:4326", target=3301)
    return dict(zip(about["fields"].tolist(), columns, strict=True)), shapes


def a_division(name, inner):
    """The real division as the Land Board zips it."""
    columns, shapes = real(name)
    texts = {
        key: [str(one)[: 10 if key == "EKSPORT" else 80] for one in column] for key, column in columns.items()
    }
    return a_zip(inner, {key: texts[key] for key in texts if key not in ("AREA", "id")}, list(shapes))


def a_census():
    """The real grid around Tartu as Eurostat's table of squares in EPSG:3035."""
    columns, shapes = real("grid")
    middles = geo.moved(shapely.centroid(shapes), source="EPSG:3301", target=3035)
    people = Counter()
    for (east, north), number in zip(shapely.get_coordinates(middles), columns["Population"], strict=True):
        people[f"EE_CRS3035RES1000mN{int(north // 1000)}000E{int(east // 1000)}000"] += int(number)
    lines = [f"T,{code},{number},\nM,{code},1," for code, number in people.items()]
    table = "\n".join(["STAT,SPATIAL,OBS_VALUE,SPECIAL_VALUE", *lines])
    return zipped({"CSV/CENSUS_GRID_N_EE_2021.csv": table}), sum(people.values())


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.mark.slow
def test_the_full_division_replaces_the_approximations_of_estonia(server, estonia, tmp_path):
    if missing := [name for name in NEEDED.values() if not (SHARED / name).is_file()]:
        pytest.skip(f"real files are not in {SHARED}: {', '.join(missing)}")
    census, people = a_census()
    folder = "/rp-kemit-kataster/EHAK/"
    server.files |= {
        f"{folder}maakond_shp.zip": Served(a_division("counties", "maakond_20260401")),
        f"{folder}omavalitsus_shp.zip": Served(a_division("municipalities", "omavalitsus_20260401")),
        f"{folder}asustusyksus_shp.zip": Served(a_division("settlements", "asustusyksus_20180901")),
        "/census/2021/INSPIRE/Data/EE_PD_3035_CSV.zip": Served(census),
        "/api/v1/et/stat/RV0240": Served(the_people()),
    }
    instance = led_to(server.url, estonia, tmp_path / "ee")
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    imports.load(engine, instance, now=NOW)
    client = Client(now=lambda: NOW, pause_s=0.0, backoff_s=0.0, tries=1)
    shelf = Shelf(tmp_path / "state")

    with store.reading(engine, srid=3301) as session:
        sources = wanted.read(instance)
        offers = {
            offer.wanted.key: offer
            for offer in run.prepare(
                session, instance, sources, run.online(client, shelf), now=NOW, shelf=shelf
            )
        }
    for offer in offers.values():
        run.write(engine, instance, offer, now=NOW)

    failed = [key for key, offer in offers.items() if offer.failure]
    assert failed == ["ee-police-stations", "ee-rescue-stations"]
    division = offers["ee-municipality"]
    assert sorted(division.shaped.matches.renamed_code) == RENAMED
    assert (division.shaped.matches.new, division.shaped.matches.gone) == ((), ())
    assert (len(division.plan.added), division.shaped.as_of) == (78, "2026-04-01")
    # data/README.md tells that 94.2 % of the land lies in the right municipality, 97.9 % in the right county.
    assert division.difference.share == pytest.approx(0.058, abs=0.01)
    assert offers["ee-county"].difference.share == pytest.approx(0.021, abs=0.006)
    with store.reading(engine, srid=3301) as session:
        check_store(session, people)
        again = run.prepare(session, instance, sources[:5], run.offline(shelf), now=NOW)
    engine.dispose()
    assert [offer.plan.does_nothing for offer in again if offer.plan] == [True] * 4


def check_store(session, people):
    areas = {area.code: area for area in places.areas(session, "municipality", as_of=TODAY)}
    assert len(areas) == 78
    assert {area.accuracy for area in areas.values()} == {"official"}
    assert (areas["0251"].facts["official_code"], areas["0251"].names["ru"] != "") == ("0250", True)
    assert areas["0251"].facts["population"] == "777"
    assert areas["0784"].facts["population"] == "2018"
    before = {area.code: area for area in places.areas(session, "municipality", as_of=date(2020, 1, 1))}
    assert before["0803"].accuracy == "approximate", "what was before 2025 is still known"
    towns = {town.key: town for town in places.settlements(session, as_of=TODAY)}
    assert towns["m0784"].population == 394024
    official = {town.municipality for town in towns.values()}
    assert official == set(areas) | {"0803"}
    found = demand.of_store(session, as_of=TODAY)
    assert (found.basis, found.as_of, int(found.people.sum())) == ("cells", "2021-12-31", people)
    tartu = np.array([code == "0793" for code in found.zones["municipality"]])
    assert 80_000 < found.people[tartu].sum() < 110_000


def the_people():
    """A statistical table of three municipalities by their official codes of 2026."""
    codes = ["250", "784", "714", *(str(5000 + number) for number in range(70))]
    values = [777, 2018, 1, *range(70)]
    return a_cube({"Sugu": ["1"], "Vanus": ["000"], "Elukoht": codes, "Aasta": ["2026"]}, values)


def led_to(url, estonia, folder):
    """Estonia with every address of its updates on this machine; the grid holds one county only."""
    shutil.copytree(estonia.folder, folder)
    file = folder / wanted.FILE
    about = yaml.safe_load(file.read_text(encoding="utf-8"))
    for source in about["sources"]:
        source["addresses"] = source["addresses"][:1]
        for address in source["addresses"]:
            address["url"] = url + "/" + address["url"].split("/", 3)[3]
    grid = next(one for one in about["sources"] if one["key"] == "ee-census-grid")
    grid |= {"least_rows": 2000, "least_bytes": 10_000}
    file.write_text(yaml.safe_dump(about, allow_unicode=True), encoding="utf-8")
    return catalog.read_instance(Path(folder))
