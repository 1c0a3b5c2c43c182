"""Markdown with front matter → rows: cases, practices, journal and pages, one file a language.

`<key>.<language>.md`: the default language's file carries the facts, the others a title, a summary and text.
A text whose facts say `state: draft` or `state: review` is checked and held back; without the word it is
published. What is held back may be written in one language only, which then carries the facts.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from layers import texts
from layers.catalog import Instance
from layers.errors import Problem
from layers.sources import rows as check
from layers.sources import written
from layers.sources.rows import Check, Checked, Link, Row, Unusable
from layers.sources.written import Sheet

PUBLISHED = "published"
STATES = {"draft": "a draft", "review": "under review", PUBLISHED: "published"}
Values = dict[str, Any]
Shape = Callable[[Values, Instance], tuple[Values, Values]]
# What a browser shows or keeps, and never runs.
_ENDINGS = ("csv", "jpg", "pdf", "png", "txt")
_FILE = re.compile(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(_ENDINGS)})")


def cases(folder: Path, *, instance: Instance, today: date | None = None) -> Checked:
    return _read(folder, "cases", instance, _case, today)


def case(name: str, text: str, *, instance: Instance, today: date | None = None) -> Checked:
    """One case as `cases` reads it from a file of this name (`key.language.md`), before there is a file."""
    return case_in({name: text}, instance=instance, today=today)


def case_in(files: Mapping[str, str], *, instance: Instance, today: date | None = None) -> Checked:
    """The same of one case in several languages: `key.language.md` -> text. There is one file or more."""
    found: dict[str, tuple[str, bytes]] = {}
    key = ""
    for name, text in files.items():
        key, _, language = name.removesuffix(".md").rpartition(".")
        found[language] = (f"cases/{name}", text.encode())
    return _checked(key, found, "cases", instance, _case, today)


def practices(folder: Path, *, instance: Instance, today: date | None = None) -> Checked:
    return _read(folder, "practices", instance, _practice, today)


def journal(folder: Path, *, instance: Instance, today: date | None = None) -> Checked:
    """Entries of the journal; the files that they name lie in `files` inside the folder."""

    def shape(front: Values, _instance: Instance) -> tuple[Values, Values]:
        return _entry(front, folder / "files")

    return _read(folder, "journal", instance, shape, today)


def pages(folder: Path, *, instance: Instance, today: date | None = None) -> Checked:
    """Texts of the instance about itself."""
    return _read(folder, "pages", instance, lambda front, _: (_sources(_Taker(front)), {}), today)


def _read(folder: Path, kind: str, instance: Instance, shape: Shape, today: date | None) -> Checked:
    files, problems = _by_key(folder, instance)
    found = []
    for key, paths in files.items():
        written_in = {
            language: (check.named(path, instance), path.read_bytes()) for language, path in paths.items()
        }
        found.append(_checked(key, written_in, kind, instance, shape, today))
    return Checked(
        rows=tuple(row for one in found for row in one.rows),
        problems=(*problems, *(problem for one in found for problem in one.problems)),
        refused=frozenset(key for one in found for key in one.refused or ()),
        notes=tuple(note for one in found for note in one.notes),
        held=tuple(row for one in found for row in one.held),
    )


Files = Mapping[str, tuple[str, bytes]]
"""The files of one text: language -> name and bytes."""


def _checked(
    key: str, files: Files, kind: str, instance: Instance, shape: Shape, today: date | None
) -> Checked:
    try:
        sheets = {language: _sheet(name, content) for language, (name, content) in files.items()}
        main = _main(key, sheets, instance)
        state = _state(main)
        row = _row(key, sheets, main, instance, shape)
    except _Bad as error:
        return Checked((), (error.problem,), frozenset({key}))
    problems = written.problems(sheets, main=main, kind=kind, instance=instance, today=today)
    lacking = tuple(written.unwritten(sheets, key=key, kind=kind, instance=instance))
    if state == PUBLISHED:
        return Checked((row,), (*problems, *lacking))
    what = f"The text is {STATES[state]}: it was checked and not loaded."
    note = main.problem(main.line_of("state"), what, "Write state: published when it may be shown.")
    return Checked((), tuple(problems), notes=(note, *lacking), held=(row,))


class _Bad(Exception):
    def __init__(self, file: str, row: int, what: str, remedy: str) -> None:
        self.problem = Problem(file, row, what, remedy)


def _by_key(folder: Path, instance: Instance) -> tuple[dict[str, dict[str, Path]], list[Problem]]:
    found: dict[str, dict[str, Path]] = {}
    problems = []
    for file in sorted(folder.glob("*.md")):
        key, _, language = file.name.removesuffix(".md").rpartition(".")
        if language in instance.languages:
            found.setdefault(key, {})[language] = file
        else:
            what = f"“{language}” is not a language of this instance."
            remedy = f"Name the file key.language.md with one of: {', '.join(instance.languages)}."
            problems.append(Problem(check.named(file, instance), 0, what, remedy))
    return found, problems


def _main(key: str, sheets: Mapping[str, Sheet], instance: Instance) -> Sheet:
    """The sheet that carries the facts."""
    if main := sheets.get(instance.default_language):
        return main
    for sheet in sheets.values():
        if sheet.front.get("state", PUBLISHED) != PUBLISHED:
            return sheet
    what = f"The file {key}.{instance.default_language}.md is missing."
    remedy = "Write it: the default language's file carries the facts."
    raise _Bad(next(iter(sheets.values())).file, 0, what, remedy)


def _state(main: Sheet) -> str:
    state = str(main.front.get("state", PUBLISHED))
    if state not in STATES:
        remedy = f"Use one of: {', '.join(STATES)}; without it the text is published."
        raise _Bad(main.file, main.line_of("state"), f"“{state}” is no state of a text.", remedy)
    return state


def _row(key: str, sheets: Mapping[str, Sheet], main: Sheet, instance: Instance, shape: Shape) -> Row:
    try:
        check.slug(key)
        values, links = shape(dict(main.front), instance)
    except Unusable as error:
        raise _Bad(main.file, 0, error.what, error.remedy) from error
    words = {
        "titles": {language: sheet.front["title"] for language, sheet in sheets.items()},
        "summaries": {language: sheet.front["summary"] for language, sheet in sheets.items()},
        "texts": {language: sheet.text for language, sheet in sheets.items() if sheet.text},
    }
    mentions = tuple(_mentions(sheets.values()))
    return Row(key=key, line=0, file=main.file, values={**words, **values}, links=links, mentions=mentions)


def _mentions(sheets: Iterable[Sheet]) -> Iterator[Link]:
    for sheet in sheets:
        for one in texts.mentions(sheet.text):
            yield Link(sheet.file, sheet.begins + one.line - 1, one.kind, one.key)


def _sheet(name: str, content: bytes) -> Sheet:
    try:
        # A file from Windows ends its lines in two signs.
        parts = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n").split("---\n", 2)
    except UnicodeDecodeError as error:
        raise _Bad(name, 0, "The file is not in UTF-8.", "Save it in UTF-8.") from error
    if len(parts) < 3 or parts[0].strip():
        remedy = "Begin the file with --- and end its facts with ---."
        raise _Bad(name, 1, "There is no front matter.", remedy)
    try:
        front = yaml.safe_load(parts[1])
    except (yaml.YAMLError, ValueError) as error:  # A day that is not in the calendar is a ValueError.
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 0  # The first line is the one with ---.
        what = f"The front matter cannot be read: {getattr(error, 'problem', error)}."
        raise _Bad(name, line, what, "Mend the line.") from error
    for needed in ("title", "summary"):
        if not isinstance(front, dict) or not front.get(needed):
            raise _Bad(name, 0, f"“{needed}” is missing in the front matter.", "Add it.")
        if not isinstance(front[needed], str):
            raise _Bad(name, 0, f"“{needed}” is no text.", "Put it between quotation marks.")
    text = parts[2].lstrip()
    begins = 3 + parts[1].count("\n") + parts[2][: len(parts[2]) - len(text)].count("\n")
    return Sheet(name, front, parts[1], text.rstrip(), begins)


def _practice(front: Values, instance: Instance) -> tuple[Values, Values]:
    take = _Taker(front)
    values = {
        "audiences": take.codes("audiences", instance.codes.get("parties", {})),
        "themes": take.codes("themes", instance.codes.get("themes", {})),
        "stage": take("stage", check.one_of(instance.codes.get("stages", {}))),
        "related": take.several("related", check.slug),
        **_sources(take),
    }
    return values, {}


def _entry(front: Values, folder: Path) -> tuple[Values, Values]:
    take = _Taker(front)
    day = take("date", check.partial_date)
    if not day:
        raise Unusable("“date” is missing.", "Write the day, month or year of the entry: date: 2016-09-26.")
    files = [_file(entry, take, folder) for entry in take.list("files")]
    return {"valid_from": day, "files": files, **_sources(take)}, {}


def _file(entry: Any, take: "_Taker", folder: Path) -> Values:
    if not isinstance(entry, dict):
        raise Unusable("“files”: a file is no text.", "Write {name: …, title: {et: …, en: …}}.")
    name = take.each("files", entry.get("name") or "", _file_name)
    if not (folder / name).is_file():
        raise Unusable(f"“files”: {name} is not there.", "Put it into journal/files.")
    return {"name": name, "titles": _by_language("title", entry.get("title") or {})}


def _file_name(value: str) -> str:
    if not _FILE.fullmatch(value):
        raise Unusable(
            f"“{value}” is no file of the journal.",
            f"Use small letters, digits, hyphens and one of: {', '.join(_ENDINGS)}.",
        )
    return value


SOURCE_CHECKS: Mapping[str, Check] = {
    "title": check.some_text,
    "url": check.web_address,
    "date": check.partial_date,
}


def case_checks(instance: Instance) -> Mapping[str, Check]:
    """The check of every fact of a case by its name in the front matter; of a list it takes one of it."""
    codes = instance.codes
    return {
        "theme": check.one_of(codes.get("themes", {})),
        "outcome": check.one_of(codes.get("outcomes", {})),
        "stage": check.one_of(codes.get("stages", {})),
        "parties": check.one_of(codes.get("parties", {})),
        **dict.fromkeys(("place", "settlement", "municipality", "county"), check.text),
        "precision": check.one_of(codes.get("precision", {}), blank=True),
        **dict.fromkeys(("lat", "lon"), check.decimal),
        **dict.fromkeys(("from", "to", "as_of"), check.partial_date),
        **dict.fromkeys(("practices", "bodies"), check.slug),
        "areas": check.area_keys,
    }


def _case(front: Values, instance: Instance) -> tuple[Values, Values]:
    take, tests = _Taker(front), case_checks(instance)
    plain = ("theme", "outcome", "stage", "place", "settlement", "municipality", "county", "precision")
    values = {
        **{name: take(name, tests[name]) for name in (*plain, "lat", "lon")},
        "parties": take.several("parties", tests["parties"]),
        "period_from": take("from", tests["from"]),
        "period_to": take("to", tests["to"]),
        # On a day before the cooperation began there was nothing to show; its lessons outlast its end.
        "valid_from": take("from", tests["from"]),
        "as_of_inferred": bool(front.get("as_of_inferred")),
        **_sources(take),
    }
    check.period(values["period_from"], values["period_to"])
    links = {
        "practices": _documented(take),
        "bodies": [{"body": key} for key in take.several("bodies", tests["bodies"])],
        "areas": [{"area": key} for keys in take.several("areas", tests["areas"]) for key in keys],
    }
    return check.placed(values, instance), links


def _documented(take: "_Taker") -> list[Values]:
    entries = [entry if isinstance(entry, dict) else {"key": entry} for entry in take.list("practices")]
    if not entries:
        raise Unusable("The case documents no practice.", "Name at least one under “practices”.")
    keys = check.once([take.each("practices", entry.get("key", ""), check.slug) for entry in entries])
    return [
        {
            "practice": key,
            "position": at,
            "adaptation": _by_language("adaptation", entry.get("adaptation") or {}),
        }
        for at, (key, entry) in enumerate(zip(keys, entries, strict=True))
    ]


def _by_language(name: str, words: Any) -> Values:
    if not isinstance(words, dict):
        raise Unusable(f"“{name}” is no text by language.", "Write {et: …, en: …}.")
    return {language: check.text(str(text)) for language, text in words.items()}


def _sources(take: "_Taker") -> Values:
    sources = take.list("sources")
    if not sources:
        raise Unusable("There is no source.", "Every case and practice names where it is known from.")
    if not all(isinstance(source, dict) for source in sources):
        raise Unusable("“sources”: a source is no text.", "Write {title: …, url: …, date: …}.")
    plain = [
        {name: take.each("sources", source.get(name) or "", test) for name, test in SOURCE_CHECKS.items()}
        for source in sources
    ]
    first = {"source": plain[0]["title"], "source_url": plain[0]["url"]}
    return {"sources": plain, "as_of": take("as_of", check.partial_date), **first}


class _Taker:
    """Takes values out of front matter through their checks, and says which one failed."""

    def __init__(self, front: Values) -> None:
        self.front = front

    def __call__(self, name: str, test: Check) -> Any:
        value = self.front.get(name)
        return self.each(name, "" if value is None else value, test)

    def each(self, name: str, value: Any, test: Check) -> Any:
        try:
            return test(str(value))
        except Unusable as error:
            raise Unusable(f"“{name}”: {error.what}", error.remedy) from error

    def list(self, name: str) -> Sequence[Any]:
        found = self.front.get(name) or []
        if not isinstance(found, Sequence) or isinstance(found, str):
            raise Unusable(f"“{name}” is no list.", f"Write {name}: [first, second].")
        return found

    def several(self, name: str, test: Check) -> Sequence[Any]:
        return check.once([self.each(name, value, test) for value in self.list(name)])

    def codes(self, name: str, codes: Mapping[str, Any]) -> Sequence[str]:
        return self.several(name, check.one_of(codes))
