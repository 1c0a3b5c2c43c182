"""A table → rows that can be used, and for every other row the reason and the remedy.

Each row of the source is used as it stands, used with a repair that is told, or refused; none is lost. What
is repaired becomes a line of the instance's own files, and goes through the same checks as they do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import shapely

from layers import dates
from layers.catalog import Instance, Resource
from layers.doctor import systems, values
from layers.doctor.bodies import Bodies
from layers.doctor.fields import AREAS, EAST, NORTH, Habits, Target, tells_all
from layers.doctor.grounds import Known
from layers.doctor.lines import Bad, Line, said
from layers.doctor.systems import System
from layers.doctor.territory import Areas
from layers.errors import N_, Problem, Sentence
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers import Table
from layers.sources import privacy, recoded
from layers.sources.instance import Source
from layers.sources.privacy import Keeper
from layers.sources.recoded import Codes
from layers.sources.rows import Checked, Row, repeated

USED, REPAIRED, REFUSED = "used", "repaired", "refused"
STATES = (USED, REPAIRED, REFUSED)
_TOLD_ROWS = 250


@dataclass(frozen=True)
class How:
    """How a table is to be read. `columns`: field → column. `same`: field → what holds for every row.

    `crs` is what a person says of the coordinates ("EPSG:3035", or "EPSG:3035:swapped"), "" to find it out.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    crs: str = ""
    sheet: str = ""
    encoding: str = ""


@dataclass(frozen=True)
class Finding:
    """What became of a row of the source; 0 is the table as a whole."""

    row: int
    state: str
    told: tuple[Sentence, ...]
    remedy: Sentence | None = None


@dataclass(frozen=True)
class Exam:
    """A table, examined: rows that can be used, what is told of it, and how many rows it has."""

    file: str
    target: Target
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]
    total: int
    system: System | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are in each state; together they are all."""
        told = {one.row: one.state for one in self.findings if one.row}
        found = {state: sum(1 for each in told.values() if each == state) for state in STATES}
        found[USED] += self.total - len(told)
        return found

    def source(self, resource: Resource, *, checksum: str) -> Source:
        """What can be planned and applied."""
        return Source(resource, "area" if self.target.of == AREAS else "body", self.rows, checksum)


def examine(
    table: Table,
    target: Target,
    how: How,
    *,
    resource: Resource,
    instance: Instance,
    known: Known,
    habits: Habits,
    today: date,
    codes: Codes = recoded.NOTHING,
    keeper: Keeper | None = None,
    tell: Tell = progress.silent,
) -> Exam:
    """Reads every row of a table as `how` says; areas and links to them under the codes that `codes` know.

    It tells how many rows are done.

    Raises:
        Unreadable: the file changed or broke off while it was read.
    """
    is_whole = tells_all(target, how.columns)
    lines = [*_lines(table, how, habits, tell, is_whole=is_whole)]
    findings = [Finding(note.row, REPAIRED if note.row else USED, (note.said,)) for note in table.notes]
    system = _place(lines, table, how, instance, habits) if lines else None
    if system and system.told:
        findings.append(Finding(0, USED, (system.told,)))
    day = dates.first_day(resource.as_of) if resource.as_of else today
    makes = (
        Areas(target, resource, instance, is_whole=is_whole)
        if target.of == AREAS
        else Bodies(target, resource, instance, known, book=codes.book, day=day, is_whole=is_whole)
    )
    rows: list[Row] = []
    for done, line in enumerate(lines):
        if not done % _TOLD_ROWS:
            tell(progress.EXAMINE, done, len(lines))
        try:
            if line.bad:
                raise line.bad
            rows.append(makes.row(line, table.file))
        except Bad as bad:
            findings.append(Finding(line.number, REFUSED, (bad.what,), bad.remedy))
        else:
            if line.told:
                findings.append(Finding(line.number, REPAIRED, tuple(line.told)))
    if target.of == AREAS:
        rows, more = _recoded(rows, codes, day, instance.default_language)
        findings += more
    tell(progress.EXAMINE, len(lines), len(lines))
    rows, more = _held(rows, keeper)
    findings += more
    return Exam(table.file, target, tuple(rows), _joined(findings), len(lines), system)


def _lines(table: Table, how: How, habits: Habits, tell: Tell, *, is_whole: bool) -> Iterator[Line]:
    done = 0
    at = {key: table.columns.index(column) for key, column in how.columns.items() if column in table.columns}
    for piece in table.pieces():
        shapes = piece.shapes if piece.shapes is not None else [None] * len(piece.numbers)
        for number, row, shape in zip(piece.numbers, piece.cells, shapes, strict=True):
            line = Line(number, dict(how.same), shape)
            for key, column in at.items():
                if row[column] and (is_whole or not values.is_blank(row[column], habits.blanks)):
                    line.cells[key] = row[column]
            yield line
        done += len(piece.numbers)
        tell(progress.READ, done, table.rows)


def _recoded(rows: list[Row], codes: Codes, day: date, language: str) -> tuple[list[Row], list[Finding]]:
    """Rows of areas under the codes by which the areas are known."""
    checked, book = recoded.areas(Checked(tuple(rows), ()), codes, day=day, language=language)
    checked = recoded.links(checked, "area", book, day=day)
    notes = [Finding(one.row, REPAIRED, (said(one.what), said(one.remedy))) for one in checked.notes]
    return [*checked.rows], [*(_refusal(problem) for problem in checked.problems), *notes]


def _held(rows: Sequence[Row], keeper: Keeper | None) -> tuple[list[Row], list[Finding]]:
    """Rows of which none stands twice, as the layer's privacy policy lets them be told."""
    twice = {problem.row for problem in repeated(rows)}
    findings = [_refusal(problem) for problem in repeated(rows)]
    once = [row for row in rows if row.line not in twice]
    if keeper is None:
        return once, findings
    checked = privacy.kept(Checked(tuple(once), ()), keeper)
    findings += [_refusal(problem) for problem in checked.problems]
    findings += [Finding(note.row, REPAIRED, (said(note.what),)) for note in checked.notes]
    return [*checked.rows], findings


