"""What every template may say."""

import hashlib
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import current_app, request, url_for
from flask_babel import gettext

from layers import dates
from layers.catalog import Basemap
from layers.errors import N_
from webmap import db, i18n, names, params, prose
from webmap.settings import Settings

# What our pages know to ask. A link to another page of ours, printed, embedded or shared, carries these on.
_QUESTIONS = (
    "as_of",
    "at",
    "audience",
    "known",
    "lat",
    "lon",
    "outcome",
    "paper",
    "q",
    "show",
    "theme",
)
_DIRECTIONS = (
    N_("to the north"),
    N_("to the north-east"),
    N_("to the east"),
    N_("to the south-east"),
    N_("to the south"),
    N_("to the south-west"),
    N_("to the west"),
    N_("to the north-west"),
)


def words(settings: Settings) -> dict[str, Any]:
    """Names for the templates; `settings` decides what is offered at all."""
    instance = db.instance()
    return {
        "amount": amount,
        "accuracy": lambda name: instance.resources[name].accuracy if name in instance.resources else {},
        "asset": asset,
        "basemaps": basemaps(instance.basemaps, settings),
        "body_name": names.body,
        "credits": instance.attributions,
        "day": i18n.day,
        "direction": direction,
        "embed_origins": settings.embed_origins,
        "distance": distance,
        "instance": instance,
        "label": i18n.label,
        "language": i18n.language(),
        "language_here": i18n.language_here,
        "language_name": i18n.language_name,
        "names": names,
        "now": params.now,
        "number": i18n.number,
        "page": page,
        "plain": i18n.plain,
        "prose": prose.render,
        "questions": questions,
        "same_page": same_page,
        "words": i18n.words,
        "years_since": lambda as_of: dates.years_since(as_of, today=params.today()),
    }


def basemaps(offered: tuple[Basemap, ...], settings: Settings) -> tuple[Basemap, ...]:
    return offered if settings.online_basemaps else ()


def asset(name: str) -> str:
    """The address of a static file; it names the file's bytes, so a browser may keep it for ever."""
    file = Path(current_app.static_folder or "") / name
    state = file.stat().st_mtime_ns if file.is_file() else 0
    return url_for("static", filename=name, v=_digest(file, state))


@lru_cache(maxsize=64)
def _digest(file: Path, state: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12] if state else "missing"


def page(endpoint: str, **values: Any) -> str:
    """The address of a page in this request's language."""
    values.setdefault("language", i18n.language())
    return url_for(f"pages.{endpoint}", **values)


def same_page(language: str) -> str:
    """This page in another language; the start page where this one exists in none."""
    if not request.endpoint or not request.endpoint.startswith("pages."):
        return page("home", language=language)
    return url_for(request.endpoint, **{**questions(), **(request.view_args or {}), "language": language})


def questions(*, without: Collection[str] = ()) -> dict[str, str]:
    """What this request asks, to be carried on in a link.

    Only questions that our pages know: names such as _scheme would rewrite the address.
    """
    return {n: value for n, value in request.args.items() if n in _QUESTIONS and n not in without}


def amount(number: int, qualifier: str) -> str:
    """A number as exact as its source: 28, over 500, about 10,000."""
    shown = i18n.number(number)
    return i18n.label("qualifiers", qualifier).format(number=shown) if qualifier else shown


def distance(metres: float) -> str:
    """A distance as one would say it: metres to the hundred, kilometres to the tenth, then whole."""
    if metres < 100:
        return str(gettext(N_("in the same place")))
    if metres < 950:
        return f"{i18n.number(round(metres, -2))} m"
    return f"{i18n.number(round(metres / 1000, 1 if metres < 10_000 else None))} km"


def direction(bearing: float) -> str:
    """One of eight directions for degrees from north."""
    return str(gettext(_DIRECTIONS[round(bearing / 45) % 8]))
