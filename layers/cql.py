"""CQL2, the OGC's language of filters: a text or JSON → a test of a feature, or a sentence on what is wrong.

The library `cql2` reads the text form; both forms are then one tree, which is checked whole before anything
is asked. pygeofilter was weighed and left: its 0.4 reads `a OR b AND c` as `(a OR b) AND c`, and knows
neither `T_AFTER(a, b)`, arrays nor a quote in a text. The reader of `cql2` recurses: 5,000 nested brackets
end the process, 20 that stay open take seconds. So what is nested too deeply for its length is refused.

A test has three answers (true, false, None for unknown), as SQL has: what compares with nothing is unknown.
"""

import json
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cql2
import shapely

from layers import dates
from layers.errors import N_, BadDate, Invalid

TEXT, NUMBER, BOOLEAN, DATE, LIST = "text", "number", "boolean", "date", "list"
_INTERVAL, _SHAPE, _NOTHING = "interval", "geometry", "nothing"
TEXT_FORM, JSON_FORM = "cql2-text", "cql2-json"
FORMS = (TEXT_FORM, JSON_FORM)
GEOMETRY = "geometry"
"""The name under which a filter speaks of a feature's shape."""
MOST_SIGNS = 20_000
_MOST_WORK = 1 << 20  # Signs, doubled for every open bracket: 0.4 s at most, measured.
_MOST_DEEP = 100
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_CHAINED = re.compile(r"(?:-\s*){8}|(?:\bnot\b[\s(]*){30}", re.IGNORECASE)
_FIRST, _LAST = "0000-00-00", "9999-99-99"

Row = tuple[Mapping[str, Any], shapely.Geometry | None]
"""What is tested: the properties of a feature, and its shape in the system of the filter."""


class BadFilter(Invalid):
    text = N_("The filter cannot be used.")


class FilterTooBig(BadFilter):
    text = N_("The filter is too long or nested too deeply: at most {most} characters, and fewer brackets.")


class FilterUnread(BadFilter):
    text = N_("The filter cannot be read as {form}, here: “{where}”.")


class NoSuchProperty(BadFilter):
    text = N_("The filter names “{name}”, which is no property of this collection.")


class NoSuchFunction(BadFilter):
    text = N_("The filter uses “{name}”, which is not known here.")


class NotComparable(BadFilter):
    text = N_("The filter uses “{name}” with what it cannot be used with: {kinds}.")


class BadLiteral(BadFilter):
    text = N_("The filter holds a date, number or shape that is none: “{value}”.")


@dataclass(frozen=True)
class Filter:
    """A filter that has been read. `holds` is what may be asked of a row.

    `equal` are the texts of which a property must have one, and `boxes` the frames (west, south, east, north
    in the filter's system) that a shape must meet: necessary, not sufficient, for a store to ask first.
    `weight` is the number of its parts, with every coordinate.
    """

    holds: Callable[[Row], bool | None]
    equal: Mapping[str, frozenset[str]] = field(default_factory=dict)
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    asks_shape: bool = False
    weight: int = 1


@dataclass(frozen=True)
class _Part:
    """A part of the tree: the kind of its value, how to get it from a row, and whether it is written out."""

    kind: str
    of: Callable[[Row], Any]
    is_literal: bool = False


def read(
    text: str, *, form: str, properties: Mapping[str, str], is_swapped: bool = False, wraps: bool = True
) -> Filter:
    """A filter as somebody sent it. `properties` are the names that it may use, with their kinds.

    `is_swapped` says that its coordinates are written north first, `wraps` that its system is of degrees,
    where a box from east to west goes round the back of the earth.

    Raises:
        BadFilter: with a sentence on what is wrong.
    """
    return compiled(tree(text, form), properties=properties, is_swapped=is_swapped, wraps=wraps)


def compiled(
    found: Any, *, properties: Mapping[str, str], is_swapped: bool = False, wraps: bool = True
) -> Filter:
    """The same from a tree as CQL2's JSON has it."""
    weight = _weighed(found)
    reading = _Reading(properties, is_swapped, wraps)
    holds = reading.test(found, "filter")
    needed = list(_needed(found))
    return Filter(
        holds=holds.of,
        equal=_equal(needed, properties),
        boxes=tuple(reading.bounds(literal) for literal in _meeting(needed)),
        asks_shape=reading.asks_shape,
        weight=weight,
    )


