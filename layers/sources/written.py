"""The rules for what is written: required parts, languages, sources, days and contacts.

The instance says under `sections` which parts a kind of text has and how they are headed; a kind that it does
not name there may be written as one likes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from layers import texts
from layers.catalog import Instance
from layers.errors import Problem
from layers.sources.rows import Row
from layers.texts import Headings

_DAYS = ("as_of", "from", "to")


@dataclass(frozen=True)
class Sheet:
    """One file: its front matter and text. `begins` is the line of the file at which the text begins."""

    file: str
    front: Mapping[str, Any]
    facts: str
    text: str
    begins: int

    def line_of(self, name: str, value: str = "") -> int:
        """The line at which a part of the front matter stands, or below it a value; 0 where it is not."""
        lines = self.facts.split("\n")
        start = next((at for at, line in enumerate(lines) if line.startswith(f"{name}:")), None)
        if start is None:
            return 0
        found = (at for at in range(start, len(lines)) if value in lines[at])
        return next(found, start) + 2  # The first line is the one with ---.

    def problem(self, line: int, what: str, remedy: str) -> Problem:
        return Problem(self.file, line, what, remedy)


def problems(
    sheets: Mapping[str, Sheet], *, main: Sheet, kind: str, instance: Instance, today: date | None
) -> list[Problem]:
    """What is wrong with one text in the languages that it has; `today` asks whether a day lies ahead.

    `main` is the sheet that carries the facts.
    """
    headings = instance.sections.get(kind, {})
    found = [problem for sheet in sheets.values() for problem in _contacts(sheet)]
    found += _days(main, today)
    if headings:
        found += _sources(main)
        for language, sheet in sheets.items():
            found += _parts(
                sheet, {key: words[language] for key, words in headings.items() if language in words}
            )
    return found


def _contacts(sheet: Sheet) -> Iterator[Problem]:
    remedy = "Take it out: no contact is published."
    for name in ("title", "summary"):
        for _, what in texts.contacts(sheet.front[name]):
            yield sheet.problem(
                sheet.line_of(name), f"There is a private contact in the text: “{what}”.", remedy
            )
    for line, what in texts.contacts(sheet.text):
        yield sheet.problem(
            sheet.begins + line - 1, f"There is a private contact in the text: “{what}”.", remedy
        )


def _days(sheet: Sheet, today: date | None) -> Iterator[Problem]:
    if today is None:
        return
    said = [(name, str(sheet.front.get(name) or "")) for name in _DAYS]
    said += [("sources", str(source.get("date") or "")) for source in _listed(sheet)]
    for name, day in said:
        if day > today.isoformat()[: len(day)]:
            what = f"“{name}”: {day} lies in the future."
            yield sheet.problem(
                sheet.line_of(name, day), what, "Correct the date; a text tells what has been."
            )


def _listed(sheet: Sheet) -> Iterable[Mapping[str, Any]]:
    found = sheet.front.get("sources")
    return [source for source in found if isinstance(source, dict)] if isinstance(found, list) else []


def unwritten(sheets: Mapping[str, Sheet], *, key: str, kind: str, instance: Instance) -> Iterator[Problem]:
    """The languages in which a text of a kind with parts is still to be written."""
    headings: Headings = instance.sections.get(kind, {})
    main = sheets.get(instance.default_language) or next(iter(sheets.values()))
    for language in instance.languages if headings else ():
        if language not in sheets:
            needs = (
                "the whole text"
                if any(language in words for words in headings.values())
                else "a title and a summary"
            )
            file = f"{main.file.rpartition('/')[0]}/{key}.{language}.md"
            yield main.problem(0, f"There is no text in “{language}”.", f"Write {file} with {needs}.")


def _sources(sheet: Sheet) -> Iterator[Problem]:
    for source in _listed(sheet):
        line = sheet.line_of("sources", str(source.get("title") or ""))
        if not source.get("url"):
            remedy = "Give its web address, so that a reader can look."
            yield sheet.problem(line, f"The source “{source.get('title')}” has no url.", remedy)
        if not (source.get("date") or source.get("undated") is True):
            remedy = "Give the date of the page, or write undated: true where it shows none."
            yield sheet.problem(line, f"The source “{source.get('title')}” has no date.", remedy)


def _parts(sheet: Sheet, headings: Mapping[str, str]) -> Iterator[Problem]:
    if not headings:
        return
    there = texts.sections(sheet.text)
    names = [section.heading for section in there]
    for heading in headings.values():
        if heading not in names:
            what = f"The part “{heading}” is missing."
            yield sheet.problem(
                sheet.begins, what, f"Write it under ## {heading}; say plainly what is not known."
            )
    for at, section in enumerate(there):
        line = sheet.begins + section.line - 1
        if section.heading not in headings.values():
            remedy = f"Use these headings: {', '.join(headings.values())}."
            yield sheet.problem(line, f"“{section.heading}” is no part of these texts.", remedy)
        elif section.heading in names[:at]:
            yield sheet.problem(line, f"The part “{section.heading}” stands there twice.", "Join the two.")
        elif not section.body:
            remedy = "Write it; where the sources say nothing, say so."
            yield sheet.problem(line, f"The part “{section.heading}” is empty.", remedy)


def uncrossed(cases: Iterable[Row], practices: Iterable[Row], instance: Instance) -> Iterator[Problem]:
    """Where a link leads only one way: a practice that no case shows, a case that its place does not list."""
    cases = list(cases)
    if "practices" in instance.sections and cases:
        shown = {link["practice"] for row in cases for link in row.links["practices"]}
        for row in practices:
            if row.key not in shown:
                remedy = "Name it under “practices” in a case that does it, with what was done differently."
                yield row.problem("No case shows this practice.", remedy)
    for row in cases if "cases" in instance.sections else ():
        seats = {f"{kind}:{row.values[kind]}" for kind in ("municipality", "county") if row.values[kind]}
        if seats and not seats & {link["area"] for link in row.links["areas"]}:
            what = "The case's own place does not list it: none of its areas is where it stands."
            yield row.problem(what, f"Add {' or '.join(sorted(seats))} under “areas”.")
