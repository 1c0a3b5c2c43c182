"""The form of a thing, with its history, its map and what is wrong in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response
from flask_babel import gettext

from layers import edits
from layers.edits import CASE, Change, Clash, Thing, Wrong
from layers.errors import N_
from webmap import casework, db, drawn, i18n, names, signin
from webmap.editing import frame, labels

_LONG = ("note_", "shape")


@dataclass(frozen=True)
class Field:
    """One field of the form. `options` are value → words; `wrong` is what to mend in it."""

    name: str
    title: str
    value: str
    kind: str = "text"
    hint: str = ""
    wrong: str = ""
    options: Mapping[str, str] | None = None
    needed: bool = False


def show(
    thing: Thing,
    change: Change,
    *,
    seen: int,
    note: str = "",
    wrong: Wrong | None = None,
    clash: Clash | None = None,
    problem: str = "",
    status: int = 200,
    do: str = "",
) -> Response:
    """The page of the form as it is filled in; `do` is what a button of a case's form asked for."""
    faults = labels.faults(wrong)
    is_case = thing.table == CASE
    return frame.page(
        "edit/form.html",
        status=status,
        thing=thing,
        change=change,
        seen=seen,
        fields=[] if is_case else _fields(thing, change, faults),
        **(casework.page(thing, change, faults, do) if is_case else {}),
        day=Field(
            "day",
            labels.of(thing, "day"),
            change.day,
            hint=labels.hint("day"),
            wrong=faults.get("day", ""),
        ),
        note=Field(
            "note",
            labels.of(thing, "note"),
            note,
            "long",
            labels.hint("note"),
            faults.get("note", ""),
            needed=True,
        ),
        ways=labels.ways(thing.table),
        title=labels.title(thing),
        general=faults.get("", ""),
        wrong=wrong,
        faults=[(name, labels.of(thing, name), said) for name, said in faults.items() if name],
        problem=problem or (i18n.told(clash) if clash else ""),
        clash=labels.lines(thing, clash.lines) if clash else [],
        history=edits.history(db.session(), db.instance(), thing.table, thing.key) if thing.key else [],
        lines=lambda lines: labels.lines(thing, lines),
        is_steward=frame.is_steward(signin.asking()),
        public=frame.public(thing),
        ground=_ground(thing),
    )


def _fields(thing: Thing, change: Change, faults: Mapping[str, str]) -> list[Field]:
    names_ = edits.columns_of(db.instance(), thing.table)
    if thing.table == "area" and not thing.key:
        names_ = ("code", *names_)
    return [
        Field(
            name,
            labels.of(thing, name),
            change.cells.get(name, ""),
            _kind(name),
            labels.hint(name),
            faults.get(name, ""),
            _options(thing, name, change.cells.get(name, "")),
            needed=name in ("name", "form", "source", "code"),
        )
        for name in names_
    ]


def _kind(name: str) -> str:
    if name == "capabilities":
        return "several"
    if name == "as_of_inferred":
        return "tick"
    if name in (*labels.CODES, "accuracy", "municipality", "county"):
        return "one"
    return "long" if name.startswith(_LONG) else "text"


def _options(thing: Thing, name: str, value: str) -> Mapping[str, str] | None:
    instance = db.instance()
    if name == "accuracy":
        return {"approximate": str(gettext(N_("approximate"))), "official": str(gettext(N_("official")))}
    if name in ("municipality", "county"):
        found = {"": "–", **names.choosable(name)}
    elif name in (*labels.CODES, "capabilities"):
        group = labels.CODES.get(name, name)
        found = {code: i18n.label(group, code) for code in instance.codes.get(group, {})}
        finest = instance.layer(thing.layer).finest
        if name == "precision" and finest:
            found = {code: words for code, words in found.items() if code in finest}
        if name in ("readiness", "precision"):
            found = {"": "–", **found}
    else:
        return None
    # What is told already stays choosable, though no one may choose it anew.
    return found if name == "capabilities" or value in found or not value else {**found, value: value}


def _ground(thing: Thing) -> list[str]:
    """Addresses of what the map of the form draws below: the land, and the areas of the kind."""
    instance, state = db.instance(), dict(db.revisions())
    wanted = ["land"] if "land" in instance.resources else []
    shown = [one.key for one in instance.layers_of("areas") if one.shown or one.key == thing.layer]
    return [
        drawn.address(name, revision=state.get(name, 0), language=i18n.language(), when={}, step="middle")
        for name in (*wanted, *shown)
    ]
