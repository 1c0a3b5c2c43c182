"""What has to be assumed about ways and turnout, as data with sources: `planning/travel.yaml`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from layers.errors import BadInstance, OutOfRange, Problem
from layers.geo import Place

FILE = "planning/travel.yaml"
ASSUMPTION = "assumption"
"""How the source of a figure begins that no source gives."""
_OTHERWISE = "otherwise"
_HELP = "See data/README.md, planning/travel.yaml."


@dataclass(frozen=True)
class Span:
    """A figure that nobody knows exactly: the least and the most that are likely, and the usual one."""

    low: float
    usual: float
    high: float
    source: str = ""
    source_url: str = ""

    @property
    def assumed(self) -> bool:
        """Whether no source gives the figure."""
        return self.source.startswith(ASSUMPTION)


@dataclass(frozen=True)
class Class:
    """A class of density, persons per km² from `density_from` (inclusive) on, with its ways."""

    key: str
    label: Mapping[str, str]
    density_from: float
    detour: Span
    speed_kmh: Span

    @property
    def min_per_km(self) -> float:
        """Minutes for a straight kilometre: 60 × detour ÷ speed, as they usually are."""
        return 60 * self.detour.usual / self.speed_kmh.usual


@dataclass(frozen=True)
class Causeway:
    """A road that joins two pieces of land which water parts: a point in degrees on each."""

    name: str
    ends: tuple[tuple[float, float], tuple[float, float]]
    source: str = ""
    source_url: str = ""


@dataclass(frozen=True)
class Assumptions:
    """Classes from the least dense on; minutes until a unit leaves, by form and by readiness.

    `availability` is the chance (0 to 1) that a unit can come at all. `position_m` tells how far the true
    place may lie from a point, by its precision, and for people by the basis of `Demand`. `margin_min` is
    how much sooner or later than a standard's minutes still counts. `roads_kmh` are speeds by kind of road.
    """

    classes: tuple[Class, ...]
    turnout_by_form: Mapping[str, Span] = field(default_factory=dict)
    turnout_by_readiness: Mapping[str, Span] = field(default_factory=dict)
    turnout_otherwise: Span = Span(5, 5, 5)
    causeways: tuple[Causeway, ...] = ()
    availability_by_form: Mapping[str, Span] = field(default_factory=dict)
    availability_by_readiness: Mapping[str, Span] = field(default_factory=dict)
    availability_otherwise: Span = Span(1, 1, 1)
    position_m: Mapping[str, Span] = field(default_factory=dict)
    margin_min: Span = Span(0, 0, 0)
    roads_kmh: Mapping[str, Span] = field(default_factory=dict)

    def turnout(self, form: str, readiness: str) -> Span:
        """Minutes until a unit leaves: what is said of its readiness, else of its form, else of any."""
        by_readiness = self.turnout_by_readiness.get(readiness)
        return by_readiness or self.turnout_by_form.get(form) or self.turnout_otherwise

    def availability(self, form: str, readiness: str) -> Span:
        """The chance that a unit can come: what is said of its readiness, else of its form, else of any."""
        by_readiness = self.availability_by_readiness.get(readiness)
        return by_readiness or self.availability_by_form.get(form) or self.availability_otherwise

    def kmh(self) -> dict[str, float]:
        """The usual speed by kind of road, and "otherwise": what `sources.roads.of_extract` wants."""
        return {kind: span.usual for kind, span in self.roads_kmh.items()}

    def spans(self) -> Iterator[tuple[str, Span]]:
        """Every figure with its name, for a list of what was assumed."""
        for one in self.classes:
            yield f"classes.{one.key}.detour", one.detour
            yield f"classes.{one.key}.speed_kmh", one.speed_kmh
        for name in ("turnout", "availability"):
            for by in ("by_form", "by_readiness"):
                found: Mapping[str, Span] = getattr(self, f"{name}_{by}")
                yield from ((f"{name}.{by}.{key}", span) for key, span in found.items())
            yield f"{name}.{_OTHERWISE}", getattr(self, f"{name}_{_OTHERWISE}")
        yield from ((f"position_m.{key}", span) for key, span in self.position_m.items())
        yield "margin_min", self.margin_min
        yield from ((f"roads_kmh.{key}", span) for key, span in self.roads_kmh.items())


_GENERAL = "assumption: a general figure, since the instance has no planning/travel.yaml"
_PLACES = ("settlement", "island_village", "one_village", "municipality", "places", "cells")
GENERAL = Assumptions(
    classes=(Class("any", {}, 0, Span(1.15, 1.3, 1.6, _GENERAL), Span(35, 60, 80, _GENERAL)),),
    turnout_otherwise=Span(1, 5, 30, _GENERAL),
    availability_otherwise=Span(0.3, 0.7, 1, _GENERAL),
    position_m={key: Span(0, 500, 2000, _GENERAL) for key in _PLACES},
    margin_min=Span(-1, 0, 1, _GENERAL),
    roads_kmh={_OTHERWISE: Span(20, 40, 80, _GENERAL)},
)
"""What is assumed of an instance that says nothing."""


def read(folder: Path) -> Assumptions:
    """The assumptions of an instance; `GENERAL` where it has no file of them.

    Raises:
        BadInstance: with every problem, each naming the line and the remedy.
    """
    file = folder / FILE
    if not file.exists():
        return GENERAL
    text = file.read_text(encoding="utf-8")
    try:
        about, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"The file cannot be read: {getattr(error, 'problem', None) or error}."
        raise BadInstance([Problem(FILE, mark.line + 1 if mark else 0, what, "Mend the line.")]) from error
    reading = _Reading(dict(_lines(node)))
    found = reading.assumptions(about)
    if reading.problems or found is None:
        raise BadInstance(reading.problems)
    return found


_Path = tuple[str | int, ...]


def _lines(node: Any, path: _Path = ()) -> Iterator[tuple[_Path, int]]:
    """The line of everything in a YAML text, by its path: that of the name, where it has one."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            yield (*path, at), value.start_mark.line + 1
            yield from _lines(value, (*path, at))


