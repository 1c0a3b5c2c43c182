"""A case in the browser's editor: its cells as the form for a new case, and that form as cells.

The fields, the checks at them and the measure are those of `webmap.caseform`; what may be written is decided
by `layers.edits`, which asks the loader.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from layers import edits, letters
from layers.edits import CORRECT, END, FROM_DAY, Change, Fault, State, Thing
from layers.edits.sheets import UNDATED, WHOLE, adaptations, several, sources, words_of
from layers.errors import N_, Sentence
from webmap import caseform, db, i18n, names
from webmap.caseform import Form

WAYS = {
    CORRECT: N_("It was always so: correct or complete the account"),
    FROM_DAY: N_("It is so from a day on: what was before stays in the history"),
    END: N_("The case is taken off the map from a day on"),
}
_LINES = (
    *("theme", "outcome", "stage", "place", "settlement", "municipality", "county", "lat", "lon"),
    *("precision", "from", "to", "as_of", "valid_to"),
)
_GROUPS = {"theme": "themes", "outcome": "outcomes", "stage": "stages", "precision": "precision"}
_OWN = {
    "settlement": N_("Settlement"),
    "municipality": N_("Municipality"),
    "county": N_("County"),
    "precision": N_("Precision"),
    "lat": N_("Latitude"),
    "lon": N_("Longitude"),
    "bodies": N_("Organisations"),
    "areas": N_("Areas"),
    "practices": N_("The practice it shows"),
    "sources": N_("Sources"),
    "as_of": N_("As of"),
    "as_of_inferred": N_("The date is an inference, not told by the source"),
    "valid_from": N_("Since"),
    "valid_to": N_("Until"),
}
_FIELDS = {"practices": "practice", "sources": "source-0"}
_MORE_BODIES, _MOST_NAMES = 2, 20
_NOTHING = ""  # The sentence tells the remedy itself; an empty one is no message for the catalogue.


# --- Between a form and cells


def sent(form: MultiDict[str, str], *, is_new: bool = False) -> dict[str, str]:
    """The cells that a form says; what it leaves out is left out.

    A new case is known as of its newest source, where the form does not say of which day.
    """
    languages = db.instance().languages
    plain = [*_LINES, *(name for code in languages for name in words_of(db.instance(), code))]
    cells = {name: form[name] for name in plain if name in form and not name.startswith("adaptation-")}
    rows = [_plain(key) for key in form.getlist("practice")]
    for code in languages:
        said = zip(rows, form.getlist(f"adaptation-{code}"), strict=False)
        lines = [f"{key}: {_plain(text)}" for key, text in said if _plain(text)]
        cells[f"adaptation-{code}"] = "\n".join(lines)
    cells["sources"] = "\n".join(_sources(form))
    if is_new and not cells.get("as_of", "").strip():
        days = (one["date"] for one in sources(cells["sources"]))
        cells["as_of"] = max((day for day in days if day != UNDATED), default="")
    return cells | {
        "practices": ";".join(filter(None, rows)),
        "parties": ";".join(form.getlist("parties")),
        "areas": ";".join(filter(None, form.getlist("areas"))),
        "bodies": ";".join(_bodies(form.getlist("bodies"))),
        "as_of_inferred": form.get("as_of_inferred", ""),
    }


def _plain(text: str) -> str:
    return " ".join(text.split())


def _sources(form: MultiDict[str, str]) -> Iterator[str]:
    undated = form.getlist("source_undated")
    rows = zip(*(form.getlist(f"source_{name}") for name in ("title", "url", "date")), strict=False)
    for at, row in enumerate(rows):
        title, url, day = map(_plain, row)
        if any((title, url, day)):
            yield "\t".join((title, url, day or (UNDATED if str(at) in undated else "")))


def _bodies(typed: Iterable[str]) -> list[str]:
    """The keys of organisations that are named by their keys, or by a name that only one has."""
    said = [one for one in (_plain(text.replace(";", ",")) for text in typed) if one]
    known = edits.bodies_called(db.session(), keys=said)
    # To look for a name takes a walk through all of them: nobody needs it for more at once.
    unknown = [one for one in dict.fromkeys(said) if one not in known][:_MOST_NAMES]
    keys = {one: _body(one) for one in unknown}
    return [keys.get(one, one) for one in said]


def _body(said: str) -> str:
    found = edits.matches(db.session(), db.instance(), said)
    named = {key for of, key, name in found if of == "body" and letters.fold(name) == letters.fold(said)}
    return named.pop() if len(named) == 1 else said


def pairs(cells: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a browser would send of the form that says these cells."""
    languages = db.instance().languages
    words = (name for code in languages for name in words_of(db.instance(), code))
    plain = (*_LINES, "as_of_inferred", *(name for name in words if not name.startswith("adaptation-")))
    found = [(name, cells[name]) for name in plain if name in cells]
    said = {code: adaptations(cells.get(f"adaptation-{code}", "")) for code in languages}
    rows = several(cells.get("practices", ""))
    rows += [""] if any("" in texts for texts in said.values()) else []
    for key in rows:
        found += [("practice", key), *((f"adaptation-{code}", said[code].get(key, "")) for code in languages)]
    found += [(name, key) for name in ("parties", "areas", "bodies") for key in several(cells.get(name, ""))]
    for at, one in enumerate(sources(cells.get("sources", ""))):
        is_undated = one["date"] == UNDATED
        found += [("source_title", one["title"]), ("source_url", one["url"])]
        found += [("source_date", "" if is_undated else one["date"])]
        found += [("source_undated", str(at))] if is_undated else []
    return found


