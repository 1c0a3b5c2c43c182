"""Query string → values. Every value is checked here, once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import cast

from flask import Request, request
from werkzeug.datastructures import MultiDict

from layers import dates, filters
from layers.errors import N_, BadDate, BadFrame, Invalid
from layers.geo import Bbox, Place

_AREA = re.compile(r"[a-z_]{1,40}:[A-Za-z0-9_-]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}(\.\d{0,20})?", re.ASCII)
_MOST_ZOOM = 22
_SEVERAL = frozenset(filters.PARTS) - {"text"}


class NoNumber(Invalid):
    text = N_("“{name}” must be a number; “{value}” is not.")


class NoDate(Invalid):
    text = N_("“{name}” is a date, written 2018, 2018-05 or 2018-05-29; “{value}” is not.")


class NoMoment(Invalid):
    text = N_("“{name}” is a moment in UTC, written 2026-11-22T14:05:09Z; “{value}” is not.")


class NoView(Invalid):
    text = N_("“{name}” is a view, written zoom/latitude/longitude as in 9/58.6/25.1; “{value}” is not.")


class NoArea(Invalid):
    text = N_("“{name}” names an area by kind and code, as municipality:0184; “{value}” does not.")


class Missing(Invalid):
    text = N_("“{name}” is missing.")


class NoCount(Invalid):
    text = N_("“{name}” must be a whole number from 1 to {most}; “{value}” is not.")


class NotOneOf(Invalid):
    text = N_("“{name}” must be one of {allowed}; “{value}” is not.")


@dataclass(frozen=True)
class View:
    """What a map shows: its middle, and a zoom as web maps count it."""

    zoom: float
    middle: Place

    def __str__(self) -> str:
        # Eight digits in all are finer than a metre everywhere, and :g writes no idle zeros.
        return f"{self.zoom:g}/{self.middle.lat:.8g}/{self.middle.lon:.8g}"


class Asking(Request):
    """A request that has its arguments as a plain dictionary too, the first of each name.

    Parts of the filter that a form sends several times are one argument with commas, as links write them.
    Werkzeug's own raises and catches an exception for every argument that is absent, and most are.
    """

    @cached_property
    def plain(self) -> Mapping[str, str]:
        return {
            name: ",".join(filter(None, values)) if name in _SEVERAL else values[0]
            for name, values in self.args.lists()
        }


def arguments() -> Mapping[str, str]:
    return cast(Asking, request).plain


def filled() -> MultiDict[str, str]:
    """What a form sent; a field may be there several times."""
    return request.form


def today() -> date:
    """The clock of this request, read at the edge only."""
    return datetime.now(tz=UTC).date()


def now() -> str:
    """This moment, to be written into a link that shall show the same later."""
    return dates.moment(datetime.now(tz=UTC))


def knowledge_day(args: Mapping[str, str]) -> date:
    """The day against which the age of a fact is told: today, or the day to which the request looks back."""
    moment = known(args)
    return dates.first_day(moment[:10]) if moment else today()


def seconds_left_today() -> int:
    """Until midnight in UTC, when `today` becomes another day."""
    now = datetime.now(tz=UTC)
    return 86_400 - (now.hour * 60 + now.minute) * 60 - now.second


def as_of(args: Mapping[str, str]) -> date:
    """The day asked about: `as_of`, else today. A partial date means its first day."""
    text = args.get("as_of", "").strip()
    try:
        return dates.first_day(text) if text else today()
    except BadDate as error:
        raise NoDate(name="as_of", value=text) from error


def known(args: Mapping[str, str]) -> str:
    """The moment from whose knowledge to answer: `known`, else "" for now."""
    text = args.get("known", "").strip()
    try:
        return dates.checked_moment(text) if text else ""
    except BadDate as error:
        raise NoMoment(name="known", value=text) from error


def place(args: Mapping[str, str]) -> Place:
    """`lat` and `lon` in degrees."""
    return Place(lon=_number(args, "lon"), lat=_number(args, "lat"))


def frame(args: Mapping[str, str]) -> Bbox | None:
    """`bbox` as west,south,east,north in degrees; None when it is not given."""
    text = args.get("bbox", "").strip()
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(_NUMBER.fullmatch(part.strip()) for part in parts):
        raise BadFrame(value=text)
    west, south, east, north = map(float, parts)
    return Bbox(west, south, east, north)


def whole(args: Mapping[str, str], name: str) -> int | None:
    """A whole number from 0 on; None when it is not given."""
    text = args.get(name, "").strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NoNumber(name=name, value=text)
    return int(text) if text else None


def one_of(args: Mapping[str, str], name: str, allowed: Collection[str]) -> str:
    """A code of a list, or "" when it is not given."""
    value = args.get(name, "").strip()
    if value and value not in allowed:
        raise NotOneOf(name=name, value=value, allowed=", ".join(allowed))
    return value


def view(args: Mapping[str, str]) -> View | None:
    """`at`, written zoom/latitude/longitude; None when it is not given."""
    text = args.get("at", "").strip()
    if not text:
        return None
    parts = text.split("/")
    if len(parts) != 3 or not all(_NUMBER.fullmatch(part) for part in parts) or float(parts[0]) > _MOST_ZOOM:
        raise NoView(name="at", value=text)
    zoom, lat, lon = map(float, parts)
    return View(zoom, Place(lon=lon, lat=lat))


def some_of(args: Mapping[str, str], name: str, allowed: Collection[str]) -> list[str] | None:
    """The codes of a list, separated by commas and in the list's order; None when they are not given.

    Blanks around them do not matter.
    """
    if name not in args:
        return None
    given = [code for part in args[name].split(",") if (code := part.strip())]
    for code in given:
        if code not in allowed:
            raise NotOneOf(name=name, value=code, allowed=", ".join(allowed))
    return [code for code in allowed if code in given]


def area(args: Mapping[str, str], name: str) -> str:
    """The key of an area (`kind:code`), or "" when it is not given."""
    value = args.get(name, "").strip()
    if value and not _AREA.fullmatch(value):
        raise NoArea(name=name, value=value)
    return value


def words(args: Mapping[str, str], name: str) -> str:
    """What a person typed, without the blanks around it and no longer than a name can be."""
    return " ".join(args.get(name, "").split())[:100]


def count(args: Mapping[str, str], name: str, *, otherwise: int, most: int) -> int:
    """How many are wanted, from 1 to `most`; `otherwise` when it is not given."""
    text = args.get(name, "").strip() or str(otherwise)
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise NoCount(name=name, value=text, most=most)
    return int(text)


def accuracy_m(args: Mapping[str, str]) -> float | None:
    """How exact a device says that its location is; None where it does not say so."""
    return max(0.0, _number(args, "accuracy")) if args.get("accuracy", "").strip() else None


def is_web(address: object) -> bool:
    """Whether a link may lead there: whatever else a source calls its address (javascript:) stays text."""
    return isinstance(address, str) and address.startswith(("https://", "http://"))


def is_part(args: Mapping[str, str]) -> bool:
    """Whether only the inside of the page is wanted, for the panel beside the map."""
    return args.get("part") == "1"


def _number(args: Mapping[str, str], name: str) -> float:
    text = args.get(name, "").strip().replace(",", ".")
    if not text:
        raise Missing(name=name)
    # float() alone would also take 5_8 and the digits of other scripts.
    if not _NUMBER.fullmatch(text):
        raise NoNumber(name=name, value=text)
    return float(text)
