"""Markdown with front matter → rows: cases and practices, one file a language.

`<key>.<language>.md`: the default language's file carries the facts, the others a title, a summary and text.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from layers import geo
from layers.catalog import Instance
from layers.errors import LayersError, Problem
from layers.geo import Place
from layers.sources import rows as check
from layers.sources.rows import Check, Checked, Row, Unusable

Sheet = tuple[dict[str, Any], str]
"""Front matter and text of one file."""


def cases(folder: Path, *, instance: Instance) -> Checked:
    return _read(folder, instance, _case)


def practices(folder: Path, *, instance: Instance) -> Checked:
    return _read(folder, instance, _practice)


def _read(
    folder: Path, instance: Instance, shape: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
) -> Checked:
    rows, problems = [], []
    for key, files in _by_key(folder).items():
        try:
            sheets = {language: _sheet(file, folder) for language, file in files.items()}
            rows.append(_row(key, sheets, folder, instance, shape))
        except _Bad as error:
            problems.append(error.problem)
    return Checked(tuple(rows), tuple(problems))


class _Bad(Exception):
    def __init__(self, file: str, what: str, remedy: str) -> None:
        self.problem = Problem(file, 0, what, remedy)


def _by_key(folder: Path) -> dict[str, dict[str, Path]]:
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.glob("*.*.md")):
        key, language = file.name.removesuffix(".md").rsplit(".", 1)
        found.setdefault(key, {})[language] = file
    return found


def _sheet(file: Path, folder: Path) -> Sheet:
    name = f"{folder.name}/{file.name}"
    parts = file.read_text(encoding="utf-8").split("---\n", 2)
    if len(parts) < 3 or parts[0].strip():
        raise _Bad(name, "There is no front matter.", "Begin the file with --- and end its facts with ---.")
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        raise _Bad(name, f"The front matter cannot be read: {error}.", "Mend the line.") from error
    for needed in ("title", "summary"):
        if not isinstance(front, dict) or not front.get(needed):
            raise _Bad(name, f"“{needed}” is missing in the front matter.", "Add it.")
    return front, parts[2].strip()


def _row(key: str, sheets: Mapping[str, Sheet], folder: Path, instance: Instance, shape: Any) -> Row:
    main = instance.default_language
    file = f"{folder.name}/{key}.{main}.md"
    if main not in sheets:
        raise _Bad(file, "The file in the default language is missing.", "Write it: it carries the facts.")
    front = sheets[main][0]
    try:
        check.slug(key)
        values, links = shape(front, instance)
    except (Unusable, LayersError) as error:
        remedy = error.remedy if isinstance(error, Unusable) else "See data/README.md."
        raise _Bad(file, getattr(error, "what", str(error)), remedy) from error
    words = {
        "titles": {language: front["title"] for language, (front, _) in sheets.items()},
        "summaries": {language: front["summary"] for language, (front, _) in sheets.items()},
        "texts": {language: text for language, (_, text) in sheets.items()},
    }
    return Row(key=key, line=0, file=file, values={**words, **values}, links=links)


def _practice(front: Mapping[str, Any], instance: Instance) -> tuple[dict[str, Any], dict[str, Any]]:
    take = _Taker(front)
    values = {
        "audiences": take.codes("audiences", instance.codes.get("parties", {})),
        "themes": take.codes("themes", instance.codes.get("themes", {})),
        "stage": take("stage", check.one_of(instance.codes.get("stages", {}))),
        "related": [take.each("related", key, check.slug) for key in front.get("related") or ()],
        **_sources(take),
    }
    return values, {}


def _case(front: Mapping[str, Any], instance: Instance) -> tuple[dict[str, Any], dict[str, Any]]:
    take = _Taker(front)
    codes = instance.codes
    values = {
        "theme": take("theme", check.one_of(codes.get("themes", {}))),
        "outcome": take("outcome", check.one_of(codes.get("outcomes", {}))),
        "stage": take("stage", check.one_of(codes.get("stages", {}))),
        "parties": take.codes("parties", codes.get("parties", {})),
        **{name: take(name, check.text) for name in ("place", "settlement", "municipality", "county")},
        "precision": take("precision", check.one_of(codes.get("precision", {}), blank=True)),
        "period_from": take("from", check.partial_date),
        "period_to": take("to", check.partial_date),
        # On a day before the cooperation began there was nothing to show; its lessons outlast its end.
        "valid_from": take("from", check.partial_date),
        "as_of_inferred": bool(front.get("as_of_inferred")),
        "geom": _point(take, instance),
        **_sources(take),
    }
    links = {
        "practices": _documented(front.get("practices") or ()),
        "bodies": [{"body": take.each("bodies", key, check.slug)} for key in front.get("bodies") or ()],
        "areas": [{"area": key} for key in check.area_keys(";".join(front.get("areas") or ()))],
    }
    if not links["practices"]:
        raise Unusable("The case documents no practice.", "Name at least one under “practices”.")
    return values, links


def _documented(entries: Iterable[Any]) -> list[dict[str, Any]]:
    plain = [entry if isinstance(entry, dict) else {"key": entry} for entry in entries]
    return [
        {"practice": check.slug(entry["key"]), "position": at, "adaptation": entry.get("adaptation") or {}}
        for at, entry in enumerate(plain)
    ]


def _point(take: "_Taker", instance: Instance) -> Any:
    lat, lon = take("lat", check.decimal), take("lon", check.decimal)
    if lat is None or lon is None:
        return None
    return geo.metric_point(Place(lon=lon, lat=lat), srid=instance.metric_crs)


def _sources(take: "_Taker") -> dict[str, Any]:
    sources = take.front.get("sources") or []
    if not sources:
        raise Unusable("There is no source.", "Every case and practice names where it is known from.")
    plain = [
        {
            "title": check.some_text(str(source.get("title", ""))),
            "url": check.web_address(str(source.get("url") or "")),
            "date": check.partial_date(str(source.get("date") or "")),
        }
        for source in sources
    ]
    first = {"source": plain[0]["title"], "source_url": plain[0]["url"]}
    return {"sources": plain, "as_of": take("as_of", check.partial_date), **first}


class _Taker:
    """Takes values out of front matter through their checks, and says which one failed."""

    def __init__(self, front: Mapping[str, Any]) -> None:
        self.front = front

    def __call__(self, name: str, test: Check) -> Any:
        value = self.front.get(name)
        return self.each(name, "" if value is None else value, test)

    def each(self, name: str, value: Any, test: Check) -> Any:
        try:
            return test(str(value))
        except Unusable as error:
            raise Unusable(f"“{name}”: {error.what}", error.remedy) from error

    def codes(self, name: str, codes: Mapping[str, Any]) -> list[str]:
        test = check.one_of(codes)
        return [self.each(name, value, test) for value in self.front.get(name) or ()]
