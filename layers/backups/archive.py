"""The file of a backup: a ZIP of tables as lines of text and of an instance's files, with a manifest.

A checksum over the whole file stands in its last bytes, and one over every part in the manifest, so that
damage anywhere is found before anything is written. Checksums find damage and not a forger: who may write the
file may also count them anew, so it belongs where the store itself could lie.
"""

import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from layers import disk
from layers.backups.rows import Columns
from layers.errors import N_, Invalid, LayersError

FORMAT = 1
MANIFEST = "manifest.json"
_TABLES, _FILES = "tables/", "instance/"
_SEAL = re.compile(rb"sha256:[0-9a-f]{64}")
_SEALED_BYTES = 71
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 29
_LARGEST_MANIFEST = 1 << 26


class BadBackup(Invalid):
    text = N_("The backup {file} cannot be used: {reason}. Nothing was changed.")


class NewerBackup(Invalid):
    text = N_(
        "The backup {file} was made by a newer version of Turvakaart ({theirs}; this one knows {ours}). "
        "Restore it with that version, or a later one."
    )


class FileThere(Invalid):
    text = N_("{file} is there already. Name another file, or replace it with --force.")


class NoRoom(LayersError):
    text = N_("{folder} has {free_mb} MB left and {needed_mb} MB may be needed. Nothing was changed.")


class NotWritten(LayersError):
    text = N_("{file} cannot be written ({reason}). Nothing was changed.")


