"""Areas of a kind, some hundred at a time: only their numbers are in memory at once."""

from collections.abc import Iterator
from typing import Any

import shapely
from sqlalchemy import select

from layers import freshness, geo, model, places, store
from layers.columns import wkb_of
from layers.downloads.asked import BATCH, Asked, Facts
from layers.exports import Dataset, Piece
from layers.exports import shapes as shaped

_FACT = "fact_"


def table(asked: Asked) -> Dataset:
    """The table of a kind of area; whatever its instance knows of one is a column `fact_…`."""
    kept = _Areas(asked)
    return asked.dataset(kept.heads(), kept.pieces, kept.editions.values())


class _Areas:
    """The areas of a kind on a day: their numbers, and what their columns are."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.kind = asked, asked.about.kind
        table = model.Area
        query = select(table.id, table.parent, table.edition_id, table.facts).where(table.kind == self.kind)
        of_day = model.on_day(asked.session, query, table, asked.question.as_of)
        self.ids: list[int] = []
        facts: set[str] = set()
        parents: set[str] = set()
        editions: set[int] = set()
        for row in asked.session.execute(of_day.order_by(table.code, table.valid_from)):
            self.ids.append(row.id)
            facts.update(row.facts)
            parents.add(row.parent)
            editions.add(row.edition_id)
        self.facts, self.names = sorted(facts), asked.names(parents - {""})
        self.editions = places.editions_of(asked.session, editions)
        self.rule = freshness.lifetime(asked.instance.freshness, of="areas", kind=self.kind)

    def heads(self) -> dict[str, type]:
        named = (f"name_{code}" for code in self.asked.instance.languages)
        facts = (f"{_FACT}{name}" for name in self.facts)
        return dict.fromkeys((*_BEFORE, *named, *_BETWEEN, *facts, *_AFTER), str)

    def pieces(self) -> Iterator[Piece]:
        session, table = self.asked.session, model.Area
        columns = [
            *(column for column in table.__table__.c if column.name != "geom"),
            wkb_of(table.geom).label("wkb"),
            model.last_confirmed(session, table),
        ]
        for start in range(0, len(self.ids), BATCH):
            some = self.ids[start : start + BATCH]
            query = select(*columns).where(table.id.in_(some)).order_by(table.code, table.valid_from)
            found = session.execute(query).all()
            shapes = shapely.from_wkb([one.wkb for one in found])
            degrees = geo.to_degrees(shapes, srid=store.srid_of(session))
            yield Piece([[*self.row(one).values()] for one in found], shaped.areas(degrees))

    def row(self, area: Any) -> Facts:
        """One area's values, in the order of the heads."""
        asked = self.asked
        age = freshness.age(area.as_of, area.confirmed or "", self.rule, today=asked.question.today)
        return {
            "kind": area.kind,
            "code": area.code,
            "label": asked.word(area.names) or area.code,
            **asked.by_language("name", area.names),
            "parent": area.parent or None,
            "parent_name": self.names.get(area.parent),
            "accuracy": area.accuracy,
            **{f"{_FACT}{name}": area.facts.get(name) or None for name in self.facts},
            "valid_from": area.valid_from or None,
            "valid_to": area.valid_to or None,
            "as_of": area.as_of or None,
            "confirmed": age.confirmed or None,
            "freshness": age.state,
            **asked.origin(area.source, area.source_url, self.editions.get(area.edition_id)),
        }


_BEFORE = ("kind", "code", "label")
_BETWEEN = ("parent", "parent_name", "accuracy")
_AFTER = (
    *("valid_from", "valid_to", "as_of", "confirmed", "freshness"),
    *("source", "source_url", "licence", "attribution"),
)
