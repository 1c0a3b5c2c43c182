"""Rows as a format's room finds them → a Table: cleaned, bounded, counted, told twice alike."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import shapely

from layers.errors import N_
from layers.geo import Shapes
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers import cells, systems
from layers.readers.cells import Notebook
from layers.readers.plain import Limits, Piece, Table, Unreadable

Row = tuple[int, Sequence[object], object]
"""Number, raw values (may be fewer than the columns), and a shapely shape, None, or NO_SHAPE."""
_ROWS_OF_PIECE = 5_000
# Beside the rows: a piece of long cells or heavy shapes ends earlier, so that memory stays bounded.
_WEIGHT_OF_PIECE = 8_000_000
FARTHEST = 1e8  # Metres; the earth is 4e7 around. No system counts further.
_KINDS = {0: "point", 4: "point", 1: "line", 2: "line", 5: "line", 3: "polygon", 6: "polygon"}


@dataclass
class Found:
    """What a format's room knows of one table. `names` may grow while `walk` runs for the first time."""

    file: str
    name: str
    names: list[str]
    walk: Callable[[Notebook], Iterator[Row]]
    has_shapes: bool = False
    crs: str = ""
    encoding: str = "utf-8"
    system: Callable[[], str] | None = None
    """Asked after the first walk, where only the end of a file tells its coordinate system."""
    notes: Notebook = field(default_factory=Notebook)


class Growing:
    """The columns of a file whose rows name their own, as features do: each row may bring a new one."""

    def __init__(self, limits: Limits) -> None:
        self.names: list[str] = []
        self._at: dict[str, int] = {}
        self._most = limits.columns

    def row(self, said: Mapping[str, object]) -> list[object]:
        """The values of a row in the order of the columns so far.

        Raises:
            Unreadable: there are more columns than the limits allow.
        """
        for key in said:
            if key not in self._at:
                if len(self.names) >= self._most:
                    text = N_(
                        "The features have more than {most:,} different properties. Leave out those that "
                        "are not needed."
                    )
                    raise Unreadable(text, most=self._most)
                self._at[key] = len(self.names)
                self.names.append(key)
        row: list[object] = [None] * len(self.names)
        for key, value in said.items():
            row[self._at[key]] = value
        return row


@dataclass
class _Seen:
    """What the first walk learned."""

    rows: int = 0
    filled: set[int] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    west: float = float("inf")
    south: float = float("inf")
    east: float = float("-inf")
    north: float = float("-inf")
    bare: int = 0

    def look(self, piece: Piece) -> None:
        self.rows += len(piece.numbers)
        for row in piece.cells:
            if len(self.filled) < len(row):
                self.filled.update(column for column, cell in enumerate(row) if cell)
        if piece.shapes is None:
            return
        there = piece.shapes[piece.shapes != None]  # noqa: E711 (numpy compares)
        self.bare += len(piece.shapes) - len(there)
        self.kinds.update(_KINDS.get(int(kind), "mixed") for kind in np.unique(shapely.get_type_id(there)))
        if len(there):
            west, south, east, north = shapely.total_bounds(there)
            self.west, self.south = min(self.west, west), min(self.south, south)
            self.east, self.north = max(self.east, east), max(self.north, north)

    def geometry(self) -> str:
        return "mixed" if len(self.kinds) > 1 else next(iter(self.kinds), "")