# --- Text → tree


def tree(text: str, form: str) -> Any:
    """A filter in one of its `FORMS` as CQL2's JSON has it, not yet checked.

    Raises:
        FilterTooBig, FilterUnread: it cannot be read.
    """
    if len(text) > MOST_SIGNS:
        raise FilterTooBig(most=MOST_SIGNS)
    if form == JSON_FORM:
        try:
            return json.loads(text, parse_constant=_no_constant)
        except RecursionError as error:
            raise FilterTooBig(most=MOST_SIGNS) from error
        except ValueError as error:
            raise FilterUnread(form=form, where=str(getattr(error, "msg", error))) from error
    _check_depth(text)
    try:
        return cql2.parse_text(text).to_json()
    except (cql2.ParseError, ValueError) as error:
        raise FilterUnread(form=form, where=_where(text, str(error))) from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _where(text: str, said: str) -> str:
    """The words at which the library stopped, from its own “--> line:column”."""
    found = re.search(r"--> (\d+):(\d+)", said)
    if found is None:
        return text[:40]
    line = (text.splitlines() or [""])[min(int(found[1]), text.count("\n") + 1) - 1 :][:1] or [""]
    return line[0][int(found[2]) - 1 :][:40]


def _check_depth(text: str) -> None:
    bare = _QUOTED.sub("''", text)
    deep = deepest = 0
    for sign in bare:
        if sign == "(":
            deep += 1
            deepest = max(deepest, deep)
        elif sign == ")":
            deep = max(0, deep - 1)
    if deepest > 20 or (len(text) << deepest) > _MOST_WORK or _CHAINED.search(bare):
        raise FilterTooBig(most=MOST_SIGNS)


def _weighed(tree: Any) -> int:
    """The number of parts. What is too deep or too much is refused, without recursion."""
    level, nodes = [tree], 0
    for _ in range(_MOST_DEEP):
        nodes += len(level)
        level = [child for node in level for child in _children(node)]
        if not level:
            return nodes
        if nodes > MOST_SIGNS:
            break
    raise FilterTooBig(most=MOST_SIGNS)


def _children(node: Any) -> Sequence[Any]:
    return [*node.values()] if isinstance(node, dict) else node if isinstance(node, list) else ()


# --- What a store may ask first


def _needed(tree: Any) -> Iterator[Mapping[str, Any]]:
    """The parts that must all hold."""
    if isinstance(tree, dict) and tree.get("op") == "and":
        for part in tree["args"]:
            yield from _needed(part)
    elif isinstance(tree, dict):
        yield tree