def _form(cells: Mapping[str, str]) -> Form:
    """The cells as the form for a new case, with one row more for a practice than is filled in."""
    said = pairs(cells)
    areas = [key for name, key in said if name == "areas"]
    known = caseform.choosable()["area"]
    said.append(("area", next((key for key in areas if key in known), "")))
    rows = sum(name == "practice" for name, _ in said)
    form = caseform.read(MultiDict(said), practices=max(2, rows + 1))
    return replace(form, values={**{name: cells.get(name, "") for name in _LINES}, **form.values})


# --- What is wrong


def faults(change: Change, base: State | None) -> list[Fault]:
    """What the form for a new case would say of the fields, but for what was so before the edit."""
    if change.way == END:
        return []
    before = {(one.field, str(one.what)) for one in _told(base.cells)} if base else set()
    cells = {**(base.cells if base else {}), **change.cells}
    return [one for one in _told(cells) if (one.field, str(one.what)) not in before]


def _told(cells: Mapping[str, str]) -> list[Fault]:
    found: list[Fault] = []

    def tell(field: str, sentence: str, **values: object) -> None:
        found.append(Fault(field, Sentence(sentence, **values), Sentence(_NOTHING)))

    instance, form = db.instance(), _form(cells)
    # What is published is told in every language, where its parts are asked for.
    needed = instance.languages if "cases" in instance.sections else (instance.default_language,)
    begun = dict.fromkeys((*form.begun, *needed))
    caseform.check_fields(replace(form, begun=tuple(begun)), tell)
    return found


def joined(told: Iterable[Fault], more: Iterable[Fault]) -> list[Fault]:
    """All that is wrong, each field spoken of once; of the whole only where no field has been."""
    first = list(told)
    spoken = {one.field for one in first}
    rest = [replace(one, field=_FIELDS.get(one.field, one.field)) for one in more]
    return [*first, *(one for one in rest if one.field not in spoken and (one.field or not first))]


# --- The page


