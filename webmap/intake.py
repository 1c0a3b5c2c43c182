"""Imports as people make them, by command and by page: examined, planned, written, undone."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from sqlalchemy.orm import Session

from layers import doctor, editions, links, places, store
from layers.catalog import Resource
from layers.doctor import About, Begun, Exam, How, written
from layers.editions import Plan
from layers.errors import N_, Invalid, Sentence
from layers.sources.rows import digests
from webmap import db, i18n

_SHOWN = 40


class RowsRefused(Invalid):
    text = N_(
        "{count} of {total} rows cannot be used, and nothing was written. Mend them, or leave them out "
        "with --without-refused."
    )


class ChangedMeanwhile(Invalid):
    text = N_(
        "Nothing was written: since you saw the plan, somebody else has changed what it compares with. "
        "Here is the plan as it is now."
    )


class BadPair(Invalid):
    text = N_("“{text}” is not written as field=value.")


class NoField(Invalid):
    text = N_("There is no field “{field}”. Use one of: {fields}.")


class NoColumn(Invalid):
    text = N_("There is no column “{column}”. The file has: {columns}.")


def from_command(
    app: Flask,
    file: Path,
    *,
    tell: Callable[[str], object],
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

    Raises:
        LayersError: the file, the options or the rows cannot be used; nothing is written.
    """
    with app.test_request_context("/", query_string={"lang": language}):
        i18n.take_language()
        house, now = db.house(), datetime.now(tz=UTC)
        known = About(**about)
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
            _tell_columns(begun, how, tell)
            exam = doctor.examine(session, house.instance, begun, how, known, today=now.date())
            _tell_findings(exam, tell)
            if fixes:
                fixes.write_text(written.fixes(exam, tell=i18n.told), encoding="utf-8", newline="")
            if repaired:
                repaired.write_text(written.repaired(exam, house.instance)[1], encoding="utf-8")
            about_it = doctor.resource(known, layer, house.instance)
            plan = doctor.plan(session, exam, about_it, file=file)
            _tell_plan(session, plan, tell)
            for left in links.lost(session, plan, day=now.date()):
                tell(f"  {i18n.told(left.what)} {i18n.told(left.remedy)}")
            for double in doctor.doubles(session, plan):
                tell(f"  {i18n.told(double.what)} {i18n.told(double.remedy)}")
        refused = exam.counts[doctor.REFUSED]
        if refused and not without_refused:
            raise RowsRefused(count=refused, total=exam.total)
        if write:
            number = apply(exam, about_it, how, file=file, now=now, note=note)
            tell(i18n.told(Sentence(N_("Written as edition {number}."), number=number)))
        else:
            tell(i18n.told(Sentence(N_("Nothing was written: add --write to write it."))))


def apply(
    exam: Exam,
    about: Resource,
    how: How,
    *,
    file: Path,
    now: datetime,
    account: str = "",
    note: str = "",
    shown: str = "",
) -> int:
    """Plans an examination again and writes it, all or nothing; the number of its edition.

    Raises:
        ChangedMeanwhile: the plan is no longer the one whose `mark` was `shown`.
    """
    house = db.house()
    with store.writing(house.engine, srid=house.instance.metric_crs) as session:
        plan = doctor.plan(session, exam, about, file=file)
        if shown and shown != mark(session, plan):
            raise ChangedMeanwhile
        number = editions.apply(session, plan, now=now, account=account, note=note, how=asdict(how))
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
