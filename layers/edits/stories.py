"""The cells of a case → a row that may be written: read by the loader itself, as if they stood in files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from layers.catalog import Instance
from layers.doctor.lines import said
from layers.edits import checks, sheets
from layers.edits.checks import Fault, Formed, Wrong
from layers.edits.things import State, Thing
from layers.errors import N_, Sentence
from layers.model import Area, Body, Case, CasePractice, Practice, Settlement, is_shown
from layers.sources import drafts, texts
from layers.sources import rows as check
from layers.sources.rows import Row, Unusable

MOST_LETTERS = 40_000
_THERE: Mapping[str, Any] = {"practice": Practice, "body": Body, "area": Area, "case": Case}
_NONE_THERE = {
    "practice": N_("There is no practice “{key}”."),
    "body": N_("There is no organisation “{key}”."),
    "area": N_("There is no area “{key}”."),
    "case": N_("There is no case “{key}”."),
}
_PART_OF = {"practices": "practice", "bodies": "body", "areas": "area"}
_SEATS = ("municipality", "county")


def formed(
    session: Session,
    instance: Instance,
    thing: Thing,
    cells: Mapping[str, str],
    *,
    base: State | None,
    today: date | None,
) -> Formed:
    """The row of a form's cells; `base` is the state that it began from.

    With `today` a case that tells of a later day is refused.

    Raises:
        Wrong: with everything that is wrong.
    """
    cells = checks.clean(cells)
    faults = [*_long(cells), *_of_values(instance, cells), *_of_links(session, cells)]
    faults += [*_of_words(instance, cells), *_of_sources(cells), *_of_period(cells, faults)]
    key = thing.key or _new_key(session, instance, cells)
    files = sheets.files(instance, key, cells, base=base.row if base else None)
    read = texts.case_in(files, instance=instance, today=today)
    if not faults:
        faults = [Fault("", said(one.what), said(one.remedy)) for one in read.problems]
    for row in read.rows:
        faults += [*_of_mentions(session, row, key), *_of_seat(instance, row)]
    if faults:
        raise Wrong(faults)
    row = _whole(read.rows[0], cells, base)
    kept = checks.kept(session, instance, row, thing.layer)
    return replace(kept, told=(*kept.told, *_unshown(session, key, row, base)))


def _whole(row: Row, cells: Mapping[str, str], base: State | None) -> Row:
    """The row with what no file tells: when it is valid, and the exact point where that was not touched."""
    values = {**row.values, "valid_to": check.partial_date(cells.get("valid_to", ""))}
    if base and base.valid_from != base.cells["from"]:
        values["valid_from"] = base.valid_from
    if base and all(cells.get(name, "") == base.cells[name] for name in ("lat", "lon", "precision")):
        # Degrees of a form are rounded; what was not touched does not move.
        values["geom"] = base.row.values["geom"]
    links = {
        **row.links,
        **{
            name: sorted(row.links[name], key=lambda link: str(link[_PART_OF[name]]))
            for name in ("bodies", "areas")
        },
    }
    return replace(row, values=values, links=links)


def _new_key(session: Session, instance: Instance, cells: Mapping[str, str]) -> str:
    """A key made of the title, unlike every key that a case has ever had."""
    taken = sorted(set(session.scalars(select(Case.key))))
    return drafts.key(cells.get(f"title-{instance.default_language}", ""), taken=taken)


# --- What is wrong


def _long(cells: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in cells.items():
        if len(text) > MOST_LETTERS:
            what = Sentence("Write at most {most} letters.", most=MOST_LETTERS)
            yield Fault(name, what, Sentence("Shorten it."))


def _of_values(instance: Instance, cells: Mapping[str, str]) -> Iterator[Fault]:
    """What the loader would say of the facts, each at its field and not only the first."""
    # Keys are looked up: that they are well formed need not be said besides.
    tests = {name: one for name, one in texts.case_checks(instance).items() if name not in _PART_OF}
    lists = {name: sheets.several(cells.get(name, "")) for name in (*_PART_OF, "parties")}
    for name, test in (*tests.items(), ("valid_to", check.partial_date)):
        for value in lists["parties"] if name == "parties" else [cells.get(name, "")]:
            yield from _tested(name, test, value)
    for name, values in lists.items():
        yield from _tested(name, check.once, values)
    if not lists["practices"]:
        yield Fault("practices", Sentence("The case documents no practice."), Sentence("Name at least one."))


def _of_words(instance: Instance, cells: Mapping[str, str]) -> Iterator[Fault]:
    """Every language that has a file has a title and a summary."""
    for language in sheets.languages(instance, cells):
        for name in (f"title-{language}", f"summary-{language}"):
            yield from _tested(name, check.some_text, cells.get(name, ""))


def _of_sources(cells: Mapping[str, str]) -> Iterator[Fault]:
    sources = sheets.sources(cells.get("sources", ""))
    if not sources:
        remedy = Sentence("Name at least one source that others can look up.")
        yield Fault("sources", Sentence("There is no source."), remedy)
    for source in sources:
        for name, test in texts.SOURCE_CHECKS.items():
            yield from _tested("sources", test, "" if source[name] == sheets.UNDATED else source[name])


def _tested(field: str, test: Callable[[Any], object], value: Any) -> Iterator[Fault]:
    try:
        test(value)
    except Unusable as error:
        yield Fault(field, said(error.what), said(error.remedy))


def _of_period(cells: Mapping[str, str], faults: Iterable[Fault]) -> Iterator[Fault]:
    """An end before the beginning, where both are dates."""
    if {"from", "to"} & {one.field for one in faults}:
        return
    yield from _tested("to", lambda end: check.period(cells.get("from", ""), end), cells.get("to", ""))


def _of_links(session: Session, cells: Mapping[str, str]) -> Iterator[Fault]:
    for name, kind in _PART_OF.items():
        wanted = sheets.several(cells.get(name, ""))
        yield from (_lost(name, kind, key) for key in _missing(session, kind, wanted))
    for name in _SEATS:
        key = f"{name}:{cells[name]}"
        if cells.get(name) and _missing(session, "area", [key]):
            yield _lost(name, "area", key)
    if code := cells.get("settlement"):
        known = select(Settlement.key).where(Settlement.key == code, is_shown(Settlement)).limit(1)
        if session.scalar(known) is None:
            what = Sentence("There is no place “{code}”.", code=code)
            yield Fault("settlement", what, Sentence("Correct it, or leave it blank."))


def _lost(name: str, kind: str, key: str) -> Fault:
    return Fault(name, Sentence(_NONE_THERE[kind], key=key), Sentence("Correct it, or leave it blank."))


def _missing(session: Session, kind: str, keys: Iterable[str]) -> list[str]:
    wanted = dict.fromkeys(keys)
    table = _THERE[kind]
    query = select(table.key).where(table.key.in_(wanted), is_shown(table))
    there = set(session.scalars(query)) if wanted else set()
    return [key for key in wanted if key not in there]


def _of_mentions(session: Session, row: Row, own: str) -> Iterator[Fault]:
    """Links in the texts that lead nowhere, at the texts of their language."""
    for kind in ("case", "practice", "body"):
        mentions = [one for one in row.mentions if one.kind == kind and (kind, one.key) != ("case", own)]
        lost = _missing(session, kind, [one.key for one in mentions])
        for one in mentions:
            if one.key in lost:
                language = one.file.removesuffix(".md").rpartition(".")[2]
                yield _lost(f"part-{sheets.WHOLE}-{language}", kind, one.key)


def _of_seat(instance: Instance, row: Row) -> Iterator[Fault]:
    """Where a case stands it is listed too, in an instance whose cases have parts: so the loader wants it."""
    seats = {f"{kind}:{row.values[kind]}" for kind in _SEATS if row.values[kind]}
    if "cases" in instance.sections and seats and not seats & {link["area"] for link in row.links["areas"]}:
        what = Sentence("The case's own place does not list it: none of its areas is where it stands.")
        yield Fault("areas", what, Sentence("Add {areas}.", areas=", ".join(sorted(seats))))


def _unshown(session: Session, key: str, row: Row, base: State | None) -> Iterator[Sentence]:
    """Practices that no other case shows, where this one does not any more."""
    before = {link["practice"] for link in base.row.links["practices"]} if base else set()
    for practice in sorted(before - {link["practice"] for link in row.links["practices"]}):
        other = select(Case.id).join(CasePractice, CasePractice.case_id == Case.id)
        other = other.where(CasePractice.practice == practice, Case.key != key, is_shown(Case)).limit(1)
        if session.scalar(other) is None:
            yield Sentence("No other case shows the practice “{practice}”.", practice=practice)
