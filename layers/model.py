"""The tables. A fact is kept twice in time: when it was true, and from which edition we know it.

`valid_from` and `valid_to` tell of the world; `edition_id` and `retired_in` tell of our knowledge. A
question names a day in the world (`as_of`) and is answered from present knowledge, or from what was
known at an earlier moment (`store.look_back`); an edition that turns out wrong can be taken back, because
nothing is overwritten.
"""

from datetime import date
from typing import Any, TypeVarTuple

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, Integer, MetaData, Select, Text, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, declared_attr, mapped_column, relationship

from layers.columns import Geom, Letters

Columns = TypeVarTuple("Columns")
Words = dict[str, Any]
"""Words by language: {"et": …, "en": …}."""
EDITS = "edits"
"""The dataset of what people correct by hand."""
RENEWED = 0
"""What an edition undoes that only shows again."""
NOT_KEPT = {"kept": False}
"""`info` of a table that no backup keeps: what is made of other tables, or opens a door (sessions)."""


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )


class Edition(Base):
    """One dated import into one table, with its source and licence.

    `dataset` tells whose rows they are: "" are the files of the instance, EDITS what people correct by hand,
    and every other name a source that a steward keeps importing; `how` remembers how its columns were read.
    `account` says who brought it, and `undoes` the edition that it takes back, or RENEWED where it changes
    nothing of its dataset: rows that a stronger one had hidden are shown again in it.
    """

    __tablename__ = "edition"

    id: Mapped[int] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(Letters, index=True)
    dataset: Mapped[str] = mapped_column(Letters, default="")
    account: Mapped[str] = mapped_column(Letters, default="")
    note: Mapped[str] = mapped_column(Text, default="")
    undoes: Mapped[int | None] = mapped_column(Integer)
    how: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    title: Mapped[Words] = mapped_column(JSON)
    source: Mapped[Words] = mapped_column(JSON)
    source_url: Mapped[str] = mapped_column(Text)
    licence: Mapped[str] = mapped_column(Letters)
    as_of: Mapped[str] = mapped_column(Letters)
    loaded_at: Mapped[str] = mapped_column(Letters)
    checksum: Mapped[str] = mapped_column(Letters)
    rows: Mapped[int] = mapped_column(Integer)


class Revision(Base):
    """How often a layer has changed; it rises in the transaction that changes it."""

    __tablename__ = "revision"

    layer: Mapped[str] = mapped_column(Letters, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)


class Confirmation(Base):
    """Somebody says that a fact still holds. It does not change the fact.

    It speaks of the fact's content (`digest`): what the fact says later has not been confirmed by it. `by` is
    how it came (account, link, steward file), `label` the role of who said it, never a person; `link` names
    the signed link that it came through, "" for none.
    """

    __tablename__ = "confirmation"
    __table_args__ = (Index(None, "table_name", "key"), Index(None, "link"))

    id: Mapped[int] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(Letters)
    key: Mapped[str] = mapped_column(Letters)
    digest: Mapped[str] = mapped_column(Letters)
    day: Mapped[str] = mapped_column(Letters)
    by: Mapped[str] = mapped_column(Letters)
    label: Mapped[str] = mapped_column(Letters)
    moment: Mapped[str] = mapped_column(Letters, index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str] = mapped_column(Letters, default="")


