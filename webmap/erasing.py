"""An account is forgotten: in the store and between its rows, among files that wait, and after a restore.

A backup that is older still tells of it. So the number of the account and a keyed digest of its name are kept
beside the store (`erased.csv`), and a restore takes it out again. What the digest was made of cannot be read.
"""

import csv
import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from layers import accounts, dates, store
from layers.accounts import erasing, tries
from layers.accounts.erasing import Erased
from webmap import inbox, seals
from webmap.settings import Settings

_NAME = "erased.csv"


@dataclass(frozen=True)
class House:
    """The store and what lies beside it."""

    engine: Engine
    srid: int
    state: Path
    key_file: Path

    @classmethod
    def of(cls, settings: Settings, engine: Engine, *, srid: int) -> "House":
        return cls(engine, srid, settings.state, settings.key_file())


@dataclass(frozen=True)
class Gone:
    """What was erased, and where the name or a label still stands in what people wrote into facts."""

    erased: Erased
    traces: tuple[str, ...]


def erase(house: House, id: int, *, now: datetime, by: int = 0, also: Collection[str] = ()) -> Gone:
    """Erases an account everywhere; the store is to be scrubbed after it.

    Raises:
        NoAccount, LastAdmin: as `layers.accounts.erasing` says.
    """
    with store.writing(house.engine, srid=house.srid, turn=store.DOOR) as session:
        about = accounts.one(session, id)
        erased = erasing.erase(session, id, now=now, by=by, also=also)
        tries.forget(session, f"name:{_digest(house, 'name', about.name)}")
        words = {about.name, about.label, *also} - {*erased.kept}
        traces = tuple(erasing.traces(session, words))
        session.commit()
    _write_down(house, id, about.name, now)
    for one in inbox.of(house.state / "inbox", id):
        inbox.drop(house.state / "inbox", one.token)
    return Gone(erased, traces)


def again(house: House, *, now: datetime) -> int:
    """Erases once more what an older backup has brought back. Returns how many accounts that were."""
    gone = _written_down(house)
    with store.reading(house.engine, srid=house.srid) as session:
        found = [one for one in accounts.every(session) if (one.id, _of(house, one.name)) in gone]
    for one in found:
        erase(house, one.id, now=now)
    if found:
        store.scrub(house.engine)
    return len(found)


def _write_down(house: House, id: int, name: str, now: datetime) -> None:
    file = house.state / _NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="ascii"
    ) as out:
        csv.writer(out).writerow((id, _of(house, name), dates.moment(now)))
        out.flush()
        os.fsync(out.fileno())


def _written_down(house: House) -> set[tuple[int, str]]:
    file = house.state / _NAME
    if not file.is_file():
        return set()
    with file.open(encoding="ascii", newline="") as rows:
        return {(int(row[0]), row[1]) for row in csv.reader(rows) if len(row) > 1 and row[0].isdigit()}


def _of(house: House, name: str) -> str:
    return _digest(house, "erased", name)


def _digest(house: House, purpose: str, text: str) -> str:
    return seals.derived(seals.key(house.key_file), purpose, text)
