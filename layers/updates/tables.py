"""Checked files → one table of texts and shapes, whatever they came as."""

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from layers.errors import N_
from layers.sources import delivered
from layers.sources.delivered import Delivered
from layers.updates import content
from layers.updates.content import BadContent
from layers.updates.kept import Collected
from layers.updates.wanted import Wanted


class ColumnsMissing(BadContent):
    text = N_("The columns {missing} are missing. There are: {there}.")


class BrokenTable(BadContent):
    text = N_("{name} cannot be read as a table: {reason}.")


@dataclass(frozen=True)
class Table:
    """What a source delivers, n rows. `inner` is the name of the file that was read."""

    delivered: Delivered
    columns: Mapping[str, str]
    inner: str

    def column(self, ours: str) -> list[str]:
        """The texts under one of our names; blank where the source does not have it."""
        theirs = self.columns.get(ours, "")
        return self.delivered.columns.get(theirs) or [""] * len(self.delivered)


def read(wanted: Wanted, collected: Collected) -> Table:
    """Reads the files of a source.

    Raises:
        BadContent, UnreadableMap: they cannot be read, or lack a column.
    """
    answer, paths = collected.address.answer, collected.paths
    inner = paths[0].name
    if answer == "zip":
        inner = content.member_of(paths[0], collected.address)
        found = delivered.read(paths[0], inside=inner, encoding=_encoding(paths[0], inner, wanted))
    elif answer == "csv-zip":
        inner = content.member_of(paths[0], collected.address)
        found = _of_csv(paths[0], inner, wanted, collected)
    elif answer == "pxweb":
        found = _of_statistics(paths[0])
    else:
        found = _joined([delivered.read(path) for path in paths])
    columns = {**wanted.columns, **collected.address.columns}
    # An empty page has no columns; that it is too few is found later, and said better.
    missing = [name for name in columns.values() if name not in found.columns]
    if missing:
        there = ", ".join(itertools.islice(found.columns, 20))
        raise ColumnsMissing(missing=", ".join(missing), there=there)
    return Table(found, columns, inner)


def _encoding(path: Path, inner: str, wanted: Wanted) -> str:
    """The encoding that we know of, unless the shapefile has a file that names its own."""
    with zipfile.ZipFile(path) as archive:
        names = {name.lower() for name in archive.namelist()}
    return "" if re.sub(r"\.shp$", ".cpg", inner.lower()) in names else wanted.encoding


def _joined(pages: Sequence[Delivered]) -> Delivered:
    filled = [page for page in pages if len(page)] or pages[:1]
    names = dict.fromkeys(name for page in filled for name in page.columns)
    columns = {
        name: [text for page in filled for text in page.columns.get(name, [""] * len(page))] for name in names
    }
    shaped = [page.shapes for page in filled if page.shapes is not None]
    shapes = np.concatenate(shaped) if len(shaped) == len(filled) else None
    return Delivered(columns, shapes, filled[0].crs)


def _of_csv(path: Path, inner: str, wanted: Wanted, collected: Collected) -> Delivered:
    """The rows of a CSV file that are wanted; the others never get into the memory."""
    theirs = {**wanted.columns, **collected.address.columns}
    only = {theirs[name]: values for name, values in wanted.only.items() if name in theirs}
    kept: dict[str, list[str]] = {}
    try:
        with zipfile.ZipFile(path) as archive, archive.open(inner) as raw:
            stream = io.TextIOWrapper(raw, encoding=wanted.encoding or "utf-8-sig", newline="")
            head = stream.readline()
            separator = max(",;\t", key=head.count)
            header = next(csv.reader([head], delimiter=separator), [])
            kept = {name: [] for name in header}
            for line in csv.DictReader(stream, header, delimiter=separator, restval=""):
                if all(line.get(name) in values for name, values in only.items()):
                    for name in header:
                        kept[name].append((line[name] or "").strip())
    except (csv.Error, UnicodeDecodeError, zipfile.BadZipFile, OSError) as error:
        raise BrokenTable(name=inner, reason=str(error).rstrip(".")) from error
    return Delivered(kept, None, "")


def _of_statistics(path: Path) -> Delivered:
    """A table as JSON-stat 2: a row for each cell, a column for each dimension, its label, and `value`."""
    cube = content.parsed(path)
    try:
        keys = [_keys(cube["dimension"][name]["category"]) for name in cube["id"]]
        rows = [*itertools.product(*keys)]
        told = cube["value"]
        values = [told.get(str(at)) for at in range(len(rows))] if isinstance(told, dict) else told
        if len(values) != len(rows):
            raise ValueError(f"{len(values)} values for {len(rows)} cells")
        columns: dict[str, list[str]] = {}
        for at, name in enumerate(cube["id"]):
            labels: Mapping[str, Any] = cube["dimension"][name]["category"].get("label", {})
            columns[name] = [row[at] for row in rows]
            columns[f"{name}_label"] = [str(labels.get(row[at], "")) for row in rows]
        columns["value"] = ["" if value is None else str(value) for value in values]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BrokenTable(name=path.name, reason=str(error).rstrip(".")) from error
    return Delivered(columns, None, "")


def _keys(category: Mapping[str, Any]) -> list[str]:
    """The codes of a dimension in their order: told as a list, or each with its place."""
    index = category["index"]
    return [
        str(key)
        for key in (sorted(index, key=lambda name: index[name]) if isinstance(index, dict) else index)
    ]
