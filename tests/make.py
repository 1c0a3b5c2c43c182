"""Builders with good defaults: facts in a store, and a tiny country in a folder."""

import csv
import io
import itertools
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import shapely
import yaml
from shapely import box
from sqlalchemy import event, select

from layers import geo, model, places, practices

SRID = 3301
_numbers = itertools.count(1)


# --- Facts in a store


def metric(shape):
    """A shape in degrees as the store keeps it."""
    return geo.to_metric([shape], srid=SRID)[0]


def moment(day):
    """A moment of a day, as the clock at the edge would tell it."""
    return datetime(day.year, day.month, day.day, 8, tzinfo=UTC)


def an_edition(session, name="made", **changes):
    """Adds an edition and returns its id."""
    facts = {
        "table_name": name,
        "title": {"en": "Made"},
        "source": {"en": "Made up for a test"},
        "source_url": "",
        "licence": "CC0-1.0",
        "as_of": "2026",
        "loaded_at": "2026-11-22T08:00:00Z",
        "checksum": "0" * 64,
        "rows": 0,
    }
    edition = model.Edition(**{**facts, **changes})
    session.add(edition)
    session.flush()
    return edition.id


def _an_edition_of(session):
    found = session.scalars(select(model.Edition.id).order_by(model.Edition.id)).first()
    return found or an_edition(session)


def _fact(session, key, prefix, changes):
    return {
        "key": key or f"{prefix}-{next(_numbers):05}",
        "digest": "0" * 64,
        "source": "Made up for a test",
        "edition_id": changes.pop("edition", None) or _an_edition_of(session),
    }


def _added(session, row):
    session.add(row)
    session.flush()
    return row


def a_body(session, *, key="", name="Selts", at=(25.0, 58.5), layer="villages", serves=(), **changes):
    """An organisation; `at` is (lon, lat), None for an unknown place."""
    facts = {
        **_fact(session, key, "body", changes),
        "layer": layer,
        "name": name,
        "names": {},
        "form": "association",
        "capabilities": [],
        "notes": {},
        "precision": "settlement" if at else "",
        "geom": metric(shapely.Point(at)) if at else None,
        "serves": [model.Serves(area=area) for area in serves],
    }
    return _added(session, model.Body(**{**facts, **changes}))


def an_area(session, *, kind="county", code="01", shape=None, **changes):
    """An area; `shape` is in degrees."""
    shape = box(24, 58, 25, 59) if shape is None else shape
    facts = {
        **_fact(session, f"{kind}:{code}", "area", changes),
        "kind": kind,
        "code": code,
        "names": {"en": f"The {kind} {code}"},
        "accuracy": "approximate",
        "facts": {},
        "geom": metric(shapely.multipolygons([*shapely.get_parts(shape)])),
    }
    return _added(session, model.Area(**{**facts, **changes}))


def a_settlement(session, *, key="", name="Küla", at=(25.0, 58.5), population=None, **changes):
    """An entry of the gazetteer."""
    facts = {
        **_fact(session, key, "settlement", changes),
        "name": name,
        "municipality": "0101",
        "county": "01",
        "population": population,
        "geom": metric(shapely.Point(at)),
    }
    return _added(session, model.Settlement(**{**facts, **changes}))


def a_practice(session, *, key="", **changes):
    """A practice with everything it needs."""
    facts = {
        **_fact(session, key, "practice", changes),
        "titles": {"et": "Tava", "en": "A practice"},
        "summaries": {"et": "Lühidalt", "en": "In short"},
        "texts": {"et": "Pikalt", "en": "At length"},
        "audiences": ["police"],
        "themes": ["watch"],
        "related": [],
        "stage": "described",
        "sources": [{"title": "Made up for a test", "url": "", "date": ""}],
    }
    return _added(session, model.Practice(**{**facts, **changes}))


