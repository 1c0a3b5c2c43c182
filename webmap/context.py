"""What every template may say."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import current_app, request, url_for
from flask_babel import gettext

from layers import dates, places
from layers.catalog import Basemap
from layers.errors import N_, Invalid
from layers.filters import PARTS
from webmap import ages, db, exactness, i18n, names, params, prose
from webmap.settings import Settings

_WHEN = ("as_of", "known")
_PLACE = ("accuracy", "lat", "lon", "place", "worry")
_VIEW = ("at", "paper", "sheet", "show")
_CHOICE = ("shade", *PARTS)
_PLAN = (
    *(
        "against",
        "all",
        "any",
        "areas",
        "backup",
        "beside",
        "kind",
        "like",
        "model",
        "near",
        "need",
        "other",
        "plan",
        "role",
    ),
    *("rule", "score", "sites", "sliver", "sort", "standard", "turnout", "view", "within", "zone"),
)
# What our pages know to ask. A link to another page of ours, printed, embedded or shared, carries these on.
_QUESTIONS = ("audience", "from", "layer", "one", "q", "two", *_PLACE, *_VIEW, *_WHEN, *_CHOICE, *_PLAN)
# By whether a place lies south of the equator, and west of Greenwich.
_DEGREES = {
    (False, False): N_("%(lat)s° N, %(lon)s° E"),
    (False, True): N_("%(lat)s° N, %(lon)s° W"),
    (True, False): N_("%(lat)s° S, %(lon)s° E"),
    (True, True): N_("%(lat)s° S, %(lon)s° W"),
}
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
        "asked": asked,
        "accuracy": lambda name: instance.resources[name].accuracy if name in instance.resources else {},
        "asset": asset,
        "basemaps": basemaps(instance.basemaps, settings),
        "body_name": names.body,
        "credits": instance.attributions,
        "day": i18n.day,
        "borders_are_rough": exactness.borders_are_rough,
        "embed_origins": settings.embed_origins,
        "degrees": degrees,
        "distance": distance,
        "instance": instance,
        "is_empty": exactness.is_empty,
        "label": i18n.label,
        "known_at": lambda: places.known_at(db.session()),
        "language": i18n.language(),
        "language_here": i18n.language_here,
        "language_name": i18n.language_name,
        "names": names,
        "measure": i18n.measure,
        "now": params.now,
        "number": i18n.number,
        "on_map": on_map,
        "page": page,
        "plain": i18n.plain,
        "points_are_coarse": exactness.points_are_coarse,
        "prose": partial(prose.render, when=when()),
        "same_page": same_page,
        "same_page_today": same_page_today,
        "words": i18n.words,
        "age_of": ages.of,
        "untold": i18n.untold(),
        "when": when(),
        "years_since": lambda as_of: dates.years_since(as_of, today=params.knowledge_day(params.arguments())),
    }


def when() -> dict[str, str]:
    """The days that this request asks about, as its address names them; empty for now."""
    args = params.arguments()
    try:
        day = params.as_of(args).isoformat() if args.get("as_of") else ""
        found = {"as_of": day, "known": params.known(args)}
    except Invalid:
        return {}  # This is the page that says so.
    return {name: value for name, value in found.items() if value}


def asked(*without: str) -> dict[str, str]:
    """What this request asks, to be asked again by a link; names that our pages do not know are left out."""
    args = params.arguments()
    return {name: args[name] for name in _QUESTIONS if args.get(name) and name not in without}


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
    """The address of a page in this request's language and about its day; `as_of=None` leads to today."""
    return url_for(f"pages.{endpoint}", **{"language": i18n.language(), **when(), **values})


def chosen() -> dict[str, str]:
    """What this request chooses to see of organisations and cases, and the shading, by its parameters."""
    return {name: value for name, value in asked().items() if name in _CHOICE}


def on_map(*, choice: Mapping[str, str] | None = None, **more: str) -> str:
    """The map with a choice, else with this request's; static/map.js reads it behind the #."""
    return f"{page('home')}#{urlencode({**more, **(chosen() if choice is None else choice)})}"


def same_page(language: str) -> str:
    """This page in another language; the start page where this one exists in none."""
    return _again(asked(), language)


def same_page_today() -> str:
    """This page as it is now."""
    return _again(asked(*_WHEN), i18n.language())


def _again(questions: Mapping[str, str], language: str) -> str:
    if not request.endpoint or not request.endpoint.startswith(("pages.", "offline.")):
        return url_for("pages.home", language=language)
    # Only questions that our pages know: names such as _scheme would rewrite the address.
    return url_for(request.endpoint, **{**questions, **(request.view_args or {}), "language": language})


def amount(number: int, qualifier: str) -> str:
    """A number as exact as its source: 28, over 500, about 10,000."""
    shown = i18n.number(number)
    return i18n.label("qualifiers", qualifier).format(number=shown) if qualifier else shown


def distance(metres: float) -> str:
    """A distance as one would say it."""
    return measured(*rounded(metres))


def rounded(metres: float) -> tuple[float, str]:
    """A distance as exactly as one would say it: metres to the hundred, kilometres to the tenth, then whole.

    Its unit is "meter" or "kilometer", and "" for none that is worth a number.
    """
    if metres < 100:
        return 0, ""
    if metres < 950:
        return round(metres, -2), "meter"
    return round(metres / 1000, 1 if metres < 10_000 else None), "kilometer"


def measured(amount: float, unit: str) -> str:
    """A rounded distance in words."""
    return i18n.measure(amount, unit) if unit else str(gettext(N_("in the same place")))


def degrees(place: Mapping[str, float]) -> str:
    """Coordinates as one would say them, on any half of the earth; `place` has `lat` and `lon`."""
    lat, lon = place["lat"], place["lon"]
    said = {"lat": i18n.number(abs(lat)), "lon": i18n.number(abs(lon))}
    return str(gettext(_DEGREES[lat < 0, lon < 0], **said))


def direction(bearing: float) -> str:
    """One of eight directions for degrees from north."""
    return str(gettext(_DIRECTIONS[round(bearing / 45) % 8]))
