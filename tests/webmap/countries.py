"""Instances of other places, made of real foreign files by small plain functions.

Each function turns one file into rows of ours: a general importer can take its place.
"""

import csv
import json
import re
import unicodedata
from pathlib import Path

import numpy as np
import pyogrio
import shapely
import yaml

from layers import catalog, geo, starter
from layers.geo import Bbox
from layers.starter import Wish

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"


def begun(folder, *, key, name, languages, bounds, emergency, layers=("police",)):
    """An empty instance, as `turvakaart new` writes it."""
    wish = Wish(
        key=key,
        names={languages[0]: name},
        languages=languages,
        default_language=languages[0],
        bounds=Bbox(*bounds),
        layers=layers,
        emergency=emergency,
    )
    return starter.write(folder, wish)


def slug(text):
    plain = (
        unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss")).encode("ascii", "ignore").decode()
    )
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def add_rows(folder, table, rows):
    """Rows into a table that has its header already."""
    file = folder / table
    with file.open(encoding="utf-8", newline="") as known:
        columns = csv.DictReader(known).fieldnames
    with file.open("a", encoding="utf-8", newline="") as more:
        csv.DictWriter(more, columns, restval="").writerows(rows)


def describe(folder, *, layers=(), resources=(), **more):
    """Adds layers, resources and whatever else to the two files that describe an instance."""
    about = yaml.safe_load((folder / catalog.FILE).read_text(encoding="utf-8"))
    about["layers"] += layers
    about |= more
    (folder / catalog.FILE).write_text(yaml.safe_dump(about, allow_unicode=True), encoding="utf-8")
    package = json.loads((folder / catalog.PACKAGE).read_text(encoding="utf-8"))
    for name, path, title, source, licence in resources:
        about = {
            "path": path,
            "title": title,
            "licenses": [{"name": licence}],
            "sources": [{"title": source}],
        }
        package["resources"].append({"name": name, **about, "as_of": "2014"})
    (folder / catalog.PACKAGE).write_text(json.dumps(package), encoding="utf-8")


def an_area_layer(key, kind, label, colour, symbol):
    look = {"colour": colour, "symbol": symbol, "label": {"en": label}, "about": {"en": label}}
    return {"key": key, "of": "areas", "kind": kind, **look}


def add_areas(folder, file, codes, names, shapes, *, kind):
    """A layer of official areas; parts of one code are joined, as a source may tell them in several rows."""
    features = []
    for code in sorted({*codes}):
        mine = [at for at, one in enumerate(codes) if one == code]
        features.append(
            {
                "type": "Feature",
                "geometry": json.loads(shapely.to_geojson(shapely.union_all(shapes[mine]))),
                "properties": {"kind": kind, "code": code, "name_en": names[mine[0]], "accuracy": "official"},
            }
        )
    target = folder / "areas" / file
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def polygons(file, *columns):
    """Some columns of a file of polygons, and its shapes in degrees."""
    about, _, wkbs, found = pyogrio.raw.read(file, columns=[*columns])
    order = [*about["fields"]]
    return [found[order.index(column)].tolist() for column in columns], shapely.from_wkb(wkbs)


def chicago(folder):
    """Police districts and beats: areas only, in English, metres of UTM 16."""
    bounds = (-87.95, 41.64, -87.52, 42.03)
    begun(folder, key="chicago", name="Chicago safety map", languages=("en",), bounds=bounds, emergency="911")
    source = REAL / "us-chicago-police"
    (numbers, labels), shapes = polygons(source / "police_districts.zip", "DIST_NUM", "DIST_LABEL")
    add_areas(folder, "districts.geojson", numbers, labels, shapes, kind="district")
    (numbers,), shapes = polygons(source / "police_beats.zip", "BEAT_NUM")
    add_areas(folder, "beats.geojson", numbers, [f"Beat {one}" for one in numbers], shapes, kind="beat")
    who = "City of Chicago Data Portal"
    describe(
        folder,
        layers=[
            an_area_layer("districts", "district", "Police districts", "#0072B2", "line"),
            an_area_layer("beats", "beat", "Police beats", "#8A94A0", "dotted"),
        ],
        resources=[
            ("districts", "areas/districts.geojson", "Police districts", who, "Public data"),
            ("beats", "areas/beats.geojson", "Police beats", who, "Public data"),
        ],
        area_kinds={"district": {"en": "police district"}, "beat": {"en": "police beat"}},
        roles=[
            {"key": "police", "layer": "police", "label": {"en": "Police"}},
            {"key": "beat", "area": "beat", "label": {"en": "Police beat"}},
        ],
    )
    return folder


