"""A road network from a file: an OpenStreetMap extract, or a table of roads.

pyrosm reads the extract; it is wanted only for that (`pip install turvakaart[roads]`). A table is CSV with
the columns `from_east, from_north, to_east, to_north` (metres of the instance's system), `minutes` and, where
they are known, `metres` (else the straight line) and `oneway` (yes, or blank for both ways).
"""

import csv
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from layers import geo
from layers.errors import N_, BadInstance, Problem, Unavailable

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Ordinals = np.ndarray[Any, np.dtype[np.int32]]
_OTHERWISE = "otherwise"
_COLUMNS = ("from_east", "from_north", "to_east", "to_north", "minutes")
_MOST_PROBLEMS = 100


class NoRoadReader(Unavailable):
    text = N_("Reading roads from an extract needs pyrosm. Run: pip install turvakaart[roads]")


@dataclass(frozen=True, eq=False)
class Roads:
    """A network: metric `nodes` (v × 2), and arcs `tail` → `head` (e) with their `metres` and `minutes` (e).

    A road open both ways is two arcs. `source` says what was read.
    """

    nodes: Numbers
    tail: Ordinals
    head: Ordinals
    metres: Numbers
    minutes: Numbers
    source: str = ""


def can_read_extracts() -> bool:
    """Whether pyrosm is there."""
    return importlib.util.find_spec("pyrosm") is not None


def of_extract(file: Path, *, srid: int, kmh: Mapping[str, float]) -> Roads:
    """The roads for cars of an extract (.osm.pbf); `kmh` are speeds by kind of road, and "otherwise".

    A sign that says less than the kind of road goes before; ferries are left out.

    Raises:
        NoRoadReader: pyrosm is not there.
    """
    if not can_read_extracts():
        raise NoRoadReader
    from pyrosm import OSM

    nodes, edges = OSM(str(file)).get_network(nodes=True, network_type="driving")
    # pyrosm makes "length" a column, and the attribute of this name is the geometry's length in degrees.
    metres = edges["length"].to_numpy(dtype=float)
    kinds = [str(kind) for kind in edges["highway"]]
    signs = edges["maxspeed"] if "maxspeed" in edges else [None] * len(edges)
    speed = np.array([_kmh(kind, sign, kmh) for kind, sign in zip(kinds, signs, strict=True)])
    number = {osm_id: at for at, osm_id in enumerate(nodes["id"])}
    tail = np.array([number[osm_id] for osm_id in edges["u"]], dtype=np.int32)
    head = np.array([number[osm_id] for osm_id in edges["v"]], dtype=np.int32)
    oneway = [str(said) for said in edges["oneway"]] if "oneway" in edges else [""] * len(edges)
    # A roundabout and a motorway go one way without saying so.
    loops = [str(said) for said in edges["junction"]] if "junction" in edges else [""] * len(edges)
    one = [
        said in ("yes", "true", "1") or (said != "no" and (loop == "roundabout" or kind == "motorway"))
        for said, loop, kind in zip(oneway, loops, kinds, strict=True)
    ]
    against = np.array([said == "-1" for said in oneway], dtype=np.bool_)
    tail, head = np.where(against, head, tail), np.where(against, tail, head)
    points = geo.to_metric(shapely.points(nodes["lon"], nodes["lat"]), srid=srid)
    return _both_ways(
        shapely.get_coordinates(points),
        tail,
        head,
        metres,
        metres / 1000 / speed * 60,
        np.array(one, dtype=np.bool_) | against,
        f"© OpenStreetMap contributors, {file.name}",
    )


def _kmh(kind: str, sign: Any, kmh: Mapping[str, float]) -> float:
    usual = kmh.get(kind) or kmh.get(kind.removesuffix("_link")) or kmh[_OTHERWISE]
    said = str(sign).split(" ")[0]
    return min(usual, float(said)) if said.isdigit() and int(said) > 0 else usual


def of_table(file: Path) -> Roads:
    """The roads of a CSV table; ends within a metre of each other are one crossing.

    Raises:
        BadInstance: with every problem (the first hundred), each naming the line and the remedy.
    """
    problems: list[Problem] = []
    rows: list[tuple[float, ...]] = []
    one: list[bool] = []
    with file.open(encoding="utf-8-sig", newline="") as stream:
        table = csv.DictReader(stream)
        missing = [name for name in _COLUMNS if name not in (table.fieldnames or ())]
        if missing:
            what = f"The columns {', '.join(missing)} are missing."
            raise BadInstance([Problem(file.name, 1, what, f"The table needs {', '.join(_COLUMNS)}.")])
        for line, row in enumerate(table, start=2):
            figures = dict(_figures(row))
            bad = [name for name, value in figures.items() if value is None]
            if bad:
                what = f"{bad[0]} “{row[bad[0]]}” cannot be used."
                problems.append(Problem(file.name, line, what, "Write a number; minutes from 0 on."))
                continue
            rows.append(tuple(value for value in figures.values() if value is not None))
            one.append((row.get("oneway") or "").strip().lower() in ("yes", "true", "1"))
    if not rows and not problems:
        problems.append(Problem(file.name, 0, "There is no road in it.", "Write a row for each road."))
    if problems:
        raise BadInstance(problems[:_MOST_PROBLEMS])
    told = np.array(rows)
    ends = np.concatenate([told[:, 0:2], told[:, 2:4]])
    _, first, number = np.unique(ends.round(), axis=0, return_index=True, return_inverse=True)
    tail, head = number.reshape(2, -1).astype(np.int32)
    straight = np.hypot(*(told[:, 0:2] - told[:, 2:4]).T)
    metres = np.where(told[:, 5] < 0, straight, told[:, 5])
    return _both_ways(ends[first], tail, head, metres, told[:, 4], np.array(one), file.name)


def _figures(row: Mapping[str, str | None]) -> Iterator[tuple[str, float | None]]:
    """The numbers of a row by column; None for what is none. Metres that are not told are -1."""
    for name in _COLUMNS:
        value = _number(row[name])
        yield name, None if value is None or (name == "minutes" and value < 0) else value
    if (row.get("metres") or "").strip():
        value = _number(row["metres"])
        yield "metres", None if value is None or value < 0 else value
    else:
        yield "metres", -1.0


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if isfinite(value) else None


def _both_ways(
    nodes: Numbers,
    tail: Ordinals,
    head: Ordinals,
    metres: Numbers,
    minutes: Numbers,
    oneway: np.ndarray[Any, np.dtype[np.bool_]],
    source: str,
) -> Roads:
    back = ~oneway
    return Roads(
        nodes,
        np.concatenate([tail, head[back]]),
        np.concatenate([head, tail[back]]),
        np.concatenate([metres, metres[back]]),
        np.concatenate([minutes, minutes[back]]),
        source,
    )