class Suggestion(Base):
    """What a reader says is out of date, until a steward has decided. It is never shown in public.

    `sender` is a keyed hash of an address and the day, to count with: it leads back to nobody.
    """

    __tablename__ = "suggestion"
    __table_args__ = (Index(None, "kind", "key"), Index(None, "link"))

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Letters)
    key: Mapped[str] = mapped_column(Letters)
    field: Mapped[str] = mapped_column(Letters, default="")
    text: Mapped[str] = mapped_column(Text)
    moment: Mapped[str] = mapped_column(Letters, index=True)
    state: Mapped[str] = mapped_column(Letters, default="open", index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    decided_by: Mapped[str] = mapped_column(Letters, default="")
    decided_at: Mapped[str] = mapped_column(Letters, default="")
    link: Mapped[str] = mapped_column(Letters, default="")
    sender: Mapped[str] = mapped_column(Letters, default="")


class Proposal(Base):
    """An edit that a partner wants, until a steward has decided. It is never shown in public.

    `change` is the edit as a form sent it, `seen` the newest edition that its writer saw, `label` the office
    of who proposes, and `edition` what became of it.
    """

    __tablename__ = "proposal"
    __table_args__ = (Index(None, "table_name", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(Letters)
    key: Mapped[str] = mapped_column(Letters)
    layer: Mapped[str] = mapped_column(Letters)
    seen: Mapped[int] = mapped_column(Integer)
    change: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text, default="")
    label: Mapped[str] = mapped_column(Letters)
    moment: Mapped[str] = mapped_column(Letters)
    state: Mapped[str] = mapped_column(Letters, default="open", index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    decided_by: Mapped[str] = mapped_column(Letters, default="")
    decided_at: Mapped[str] = mapped_column(Letters, default="")
    edition: Mapped[int | None] = mapped_column(Integer)


class LinkCheck(Base):
    """What came of asking for a web address that facts name as their source."""

    __tablename__ = "link_check"

    url: Mapped[str] = mapped_column(Text, primary_key=True)
    checked_at: Mapped[str] = mapped_column(Letters)
    outcome: Mapped[str] = mapped_column(Letters)
    status: Mapped[int | None] = mapped_column(Integer)
    moved_to: Mapped[str] = mapped_column(Text, default="")
    failures: Mapped[int] = mapped_column(Integer, default=0)


class Erasure(Base):
    """Something that may never be told again, by its keyed digest (`layers.erasures`)."""

    __tablename__ = "erasure"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Letters)
    key: Mapped[str] = mapped_column(Letters)
    digest: Mapped[str] = mapped_column(Letters)
    words: Mapped[int] = mapped_column(Integer)
    moment: Mapped[str] = mapped_column(Letters)
    by: Mapped[str] = mapped_column(Letters)
    reason: Mapped[str] = mapped_column(Text)
    found: Mapped[dict[str, int]] = mapped_column(JSON)


class Fact:
    """What every fact carries.

    `retired_in` is the edition in which its own dataset stopped saying it; `hidden_in` the one that brought a
    stronger dataset's word on the same thing. It comes back, as a copy, when nothing stronger is said.
    """

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Letters)
    digest: Mapped[str] = mapped_column(Letters)
    valid_from: Mapped[str] = mapped_column(Letters, default="")
    valid_to: Mapped[str] = mapped_column(Letters, default="")
    as_of: Mapped[str] = mapped_column(Letters, default="")
    source: Mapped[str] = mapped_column(Text, default="")
    source_url: Mapped[str] = mapped_column(Text, default="")

    @declared_attr
    def edition_id(cls) -> Mapped[int]:
        return mapped_column(ForeignKey("edition.id"), index=True)

    @declared_attr
    def retired_in(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("edition.id"), index=True)

    @declared_attr
    def hidden_in(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("edition.id"), index=True)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Index]:
        return (Index(None, "key", "valid_from", "retired_in"),)


class Area(Fact, Base):
    """A polygon of responsibility or interest. Its key is `kind:code`."""

    __tablename__ = "area"

    kind: Mapped[str] = mapped_column(Letters, index=True)
    code: Mapped[str] = mapped_column(Letters)
    names: Mapped[Words] = mapped_column(JSON)
    parent: Mapped[str] = mapped_column(Letters, default="")
    accuracy: Mapped[str] = mapped_column(Letters)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    geom: Mapped[Any] = mapped_column(Geom)


