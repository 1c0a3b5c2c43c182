"""A question about a layer, and the words that every kind of row needs to answer it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import filters, freshness, geo, model, places
from layers.catalog import Instance, Words, said
from layers.errors import N_, Sentence
from layers.exports import Dataset, Piece
from layers.exports import shapes as shaped
from layers.filters import Filter, PlaceKinds
from layers.places import Edition

Tell = Callable[[str], str]
"""A sentence in the reader's language."""
BATCH = 500
_SHARE_ALIKE = N_(
    "Made from data under the Open Database License (ODbL) 1.0: name their source, and publish what you make "
    "of them under the same licence."
)
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


class Asked:
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
        return {key: self.word(words) for key, words in places.area_names(self.session, keys=wanted).items()}

    def age(self, thing: freshness.Thing) -> Facts:
        """When it was last confirmed, and how fresh it is."""
        found = freshness.of(thing, self.instance.freshness, today=self.question.today)
        return {"confirmed": found.confirmed or None, "freshness": found.state}

    def origin(self, source: str, url: str, edition: Edition | None) -> Facts:
        """Where a row is from: the last columns of every table. One that names no source is its edition's."""
        if not source and edition:
            source, url = self.word(edition.source), url or edition.source_url
        return {
            "source": source or None,
            "source_url": url or None,
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
            for start in range(0, len(rows), BATCH):
                some = rows[start : start + BATCH]
                points = shaped.points([*where[start : start + BATCH]])
                yield Piece([[row[name] for name in columns] for row in some], points)

        return self.dataset(columns, pieces, editions.values())


def is_share_alike(licences: Iterable[str]) -> bool:
    """Whether what is made of such data must stay under their licence."""
    return any(licence.upper().startswith("ODBL") for licence in licences)


def heads(rows: Sequence[Facts], empty: Facts, **types: type) -> dict[str, type]:
    """The columns of rows, text but for those that are named; those of an empty one where there are none."""
    return {name: types.get(name, str) for name in (rows[0] if rows else empty)}


def at(place: geo.Place | None) -> Facts:
    return {"lat": place.lat if place else None, "lon": place.lon if place else None}


def around(municipality: str, county: str) -> tuple[str, str]:
    """The keys of the areas around a place."""
    return f"municipality:{municipality}", f"county:{county}"