def mecklenburg(folder):
    """Police and fire stations, professional and volunteer, in English; people are invented squares."""
    bounds = (-81.1, 35.0, -80.5, 35.5)
    begun(
        folder,
        key="mecklenburg",
        name="Mecklenburg safety map",
        languages=("en",),
        bounds=bounds,
        emergency="911",
        layers=("police", "rescue"),
    )
    for layer, file in (("police", "police_stations"), ("rescue", "fire_stations")):
        add_rows(folder, f"bodies/{layer}.csv", stations(REAL / "us-mecklenburg" / f"{file}.geojson"))
    srid = catalog.read_instance(folder).metric_crs
    west, south, east, north = shapely.bounds(geo.to_metric([shapely.box(*bounds)], srid=srid)[0])
    grid = np.array(
        np.meshgrid(np.arange(west + 3e3, east - 3e3, 2e3), np.arange(south + 3e3, north - 3e3, 2e3))
    )
    rows = [
        f"c{at},{x:.0f},{y:.0f},2000,{100 + at % 7 * 50},2013,Invented for this test"
        for at, (x, y) in enumerate(grid.reshape(2, -1).T.tolist())
    ]
    text = "\n".join(["code,east,north,size_m,people,as_of,source", *rows, ""])
    (folder / "cells.csv").write_text(text, encoding="utf-8")
    describe(
        folder, resources=[("cells", "cells.csv", "Invented people", "Invented for this test", "CC0-1.0")]
    )
    return folder


def stations(file):
    for one in json.loads(file.read_text(encoding="utf-8"))["features"]:
        about, (lon, lat) = one["properties"], one["geometry"]["coordinates"][:2]
        form = {"CFD": "professional", "VFD": "volunteer", None: "station"}[about.get("type")]
        yield {
            "key": slug(f"{about['name']} {about.get('city', '')} {lon:.4f} {lat:.4f}"),
            "name": about["name"].title(),
            "form": form,
            "capabilities": "public_order" if form == "station" else "land",
            "place": " ".join(about["address"].split()),
            "lat": lat,
            "lon": lon,
            "precision": "building",
            "as_of": "2013",
            "source": "Mecklenburg County GIS open data",
        }


def schleswig(folder):
    """Police posts, in German with English beside it; the towns are those of the posts."""
    bounds = (7.8, 53.3, 11.4, 55.1)
    begun(
        folder,
        key="schleswig",
        name="Sicherheitskarte",
        languages=("de", "en"),
        bounds=bounds,
        emergency="112",
    )
    file = REAL / "de-schleswig-holstein-police" / "polizeidienststellen.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened, delimiter="\t"))
    add_rows(folder, "bodies/police.csv", map(post, rows))
    towns = {}
    for row in rows:
        if row["longitude"] and row["city"]:
            towns.setdefault(row["city"], (row["longitude"], row["latitude"]))
    add_rows(
        folder,
        "places.csv",
        (
            {
                "code": slug(name),
                "name": name,
                "lat": lat,
                "lon": lon,
                "source": "Open-Data Schleswig-Holstein",
            }
            for name, (lon, lat) in towns.items()
        ),
    )
    return folder


def post(row):
    where = {"lat": row["latitude"], "lon": row["longitude"], "precision": "building"}
    return {
        "key": f"{slug(row['name'])}-{row['id']}",
        "name": row["name"],
        "form": "post",
        "capabilities": "public_order",
        "place": row["city"],
        "settlement": slug(row["city"]) if row["longitude"] else "",
        "as_of": "2025-06",
        "source": "Open-Data Schleswig-Holstein",
        "source_url": row["website"] if (row["website"] or "").startswith("http") else "",
        "note_de": "Dienststelle der Landespolizei.",
        **(where if row["longitude"] else {}),
    }


COUNTRIES = {"chicago": chicago, "mecklenburg": mecklenburg, "schleswig": schleswig}
