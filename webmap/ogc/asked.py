"""Query string → a question to a collection. Every value is checked here, once."""

import math
import re
from collections.abc import Collection as Names
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from layers import cql, features, geo
from layers.catalog import Instance
from layers.errors import N_, Invalid
from layers.features import Collection, Frame, Question
from webmap import params

FEW, MOST = 100, 1000
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/{number}"
EVERYWHERE = ("f", "lang")
ONE = (*EVERYWHERE, "known", "crs", "datetime")
MANY = (*ONE, "limit", "after", "bbox", "bbox-crs", "filter", "filter-lang", "filter-crs")
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{0,20})?([eE][+-]?\d{1,2})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MOST_HERE = 400


class UnknownParameter(Invalid):
    text = N_("There is no parameter “{name}” here, but these: {allowed}.")


class NoCrs(Invalid):
    text = N_("“{name}” must be the address of one of these coordinate systems: {allowed}.")


class NoBox(Invalid):
    text = N_(
        "“{name}” is a box of four numbers, or six with heights, its smallest corner first, within the "
        "coordinate system; “{value}” is not."
    )


class NoTime(Invalid):
    text = N_(
        "“{name}” is a day or moment, or a span as in 2018-01-01/2020-12-31, 2018-01-01/.. or ../2020-12-31; "
        "“{value}” is not."
    )


class NoFlag(Invalid):
    text = N_("“{name}” must be true or false; “{value}” is not.")


class FilterWithoutText(Invalid):
    text = N_("“{name}” says how to read “filter”, which is missing.")


@dataclass(frozen=True)
class Crs:
    """A coordinate system that is offered: in metres or degrees, and whether it is written north first."""

    uri: str
    is_metric: bool = False
    is_swapped: bool = False


@dataclass(frozen=True)
class Asked:
    """A question to a collection, which part of the answer is wanted, and in which system."""

    question: Question
    crs: Crs
    most: int
    after: str
    day: date | None


def systems(instance: Instance) -> tuple[Crs, ...]:
    """Longitude first, which is the default; latitude first; the metres in which shapes are kept."""
    number = instance.metric_crs
    metric = Crs(_EPSG.format(number=number), True, geo.is_north_first(number))
    return Crs(CRS84), Crs(_EPSG.format(number=geo.WGS84), is_swapped=True), metric


def check(args: Mapping[str, str], allowed: Names[str]) -> None:
    """A parameter that is not known is refused: a slip would else be taken for an answer."""
    for name in args:
        if name not in allowed:
            raise UnknownParameter(name=name, allowed=", ".join(allowed))


def one(args: Mapping[str, str], instance: Instance) -> Asked:
    """What is asked of one feature."""
    check(args, ONE)
    first, last = _days(args)
    if first != last:
        raise NoTime(name="datetime", value=args["datetime"])
    day = first if args.get("datetime") else None
    return Asked(Question(first, last), _crs(args, "crs", instance), 1, "", day)


def many(args: Mapping[str, str], instance: Instance, of: Collection) -> Asked:
    """What is asked of a collection."""
    kinds = features.kinds(of.of)
    told = [name for name, kind in kinds.items() if kind != cql.LIST]
    check(args, (*MANY, *told))
    first, last = _days(args)
    text, crs = _filter_text(args), _crs(args, "filter-crs", instance)
    equal = [_equal(name, kinds[name], args[name]) for name in told if name in args]
    only = None
    if text or equal:
        form = params.one_of(args, "filter-lang", cql.FORMS) or cql.TEXT_FORM
        parts = [*([cql.tree(text, form)] if text else []), *equal]
        tree = parts[0] if len(parts) == 1 else {"op": "and", "args": parts}
        only = cql.compiled(tree, properties=kinds, is_swapped=crs.is_swapped, wraps=not crs.is_metric)
    return Asked(
        Question(
            first,
            last,
            frames=_frames(args, instance),
            text=(text, args.get("filter-lang", ""), crs.uri, str(equal)) if only else (),
            only=only,
            filter_is_metric=crs.is_metric,
        ),
        _crs(args, "crs", instance),
        _limit(args),
        args.get("after", "")[:_MOST_HERE],
        None,
    )


