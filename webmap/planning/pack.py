"""The planner's pack: everything the pages of gaps give, written to a folder without a browser."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from layers import store
from layers.errors import N_, Invalid, LayersError
from webmap import db

RECORD = "record.json"
_NUMBERS = ("zones", "options")


class NoAnswer(LayersError):
    text = N_("{reason}")


class NoRecord(Invalid):
    text = N_("“{file}” is no record of a report. Take the JSON file that the report gives.")


class OtherState(LayersError):
    text = N_("The data changed while the pack was made; nothing was written. Ask again.")


class OtherNumbers(LayersError):
    text = N_("The numbers are others than those of the record: {what}.")


def write(
    app: Flask,
    asked: Mapping[str, str],
    folder: Path,
    *,
    language: str,
    tell: Callable[[Path], None] = lambda file: None,
) -> list[Path]:
    """Writes the report, its tables, map data and record, all of one state of the data; returns the files.

    Nothing is written before everything is made: a pack that fails or is given up leaves none of its files.

    Raises:
        OtherState: the data changed meanwhile.
        NoAnswer: with the sentence that the page would have shown.
        OSError: the folder cannot be written.
    """
    state = _state(app)
    with TemporaryDirectory(dir=_above(folder), prefix=".turvakaart-") as aside:
        pack, names = Path(aside) / "pack", []
        pack.mkdir()
        for name, page, more in _files(asked):
            (pack / name).write_bytes(_asked(app, f"/{language}/gaps/{page}", {**asked, **more}))
            names.append(name)
        if _state(app) != state:
            raise OtherState
        if folder.exists():
            for name in names:
                (pack / name).replace(folder / name)
        else:
            pack.rename(folder)
    made = [folder / name for name in names]
    for file in made:
        tell(file)
    return made


def _above(folder: Path) -> Path:
    """The folder in which another one lies; made when it is not there. Files move within one disk only."""
    above = folder.absolute().parent
    above.mkdir(parents=True, exist_ok=True)
    return above


def _state(app: Flask) -> db.Revisions:
    with app.app_context():
        return store.revisions(db.house().engine)


def _files(asked: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    yield "report.pdf", "report", {"format": "pdf"}
    yield "report.html", "report", {}
    yield "tables.xlsx", "report", {"format": "xlsx"}
    yield "places.gpkg", "report", {"format": "gpkg"}
    for table in ("zones", "places", "units"):
        yield f"{table}.csv", "", {"format": "csv", "table": table}
    yield "places.geojson", "", {"format": "geojson", "table": "places"}
    if asked.get("plan"):
        yield "what-if.csv", "whatif", {"format": "csv"}
        yield "what-if.json", "whatif", {"format": "json"}
    if asked.get("areas"):
        for table in ("uncovered", "pieces", "accounts"):
            yield f"areas-{table}.csv", "seams", {"format": "csv", "table": table}
    yield RECORD, "report", {"format": "json"}


def again(app: Flask, record: Path) -> dict[str, Any]:
    """Asks the question of a record again and compares; returns what it says now.

    Raises:
        NoRecord: the file is none.
        OtherNumbers: the numbers differ; it says whether the data or the version of the code differ too.
    """
    try:
        before = json.loads(record.read_text(encoding="utf-8"))
        asked = {**before["asked"], "format": "json"}
        wanted = {name: before[name] for name in (*_NUMBERS, "editions", "version", "instance")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoRecord(file=record.name) from error
    language = before.get("language", "en")
    now: dict[str, Any] = json.loads(_asked(app, f"/{language}/gaps/report", asked))
    differing = [name for name in _NUMBERS if now[name] != wanted[name]]
    if differing:
        data = sorted(
            name
            for name in {*now["editions"], *wanted["editions"]}
            if now["editions"].get(name) != wanted["editions"].get(name)
        )
        why = [*(f"data “{name}”" for name in data)]
        if now["version"] != wanted["version"]:
            why.append(f"version {wanted['version']} → {now['version']}")
        raise OtherNumbers(what=f"{', '.join(differing)} ({'; '.join(why) or 'same data, same version'})")
    return now


def _asked(app: Flask, path: str, asked: Mapping[str, str]) -> bytes:
    query = urlencode({name: value for name, value in asked.items() if value})
    # A page that cannot answer then says why in a form that can be read here.
    answer = app.test_client().get(f"{path}?{query}", headers={"Accept": "application/problem+json"})
    if answer.status_code != 200:
        said = answer.get_json(silent=True) or {}
        raise NoAnswer(reason=said.get("detail") or f"{path}: {answer.status}")
    made: bytes = answer.data
    return made