def a_case(session, *, key="", at=None, practices=("alpha",), bodies=(), areas=(), **changes):
    """A case; `practices` are keys in their order."""
    facts = {
        **_fact(session, key, "case", changes),
        "titles": {"et": "Lugu", "en": "A case"},
        "summaries": {"et": "Lühidalt", "en": "In short"},
        "texts": {"et": "Pikalt", "en": "At length"},
        "theme": "watch",
        "outcome": "lasted",
        "stage": "described",
        "parties": ["police", "residents"],
        "precision": "settlement" if at else "",
        "sources": [{"title": "Made up for a test", "url": "", "date": ""}],
        "geom": metric(shapely.Point(at)) if at else None,
        "practices": [
            model.CasePractice(practice=practice, position=position, adaptation={})
            for position, practice in enumerate(practices)
        ],
        "bodies": [model.CaseBody(body=body) for body in bodies],
        "areas": [model.CaseArea(area=area) for area in areas],
    }
    return _added(session, model.Case(**{**facts, **changes}))


def a_read_body(*, key="body", layer="villages", as_of="", **changes):
    """An organisation as the readers tell it."""
    facts = {
        "key": key,
        "layer": layer,
        "name": "Selts",
        "names": {},
        "form": "association",
        "capabilities": (),
        "readiness": "",
        "locality": "",
        "settlement": "",
        "municipality": "",
        "county": "",
        "precision": "",
        "place": None,
        "serves": (),
        "valid_from": "",
        "valid_to": "",
        "notes": {},
        "source": places.Source("Made up for a test", "", as_of),
    }
    return places.Body(**{**facts, **changes})


def a_read_case(*, key="case", **changes):
    """A case as the readers tell it."""
    facts = {
        "key": key,
        "titles": {"en": "A case"},
        "summaries": {},
        "texts": {},
        "theme": "watch",
        "outcome": "lasted",
        "stage": "described",
        "parties": (),
        "locality": "",
        "municipality": "",
        "county": "",
        "precision": "",
        "place": None,
        "period_from": "",
        "period_to": "",
        "as_of": "",
        "as_of_inferred": False,
        "sources": (),
        "practices": (),
        "bodies": (),
        "areas": (),
    }
    return practices.Case(**{**facts, **changes})


def a_read_practice(*, key="practice", **changes):
    """A practice as the readers tell it."""
    facts = {
        "key": key,
        "titles": {"en": "A practice"},
        "summaries": {},
        "texts": {},
        "audiences": (),
        "themes": (),
        "stage": "described",
        "as_of": "",
        "related": (),
        "sources": (),
    }
    return practices.Practice(**{**facts, **changes})


def a_count(session, *, key="", layer="villages", area="county:01", number=5, **changes):
    """How many of a layer somebody has counted in an area; `number` is None where none is told."""
    facts = {
        **_fact(session, key, "count", changes),
        "layer": layer,
        "area": area,
        "number": number,
        "notes": {},
        "as_of": "2020",
    }
    return _added(session, model.Count(**{**facts, **changes}))


@contextmanager
def undone(session):
    """What happens inside leaves no trace: for many worlds in one test."""
    savepoint = session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


@contextmanager
def counted(session):
    """The SQL statements that are sent meanwhile."""
    said = []

    def hear(_connection, _cursor, statement, *_rest):
        said.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(connection, "before_cursor_execute", hear)


def everything(session):
    """All that a store holds, table by table, in an order that does not depend on the store."""
    found = {}
    for table in model.Base.metadata.sorted_tables:
        rows = [
            [cell.wkb_hex if isinstance(cell, shapely.Geometry) else cell for cell in row]
            for row in session.execute(select(table))
        ]
        found[table.name] = sorted(rows, key=repr)
    return found


# --- A tiny country in a folder

