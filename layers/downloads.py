"""Read: what the map shows of a layer, as a table to take along: every row with source, licence and precision.

A row tells what its page tells, on a day and as known at a moment; what is hidden, held back or blurred is so
here too, since the same readers are asked. Beside the columns of the instance's own files (data/README.md),
by which `turvakaart import` takes a file back without a change, there are columns for people, in the language
asked for: `label`, `…_label`, `…_name`. `freshness` says whether a fact may be told as current, `confirmed`
when somebody last said that it holds. Of an area each fact of the instance is a column `fact_…`.

Long texts of cases and practices stay on their pages; people by square are counted with and not shown, so
that there is no file of them. Shapes are read some hundred at a time: a big layer needs little memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import filters, freshness, geo, model, places, practices, store
from layers.catalog import Instance, Words, said
from layers.columns import wkb_of
from layers.errors import N_, LayerNotFound, Sentence
from layers.exports import NOTHING, POINT, POLYGON, Dataset, Piece
from layers.exports import shapes as shaped
from layers.filters import Filter, PlaceKinds
from layers.places import Body, Edition, Source
from layers.practices import Case

Tell = Callable[[str], str]
"""A sentence in the reader's language."""
GROUND: Mapping[str, str] = {"land": "land", "neighbours": "neighbour"}
_TABLES = ("practices", "settlements", "counts")
_BATCH = 500
_SHARE_ALIKE = N_(
    "Made from data under the Open Database License (ODbL) 1.0: name their source, and publish what you make "
    "of them under the same licence."
)
_FACT = "fact_"
Facts = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What to take along. `today` is the day against which ages are told, `known` the moment looked back to.

    `only` chooses organisations, cases and practices; areas are always whole, as on the map.
    """

    layer: str
    as_of: date
    today: date
    language: str
    known: str = ""
    only: Filter = field(default_factory=Filter)


@dataclass(frozen=True)
class Offer:
    """A layer that can be taken along: what its rows are, and how they are drawn."""

    key: str
    of: str
    shape: str
    title: Words
    kind: str = ""


def offers(instance: Instance) -> list[Offer]:
    """Every public layer: those of the map in their order, then what stands beside and under them."""
    found = []
    for layer in instance.layers:
        shape = POLYGON if layer.of == "areas" else POINT
        found.append(Offer(layer.key, layer.of, shape, layer.label, layer.kind))
    for name in _TABLES:
        if name in instance.resources:
            shape = POINT if name == "settlements" else NOTHING
            found.append(Offer(name, name, shape, instance.resources[name].title))
    for name, kind in GROUND.items():
        if name in instance.resources:
            found.append(Offer(name, "areas", POLYGON, instance.resources[name].title, kind))
    return found


def offer(instance: Instance, key: str) -> Offer:
    """One of them.

    Raises:
        LayerNotFound: there is none of this name.
    """
    for one in offers(instance):
        if one.key == key:
            return one
    raise LayerNotFound(layer=key)


def dataset(
    session: Session,
    instance: Instance,
    question: Question,
    *,
    tell: Tell = str,
    place_kinds: PlaceKinds | None = None,
) -> Dataset:
    """The table of a layer; it is read from the session while it is written.

    Raises:
        LayerNotFound: there is no such layer.
    """
    about = offer(instance, question.layer)
    asked = _Asked(session, instance, question, about, tell, place_kinds or {})
    return {
        "bodies": _bodies,
        "cases": _cases,
        "practices": _practices,
        "settlements": _settlements,
        "counts": _counts,
        "areas": _areas,
    }[about.of](asked)


def count(
    session: Session, instance: Instance, question: Question, *, place_kinds: PlaceKinds | None = None
) -> int:
    """How many rows the table of a layer has.

    Raises:
        LayerNotFound: there is no such layer.
    """
    about = offer(instance, question.layer)
    if about.of == "areas":
        return places.area_count(session, about.kind, as_of=question.as_of)
    asked = _Asked(session, instance, question, about, str, place_kinds or {})
    readers: Mapping[str, Callable[[_Asked], Sequence[Any]]] = {
        "bodies": _bodies_of,
        "cases": _cases_of,
        "practices": _practices_of,
        "settlements": lambda one: places.settlements(session, as_of=question.as_of),
        "counts": lambda one: places.counts(session, as_of=question.as_of),
    }
    return len(readers[about.of](asked))


class _Asked:
    """A question with what answers it, and the words that every kind of row needs."""

    def __init__(
        self,
        session: Session,
        instance: Instance,
        question: Question,
        about: Offer,
        tell: Tell,
        place_kinds: PlaceKinds,
    ) -> None:
        self.session, self.instance, self.question, self.about = session, instance, question, about
        self.place_kinds, self._tell = place_kinds, tell
        self.word = partial(said, language=question.language, fallback=instance.default_language)

    def label(self, group: str, codes: str | Iterable[str]) -> str | None:
        """A code in words, or several."""
        wanted = [codes] if isinstance(codes, str) else codes
        told = (self.instance.label(group, code, self.question.language) for code in wanted if code)
        return "; ".join(told) or None

    def by_language(self, prefix: str, words: Words) -> Facts:
        return {f"{prefix}_{code}": words.get(code) or None for code in self.instance.languages}

    def editions(self, table: Any, *where: Any) -> tuple[dict[str, int], dict[int, Edition]]:
        """By key of a row the number of its edition, and the editions by their numbers."""
        query = model.on_day(
            self.session, select(table.key, table.edition_id), table, self.question.as_of
        ).where(*where)
        whose = {row.key: row.edition_id for row in self.session.execute(query)}
        return whose, places.editions_of(self.session, set(whose.values()))

    def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Names of areas in the language asked for."""
        wanted = {key for key in keys if not key.endswith(":")}
        return {
            key: self.word(words) for key, words in places.area_names(self.session, keys=wanted).items()
        }

    def age(self, thing: freshness.Thing) -> Facts:
        """When it was last confirmed, and how fresh it is."""
        found = freshness.of(thing, self.instance.freshness, today=self.question.today)
        return {"confirmed": found.confirmed or None, "freshness": found.state}

    def origin(self, source: str, url: str, edition: Edition | None) -> Facts:
        """Where a row is from: the last columns of every table."""
        return {
            "source": source or (self.word(edition.source) if edition else None) or None,
            "source_url": url or (edition.source_url if edition else None) or None,
            "licence": edition.licence if edition else None,
            "attribution": self.credit(edition) if edition else None,
        }

    def credit(self, edition: Edition) -> str:
        return f"{self.word(edition.source)} ({edition.licence})"

    def dataset(
        self,
        columns: Mapping[str, type],
        pieces: Callable[[], Iterator[Piece]],
        editions: Iterable[Edition],
    ) -> Dataset:
        asked, about = self.question, self.about
        found = sorted(editions, key=lambda one: (one.name, one.dataset, one.number))
        resource = self.instance.resources.get(about.key)
        layer = next((one for one in self.instance.layers if one.key == about.key), None)
        licences = dict.fromkeys(one.licence for one in found)
        choice = {part: getattr(asked.only, part) for part in filters.PARTS if getattr(asked.only, part)}
        told = {
            "title": self.word(about.title),
            "description": self.word(layer.about) if layer else "",
            "publisher": self.word(self.instance.names),
            "layer": about.key,
            "as_of": asked.as_of.isoformat(),
            "known": asked.known,
            "language": asked.language,
            "choice": "&".join(
                f"{part}={value if isinstance(value, str) else ','.join(value)}"
                for part, value in choice.items()
            ),
            "source": "; ".join(dict.fromkeys(self.word(one.source) for one in found)),
            "source_url": " ".join(dict.fromkeys(one.source_url for one in found if one.source_url)),
            "source_date": "; ".join(dict.fromkeys(one.as_of for one in found if one.as_of)),
            "licence": "; ".join(licences),
            "attribution": "; ".join(dict.fromkeys(map(self.credit, found))),
            "share_alike": self._tell(Sentence(_SHARE_ALIKE)) if is_share_alike(licences) else "",
            "precision": self.word(resource.accuracy) if resource else "",
        }
        return Dataset(about.key, columns, pieces, about.shape, asked.as_of.isoformat(), told)

    def table(
        self,
        rows: Sequence[Facts],
        where: Sequence[geo.Place | None],
        columns: Mapping[str, type],
        editions: Mapping[int, Edition],
    ) -> Dataset:
        """A table of rows that are there already, each at a point or nowhere."""

        def pieces() -> Iterator[Piece]:
            for start in range(0, len(rows), _BATCH):
                some = rows[start : start + _BATCH]
                points = shaped.points([*where[start : start + _BATCH]])
                yield Piece([[row[name] for name in columns] for row in some], points)

        return self.dataset(columns, pieces, editions.values())


