"""Zip archives → files in a folder of our own, counted while they are unpacked, under names of ours."""

import shutil
import stat
import tempfile
import weakref
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layers import disk
from layers.errors import N_
from layers.readers import cells
from layers.readers.plain import MB, Limits, Unreadable

_CHUNK = 1 << 20
_PREFIX = "turvakaart-"


class Place:
    """A folder that lasts as long as somebody holds this object."""

    def __init__(self) -> None:
        _sweep()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.path))


def _sweep() -> None:
    for left in disk.stale(Path(tempfile.gettempdir()), f"{_PREFIX}????????"):
        shutil.rmtree(left, ignore_errors=True)


@dataclass(frozen=True)
class Member:
    """A file of an archive: its name there, shown and never used as a path, and where it lies now."""

    name: PurePosixPath
    path: Path


def names(path: Path) -> list[str]:
    """The names in an archive; none where it is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def bounded(path: Path, *, file: str, limits: Limits) -> None:
    """Refuses an archive that says itself that it would become too large. Nothing is unpacked.

    Python reads no more of a member than the archive says it has, so that this bounds who reads it later.
    """
    with _opened(path, file) as archive:
        _bounded(archive, path, file, limits)


def unpacked(path: Path, *, file: str, place: Place, limits: Limits) -> list[Member]:
    """The files of an archive, without what only systems put there.

    Raises:
        Unreadable: it is broken, locked, or more than the limits allow.
    """
    folder = place.folder()
    members: list[Member] = []
    with _opened(path, file) as archive:
        entries = _bounded(archive, path, file, limits)
        for number, entry in enumerate(entries):
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if _is_debris(name):
                continue
            target = folder / f"{number}{_suffix(name)}"
            _write(archive, entry, target, file)
            members.append(Member(PurePosixPath(cells.visible(str(name)) or "#"), target))
    return members


def _opened(path: Path, file: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _broken(file) from error


def _broken(file: str) -> Unreadable:
    text = N_("The archive “{file}” is damaged or breaks off before its end. Pack or fetch it again.")
    return Unreadable(text, file=file)


def _bounded(archive: zipfile.ZipFile, path: Path, file: str, limits: Limits) -> list[zipfile.ZipInfo]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > limits.files_in_archive:
        text = N_(
            "The archive “{file}” has {found:,} files; at most {most:,} are read. Pack only those that "
            "are needed."
        )
        raise Unreadable(text, file=file, found=len(entries), most=limits.files_in_archive)
    size = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    if size > limits.bytes_unpacked or (size > 10 * MB and size / packed > limits.ratio_unpacked):
        text = N_(
            "The archive “{file}” would become {found:,} MB; that is more than is unpacked. Split it, or "
            "check it."
        )
        raise Unreadable(text, file=file, found=size // MB)
    for entry in entries:
        if entry.flag_bits & 1:
            text = N_("The archive “{file}” is locked with a password. Pack it again without one.")
            raise Unreadable(text, file=file)
        if stat.S_ISLNK(entry.external_attr >> 16):
            text = N_("The archive “{file}” has a link to another file in it. Pack the file itself.")
            raise Unreadable(text, file=file)
    return entries


def _is_debris(name: PurePosixPath) -> bool:
    return "__MACOSX" in name.parts or name.name.startswith("._") or name.name in (".DS_Store", "Thumbs.db")


def _suffix(name: PurePosixPath) -> str:
    suffix = name.suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) < 12 else ""


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, file: str) -> None:
    try:
        with archive.open(entry) as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain, _CHUNK)
    except NotImplementedError as error:
        text = N_(
            "The archive “{file}” is packed in a way that is not known here. Pack it again as plain ZIP."
        )
        raise Unreadable(text, file=file) from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        raise _broken(file) from error