@dataclass(frozen=True)
class Part:
    """One table or file inside a backup: its length unpacked, and how many rows it has (0 for a file)."""

    name: str
    bytes: int
    sha256: str
    rows: int = 0
    columns: Columns = ()


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; `made` is the moment of its state, in UTC."""

    instance: str
    metric_crs: int
    schema: str
    made: str
    tables: tuple[Part, ...]
    files: tuple[Part, ...] = ()
    format: int = FORMAT

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.tables)

    @property
    def table_bytes(self) -> int:
        return sum(part.bytes for part in self.tables)


# --- Writing


class Writer:
    """Puts parts into a backup, each measured as it goes by."""

    def __init__(self, packed: ZipFile) -> None:
        self._packed = packed

    def table(self, name: str, columns: Columns, lines: Iterable[bytes]) -> Part:
        size, digest, rows = self._put(f"{_TABLES}{name}.jsonl", lines)
        return Part(name, size, digest, rows, columns)

    def file(self, name: str, source: Path) -> Part:
        with source.open("rb") as opened:
            size, digest, _ = self._put(f"{_FILES}{name}", iter(lambda: opened.read(_BLOCK), b""))
        return Part(name, size, digest)

    def manifest(self, manifest: Manifest) -> None:
        self._put(MANIFEST, [json.dumps(asdict(manifest), ensure_ascii=False, indent=1).encode()])

    def _put(self, name: str, pieces: Iterable[bytes]) -> tuple[int, str, int]:
        size, digest, count = 0, hashlib.sha256(), 0
        about = ZipInfo(name)  # Its time stays 1980: the same state gives the same bytes.
        about.compress_type, about.external_attr = ZIP_DEFLATED, 0o600 << 16
        with self._packed.open(about, "w", force_zip64=True) as part:
            for piece in pieces:
                part.write(piece)
                digest.update(piece)
                size, count = size + len(piece), count + 1
        return size, digest.hexdigest(), count


@contextmanager
def written(file: Path, *, replace: bool) -> Iterator[Writer]:
    """A new backup under this name: there whole at the end, or not at all.

    Only its owner may read it.

    Raises:
        FileThere: the name is taken, and may not be replaced.
        NotWritten: the disk is full, or the folder may not be written.
    """
    if file.exists() and not replace:
        raise FileThere(file=file)
    try:
        with disk.whole(file) as stream:
            with ZipFile(stream, "w") as packed:
                packed.comment = b" " * _SEALED_BYTES
                yield Writer(packed)
            _seal(stream)
            if file.exists() and not replace:
                raise FileThere(file=file)
    except OSError as error:
        is_own = not error.filename or Path(error.filename) == disk.growing(file)
        where = "" if is_own else f"{error.filename}: "
        raise NotWritten(file=file, reason=f"{where}{error.strerror or error}") from error


def _seal(stream: IO[bytes]) -> None:
    """Writes the checksum of everything before it into the last bytes."""
    end = stream.seek(0, os.SEEK_END) - _SEALED_BYTES
    digest = _digest(stream, end)
    stream.seek(end)
    stream.write(b"sha256:" + digest.encode())


def _digest(stream: IO[bytes], end: int) -> str:
    stream.seek(0)
    digest = hashlib.sha256()
    while end and (block := stream.read(min(end, _BLOCK))):
        digest.update(block)
        end -= len(block)
    return digest.hexdigest()


def check_room(folder: Path, needed: int) -> None:
    """Raises NoRoom where fewer bytes are free than may be needed."""
    found = os.statvfs(folder) if hasattr(os, "statvfs") else None
    free = found.f_bavail * found.f_frsize if found else needed
    if free < needed:
        raise NoRoom(folder=folder, free_mb=free // 10**6, needed_mb=-(-needed // 10**6))


# --- Reading


class Backup:
    """A backup that has been checked from its first byte to its last."""

    def __init__(self, file: Path, packed: ZipFile, manifest: Manifest) -> None:
        self.file, self.manifest, self._packed = file, manifest, packed

    def lines(self, of: Part) -> Iterator[bytes]:
        """The rows of a table, one after the other."""
        with self._packed.open(f"{_TABLES}{of.name}.jsonl") as part:
            while line := part.readline(_LONGEST_LINE):
                yield line

    def unpack(self, folder: Path) -> None:
        """Writes the files of the instance into a new folder."""
        for one in self.manifest.files:
            target = folder / one.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._packed.open(f"{_FILES}{one.name}") as part, target.open("xb") as opened:
                while block := part.read(_BLOCK):
                    opened.write(block)

    def unusable(self, reason: object) -> BadBackup:
        return BadBackup(file=self.file, reason=reason)


@contextmanager
def opened(file: Path, *, tell: Callable[[str], None] = lambda name: None) -> Iterator[Backup]:
    """A backup whose every checksum is right; `tell` hears each part's name when it has been checked.

    Raises:
        BadBackup: it is missing, damaged, cut off, or no backup at all.
        NewerBackup: its form is newer than this program.
    """
    with ExitStack() as stack:
        with _named(file):
            stream = stack.enter_context(file.open("rb"))
            _check_seal(stream)
            packed = stack.enter_context(ZipFile(stream))
            manifest = _manifest(packed, file)
            _check_names(packed, manifest)
            for name, part in _parts(manifest):
                _check_part(packed, name, part)
                tell(part.name)
        yield Backup(file, packed, manifest)


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """What is wrong inside, told with the name of the file."""
    try:
        yield
    except OSError as error:
        raise BadBackup(file=file, reason=error.strerror or error) from error
    except _Wrong as error:
        raise BadBackup(file=file, reason=error) from error
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise BadBackup(file=file, reason=f"it is damaged ({error})") from error


class _Wrong(ValueError):
    """What is wrong with a backup, to be told with its name."""


def _check_seal(stream: IO[bytes]) -> None:
    end = stream.seek(0, os.SEEK_END) - _SEALED_BYTES
    if end <= 0:
        raise _Wrong("it is too short")
    stream.seek(end)
    told = stream.read()
    stream.seek(0)
    if stream.read(4) != b"PK\x03\x04":
        raise _Wrong("it is no backup of Turvakaart")
    if not _SEAL.fullmatch(told):
        raise _Wrong("it is cut off, damaged, or no backup of Turvakaart")
    if _digest(stream, end) != told.removeprefix(b"sha256:").decode():
        raise _Wrong("it is damaged: its checksum is another")


def _manifest(packed: ZipFile, file: Path) -> Manifest:
    try:
        with packed.open(MANIFEST) as part:
            told = json.loads(part.read(_LARGEST_MANIFEST))
        if not isinstance(told["format"], int):
            raise _Wrong("its manifest has another form than expected")
        if told["format"] > FORMAT:
            raise NewerBackup(file=file, theirs=told["format"], ours=FORMAT)
        return _as_manifest(told)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _Wrong("its manifest has another form than expected") from error


def _as_manifest(told: Mapping[str, Any]) -> Manifest:
    made = {**told, "tables": _as_parts(told["tables"]), "files": _as_parts(told["files"])}
    for name, kind in (("instance", str), ("metric_crs", int), ("schema", str), ("made", str)):
        if not isinstance(made[name], kind):
            raise TypeError(name)
    return Manifest(**made)


def _as_parts(told: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    return tuple(
        Part(
            name=str(one["name"]),
            bytes=int(one["bytes"]),
            sha256=str(one["sha256"]),
            rows=int(one["rows"]),
            columns=tuple((str(name), str(kind)) for name, kind in one["columns"]),
        )
        for one in told
    )


def _parts(manifest: Manifest) -> Iterator[tuple[str, Part]]:
    """Every part with its name inside the file."""
    yield from ((f"{_TABLES}{part.name}.jsonl", part) for part in manifest.tables)
    yield from ((f"{_FILES}{part.name}", part) for part in manifest.files)


def _check_names(packed: ZipFile, manifest: Manifest) -> None:
    wanted = [MANIFEST, *(name for name, _ in _parts(manifest))]
    if sorted(packed.namelist()) != sorted(wanted) or len({*wanted}) < len(wanted):
        raise _Wrong("it has other parts than its manifest says")
    for part in manifest.files:
        path = PurePosixPath(part.name)
        if (
            path.is_absolute()
            or {"..", ""} & {*part.name.split("/")}
            or "\\" in part.name
            or ":" in part.name
        ):
            raise _Wrong(f"the name “{part.name}” leads out of the folder")


def _check_part(packed: ZipFile, name: str, part: Part) -> None:
    digest, size, rows = hashlib.sha256(), 0, 0
    with packed.open(name) as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
            size, rows = size + len(block), rows + block.count(b"\n")
            if size > part.bytes:
                break  # What unpacks to more than it says may never end.
    if size != part.bytes or digest.hexdigest() != part.sha256 or (part.columns and rows != part.rows):
        raise _Wrong(f"its part “{part.name}” is damaged")
