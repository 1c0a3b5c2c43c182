"""Names of areas and practices by their codes, kept until their layers change."""

from datetime import date
from functools import lru_cache

from flask_babel import gettext

from layers import letters, places, tiles
from layers import practices as practices_
from layers.catalog import Words
from layers.places import Body
from webmap import db, i18n
from webmap.db import House, Revisions


def area(key: str) -> str:
    """An area's name in this request's language; its key where it has none."""
    house, revisions = db.house(), db.revisions()
    found = _areas(house, revisions)
    return i18n.plain(found[key] if key in found else _one(house, key, revisions)) or key


def body(found: Body) -> str:
    """An organisation's name: its own, unless this language has another one for it."""
    return found.names.get(i18n.language()) or found.name


def office(label: str) -> str:
    """Who did something, by the label of the account; one that was erased, by its number alone."""
    is_gone = label.startswith("#") and label[1:].isdecimal()
    return str(gettext("an erased account %(mark)s", mark=label)) if is_gone else label


def coded(kind: str, code: str) -> str:
    """An area's name with its code, for who edits."""
    return f"{area(f'{kind}:{code}')} ({code})"


def municipality(code: str) -> str:
    return area(f"municipality:{code}") if code else ""


def county(code: str) -> str:
    return area(f"county:{code}") if code else ""


def practices() -> dict[str, str]:
    """Titles of the practices in this request's language, by key."""
    found = _practices(db.house(), db.revisions())
    return {key: i18n.plain(titles) for key, titles in found.items()}


@lru_cache(maxsize=4)
def _practices(_house: House, _revisions: Revisions) -> dict[str, Words]:
    return {one.key: one.titles for one in practices_.practices(db.session(), as_of=date.max)}


def codes(kind: str) -> dict[str, str]:
    """Names by code of the areas of a kind, ended ones too."""
    keys = (key.partition(":") for key in _areas(db.house(), db.revisions()))
    return {code: area(f"{kind}:{code}") for of, _, code in keys if of == kind}


def choosable(kind: str) -> dict[str, str]:
    """The same in the order of their names, to choose one from."""
    return dict(sorted(codes(kind).items(), key=lambda one: letters.fold(one[1])))


@lru_cache(maxsize=4)
def _areas(house: House, _revisions: Revisions) -> dict[str, Words]:
    # A big layer's names are asked for one by one: a million would take seconds and a gigabyte.
    big = [state.layer.kind for state in tiles.states(db.session(), house.instance, least=house.shelf.least)]
    return places.area_names(db.session(), but=big)


@lru_cache(maxsize=4096)
def _one(_house: House, key: str, _revisions: Revisions) -> Words:
    return places.area_names(db.session(), keys=[key]).get(key, {})