_COUNTIES = {"01": ("Lääs", "West", (24, 58, 25, 59)), "02": ("Ida", "East", (25, 58, 26, 59))}
_BODY = [
    "key",
    "name",
    "name_en",
    "form",
    "capabilities",
    "readiness",
    "place",
    "settlement",
    "municipality",
    "county",
    "lat",
    "lon",
    "precision",
    "serves",
    "valid_from",
    "valid_to",
    "as_of",
    "as_of_inferred",
    "source",
    "source_url",
    "note_et",
    "note_en",
]
_BODIES = {
    "police": [
        {
            "key": "west-station",
            "name": "Lääne jaoskond",
            "name_en": "West station",
            "form": "station",
            "capabilities": "order;youth",
            "readiness": "always",
            "place": "Esimene",
            "settlement": "1001",
            "county": "01",
            "lat": "58.25",
            "lon": "24.25",
            "precision": "settlement",
            "serves": "county:01;county:02",
            "valid_from": "2010",
            "as_of": "2021-06",
            "as_of_inferred": "yes",
            "source_url": "https://example.org/west",
            "note_et": "Avatud iga päev, ka öösel.",
            "note_en": "Open every day, at night too.",
        },
        {
            "key": "old-station",
            "name": "Vana jaoskond",
            "form": "station",
            "county": "02",
            "lat": "58.75",
            "lon": "25.75",
            "precision": "municipality",
            "valid_from": "1995-05",
            "valid_to": "2012-05-16",
            "as_of": "2012-05-16",
        },
    ],
    "villages": [
        {
            "key": "first-village",
            "name": "Esimese küla selts",
            "form": "association",
            "settlement": "1001",
            "county": "01",
            "lat": "58.25",
            "lon": "24.25",
            "precision": "settlement",
            "serves": "county:01",
            "as_of": "2020",
        },
        {"key": "placeless-village", "name": "Kohata selts", "form": "association", "as_of": "2019-02-03"},
    ],
}
_SETTLEMENTS = [
    {"code": "1001", "name": "Esimene", "county": "01", "lat": "58.25", "lon": "24.25", "population": "120"},
    {"code": "1002", "name": "Teine", "county": "02", "lat": "58.5", "lon": "25.5", "population": ""},
    {"code": "1003", "name": "Kolmas", "county": "02", "lat": "58.75", "lon": "25.75", "population": "3400"},
]
_INSTANCE = {
    "key": "tiny",
    "name": {"et": "Pisike", "en": "Tiny"},
    "welcome": {"et": "Tere tulemast", "en": "Welcome"},
    "languages": ["et", "en"],
    "default_language": "et",
    "metric_crs": SRID,
    "bounds": [24, 58, 26, 59],
    "basemaps": [
        {"key": "osm", "label": {"en": "OSM"}, "url": "https://example.org/{z}/{x}/{y}", "attribution": "©"}
    ],
    "layers": [
        {"key": "police", "of": "bodies", "colour": "#0072B2", "symbol": "square"},
        {"key": "villages", "of": "bodies", "colour": "#009E73", "symbol": "circle"},
        {"key": "cases", "of": "cases", "colour": "#6A3D9A", "symbol": "star"},
        {"key": "counties", "of": "areas", "kind": "county", "colour": "#5B6B7A", "symbol": "line"},
    ],
    "area_kinds": {"land": {"en": "land"}, "county": {"et": "maakond", "en": "county"}},
    "forms": {"station": {"et": "jaoskond", "en": "station"}, "association": {"et": "selts"}},
    "capabilities": {"order": {"en": "order"}, "youth": {"en": "youth work"}},
    "readiness": {"always": {"en": "always"}},
    "precision": {"settlement": {"en": "a settlement"}, "municipality": {"en": "a municipality"}},
    "themes": {"watch": {"en": "watch"}, "patrol": {"en": "patrols"}},
    "outcomes": {"lasted": {"en": "lasted"}, "mixed": {"en": "partly worked"}},
    "stages": {"described": {"en": "described"}, "repeated": {"en": "repeated"}},
    "parties": {"police": {"en": "police"}, "residents": {"en": "residents"}},
}
_RESOURCES = {
    "police": "bodies/police.csv",
    "villages": "bodies/villages.csv",
    "settlements": "places.csv",
    "counties-facts": "counties.csv",
    "land": "areas/land.geojson",
    "counties": "areas/counties.geojson",
}
_CASES = {
    "first-case": {
        "theme": "watch",
        "place": "Esimene",
        "settlement": "1001",
        "county": "01",
        "lat": 58.25,
        "lon": 24.25,
        "precision": "settlement",
        "from": "2015",
        "to": "2021",
        "as_of": "2021-06",
        "as_of_inferred": True,
        "parties": ["police", "residents"],
        "practices": [{"key": "beta", "adaptation": {"et": "Teisiti", "en": "Differently"}}, "alpha"],
        "bodies": ["west-station", "first-village"],
        "areas": ["county:01"],
    },
    "second-case": {"theme": "patrol", "county": "02", "practices": [{"key": "alpha"}]},
}
_PRACTICES = {
    "alpha": {"audiences": ["police"], "themes": ["watch"], "as_of": "2025"},
    "beta": {"audiences": ["residents"], "themes": ["patrol", "watch"], "related": ["alpha"]},
}


