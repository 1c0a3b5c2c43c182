"""CSV tables → rows: organisations, the gazetteer, facts about areas."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers.catalog import Instance
from layers.errors import Problem
from layers.sources import rows as check
from layers.sources.rows import Check, Checked, Row, Unusable

Values = dict[str, Any]
_TOO_MANY = "…"


def bodies(file: Path, *, layer: str, instance: Instance) -> Checked:
    """Organisations of one layer: data/README.md names the columns."""
    return _Table(file, instance, body_form(layer, instance)).read()


def body_form(layer: str, instance: Instance) -> "Form":
    """What a line about an organisation of a layer must be."""
    codes = instance.codes
    columns: dict[str, Check] = {
        "key": check.slug,
        "name": check.some_text,
        "form": check.one_of(codes.get("forms", {})),
        "capabilities": check.some_of(codes.get("capabilities", {})),
        "readiness": check.one_of(codes.get("readiness", {}), blank=True),
        "place": check.text,
        "settlement": check.text,
        "municipality": check.text,
        "county": check.text,
        "precision": check.one_of(codes.get("precision", {}), blank=True),
        "serves": check.area_keys,
        "valid_from": check.partial_date,
        "valid_to": check.partial_date,
        "as_of": check.partial_date,
        "as_of_inferred": check.yes,
        "source": check.some_text,
        "source_url": check.web_address,
        "lat": check.decimal,
        "lon": check.decimal,
    }
    words = {f"{word}_{language}": check.text for word in ("name", "note") for language in instance.languages}
    return Form(columns, words, lambda raw: _body(raw, layer, instance))


def _body(raw: Values, layer: str, instance: Instance) -> Values:
    names = {language: raw.pop(f"name_{language}", "") for language in instance.languages}
    check.period(raw["valid_from"], raw["valid_to"])
    return {
        **check.placed(_with_notes(raw, instance), instance),
        "layer": layer,
        "names": {language: name for language, name in names.items() if name},
        "serves": [{"area": area} for area in raw["serves"]],
    }


def settlements(file: Path, *, instance: Instance) -> Checked:
    """The gazetteer: code, name, municipality, county, lat, lon, population, population_as_of, source."""
    columns: dict[str, Check] = {
        "code": check.some_text,
        "name": check.some_text,
        "municipality": check.text,
        "county": check.text,
        "lat": check.decimal,
        "lon": check.decimal,
        "population": check.whole_number,
        "population_as_of": check.partial_date,
        "source": check.some_text,
    }
    return _Table(file, instance, Form(columns, {}, lambda raw: _settlement(raw, instance))).read()


def _settlement(raw: Values, instance: Instance) -> Values:
    if raw["lat"] is None:
        raise Unusable("lat is blank.", "A settlement of the gazetteer needs a point.")
    return check.placed(_keyed(raw), instance)


def cells(file: Path, *, instance: Instance) -> Checked:
    """Squares of a population grid by their middles, in metres: data/README.md names the columns."""
    columns: dict[str, Check] = {
        "code": check.some_text,
        "east": check.decimal,
        "north": check.decimal,
        "size_m": check.whole_number,
        "people": check.whole_number,
        "as_of": check.partial_date,
        "source": check.some_text,
    }
    return _Table(file, instance, Form(columns, {}, lambda raw: _cell_of_grid(raw, instance))).read()


def _cell_of_grid(raw: Values, instance: Instance) -> Values:
    for name in ("east", "north", "size_m", "people"):
        if raw[name] is None:
            raise Unusable(f"{name} is blank.", "A square needs its middle, its side and its people.")
    if not raw["size_m"]:
        raise Unusable("size_m is 0.", "Write the side of the square in metres, for example 1000.")
    return {**_keyed(raw), "geom": check.metric_point(raw.pop("east"), raw.pop("north"), instance)}


def counts(file: Path, *, instance: Instance) -> Checked:
    """How many of a layer were counted in an area, and when: data/README.md names the columns."""
    qualifier = check.one_of(instance.codes.get("qualifiers", {}), blank=True)
    columns: dict[str, Check] = {
        "key": check.slug,
        "layer": check.one_of({layer.key: layer for layer in instance.layers}),
        "area": check.some_text,
        "number": check.whole_number,
        "qualifier": qualifier,
        "households": check.whole_number,
        "households_qualifier": qualifier,
        "members": check.whole_number,
        "as_of": check.partial_date,
        "as_of_inferred": check.yes,
        "source": check.some_text,
        "source_url": check.web_address,
    }
    words = {f"note_{language}": check.text for language in instance.languages}
    return _Table(file, instance, Form(columns, words, lambda raw: _with_notes(raw, instance))).read()


def events(file: Path, *, instance: Instance) -> Checked:
    """Trainings and seminars: data/README.md names the columns."""
    columns: dict[str, Check] = {
        "key": check.slug,
        "begins": check.day_or_time,
        "ends": check.day_or_time,
        "place": check.text,
        "parties": check.some_of(instance.codes.get("parties", {})),
        "practices": check.several(check.slug),
        "materials": check.several(check.web_address),
        "status": check.one_of(instance.codes.get("event_states", {})),
        "as_of": check.partial_date,
        "source": check.some_text,
        "source_url": check.web_address,
    }
    words = {
        f"{word}_{language}": check.text for word in ("title", "note") for language in instance.languages
    }
    return _Table(file, instance, Form(columns, words, lambda raw: _event(raw, instance))).read()


def _event(raw: Values, instance: Instance) -> Values:
    titles = {language: raw.pop(f"title_{language}", "") for language in instance.languages}
    if not titles.get(instance.default_language):
        name = f"title_{instance.default_language}"
        raise Unusable(f"{name} is blank.", "An event needs a title in the instance's own language.")
    if not raw["begins"]:
        raise Unusable("begins is blank.", "Write the day, or the month or year when no day is known.")
    check.period(raw["begins"][:10], raw["ends"][:10])
    return {**_with_notes(raw, instance), "titles": {code: title for code, title in titles.items() if title}}


def _with_notes(raw: Values, instance: Instance) -> Values:
    notes = {language: raw.pop(f"note_{language}", "") for language in instance.languages}
    return {**raw, "notes": {language: note for language, note in notes.items() if note}}


def facts(file: Path, *, instance: Instance) -> Checked:
    """Facts about areas by `code` and `valid_from`, as text: population and what else the table has."""
    dated = dict.fromkeys(("valid_from", "valid_to", "as_of"), check.partial_date)
    columns: dict[str, Check] = {"code": check.some_text}
    return _Table(file, instance, Form(columns, dated, _keyed, is_open=True)).read()


def _keyed(raw: Values) -> Values:
    """The same values, with the code as the key."""
    return {"key": raw.pop("code"), **raw}


@dataclass(frozen=True)
class Form:
    """What the columns of a line must be, and the row that is made of it.

    An open form may have further columns, kept as text.
    """

    columns: Mapping[str, Check]
    optional: Mapping[str, Check]
    shape: Callable[[Values], Values]
    is_open: bool = False

    def row(self, line: Mapping[str, str], *, number: int, file: str) -> Row:
        """The row of a line.

        Raises:
            Refused: with everything that is wrong in its columns.
        """
        values: Values = dict(line) if self.is_open else {}
        wrong: list[tuple[str, Unusable]] = []
        for column, test in (*self.columns.items(), *self.optional.items()):
            try:
                values[column] = test(line.get(column, ""))
            except Unusable as error:
                wrong.append((column, error))
        if wrong:
            raise Refused(wrong)
        try:
            shaped = self.shape(values)
        except Unusable as error:
            raise Refused([("", error)]) from error
        links = {name: shaped.pop(name) for name in ("serves",) if name in shaped}
        return Row(key=shaped.pop("key"), line=number, file=file, values=shaped, links=links)


class Refused(Exception):
    """A line that cannot be used: what is wrong, each with its column, "" for the line as a whole."""

    def __init__(self, wrong: Sequence[tuple[str, Unusable]]) -> None:
        self.wrong = tuple(wrong)


class _Table:
    """One CSV file and what its lines must be."""

    def __init__(self, file: Path, instance: Instance, form: Form) -> None:
        self.file, self.name, self.form = file, check.named(file, instance), form

    def read(self) -> Checked:
        try:
            header, lines = self._lines()
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            what = f"The file cannot be read as a table: {error}."
            return check.unreadable(self.name, 0, what, "Save it as CSV in UTF-8.")
        if wrong := self._header(header):
            return check.unreadable(self.name, 1, *wrong)
        used: list[Row] = []
        problems: list[Problem] = []
        refused: set[str] = set()
        for number, line in lines:
            try:
                used.append(self._row(line, number))
            except Refused as error:
                problems += [self._problem(number, column, one) for column, one in error.wrong]
                refused.add(line.get("key") or line.get("code", ""))
        return Checked(tuple(used), (*problems, *check.repeated(used)), frozenset(refused))

    def _lines(self) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
        # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
        with self.file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True, restkey=_TOO_MANY)
            lines = [
                (reader.line_num, {name: _cell(value) for name, value in line.items() if value is not None})
                for line in reader
            ]
            return list(reader.fieldnames or ()), lines

    def _header(self, header: list[str]) -> tuple[str, str] | None:
        missing = sorted(set(self.form.columns) - set(header))
        if missing:
            what = f"The columns {', '.join(missing)} are missing."
            return what, "Add them: data/README.md lists them."
        unknown = sorted(set(header) - {*self.form.columns, *self.form.optional})
        if unknown and not self.form.is_open:
            return f"The columns {', '.join(unknown)} are not known.", "Correct their names or remove them."
        return None

    def _row(self, line: Mapping[str, str], number: int) -> Row:
        if _TOO_MANY in line:
            remedy = "Put a text with commas between quotation marks."
            raise Refused([("", Unusable("The row has more cells than the header.", remedy))])
        return self.form.row(line, number=number, file=self.name)

    def _problem(self, number: int, column: str, error: Unusable) -> Problem:
        what = f"Column {column}: {error.what}" if column else error.what
        return Problem(self.name, number, what, error.remedy)


def _cell(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else value.strip()
