"""Read: cases ↔ practices ↔ organisations ↔ areas."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from layers import geo, model, store
from layers.catalog import Words
from layers.columns import wkb_of
from layers.errors import CaseNotFound, PracticeNotFound
from layers.geo import Place


@dataclass(frozen=True)
class Documented:
    """A practice that a case documents, and what was done differently there."""

    practice: str
    adaptation: Words


@dataclass(frozen=True)
class Case:
    """Practices at work somewhere. `as_of`, `confirmed` and the period are partial dates, "" if unknown."""

    key: str
    titles: Words
    summaries: Words
    texts: Words
    theme: str
    outcome: str
    stage: str
    parties: tuple[str, ...]
    locality: str
    municipality: str
    county: str
    precision: str
    place: Place | None
    period_from: str
    period_to: str
    as_of: str
    as_of_inferred: bool
    sources: tuple[dict[str, str], ...]
    practices: tuple[Documented, ...]
    bodies: tuple[str, ...]
    areas: tuple[str, ...]
    confirmed: str = ""


@dataclass(frozen=True)
class Practice:
    """A documented way of working together."""

    key: str
    titles: Words
    summaries: Words
    texts: Words
    audiences: tuple[str, ...]
    themes: tuple[str, ...]
    stage: str
    as_of: str
    related: tuple[str, ...]
    sources: tuple[dict[str, str], ...]
    confirmed: str = ""


def cases(
    session: Session, *, as_of: date, practice: str = "", body: str = "", area: str = "", county: str = ""
) -> list[Case]:
    """Cases by key: all, or those of a practice, an organisation, an area (`kind:code`) or a county."""
    query = model.on_day(session, _case_columns(session), model.Case, as_of)
    for link, column, wanted in (
        (model.CasePractice, model.CasePractice.practice, practice),
        (model.CaseBody, model.CaseBody.body, body),
        (model.CaseArea, model.CaseArea.area, area),
    ):
        if wanted:
            query = query.where(exists().where(link.case_id == model.Case.id, column == wanted))
    if county:
        query = query.where(model.Case.county == county)
    return _cases(session, query)


def case_states(session: Session) -> list[Case]:
    """Every known case, whenever it began, by key."""
    return _cases(session, model.known(session, _case_columns(session), model.Case))


def case(session: Session, key: str) -> Case:
    """One case.

    Raises:
        CaseNotFound: there is none with this key.
    """
    query = model.known(session, _case_columns(session), model.Case).where(model.Case.key == key)
    found = _cases(session, query)
    if not found:
        raise CaseNotFound(key=key)
    return found[-1]


def practices(session: Session, *, as_of: date) -> list[Practice]:
    """All practices, by key."""
    query = model.on_day(session, _practice_columns(session), model.Practice, as_of)
    return [
        _practice(row)
        for row in session.execute(query.order_by(model.Practice.key, model.Practice.valid_from))
    ]


def practice(session: Session, key: str) -> Practice:
    """One practice.

    Raises:
        PracticeNotFound: there is none with this key.
    """
    table = model.Practice
    query = model.known(session, _practice_columns(session), table).where(table.key == key)
    row = session.execute(query.order_by(table.valid_from.desc())).first()
    if row is None:
        raise PracticeNotFound(key=key)
    return _practice(row)


def _practice_columns(session: Session) -> Select[Any]:
    table = model.Practice
    return select(*table.__table__.c, model.last_confirmed(session, table))


def _practice(row: Any) -> Practice:
    return Practice(
        key=row.key,
        titles=row.titles,
        summaries=row.summaries,
        texts=row.texts,
        audiences=tuple(row.audiences),
        themes=tuple(row.themes),
        stage=row.stage,
        as_of=row.as_of,
        related=tuple(row.related),
        sources=tuple(row.sources),
        confirmed=row.confirmed or "",
    )


def _case_columns(session: Session) -> Select[Any]:
    table = model.Case
    confirmed = model.last_confirmed(session, table)
    return select(*table.__table__.c, wkb_of(table.geom).label("wkb"), confirmed)


def _cases(session: Session, query: Select[Any]) -> list[Case]:
    rows = session.execute(query.order_by(model.Case.key, model.Case.valid_from)).all()
    ids = [row.id for row in rows]
    documented = _linked(session, model.CasePractice, ids, model.CasePractice.position)
    took_part = _linked(session, model.CaseBody, ids, model.CaseBody.body)
    covered = _linked(session, model.CaseArea, ids, model.CaseArea.area)
    places = geo.places_of([row.wkb for row in rows], srid=store.srid_of(session))
    return [
        _case(
            row,
            place,
            practices=[Documented(link.practice, link.adaptation) for link in documented.get(row.id, ())],
            bodies=[link.body for link in took_part.get(row.id, ())],
            areas=[link.area for link in covered.get(row.id, ())],
        )
        for row, place in zip(rows, places, strict=True)
    ]


def _linked(session: Session, table: Any, ids: Sequence[int], order: Any) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    query = select(*table.__table__.c).where(table.case_id.in_(ids)).order_by(table.case_id, order)
    for row in session.execute(query):
        found.setdefault(row.case_id, []).append(row)
    return found


def _case(
    row: Any,
    place: Place | None,
    *,
    practices: Sequence[Documented],
    bodies: Sequence[str],
    areas: Sequence[str],
) -> Case:
    return Case(
        key=row.key,
        titles=row.titles,
        summaries=row.summaries,
        texts=row.texts,
        theme=row.theme,
        outcome=row.outcome,
        stage=row.stage,
        parties=tuple(row.parties),
        locality=row.place,
        municipality=row.municipality,
        county=row.county,
        precision=row.precision,
        place=place,
        period_from=row.period_from,
        period_to=row.period_to,
        as_of=row.as_of,
        as_of_inferred=row.as_of_inferred,
        sources=tuple(row.sources),
        practices=tuple(practices),
        bodies=tuple(bodies),
        areas=tuple(areas),
        confirmed=row.confirmed or "",
    )