def a_table(rows, columns):
    """Rows as CSV text."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def bodies_csv(rows):
    """A table of organisations."""
    return a_table([{"source": "Made up for a test", **row} for row in rows], _BODY)


def a_sheet(front, text="## Taust\nTekst.\n"):
    """Markdown with front matter."""
    return f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False)}---\n{text}"


def a_map(features):
    """GeoJSON of (properties, shape in degrees)."""
    described = [
        {"type": "Feature", "properties": properties, "geometry": shapely.geometry.mapping(shape)}
        for properties, shape in features
    ]
    return json.dumps({"type": "FeatureCollection", "features": described}, ensure_ascii=False)


def a_resource(name, path):
    """The entry of one resource in datapackage.json."""
    return {
        "name": name,
        "path": path,
        "title": name.title(),
        "licenses": [{"name": "CC0-1.0"}],
        "sources": [{"title": f"Made up: {name}", "path": "https://example.org"}],
        "as_of": "2026-11",
    }


def write(folder, name, content):
    """Writes one file of an instance; text or bytes."""
    file = Path(folder) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def replace(folder, name, old, new):
    """Changes a text in one file of an instance; it must be there."""
    file = Path(folder) / name
    text = file.read_text(encoding="utf-8")
    if old not in text:
        raise AssertionError(f"{name} does not hold {old!r}")
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def change(folder, name, edit):
    """Changes a JSON or YAML file of an instance through a function of what it says."""
    file = Path(folder) / name
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    edit(said)
    shape = yaml.safe_dump if file.suffix == ".yaml" else json.dumps
    file.write_text(shape(said), encoding="utf-8")


def an_instance(folder, **changes):
    """Writes a tiny country; `changes` replace parts of its instance.yaml. Returns the folder."""
    layers = [
        {"label": {"en": layer["key"]}, "about": {"en": f"About {layer['key']}"}, **layer}
        for layer in _INSTANCE["layers"]
    ]
    about = yaml.safe_dump({**_INSTANCE, "layers": layers, **changes}, allow_unicode=True, sort_keys=False)
    write(folder, "instance.yaml", about)
    package = {
        "name": "tiny",
        "resources": [a_resource(name, path) for name, path in _RESOURCES.items()],
        "texts": [a_resource(name, name) for name in ("cases", "practices")],
    }
    write(folder, "datapackage.json", json.dumps(package, indent=1))
    for layer, rows in _BODIES.items():
        write(folder, f"bodies/{layer}.csv", bodies_csv(rows))
    _write_areas(folder)
    _write_texts(folder)
    return Path(folder)


def _write_areas(folder):
    columns = [
        "code",
        "name",
        "municipality",
        "county",
        "lat",
        "lon",
        "population",
        "population_as_of",
        "source",
    ]
    places = [{"municipality": "0101", "source": "Made up for a test", **row} for row in _SETTLEMENTS]
    write(folder, "places.csv", a_table(places, columns))
    facts = [{"code": code, "population": f"{code}000"} for code in _COUNTIES]
    write(folder, "counties.csv", a_table(facts, ["code", "population"]))
    land = {"kind": "land", "code": "tiny", "name_et": "Pisimaa", "accuracy": "approximate"}
    write(folder, "areas/land.geojson", a_map([(land, box(24, 58, 26, 59))]))
    counties = [
        (
            {"kind": "county", "code": code, "name_et": et, "name_en": en, "accuracy": "approximate"},
            box(*corners),
        )
        for code, (et, en, corners) in _COUNTIES.items()
    ]
    write(folder, "areas/counties.geojson", a_map(counties))


def _write_texts(folder):
    sources = [{"title": "Made up for a test", "url": "https://example.org", "date": "2021-06"}]
    shared = {"stage": "described", "sources": sources}
    for kind, sheets in (("cases", _CASES), ("practices", _PRACTICES)):
        for key, facts in sheets.items():
            outcome = {"outcome": "lasted"} if kind == "cases" else {}
            words = {"title": f"{key} eesti keeles", "summary": "Lühidalt."}
            write(folder, f"{kind}/{key}.et.md", a_sheet({**words, **shared, **outcome, **facts}))
            words = {"title": f"{key} in English", "summary": "In short."}
            write(folder, f"{kind}/{key}.en.md", a_sheet(words, "## Background\nText.\n"))


def missing_files(folder):
    """Files that an instance's datapackage.json names and that are not there."""
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    entries = [*package["resources"], *package.get("texts", ())]
    return [entry["path"] for entry in entries if not (folder / entry["path"]).exists()]


