"""Makes a full-size instance for benches and tests: Estonia, and as much again as a whole country would have.

    python scripts/make_instance.py full
    python scripts/make_instance.py million --areas 1000000

Everything that is added is invented, says so in its title, name and source, and is the same at every run.
Settlement cells share their borders, wiggling like real ones; watch areas crowd where people live. The
large layers are FlatGeobuf: a million areas are read in a quarter of the time of GeoJSON.
"""

import argparse
import csv
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
import yaml
from numpy.typing import NDArray

from layers import geo

ESTONIA = Path(__file__).resolve().parents[1] / "data" / "ee"
SRID = 3301
SEED = 20_261_122
KEY = "ee-full"
SOURCE = "Invented for tests: not a fact"
TITLE = {"et": "Katseks välja mõeldud: {et}", "en": "Invented for tests: {en}"}
DAYS = ("", "2012", "2018-05", "2021-03-01")
Floats = NDArray[np.float64]
Shapes = NDArray[np.object_]

LAYERS: Mapping[str, Mapping[str, str]] = {
    "settlements_areas": {
        "kind": "settlement",
        "et": "asulate alad",
        "en": "settlement areas",
        "colour": "#7A5C00",
        "symbol": "dotted",
        "path": "areas/odbl/settlements.fgb",
    },
    "police_districts": {
        "kind": "police_district",
        "et": "politsei piirkonnad",
        "en": "police districts",
        "colour": "#0072B2",
        "symbol": "line",
        "path": "areas/odbl/police_districts.geojson",
    },
    "watch_areas": {
        "kind": "watch_area",
        "et": "valvealad",
        "en": "watch areas",
        "colour": "#CC79A7",
        "symbol": "line",
        "path": "areas/watch_areas.fgb",
    },
}
# Layer → how many more bodies, their forms with capabilities, and what their invented names end with.
BODIES: Mapping[str, tuple[int, Mapping[str, str], str]] = {
    "police": (200, {"point": "public_order;youth", "section": "public_order", "auxiliary": ""}, "punkt"),
    "villages": (1500, {"association": "prevention", "community": "crisis;youth"}, "külaselts"),
    "watch": (2000, {"sector": "prevention", "patrol": "public_order"}, "valvesektor"),
    "rescue": (150, {"volunteer": "land;search", "volunteer_reserve": "reserve;sea"}, "pääste"),
}
READINESS = ("round_the_clock", "home_duty", "seasonal", "")


@dataclass(frozen=True)
class Towns:
    """The gazetteer as columns; points in metres."""

    rows: Sequence[Mapping[str, str]]
    points: Floats
    weights: Floats


def make(folder: Path, *, areas: int = 20_000, settlements: int = 4_700, bodies: float = 1.0) -> Path:
    """Writes the instance into a new or empty folder and returns it.

    `settlements` and `bodies` (a share of the full number) make a small one for tests.
    """
    shutil.copytree(ESTONIA, folder, dirs_exist_ok=True)
    chance = np.random.default_rng(SEED)
    towns = _towns(folder, settlements)
    land = _shapes(folder / "areas" / "odbl" / "land.geojson")[1][0]
    _write_areas(folder, "settlements_areas", *_cells(towns, land))
    _write_areas(folder, "police_districts", *_districts(folder))
    _write_areas(folder, "watch_areas", *_watch_areas(towns, land, areas, chance))
    for layer, (number, forms, ending) in BODIES.items():
        rows = _bodies(layer, towns, round(number * bodies), forms, ending, chance)
        _append(folder / "bodies" / f"{layer}.csv", rows)
    _describe(folder)
    return folder


def _towns(folder: Path, number: int) -> Towns:
    with (folder / "places.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (-int(row["population"] or 0), row["code"]))[
            :number
        ]
    degrees = shapely.points([[float(row["lon"]), float(row["lat"])] for row in rows])
    people = np.array([int(row["population"] or 60) for row in rows], dtype=float)
    return Towns(rows, shapely.get_coordinates(geo.to_metric(degrees, srid=SRID)), people / people.sum())


def _shapes(file: Path) -> tuple[list[dict[str, Any]], Shapes]:
    """Properties and shapes in metres of a GeoJSON file."""
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    shapes = shapely.from_geojson([json.dumps(feature["geometry"]) for feature in features])
    return [feature["properties"] for feature in features], geo.to_metric(shapes, srid=SRID)


# --- Settlement cells: who is nearest, with borders that wiggle


def _cells(towns: Towns, land: shapely.Geometry) -> tuple[list[dict[str, str]], Shapes]:
    points: Shapes = np.asarray(shapely.points(towns.points), dtype=object)
    whole = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=land))
    whole = whole[shapely.STRtree(whole).query(points, predicate="within")[1]]
    # Neighbours have the same corners only when these are rounded before the borders are cut into steps.
    steps = np.sqrt(shapely.area(whole)) / 25
    rough = shapely.segmentize(shapely.set_precision(whole, 1.0), float(np.median(steps)))
    cells = shapely.transform(shapely.set_precision(rough, 0.1), _wiggled)
    used = _on_land(cells, land)
    kept = ~shapely.is_empty(used)
    facts = [_facts("settlement", row["code"], row["name"], row["municipality"], "") for row in towns.rows]
    return [fact for fact, keep in zip(facts, kept, strict=True) if keep], used[kept]


