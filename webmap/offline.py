"""What a visitor keeps to read with no network: the worker, the list of what it keeps, the manifest.

A service worker was chosen before a pack to carry about: one visit is all it takes, nobody has a file to
find again, and what is kept renews itself at the next visit with a network. A pack would be as old as the
day somebody made it, and a browser opens no map from a file under a strict policy.
"""

import hashlib
import json
import re
from datetime import date
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from flask import Blueprint, Flask, Response, current_app, g, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, gettext
from werkzeug.exceptions import NotFound
from werkzeug.test import Client

from layers import practices
from layers.errors import N_
from webmap import context, db, drawn, i18n, params, shading
from webmap.db import House, Revisions

bp = Blueprint("offline", __name__)

_WORDS = {
    "kept": N_("You are offline: shown as of {when}."),
    "unseen": N_("This has not been opened on this device before, and there is no network now."),
}
_PROGRAM = {".css", ".html", ".js", ".mo", ".py", ".svg", ".woff2"}
_COLOURS = {"theme_color": "#0b5d66", "background_color": "#f3f6f7"}
# What an answer loads in its turn, by the sort of answer. A tile's address with {z} in it names no file.
_LOADS = {
    "text/html": re.compile(r'<(?:script|link(?! rel="alternate"))\b[^>]*? (?:src|href)="([^"]+)"'),
    "text/css": re.compile(r"""url\(["']?([^"')#]+)["']?\)"""),
    "text/javascript": re.compile(r'"(/[^"\s{]*/layers/[^"\s{]+)"'),
}


def init_app(app: Flask, *, offered: bool) -> None:
    """Adds the addresses; where it is not `offered`, only the worker that removes itself is left."""
    app.config["OFFLINE"] = offered
    app.register_blueprint(bp)
    app.context_processor(lambda: {"offline": offered})


@bp.url_value_preprocessor
def _take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    if values and "language" in values:
        g.language = values.pop("language")
        if g.language not in db.instance().languages or not current_app.config["OFFLINE"]:
            g.language = i18n.negotiated()
            raise NotFound


@bp.get("/sw.js")
def worker() -> ResponseReturnValue:
    template = "worker.js" if current_app.config["OFFLINE"] else "worker-gone.js"
    house = _house() if current_app.config["OFFLINE"] else {}
    response = make_response(render_template(template, house=house))
    response.mimetype = "text/javascript"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Service-Worker-Allowed"] = url_for("pages.start")
    return response


@bp.get("/<language>/offline")
def page() -> ResponseReturnValue:
    return render_template("pages/offline.html", part=params.is_part(params.arguments()))


@bp.get("/<language>/offline.json")
def kept() -> ResponseReturnValue:
    """Addresses in the order in which they are to be kept, and the bytes that they take together."""
    weighed = _weighed(db.house(), i18n.language(), params.today(), db.revisions())
    found = {"version": _version(), "bytes": sum(weighed.values()), "addresses": list(weighed)}
    response = Response(json.dumps(found), mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"
    return response


@bp.get("/manifest.webmanifest")
def manifest() -> ResponseReturnValue:
    """The site as an application for a home screen, in the language of `lang`."""
    instance = db.instance()
    offered = {code: code for code in instance.languages}
    g.language = params.one_of(params.arguments(), "lang", offered) or instance.default_language
    about = {
        "name": i18n.plain(instance.names),
        "short_name": i18n.plain(instance.names),
        "description": gettext("Who looks after safety in a place, and what places have done together."),
        "lang": g.language,
        "id": url_for("pages.start"),
        "scope": url_for("pages.start"),
        "start_url": context.page("home"),
        "display": "standalone",
        "icons": [{"src": context.asset("icon.svg"), "sizes": "any", "type": "image/svg+xml"}],
        **_COLOURS,
    }
    response = Response(json.dumps(about, ensure_ascii=False), mimetype="application/manifest+json")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _house() -> dict[str, Any]:
    """What the worker knows by itself: enough to say in each language that something is not there."""
    pages = [url_for("offline.page", language=code) for code in db.instance().languages]
    assets = [context.asset(name) for name in ("turvakaart.css", "offline.js", "icon.svg")]
    return {
        "version": _version(),
        "base": url_for("pages.start"),
        "languages": db.instance().languages,
        "core": [*assets, *pages],
        "words": {code: _words(code) for code in db.instance().languages},
    }


def _words(language: str) -> dict[str, str]:
    g.language = language
    with force_locale(i18n.locale()):
        said = {name: gettext(text) for name, text in _WORDS.items()}
    return said | {"locale": i18n.locale().replace("_", "-")}


def _version() -> str:
    """Names the state of program and data: the same in every process, another one when either changes."""
    state = [_program(db.house()), *(f"{name} {number}" for name, number in db.revisions())]
    return hashlib.sha256("\n".join(state).encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def _program(house: House) -> str:
    """A digest of what makes the pages: code, templates, translations, assets, the instance's words."""
    digest = hashlib.sha256((house.instance.folder / "instance.yaml").read_bytes())
    for root in (Path(current_app.root_path), Path(practices.__file__).parent):
        for file in sorted(file for file in root.rglob("*") if file.suffix in _PROGRAM):
            digest.update(f"\0{file.relative_to(root).as_posix()}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=16)
def _weighed(_house: House, language: str, today: date, _revisions: Revisions) -> dict[str, int]:
    """Address → bytes of all that one visit keeps; what a page needs comes before the page.

    Only the answer itself knows what it weighs and loads, so each is made once for each state of the data.
    """
    client = Client(current_app, use_cookies=False)
    weighed: dict[str, int] = {}
    for address in _pages(language, today):
        _weigh(client, address, weighed)
    return weighed


def _weigh(client: Client, address: str, weighed: dict[str, int]) -> None:
    if address in weighed:
        return
    with client.get(address) as answer:
        body, kind, status = answer.get_data(), answer.mimetype, answer.status_code
    # A layer that is told elsewhere is a redirect, and nothing to keep.
    if status != 200:
        return
    for load in _LOADS[kind].findall(body.decode()) if kind in _LOADS else ():
        needed = urljoin(address, unescape(load).replace("\\u0026", "&"))
        if needed.startswith("/"):
            _weigh(client, needed, weighed)
    weighed[address] = len(body)


def _pages(language: str, today: date) -> list[str]:
    """The map, the lists, every guide and every case."""
    session = db.session()
    lists = [context.page(name, language=language) for name in ("home", "practice_list", "cases", "layers")]
    lists += [context.page("layer", key=layer.key, language=language) for layer in db.instance().layers]
    lists += [context.page("data", language=language), url_for("offline.page", language=language)]
    guides = [
        context.page("practice", key=one.key, language=language)
        for one in practices.practices(session, as_of=today)
    ]
    cases = [
        context.page("case", key=one.key, language=language) for one in practices.cases(session, as_of=today)
    ]
    return [*_shading(language), *lists[:1], *guides, *cases, *lists[1:]]


def _shading(language: str) -> list[str]:
    """The first shading as the map asks for it, from near and from far."""
    return [
        f"{drawn.coverage_address(language=language, when={}, step=step)}&shade={key}"
        for key in [*shading.offered()][:1]
        for step in ("far", "middle", "near")
    ]
