"""What is edited in words: ways of change, fields, codes, and what is wrong with them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from flask_babel import gettext

from layers.doctor import fields as doctor_fields
from layers.edits import CASE, CORRECT, END, FROM_DAY, Line, Thing, Wrong
from layers.errors import N_, Sentence
from webmap import casework, db, i18n, names

WAYS = {
    CORRECT: N_("It was always so: correct a mistake"),
    FROM_DAY: N_("It is so from a day on: what was before stays in the history"),
    END: N_("It ends on a day"),
}
_OWN = {
    "as_of_inferred": N_("The date is an inference, not told by the source"),
    "accuracy": N_("Accuracy"),
    "shape": N_("Shape"),
    "code": N_("Code"),
    "lat": N_("Latitude"),
    "lon": N_("Longitude"),
    "day": N_("Day of the change or end"),
    "note": N_("Why it is changed, and how you know"),
}
_HINTS = {
    "serves": N_("Areas by kind and code, with a semicolon between: county:0087;municipality:0184"),
    "settlement": N_("Its name, or its code where two have the same name."),
    "valid_from": N_("2018, 2018-05 or 2018-05-29; blank when not known."),
    "valid_to": N_("The first day on which it is no more; blank while it lasts."),
    "as_of": N_("The day of which the source tells."),
    "parent": N_("By kind and code: county:0087"),
    "source": N_("Who says so: an office, a page, a visit. No names of people."),
    "lat": N_("Degrees of WGS 84, or click on the map."),
    "shape": N_("GeoJSON or WKT in degrees of WGS 84. Blank: the shape stays as it is."),
    "day": N_("Needed for a change or an end: 2018, 2018-05 or 2018-05-29."),
    "note": N_("Other stewards read it. Leave out names, telephone numbers and addresses of people."),
}
CODES = {"form": "forms", "readiness": "readiness", "precision": "precision"}


def ways(table: str) -> Mapping[str, str]:
    """The ways of changing what is told already."""
    return casework.WAYS if table == CASE else WAYS


def of(thing: Thing, name: str) -> str:
    """What a field is called."""
    if thing.table == CASE and name not in ("day", "note"):
        return casework.label(name)
    if name in _OWN:
        return str(gettext(_OWN[name]))
    field = doctor_fields.target(db.instance(), thing.layer).fields.get(name)
    if field is None and name == "source_url":
        return str(gettext(N_("Address of the source")))
    return i18n.told(field.label) if field else name


def hint(name: str) -> str:
    return str(gettext(_HINTS[name])) if name in _HINTS else ""


def lines(thing: Thing, lines: Iterable[Line]) -> list[Line]:
    """Lines with the words of their fields and codes."""
    say = casework.said if thing.table == CASE else _said
    return [
        replace(
            one,
            field=of(thing, one.field),
            before=say(one.field, one.before),
            after=say(one.field, one.after),
            present=say(one.field, one.present),
        )
        for one in lines
    ]


def _said(name: str, value: str) -> str:
    group = CODES.get(name, name)
    if name in (*CODES, "capabilities") and value:
        return ", ".join(i18n.label(group, code) for code in value.split(";"))
    if name in ("municipality", "county") and value:
        return names.coded(name, value)
    return i18n.told(value) if isinstance(value, Sentence) else value


def title(thing: Thing) -> str:
    """What a thing is called: by its own name, or as something new in its layer."""
    if not thing.states:
        return str(gettext(N_("New: {layer}"))).format(
            layer=i18n.plain(db.instance().layer(thing.layer).label)
        )
    said = thing.states[-1].row.values
    own = said.get("name") or i18n.plain(said["titles" if thing.table == CASE else "names"])
    return own or thing.key


def faults(wrong: Wrong | None) -> dict[str, str]:
    """What is wrong and how to mend it, by field; what concerns no field under ""."""
    found: dict[str, str] = {}
    for one in wrong.faults if wrong else ():
        said = " ".join(i18n.told(part) for part in (one.what, one.remedy) if part)
        found[one.field] = f"{found[one.field]} {said}" if one.field in found else said
    return found
