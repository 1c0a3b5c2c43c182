"""What changed when with an organisation or an area, in words: one shape for page, JSON and plain text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from flask_babel import gettext

from layers import changes, geo
from layers.changes import Event, Fact
from layers.errors import N_
from layers.geo import Place
from webmap import context, db, i18n, names

Shape = dict[str, Any]
MOST = 12
_WHATS = {
    changes.ADDED: N_("Put on this map."),
    changes.CHANGED: N_("Changed on this map."),
    changes.ENDED: N_("Taken off this map."),
    changes.BEGAN: N_("It began."),
    changes.TURNED: N_("It changed."),
    changes.CLOSED: N_("It ended."),
}
_CONFIRMED = N_("Confirmed again: known as of {date}.")
_LABELS = {
    "name": N_("Name"),
    "names": N_("Name"),
    "layer": N_("Layer"),
    "form": N_("Kind"),
    "capabilities": N_("Does"),
    "readiness": N_("Readiness"),
    "place": N_("Where"),
    "municipality": N_("Municipality"),
    "county": N_("County"),
    "precision": N_("Precision"),
    "serves": N_("Serves"),
    "valid_from": N_("Beginning"),
    "valid_to": N_("End"),
    "as_of": N_("As of"),
    "source": N_("Source"),
    "parent": N_("Lies in"),
    "accuracy": N_("Precision"),
    "population": N_("Inhabitants"),
    "area_km2": N_("Area"),
    "area_m2": N_("Size of the drawn shape"),
    "formed_from": N_("Formed from"),
}
_OTHERWISE = N_("{fact}: {after} (before: {before}).")
_NEWLY = N_("{fact}: {after} (not told before).")
_NO_LONGER = N_("{fact}: no longer told (before: {before}).")
_REWRITTEN = N_("The description was rewritten.")
_MOVED = N_("Its point moved by {distance}.")
_PLACED = N_("Its point became known.")
_UNPLACED = N_("Its point is no longer told.")


def of_body(key: str, *, most: int = MOST) -> Shape:
    """What changed with an organisation, the newest first; `more` older events are left out.

    Raises:
        BodyNotFound: no organisation has this key.
    """
    return _history(changes.of_body(db.session(), key), most)


def of_area(kind: str, code: str, *, most: int = MOST) -> Shape:
    """The same of an area.

    Raises:
        AreaNotFound: there is none.
    """
    return _history(changes.of_area(db.session(), kind, code), most)


def _history(events: Iterable[Event], most: int) -> Shape:
    told = [one for one in map(_event, events) if one]
    return {"events": told[:most], "more": max(0, len(told) - most)}


def _event(event: Event) -> Shape | None:
    """One event; None for a change that is of no use to a reader."""
    facts = [fact for fact in map(_fact, event.facts) if fact]
    sentence = _WHATS[event.what]
    confirmed = next((fact for fact in event.facts if fact.name == "as_of" and fact.after), None)
    is_confirmed = confirmed and {fact.name for fact in event.facts} <= {"as_of", "source"}
    if is_confirmed:
        facts = [fact for fact in facts if fact["fact"] != "as_of"]
    elif event.what == changes.CHANGED and not facts:
        return None
    said = str(gettext(_CONFIRMED if is_confirmed else sentence))
    return {
        "what": event.what,
        "date": event.day,
        "day": i18n.day(event.day[:10]),
        "sentence": said.format(date=i18n.day(confirmed.after)) if confirmed and is_confirmed else said,
        "facts": facts,
        "edition": _edition(event),
    }


def _edition(event: Event) -> Shape | None:
    if event.edition is None:
        return None
    found = event.edition
    return {
        "title": i18n.plain(found.title),
        "source": i18n.plain(found.source),
        "url": found.source_url,
        "as_of": found.as_of,
        "loaded_at": found.loaded_at,
    }


def _fact(fact: Fact) -> Shape | None:
    """What became otherwise; None for what is of no use to a reader."""
    if fact.name == "notes":
        return _said(fact, str(gettext(_REWRITTEN))) if _word(fact.before) != _word(fact.after) else None
    if fact.name == "point":
        return _said(fact, _moved(fact.before, fact.after))
    if fact.name not in _LABELS:
        return None
    before, after = _value(fact.name, fact.before), _value(fact.name, fact.after)
    if before == after:
        return None  # Said otherwise in another language.
    sentence = _OTHERWISE if before and after else _NEWLY if after else _NO_LONGER
    label = str(gettext(_LABELS[fact.name]))
    said = str(gettext(sentence)).format(fact=label, before=before, after=after)
    return _said(fact, said, before, after)


def sentences(facts: Iterable[Fact]) -> list[str]:
    """What became otherwise, a sentence each; what is of no use to a reader is left out."""
    return [fact["sentence"] for fact in map(_fact, facts) if fact]


def _said(fact: Fact, sentence: str, before: str = "", after: str = "") -> Shape:
    return {"fact": fact.name, "sentence": sentence, "before": before, "after": after}


def _moved(before: Place | None, after: Place | None) -> str:
    if before is None or after is None:
        return str(gettext(_PLACED if after else _UNPLACED))
    points = [geo.metric_point(place, srid=db.instance().metric_crs) for place in (before, after)]
    distance_m = float(np.hypot(points[0].x - points[1].x, points[0].y - points[1].y))
    return str(gettext(_MOVED)).format(distance=context.distance(max(distance_m, 100.0)))


def _value(name: str, value: Any) -> str:
    """A fact as it is said in this request's language; "" where there is none."""
    return _SAY.get(name, str)(value) if value else ""


def _word(words: Mapping[str, str] | None) -> str:
    return i18n.plain(words) if words else ""


def _codes(group: str) -> Callable[[Any], str]:
    return lambda found: i18n.listed(i18n.label(group, code) for code in found)


def _code(group: str) -> Callable[[Any], str]:
    return lambda code: i18n.label(group, str(code))


def _layer(key: str) -> str:
    return next((i18n.plain(one.label) for one in db.instance().layers if one.key == key), key)


def _number(value: Any) -> str:
    try:
        return i18n.number(float(value))
    except ValueError:
        return str(value)


_SAY: dict[str, Callable[[Any], str]] = {
    "names": _word,
    "layer": _layer,
    "form": _code("forms"),
    "capabilities": _codes("capabilities"),
    "readiness": _code("readiness"),
    "municipality": names.municipality,
    "county": names.county,
    "precision": _code("precision"),
    "accuracy": _code("accuracy"),
    "serves": lambda keys: i18n.listed(names.area(key) for key in keys),
    "parent": names.area,
    "valid_from": i18n.day,
    "valid_to": i18n.day,
    "as_of": i18n.day,
    "population": _number,
    "area_km2": _number,
    "area_m2": lambda size_m2: i18n.measure(round(size_m2 / 1e6, 1), "square-kilometer"),
}