def _filter_text(args: Mapping[str, str]) -> str:
    text = args.get("filter", "")
    if not text.strip():
        if "filter" in args:
            return " "  # An empty filter is none that can be read, and is told so.
        for name in ("filter-lang", "filter-crs"):
            if name in args:
                raise FilterWithoutText(name=name)
        return ""
    return text


def _equal(name: str, kind: str, text: str) -> dict[str, Any]:
    value: Any = text
    if kind == cql.NUMBER:
        if not _NUMBER.fullmatch(text):
            raise params.NoNumber(name=name, value=text)
        value = float(text)
    if kind == cql.BOOLEAN:
        if text not in ("true", "false"):
            raise NoFlag(name=name, value=text)
        value = text == "true"
    return {"op": "=", "args": [{"property": name}, value]}


def _crs(args: Mapping[str, str], name: str, instance: Instance) -> Crs:
    offered = {crs.uri: crs for crs in systems(instance)}
    uri = args.get(name, CRS84).strip()
    if uri not in offered:
        raise NoCrs(name=name, allowed=", ".join(offered))
    return offered[uri]


def _limit(args: Mapping[str, str]) -> int:
    """How many are wanted. More than there are at once is no error: then it is as many as there are."""
    text = args.get("limit", str(FEW)).strip()
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise params.NoCount(name="limit", value=text, most=MOST)
    return MOST if len(text.lstrip("0")) > 4 else min(MOST, int(text))


def _days(args: Mapping[str, str]) -> tuple[date, date]:
    """The first and the last day of `datetime`; today where it is not given."""
    text = args.get("datetime", "").strip()
    if not text:
        if "datetime" in args:
            raise NoTime(name="datetime", value=text)
        return params.today(), params.today()
    parts = text.split("/")
    try:
        if len(parts) == 1:
            return _day(text), _day(text)
        low, high = parts
        first = date.min if low in ("", "..") else _day(low)
        last = date.max if high in ("", "..") else _day(high)
    except ValueError as error:
        raise NoTime(name="datetime", value=text) from error
    if first > last:
        raise NoTime(name="datetime", value=text)
    return first, last


def _day(text: str) -> date:
    """The day of a date, or of a moment in UTC.

    Raises:
        ValueError: it is neither.
    """
    if _DAY.fullmatch(text):
        return date.fromisoformat(text)
    if not _MOMENT.fullmatch(text):
        raise ValueError(text)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC).date()
    except OverflowError as error:
        raise ValueError(text) from error


def _frames(args: Mapping[str, str], instance: Instance) -> tuple[Frame, ...]:
    """The box of `bbox`; two where it goes round the back of the earth."""
    text, crs = args.get("bbox", "").strip(), _crs(args, "bbox-crs", instance)
    if not text:
        if "bbox" in args:
            raise NoBox(name="bbox", value=text)
        return ()
    parts = [part.strip() for part in text.split(",", 6)]
    if len(parts) not in (4, 6) or not all(_NUMBER.fullmatch(part) for part in parts):
        raise NoBox(name="bbox", value=text)
    return _boxed([float(part) for part in parts], crs, text)


def _boxed(numbers: Sequence[float], crs: Crs, text: str) -> tuple[Frame, ...]:
    half = len(numbers) // 2
    low, high = numbers[:half], numbers[half:]
    (west, south), (east, north) = low[:2], high[:2]
    if crs.is_swapped:
        west, south, east, north = south, west, north, east
    is_whole = all(math.isfinite(one) for one in numbers)
    is_within = crs.is_metric or (max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90)
    is_ordered = south <= north and (half == 2 or low[2] <= high[2]) and (west <= east or not crs.is_metric)
    if not (is_whole and is_within and is_ordered):
        raise NoBox(name="bbox", value=text)
    if west <= east:
        return (Frame((west, south, east, north), crs.is_metric),)
    return Frame((west, south, 180.0, north)), Frame((-180.0, south, east, north))
