"""The language of this request, and words in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, gettext

from layers import dates
from layers.catalog import Words, said
from layers.errors import LayersError, Sentence
from webmap import db, params

_COOKIE = "language"
_WRITTEN_IN = "en"  # The language of the sentences in the code, shown where there is no catalogue.
_CATALOGUES = Path(__file__).parent / "translations"
# Plain "en" writes dates as in the United States.
_LOCALES = {"en": "en_GB"}


@dataclass(frozen=True)
class Said:
    """Words, and the language that they are in: not always the wanted one."""

    text: str
    language: str
    is_fallback: bool

    def __str__(self) -> str:
        return self.text


def told(what: str | LayersError) -> str:
    """A sentence, or what has gone wrong, in the language of this request; a plain text as it is."""
    if not isinstance(what, Sentence | LayersError):
        return what
    values = {name: told(value) if isinstance(value, str) else value for name, value in what.values.items()}
    return str(gettext(what.text)).format(**values)


def init_app(app: Flask) -> None:
    Babel(app, locale_selector=language)


def language() -> str:
    """The language of this request: the one in its address, else the instance's own."""
    return str(g.get("language") or _named() or db.instance().default_language)


def _named() -> str:
    """The language that an address names by itself, before anything has looked at it; "" where it names none.

    One that leads to no page may begin with it, and a program that is refused at the door has its `lang`.
    """
    if not has_request_context():
        return ""
    first = request.path.split("/", 2)[1] if request.routing_exception else params.arguments().get("lang", "")
    return first if first in db.instance().languages else ""


def untold() -> str:
    """This request's language in English, where the interface is not written in it; "" where it is."""
    return _untold(language())


@lru_cache(maxsize=64)
def _untold(code: str) -> str:
    if code == _WRITTEN_IN or (_CATALOGUES / code).is_dir():
        return ""
    return Locale.parse(code).get_display_name(_WRITTEN_IN) or code


def take_language() -> None:
    """Before a request of the API: the language that its `lang` names, else the instance's own."""
    offered = db.instance().languages
    g.language = params.one_of(params.arguments(), "lang", offered) or db.instance().default_language


def locale() -> str:
    """The locale in which this request writes dates and numbers."""
    return _LOCALES.get(language(), language())


def cookie() -> str:
    """Where a visitor's language is remembered; over https under a name that only this host can set."""
    return f"__Host-{_COOKIE}" if request.is_secure else _COOKIE


def negotiated() -> str:
    """The language that a visitor without one in the address most likely wants."""
    offered = db.instance().languages
    remembered = request.cookies.get(cookie(), "")
    if remembered in offered:
        return remembered
    return request.accept_languages.best_match(offered) or db.instance().default_language


def words(text: Words) -> Said:
    """Words in this request's language, or visibly in another one."""
    wanted = language()
    if text.get(wanted):
        return Said(text[wanted], wanted, False)
    used = next((code for code in (db.instance().default_language, *text) if text.get(code)), wanted)
    return Said(text.get(used, ""), used, bool(text.get(used)))


def label(group: str, code: str) -> str:
    """A code of the instance in this request's language."""
    return db.instance().label(group, code, language())


def plain(text: Words) -> str:
    return said(text, language(), db.instance().default_language)


def day(partial: str) -> str:
    """A partial date as this language writes it, no more exact than it is."""
    return _day(partial, locale()) if partial else ""


@lru_cache(maxsize=4096)
def _day(partial: str, locale: str) -> str:
    first, parts = dates.first_day(partial), partial.count("-")
    if parts == 0:
        return partial
    if parts == 1:
        return str(format_skeleton("yMMMM", first, locale=locale))
    return str(format_date(first, format="long", locale=locale))


def lowered(text: str) -> str:
    """A label inside a sentence: its first letter small, unless it is an abbreviation."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def listed(names: Iterable[str]) -> str:
    """Names in a sentence: one, another and a third."""
    return str(format_list([*names], locale=locale()))


def either(names: Iterable[str]) -> str:
    """Names in a sentence of which one is enough: one, another or a third."""
    return str(format_list([*names], style="or", locale=locale()))


def number(value: float) -> str:
    return _numbered(value, locale())


@lru_cache(maxsize=4096)
def _numbered(value: float, locale: str) -> str:
    return str(format_decimal(value, locale=locale))


def percent(share: float) -> str:
    """A share of 1, to a tenth of a percent."""
    return f"{number(round(share * 100, 1))} %"


def measure(value: float, unit: str) -> str:
    """A number with its unit (a name of Unicode's CLDR, as "kilometer"), short: 12 km."""
    return _measured(value, unit, locale())


@lru_cache(maxsize=4096)
def _measured(value: float, unit: str, locale: str) -> str:
    return str(format_unit(value, unit, length="short", locale=locale))


def language_name(code: str) -> str:
    """A language's name in itself."""
    return (Locale.parse(code).get_display_name(code) or code).capitalize()


def language_here(code: str) -> str:
    """A language's name in this request's language."""
    return Locale.parse(code).get_display_name(language()) or code
