"""Imports as people make them, by command and by page: examined, planned, written, undone."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from flask import Flask, current_app
from flask_babel import gettext
from sqlalchemy.orm import Session

from layers import doctor, editions, links, places, store
from layers.arrivals import Origin, plans
from layers.doctor import About, Begun, Exam, How, written
from layers.editions import Plan
from layers.errors import N_, Invalid, Sentence
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers import Manners, apart
from layers.readers.plain import MB
from webmap import db, i18n

_SHOWN = 40


class RowsRefused(Invalid):
    text = N_(
        "{count} of {total} rows cannot be used, and nothing was written. Mend them, or leave them out "
        "with --without-refused."
    )


class BadPair(Invalid):
    text = N_("“{text}” is not written as field=value.")


class NoField(Invalid):
    text = N_("There is no field “{field}”. Use one of: {fields}.")


class NoColumn(Invalid):
    text = N_("There is no column “{column}”. The file has: {columns}.")


class NoSuchFile(Invalid):
    text = N_("There is no file “{file}”. Name a file, or an address that begins with https://.")


_STAGES = {
    "": N_("Waiting for its turn."),
    progress.BEGIN: N_("Getting ready."),
    progress.FETCH: N_("Fetching: {done} of {total} MB."),
    progress.PAGES: N_("Fetching: {done} of {total} features."),
    progress.READ: N_("Reading: {done} of {total} rows."),
    progress.EXAMINE: N_("Examining: {done} of {total} rows."),
    progress.PLAN: N_("Comparing with what is known."),
    progress.WRITE: N_("Writing: {done} of {total} rows."),
    progress.SETTLE: N_("Settling which dataset speaks: {done} of {total} rows."),
}
_SO_FAR = {
    progress.FETCH: N_("Fetching: {done} MB so far."),
    progress.PAGES: N_("Fetching: {done} features so far."),
    progress.READ: N_("Reading: {done} rows so far."),
}


def stage(name: str, done: int, total: int) -> str:
    """How far a work is, in words (`layers.jobs.progress`)."""
    if name == progress.FETCH:
        counts = {key: i18n.number(round(size / MB, 1)) for key, size in (("done", done), ("total", total))}
    else:
        counts = {"done": i18n.number(done), "total": i18n.number(total)}
    text = _STAGES.get(name, _STAGES[""]) if total or name not in _SO_FAR else _SO_FAR[name]
    return str(gettext(text)).format(**counts)


class Line:
    """One line of a terminal, written again and again; nothing where there is no terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._width, self._is_shown = out, 0, out.isatty()

    def __call__(self, name: str, done: int, total: int) -> None:
        if self._is_shown:
            said = stage(name, done, total)
            self._out.write("\r" + said.ljust(self._width))
            self._out.flush()
            self._width = len(said)

    def clear(self) -> None:
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0


