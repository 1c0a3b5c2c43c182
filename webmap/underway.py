"""Long steps of an import, done in the background: started, looked at, cancelled, and what became of them.

They are jobs (`layers.jobs`) that work in the folder of the file that waits, so they survive the page, the
request and this server, and every process of it sees the same. A file has one at a time.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flask import current_app

from layers import accounts, jobs
from layers.arrivals import Origin, plans
from layers.arrivals.plans import Question, Wish
from layers.arrivals.work import ANSWER, EXAMINE, FETCH, READ, SEVERAL, STORE, WRITE
from layers.errors import N_, LayersError, Unavailable
from layers.jobs import Job, NoJob, states
from layers.readers import Manners
from layers.readers.plain import MB
from webmap import db, inbox
from webmap.inbox import Waiting

_AT_ONCE, _MOST_WAITING = 2, 20
_LONGEST_S = {FETCH: 1500.0, READ: 600.0, EXAMINE: 3600.0, WRITE: 3600.0}
_POINTER, _TURN = "errand.json", "errand.lock"
_LOOK_S, _TURN_S = 0.05, 5.0
_KEPT_S = 24 * 3600.0  # As long as the file that was brought.


class TooManyErrands(Unavailable):
    text = N_("{count} imports are waiting for their turn already. Try again when one of them is done.")


class BrokenOff(Unavailable):
    text = N_(
        "The work broke off; perhaps the server was started anew. Nothing was written, and what you have "
        "brought is still here: begin again."
    )


class TookTooLong(Unavailable):
    text = N_("The work took longer than it may and was ended. Nothing was written. Split the file.")


class StillWriting(Unavailable):
    text = N_("This file is being written just now. Wait until that is done.")


@dataclass(frozen=True)
class Errand:
    """A step that was begun: what it is (FETCH, READ, EXAMINE, WRITE), of what, and where it stands.

    `key` names what it was begun with: another one does not answer the same question. `reason` is why it
    came to nothing. `layers` are those at an address of which one has to be chosen, with their titles.
    """

    do: str
    key: str
    job: Job
    reason: LayersError | None
    layers: tuple[tuple[str, str], ...] = ()

    @property
    def is_over(self) -> bool:
        return self.job.is_over

    @property
    def is_done(self) -> bool:
        return self.job.state == states.DONE

    @property
    def is_stopped(self) -> bool:
        return self.job.state == states.CANCELLED

    @property
    def stage(self) -> tuple[str, int, int]:
        """As `layers.jobs.progress` tells it; "" before the work has begun."""
        told = self.job.progress
        return str(told.get("stage", "")), int(told.get("done", 0)), int(told.get("total", 0))


@dataclass(frozen=True)
class Other:
    """An import of anybody that is under way: into which layer and dataset, by which label, and how far."""

    do: str
    layer: str
    dataset: str
    label: str
    stage: tuple[str, int, int]


# --- Begun


def fetch(waiting: Waiting) -> Errand:
    """Begins to fetch and to read a file by its address."""
    about = current_app.config
    manners = asdict(Manners(most_bytes=about["MAX_CONTENT_LENGTH"], allowed=about["FETCH_HOSTS"]))
    return _begin(waiting, FETCH, waiting.part, {"manners": manners, "sheet": "", "encoding": ""})


def read(waiting: Waiting, sheet: str, encoding: str) -> Errand:
    return _begin(waiting, READ, f"{sheet}/{encoding}", {"sheet": sheet, "encoding": encoding})


def examine(waiting: Waiting, asked: Question) -> Errand:
    return _begin(waiting, EXAMINE, asked.key, {"question": asked.as_dict()})


def write(waiting: Waiting, asked: Question, wish: Wish) -> Errand:
    said = {name: value for name, value in asdict(wish).items() if name != "errand"}
    return _begin(waiting, WRITE, asked.key, {"question": asked.as_dict(), "wish": said})


def _begin(waiting: Waiting, do: str, key: str, more: Mapping[str, Any]) -> Errand:
    """Begins a step, or gives the same one that is under way; another one of the file is ended.

    Raises:
        StillWriting: the file is being written.
        TooManyErrands: so many wait already.
    """
    place = home(waiting)
    with _turn(place):
        before = current(waiting)
        if before and not before.is_over:
            if (before.do, before.key) == (do, key):
                return before
            if before.do == WRITE:
                raise StillWriting
            jobs.cancel(_folder(), before.job.id)
        count = jobs.waiting(_folder())
        if count >= _MOST_WAITING:
            raise TooManyErrands(count=count)
        about = {"layer": waiting.layer, "dataset": waiting.about.dataset, "account": waiting.account}
        origin = asdict(Origin(waiting.address, waiting.part))
        order = jobs.Order(
            module="layers.arrivals.work",
            answer=ANSWER,
            request={
                **{"do": do, "home": str(place.resolve()), "origin": origin},
                **{"instance": str(Path(current_app.config["INSTANCE"]).resolve()), **about, **more},
            },
            kill_after_s=_LONGEST_S[do],
            # One writer at a time: the store knows no more, and the next one would only wait for it.
            at_once=1 if do == WRITE else _AT_ONCE,
            lane="write-" if do == WRITE else "",
            environment={STORE: current_app.config["STORE"]},
        )
        id = jobs.submit(_folder(), order, keep_s=_KEPT_S)
        states.write(place / _POINTER, {"id": id, "do": do, "key": key})
    found = current(waiting)
    if found is None:
        raise BrokenOff
    return found


@contextmanager
def _turn(home: Path) -> Iterator[None]:
    """One request after the other begins something with a file, whichever process it came to.

    Raises:
        StillWriting: another one has not come to an end.
    """
    mine = states.awaited(home / _TURN, patience_s=_TURN_S)
    if mine is None:
        raise StillWriting
    with mine:
        yield


# --- Looked at


def current(waiting: Waiting) -> Errand | None:
    """The step of a file that was begun last; None where none was, or where it has been cleared away."""
    said = states.read(home(waiting) / _POINTER)
    if said is None:
        return None
    try:
        job = jobs.status(_folder(), said["id"])
    except NoJob:
        return None
    several = states.read(_folder() / job.id / SEVERAL) or {}
    layers = tuple((str(name), str(title)) for name, title in several.get("layers", ()))
    return Errand(said["do"], said["key"], job, _reason(job), layers)


def _reason(job: Job) -> LayersError | None:
    if job.state == states.FAILED:
        return job.reason or BrokenOff()
    return TookTooLong() if job.state == states.TIMED_OUT else None


def waited(waiting: Waiting, errand: Errand, *, seconds: float) -> Errand:
    """The same step once it is over, or as it stands after so many seconds."""
    until = time.monotonic() + seconds
    while not errand.is_over and time.monotonic() < until:
        time.sleep(_LOOK_S)
        errand = current(waiting) or errand
    return errand


def edition(errand: Errand, asked: Question) -> int:
    """The number of the edition that a step has written, 0 where it has not.

    A worker that was killed after the store had taken all of it could not say so any more; the store can.
    """
    answer = states.read(_folder() / errand.job.id / ANSWER) or {}
    return int(answer.get("number", 0)) or plans.written_by(db.session(), asked, errand.job.id)


def cancel(waiting: Waiting) -> None:
    """Stops what is under way; what is being written already is not stopped."""
    found = current(waiting)
    if found and not found.is_over:
        jobs.cancel(_folder(), found.job.id)


def forget(waiting: Waiting) -> None:
    """Takes back how the last step went, so that it can be begun anew."""
    (home(waiting) / _POINTER).unlink(missing_ok=True)


def others(but: int = 0) -> Iterator[Other]:
    """The imports that are under way, but those of an account."""
    for job, asked in _kept():
        if not job.is_over and asked.get("account", but) != but:
            label = accounts.label(db.session(), asked["account"])
            stage = Errand(asked["do"], "", job, None).stage
            yield Other(asked["do"], asked["layer"], asked["dataset"], label, stage)


def every() -> Iterator[tuple[str, str]]:
    """Every step that is kept, of anybody, also one that is over: which it is (FETCH …), and its state."""
    for job, asked in _kept():
        yield asked["do"], job.state


def _kept() -> Iterator[tuple[Job, Mapping[str, Any]]]:
    """The steps of all files, each with what it was begun with."""
    for id in jobs.ids(_folder()):
        with suppress(NoJob):  # It has been cleared away meanwhile.
            job, asked = jobs.status(_folder(), id), states.read(_folder() / id / states.REQUEST)
            if asked is not None and asked.get("do") in _LONGEST_S:
                yield job, asked


def is_small(size: int, name: str) -> bool:
    """Whether a file is read in less than a second or two: those that are packed may be large inside."""
    is_packed = name.lower().rpartition(".")[2] in ("zip", "kmz", "xlsx", "ods", "gpkg", "parquet")
    return size <= (MB // 5 if is_packed else MB)


def home(waiting: Waiting) -> Path:
    """The folder in which a file waits, with what was found out about it."""
    return inbox.home(inbox.here(), waiting)


def _folder() -> Path:
    return Path(current_app.config["STATE"]) / "errands"