def table(found: Found, *, limits: Limits, tell: Tell = progress.silent) -> Table:
    """Walks through all rows once, so that whatever is wrong is known before the first is used.

    It tells how many rows it has seen.

    Raises:
        Unreadable: the file breaks off, or is more than the limits allow.
    """
    notes, seen = found.notes, _Seen()
    for piece in _pieces(found.walk(notes), found.has_shapes, notes, limits):
        seen.look(piece)
        tell(progress.READ, seen.rows, 0)
        if seen.rows > limits.rows:
            raise Unreadable(
                N_("The table “{name}” has more than {most:,} rows. Split it into smaller files."),
                name=found.name,
                most=limits.rows,
            )
    if not seen.rows:
        notes.add(0, N_("The table “{name}” has no rows."), name=found.name)
    crs = found.system() if found.system else found.crs
    if seen.kinds:
        systems.doubts(crs, (seen.west, seen.south, seen.east, seen.north), notes)
        if seen.bare:
            notes.add(0, N_("Rows without a shape: {count}."), count=seen.bare)
    kept = _kept(found.names, seen, notes)
    columns = cells.header([found.names[column] for column in kept], notes=notes, limits=limits)
    whole = len(kept) == len(found.names)

    def again() -> Iterator[Piece]:
        ignored = Notebook()
        for piece in _pieces(found.walk(ignored), found.has_shapes, ignored, limits):
            width = len(found.names)
            full = [row + ("",) * (width - len(row)) for row in piece.cells]
            yield Piece(
                piece.numbers,
                full if whole else [tuple(row[column] for column in kept) for row in full],
                piece.shapes,
            )

    return Table(
        file=found.file,
        name=found.name,
        columns=tuple(columns),
        geometry=seen.geometry(),
        crs=crs,
        encoding=found.encoding,
        notes=notes.notes(),
        rows=seen.rows,
        pieces=again,
    )


def _kept(names: Sequence[str], seen: _Seen, notes: Notebook) -> list[int]:
    """The columns that have a name or anything below it."""
    kept = [column for column, name in enumerate(names) if name.strip() or column in seen.filled]
    if left := len(names) - len(kept):
        notes.add(0, N_("Columns without name and content, left out: {count}."), count=left)
    return kept


def _pieces(rows: Iterator[Row], has_shapes: bool, notes: Notebook, limits: Limits) -> Iterator[Piece]:
    numbers: list[int] = []
    lines: list[tuple[str, ...]] = []
    shapes: list[object] = []
    weight = 0
    for number, values, shape in rows:
        line = tuple(
            [
                cells.text(value, row=number, column=column, notes=notes, limits=limits)
                for column, value in enumerate(values)
            ]
        )
        numbers.append(number)
        lines.append(line)
        shapes.append(shape)
        weight += sum(map(len, line))
        if has_shapes:
            weight += 100 + 16 * int(shapely.get_num_coordinates(cast(Any, shape)))
        if len(lines) == _ROWS_OF_PIECE or weight > _WEIGHT_OF_PIECE:
            yield Piece(numbers, lines, _checked(shapes, numbers, notes, limits) if has_shapes else None)
            numbers, lines, shapes, weight = [], [], [], 0
    if lines:
        yield Piece(numbers, lines, _checked(shapes, numbers, notes, limits) if has_shapes else None)


def _checked(found: list[object], numbers: list[int], notes: Notebook, limits: Limits) -> Shapes:
    """The shapes, flat; None where one is empty, too heavy or not on the earth, with a note."""
    shapes: Shapes = np.array([None, *found], dtype=object)[1:]  # Or numpy would look into the shapes.

    def drop(which: np.ndarray, text: str, **values: object) -> None:
        for index in np.flatnonzero(which):
            notes.add(numbers[index], text, **values)
            shapes[index] = None

    there = shapes != None  # noqa: E711 (numpy compares)
    drop(there & shapely.is_empty(shapes), N_("The shape is empty; the row has none now."))
    drop(
        shapely.get_num_coordinates(shapes) > limits.vertices_per_shape,
        N_("The shape has more than {most:,} vertices; the row has none now. Simplify it in a GIS."),
        most=limits.vertices_per_shape,
    )
    high = shapely.has_z(shapes) | shapely.has_m(shapes)
    if high.any():
        notes.add(
            numbers[int(np.flatnonzero(high)[0])],
            N_("The shape has heights or measures; they were left out."),
        )
        shapes = np.where(high, shapely.force_2d(shapes), shapes)
    coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
    wild = ~(np.abs(coordinates) < FARTHEST).all(axis=1)
    if wild.any():
        mask = np.zeros(len(shapes), dtype=bool)
        mask[owner[wild]] = True
        drop(mask, N_("The shape has coordinates that are no place on the earth; the row has none now."))
    return shapes
