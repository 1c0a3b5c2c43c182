"""All the files of a source from one of its addresses: a zip, a statistical table, or the pages of a WFS."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from layers.errors import N_
from layers.updates import content
from layers.updates.content import BadContent
from layers.updates.fetch import Client
from layers.updates.kept import Collected, Download, Shelf
from layers.updates.wanted import Address, Wanted

_FORMATS = {"wfs-json": "application/json", "wfs-gml": ""}
_MOST_PAGES = 500


class FewerThanCounted(BadContent):
    text = N_("The server counts {hits} features and sent {found}.")


class ChangedUnderWay(BadContent):
    text = N_("The server counted {before} features at first and {after} later: it changed under way.")


class EndlessPages(BadContent):
    text = N_("The server sends page after page: after {pages} pages there is no end.")


def files(client: Client, shelf: Shelf, wanted: Wanted, address: Address) -> Collected:
    """Fetches what an address has. What lies on the shelf and has not changed is not sent again.

    Raises:
        FetchFailed: the server did not give it.
        BadContent: it is not what it should be.
    """
    if address.answer.startswith("wfs"):
        return _pages(client, shelf, wanted, address)
    name = urlsplit(address.url).path.rpartition("/")[2] or "answer"
    file = client.get(
        address.url,
        shelf.incoming(wanted) / name,
        most_bytes=wanted.most_bytes,
        known=shelf.known(wanted).get(address.url),
        held=shelf.place(wanted),
        question=address.question or None,
    )
    return _whole(client, wanted, Collected(address, shelf.incoming(wanted), (file,)))


def _whole(client: Client, wanted: Wanted, collected: Collected) -> Collected:
    """The same files when they are in order; a damaged zip is fetched once more from the beginning.

    A file that was put together from two transfers, or that lay on the shelf, may have changed under way at a
    server that does not say so.
    """
    try:
        content.check(wanted, collected)
    except content.DamagedZip:
        file = collected.files[0]
        path = collected.folder / file.name
        path.unlink()
        again = client.get(file.url, path, most_bytes=wanted.most_bytes)
        collected = replace(collected, files=(again,))
        content.check(wanted, collected)
    return collected


def _pages(client: Client, shelf: Shelf, wanted: Wanted, address: Address) -> Collected:
    known = shelf.known(wanted)
    ending = "gml" if address.answer == "wfs-gml" else "json"
    found: list[Download] = []
    hits: int | None = None
    had, size = 0, 0
    while len(found) < _MOST_PAGES:
        url = _question(address, start=had)
        path = shelf.incoming(wanted) / f"page-{len(found) + 1:04}.{ending}"
        left = wanted.most_bytes - size
        file = client.get(url, path, most_bytes=left, known=known.get(url), held=shelf.place(wanted))
        number, total = content.counted(path, address.answer)
        if total is not None and hits is not None and total != hits:
            raise ChangedUnderWay(before=hits, after=total)
        hits = total if hits is None else hits
        if number or not found:
            found.append(file)
        had, size = had + number, size + file.size
        # A server may send fewer at once than it was asked for, so that only its count or an empty page ends.
        if not number or (hits is not None and had >= hits):
            return _all_there(wanted, Collected(address, shelf.incoming(wanted), tuple(found), hits), had)
    raise EndlessPages(pages=_MOST_PAGES)


def _all_there(wanted: Wanted, collected: Collected, had: int) -> Collected:
    if collected.hits is not None and had != collected.hits:
        raise FewerThanCounted(hits=collected.hits, found=had)
    content.check(wanted, collected)
    return collected


def _question(address: Address, *, start: int) -> str:
    """The address of one page of a WFS, from a feature on."""
    parts = urlsplit(address.url)
    query = dict(parse_qsl(parts.query)) | {
        "service": "WFS",
        "version": "2.0.0",
        "request": "GetFeature",
        "typeNames": address.type_name,
        "count": str(address.page),
        "startIndex": str(start),
        **address.filter,
    }
    if said := _FORMATS[address.answer]:
        query["outputFormat"] = said
    return urlunsplit(parts._replace(query=urlencode(query)))
