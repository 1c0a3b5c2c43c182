"""The one plain shape that every file is turned into, the limits it is held to, and how it is refused."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from layers.errors import N_, Invalid, Sentence
from layers.geo import Shapes

MB = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one file may ask of this machine. More than this is refused with a sentence, never cut."""

    rows: int = 1_000_000
    columns: int = 2_000
    cell_length: int = 5 * MB
    """Characters: a shape written as text in a cell may be long, a name is not."""
    vertices_per_shape: int = 1_000_000
    bytes_unpacked: int = 1_000 * MB
    """Of all members of an archive together, as counted while they are unpacked."""
    ratio_unpacked: int = 200
    """How much larger an archive of more than 10 MB may become."""
    files_in_archive: int = 5_000
    bytes_at_once: int = 300 * MB
    """Of a file whose format can only be read whole: TopoJSON, GML, XLS, ODS."""
    depth: int = 100
    """How deep the elements of an XML file may be nested."""


DEFAULTS = Limits()


@dataclass(frozen=True)
class Offer:
    """What one can choose from inside a file: a layer, a sheet, a feature class."""

    name: str
    rows: int | None
    geometry: str
    """"", "point", "line", "polygon" or "mixed"."""
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """Something that was done to the input, or that is doubtful. Row 0 means the whole file."""

    row: int
    said: Sentence


@dataclass(frozen=True)
class Piece:
    """Some rows of a table, at most 5,000."""

    numbers: list[int]
    """As the source counts them: the line of a text file, the row of a sheet, the feature from 1."""
    cells: list[tuple[str, ...]]
    """Text, one for each column; "" where nothing stands."""
    shapes: Shapes | None
    """In the table's system, easting (longitude) first, flat; None where a row has none."""


@dataclass(frozen=True)
class Table:
    """One table of a file. It was walked through once already: `pieces` says nothing that was not seen."""

    file: str
    name: str
    columns: tuple[str, ...]
    geometry: str
    crs: str
    """"EPSG:3035", a definition as WKT, or "" where the file does not say."""
    encoding: str
    notes: tuple[Note, ...]
    rows: int
    pieces: Callable[[], Iterator[Piece]]


class Unreadable(Invalid):
    """A file that cannot be used: a sentence what is wrong with it, and a sentence what to do."""

    def __init__(self, text: str, **values: Any) -> None:
        self.text = text
        super().__init__(**values)

    def __reduce__(self) -> Any:
        return _again, (self.text, self.values)


def _again(text: str, values: dict[str, Any]) -> Unreadable:
    return Unreadable(text, **values)


class Several(Unreadable):
    """An address at which there are several layers, of which one has to be chosen.

    `layers` are their names with their titles.
    """

    def __init__(self, layers: Sequence[tuple[str, str]]) -> None:
        self.layers = tuple(layers)
        names = ", ".join(name for name, _ in self.layers)[:500]
        text = N_("There are {count} layers at this address. Choose one of: {names}.")
        super().__init__(text, count=len(self.layers), names=names)

    def __reduce__(self) -> Any:
        return Several, (self.layers,)
