"""Layers to take along: a page of what there is, and every layer in every format at an address of its own.

A file is made when somebody asks for it and kept under the state's folder, named by all that it depends on:
the state of the data, the day, the language and the choice. Only one is made at a time in a process, since a
big layer is heavy; what nobody has asked for longest goes when there are more than `_MOST_BYTES`. Most
formats have equal bytes for equal questions (`layers.exports` says which), and so does the ETag.
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotAcceptable

from layers import downloads, exports, filters, places, practices
from layers.catalog import Layer
from layers.downloads import Offer, Question
from layers.errors import N_, Unavailable
from layers.exports import Format
from layers.filters import Filter, PlaceKinds
from webmap import choices, context, db, i18n, packed, params, place_kinds
from webmap.choices import Field
from webmap.db import House, Revisions

bp = Blueprint("downloads", __name__)
files = Blueprint("exports", __name__, url_prefix="/api/export")
files.before_request(i18n.take_language)
files.after_request(packed.for_anybody)

_WRITTEN = 1
"""Rises when the same question is written otherwise: what was kept before is not given any more."""
_MOST_BYTES = 500_000_000
_MADE_AHEAD = 5_000
_CHOICE = (*filters.PARTS, "as_of", "known")
_making = Lock()


class NoRoom(Unavailable):
    text = N_("The file cannot be written on this server just now.")


@dataclass(frozen=True)
class File:
    """One format of a layer: its address, and its size where it has been made already."""

    format: Format
    url: str
    size: int | None


@dataclass(frozen=True)
class Shelf:
    """A layer as the page shows it. `editions` are where its rows come from; `layer` may be None."""

    offer: Offer
    layer: Layer | None
    rows: int
    editions: tuple[places.Edition, ...]
    files: tuple[File, ...]
    is_share_alike: bool


@bp.get("/<language>/download")
def page() -> ResponseReturnValue:
    """What can be taken along, for the day, the language and the choice of the address."""
    args = params.arguments()
    shelves = [_shelf(one) for one in downloads.offers(db.instance())]
    response = current_app.make_response(
        render_template("pages/download.html", shelves=shelves, fields=_fields(args), size=size)
    )
    if not any(args.get(name) for name in _CHOICE):
        _make_ahead(response, shelves)
    return response


@files.get("/<layer>.<format>")
def file(layer: str, format: str) -> ResponseReturnValue:
    """A layer in the format that the address ends in."""
    return _sent(layer, exports.format_of(format))


@files.get("/<layer>")
def wanted(layer: str) -> ResponseReturnValue:
    """A layer in the format that the visitor's program accepts; GeoJSON where it takes anything."""
    about = downloads.offer(db.instance(), layer)
    offered = {one.mimetype: one for one in exports.offered(about.shape)}
    accepted = request.accept_mimetypes
    best = accepted.best_match(offered) if accepted else next(iter(offered))
    if best is None:
        raise NotAcceptable
    response = _sent(layer, offered[best])
    response.vary.add("Accept")
    return response


def write(
    app: Flask, layer: str, format: Format, out: Path, *, language: str, asked: Mapping[str, str]
) -> int:
    """Writes a layer to a file outside of any visit: the same bytes that a visitor gets.

    `asked` are the parameters of the address. Nothing is left where it fails.

    Returns:
        how many rows it has.

    Raises:
        LayersError: the layer, the format or a parameter cannot be used.
        OSError: the file cannot be written.
    """
    with app.test_request_context("/", query_string={**asked, "lang": language}):
        i18n.take_language()
        question = _question(layer)
        _write(question, format, out)
        return downloads.count(
            db.session(), db.instance(), question, place_kinds=_place_kinds(question.as_of, question.only)
        )


def folder(state: Path) -> Path:
    """Where the files are kept that have been asked for."""
    return state / "exports"


def size(bytes_: int) -> str:
    """A size as people say it: 35 kB, 2.1 MB."""
    if bytes_ < 1_000_000:
        return i18n.measure(max(1, round(bytes_ / 1000)), "kilobyte")
    return i18n.measure(round(bytes_ / 1e6, 1), "megabyte")


# --- What is asked


def _question(layer: str) -> Question:
    args = params.arguments()
    about = downloads.offer(db.instance(), layer)
    only = choices.chosen(args)  # Borders, the gazetteer and counts are always whole, as the map shows them.
    return Question(
        layer,
        as_of=params.as_of(args),
        today=params.knowledge_day(args),
        language=i18n.language(),
        known=params.known(args),
        only=only if about.of in ("bodies", "cases", "practices") else Filter(),
    )


def _place_kinds(as_of: date, only: Filter) -> PlaceKinds:
    return place_kinds.known(as_of) if only.place_kind else {}


def _name(question: Question, format: Format) -> str:
    """What a browser calls the file: letters that every system knows."""
    parts = (db.instance().key, question.layer, question.as_of.isoformat(), question.language)
    plain = "-".join(re.sub(r"[^A-Za-z0-9-]+", "-", part) for part in parts)
    return f"{plain}.{format.key}"


