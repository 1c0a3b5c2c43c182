"""Is what came what was asked for? Looked at before anything reads it.

Servers answer 200 with a picture, an error page or an empty list: 282 bytes of PNG came for a zip of
boundaries. What fails here is never read further.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from layers.errors import N_, Invalid
from layers.updates.kept import Collected
from layers.updates.wanted import Address, Wanted

_MAGIC = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
)
_TOTAL = re.compile(rb'(?:numberMatched|numberOfFeatures)="(\d+)"')
_RETURNED = re.compile(rb'numberReturned="(\d+)"')
_HEAD = 8192


class BadContent(Invalid):
    text = N_("What came is not what this source should be.")


class TooSmall(BadContent):
    text = N_("{name} has {size} bytes; less than {least} cannot be right.")


class OtherThing(BadContent):
    text = N_("{name} is no {wanted} file, it is {found} of {size} bytes.")


class DamagedZip(BadContent):
    text = N_("The zip file {name} is damaged: {member} cannot be read.")


class HugeZip(BadContent):
    text = N_("The zip file {name} would unpack to {size} bytes; more than {most} are not opened.")


class NothingInside(BadContent):
    text = N_("The zip file {name} holds no file that fits “{pattern}”. It holds: {members}.")


class ServerSays(BadContent):
    text = N_("The server answers with an error: {said}.")


def check(wanted: Wanted, collected: Collected) -> None:
    """Raises BadContent when a file is not of the kind and size that the source must have."""
    for path in collected.paths:
        size, answer = path.stat().st_size, collected.address.answer
        if answer.endswith("zip"):
            _check_zip(path, size, wanted, collected.address)
        else:
            _check_text(path, size, answer)
    if collected.size < wanted.least_bytes:
        names = ", ".join(file.name for file in collected.files)
        raise TooSmall(name=names, size=collected.size, least=wanted.least_bytes)


def _check_zip(path: Path, size: int, wanted: Wanted, address: Address) -> None:
    if not zipfile.is_zipfile(path):
        raise OtherThing(name=path.name, wanted="ZIP", found=_kind(path), size=size)
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > wanted.most_unpacked:
            raise HugeZip(name=path.name, size=unpacked, most=wanted.most_unpacked)
        member_of(path, address)
        try:
            damaged = archive.testzip()
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
            raise DamagedZip(name=path.name, member=str(error)) from error
        if damaged:
            raise DamagedZip(name=path.name, member=damaged)


def _check_text(path: Path, size: int, answer: str) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD).lstrip(b"\xef\xbb\xbf \r\n\t")
    wanted = "GML" if answer == "wfs-gml" else "JSON"
    if b"ExceptionReport" in head:
        raise ServerSays(said=_plain(head))
    if not head.startswith(b"<" if wanted == "GML" else b"{") or b"<html" in head[:500].lower():
        raise OtherThing(name=path.name, wanted=wanted, found=_kind(path), size=size)


def member_of(path: Path, address: Address) -> str:
    """The name of the file inside a zip that is to be read: the only one that fits the address's pattern."""
    pattern = address.inner or (r"\.csv$" if address.answer == "csv-zip" else r"\.(shp|gpkg|geojson)$")
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
    fitting = [name for name in names if re.search(pattern, name, re.IGNORECASE)]
    if len(fitting) != 1:
        raise NothingInside(name=path.name, pattern=pattern, members=", ".join(sorted(names)[:8]))
    return fitting[0]


def counted(path: Path, answer: str) -> tuple[int, int | None]:
    """How many features a page of a WFS holds, and how many there are in all where the server says so.

    Raises:
        BadContent: it is no such page.
    """
    _check_text(path, path.stat().st_size, answer)
    if answer == "wfs-gml":
        return _counted_gml(path)
    page = parsed(path)
    features = page.get("features")
    if not isinstance(features, list):
        raise OtherThing(name=path.name, wanted="GeoJSON", found="JSON", size=path.stat().st_size)
    said = [page.get(name) for name in ("numberMatched", "totalFeatures")]
    return len(features), next((number for number in said if isinstance(number, int)), None)


def _counted_gml(path: Path) -> tuple[int, int | None]:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    total, returned = _TOTAL.search(head), _RETURNED.search(head)
    if returned is None:
        text = path.read_bytes()
        number = len(re.findall(rb"<(?:\w+:)?(?:member|featureMember)[ >]", text))
    else:
        number = int(returned[1])
    return number, int(total[1]) if total else None


def parsed(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        size = path.stat().st_size
        raise OtherThing(name=path.name, wanted="JSON", found="a broken text", size=size) from error
    if not isinstance(found, dict):
        raise OtherThing(name=path.name, wanted="JSON", found="a list", size=path.stat().st_size)
    return found


def _kind(path: Path) -> str:
    """What a file is by its first bytes, in a word."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype html", b"<html")) or b"<html" in text[:500]:
        return "HTML"
    return "XML" if text.startswith(b"<") else "JSON" if text.startswith((b"{", b"[")) else "something else"


def _plain(head: bytes) -> str:
    text = re.sub(r"<[^>]*>", " ", head.decode("utf-8", "replace"))
    return " ".join(text.split())[:200].rstrip(".")