def _equal(needed: Sequence[Mapping[str, Any]], properties: Mapping[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for part in needed:
        if part.get("op") not in ("=", "in"):
            continue
        name, values = part["args"]
        values = values if part["op"] == "in" else [values]
        is_told = isinstance(name, dict) and properties.get(name.get("property", "")) == TEXT
        if is_told and all(isinstance(value, str) and value for value in values):
            there = found.get(name["property"])
            found[name["property"]] = frozenset(values) if there is None else there & frozenset(values)
    return found


_MEETING = ("s_intersects", "s_within", "s_contains", "s_equals", "s_touches", "s_overlaps", "s_crosses")


def _meeting(needed: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """The shapes, as they are written, that a feature's own must meet."""
    for part in needed:
        if part.get("op") in _MEETING:
            literals = [one for one in part["args"] if isinstance(one, dict) and "property" not in one]
            if len(literals) == 1:
                yield literals[0]


# --- Tree → test


class _Reading:
    """One tree on its way to a test: what it may name, and how its coordinates are written."""

    def __init__(self, properties: Mapping[str, str], is_swapped: bool, wraps: bool) -> None:
        self.properties, self.is_swapped, self.wraps = properties, is_swapped, wraps
        self.asks_shape = False

    def test(self, node: Any, name: str) -> _Part:
        """A part that is true, false or unknown."""
        found = self.part(node)
        if found.kind not in (BOOLEAN, _NOTHING):
            raise NotComparable(name=name, kinds=found.kind)
        return found

    def part(self, node: Any) -> _Part:
        if node is None:
            return _Part(_NOTHING, lambda row: None, True)
        if isinstance(node, bool):
            return _literal(BOOLEAN, node)
        if isinstance(node, int | float):
            return _literal(NUMBER, _finite(node))
        if isinstance(node, str):
            return _literal(TEXT, node)
        if isinstance(node, list):
            return self._list(node)
        if not isinstance(node, dict):
            raise BadLiteral(value=str(node)[:40])
        if "property" in node:
            return self._property(node["property"])
        for name in ("date", "timestamp"):
            if name in node:
                return _literal(DATE, _day(node[name]))
        if "interval" in node:
            return self._interval(node["interval"])
        if "op" in node:
            return self._operation(node)
        self.asks_shape = True
        return _literal(_SHAPE, self.shape(node))

    def _property(self, name: Any) -> _Part:
        if name == GEOMETRY:
            self.asks_shape = True
            return _Part(_SHAPE, lambda row: row[1])
        kind = self.properties.get(name) if isinstance(name, str) else None
        if kind is None:
            raise NoSuchProperty(name=str(name)[:60])
        if kind == DATE:
            return _Part(DATE, lambda row: _first_day(row[0].get(name)))
        return _Part(kind, lambda row: row[0].get(name))

    def _list(self, node: Sequence[Any]) -> _Part:
        parts = [self.part(one) for one in node]
        return _Part(LIST, lambda row: [part.of(row) for part in parts])

    def _interval(self, node: Any) -> _Part:
        if not isinstance(node, list) or len(node) != 2:
            raise BadLiteral(value=str(node)[:40])
        low, high = (self._end(one, otherwise) for one, otherwise in zip(node, (_FIRST, _LAST), strict=True))

        def of(row: Row) -> tuple[str, str]:
            # An end that is not known is open: such facts hold until somebody says otherwise.
            return low.of(row) or _FIRST, high.of(row) or _LAST

        return _Part(_INTERVAL, of)

    def _end(self, node: Any, otherwise: str) -> _Part:
        if isinstance(node, str):
            return _literal(DATE, otherwise if node == ".." else _day(node))
        found = self.part(node)
        if found.kind != DATE:
            raise NotComparable(name="interval", kinds=found.kind)
        return found

    def _operation(self, node: Mapping[str, Any]) -> _Part:
        name, args = node["op"], node.get("args", [])
        if not isinstance(name, str) or not isinstance(args, list):
            raise NoSuchFunction(name=str(name)[:40])
        op = name if name in ("isNull",) else name.lower()
        if op in ("and", "or"):
            return self._logical(op, args)
        if op == "in" and len(args) == 2 and isinstance(args[1], list):
            part = self.part(args[0])
            return _in(part, [_alike(name, part, self.part(one)) for one in args[1]])
        wanted, make = _OPERATIONS.get(op, (-1, None))
        if make is None:
            raise NoSuchFunction(name=name[:40])
        if len(args) != wanted:
            raise NotComparable(name=name[:40], kinds=str(len(args)))
        parts = [self.part(one) for one in args]
        if op == "not":
            self.test(args[0], "not")
        return make(name, *parts)

    def _logical(self, op: str, args: Sequence[Any]) -> _Part:
        tests = [self.test(one, op).of for one in args]
        ends = op == "or"  # What settles it: one that is true, or for “and” one that is false.

        def of(row: Row) -> bool | None:
            is_known = True
            for test in tests:
                found: bool | None = test(row)
                if found is ends:
                    return ends
                is_known = is_known and found is not None
            return not ends if is_known else None

        if not tests:
            raise NotComparable(name=op, kinds="0")
        return _Part(BOOLEAN, of)

    def bounds(self, literal: Any) -> tuple[float, float, float, float]:
        west, south, east, north = shapely.bounds(self.shape(literal)).tolist()
        return west, south, east, north

    def shape(self, node: Mapping[str, Any]) -> shapely.Geometry:
        """A shape as it is written, east first."""
        if "bbox" in node:
            return self._box(node["bbox"])
        try:
            found = shapely.from_geojson(json.dumps(node))
            points = shapely.get_coordinates(found)
        except (shapely.errors.GEOSException, TypeError, ValueError) as error:
            raise BadLiteral(value=str(node)[:60]) from error
        is_usable = found is not None and len(points) and _is_finite(points.ravel().tolist())
        if not is_usable or not shapely.is_valid(found):
            raise BadLiteral(value=str(node)[:60])
        flat = shapely.force_2d(found)
        return shapely.transform(flat, lambda xy: xy[:, ::-1]) if self.is_swapped else flat

    def _box(self, numbers: Any) -> shapely.Geometry:
        is_list = isinstance(numbers, list) and len(numbers) in (4, 6)
        if not is_list or not all(isinstance(one, int | float) for one in numbers) or not _is_finite(numbers):
            raise BadLiteral(value=str(numbers)[:60])
        half = len(numbers) // 2
        west, south = numbers[:2]
        east, north = numbers[half : half + 2]
        if self.is_swapped:
            west, south, east, north = south, west, north, east
        if south > north or (west > east and not self.wraps):
            raise BadLiteral(value=str(numbers)[:60])
        if west > east:
            return shapely.union_all(
                [shapely.box(west, south, 180, north), shapely.box(-180, south, east, north)]
            )
        return flat_box(west, south, east, north)


def flat_box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """A box, also one without width or height: a line or a point."""
    if west == east and south == north:
        return shapely.Point(west, south)
    if west == east or south == north:
        # GEOS would make a polygon of no area, which meets nothing.
        return shapely.LineString([(west, south), (east, north)])
    return shapely.box(west, south, east, north)


def _literal(kind: str, value: Any) -> _Part:
    return _Part(kind, lambda row: value, True)


def _finite(value: float) -> float:
    try:
        is_number = math.isfinite(value)
    except OverflowError:
        is_number = False
    if not is_number:
        raise BadLiteral(value=str(value)[:40])
    return float(value)


def _is_finite(numbers: Sequence[float]) -> bool:
    try:
        return all(math.isfinite(one) for one in numbers)
    except OverflowError:
        return False


def _day(text: Any) -> str:
    """The day of a date or moment as it is written."""
    try:
        if not isinstance(text, str) or not re.fullmatch(
            r"\d{4}-\d\d-\d\d(T[0-9:.]{5,20}(Z|[+-]\d\d:\d\d)?)?", text
        ):
            raise BadDate(value=str(text)[:40])
        return dates.first_day(text[:10]).isoformat()
    except BadDate as error:
        raise BadLiteral(value=str(text)[:40]) from error


def _first_day(text: str | None) -> str | None:
    """A partial date stands for its first day, as everywhere in this house."""
    return None if not text else text[:10] if len(text) >= 10 else f"{text}-01-01"[:10]


# --- The operations: how many arguments each takes, and what it makes of them

_Test = Callable[[Any, Any], Any]


def _both(test: _Test, one: _Part, other: _Part) -> Callable[[Row], Any]:
    """Unknown where one of the two is not known."""

    def of(row: Row) -> Any:
        first, second = one.of(row), other.of(row)
        return None if first is None or second is None else test(first, second)

    return of


def _alike(name: str, one: _Part, other: _Part) -> tuple[_Part, _Part]:
    """The two as values that compare: a date with a text is compared with the date that the text is."""
    if {one.kind, other.kind} == {DATE, TEXT}:
        return _dated(name, one), _dated(name, other)
    kinds = {one.kind, other.kind} - {_NOTHING}
    if len(kinds) > 1 or kinds & {_INTERVAL, _SHAPE, LIST}:
        raise NotComparable(name=name, kinds=", ".join(sorted(kinds)))
    return one, other


def _dated(name: str, part: _Part) -> _Part:
    if part.kind == DATE:
        return part
    if not part.is_literal:
        raise NotComparable(name=name, kinds=f"{DATE}, {TEXT}")
    text = part.of(({}, None))
    try:
        return _literal(DATE, dates.first_day(text[:10]).isoformat())
    except BadDate as error:
        raise BadLiteral(value=text[:40]) from error


def _compares(test: _Test) -> Callable[..., _Part]:
    return lambda name, one, other: _Part(BOOLEAN, _both(test, *_alike(name, one, other)))


def _not(_name: str, part: _Part) -> _Part:
    def of(row: Row) -> bool | None:
        found = part.of(row)
        return None if found is None else not found

    return _Part(BOOLEAN, of)


def _is_null(_name: str, part: _Part) -> _Part:
    return _Part(BOOLEAN, lambda row: part.of(row) is None)


def _between(name: str, part: _Part, low: _Part, high: _Part) -> _Part:
    over, under = _compares(operator.ge)(name, part, low), _compares(operator.le)(name, part, high)

    def of(row: Row) -> bool | None:
        found = over.of(row), under.of(row)
        return False if False in found else None if None in found else True

    return _Part(BOOLEAN, of)


def _in(part: _Part, choices: Sequence[tuple[_Part, _Part]]) -> _Part:
    """`choices` are pairs of the part and a value, made alike."""

    def of(row: Row) -> bool | None:
        if part.of(row) is None:
            return None
        found = [None if one.of(row) is None else bool(own.of(row) == one.of(row)) for own, one in choices]
        return True if True in found else None if None in found else False

    return _Part(BOOLEAN, of)


def _like(name: str, part: _Part, pattern: _Part) -> _Part:
    if part.kind not in (TEXT, DATE, _NOTHING) or pattern.kind != TEXT:
        raise NotComparable(name=name, kinds=f"{part.kind}, {pattern.kind}")
    if pattern.is_literal or pattern.of(({}, None)) is not None:
        matches = _pattern(pattern.of(({}, None)))
        return _Part(BOOLEAN, lambda row: None if (text := part.of(row)) is None else matches(text))
    return _Part(BOOLEAN, _both(lambda text, like: _pattern(like)(text), part, pattern))


def _pattern(like: str) -> Callable[[str], bool]:
    """% is any signs, _ is one, and a backslash takes their meaning away.

    Piece after piece as far left as it is found: a regular expression with many wildcards takes for ever.
    """
    pieces: list[list[str | None]] = [[]]
    signs = iter(like)
    for sign in signs:
        if sign == "%":
            pieces.append([])
        else:
            pieces[-1].append(None if sign == "_" else next(signs, "\\") if sign == "\\" else sign)

    def is_at(text: str, at: int, piece: Sequence[str | None]) -> bool:
        return all(one is None or one == text[at + i] for i, one in enumerate(piece))

    def matches(text: str) -> bool:
        first, *middle = pieces
        if not middle:
            return len(text) == len(first) and is_at(text, 0, first)
        *middle, last = middle
        end = len(text) - len(last)
        if end < len(first) or not is_at(text, 0, first) or not is_at(text, end, last):
            return False
        at = len(first)
        for piece in middle:
            while at + len(piece) <= end and not is_at(text, at, piece):
                at += 1
            if at + len(piece) > end:
                return False
            at += len(piece)
        return True

    return matches


def _worded(change: Callable[[str], str]) -> Callable[..., _Part]:
    def make(name: str, part: _Part) -> _Part:
        if part.kind not in (TEXT, _NOTHING):
            raise NotComparable(name=name, kinds=part.kind)
        return _Part(
            TEXT, lambda row: None if (text := part.of(row)) is None else change(text), part.is_literal
        )

    return make


def _bare(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


def _counted(test: _Test) -> Callable[..., _Part]:
    def safely(one: float, other: float) -> float | None:
        try:
            found = test(one, other)
        except (ArithmeticError, ValueError):
            return None
        return found if isinstance(found, int | float) and math.isfinite(found) else None

    def make(name: str, one: _Part, other: _Part) -> _Part:
        kinds = {one.kind, other.kind}
        if not kinds <= {NUMBER, _NOTHING}:
            raise NotComparable(name=name, kinds=", ".join(sorted(kinds)))
        return _Part(NUMBER, _both(safely, one, other))

    return make


def _spatial(test: _Test) -> Callable[..., _Part]:
    def safely(one: shapely.Geometry, other: shapely.Geometry) -> bool | None:
        try:
            return bool(test(one, other))
        except shapely.errors.GEOSException:
            return None

    def make(name: str, one: _Part, other: _Part) -> _Part:
        if (one.kind, other.kind) != (_SHAPE, _SHAPE):
            raise NotComparable(name=name, kinds=", ".join(sorted({one.kind, other.kind})))
        for part in (one, other):
            if part.is_literal:
                shapely.prepare(part.of(({}, None)))
        return _Part(BOOLEAN, _both(safely, one, other))

    return make


_Span = tuple[str, str]


def _temporal(test: Callable[[_Span, _Span], bool]) -> Callable[..., _Part]:
    def span(value: Any) -> _Span:
        return (value, value) if isinstance(value, str) else value

    def make(name: str, one: _Part, other: _Part) -> _Part:
        made = []
        for part in (one, other):
            dated = _dated(name, part) if part.kind == TEXT else part
            if dated.kind not in (DATE, _INTERVAL, _NOTHING):
                raise NotComparable(name=name, kinds=part.kind)
            made.append(dated)
        return _Part(BOOLEAN, _both(lambda a, b: test(span(a), span(b)), *made))

    return make


def _listed(test: Callable[[list[Any], list[Any]], bool]) -> Callable[..., _Part]:
    def make(name: str, one: _Part, other: _Part) -> _Part:
        if not {one.kind, other.kind} <= {LIST, _NOTHING}:
            raise NotComparable(name=name, kinds=", ".join(sorted({one.kind, other.kind})))
        return _Part(BOOLEAN, _both(lambda a, b: test([*a], [*b]), one, other))

    return make


_OPERATIONS: dict[str, tuple[int, Callable[..., _Part]]] = {
    "not": (1, _not),
    "isNull": (1, _is_null),
    "isnull": (1, _is_null),
    "=": (2, _compares(operator.eq)),
    "<>": (2, _compares(operator.ne)),
    "<": (2, _compares(operator.lt)),
    "<=": (2, _compares(operator.le)),
    ">": (2, _compares(operator.gt)),
    ">=": (2, _compares(operator.ge)),
    "between": (3, _between),
    "like": (2, _like),
    "casei": (1, _worded(str.casefold)),
    "accenti": (1, _worded(_bare)),
    "+": (2, _counted(operator.add)),
    "-": (2, _counted(operator.sub)),
    "*": (2, _counted(operator.mul)),
    "/": (2, _counted(operator.truediv)),
    "%": (2, _counted(math.fmod)),
    "div": (2, _counted(lambda one, other: math.trunc(one / other))),
    "^": (2, _counted(math.pow)),
    "s_intersects": (2, _spatial(shapely.intersects)),
    "s_equals": (2, _spatial(shapely.equals)),
    "s_disjoint": (2, _spatial(shapely.disjoint)),
    "s_touches": (2, _spatial(shapely.touches)),
    "s_within": (2, _spatial(shapely.within)),
    "s_overlaps": (2, _spatial(shapely.overlaps)),
    "s_crosses": (2, _spatial(shapely.crosses)),
    "s_contains": (2, _spatial(shapely.contains)),
    "t_after": (2, _temporal(lambda a, b: a[0] > b[1])),
    "t_before": (2, _temporal(lambda a, b: a[1] < b[0])),
    "t_contains": (2, _temporal(lambda a, b: a[0] < b[0] and a[1] > b[1])),
    "t_disjoint": (2, _temporal(lambda a, b: a[0] > b[1] or a[1] < b[0])),
    "t_during": (2, _temporal(lambda a, b: a[0] > b[0] and a[1] < b[1])),
    "t_equals": (2, _temporal(lambda a, b: a == b)),
    "t_finishedby": (2, _temporal(lambda a, b: a[0] < b[0] and a[1] == b[1])),
    "t_finishes": (2, _temporal(lambda a, b: a[0] > b[0] and a[1] == b[1])),
    "t_intersects": (2, _temporal(lambda a, b: a[0] <= b[1] and a[1] >= b[0])),
    "t_meets": (2, _temporal(lambda a, b: a[1] == b[0])),
    "t_metby": (2, _temporal(lambda a, b: a[0] == b[1])),
    "t_overlappedby": (2, _temporal(lambda a, b: b[0] < a[0] < b[1] < a[1])),
    "t_overlaps": (2, _temporal(lambda a, b: a[0] < b[0] < a[1] < b[1])),
    "t_startedby": (2, _temporal(lambda a, b: a[0] == b[0] and a[1] > b[1])),
    "t_starts": (2, _temporal(lambda a, b: a[0] == b[0] and a[1] < b[1])),
    "a_equals": (2, _listed(lambda a, b: sorted(map(str, a)) == sorted(map(str, b)))),
    "a_contains": (2, _listed(lambda a, b: {*map(str, b)} <= {*map(str, a)})),
    "a_containedby": (2, _listed(lambda a, b: {*map(str, a)} <= {*map(str, b)})),
    "a_overlaps": (2, _listed(lambda a, b: bool({*map(str, a)} & {*map(str, b)}))),
}
