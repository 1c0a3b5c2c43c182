"""Rows that name areas by codes which have changed → the same under the codes by which the store knows them.

An area keeps the code by which it became known, so that whatever names it stays true, and tells what official
lists call it now as a fact, `official_code`. Whoever names it by either code means it. Nothing is guessed
(`layers.aliases`): what cannot be followed is told, with the remedy. A row that tells `official_code` itself
is taken as it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Protocol

from layers import aliases, dates
from layers.aliases import OFFICIAL_CODE, Book, Matches, Told, Unit
from layers.catalog import said
from layers.errors import N_, Problem, Sentence
from layers.sources.rows import Checked, Row, repeated

_KINDS = ("municipality", "county")
"""Columns that hold the code of an area of their kind."""
_LINKS = {"body": "serves", "case_study": "areas"}
_FOLLOWED = N_(
    "“{name}” has the code {code} here and is known by {known}: it keeps {known}, so that all that names it "
    "stays true, and tells {code} as its official code."
)
_IS_ANOTHER = N_(
    "The code {code} of “{name}” is the one by which {known} is known, which is called otherwise."
)
_IN_DOUBT = N_("Nobody can tell whether “{name}” ({code}) is {codes}, which is known: code and name differ.")
_MAY_BE = N_("“{name}” ({code}) may be {codes}, which is known: it is new here, and what names that stays.")
READ_AS = N_("The area {area} was read as {known}, by which it is known.")
SEVERAL = N_("Several areas were called {area}: nobody can tell which one is meant.")
_WRITE_BOTH = N_(
    "Write the code by which the area is known as its code (a new one for a new area), and the official code "
    "as its fact official_code."
)
SAY_KNOWN = N_("Write the code by which the area is known.")
_NOTHING = N_("Nothing has to be done.")


class Codes(Protocol):
    """What the store knows of areas: what codes meant on a day, and which areas of a kind there were."""

    @property
    def book(self) -> Book: ...

    def units(self, kind: str, told: Mapping[str, str], day: date) -> Sequence[Unit]:
        """The areas of a kind on a day, with their shapes where `told` (official code → name) differs."""
        ...


@dataclass(frozen=True)
class Nothing:
    """The codes of a store that knows no area."""

    book: Book = field(default_factory=Book)

    def units(self, kind: str, told: Mapping[str, str], day: date) -> Sequence[Unit]:
        return ()


NOTHING = Nothing()


# --- Areas


def areas(checked: Checked, codes: Codes, *, day: date, language: str) -> tuple[Checked, Book]:
    """Areas under the codes by which they are known, and the book with what they add to it.

    Only rows of the `day` are compared, and only with what the file does not tell itself. What would take the
    code of another area, or stand there twice, is refused.
    """
    book = codes.book
    for kind in dict.fromkeys(str(row.values["kind"]) for row in checked.rows):
        own = [row for row in checked.rows if row.values["kind"] == kind]
        checked, told = _of_kind(checked, own, codes, kind=kind, day=day, language=language)
        book = book.joined(told)
        if told:
            checked = replace(checked, problems=(*checked.problems, *repeated(checked.rows)))
    return checked, book


def _of_kind(
    checked: Checked, own: Sequence[Row], codes: Codes, *, kind: str, day: date, language: str
) -> tuple[Checked, list[Told]]:
    fresh = {str(row.values["code"]): row for row in own if _is_compared(row, day)}
    names = {code: said(row.values["names"], language, language) for code, row in fresh.items()}
    stands = {(row.values["code"], row.valid_from) for row in own if not _is_compared(row, day)}
    said_so = {row.values["code"] for row in own if _is_held(row, day) and not _is_compared(row, day)}
    known = [
        unit
        for unit in codes.units(kind, names, day)
        if unit.code not in said_so and (unit.code, unit.valid_from) not in stands
    ]
    if not known:
        return checked, []
    there = {unit.code: unit for unit in known}
    matches = aliases.matched(known, [_unit(row, names, codes.book, day) for row in fresh.values()], day)
    again: dict[int, Row | None] = {}
    notes: list[Problem] = []
    problems: list[Problem] = []
    told: list[Told] = []
    for code, row in fresh.items():
        about, before = {"name": names[code], "code": code}, matches.new_to_old.get(code, code)
        if refusal := _refusal(matches, code, there, about):
            again[id(row)] = None
            problems.append(row.problem(refusal, _WRITE_BOTH))
        elif before != code:
            again[id(row)] = _under(row, before)
            told.append(Told(kind, before, code, str(row.values["as_of"])))
            told += [Told(kind, code, code)] if code in there else []
            notes.append(row.problem(Sentence(_FOLLOWED, known=before, **about), _NOTHING))
        elif olds := matches.doubtful.get(code):
            notes.append(row.problem(Sentence(_MAY_BE, codes=", ".join(olds), **about), _WRITE_BOTH))
    rows = [again.get(id(row), row) for row in checked.rows]
    lost = {row.key for row in fresh.values() if again.get(id(row), row) is None}
    found = replace(
        checked,
        rows=tuple(row for row in rows if row is not None),
        problems=(*checked.problems, *problems),
        refused=None if checked.refused is None else checked.refused | lost,
        notes=(*checked.notes, *notes),
    )
    return found, told


def _is_compared(row: Row, day: date) -> bool:
    """Whether a row speaks of the day, and does not say itself by which code the area is known."""
    return _is_held(row, day) and OFFICIAL_CODE not in row.values["facts"]


def _is_held(row: Row, day: date) -> bool:
    return dates.holds(row.valid_from, str(row.values["valid_to"]), day.isoformat())


def _unit(row: Row, names: Mapping[str, str], book: Book, day: date) -> Unit:
    code, (kind, _, parent) = str(row.values["code"]), str(row.values["parent"]).partition(":")
    around = (book.means(kind, parent, day) or "") if parent else ""
    return Unit(code, names[code], around, shape=row.values["geom"])


def _refusal(
    matches: Matches, code: str, there: Mapping[str, Unit], about: Mapping[str, str]
) -> Sentence | None:
    """Why an area may not have its code here: it would be taken for one that is known."""
    if code in matches.taken:
        return Sentence(_IS_ANOTHER, known=there[code].name, **about)
    if code in matches.doubtful and code in there:
        return Sentence(_IN_DOUBT, codes=", ".join(matches.doubtful[code]), **about)
    return None


def _under(row: Row, code: str) -> Row:
    facts = {**row.values["facts"], OFFICIAL_CODE: row.values["code"]}
    values = {**row.values, "code": code, "facts": facts}
    return replace(row, key=f"{row.values['kind']}:{code}", values=values)


# --- What names areas


def links(checked: Checked, table: str, book: Book, *, day: date) -> Checked:
    """Rows whose links name areas as these are known. A row speaks of its own `as_of`, else of the `day`."""
    if not book.told:
        return checked
    notes: list[Problem] = []
    problems: list[Problem] = []
    rows = [_linked(row, table, book, day, notes, problems) for row in checked.rows]
    return replace(
        checked,
        rows=tuple(rows),
        problems=(*checked.problems, *problems),
        notes=(*checked.notes, *notes),
    )


def _linked(
    row: Row, table: str, book: Book, day: date, notes: list[Problem], problems: list[Problem]
) -> Row:
    when = spoken(str(row.values.get("as_of", "")), str(row.values.get("valid_to", "")), day)

    def read(area: str) -> str:
        known = known_as(area, book, when)
        if known is None:
            problems.append(row.problem(Sentence(SEVERAL, area=area), SAY_KNOWN))
        elif known != area:
            notes.append(row.problem(Sentence(READ_AS, area=area, known=known), _NOTHING))
        return known or area

    values = dict(row.values)
    for kind in _KINDS:
        if values.get(kind):
            values[kind] = read(f"{kind}:{values[kind]}").partition(":")[2]
    for name in ("parent", "area"):
        if values.get(name):
            values[name] = read(values[name])
    about = {**row.links}
    if (name := _LINKS.get(table, "")) in about:
        areas_ = dict.fromkeys(read(str(link["area"])) for link in about[name])
        about[name] = [{"area": area} for area in areas_]
    is_same = values == row.values and about == row.links
    return row if is_same else replace(row, values=values, links=about)


def known_as(area: str, book: Book, day: date) -> str | None:
    """The key of the area that a source of a day means by `kind:code`; None when it may mean several."""
    kind, _, code = area.partition(":")
    known = book.means(kind, code, day)
    return None if known is None else f"{kind}:{known}"


def spoken(as_of: str, valid_to: str, day: date) -> date:
    """Of which day a row speaks: its own, and never of one after its end; else the given one."""
    told: list[str] = [text for text in (as_of or day.isoformat(), valid_to) if text]
    return dates.first_day(min(told))