def is_share_alike(licences: Iterable[str]) -> bool:
    """Whether what is made of such data must stay under their licence."""
    return any(licence.upper().startswith("ODBL") for licence in licences)


def _columns(rows: Sequence[Facts], empty: Facts, **types: type) -> dict[str, type]:
    """The columns of rows, text but for those that are named."""
    return {name: types.get(name, str) for name in (rows[0] if rows else empty)}


def _where(place: geo.Place | None) -> Facts:
    return {"lat": place.lat if place else None, "lon": place.lon if place else None}


# --- Organisations


def _bodies_of(asked: _Asked) -> list[Body]:
    question = asked.question
    found = places.bodies(asked.session, layer=question.layer, as_of=question.as_of)
    return filters.bodies(found, question.only, today=question.today, rules=asked.instance.freshness)


def _bodies(asked: _Asked) -> Dataset:
    found = _bodies_of(asked)
    whose, editions = asked.editions(model.Body, model.Body.layer == asked.question.layer)
    names = asked.names(key for body in found for key in _around(body.municipality, body.county))
    towns = places.settlement_names(asked.session, {body.settlement for body in found} - {""})

    def row(body: Body, edition: Edition | None) -> Facts:
        return {
            "key": body.key,
            "layer": body.layer,
            "label": body.names.get(asked.question.language) or body.name,
            "name": body.name,
            **asked.by_language("name", body.names),
            "form": body.form,
            "form_label": asked.label("forms", body.form),
            "capabilities": ";".join(body.capabilities) or None,
            "capabilities_label": asked.label("capabilities", body.capabilities),
            "readiness": body.readiness or None,
            "readiness_label": asked.label("readiness", body.readiness),
            "place": body.locality or None,
            "settlement": body.settlement or None,
            "settlement_name": towns.get(body.settlement),
            "municipality": body.municipality or None,
            "municipality_name": names.get(f"municipality:{body.municipality}"),
            "county": body.county or None,
            "county_name": names.get(f"county:{body.county}"),
            **_where(body.place),
            "precision": body.precision or None,
            "precision_label": asked.label("precision", body.precision),
            "serves": ";".join(body.serves) or None,
            "valid_from": body.valid_from or None,
            "valid_to": body.valid_to or None,
            "as_of": body.source.as_of or None,
            "as_of_inferred": "yes" if body.source.inferred else None,
            **asked.age(body),
            **asked.by_language("note", body.notes),
            **asked.origin(body.source.title, body.source.url, edition),
        }

    rows = [row(body, editions.get(whose.get(body.key, 0))) for body in found]
    columns = _columns(rows, row(_NO_BODY, None), lat=float, lon=float)
    return asked.table(rows, [body.place for body in found], columns, editions)