# --- Made, kept and sent


def _sent(layer: str, format: Format) -> Response:
    question = _question(layer)
    mark = _mark(question, format)
    made = _made(question, format, mark)
    response = send_file(
        made,
        mimetype=format.mimetype,
        as_attachment=True,
        download_name=_name(question, format),
        conditional=True,
        etag=mark,
    )
    response.headers["Cache-Control"] = f"public, max-age={min(300, params.seconds_left_today())}"
    return response


def _mark(question: Question, format: Format) -> str:
    """Names all that a file depends on."""
    about = (_WRITTEN, _config(db.house()), db.revisions(), format.key, repr(question))
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


@lru_cache(maxsize=4)
def _config(house: House) -> str:
    """What the instance says of itself: labels, codes, rules of freshness."""
    return hashlib.sha256(repr(house.instance).encode()).hexdigest()


def _kept(mark: str, format: Format) -> Path:
    return folder(Path(current_app.config["STATE"])) / f"{mark}.{format.key}"


def _made(question: Question, format: Format, mark: str) -> Path:
    """The file of a question: kept from before, or made now."""
    kept = _kept(mark, format)
    if not kept.exists():
        with _making:
            if not kept.exists():
                try:
                    _write(question, format, kept)
                    _tidy(kept)
                except OSError as error:
                    raise NoRoom from error
    else:
        os.utime(kept)
    return kept


def _write(question: Question, format: Format, out: Path) -> None:
    """Writes beside the file first: half a file is never seen."""
    kinds = _place_kinds(question.as_of, question.only)
    table = downloads.dataset(db.session(), db.instance(), question, tell=i18n.told, place_kinds=kinds)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{secrets.token_hex(8)}.{format.key}")
    try:
        exports.write(table, format, beside)
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


def _tidy(newest: Path) -> None:
    """Lets go of what nobody has asked for longest, where there is too much."""
    total, found = 0, []
    for one in newest.parent.iterdir():
        try:
            found.append((one.stat().st_mtime, one.stat().st_size, one))
        except FileNotFoundError:
            continue  # Another process has let go of it.
    for _, bytes_, one in sorted(found, reverse=True):
        total += bytes_
        if total > _MOST_BYTES and one != newest:
            one.unlink(missing_ok=True)


# --- The page


def _shelf(about: Offer) -> Shelf:
    instance, question = db.instance(), _question(about.key)
    carried: dict[str, Any] = {name: text for name, text in context.asked().items() if name in _CHOICE}
    found = []
    for one in exports.offered(about.shape):
        kept = _kept(_mark(question, one), one)
        url = url_for("exports.file", layer=about.key, format=one.key, lang=question.language, **carried)
        found.append(File(one, url, kept.stat().st_size if kept.exists() else None))
    editions = tuple(one for one in _editions(db.house(), db.revisions()) if one.name == about.key)
    return Shelf(
        offer=about,
        layer=next((layer for layer in instance.layers if layer.key == about.key), None),
        rows=_count(db.house(), db.revisions(), question),
        editions=editions,
        files=tuple(found),
        is_share_alike=downloads.is_share_alike(one.licence for one in editions),
    )


@lru_cache(maxsize=8)
def _editions(_house: House, _revisions: Revisions) -> tuple[places.Edition, ...]:
    return tuple(places.editions(db.session()))


@lru_cache(maxsize=256)
def _count(house: House, _revisions: Revisions, question: Question) -> int:
    kinds = _place_kinds(question.as_of, question.only)
    return downloads.count(db.session(), house.instance, question, place_kinds=kinds)


def _fields(args: Mapping[str, str]) -> tuple[Field, ...]:
    asked = (params.as_of(args), choices.chosen(args), params.knowledge_day(args))
    return _choosing(db.house(), i18n.language(), db.revisions(), *asked)


@lru_cache(maxsize=32)
def _choosing(
    house: House, _language: str, _revisions: Revisions, as_of: date, only: Filter, today: date
) -> tuple[Field, ...]:
    session, rules = db.session(), house.instance.freshness
    found = filters.facets(
        places.bodies(session, as_of=as_of),
        practices.cases(session, as_of=as_of),
        only,
        today=today,
        rules=rules,
        place_kinds=place_kinds.known(as_of),
    )
    return choices.form(only, found)


def _make_ahead(response: Response, shelves: list[Shelf]) -> None:
    """After the page has been sent, makes the small files of it, so that the next reader sees their sizes."""
    missing = [
        (one.offer.key, file.format)
        for one in shelves
        for file in one.files
        if file.size is None and one.rows <= _MADE_AHEAD
    ]
    if not missing:
        return
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    language = i18n.language()

    def make() -> None:
        with app.test_request_context("/", query_string={"lang": language}):
            i18n.take_language()
            try:
                for layer, format in missing:
                    question = _question(layer)
                    _made(question, format, _mark(question, format))
            except Unavailable as error:
                app.logger.warning("no files were made ahead: %s", error)

    response.call_on_close(make)
