"""Files that a steward has sent in and not yet imported: each in a folder of its own, for a day.

A folder's name is a random token; it opens to the account that made it alone. What a person calls a file is
never a path: it becomes a name of plain letters inside the folder.
"""

import json
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from werkzeug.datastructures import FileStorage
from werkzeug.utils import secure_filename

from layers import arrivals, dates
from layers.doctor import About, How
from layers.errors import N_, Invalid, NotFound

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_KEPT = timedelta(days=1)
_NAME_LENGTH = 80
_MOST = 20


class NoFile(Invalid):
    text = N_("Choose a file that has something in it.")


class Gone(NotFound):
    text = N_("This file is not here: files are kept for a day after they were sent. Send it again.")


class TooMany(Invalid):
    text = N_("You have {count} files waiting. Import some or throw them away first.")


@dataclass(frozen=True)
class Waiting:
    """A file that waits. `how` its columns are read is None until somebody has said so.

    One that is fetched has an `address`, perhaps a layer there (`part`), and no `name` before it has come.
    `edition` is the number of the one that was made of it, 0 before.
    """

    token: str
    account: int
    name: str
    at: str
    layer: str
    about: About
    how: How | None = None
    address: str = ""
    part: str = ""
    edition: int = 0


def here() -> Path:
    """The folder of all that waits, of the application that answers."""
    return Path(current_app.config["STATE"]) / "inbox"


def keep(
    folder: Path, sent: FileStorage | None, *, account: int, layer: str, about: About, now: datetime
) -> Waiting:
    """Keeps a file that was sent; what is older than a day goes.

    Raises:
        NoFile: nothing was sent.
        TooMany: the account has too many already.
    """
    _make_room(folder, account, now=now)
    if sent is None or not sent.filename:
        raise NoFile
    token = secrets.token_urlsafe(24)
    name = _plain(sent.filename)
    waiting = Waiting(token, account, name, dates.moment(now), layer, about)
    try:
        (folder / token / "file").mkdir(parents=True, mode=0o700)
        sent.save(folder / token / "file" / name)
        if not (folder / token / "file" / name).stat().st_size:
            raise NoFile
        _write(folder, waiting)
    except (NoFile, OSError):
        drop(folder, token)  # Where the disk is full, half a file would keep it so.
        raise
    return waiting


def expect(
    folder: Path, *, address: str, part: str, account: int, layer: str, about: About, now: datetime
) -> Waiting:
    """Makes room for a file that is to be fetched.

    Raises:
        TooMany: the account has too many already.
    """
    _make_room(folder, account, now=now)
    token = secrets.token_urlsafe(24)
    waiting = Waiting(token, account, "", dates.moment(now), layer, about, address=address, part=part)
    (folder / token).mkdir(parents=True, mode=0o700)
    _write(folder, waiting)
    return waiting


def _make_room(folder: Path, account: int, *, now: datetime) -> None:
    forget_old(folder, now=now)
    if (count := len(of(folder, account))) >= _MOST:
        raise TooMany(count=count)


def _plain(name: str) -> str:
    """A name of plain letters that no folder and no device is called by; its ending is kept."""
    plain = secure_filename(name.replace("\\", "/").rpartition("/")[2])
    stem, dot, ending = plain.rpartition(".")
    return f"{(stem or 'file')[:_NAME_LENGTH]}{dot}{ending[:10]}" if dot else plain[:_NAME_LENGTH] or "file"


def home(folder: Path, waiting: Waiting) -> Path:
    """The folder in which all lies that is known of a file."""
    return folder / waiting.token


def find(folder: Path, token: str, *, account: int) -> Waiting:
    """One file of an account.

    Raises:
        Gone: there is none, or it is another account's.
    """
    if not _TOKEN.fullmatch(token):
        raise Gone
    found = _read(folder / token)
    if found is None or found.account != account:
        raise Gone
    return found


def of(folder: Path, account: int) -> list[Waiting]:
    """The files of an account, the newest first."""
    every = (_read(one) for one in folder.iterdir()) if folder.is_dir() else ()
    own = (one for one in every if one and one.account == account and not one.edition)
    return sorted(own, key=lambda one: (one.at, one.token), reverse=True)


def read_as(folder: Path, waiting: Waiting, how: How) -> Waiting:
    """Remembers how a file's columns are to be read."""
    _write(folder, made := replace(waiting, how=how))
    return made


def fetch_from(folder: Path, waiting: Waiting, part: str) -> Waiting:
    """Remembers which of several layers at its address is meant."""
    _write(folder, made := replace(waiting, part=part))
    return made


def written(folder: Path, waiting: Waiting, edition: int) -> None:
    """Remembers what has become of a file, and keeps nothing else of it."""
    _write(folder, replace(waiting, edition=edition))
    for one in [*(folder / waiting.token).iterdir()]:
        if one.is_dir():
            shutil.rmtree(one, ignore_errors=True)


def drop(folder: Path, token: str) -> None:
    shutil.rmtree(folder / token, ignore_errors=True)


def forget_old(folder: Path, *, now: datetime) -> None:
    """Removes what was sent more than a day ago, and what is no whole folder of ours."""
    oldest = dates.moment(now - _KEPT)
    for one in folder.iterdir() if folder.is_dir() else ():
        found = _read(one)
        is_young = one.stat().st_mtime > (now - _KEPT).timestamp() if one.exists() else True
        if found.at < oldest if found else not is_young:
            shutil.rmtree(one, ignore_errors=True)


def _write(folder: Path, waiting: Waiting) -> None:
    """Whole or not at all: another request may be reading it."""
    place = folder / waiting.token
    draft = place / f"about.{secrets.token_hex(4)}"
    draft.write_text(json.dumps(asdict(waiting), ensure_ascii=False), encoding="utf-8")
    draft.replace(place / "about.json")


def _read(place: Path) -> Waiting | None:
    try:
        said: Mapping[str, Any] = json.loads((place / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    how = How(**said["how"]) if said["how"] else None
    found = Waiting(**{**said, "about": About(**said["about"]), "how": how})
    came = arrivals.file(place) if not found.name else None
    return replace(found, name=came.name) if came else found