_NO_BODY = Body(
    *("", "", "", {}, "", (), "", "", "", "", "", "", None, (), "", "", {}),
    source=Source("", "", ""),
)


def _around(municipality: str, county: str) -> tuple[str, str]:
    return f"municipality:{municipality}", f"county:{county}"


# --- Cases and practices


def _cases_of(asked: _Asked) -> list[Case]:
    question = asked.question
    return filters.cases(
        practices.cases(asked.session, as_of=question.as_of),
        question.only,
        today=question.today,
        rules=asked.instance.freshness,
        place_kinds=asked.place_kinds,
    )


def _cases(asked: _Asked) -> Dataset:
    found = _cases_of(asked)
    whose, editions = asked.editions(model.Case)
    names = asked.names(key for case in found for key in _around(case.municipality, case.county))

    def row(case: Case, edition: Edition | None) -> Facts:
        return {
            "key": case.key,
            "label": asked.word(case.titles),
            "summary": asked.word(case.summaries) or None,
            **asked.by_language("title", case.titles),
            **asked.by_language("summary", case.summaries),
            "theme": case.theme,
            "theme_label": asked.label("themes", case.theme),
            "outcome": case.outcome,
            "outcome_label": asked.label("outcomes", case.outcome),
            "stage": case.stage,
            "stage_label": asked.label("stages", case.stage),
            "parties": ";".join(case.parties) or None,
            "parties_label": asked.label("parties", case.parties),
            "practices": ";".join(link.practice for link in case.practices) or None,
            "bodies": ";".join(case.bodies) or None,
            "areas": ";".join(case.areas) or None,
            "place": case.locality or None,
            "municipality": case.municipality or None,
            "municipality_name": names.get(f"municipality:{case.municipality}"),
            "county": case.county or None,
            "county_name": names.get(f"county:{case.county}"),
            **_where(case.place),
            "precision": case.precision or None,
            "precision_label": asked.label("precision", case.precision),
            "period_from": case.period_from or None,
            "period_to": case.period_to or None,
            "as_of": case.as_of or None,
            "as_of_inferred": "yes" if case.as_of_inferred else None,
            **asked.age(case),
            **asked.origin(*_told(case.sources), edition),
        }

    rows = [row(case, editions.get(whose.get(case.key, 0))) for case in found]
    columns = _columns(rows, row(_NO_CASE, None), lat=float, lon=float)
    return asked.table(rows, [case.place for case in found], columns, editions)