class _Reading:
    """One reading of the file: it goes on after a problem, so that all are told together."""

    def __init__(self, lines: Mapping[_Path, int]) -> None:
        self.lines = lines
        self.problems: list[Problem] = []

    def wrong(self, path: _Path, what: str, remedy: str = _HELP) -> None:
        near = next(
            (self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 0
        )
        name = ".".join(str(part) for part in path)
        self.problems.append(Problem(FILE, near, f"{name}: {what}" if name else what, remedy))

    def assumptions(self, about: Any) -> Assumptions | None:
        parts = ("as_of", "classes", "turnout_min", "availability", "position_m", "margin_min", "causeways")
        told = self.mapping(about, (), needed=("classes", "turnout_min"), known=(*parts, "roads_kmh"))
        if told is None:
            return None
        turnout = self.by_kind(told.get("turnout_min"), ("turnout_min",), 0, 24 * 60)
        available = self.by_kind(told.get("availability"), ("availability",), 0, 1)
        if "roads_kmh" in told:
            self.mapping(told["roads_kmh"], ("roads_kmh",), needed=(_OTHERWISE,))
        margin = self.span(told["margin_min"], ("margin_min",), -60, 60) if "margin_min" in told else None
        return Assumptions(
            classes=self.classes(told.get("classes")),
            turnout_by_form=turnout[0],
            turnout_by_readiness=turnout[1],
            turnout_otherwise=turnout[2] or GENERAL.turnout_otherwise,
            causeways=self.causeways(told.get("causeways", [])),
            availability_by_form=available[0],
            availability_by_readiness=available[1],
            availability_otherwise=available[2] or GENERAL.availability_otherwise,
            position_m=self.spans(told.get("position_m", {}), ("position_m",), 0, 100_000)
            or GENERAL.position_m,
            margin_min=margin or GENERAL.margin_min,
            roads_kmh=self.spans(told.get("roads_kmh", {}), ("roads_kmh",), 1, 200) or GENERAL.roads_kmh,
        )

    def classes(self, entries: Any) -> tuple[Class, ...]:
        found, least, keys = [], -1.0, set()
        for at, entry in self.listed(entries, ("classes",)):
            path: _Path = ("classes", at)
            needed = ("key", "label", "density_from", "detour", "speed_kmh")
            told = self.mapping(entry, path, needed=needed, known=needed)
            if told is None or not all(name in told for name in needed):
                continue
            density = self.number(told["density_from"], (*path, "density_from"), 0, 1_000_000)
            if density is not None and (density <= least or (at == 0 and density != 0)):
                remedy = "Begin with 0 and write the classes from the least dense on."
                self.wrong((*path, "density_from"), f"{told['density_from']} is out of order.", remedy)
            if told["key"] in keys:
                self.wrong((*path, "key"), f"“{told['key']}” stands there twice.", "Give it another key.")
            detour = self.span(told["detour"], (*path, "detour"), 1, 10)
            speed = self.span(told["speed_kmh"], (*path, "speed_kmh"), 1, 200)
            label = self.mapping(told["label"], (*path, "label"))
            keys.add(told["key"])
            if density is not None and detour and speed and label is not None:
                least = density
                found.append(Class(str(told["key"]), label, density, detour, speed))
        if not entries:
            self.wrong(("classes",), "There is no class.", "Write at least one, from density 0 on.")
        return tuple(found)

    def by_kind(
        self, told: Any, path: _Path, least: float, most: float
    ) -> tuple[dict[str, Span], dict[str, Span], Span | None]:
        """Spans by form, by readiness, and of any other."""
        if told is None:
            return {}, {}, None
        parts = self.mapping(told, path, needed=(_OTHERWISE,), known=("by_form", "by_readiness", _OTHERWISE))
        if parts is None:
            return {}, {}, None
        any_other = parts.get(_OTHERWISE)
        return (
            self.spans(parts.get("by_form", {}), (*path, "by_form"), least, most),
            self.spans(parts.get("by_readiness", {}), (*path, "by_readiness"), least, most),
            None if any_other is None else self.span(any_other, (*path, _OTHERWISE), least, most),
        )

    def spans(self, told: Any, path: _Path, least: float, most: float) -> dict[str, Span]:
        read = {
            key: self.span(value, (*path, key), least, most)
            for key, value in (self.mapping(told, path) or {}).items()
        }
        return {key: span for key, span in read.items() if span}

    def span(self, told: Any, path: _Path, least: float, most: float) -> Span | None:
        needed = ("low", "usual", "high", "source")
        parts = self.mapping(told, path, needed=needed, known=(*needed, "source_url"))
        if parts is None or not all(name in parts for name in needed):
            return None
        figures = [self.number(parts[name], (*path, name), least, most) for name in needed[:3]]
        low, usual, high = figures
        if low is None or usual is None or high is None:
            return None
        if not low <= usual <= high:
            what = f"{low:g}, {usual:g}, {high:g} do not rise."
            self.wrong(path, what, "Write low, usual and high in this order.")
            return None
        source = str(parts["source"] or "").strip()
        if not source:
            self.wrong((*path, "source"), "It is empty.", "Name the source, or write “assumption: why”.")
        return Span(low, usual, high, source, str(parts.get("source_url") or ""))

    def causeways(self, entries: Any) -> tuple[Causeway, ...]:
        found = []
        for at, entry in self.listed(entries, ("causeways",)):
            path: _Path = ("causeways", at)
            needed = ("name", "ends", "source")
            told = self.mapping(entry, path, needed=needed, known=(*needed, "source_url"))
            if told is None or not all(name in told for name in needed):
                continue
            try:
                one, other = (Place(lon=float(lon), lat=float(lat)) for lon, lat in told["ends"])
            except (TypeError, ValueError, OutOfRange):
                remedy = "Write two points in degrees: [[lon, lat], [lon, lat]]."
                self.wrong((*path, "ends"), f"{told['ends']} are not two points.", remedy)
                continue
            ends = ((one.lon, one.lat), (other.lon, other.lat))
            found.append(Causeway(str(told["name"]), ends, str(told["source"]), told.get("source_url") or ""))
        return tuple(found)

    def listed(self, told: Any, path: _Path) -> Iterator[tuple[int, Any]]:
        if told is not None and not isinstance(told, list):
            self.wrong(path, "It is not a list.")
            return
        yield from enumerate(told or [])

    def mapping(
        self, told: Any, path: _Path, *, needed: tuple[str, ...] = (), known: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """The parts of an entry; None, and a problem, where it has none."""
        if not isinstance(told, dict):
            self.wrong(path, "It has no parts.", _HELP)
            return None
        for name in needed:
            if name not in told:
                self.wrong(path, f"“{name}” is missing.", "Add it.")
        for name in told if known else ():
            if name not in known:
                self.wrong((*path, name), "The part is unknown.", "Correct its name or remove it.")
        return told

    def number(self, told: Any, path: _Path, least: float, most: float) -> float | None:
        is_number = isinstance(told, int | float) and not isinstance(told, bool) and isfinite(told)
        if not is_number or not least <= told <= most:
            self.wrong(path, f"“{told}” cannot be used.", f"Write a number from {least:g} to {most:g}.")
            return None
        return float(told)
