"""The fetched files in a folder of the state, with a manifest: where each came from, when, and its checksum.

The same folder, or one into which somebody has put the files by hand, repeats an update without a network.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from layers.errors import N_, Invalid
from layers.updates.wanted import Address, Wanted

MANIFEST = "manifest.json"


class NotKept(Invalid):
    text = N_("The folder {folder} holds no file of “{key}”; it would be called {name}.")


class KeptChanged(Invalid):
    text = N_("The kept file {name} has changed since it was fetched. Fetch it again, or remove {manifest}.")


class BadManifest(Invalid):
    text = N_("The list of kept files, {manifest}, cannot be read. Remove it and fetch again.")


@dataclass(frozen=True)
class Download:
    """One file as it was fetched. `is_new` is False where the server said that it has not changed."""

    name: str
    url: str
    sha256: str
    size: int
    moment: str
    etag: str = ""
    last_modified: str = ""
    is_new: bool = True


@dataclass(frozen=True)
class Collected:
    """All files of a source from one address; `hits` is how many features the server counts."""

    address: Address
    folder: Path
    files: tuple[Download, ...]
    hits: int | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / file.name for file in self.files)

    @property
    def moment(self) -> str:
        return max(file.moment for file in self.files)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def is_new(self) -> bool:
        return any(file.is_new for file in self.files)

    @property
    def checksum(self) -> str:
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


class Shelf:
    """The folder of an instance's fetched files, one folder a source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, wanted: Wanted) -> Path:
        """Where the files of a source lie that have passed every check."""
        return self.folder / wanted.key

    def incoming(self, wanted: Wanted) -> Path:
        """Where its new files lie meanwhile, whole or not."""
        return self.place(wanted) / "incoming"

    def known(self, wanted: Wanted) -> dict[str, Download]:
        """What the manifest tells of a source's files, by address."""
        entry = self._manifest().get(wanted.key, {})
        return {file["url"]: Download(**file) for file in entry.get("files", ())}

    def moment(self, wanted: Wanted) -> str:
        """When the source was last fetched; "" for never."""
        return max((file.moment for file in self.known(wanted).values()), default="")

    def keep(self, wanted: Wanted, collected: Collected) -> Collected:
        """Moves files that have passed every check to their place, and writes them into the manifest."""
        place = self.place(wanted)
        if collected.folder != place:
            for file in collected.files:
                (collected.folder / file.name).replace(place / file.name)
        names = {file.name for file in collected.files}
        for old in place.iterdir():
            if old.is_file() and old.name not in names:
                old.unlink()
        manifest = self._manifest()
        manifest[wanted.key] = {
            "address": collected.address.url,
            "hits": collected.hits,
            "files": [asdict(file) for file in collected.files],
        }
        new = self.folder / f"{MANIFEST}.new"
        new.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        new.replace(self.folder / MANIFEST)
        return replace(collected, folder=place)

    def collected(self, wanted: Wanted) -> Collected:
        """A source from the folder alone.

        Raises:
            NotKept: it is not there.
            KeptChanged: a file has another checksum than when it was fetched.
        """
        entry = self._manifest().get(wanted.key)
        return self._told(wanted, entry) if entry else self._put_by_hand(wanted)

    def _told(self, wanted: Wanted, entry: Mapping[str, Any]) -> Collected:
        address = next((one for one in wanted.addresses if one.url == entry["address"]), None)
        if address is None:
            raise NotKept(folder=self.folder, key=wanted.key, name=_named(wanted.addresses[0]))
        files = tuple(Download(**{**file, "is_new": False}) for file in entry["files"])
        for file in files:
            path = self.place(wanted) / file.name
            if not path.is_file():
                raise NotKept(folder=self.folder, key=wanted.key, name=f"{wanted.key}/{file.name}")
            if checksum(path) != file.sha256:
                raise KeptChanged(name=f"{wanted.key}/{file.name}", manifest=self.folder / MANIFEST)
        return Collected(address, self.place(wanted), files, entry.get("hits"))

    def _put_by_hand(self, wanted: Wanted) -> Collected:
        """A file that carries the name under which one of the addresses has it."""
        for address in wanted.addresses:
            name = _named(address)
            for path in (self.folder / name, self.place(wanted) / name):
                if path.is_file():
                    file = Download(
                        path.name, address.url, checksum(path), path.stat().st_size, "", is_new=False
                    )
                    return Collected(address, path.parent, (file,))
        raise NotKept(folder=self.folder, key=wanted.key, name=_named(wanted.addresses[0]))

    def _manifest(self) -> dict[str, Any]:
        file = self.folder / MANIFEST
        try:
            found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except ValueError as error:
            raise BadManifest(manifest=file) from error
        if not isinstance(found, dict):
            raise BadManifest(manifest=file)
        return found


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _named(address: Address) -> str:
    """What a file of this address is called: its last part, or the layer of a WFS."""
    if address.type_name:
        ending = "gml" if address.answer == "wfs-gml" else "json"
        return f"{address.type_name.rpartition(':')[2]}.{ending}"
    return urlsplit(address.url).path.rpartition("/")[2] or "answer"