def _wiggled(points: Floats) -> Floats:
    """A smooth push of up to 130 m that depends on the place alone, so that a shared border stays shared."""
    x, y = points[:, 0], points[:, 1]
    push = np.column_stack(
        [
            90 * np.sin(y / 310 + np.sin(x / 700)) + 40 * np.sin(x / 173 + y / 211),
            90 * np.sin(x / 290 + np.sin(y / 650)) + 40 * np.sin(y / 167 - x / 223),
        ]
    )
    pushed: Floats = points + push
    return pushed


def _on_land(cells: Shapes, land: shapely.Geometry) -> Shapes:
    pieces = shapely.get_parts(land)
    shapely.prepare(pieces)
    tree = shapely.STRtree(pieces)
    inland, _ = tree.query(cells, predicate="covered_by")
    coast = np.setdiff1d(np.arange(len(cells)), inland)
    cut = cells.copy()
    cut[coast] = shapely.intersection(shapely.make_valid(cells[coast]), land)
    return _polygons(cut)


def _polygons(shapes: Shapes) -> Shapes:
    """Without the stray lines and points that an intersection can leave."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    kept = (shapely.get_type_id(parts) == 3) & (shapely.area(parts) > 100)
    found: Shapes = np.full(len(shapes), shapely.MultiPolygon(), dtype=object)
    shapely.multipolygons(parts[kept], indices=owner[kept], out=found)
    return found


# --- Police districts: two or three municipalities of a county together


def _districts(folder: Path) -> tuple[list[dict[str, str]], Shapes]:
    about, shapes = _shapes(folder / "areas" / "odbl" / "municipalities.geojson")
    middles = shapely.get_coordinates(shapely.centroid(shapes))
    open_ones = [i for i, one in enumerate(about) if not one.get("valid_to")]
    counties: dict[str, list[int]] = {}
    for i in sorted(open_ones, key=lambda i: (middles[i][1], about[i]["code"])):
        counties.setdefault(about[i]["parent"], []).append(i)
    groups = [
        (county, members[at : at + 2])
        for county, members in sorted(counties.items())
        for at in range(0, len(members), 2)
    ]
    facts = [
        _facts("police_district", f"d{number:02}", about[members[0]]["name_et"], "", county)
        for number, (county, members) in enumerate(groups, start=1)
    ]
    return facts, np.array([shapely.union_all(shapes[members]) for _, members in groups], dtype=object)


# --- Watch areas: small, and many where people are many


def _watch_areas(
    towns: Towns, land: shapely.Geometry, number: int, chance: np.random.Generator
) -> tuple[list[dict[str, str]], Shapes]:
    home = chance.choice(len(towns.points), size=number, p=towns.weights)
    # The more areas a town has, the wider it spreads.
    spread = 150 * np.sqrt(np.bincount(home, minlength=len(towns.points)))[home] + 200
    middles = towns.points[home] + chance.normal(size=(number, 2)) * spread[:, None] * 0.6
    pieces = shapely.get_parts(land)
    shapely.prepare(pieces)
    dry = np.zeros(number, dtype=bool)
    dry[shapely.STRtree(pieces).query(shapely.points(middles), predicate="within")[0]] = True
    middles[~dry] = towns.points[home][~dry] + chance.normal(size=(int((~dry).sum()), 2)) * 120
    shapes = _blobs(middles, chance)
    began = chance.choice(len(DAYS), size=number, p=(0.7, 0.1, 0.1, 0.1))
    facts = [
        _facts("watch_area", f"w{i:07}", f"valveala {i}, {towns.rows[at]['name']}", "", "", DAYS[day])
        for i, (at, day) in enumerate(zip(home.tolist(), began.tolist(), strict=True), start=1)
    ]
    return facts, shapes


def _blobs(middles: Floats, chance: np.random.Generator) -> Shapes:
    """A polygon of 8 to 16 corners around each point; none crosses itself, since its corners go round."""
    corners = chance.integers(8, 17, size=len(middles))
    found: Shapes = np.empty(len(middles), dtype=object)
    for count in range(8, 17):
        here = np.flatnonzero(corners == count)
        turns = (np.arange(count) + chance.uniform(0.1, 0.9, size=(len(here), count))) * 2 * np.pi / count
        reach = chance.uniform(60, 180, size=(len(here), 1)) * chance.uniform(0.7, 1.3, size=turns.shape)
        ring = middles[here, None, :] + reach[..., None] * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
        found[here] = shapely.polygons(np.concatenate([ring, ring[:, :1]], axis=1))
    return found


# --- Files


def _facts(
    kind: str, code: str, name: str, municipality: str, parent: str, since: str = ""
) -> dict[str, str]:
    return {
        "kind": kind,
        "code": code,
        "name_et": f"Näidis: {name}",
        "name_en": f"Sample: {name}",
        "parent": f"municipality:{municipality}" if municipality else parent,
        "accuracy": "approximate",
        "source": SOURCE,
        "as_of": "2026-11",
        "valid_from": since,
    }


def _write_areas(folder: Path, layer: str, facts: list[dict[str, str]], shapes: Shapes) -> None:
    file = folder / LAYERS[layer]["path"]
    degrees = shapely.transform(geo.to_degrees(shapes, srid=SRID), lambda points: points.round(7))
    single = bool((shapely.get_type_id(degrees) == 3).all())
    pyogrio.raw.write(
        file,
        shapely.to_wkb(degrees if single else _gathered(degrees)),
        [np.array([fact[name] for fact in facts], dtype=object) for name in facts[0]],
        list(facts[0]),
        geometry_type="Polygon" if single else "MultiPolygon",
        crs="EPSG:4326",
        driver="FlatGeobuf" if file.suffix == ".fgb" else "GeoJSON",
        layer=layer,
    )


def _gathered(shapes: Shapes) -> Shapes:
    """Polygons and multipolygons as multipolygons all."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    return np.asarray(shapely.multipolygons(parts, indices=owner), dtype=object)


