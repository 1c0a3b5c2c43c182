"""A table that a steward brings, from an upload or an address: fetched, read, examined, written.

Each step leaves what it found in the folder of the arrival, whole or not at all, so that any process goes on
where another one stopped: `work` does long steps as a job, a page does short ones itself. This room fetches
and reads, and knows no store; `plans` examines and writes. Who says what, and in which language, is the
business of whoever asks.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from layers.jobs import progress, states
from layers.jobs.progress import Tell
from layers.readers import Manners, Offer, Table, apart

_FILE, _TABLES = "file", "tables"
_FIRST = "\n"  # No table is called so.


@dataclass(frozen=True)
class Origin:
    """Where a dataset was fetched from: an address, and a layer or collection there."""

    address: str = ""
    part: str = ""


def file(home: Path) -> Path | None:
    """The file of an arrival; None before it has come."""
    folder = home / _FILE
    return next((one for one in sorted(folder.iterdir())), None) if folder.is_dir() else None


def fetch(home: Path, origin: Origin, *, manners: Manners, tell: Tell = progress.silent) -> None:
    """Fetches the file of an arrival.

    Raises:
        Several: there are several layers, and none was chosen.
        Unreadable: it cannot be had.
    """
    apart.fetched(origin.address, folder=home / _FILE, name=origin.part, manners=manners, tell=tell)


def read(home: Path, sheet: str = "", encoding: str = "", *, tell: Tell = progress.silent) -> None:
    """Reads a table of the file, unless that has been done.

    Raises:
        Unreadable: it cannot be used.
    """
    if is_read(home, sheet, encoding):
        return
    place = _table(home, sheet or _FIRST, encoding)
    place.parent.mkdir(exist_ok=True)
    apart.look(there(home), into=place, name=sheet, encoding=encoding, tell=tell)
    if not sheet:
        # The first table is kept under its own name, by which it is asked for afterwards.
        name = apart.looked(place)[0].name
        shutil.rmtree(_table(home, name, encoding), ignore_errors=True)
        place.rename(_table(home, name, encoding))
        states.write(_first(home, encoding), {"name": name})


def is_read(home: Path, sheet: str = "", encoding: str = "") -> bool:
    name = sheet or first(home, encoding)
    return bool(name) and _table(home, name, encoding).is_dir()


def first(home: Path, encoding: str = "") -> str:
    """The name of the table that is read where none is asked for; "" while it has not been read."""
    return str((states.read(_first(home, encoding)) or {}).get("name", ""))


def table(home: Path, sheet: str = "", encoding: str = "") -> tuple[Table, list[Offer]]:
    """A table that has been read, and all that one could choose from the same file.

    Raises:
        OSError: it has not been read.
    """
    return apart.looked(_table(home, sheet or first(home, encoding), encoding))


def there(home: Path) -> Path:
    """Raises FileNotFoundError: nothing has come yet."""
    found = file(home)
    if found is None:
        raise FileNotFoundError(home)
    return found


def _first(home: Path, encoding: str) -> Path:
    return _table(home, _FIRST, encoding).with_suffix(".json")


def _table(home: Path, sheet: str, encoding: str) -> Path:
    said = json.dumps([sheet, encoding]).encode()
    return home / _TABLES / hashlib.sha256(said).hexdigest()[:16]