@contextmanager
def _brought(file: str, part: str, tell: Tell) -> Iterator[tuple[Path, Origin]]:
    """The file that a command names, fetched where that is an address.

    Raises:
        NoSuchFile: there is none.
        Several: there are several layers at the address, and none was chosen.
        Unreadable: it cannot be had.
    """
    if not file.startswith(("https://", "http://")):
        if not Path(file).is_file():
            raise NoSuchFile(file=file)
        yield Path(file), Origin()
        return
    manners = Manners(allowed=current_app.config["FETCH_HOSTS"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "file"
        yield apart.fetched(file, folder=place, name=part, manners=manners, tell=tell), Origin(file, part)


def from_command(
    app: Flask,
    file: str,
    *,
    tell: Callable[[str], object],
    far: TextIO,
    part: str,
    layer: str,
    columns: Sequence[str],
    same: Sequence[str],
    crs: str,
    fixes: Path | None,
    repaired: Path | None,
    language: str,
    note: str,
    write: bool,
    without_refused: bool,
    sheet: str,
    encoding: str,
    **about: str,
) -> None:
    """One import by command: tells what was read, what is wrong and what would change; writes when asked.

    `file` may be an address, `part` the layer of a service there. How far it is, is told on `far` where that
    is a terminal.

    Raises:
        LayersError: the file, the options or the rows cannot be used; nothing is written.
    """
    with app.test_request_context("/", query_string={"lang": language}):
        i18n.take_language()
        line = Line(far)
        try:
            with _brought(file, part, progress.Paced(line)) as (path, origin):
                _from_command(
                    path,
                    origin,
                    said=_above(tell, line),
                    line=line,
                    layer=layer,
                    columns=columns,
                    same=same,
                    crs=crs,
                    fixes=fixes,
                    repaired=repaired,
                    note=note,
                    write=write,
                    without_refused=without_refused,
                    sheet=sheet,
                    encoding=encoding,
                    known=About(**about),
                )
        finally:
            line.clear()


def _above(tell: Callable[[str], object], line: Line) -> Callable[[str], object]:
    """What is told takes the place of the line that says how far it is."""

    def told(text: str) -> None:
        line.clear()
        tell(text)

    return told


def _from_command(
    file: Path,
    origin: Origin,
    *,
    said: Callable[[str], object],
    line: Line,
    layer: str,
    columns: Sequence[str],
    same: Sequence[str],
    crs: str,
    fixes: Path | None,
    repaired: Path | None,
    note: str,
    write: bool,
    without_refused: bool,
    sheet: str,
    encoding: str,
    known: About,
) -> None:
    house, now, far = db.house(), datetime.now(tz=UTC), progress.Paced(line)
    known = fetched(known, origin, now=now)
    with store.reading(house.engine, srid=house.instance.metric_crs) as session:
        begun = doctor.begin(
            session,
            house.instance,
            file,
            layer=layer,
            today=now.date(),
            dataset=known.dataset,
            sheet=sheet,
            encoding=encoding,
        )
        how = _how(session, begun, known, columns=columns, same=same, crs=crs, encoding=encoding)
        _tell_columns(begun, how, said)
        exam = doctor.examine(session, house.instance, begun, how, known, today=now.date(), tell=far)
        _tell_findings(exam, said)
        if fixes:
            fixes.write_text(written.fixes(exam, tell=i18n.told), encoding="utf-8", newline="")
        if repaired:
            repaired.write_text(written.repaired(exam, house.instance)[1], encoding="utf-8")
        about_it = doctor.resource(known, layer, house.instance)
        far(progress.PLAN, 0, exam.total)
        plan = doctor.plan(session, exam, about_it, file=file)
        _tell_plan(session, plan, said)
        for left in links.lost(session, plan, day=now.date()):
            said(f"  {i18n.told(left.what)} {i18n.told(left.remedy)}")
        for double in doctor.doubles(session, plan):
            said(f"  {i18n.told(double.what)} {i18n.told(double.remedy)}")
    refused = exam.counts[doctor.REFUSED]
    if refused and not without_refused:
        raise RowsRefused(count=refused, total=exam.total)
    if not write:
        said(i18n.told(Sentence(N_("Nothing was written: add --write to write it."))))
        return
    more = {name: value for name, value in asdict(origin).items() if value}
    number = plans.apply(
        *(house.engine, house.instance, exam, about_it, how),
        file=file,
        now=now,
        note=note,
        more=more,
        tell=far,
    )
    said(i18n.told(Sentence(N_("Written as edition {number}."), number=number)))


def fetched(about: About, origin: Origin, *, now: datetime) -> About:
    """What is known of something that was fetched, where nobody has said otherwise: it is of the day on which
    it was fetched, and its source is where it came from.
    """
    if not origin.address:
        return about
    return replace(
        about, as_of=about.as_of or now.date().isoformat(), source_url=about.source_url or origin.address
    )


def _how(
    session: Session,
    begun: Begun,
    about: About,
    *,
    columns: Sequence[str],
    same: Sequence[str],
    crs: str,
    encoding: str,
) -> How:
    """What was guessed, what was said the last time, and what is said now, which goes first."""
    before = doctor.remembered(session, begun.target.layer, about.dataset)
    chosen = {**begun.how.columns, **_pairs(columns, begun)}
    for field, column in chosen.items():
        if column and column not in begun.table.columns:
            raise NoColumn(column=column, columns=", ".join(begun.table.columns), field=field)
    return How(
        columns={field: column for field, column in chosen.items() if column},
        same={**before.same, **_pairs(same, begun)},
        crs=crs or before.crs,
        sheet=begun.table.name,
        encoding=encoding,
    )


def _pairs(texts: Sequence[str], begun: Begun) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        field, is_pair, value = text.partition("=")
        if not is_pair:
            raise BadPair(text=text)
        if field not in begun.target.fields:
            raise NoField(field=field, fields=", ".join(begun.target.fields))
        found[field] = value
    return found


def _tell_columns(begun: Begun, how: How, tell: Callable[[str], object]) -> None:
    for note in begun.table.notes:
        if not note.row:
            tell(f"  {i18n.told(note.said)}")
    for field, column in how.columns.items():
        guess = begun.guesses.get(field)
        why = i18n.told(guess.why) if guess and guess.column == column else ""
        tell(f"  {field} ← {column}  {why}".rstrip())
    unused = [column for column in begun.table.columns if column not in how.columns.values()]
    if unused:
        tell(i18n.told(Sentence(N_("Not used: {columns}."), columns=", ".join(unused))))


def _tell_findings(exam: Exam, tell: Callable[[str], object]) -> None:
    shown = [one for one in exam.findings if not one.row or one.state != doctor.USED]
    for one in sorted(shown, key=lambda one: one.state != doctor.REFUSED)[:_SHOWN]:
        told = [*one.told, *([one.remedy] if one.remedy else [])]
        where = f"{one.row} {one.state}: " if one.row else ""
        tell(f"  {where}{' '.join(i18n.told(each) for each in told)}")
    if len(shown) > _SHOWN:
        tell(i18n.told(Sentence(N_("… and {count} more: --fixes writes all."), count=len(shown) - _SHOWN)))
    sentence = N_("{total} rows: {used} used as they stand, {repaired} repaired, {refused} refused.")
    tell(i18n.told(Sentence(sentence, total=exam.total, **exam.counts)))


def _tell_plan(session: Session, plan: Plan, tell: Callable[[str], object]) -> None:
    sentence = N_("The plan: {added} added, {changed} changed, {ended} ended, {unchanged} unchanged.")
    counts = {"added": len(plan.added), "changed": len(plan.changed), "ended": len(plan.ended)}
    tell(i18n.told(Sentence(sentence, unchanged=plan.unchanged, **counts)))
    moved = editions.moved(session, plan)
    for key, size in sorted(moved.items(), key=lambda one: -one[1])[:5]:
        if plan.source.table == "area":
            told = Sentence(N_("  {key}: {share} of its land changes."), key=key, share=f"{size:.1%}")
        else:
            told = Sentence(N_("  {key}: its point moves {metres} m."), key=key, metres=round(size))
        if size >= (0.001 if plan.source.table == "area" else 1):
            tell(i18n.told(told))


def history(app: Flask, layer: str, *, undo: int | None, note: str, tell: Callable[[str], object]) -> None:
    """Lists the editions of a layer or of all, the newest first; with `undo` takes one back.

    Raises:
        LayersError: the edition cannot be undone; nothing is changed.
    """
    with app.test_request_context("/"):
        i18n.take_language()
        house = db.house()
        if undo is not None:
            with store.writing(house.engine, srid=house.instance.metric_crs) as session:
                number = editions.undo(session, undo, now=datetime.now(tz=UTC), note=note)
                session.commit()
            said = N_("Edition {undone} is undone, by edition {number}.")
            tell(i18n.told(Sentence(said, undone=undo, number=number)))
        with store.reading(house.engine, srid=house.instance.metric_crs) as session:
            for one in places.all_editions(session, layer=layer):
                tell(_line(one))


def _line(edition: places.Edition) -> str:
    undoes = f"undoes {edition.undoes}" if edition.undoes else ""
    whose = edition.dataset or "files"
    told = (edition.number, edition.loaded_at, edition.name, whose, edition.rows, undoes, edition.note)
    return "  ".join(str(part) for part in told if part != "")
