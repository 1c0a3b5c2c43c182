"""What other programs subscribe to or take along: an Atom feed of an area, an organisation's vCard."""

from xml.etree.ElementTree import Element, SubElement, tostring

from flask import Blueprint, Response, g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import changes, places
from layers.changes import Change
from layers.errors import N_
from layers.places import Body
from webmap import db, i18n, names, packed, params

bp = Blueprint("feeds", __name__)
_ATOM = "http://www.w3.org/2005/Atom"
_TITLES = {
    changes.ADDED: N_("Added: {name}"),
    changes.CHANGED: N_("Changed: {name}"),
    changes.ENDED: N_("Taken away: {name}"),
}


@bp.get("/<language>/areas/<kind>/<code>/changes.atom")
def atom(language: str, kind: str, code: str) -> ResponseReturnValue:
    """Something changed in my area's safety network (RFC 4287)."""
    _speak(language)
    area = places.area(db.session(), kind, code, as_of=params.today())
    found = changes.in_area(db.session(), kind, code)
    here = url_for("pages.area", language=language, kind=kind, code=code, _external=True)
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": language})
    SubElement(feed, "id").text = here
    SubElement(feed, "title").text = f"{i18n.plain(db.instance().names)}: {i18n.plain(area.names)}"
    SubElement(feed, "updated").text = found[0].at if found else "2015-12-01T00:00:00Z"
    SubElement(feed, "link", href=here, hreflang=language)
    SubElement(feed, "link", rel="self", href=request.url)
    SubElement(SubElement(feed, "author"), "name").text = i18n.plain(db.instance().names)
    for change in found:
        _entry(feed, change, language)
    return _answer(tostring(feed, encoding="utf-8", xml_declaration=True), "application/atom+xml")


def _entry(feed: Element, change: Change, language: str) -> None:
    page = "pages.body" if change.of == "body" else "pages.case"
    link = url_for(page, language=language, key=change.key, _external=True)
    name = change.names.get(language) or change.names.get("") or i18n.plain(change.names)
    entry = SubElement(feed, "entry")
    SubElement(entry, "id").text = f"{link}#{change.what}-{change.at}"
    SubElement(entry, "title").text = str(gettext(_TITLES[change.what])).format(name=name)
    SubElement(entry, "updated").text = change.at
    SubElement(entry, "link", href=link, hreflang=language)


@bp.get("/<language>/bodies/<key>.vcf")
def vcard(language: str, key: str) -> ResponseReturnValue:
    """An organisation for an address book (vCard 4.0, RFC 6350): public facts only."""
    _speak(language)
    found = places.body(db.session(), key, as_of=params.today())
    lines = ["BEGIN:VCARD", "VERSION:4.0", "KIND:org", *_card(found), "END:VCARD"]
    response = _answer("".join(f"{_folded(line)}\r\n" for line in lines).encode(), "text/vcard")
    response.headers["Content-Disposition"] = f"attachment; filename={key}.vcf"
    return response


def _card(body: Body) -> list[str]:
    place = [body.locality, names.municipality(body.municipality), names.county(body.county)]
    lines = [
        f"FN:{_escaped(names.body(body))}",
        f"ORG:{_escaped(body.name)}",
        f"CATEGORIES:{_escaped(i18n.label('forms', body.form))}",
        f"URL:{url_for('pages.body', language=i18n.language(), key=body.key, _external=True)}",
        f"ADR:;;;{';'.join(_escaped(part) for part in place)};;",
    ]
    if body.place:
        lines.append(f"GEO:geo:{body.place.lat},{body.place.lon}")
    source = f"{gettext('Source')}: {body.source.title}"
    lines.append(f"NOTE:{_escaped(source)}")
    return lines


def _escaped(text: str) -> str:
    for mark in ("\\", ",", ";"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def _folded(line: str) -> str:
    """Lines of at most 75 bytes, as the standard asks; a letter is never cut in two."""
    parts, room = [""], 75
    for letter in line:
        size = len(letter.encode())
        if size > room:
            parts, room = [*parts, " "], 74
        parts[-1] += letter
        room -= size
    return "\r\n".join(parts)


def _speak(language: str) -> None:
    offered = {code: code for code in db.instance().languages}
    g.language = params.one_of({"lang": language}, "lang", offered)


def _answer(body: bytes, kind: str) -> Response:
    response = Response(body, content_type=f"{kind}; charset=utf-8")
    return packed.conditional(response, "public, max-age=300")
