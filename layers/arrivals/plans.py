"""What an arrival would change, and the change itself: its rows examined, planned, written all or nothing."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from layers import accounts, arrivals, doctor, editions, places, store
from layers.accounts import Account
from layers.arrivals import Origin
from layers.catalog import Instance, Resource
from layers.doctor import REFUSED, About, Begun, Exam, How, Reader, fields, kept
from layers.editions import Plan
from layers.errors import N_, Invalid, LayersError, NotAllowed
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.model import Edition
from layers.sources.rows import Row, digests

ROLE = "steward"
"""The role of whoever may bring something."""
_EXAMS = "exams"


class RowsRefused(Invalid):
    text = N_(
        "{count} of {total} rows cannot be used, and nothing was written. Mend them and send the file again, "
        "or say that they are to be left out."
    )


class OutOfScope(Invalid):
    text = N_("Your account is for other areas: {count} things lie outside of them, as “{key}”.")


class ChangedMeanwhile(Invalid):
    text = N_(
        "Nothing was written: since you saw the plan, somebody else has changed what it compares with. "
        "Here is the plan as it is now."
    )


class Stopped(Invalid):
    text = N_("It was stopped before anything was written.")


@dataclass(frozen=True)
class Question:
    """All that decides what an examination finds. `state` names what the store knows."""

    layer: str
    about: About
    how: How
    today: date
    state: str = ""

    @property
    def key(self) -> str:
        said = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "today": self.today.isoformat()}


def question(said: Mapping[str, Any]) -> Question:
    """What `Question.as_dict` has told."""
    about, how = About(**said["about"]), How(**said["how"])
    return Question(said["layer"], about, how, date.fromisoformat(said["today"]), said["state"])


def begin(
    session: Session, instance: Instance, home: Path, asked: Question, *, tell: Tell = progress.silent
) -> Begun:
    """What the table seems to tell; it is read where that has not been done.

    Raises:
        as `doctor.begin` does.
    """
    arrivals.read(home, asked.how.sheet, asked.how.encoding, tell=tell)
    return doctor.begin(
        session,
        instance,
        arrivals.there(home),
        layer=asked.layer,
        today=asked.today,
        dataset=asked.about.dataset,
        sheet=asked.how.sheet,
        encoding=asked.how.encoding,
        read=_reader(home),
    )


def _reader(home: Path) -> Reader:
    return lambda path, *, name="", encoding="": arrivals.table(home, name, encoding)[0]


# --- What became of its rows


def is_examined(home: Path, asked: Question) -> bool:
    return _exam(home, asked).is_file()


def examine(
    session: Session, instance: Instance, home: Path, asked: Question, *, tell: Tell = progress.silent
) -> Exam:
    """What became of every row; it is examined where that has not been done.

    Raises:
        as `doctor.begin` and `doctor.examine` do.
    """
    place = _exam(home, asked)
    if place.is_file():
        columns = arrivals.table(home, asked.how.sheet, asked.how.encoding)[0].columns
        return kept.load(place, fields.with_facts(doctor.target(instance, asked.layer), columns))
    begun = begin(session, instance, home, asked, tell=tell)
    found = doctor.examine(session, instance, begun, asked.how, asked.about, today=asked.today, tell=tell)
    place.parent.mkdir(exist_ok=True)
    kept.save(found, place)
    return found


def _exam(home: Path, asked: Question) -> Path:
    return home / _EXAMS / f"{asked.key}.jsonl"


# --- Written


@dataclass(frozen=True)
class Wish:
    """What a steward wants: to write the plan whose `mark` was shown, perhaps without refused rows.

    `errand` names the job that does it, so that one can tell whether it was done.
    """

    account: int
    shown: str
    leave_out: bool = False
    note: str = ""
    errand: str = ""


def write(
    engine: Engine,
    instance: Instance,
    home: Path,
    asked: Question,
    wish: Wish,
    *,
    origin: Origin,
    now: datetime,
    tell: Tell = progress.silent,
    seal: Callable[[], bool] = lambda: True,
) -> int:
    """Writes the plan that was shown, all or nothing; the number of its edition.

    Once `seal` has agreed, nobody stops it any more.

    Raises:
        RowsRefused: there are such rows, and they are not to be left out.
        NotAllowed: the account may not write into the layer.
        OutOfScope: nor into all of the areas.
        ChangedMeanwhile: the plan is no longer the one that was shown.
        Stopped: `seal` did not agree.
    """
    with store.reading(engine, srid=instance.metric_crs) as session:
        exam = examine(session, instance, home, asked, tell=tell)
        refused = exam.counts[REFUSED]
        if refused and not wish.leave_out:
            raise RowsRefused(count=refused, total=exam.total)
        asking = accounts.one(session, wish.account)
        if not accounts.may(asking, ROLE, layer=asked.layer):
            raise NotAllowed

    def check(session: Session, plan: Plan) -> None:
        _check_areas(session, asking, plan, today=asked.today)
        if not seal():
            raise Stopped

    more = {name: value for name, value in asdict(origin).items() if value}
    return apply(
        engine,
        instance,
        exam,
        doctor.resource(asked.about, asked.layer, instance),
        asked.how,
        file=arrivals.there(home),
        now=now,
        account=asking.label,
        note=wish.note,
        # A form without its plan never saw one.
        shown=wish.shown or "none",
        more=more | ({"errand": wish.errand} if wish.errand else {}),
        check=check,
        tell=tell,
    )


def apply(
    engine: Engine,
    instance: Instance,
    exam: Exam,
    about: Resource,
    how: How,
    *,
    file: Path,
    now: datetime,
    account: str = "",
    note: str = "",
    shown: str = "",
    more: Mapping[str, str] | None = None,
    check: Callable[[Session, Plan], object] = lambda session, plan: None,
    tell: Tell = progress.silent,
) -> int:
    """Plans an examination again and writes it, all or nothing; the number of its edition.

    `more` is remembered with `how` it was read.

    Raises:
        ChangedMeanwhile: the plan is no longer the one whose `mark` was `shown`.
        LayersError: what `check` raises; nothing is written then.
    """
    with store.writing(engine, srid=instance.metric_crs) as session:
        tell(progress.PLAN, 0, len(exam.rows))
        plan = doctor.plan(session, exam, about, file=file)
        check(session, plan)
        if shown and shown != mark(session, plan):
            raise ChangedMeanwhile
        said = {**asdict(how), **(more or {})}
        number = editions.apply(session, plan, now=now, account=account, note=note, how=said, tell=tell)
        session.commit()
    return number


def mark(session: Session, plan: Plan) -> str:
    """Names all that a plan would do: another one as soon as anything of it is otherwise."""
    about = plan.source.resource
    told = hashlib.sha256(
        repr(
            (about, plan.unchanged, sorted(plan.retired), sorted(plan.ended), editions.rivals(session, plan))
        ).encode()
    )
    for rows in (plan.added, plan.changed):
        told.update("".join(digests(rows)).encode() + b"/")
    return told.hexdigest()


def written_by(session: Session, asked: Question, errand: str) -> int:
    """The number of the edition that a job has written; 0 where it has not."""
    query = select(Edition.id, Edition.how).where(
        Edition.table_name == asked.layer, Edition.dataset == asked.about.dataset
    )
    rows = session.execute(query.order_by(Edition.id.desc()).limit(100))
    return next((int(row.id) for row in rows if (row.how or {}).get("errand") == errand), 0)


def origins(session: Session) -> dict[tuple[str, str], Origin]:
    """Where each dataset was fetched from the last time, by layer and dataset; those that were are told."""
    rows = session.execute(select(Edition.table_name, Edition.dataset, Edition.how).order_by(Edition.id))
    found = {}
    for row in rows:
        how = row.how or {}
        found[row.table_name, row.dataset] = Origin(how.get("address", ""), how.get("part", ""))
    return {whose: origin for whose, origin in found.items() if origin.address}


def _check_areas(session: Session, asking: Account, plan: Plan, *, today: date) -> None:
    """An account of some areas changes what lies in them alone; what lies nowhere is not for it."""
    if not asking.areas or asking.role == "admin":
        return
    is_area = plan.source.table == "area"
    outside = [
        row.key
        for row in (*plan.added, *plan.changed)
        if not _is_within(asking, _around(row.values, row, is_area))
    ]
    for key in dict.fromkeys(plan.ended):
        if not _is_within(asking, _around_known(session, key, is_area, today)):
            outside.append(key)
    if outside:
        raise OutOfScope(count=len(outside), key=outside[0])


def _is_within(asking: Account, around: set[str]) -> bool:
    return bool(around) and accounts.may(asking, ROLE, within=around)


def _around(values: Mapping[str, Any], row: Row, is_area: bool) -> set[str]:
    if is_area:
        return {row.key, str(values.get("parent") or "")} - {""}
    return {f"{kind}:{values[kind]}" for kind in ("county", "municipality") if values.get(kind)}


def _around_known(session: Session, key: str, is_area: bool, today: date) -> set[str]:
    try:
        if is_area:
            kind, _, code = key.partition(":")
            return {key, places.area(session, kind, code, as_of=today).parent} - {""}
        body = places.body(session, key, as_of=today)
    except LayersError:
        return set()
    found = (("county", body.county), ("municipality", body.municipality))
    return {f"{kind}:{code}" for kind, code in found if code}
