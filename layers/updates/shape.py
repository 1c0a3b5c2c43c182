"""Delivered records → rows for the store, joined with what is known of them; every loss is told."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from layers import aliases, dates
from layers.aliases import OFFICIAL_CODE, Matches, Unit
from layers.catalog import Instance
from layers.errors import N_, Sentence
from layers.sources import rows as check
from layers.sources.rows import Row, Unusable
from layers.updates import records
from layers.updates.content import BadContent
from layers.updates.known import Ground, Known
from layers.updates.records import Record, TooFewRows
from layers.updates.tables import Table
from layers.updates.wanted import AREAS, BODIES, CELLS, FACTS, SETTLEMENTS, Wanted

_MOST_FAULTY = 0.01
_NAMED = 5
_MOST_MENDED = 0.01
_NO_GROUND: Mapping[str, Ground] = {}


class FaultyRows(BadContent):
    text = N_("Rows that cannot be used: {number} of {all}, as {examples}.")


@dataclass(frozen=True)
class Shaped:
    """Rows of a source, n of them, and what was noticed; `facts` by official code where it tells those."""

    rows: tuple[Row, ...]
    as_of: str
    notes: tuple[Sentence, ...] = ()
    matches: Matches = field(default_factory=Matches)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def shaped(
    wanted: Wanted,
    table: Table,
    instance: Instance,
    *,
    as_of: str,
    known: Known,
    grounds: Mapping[str, Ground] = _NO_GROUND,
    facts: Mapping[str, Mapping[str, str]] | None = None,
    lent: Sequence[str] = (),
    is_paged: bool = False,
) -> Shaped:
    """The rows of a source.

    `known` are the things of which it tells, `grounds` areas by kind in which its points lie, `facts` what
    another source tells of its areas by official code. Facts that are `lent` so stay as they were last time
    where that source is silent this time.

    Raises:
        BadContent: the table fails a check; nothing of it may be loaded.
    """
    notes: list[Sentence] = []
    found = records.read(wanted, table, instance, notes, is_paged=is_paged)
    context = _Context(wanted, instance, as_of, known, grounds, facts or {}, lent, notes)
    return context.shaped(found)


# --- Rows of the tables


class _Context:
    """What the rows of one source have in common."""

    def __init__(
        self,
        wanted: Wanted,
        instance: Instance,
        as_of: str,
        known: Known,
        grounds: Mapping[str, Ground],
        facts: Mapping[str, Mapping[str, str]],
        lent: Sequence[str],
        notes: list[Sentence],
    ) -> None:
        self.wanted, self.instance, self.as_of = wanted, instance, as_of
        self.known, self.grounds, self.facts, self.lent, self.notes = known, grounds, facts, lent, notes
        self.source = wanted.attribution.replace("{date}", as_of)
        self.matches = Matches()

    def shaped(self, records: list[Record]) -> Shaped:
        if self.wanted.table == FACTS:
            facts = {record.code: self._facts_of(record) for record in records}
            return Shaped((), self.as_of, tuple(self.notes), facts=facts)
        records = self._prepared(records)
        make = _MAKERS[self.wanted.table]
        made: list[Row | None] = []
        faults: list[str] = []
        for record in records:
            try:
                made.append(make(self, record))
            except Unusable as error:
                faults.append(f"{record.code}: {error.what}")
        self._check_faults(faults, len(records))
        self._check_facts(records)
        rows = [row for row in made if row is not None]
        if len(rows) < self.wanted.least_rows:
            raise TooFewRows(found=len(rows), least=self.wanted.least_rows)
        return Shaped(tuple(rows), self.as_of, tuple(self.notes), self.matches)

    def _check_faults(self, faults: list[str], number: int) -> None:
        if not faults:
            return
        examples = "; ".join(faults[:_NAMED])
        if len(faults) > _MOST_FAULTY * number:
            raise FaultyRows(number=len(faults), all=number, examples=examples.rstrip("."))
        self.notes.append(
            Sentence(
                N_("Rows that cannot be used were left out: {number} ({examples})."),
                number=len(faults),
                examples=examples,
            )
        )

    def _check_facts(self, records: list[Record]) -> None:
        """Says when another source tells facts of other codes than these areas have."""
        told = sum(record.values.get("official") in self.facts for record in records)
        if self.facts and told < len(records):
            self.notes.append(
                Sentence(
                    N_("Facts are told of {number} of {all} areas; the others keep what was known."),
                    number=told,
                    all=len(records),
                )
            )

    def _prepared(self, records: list[Record]) -> list[Record]:
        """What is done to all at once: shapes mended, codes compared, points looked up."""
        if self.wanted.table == AREAS:
            self._mend(records)
        if self.wanted.table in (AREAS, SETTLEMENTS):
            records = self._matched(records)
        if self.wanted.within:
            self._look_up(records)
        return records

    def _mend(self, records: list[Record]) -> None:
        broken = [record for record in records if not record.shape.is_valid]
        for record in broken:
            whole = shapely.make_valid(record.shape, method="structure", keep_collapsed=False)
            parts = [
                part for part in shapely.get_parts(whole) if part.geom_type in ("Polygon", "MultiPolygon")
            ]
            mended = shapely.union_all(parts)
            size = record.shape.area
            # A shape whose size changes with the repair is drawn wrong, not merely untidy.
            if size and abs(mended.area - size) <= _MOST_MENDED * size:
                record.shape = mended
        mended_now = sum(record.shape.is_valid for record in broken)
        if mended_now:
            self.notes.append(
                Sentence(N_("Shapes that crossed themselves were mended: {number}."), number=mended_now)
            )

    # Codes

    def _matched(self, records: list[Record]) -> list[Record]:
        """Gives areas and settlements the codes by which they are known; those in doubt are left out."""
        parents = self._parents(records)
        official = [
            Unit(record.code, record.values["name"], parents.get(parent := self._parent_of(record), parent))
            for record in records
        ]
        day = dates.first_day(self.as_of)
        self.matches = aliases.matched(self.known.units.values(), official, day)
        for record in records:
            record.values["official"] = record.code
            if self.wanted.aliases == "keep":
                record.values["code"] = self.matches.new_to_old.get(record.code, record.code)
                if self.wanted.table == SETTLEMENTS:
                    parent = self._parent_of(record)
                    record.values["municipality"] = parents.get(parent, parent)
        return self._without_doubt(records)

    def _without_doubt(self, records: list[Record]) -> list[Record]:
        """Leaves out what would take the code of something else that is known."""
        in_doubt = {code for code in self.matches.doubtful if code in self.known.units}
        in_doubt |= {*self.matches.taken} if self.wanted.aliases == "keep" else set()
        if in_doubt:
            self.notes.append(
                Sentence(
                    N_("Nobody can tell whose codes these are, they were left out: {codes}."),
                    codes=", ".join(sorted(in_doubt)),
                )
            )
        return [record for record in records if record.values["official"] not in in_doubt]

    def _parent_of(self, record: Record) -> str:
        return record.values.get("municipality") or record.values.get("parent", "")

    def _parents(self, records: list[Record]) -> dict[str, str]:
        """Official codes of the areas in which settlements lie → the codes by which those are known."""
        ground = self.grounds.get(self.wanted.parent_kind)
        if self.wanted.table != SETTLEMENTS or ground is None:
            return {}
        told = {
            self._parent_of(record): Unit(self._parent_of(record), record.values.get("municipality_name", ""))
            for record in records
        }
        there = [Unit(code, name) for code, name in zip(ground.codes, ground.names, strict=True)]
        return aliases.matched(there, told.values(), dates.first_day(self.as_of)).new_to_old

    # Places

    def _look_up(self, records: list[Record]) -> None:
        """Fills columns with the code of the area in which a point lies; blank in none."""
        points = np.array([record.shape for record in records], dtype=object)
        for name, kind in self.wanted.within.items():
            ground = self.grounds.get(kind)
            if ground is None or not len(ground.shapes):
                continue
            at, areas = shapely.STRtree(ground.shapes).query(points, predicate="intersects")
            for one, area in zip(at[::-1], areas[::-1], strict=True):
                records[one].values[name] = ground.codes[area]

    # Rows

    def _row(self, record: Record, key: str, values: Mapping[str, Any], **links: Sequence[Any]) -> Row:
        return Row(key=key, line=record.number + 1, file=self.wanted.key, values=values, links=links)

    def _name(self, record: Record) -> str:
        return str(check.some_text(record.values["name"]))

    def area(self, record: Record) -> Row:
        code, official = check.some_text(record.values["code"]), record.values["official"]
        key = f"{self.wanted.kind}:{code}"
        before, own = self.known.values.get(code, {}), self.known.own.get(key, {})
        names = {**(before.get("names", {}) if "names" in self.wanted.carried else {}), **self._names(record)}
        facts = {
            **(before.get("facts", {}) if "facts" in self.wanted.carried else {}),
            **{name: value for name, value in own.get("facts", {}).items() if name in self.lent},
            **self._facts_of(record),
            **self.facts.get(official, self.facts.get(code, {})),
            **({OFFICIAL_CODE: official} if official != code else {}),
        }
        values = {
            "kind": self.wanted.kind,
            "code": code,
            "names": names,
            "parent": self._parent(record, before),
            "accuracy": self.wanted.fixed.get("accuracy", "official"),
            # When it began is told by who knew it before; of a new one we know that it is there on this day.
            "valid_from": before.get(
                "valid_from", own.get("valid_from", "" if not self.known.values else self.as_of)
            ),
            "valid_to": before.get("valid_to", ""),
            "as_of": self.as_of,
            "source": self.source,
            "source_url": self.wanted.licence_url,
            "facts": {name: value for name, value in facts.items() if value},
            "geom": _polygons(record.shape),
        }
        return self._row(record, key, values)

    def _names(self, record: Record) -> dict[str, str]:
        languages = self.instance.languages
        told = {language: record.values.get(f"name_{language}", "") for language in languages}
        told[self.instance.default_language] = self._name(record)
        return {language: name for language, name in told.items() if name}

    def _facts_of(self, record: Record) -> dict[str, str]:
        about = ("code", "name", "parent", "official", *(f"name_{code}" for code in self.instance.languages))
        # What only filters rows is called _so.
        names = [
            name for name, value in record.values.items() if name not in about and name[0] != "_" and value
        ]
        dated = {f"{name}_as_of": self.as_of for name in names} if self.wanted.table == FACTS else {}
        return {name: record.values[name] for name in names} | dated

    def _parent(self, record: Record, before: Mapping[str, Any]) -> str:
        told = record.values.get("parent", "")
        if told and self.wanted.parent_kind:
            day, kind = dates.first_day(self.as_of), self.wanted.parent_kind
            return f"{kind}:{self.known.book.means(kind, told, day) or told}"
        return str(before.get("parent", "") or self.wanted.fixed.get("parent", ""))

    def settlement(self, record: Record) -> Row:
        code = str(check.some_text(record.values["code"]))
        before = self.known.values.get(code, {})
        point = record.shape if record.shape.geom_type == "Point" else record.shape.representative_point()
        people = check.whole_number(record.values.get("population", ""))
        keeps = "population" in self.wanted.carried and people is None
        values = {
            "name": self._name(record),
            "municipality": record.values["municipality"],
            "county": record.values["county"],
            "population": before.get("population") if keeps else people,
            "population_as_of": before.get("population_as_of", "") if keeps else self.as_of if people else "",
            "valid_from": before.get("valid_from", ""),
            "valid_to": before.get("valid_to", ""),
            "as_of": self.as_of,
            "source": self.source,
            "geom": shapely.set_srid(point, self.instance.metric_crs),
        }
        return self._row(record, code, values)

    def cell(self, record: Record) -> Row | None:
        people = check.whole_number(_whole(record.values.get("people", "")))
        if people is None:
            raise Unusable("Its number of people is not told.", "")
        if not people:
            return None
        middle = record.shape.centroid
        size_m = int(record.values.get("size_m") or round(float(np.sqrt(record.shape.area)), -1))
        values = {
            "people": people,
            "size_m": size_m,
            "as_of": self.as_of,
            "source": self.source,
            "geom": shapely.set_srid(middle, self.instance.metric_crs),
        }
        return self._row(record, record.code, values)

    def body(self, record: Record) -> Row:
        if record.shape.geom_type != "Point":
            raise Unusable(f"It is a {record.shape.geom_type}, not a point.", "")
        fixed, values = self.wanted.fixed, record.values
        told = {name: values.get(name) or fixed.get(name, "") for name in _BODY_TEXTS}
        return self._row(
            record,
            check.slug(_slug(f"{self.wanted.key}-{record.code}")),
            {
                **told,
                "layer": self.wanted.layer,
                "name": self._name(record),
                "names": {},
                "place": check.text(values.get("place", "")),
                "capabilities": list(fixed.get("capabilities", ())),
                "valid_from": "",
                "valid_to": "",
                "as_of": self.as_of,
                "as_of_inferred": False,
                "source": self.source,
                "source_url": self.wanted.licence_url,
                "notes": {},
                "geom": record.shape,
            },
            serves=[],
        )


_BODY_TEXTS = ("form", "readiness", "settlement", "municipality", "county", "precision")
_MAKERS: Mapping[str, Callable[[_Context, Record], Row | None]] = {
    AREAS: _Context.area,
    SETTLEMENTS: _Context.settlement,
    CELLS: _Context.cell,
    BODIES: _Context.body,
}


def _polygons(shape: Any) -> Any:
    """The shape as a multipolygon.

    Raises:
        Unusable: it is none, or crosses itself.
    """
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise Unusable(f"It is a {shape.geom_type}, not a polygon.", "")
    if not shape.is_valid:
        raise Unusable(
            f"It crosses itself ({shapely.is_valid_reason(shape)}), and mending would change its size.", ""
        )
    return shapely.set_srid(shapely.multipolygons([*shapely.get_parts(shape)]), shapely.get_srid(shape))


def _whole(text: str) -> str:
    """12.0 as 12: some tables write whole numbers so."""
    return text[:-2] if text.endswith(".0") else text


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