def _bodies(
    layer: str,
    towns: Towns,
    number: int,
    forms: Mapping[str, str],
    ending: str,
    chance: np.random.Generator,
) -> Iterator[dict[str, str]]:
    homes = chance.choice(
        len(towns.rows), size=number, p=np.sqrt(towns.weights) / np.sqrt(towns.weights).sum()
    )
    for i, at in enumerate(homes.tolist(), start=1):
        town, form = towns.rows[at], list(forms)[int(chance.integers(len(forms)))]
        yield {
            "key": f"sample-{layer}-{i:05}",
            "name": f"Näidis: {town['name']} {ending} {i}",
            "name_en": f"Sample: {town['name']}, {layer} {i}",
            "form": form,
            "capabilities": forms[form],
            "readiness": READINESS[int(chance.integers(len(READINESS)))] if layer == "rescue" else "",
            "place": town["name"],
            "settlement": town["code"],
            "municipality": town["municipality"],
            "county": town["county"],
            "lat": town["lat"],
            "lon": town["lon"],
            "precision": "settlement",
            "serves": f"municipality:{town['municipality']}" if layer == "police" else "",
            "as_of": f"{int(chance.integers(2012, 2027))}-{int(chance.integers(1, 11)):02}",
            "source": SOURCE,
            "note_et": "Katseks välja mõeldud.",
            "note_en": "Invented for tests.",
        }


def _append(file: Path, rows: Iterator[dict[str, str]]) -> None:
    with file.open(encoding="utf-8", newline="") as known:
        columns = csv.DictReader(known).fieldnames or []
    with file.open("a", encoding="utf-8", newline="") as more:
        csv.DictWriter(more, columns, restval="", lineterminator="\n").writerows(rows)


def _describe(folder: Path) -> None:
    """The new layers in instance.yaml and datapackage.json, under a key of its own."""
    about = yaml.safe_load((folder / "instance.yaml").read_text(encoding="utf-8"))
    known, about["key"] = about["key"], KEY
    about["name"] = {"et": "Turvakaart, näidis", "en": "Turvakaart, sample"}
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    for key, said in LAYERS.items():
        words = {language: text.format(**said) for language, text in TITLE.items()}
        about["layers"].append(
            {
                "key": key,
                "of": "areas",
                "kind": said["kind"],
                "label": {"et": f"Näidis: {said['et']}", "en": f"Sample: {said['en']}"},
                "about": {language: f"{text}." for language, text in words.items()},
                "colour": said["colour"],
                "symbol": said["symbol"],
                "shown": key == "watch_areas",
            }
        )
        about["area_kinds"][said["kind"]] = {"et": said["et"], "en": said["en"]}
        licence = "ODbL-1.0" if "/odbl/" in said["path"] else "CC0-1.0"
        package["resources"].append(
            {
                "name": key,
                "path": said["path"],
                "title": words["en"],
                "titles": words,
                "licenses": [{"name": licence}],
                "sources": [{"title": SOURCE, "titles": {"et": "Katseks välja mõeldud", "en": SOURCE}}],
                "as_of": "2026-11",
            }
        )
    text = yaml.safe_dump(about, allow_unicode=True, sort_keys=False)
    (folder / "instance.yaml").write_text(text, encoding="utf-8")
    (folder / "datapackage.json").write_text(
        json.dumps(package, ensure_ascii=False, indent=2), encoding="utf-8"
    )
    counts = folder / "counts.csv"
    text = counts.read_text(encoding="utf-8").replace(f",country:{known},", f",country:{KEY},")
    counts.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where to write the instance; a new or empty folder")
    parser.add_argument("--areas", type=int, default=20_000, help="how many watch areas (default: 20000)")
    options = parser.parse_args()
    if options.folder.exists() and any(options.folder.iterdir()):
        parser.error(f"{options.folder} is not empty. Name a new folder.")
    if not 1 <= options.areas <= 5_000_000:
        parser.error("--areas must lie between 1 and 5000000.")
    made = make(options.folder, areas=options.areas)
    print(f"{made} is ready: turvakaart serve --instance {made}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