def _refusal(problem: Problem) -> Finding:
    return Finding(problem.row, REFUSED, (said(problem.what),), said(problem.remedy))


def _joined(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding for each row, in their order: what refuses it goes before what repaired it."""
    whole = [one for one in findings if not one.row]
    rows: dict[int, Finding] = {}
    for one in findings:
        before = rows.get(one.row)
        if before is None or (one.state == REFUSED and before.state != REFUSED):
            rows[one.row] = one
        elif before.state == one.state == REPAIRED:
            rows[one.row] = replace(before, told=(*before.told, *one.told))
    return (*whole, *(rows[row] for row in sorted(rows) if row))


# --- Where it is


def _place(
    lines: Sequence[Line], table: Table, how: How, instance: Instance, habits: Habits
) -> System | None:
    """Gives every line its shape in metres; the system in which the coordinates make sense."""
    by_cells = NORTH in how.columns and EAST in how.columns
    if by_cells:
        for line in lines:
            _read_point(line)
    shapes = np.array([line.shape for line in lines], dtype=object)
    there = np.flatnonzero(~shapely.is_missing(shapes) & ~shapely.is_empty(shapes))
    if not len(there):
        return None
    middles = shapely.get_coordinates(shapely.point_on_surface(shapely.envelope(shapes[there])))
    declared = "" if by_cells else table.crs
    system = systems.found(
        middles, declared=declared, instance=instance, others=habits.systems, asked=how.crs
    )
    shapes[there] = systems.moved(shapes[there], system, srid=instance.metric_crs)
    for line, shape in zip(lines, shapes, strict=True):
        line.shape = None if shape is None or shapely.is_empty(shape) else shape
        if line.shape is not None and not np.isfinite(shapely.bounds(line.shape)).all():
            line.bad = line.bad or Bad(
                N_("Its coordinates lie outside everything that the system covers."),
                N_("Check the numbers, or name the right system of coordinates."),
            )
            line.shape = None
    return system


def _read_point(line: Line) -> None:
    """The point of a line's two numbers, as they stand."""
    north, east = (values.number(line.cells.pop(key, "")) for key in (NORTH, EAST))
    line.told += [read.told for read in (north, east) if read.told]
    if not north.text and not east.text:
        return
    try:
        if not (north.text and east.text):
            raise Bad(N_("Only one of the two coordinates is there."), N_("Give both, or leave both blank."))
        point = float(east.text), float(north.text)
        if not np.isfinite(point).all():
            raise ValueError(point)
    except ValueError:
        what = Sentence("“{north}, {east}” are no coordinates.", north=north.text, east=east.text)
        line.bad = Bad(what, N_("Write numbers, for example 58.3701 and 26.7290."))
    except Bad as bad:
        line.bad = bad
    else:
        line.shape = None if point == (0.0, 0.0) else shapely.Point(point)
        if line.shape is None:
            line.told.append(Sentence("The coordinates 0, 0 mean that none are known: left blank."))
