"""How fresh a fact is, in words: one way of saying it for the map, lists, pages, files and letters."""

from datetime import date

from flask_babel import gettext

from layers import freshness
from layers.errors import N_
from layers.freshness import Age, Thing
from webmap import db, i18n, params

TITLES = {
    freshness.NEW: N_("confirmed lately"),
    freshness.AGEING: N_("getting older"),
    freshness.OLD: N_("old, check first"),
    freshness.EXPIRED: N_("expired, not current"),
    freshness.UNDATED: N_("no date"),
}


def today() -> date:
    """The day against which this request tells ages."""
    return params.knowledge_day(params.arguments())


def of(thing: Thing) -> Age:
    """How fresh something is on this request's day, by the instance's rules."""
    return freshness.of(thing, db.instance().freshness, today=today())


def not_current(age: Age) -> str:
    """What is said of a fact that has expired, wherever it is still shown."""
    sentence = str(gettext(N_("Not current: last confirmed {day}, check before relying on it")))
    return sentence.format(day=i18n.day(age.last))