def an_entry(session, *, key="", day="2016-09-26", **changes):
    """An entry of the journal."""
    facts = {
        **_fact(session, key, "entry", changes),
        "valid_from": day,
        "titles": {"et": "Sissekanne", "en": "An entry"},
        "summaries": {"et": "Lühidalt", "en": "In short"},
        "texts": {"et": "Pikalt"},
        "files": [],
        "sources": [],
    }
    return _added(session, model.Entry(**{**facts, **changes}))


def an_event(session, *, key="", begins="2026-12-01", **changes):
    """A training."""
    facts = {
        **_fact(session, key, "event", changes),
        "titles": {"et": "Koolitus", "en": "A training"},
        "notes": {},
        "begins": begins,
        "parties": [],
        "practices": [],
        "materials": [],
        "status": "planned",
    }
    return _added(session, model.Event(**{**facts, **changes}))


EVENT_COLUMNS = [
    *("key", "title_et", "title_en", "begins", "ends", "place", "parties", "practices", "materials"),
    *("status", "as_of", "source", "source_url", "note_et", "note_en"),
]


def a_told_instance(folder, events=(), **words):
    """A tiny country that tells of itself: a journal with a file, trainings, a page about it.

    `words` replace parts of the entry's front matter; `events` are rows of events.csv.
    """
    an_instance(folder, event_states={"past": {"en": "held"}, "planned": {"en": "announced"}})

    def add(package):
        package["resources"].append(a_resource("events", "events.csv"))
        package["texts"] += [a_resource(name, name) for name in ("journal", "pages")]

    change(folder, "datapackage.json", add)
    rows = [{"source": "Made up for a test", "status": "planned", **row} for row in events]
    write(folder, "events.csv", a_table(rows, EVENT_COLUMNS))
    front = {
        "title": "Algus",
        "summary": "Lühidalt.",
        "date": "2015-12-28",
        "files": [{"name": "list.csv", "title": {"et": "Nimekiri"}}],
        "sources": [{"title": "Made up for a test", "url": "https://example.org", "date": "2015"}],
    }
    write(folder, "journal/2015-12-28-start.et.md", a_sheet({**front, **words}))
    write(folder, "journal/files/list.csv", "a,b\n1,2\n")
    write(folder, "journal/files/secret.txt", "named by no entry\n")
    write(folder, "pages/about.et.md", a_sheet({**front, "title": "Meist"}))
    return Path(folder)
