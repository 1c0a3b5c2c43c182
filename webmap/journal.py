"""What the project tells of itself: its journal with files and a feed, and who stands behind it."""

from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from flask import Blueprint, Response, current_app, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from layers import dates, journal, places
from layers.errors import N_, NotFound
from layers.journal import Entry
from webmap import db, i18n, packed, params

bp = Blueprint("journal", __name__)
_ATOM = "http://www.w3.org/2005/Atom"
_FIRST = "2015-12-01T00:00:00Z"


class NoFile(NotFound):
    text = N_("The journal has no file “{name}”.")


@bp.get("/<language>/journal/")
def entries() -> ResponseReturnValue:
    return render_template("pages/journal.html", entries=_entries())


@bp.get("/<language>/journal/<key>")
def entry(key: str) -> ResponseReturnValue:
    found = journal.entry(db.session(), key)
    every = _entries()
    at = next((number for number, one in enumerate(every) if one.key == key), None)
    return render_template(
        "pages/entry.html",
        entry=found,
        later=every[at - 1] if at else None,
        earlier=every[at + 1] if at is not None and at + 1 < len(every) else None,
    )


def _entries() -> list[Entry]:
    return journal.entries(db.session(), as_of=params.as_of(params.arguments()))


@bp.get("/<language>/journal/files/<name>")
def file(name: str) -> ResponseReturnValue:
    """A file of an entry, to be kept and not to be run: nothing that no entry names is given away."""
    named = {one.name for entry in _entries() for one in entry.files}
    folder = db.instance().resources["journal"].path if "journal" in db.instance().resources else None
    if name not in named or folder is None:
        raise NoFile(name=name)
    return send_from_directory((folder / "files").resolve(), name, as_attachment=True, max_age=300)


@bp.get("/<language>/journal.atom")
def atom() -> ResponseReturnValue:
    """The journal as a feed (RFC 4287)."""
    found, here = _entries(), _address("pages.journal.entries")
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": i18n.language()})
    SubElement(feed, "id").text = here
    SubElement(feed, "title").text = f"{i18n.plain(db.instance().names)}: {_title()}"
    SubElement(feed, "updated").text = _moment(found[0]) if found else _FIRST
    SubElement(feed, "link", href=here, hreflang=i18n.language())
    SubElement(feed, "link", rel="self", href=request.url)
    SubElement(SubElement(feed, "author"), "name").text = i18n.plain(db.instance().names)
    for one in found:
        _add(feed, one)
    response = Response(tostring(feed, encoding="utf-8", xml_declaration=True))
    response.content_type = "application/atom+xml; charset=utf-8"
    return packed.conditional(response, "public, max-age=300")


def _add(feed: Element, one: Entry) -> None:
    link, words = _address("pages.journal.entry", key=one.key), i18n.words(one.summaries)
    entry = SubElement(feed, "entry")
    SubElement(entry, "id").text = link
    SubElement(entry, "title").text = i18n.plain(one.titles)
    SubElement(entry, "updated").text = _moment(one)
    SubElement(entry, "link", href=link, hreflang=i18n.language())
    SubElement(entry, "summary", {"xml:lang": words.language}).text = words.text
    for source in one.sources:
        if source["url"]:
            SubElement(entry, "link", rel="via", href=source["url"], title=source["title"])
    for file in one.files:
        address = _address("pages.journal.file", name=file.name)
        SubElement(entry, "link", rel="enclosure", href=address, title=i18n.plain(file.titles))


def _title() -> str:
    resource = db.instance().resources.get("journal")
    return i18n.plain(resource.title) if resource else ""


def _moment(one: Entry) -> str:
    """The first moment that an entry's date can mean: a feed knows no partial dates."""
    return f"{dates.first_day(one.date).isoformat()}T00:00:00Z"


def _address(endpoint: str, **values: Any) -> str:
    return url_for(endpoint, language=i18n.language(), _external=True, **values)


@bp.get("/<language>/about")
def about() -> ResponseReturnValue:
    """Who stands behind it, under which licences, and how to correct something."""
    resources = {one.name: one for one in db.instance().resources.values()}
    licences: dict[str, list[Any]] = {}
    for edition in places.editions(db.session()):
        licences.setdefault(edition.licence, []).append(resources.get(edition.name, edition).title)
    return render_template(
        "pages/about.html",
        about=journal.page(db.session(), "about"),
        licences=licences,
        corrections=current_app.config["CORRECTIONS"],
    )