def page(thing: Thing, change: Change, problems: Mapping[str, str], do: str = "") -> dict[str, Any]:
    """What the template of the form needs; `problems` are sentences by field."""
    form, cells = _form(change.cells), change.cells
    bodies = several(cells.get("bodies", ""))
    return {
        "form": form,
        "told": {name: [said] for name, said in problems.items()},
        "choices": _choices(thing, cells),
        "headings": caseform.part_headings(),
        "hints": caseform.HINTS,
        "rows": caseform.source_rows(form, do),
        "most_rows": caseform.MOST_ROWS,
        "practice_rows": form.practices,
        "in_full": caseform.in_full(db.instance()),
        "openings": _openings(cells),
        "areas": [*several(cells.get("areas", "")), ""],
        "bodies": [*bodies, *[""] * _MORE_BODIES],
        "body_names": _body_names(bodies),
        "is_inferred": bool(cells.get("as_of_inferred")),
        **caseform.judged(form),
    }


def measured(form: MultiDict[str, str]) -> dict[str, Any]:
    """What the measure says of a form."""
    return caseform.judged(_form(sent(form)))


def _openings(cells: Mapping[str, str]) -> dict[str, str]:
    """What stands outside of the parts, by language: where there are parts, only if something does."""
    instance = db.instance()
    if "cases" not in instance.sections:
        return {}
    found = {code: cells.get(f"part-{WHOLE}-{code}", "") for code in instance.languages}
    whole = caseform.in_full(instance)
    return {code: text for code, text in found.items() if text or code not in whole}


def _choices(thing: Thing, cells: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Everything that is chosen from a list; what is told already stays choosable."""
    instance, found = db.instance(), caseform.choosable()
    finest = instance.layer(thing.layer).finest
    precision = {code: i18n.label("precision", code) for code in instance.codes.get("precision", {})}
    found["precision"] = {code: words for code, words in precision.items() if code in finest or not finest}
    for kind in ("municipality", "county"):
        found[kind] = names.choosable(kind)
    for name in ("theme", "outcome", "stage", "precision", "municipality", "county"):
        value = cells.get(name, "")
        found[name] |= {value: said(name, value)} if value and value not in found[name] else {}
    for name, cell in (("practice", "practices"), ("area", "areas")):
        for key in several(cells.get(cell, "")):
            found[name].setdefault(key, said(cell, key))
    return found


def _body_names(keys: list[str]) -> dict[str, str]:
    found = edits.bodies_called(db.session(), keys=keys)
    return {key: words.get(i18n.language()) or name for key, (name, words) in found.items()}


# --- In words


def label(name: str) -> str:
    """What a field is called."""
    if name in _OWN:
        return str(gettext(_OWN[name]))
    known = caseform.field_names()
    if name.startswith(f"part-{WHOLE}-"):
        language = i18n.language_here(name.rpartition("-")[2])
        return known.get(name) or f"{gettext('The whole text')} ({language})"
    return known.get(name, name)


def said(name: str, value: str) -> str:
    """What a cell says, with the words of its codes and keys."""
    if not value:
        return ""
    if name in _GROUPS:
        return i18n.label(_GROUPS[name], value)
    if name in ("municipality", "county"):
        return names.coded(name, value)
    if name == "sources":
        return "\n".join(" · ".join(filter(None, map(_dated, one.values()))) for one in sources(value))
    if name.startswith("adaptation-"):
        titles = names.practices()
        return "\n".join(f"{titles.get(key, key)}: {text}" for key, text in adaptations(value).items())
    return _listed(name, several(value)) if name in ("parties", "practices", "areas", "bodies") else value


def _dated(value: str) -> str:
    return str(gettext("undated")) if value == UNDATED else value


def _listed(name: str, keys: list[str]) -> str:
    """Every key in words, on a line of its own."""
    known: Mapping[str, str] = {}
    if name == "parties":
        known = {key: i18n.label("parties", key) for key in keys}
    elif name == "practices":
        known = names.practices()
    elif name == "areas":
        known = {key: names.area(key) for key in keys}
    else:
        known = _body_names(keys)
    return "\n".join(known.get(key) or key for key in keys)