class Outline(Base):
    """How an area is drawn at a zoom step from a day until a day: GeoJSON in degrees."""

    __tablename__ = "outline"
    __table_args__ = {"info": NOT_KEPT}  # noqa: RUF012 (SQLAlchemy reads it)

    area_id: Mapped[int] = mapped_column(ForeignKey("area.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(Letters, primary_key=True)
    since: Mapped[str] = mapped_column(Letters, primary_key=True)
    until: Mapped[str] = mapped_column(Letters)
    shape: Mapped[str] = mapped_column(Text)


class Settlement(Fact, Base):
    """One entry of the gazetteer: a settlement with one point."""

    __tablename__ = "settlement"

    name: Mapped[str] = mapped_column(Letters)
    municipality: Mapped[str] = mapped_column(Letters, index=True)
    county: Mapped[str] = mapped_column(Letters)
    population: Mapped[int | None] = mapped_column(Integer)
    population_as_of: Mapped[str] = mapped_column(Letters, default="")
    geom: Mapped[Any] = mapped_column(Geom)


class Cell(Fact, Base):
    """How many people live in one square of a grid; `geom` is its middle, `size_m` its side."""

    __tablename__ = "cell"

    people: Mapped[int] = mapped_column(Integer)
    size_m: Mapped[int] = mapped_column(Integer)
    geom: Mapped[Any] = mapped_column(Geom)


class Body(Fact, Base):
    """An organisation. Without a known place it is listed, not mapped."""

    __tablename__ = "body"

    layer: Mapped[str] = mapped_column(Letters, index=True)
    name: Mapped[str] = mapped_column(Letters)
    names: Mapped[Words] = mapped_column(JSON)
    form: Mapped[str] = mapped_column(Letters)
    capabilities: Mapped[list[str]] = mapped_column(JSON)
    readiness: Mapped[str] = mapped_column(Letters, default="")
    place: Mapped[str] = mapped_column(Text, default="")
    settlement: Mapped[str] = mapped_column(Letters, default="")
    municipality: Mapped[str] = mapped_column(Letters, default="")
    county: Mapped[str] = mapped_column(Letters, default="")
    precision: Mapped[str] = mapped_column(Letters, default="")
    as_of_inferred: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[Words] = mapped_column(JSON)
    geom: Mapped[Any | None] = mapped_column(Geom)
    serves: Mapped[list["Serves"]] = relationship(cascade="all, delete-orphan", lazy="raise")


class Serves(Base):
    """An area that a body is responsible for."""

    __tablename__ = "serves"

    body_id: Mapped[int] = mapped_column(ForeignKey("body.id", ondelete="CASCADE"), primary_key=True)
    area: Mapped[str] = mapped_column(Letters, primary_key=True, index=True)


class Count(Fact, Base):
    """How many of a layer somebody has counted in an area: more than are known by name."""

    __tablename__ = "count"

    layer: Mapped[str] = mapped_column(Letters, index=True)
    area: Mapped[str] = mapped_column(Letters, index=True)
    number: Mapped[int | None] = mapped_column(Integer)
    qualifier: Mapped[str] = mapped_column(Letters, default="")
    households: Mapped[int | None] = mapped_column(Integer)
    households_qualifier: Mapped[str] = mapped_column(Letters, default="")
    members: Mapped[int | None] = mapped_column(Integer)
    as_of_inferred: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[Words] = mapped_column(JSON)


class Practice(Fact, Base):
    """A documented way of working together."""

    __tablename__ = "practice"

    titles: Mapped[Words] = mapped_column(JSON)
    summaries: Mapped[Words] = mapped_column(JSON)
    texts: Mapped[Words] = mapped_column(JSON)
    audiences: Mapped[list[str]] = mapped_column(JSON)
    themes: Mapped[list[str]] = mapped_column(JSON)
    related: Mapped[list[str]] = mapped_column(JSON)
    stage: Mapped[str] = mapped_column(Letters)
    sources: Mapped[list[dict[str, str]]] = mapped_column(JSON)


class Case(Fact, Base):
    """Practices at work somewhere."""

    __tablename__ = "case_study"

    titles: Mapped[Words] = mapped_column(JSON)
    summaries: Mapped[Words] = mapped_column(JSON)
    texts: Mapped[Words] = mapped_column(JSON)
    theme: Mapped[str] = mapped_column(Letters)
    outcome: Mapped[str] = mapped_column(Letters)
    stage: Mapped[str] = mapped_column(Letters)
    parties: Mapped[list[str]] = mapped_column(JSON)
    place: Mapped[str] = mapped_column(Text, default="")
    settlement: Mapped[str] = mapped_column(Letters, default="")
    municipality: Mapped[str] = mapped_column(Letters, default="")
    county: Mapped[str] = mapped_column(Letters, default="")
    precision: Mapped[str] = mapped_column(Letters, default="")
    period_from: Mapped[str] = mapped_column(Letters, default="")
    period_to: Mapped[str] = mapped_column(Letters, default="")
    as_of_inferred: Mapped[bool] = mapped_column(default=False)
    sources: Mapped[list[dict[str, str]]] = mapped_column(JSON)
    geom: Mapped[Any | None] = mapped_column(Geom)
    practices: Mapped[list["CasePractice"]] = relationship(cascade="all, delete-orphan", lazy="raise")
    bodies: Mapped[list["CaseBody"]] = relationship(cascade="all, delete-orphan", lazy="raise")
    areas: Mapped[list["CaseArea"]] = relationship(cascade="all, delete-orphan", lazy="raise")


class CasePractice(Base):
    """A practice that a case documents, and what was done differently there."""

    __tablename__ = "case_practice"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_study.id", ondelete="CASCADE"), primary_key=True)
    practice: Mapped[str] = mapped_column(Letters, primary_key=True, index=True)
    position: Mapped[int] = mapped_column(Integer)
    adaptation: Mapped[Words] = mapped_column(JSON)


class CaseBody(Base):
    """A body that took part in a case."""

    __tablename__ = "case_body"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_study.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[str] = mapped_column(Letters, primary_key=True, index=True)


class CaseArea(Base):
    """An area that a case covers."""

    __tablename__ = "case_area"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_study.id", ondelete="CASCADE"), primary_key=True)
    area: Mapped[str] = mapped_column(Letters, primary_key=True, index=True)


class Entry(Fact, Base):
    """One entry of the project's journal; `valid_from` is its day, `files` are attached to it."""

    __tablename__ = "journal"

    titles: Mapped[Words] = mapped_column(JSON)
    summaries: Mapped[Words] = mapped_column(JSON)
    texts: Mapped[Words] = mapped_column(JSON)
    files: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    sources: Mapped[list[dict[str, str]]] = mapped_column(JSON)


class Page(Fact, Base):
    """A text of the instance about itself, as who stands behind it."""

    __tablename__ = "page"

    titles: Mapped[Words] = mapped_column(JSON)
    summaries: Mapped[Words] = mapped_column(JSON)
    texts: Mapped[Words] = mapped_column(JSON)
    sources: Mapped[list[dict[str, str]]] = mapped_column(JSON)


class Event(Fact, Base):
    """A training or seminar. `begins` and `ends` are partial dates, or times with their distance to UTC."""

    __tablename__ = "event"

    titles: Mapped[Words] = mapped_column(JSON)
    notes: Mapped[Words] = mapped_column(JSON)
    begins: Mapped[str] = mapped_column(Letters)
    ends: Mapped[str] = mapped_column(Letters, default="")
    place: Mapped[str] = mapped_column(Text, default="")
    parties: Mapped[list[str]] = mapped_column(JSON)
    practices: Mapped[list[str]] = mapped_column(JSON)
    materials: Mapped[list[str]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(Letters)


def known(session: Session, query: Select[*Columns], table: Any) -> Select[*Columns]:
    """Only what is known now; in a session that looks back (`store.look_back`), what was known then."""
    newest = session.info.get("known")
    if newest is None:
        return query.where(is_shown(table))
    return query.where(
        table.edition_id <= newest,
        table.retired_in.is_(None) | (table.retired_in > newest),
        table.hidden_in.is_(None) | (table.hidden_in > newest),
    )


def is_shown(table: Any) -> ColumnElement[bool]:
    """Whether a row is what is known now."""
    shown: ColumnElement[bool] = table.retired_in.is_(None) & table.hidden_in.is_(None)
    return shown


def on_day(session: Session, query: Select[*Columns], table: Any, as_of: date) -> Select[*Columns]:
    """Only what is known and was so on the day."""
    day = as_of.isoformat()
    return known(session, query, table).where(
        table.valid_from <= day, (table.valid_to == "") | (table.valid_to > day)
    )


def last_confirmed(session: Session, table: Any) -> ColumnElement[str | None]:
    """A column: the newest day on which what a row says was confirmed, as far as the session knows."""
    said = Confirmation
    query = select(func.max(said.day)).where(
        said.table_name == table.__tablename__, said.key == table.key, said.digest == table.digest
    )
    if (newest := session.info.get("confirmed")) is not None:
        query = query.where(said.id <= newest)
    return query.correlate(table).scalar_subquery().label("confirmed")