_NO_CASE = Case(
    *("", {}, {}, {}, "", "", "", (), "", "", "", "", None, "", "", "", False, (), (), (), ()),
)


def _told(sources: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """The titles of several sources, and their addresses."""
    titles = "; ".join(one["title"] for one in sources if one.get("title"))
    return titles, " ".join(one["url"] for one in sources if one.get("url"))


def _practices_of(asked: _Asked) -> list[filters.Shown]:
    question, session = asked.question, asked.session
    shown = filters.shown(
        practices.practices(session, as_of=question.as_of),
        practices.cases(session, as_of=question.as_of),
        asked.instance.place_kinds_of_themes,
    )
    return filters.practices(shown, question.only, today=question.today, place_kinds=asked.place_kinds)


def _practices(asked: _Asked) -> Dataset:
    found = [one.practice for one in _practices_of(asked)]
    whose, editions = asked.editions(model.Practice)

    def row(practice: practices.Practice, edition: Edition | None) -> Facts:
        return {
            "key": practice.key,
            "label": asked.word(practice.titles),
            "summary": asked.word(practice.summaries) or None,
            **asked.by_language("title", practice.titles),
            **asked.by_language("summary", practice.summaries),
            "audiences": ";".join(practice.audiences) or None,
            "audiences_label": asked.label("parties", practice.audiences),
            "themes": ";".join(practice.themes) or None,
            "themes_label": asked.label("themes", practice.themes),
            "stage": practice.stage,
            "stage_label": asked.label("stages", practice.stage),
            "related": ";".join(practice.related) or None,
            "as_of": practice.as_of or None,
            **asked.age(practice),
            **asked.origin(*_told(practice.sources), edition),
        }

    rows = [row(one, editions.get(whose.get(one.key, 0))) for one in found]
    empty = row(practices.Practice("", {}, {}, {}, (), (), "", "", (), ()), None)
    return asked.table(rows, [None] * len(rows), _columns(rows, empty), editions)


# --- The gazetteer, and what others have counted


def _settlements(asked: _Asked) -> Dataset:
    found = places.settlements(asked.session, as_of=asked.question.as_of)
    whose, editions = asked.editions(model.Settlement)
    names = asked.names({key for town in found for key in _around(town.municipality, town.county)})
    columns: dict[str, type] = {
        **dict.fromkeys(("code", "name", "municipality", "municipality_name", "county", "county_name"), str),
        **{"lat": float, "lon": float, "population": int},
        **dict.fromkeys(("population_as_of", "source", "source_url", "licence", "attribution"), str),
    }
    rows = [
        {
            "code": town.key,
            "name": town.name,
            "municipality": town.municipality or None,
            "municipality_name": names.get(f"municipality:{town.municipality}"),
            "county": town.county or None,
            "county_name": names.get(f"county:{town.county}"),
            **_where(town.place),
            "population": town.population,
            "population_as_of": town.population_as_of or None,
            **asked.origin("", "", editions.get(whose.get(town.key, 0))),
        }
        for town in found
    ]
    return asked.table(rows, [town.place for town in found], columns, editions)


def _counts(asked: _Asked) -> Dataset:
    found = places.counts(asked.session, as_of=asked.question.as_of)
    whose, editions = asked.editions(model.Count)
    names = asked.names({one.area for one in found})

    def row(one: places.Count, edition: Edition | None) -> Facts:
        return {
            "key": one.key,
            "layer": one.layer,
            "area": one.area,
            "area_name": names.get(one.area),
            "number": one.number,
            "qualifier": one.qualifier or None,
            "households": one.households,
            "households_qualifier": one.households_qualifier or None,
            "members": one.members,
            **asked.by_language("note", one.notes),
            "as_of": one.source.as_of or None,
            "as_of_inferred": "yes" if one.source.inferred else None,
            **asked.age(one),
            **asked.origin(one.source.title, one.source.url, edition),
        }

    rows = [row(one, editions.get(whose.get(one.key, 0))) for one in found]
    empty = row(places.Count("", "", None, "", None, "", None, {}, Source("", "", "")), None)
    columns = _columns(rows, empty, number=int, households=int, members=int)
    return asked.table(rows, [None] * len(rows), columns, editions)


# --- Areas


def _areas(asked: _Asked) -> Dataset:
    """A layer of areas, of which only the keys are in memory at once."""
    session, table, kind = asked.session, model.Area, asked.about.kind
    of_day = partial(model.on_day, session, table=table, as_of=asked.question.as_of)
    listed = of_day(select(table.id, table.parent, table.edition_id, table.facts)).where(table.kind == kind)
    ids: list[int] = []
    facts: set[str] = set()
    parents: set[str] = set()
    numbers: set[int] = set()
    for row in session.execute(listed.order_by(table.code, table.valid_from)):
        ids.append(row.id)
        facts.update(row.facts)
        parents.add(row.parent)
        numbers.add(row.edition_id)
    editions, names = places.editions_of(session, numbers), asked.names(parents - {""})
    rule = freshness.lifetime(asked.instance.freshness, of="areas", kind=kind)
    srid = store.srid_of(session)
    known = sorted(facts)

    def row(area: Any) -> Facts:
        age = freshness.age(area.as_of, area.confirmed or "", rule, today=asked.question.today)
        return {
            "kind": area.kind,
            "code": area.code,
            "label": asked.word(area.names) or area.code,
            **asked.by_language("name", area.names),
            "parent": area.parent or None,
            "parent_name": names.get(area.parent),
            "accuracy": area.accuracy,
            **{f"{_FACT}{name}": area.facts.get(name) or None for name in known},
            "valid_from": area.valid_from or None,
            "valid_to": area.valid_to or None,
            "as_of": area.as_of or None,
            "confirmed": age.confirmed or None,
            "freshness": age.state,
            **asked.origin(area.source, area.source_url, editions.get(area.edition_id)),
        }

    columns = [
        *(column for column in table.__table__.c if column.name != "geom"),
        wkb_of(table.geom).label("wkb"),
        model.last_confirmed(session, table),
    ]
    heads = dict.fromkeys(_AREA_HEADS[:3], str) | {f"name_{code}": str for code in asked.instance.languages}
    heads |= dict.fromkeys(_AREA_HEADS[3:6], str) | {f"{_FACT}{name}": str for name in known}
    heads |= dict.fromkeys(_AREA_HEADS[6:], str)

    def pieces() -> Iterator[Piece]:
        waiting = iter(ids)
        while some := [*islice(waiting, _BATCH)]:
            query = select(*columns).where(table.id.in_(some)).order_by(table.code, table.valid_from)
            found = session.execute(query).all()
            degrees = geo.to_degrees(shapely.from_wkb([one.wkb for one in found]), srid=srid)
            yield Piece([[*row(one).values()] for one in found], np.asarray(shaped.areas(degrees)))

    return asked.dataset(heads, pieces, editions.values())


_AREA_HEADS = (
    *("kind", "code", "label", "parent", "parent_name", "accuracy"),
    *("valid_from", "valid_to", "as_of", "confirmed", "freshness"),
    *("source", "source_url", "licence", "attribution"),
)
