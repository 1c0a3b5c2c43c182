"""Write: an edit is prepared, shown, and written; when others wrote meanwhile, nothing is lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from layers import editions
from layers.catalog import Instance, Resource
from layers.edits import checks, stories, things, timeline
from layers.edits.checks import Formed, NoState
from layers.edits.things import State, Thing
from layers.edits.timeline import CORRECT, END, NEW, Outcome
from layers.errors import N_, Invalid, Sentence
from layers.model import EDITS
from layers.sources import rows
from layers.sources.instance import Source
from layers.sources.rows import Row, Unusable, digests

_BY_HAND = {
    "en": "Corrected by the stewards of this map",
    "et": "Parandanud selle kaardi hooldajad",
    "ru": "Исправлено хранителями этой карты",
}


class NothingChanged(Invalid):
    text = N_("Nothing is different from what is told already.")


@dataclass(frozen=True)
class Change:
    """What somebody wants to be told. `state` is the beginning of the state that is edited, `day` that of the
    change or end. For a new thing the key is ""."""

    table: str
    key: str
    layer: str
    way: str = CORRECT
    state: str = ""
    day: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """One field in a comparison: what was seen first, what is told now, and what is wanted."""

    field: str
    before: str
    after: str
    present: str = ""


class Clash(Invalid):
    """Somebody wrote since the form was read: `lines` show both, `merged` joins what does not contradict."""

    text = N_("Somebody else has changed this since you began. Nothing is lost: look at both and decide.")

    def __init__(self, present: Thing, merged: Change, lines: tuple[Line, ...]) -> None:
        self.present, self.merged, self.lines = present, merged, lines
        super().__init__()


@dataclass(frozen=True)
class Prepared:
    """An edit that may be written: what will change field by field, what was done to it, and its rows."""

    thing: Thing
    change: Change
    lines: tuple[Line, ...]
    told: tuple[Sentence, ...]
    outcome: Outcome = field(repr=False)

    @property
    def rows(self) -> list[Row]:
        """All that was told before, and all that will be."""
        return [*(state.row for state in self.thing.states), *self.outcome.rows]


def prepare(
    session: Session, instance: Instance, change: Change, *, seen: int, today: date | None = None
) -> Prepared:
    """Checks an edit against what is told now; writes nothing. `seen`: the newest edition its writer saw.

    With `today` a case that tells of a later day is refused.

    Raises:
        Clash: what is told has changed since.
        Wrong: the form cannot be used.
        NoState: the state that it edits is gone.
        NothingChanged: it says what is told already.
    """
    present = things.thing(session, instance, change.table, change.key) if change.key else None
    if present is None:
        present = things.new(session, change.table, change.layer)
    else:
        base = things.thing(session, instance, change.table, change.key, at=seen)
        if base.digest != present.digest:
            raise _clash(instance, change, base, present)
    return _prepared(session, instance, change, present, today)


def _prepared(
    session: Session, instance: Instance, change: Change, present: Thing, today: date | None
) -> Prepared:
    state = present.state(change.state)
    way = change.way if state else NEW
    if state is None and (change.way != NEW or present.states):
        raise NoState(start=change.state)
    day = checks.clean({"day": change.day})["day"]
    told: tuple[Sentence, ...] = ()
    row = None
    if way != END:
        cells = _filled(instance, change, state)
        formed = _formed(session, instance, present, cells, state, today)
        row, told = formed.row, formed.told
    try:
        outcome = timeline.after(
            [one.row for one in present.states],
            way=way,
            state=state.row if state else None,
            told=row,
            day=day,
        )
    except Unusable as error:
        raise checks.wrong("day" if way in (END, timeline.FROM_DAY) else "valid_from", error) from error
    except Invalid as error:
        what = Sentence(error.text, **error.values)
        raise checks.Wrong([checks.Fault("day", what, Sentence("Write the date so."))]) from error
    if state and way == CORRECT and digests(outcome.rows) == digests([state.row]):
        raise NothingChanged
    if way == timeline.FROM_DAY and state and row and digests([row]) == digests([state.row]):
        raise NothingChanged
    return Prepared(present, change, _lines(instance, present, state, outcome, way), told, outcome)


def _formed(
    session: Session,
    instance: Instance,
    thing: Thing,
    cells: Mapping[str, str],
    base: State | None,
    today: date | None,
) -> Formed:
    if thing.table == things.CASE:
        return stories.formed(session, instance, thing, cells, base=base, today=today)
    return checks.formed(session, instance, thing, cells, base=base)


def _filled(instance: Instance, change: Change, state: State | None) -> dict[str, str]:
    """The cells of the form, and of the state where the form leaves a field out."""
    before = state.cells if state else {}
    cells = {name: before.get(name, "") for name in things.columns_of(instance, change.table)}
    known = {name: text for name, text in change.cells.items() if name in cells or name == "code"}
    cells |= known
    if change.way == timeline.FROM_DAY and state:
        cells |= {"valid_from": state.valid_from, "valid_to": state.valid_to}
    return cells


def _lines(
    instance: Instance, thing: Thing, state: State | None, outcome: Outcome, way: str
) -> tuple[Line, ...]:
    last = outcome.rows[-1]
    after = State("", "", EDITS, things.cells(instance, thing.table, last), last)
    before = state.shown if state else {}
    if way == timeline.FROM_DAY:
        before = {**before, "valid_from": ""}
    return compared(before, after.shown)


def compared(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Line, ...]:
    """The fields that differ."""
    names = dict.fromkeys([*before, *after])
    found = (Line(name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(line for line in found if line.before != line.after)


def _clash(instance: Instance, change: Change, base: Thing, present: Thing) -> Clash:
    """What was seen, what is told now and what is wanted; only what both changed has to be decided."""
    old = base.state(change.state)
    now = present.state(change.state) or (present.states[-1] if present.states else None)
    seen = old.cells if old else {}
    told = now.cells if now else {}
    wanted = {**seen, **checks.clean(change.cells)}
    shown_old, shown_now = (old.shown if old else {}), (now.shown if now else {})
    lines, merged = [], {}
    for name in dict.fromkeys([*seen, *told, *wanted]):
        before, present_, mine = (cells.get(name, "") for cells in (seen, told, wanted))
        is_mine = mine != before
        merged[name] = mine if is_mine else present_
        if name == things.SHAPE:
            before, present_ = shown_old.get(name, ""), shown_now.get(name, "")
            mine = Sentence("another shape") if is_mine else before
        if present_ != before or is_mine:
            lines.append(Line(name, before, mine, present_))
    state = now.valid_from if now else change.state
    return Clash(present, replace(change, cells=merged, state=state), tuple(lines))


def write(
    session: Session,
    instance: Instance,
    prepared: Prepared,
    *,
    account: str,
    note: str,
    now: datetime,
    how: Mapping[str, Any] | None = None,
) -> int:
    """Writes an edit in the session that prepared it, so that nobody comes between; the caller commits.

    Returns:
        the number of the edition.
    """
    thing = (
        prepared.thing if prepared.thing.key else replace(prepared.thing, key=prepared.outcome.rows[0].key)
    )
    about: dict[str, Any] = {"account": account, "note": checked_note(note), "now": now, "how": how}
    return said(session, instance, thing, prepared.outcome, **about)


def said(
    session: Session, instance: Instance, thing: Thing, outcome: Outcome, *, now: datetime, **about: Any
) -> int:
    """Says an outcome of a thing in a new edition of the edits, and returns its number."""
    key = thing.key
    source = _source(instance, thing, outcome, now=now)
    known = editions.known(session, source)
    own = {one: said for one, said in known.items() if one[0] == key and one[1] in outcome.begins}
    plan = editions.plan(own, source, ends=[key])
    plan = replace(plan, total=len(known) - len(own) + plan.total)
    return editions.apply(session, plan, now=now, **about)


def checked_note(note: str) -> str:
    """Why it was changed: no contact in it.

    Raises:
        Wrong: there is one, or it is too long.
    """
    said = checks.clean({"note": note})["note"]
    if len(said) > checks.MOST_LETTERS:
        what = Sentence("Write at most {most} letters.", most=checks.MOST_LETTERS)
        raise checks.Wrong([checks.Fault("note", what, Sentence("Shorten it."))])
    try:
        rows.text(said)
    except Unusable as error:
        raise checks.wrong("note", error) from error
    return said


def _source(instance: Instance, thing: Thing, outcome: Outcome, *, now: datetime) -> Source:
    about = instance.resources.get(thing.layer) or Resource(thing.layer, Path(), {}, "", {}, "", "")
    about = replace(about, source=_BY_HAND, source_url="", dataset=EDITS, as_of=now.date().isoformat())
    return Source(about, thing.table, outcome.rows, checksum="".join(digests(outcome.rows))[:64])
