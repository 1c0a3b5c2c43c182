"""A file read in a process apart says the same; one that asks too much, or makes it fall, is refused."""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import shapely

from layers import readers
from layers.readers import Unreadable, apart
from layers.readers.apart import Bounds
from tests.layers.readers.corpus import CASES
from tests.layers.readers.files import POINTS, package

CUT = "Reading the file “{}” took too much memory or time, or broke off. Split or repair it."


@pytest.fixture
def look(tmp_path):
    """What one can choose from a file, and its table, read in a process apart."""
    folder = tmp_path / "apart" / "looked"
    folder.parent.mkdir()

    def looked(path, **about):
        apart.look(path, into=folder, **about)
        return apart.looked(folder)

    return looked


def told(table):
    shape = None
    pieces = [
        (
            [int(number) for number in piece.numbers],
            [tuple(row) for row in piece.cells],
            shape if piece.shapes is None else [one and shapely.to_wkt(one) for one in piece.shapes],
        )
        for piece in table.pieces()
    ]
    same = ("file", "name", "columns", "geometry", "crs", "encoding", "rows")
    return [*(getattr(table, name) for name in same), [(n.row, n.said) for n in table.notes], pieces]


def outcome(read, path):
    try:
        table, offers = read(path)
        return [*told(table), offers]
    except Unreadable as error:
        return str(error), error.text, {name: str(value) for name, value in error.values.items()}


# Each start of a process takes a second, so every sixtieth file of the corpus stands for the rest.
@pytest.mark.parametrize("case", CASES[::60], ids=lambda case: case.label)
def test_it_says_what_is_said_here(tmp_path, look, case):
    path = tmp_path / case.file
    path.write_bytes(case.make())

    assert outcome(look, path) == outcome(readers.look, path)


def test_what_one_can_choose_is_the_same(tmp_path, look):
    path = tmp_path / "a.gpkg"
    path.write_bytes(package(points=({"nimi": ["Õru", "Valga"]}, POINTS), more=({"a": [1, 2]}, POINTS)))

    _, offers = look(path)
    assert offers == readers.offers(path)
    assert len(offers) == 2


@pytest.fixture
def long(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(clock_s=0.3),
        Bounds(processor_s=1),
        Bounds(memory_bytes=60_000_000),
        Bounds(file_bytes=10_000),
    ],
    ids=["clock", "processor", "memory", "file"],
)
def test_a_reading_that_takes_too_much_is_ended_said_so_and_leaves_nothing(tmp_path, long, look, bounds):
    began = time.monotonic()
    with pytest.raises(Unreadable) as refused:
        look(long, bounds=bounds)

    assert str(refused.value) == CUT.format("long.csv")
    assert time.monotonic() - began < 60
    assert children() == []
    assert list((tmp_path / "apart").iterdir()) == []


def test_a_reader_that_falls_takes_nothing_with_it(tmp_path, look, monkeypatch):
    """As a fault in a library would do: the process is gone in the middle of its work."""
    (path := tmp_path / "a.csv").write_text("a\n1\n", encoding="utf-8")
    start = subprocess.Popen

    def falling(line, **about):
        return start([line[0], "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], **about)

    monkeypatch.setattr(apart.subprocess, "Popen", falling)
    with pytest.raises(Unreadable, match="broke off"):
        look(path)


def test_it_knows_none_of_the_servers_settings(tmp_path, look, monkeypatch):
    seen = {}
    start = subprocess.Popen

    def watched(line, **about):
        seen.update(about["env"])
        return start(line, **about)

    (path := tmp_path / "a.csv").write_text("a\n1\n", encoding="utf-8")
    monkeypatch.setenv("WEBMAP_DATABASE_URL", "postgresql://user:secret@host/name")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setattr(apart.subprocess, "Popen", watched)

    table, _ = look(path)
    assert table.rows == 1
    assert not [name for name, value in seen.items() if "secret" in value or name.startswith("WEBMAP")]


def children():
    """The processes of ours that are still there."""
    found = []
    for task in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = task.joinpath("stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            line = task.joinpath("cmdline").read_bytes()
            found += [line] if parent == str(os.getpid()) and b"readers.apart" in line else []
    return found
