"""A view that is handed on: its address, the address as a QR code, and the sources of what it shows."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urljoin

import segno
from markupsafe import Markup

from layers.catalog import Instance
from layers.errors import N_, Invalid
from webmap import i18n
from webmap.params import View

# What a phone reads from a code of three centimetres, at arm's length and after a year on a wall.
_MOST_LETTERS = 400
# Drawn under every layer; the gazetteer gives the names of the towns.
_GROUND = ("land", "neighbours", "settlements")


class TooLong(Invalid):
    text = N_("This view cannot be printed: its address has {length} letters, and {most} is the most.")


@dataclass(frozen=True)
class Source:
    """Where several layers come from; `titles` are theirs."""

    titles: tuple[str, ...]
    name: str
    licence: str


def address(page: str, *, view: View | None, shown: Collection[str] | None, choice: Mapping[str, str]) -> str:
    """The map's page in a view, as static/map.js writes it; None means what the map shows by itself."""
    parts = [f"at={view}"] if view else []
    parts += [f"show={quote(','.join(shown), safe=',')}"] if shown is not None else []
    parts += [urlencode(choice)] if choice else []
    return f"{page}#{'&'.join(parts)}" if parts else page


def whole(origin: str, path: str) -> str:
    """The address of a path of this site, from anywhere.

    Raises:
        TooLong: a QR code of it could not be read.
    """
    found = urljoin(origin, path)
    if len(found) > _MOST_LETTERS:
        raise TooLong(length=len(found), most=_MOST_LETTERS)
    return found


def qr(text: str, title: str) -> Markup:
    """A QR code as a drawing to stand in a page, with the quiet edge that scanners need."""
    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(svgclass="qr", lineclass=None, omitsize=True, border=4, title=title)
    # segno has escaped the title, and the rest are numbers.
    return Markup(drawn.replace("<svg ", '<svg role="img" ', 1))  # noqa: S704


def qr_file(address: str) -> str:
    """An address as a QR code, an SVG file of one path; a sixth of it may be damaged."""
    out = io.BytesIO()
    code = segno.make_qr(address, error="m")
    code.save(
        out, kind="svg", xmldecl=False, svgns=True, border=0, omitsize=True, svgclass=None, lineclass=None
    )
    return out.getvalue().decode().strip()


def sources(instance: Instance, keys: Sequence[str]) -> list[Source]:
    """The sources of layers and of the ground under them, those of one source and licence together."""
    found: dict[tuple[str, str], list[str]] = {}
    for key in (*keys, *_GROUND):
        if one := instance.resources.get(key):
            found.setdefault((i18n.plain(one.source), one.licence), []).append(i18n.plain(one.title))
    return [Source(tuple(titles), name, licence) for (name, licence), titles in found.items()]
