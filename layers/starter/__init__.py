"""A new country: an empty instance that is valid, says what belongs where, and can be served at once."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from layers import geo
from layers.catalog import EMERGENCY, FILE, PACKAGE, Words
from layers.errors import N_, Invalid
from layers.geo import Bbox

LAYERS = ("police", "villages", "watch", "rescue")
"""The kinds of organisations that a country may begin with."""
_HOME = Path(__file__).parent
_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_OURS = "en"
_UTM_SOUTH, _UTM_NORTH = -80, 84
_POLAR_NORTH, _POLAR_SOUTH = 5041, 5042
_BODY = (
    *("key", "name", "form", "capabilities", "readiness", "place", "settlement", "municipality", "county"),
    *("lat", "lon", "precision", "serves", "valid_from", "valid_to", "as_of", "as_of_inferred"),
    *("source", "source_url"),
)
_SETTLEMENT = (
    *("code", "name", "municipality", "county", "lat", "lon", "population", "population_as_of", "source"),
)
_EVENT = (
    *("key", "begins", "ends", "place", "parties", "practices", "materials", "status"),
    *("as_of", "source", "source_url"),
)
_EXAMPLES = {"cases": "first-case", "practices": "first-practice"}


class FolderTaken(Invalid):
    text = N_("{folder} is not empty. Name a new folder.")


class BadWish(Invalid):
    text = N_("“{name}” cannot be {value}. {remedy}")


@dataclass(frozen=True)
class Wish:
    """What somebody wants of a new instance. `metric_crs` 0 means: the UTM zone of its middle."""

    key: str
    names: Words
    languages: tuple[str, ...]
    default_language: str
    bounds: Bbox
    metric_crs: int = 0
    layers: tuple[str, ...] = LAYERS
    emergency: str = EMERGENCY


def proposed_crs(bounds: Bbox) -> int:
    """The EPSG number of the UTM zone of a frame's middle on WGS 84; near a pole, that of its own grid.

    A zone is 6 degrees wide. Far outside it lengths are too great: by 1 % some 12 degrees from its middle. A
    wide country is better off with a grid of its own.
    """
    lon, lat = (bounds.west + bounds.east) / 2, (bounds.south + bounds.north) / 2
    if not _UTM_SOUTH < lat < _UTM_NORTH:
        return _POLAR_NORTH if lat > 0 else _POLAR_SOUTH
    found = query_utm_crs_info(datum_name="WGS 84", area_of_interest=AreaOfInterest(lon, lat, lon, lat))
    return min(int(one.code) for one in found)


def write(folder: Path, wish: Wish) -> Path:
    """Writes the instance into a new or empty folder, and returns it.

    Raises:
        BadWish: a key, language, layer or coordinate system that cannot be.
        FolderTaken: there is something in the folder.
    """
    _check(wish)
    if folder.exists() and any(folder.iterdir()):
        raise FolderTaken(folder=folder)
    # It grows beside its place, so that one that was killed is not in the way of the next.
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(growing, ignore_errors=True)
    try:
        for name, content in _files(wish).items():
            file = growing / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        growing.rename(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    return folder


def _check(wish: Wish) -> None:
    small = "Write small letters a–z, digits and single hyphens."
    _need(bool(_KEY.fullmatch(wish.key)), "key", wish.key, small)
    for language in wish.languages:
        remedy = "Write codes of ISO 639, as en or de."
        _need(bool(_LANGUAGE.fullmatch(language)), "languages", language, remedy)
    _need(len({*wish.languages}) == len(wish.languages) > 0, "languages", wish.languages, "Name each once.")
    known = ", ".join(wish.languages)
    is_known = wish.default_language in wish.languages
    _need(is_known, "default_language", wish.default_language, f"Use one of: {known}.")
    _need(any(wish.names.values()), "name", "", "Write one.")
    for layer in wish.layers:
        _need(layer in LAYERS, "layers", layer, f"Use some of: {', '.join(LAYERS)}.")
    _need(
        len({*wish.layers}) == len(wish.layers) > 0,
        "layers",
        wish.layers,
        "Name each once, and one at least.",
    )
    _need(wish.emergency.isdigit(), "emergency", wish.emergency, "Write digits only, as 112 or 911.")
    is_metric = not wish.metric_crs or geo.is_metric(wish.metric_crs)
    _need(is_metric, "metric_crs", wish.metric_crs, "Write the EPSG number of a system in metres.")


def _need(is_right: bool, name: str, value: object, remedy: str) -> None:
    if not is_right:
        raise BadWish(name=name, value=value, remedy=remedy)


@cache
def _labels() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_HOME / "labels.yaml").read_text(encoding="utf-8"))
    return found


def _files(wish: Wish) -> dict[str, str]:
    bodies = _table(_BODY, ("name", "note"), wish.languages)
    return {
        FILE: _about(wish),
        PACKAGE: json.dumps(_package(wish), ensure_ascii=False, indent=2) + "\n",
        **{f"bodies/{layer}.csv": bodies for layer in wish.layers},
        "places.csv": ",".join(_SETTLEMENT) + "\n",
        "events.csv": _table(_EVENT, ("title", "note"), wish.languages),
        **{
            f"{kind}/{key}.{wish.default_language}.md": (_HOME / f"{kind}.txt").read_text(encoding="utf-8")
            for kind, key in _EXAMPLES.items()
        },
    }


def _table(columns: Sequence[str], words: Iterable[str], languages: Sequence[str]) -> str:
    stream = io.StringIO()
    header = (*columns, *(f"{word}_{language}" for word in words for language in languages))
    csv.writer(stream, lineterminator="\n").writerow(header)
    return stream.getvalue()


# --- instance.yaml


def _about(wish: Wish) -> str:
    labels = _labels()
    layers = [
        {"key": key, **labels["layers"][key]} | _told(labels["layers"][key], wish) for key in wish.layers
    ]
    layers.append({"key": "cases", **labels["cases"]} | _told(labels["cases"], wish))
    crs = wish.metric_crs or proposed_crs(wish.bounds)
    codes = "\n".join(_group(name, group, wish) for name, group in labels["codes"].items())
    return Template((_HOME / "instance.txt").read_text(encoding="utf-8")).substitute(
        key=wish.key,
        name=_flow(dict(wish.names)),
        welcome=_flow(_words(labels["welcome"], wish)),
        languages=_flow([*wish.languages]),
        default_language=wish.default_language,
        metric_crs=crs,
        emergency=wish.emergency,
        crs_name=CRS.from_epsg(crs).name,
        bounds=_flow([wish.bounds.west, wish.bounds.south, wish.bounds.east, wish.bounds.north]),
        layers="".join(_entry(layer) for layer in layers).rstrip("\n"),
        codes=codes,
    )


def _told(entry: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    return {part: _words(entry[part], wish) for part in ("label", "about")}


def _words(known: Words, wish: Wish) -> dict[str, str]:
    """Words in those languages of the instance that the house speaks; in English where it speaks none."""
    return {code: known[code] for code in wish.languages if code in known} or {_OURS: known[_OURS]}


def _group(name: str, group: Mapping[str, Words], wish: Wish) -> str:
    return "".join(
        (f"{name}:\n", *(f"  {code}: {_flow(_words(said, wish))}\n" for code, said in group.items()))
    )


def _entry(layer: Mapping[str, Any]) -> str:
    lines = [f"{name}: {_flow(value)}" for name, value in layer.items()]
    return "  - " + "\n    ".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value on one line; JSON is YAML too, and leaves nothing to be guessed (a country called "no")."""
    return json.dumps(value, ensure_ascii=False)


# --- datapackage.json


def _package(wish: Wish) -> dict[str, Any]:
    labels = _labels()
    title = wish.names.get(wish.default_language) or next(iter(wish.names.values()))
    said = {key: labels["layers"][key]["label"] for key in wish.layers} | labels["tables"]
    said["cases"] = labels["cases"]["label"]
    tables = {**{key: f"bodies/{key}.csv" for key in wish.layers}}
    tables |= {"settlements": "places.csv", "events": "events.csv"}
    return {
        "profile": "data-package",
        "name": f"turvakaart-{wish.key}",
        "title": title,
        "version": "0.1.0",
        "attributions": [],
        "resources": [_resource(name, path, said[name], wish) for name, path in tables.items()],
        "texts": [_resource(kind, kind, said[kind], wish) for kind in _EXAMPLES],
    }


def _resource(name: str, path: str, titles: Words, wish: Wish) -> dict[str, Any]:
    told = _words(titles, wish)
    return {
        "name": name,
        "path": path,
        "title": next(iter(told.values())),
        "titles": told,
        "licenses": [{"name": "CC-BY-4.0"}],
        "sources": [{"title": "Named row by row"}],
        "as_of": "",
    }
