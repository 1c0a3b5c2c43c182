"""An address → a file: as it is, or page by page from a WFS or an OGC API.

A service cuts its answers off (5,000 features is common) and says so nowhere in them; so it is asked how
many there are, then for one page after another, and the file is kept only when the numbers agree. Pages are
written into one GeoJSON file.
"""

import itertools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

import shapely

from layers.errors import N_
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers import archives, features, gdal, kinds, systems, tables, web, xml
from layers.readers.plain import DEFAULTS, Limits, Several, Unreadable
from layers.readers.web import MANNERS, Manners, fetch

_PAGE = 1_000
_NUMBERS = re.compile(rb'\b(numberMatched|numberOfFeatures)="(\d+|unknown)"')
_JSON = ("application/json", "application/geo+json", "json", "geojson")
_SERVICE = re.compile(r"/(wfs|ows|wfsserver)/?$", re.IGNORECASE)
_COLLECTIONS = re.compile(r"/collections(/[^/]+(/items)?)?/?$")
_PICTURES = ("WMS_Capabilities", "WMT_MS_Capabilities", "Capabilities")
_DATA = ("data", "http://www.opengis.net/def/rel/ogc/1.0/data")
_MOST_LISTED_BYTES = 10_000_000
_WFS = "wfs"


def fetched(
    url: str,
    *,
    folder: Path,
    name: str = "",
    manners: Manners = MANNERS,
    limits: Limits = DEFAULTS,
    tell: Tell = progress.silent,
) -> Path:
    """The file behind an address, written into `folder`; `name` chooses a layer of a service.

    Raises:
        Several: it is a service with several layers, and none was chosen.
        Unreadable: it may not be asked, does not answer, or answers with something else, or with not all.
    """
    url = url.partition("#")[0]
    asked = {key.lower(): value for key, value in parse_qsl(urlsplit(url).query)}
    is_wfs = asked.get("service", "").upper() == "WFS" or asked.get("request", "").lower() == "getfeature"
    if is_wfs or _SERVICE.search(urlsplit(url).path):
        return _Wfs(url, asked, folder, manners, limits, tell).fetched(name)
    if _COLLECTIONS.search(urlsplit(url).path):
        return _pages_of_collection(url, folder, name, manners, limits, tell)
    target = folder / _file_name(url)
    part = target.with_name(f"part-{target.name}")
    try:
        fetch(url, part, manners=manners, tell=tell)
        service = _service(part, url)
        if service == _WFS:
            return _Wfs(url, asked, folder, manners, limits, tell).fetched(name)
        if service:
            return _pages_of_collection(service, folder, name, manners, limits, tell)
        # A page or a picture instead of a file is refused.
        kinds.kind(part, file=target.name)
        return part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _service(answer: Path, url: str) -> str:
    """The address of the service that an answer describes instead of being data; "" where it is data.

    A WFS is _WFS, an OGC API the address of its list of collections.

    Raises:
        Unreadable: it is a service that gives pictures alone.
    """
    with answer.open("rb") as stream:
        head = stream.read(1 << 12).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<") and b"apabilities" in head:
        tag = xml.local(xml.root(answer, file=_file_name(url)))
        if tag in _PICTURES:
            text = N_("The address “{url}” gives pictures of maps and no data. Ask its owner for a WFS.")
            raise Unreadable(text, url=url)
        return _WFS if tag == "WFS_Capabilities" else ""
    if not head.startswith(b"{") or answer.stat().st_size > _MOST_LISTED_BYTES:
        return ""
    try:
        said = json.loads(answer.read_bytes())
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict) or "features" in said or said.get("type") in ("Topology", "Feature"):
        return ""
    if isinstance(said.get("collections"), list):
        return url
    links = said.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") in _DATA and link.get("href"):
            return urljoin(url, str(link["href"]))
    return ""


def _file_name(url: str) -> str:
    last = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    clean = re.sub(r"[^\w.-]+", "_", last).strip("._")[-80:]
    return clean or "fetched"


class _Pages:
    """One GeoJSON file that features are added to; it is there only once it is whole."""

    def __init__(self, target: Path, limits: Limits, url: str, manners: Manners) -> None:
        self.target, self.crs, self.count = target, "", 0
        self._limits, self._url, self._manners, self._size = limits, url, manners, 0
        self.is_wide = False
        self._seen: set[str] = set()
        self._part = target.with_suffix(".part")
        self._stream = self._part.open("w", encoding="utf-8")
        self._stream.write('{"type":"FeatureCollection","features":[')

    def page(self, features: Iterable[dict[str, Any]]) -> int:
        """Adds the features of one page, and says how many they were.

        Raises:
            Unreadable: some came before, from a service that ignores which page was asked for.
        """
        came = 0
        for feature in features:
            key = feature.get("id") or (json.dumps(feature, sort_keys=True) if not came else None)
            if key is not None and str(key) in self._seen:
                text = N_(
                    "The service gave the same features twice while it was asked for the next ones. "
                    "Try again later."
                )
                raise Unreadable(text)
            self._seen.add(str(key))
            self._add(feature)
            came += 1
        return came

    def _add(self, feature: dict[str, Any]) -> None:
        said = ("," if self.count else "") + "\n" + json.dumps(feature, ensure_ascii=False)
        self._stream.write(said)
        self.count += 1
        self._size += len(said)
        if self._size > self._manners.most_bytes:
            raise web.too_much(self._url, self._manners)
        self.is_wide = self.is_wide or any(abs(number) > 360 for number in _first_pair(feature))
        if self.count > self._limits.rows:
            text = N_("The table “{name}” has more than {most:,} rows. Split it into smaller files.")
            raise Unreadable(text, name=self.target.stem, most=self._limits.rows)

    def whole(self) -> Path:
        member = (
            f',"crs":{json.dumps({"type": "name", "properties": {"name": self.crs}})}' if self.crs else ""
        )
        self._stream.write(f"\n]{member}}}\n")
        self._stream.close()
        return self._part.replace(self.target)

    def drop(self) -> None:
        self._stream.close()
        self._part.unlink(missing_ok=True)


def _target(folder: Path, layer: str) -> Path:
    return folder / (re.sub(r"[^\w-]+", "_", layer)[:100] + ".geojson")


def _first_pair(feature: dict[str, Any]) -> list[float]:
    """The first point of a shape, without building it; none where there is none."""
    geometry = feature.get("geometry")
    found: Any = geometry.get("coordinates") if isinstance(geometry, dict) else None
    while isinstance(found, (list, tuple)) and found and isinstance(found[0], (list, tuple)):
        found = found[0]
    if not isinstance(found, (list, tuple)):
        return []
    return [float(number) for number in found[:2] if isinstance(number, (int, float))]


def _gathered(pages: _Pages, gather: Callable[[_Pages], None]) -> Path:
    try:
        gather(pages)
        return pages.whole()
    except BaseException:
        pages.drop()
        raise


def _no_layers(url: str) -> Unreadable:
    text = N_(
        "The service at the address “{url}” offers no layer. Ask its owner, or look for another address."
    )
    return Unreadable(text, url=url)


class _Wfs:
    """A WFS: what it has, how much of it, and all of it."""

    def __init__(
        self,
        url: str,
        asked: dict[str, str],
        folder: Path,
        manners: Manners,
        limits: Limits,
        tell: Tell,
    ) -> None:
        self._url, self._asked, self._folder, self._tell = url, asked, folder, tell
        self._manners, self._limits = manners, limits
        self._answer = folder / "answer.part"

    def fetched(self, name: str) -> Path:
        try:
            about = self._capabilities()
            layer = self._layer(name, about)
            total = self._hits(layer)
            form = next(
                (form for form in self._forms(about) if form.split(";")[0].strip().lower() in _JSON), ""
            )
            target = _target(self._folder, layer)
            # Not srsName: written as a URN it turns the axes of some services, and the default is the truest.
            crs = _system(about.contents[layer])
            pages = _Pages(target, self._limits, self._url, self._manners)
            return _gathered(pages, lambda pages: self._gather(pages, layer, total, form, crs))
        finally:
            self._answer.unlink(missing_ok=True)

    def _ask(self, **more: str) -> bytes:
        """Writes the answer to a question into the folder; gives its beginning."""
        kept = {key: value for key, value in self._asked.items() if key not in _OURS}
        parts = urlsplit(self._url)
        query = urlencode({**kept, "service": "WFS", "version": "2.0.0", **more}, safe=":,/")
        fetch(urlunsplit(parts._replace(query=query)), self._answer, manners=self._manners)
        with self._answer.open("rb") as stream:
            return stream.read(1 << 16)

    def _capabilities(self) -> Any:
        from owslib.wfs import WebFeatureService  # A third of a second, and only a service needs it.

        head = self._ask(request="GetCapabilities")
        if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise self._other()
        # Refuses a page, a report of an error, and entities, which OWSLib's parser would resolve.
        tag = xml.local(xml.root(self._answer, file="WFS"))
        if tag != "WFS_Capabilities":
            kinds.kind(self._answer, file="WFS")
            raise self._other()
        layers = 0
        for _, element, _ in xml.elements(self._answer, file="WFS", limits=self._limits):
            layers += xml.local(element.tag) == "FeatureType"
            element.clear()
        if not layers:
            raise _no_layers(self._url)
        try:
            return WebFeatureService(self._url, version="2.0.0", xml=self._answer.read_bytes())
        except Exception as error:  # It raises whatever it misses.
            raise self._other() from error

    def _other(self) -> Unreadable:
        return Unreadable(
            N_("The address “{url}” is no WFS that can be read (version 2.0.0). Check it."), url=self._url
        )

    def _forms(self, about: Any) -> list[str]:
        for operation in about.operations:
            if operation.name == "GetFeature":
                return [str(form) for form in operation.parameters.get("outputFormat", {}).get("values", [])]
        return []

    def _layer(self, name: str, about: Any) -> str:
        wanted = name or self._asked.get("typenames", "") or self._asked.get("typename", "")
        there = list(about.contents)
        found = [layer for layer in there if layer == wanted or layer.split(":")[-1] == wanted.split(":")[-1]]
        if not there:
            raise _no_layers(self._url)
        if not wanted and len(there) == 1:
            return str(there[0])
        if wanted and found:
            return str(wanted if wanted in found else found[0])
        if not wanted:
            raise Several([(str(name), str(one.title or "")) for name, one in about.contents.items()])
        text = N_("There is no layer “{name}” at this address. Choose one of: {names}.")
        raise Unreadable(text, name=wanted, names=", ".join(there)[:500])

    def _hits(self, layer: str) -> int | None:
        """How many features there are; None where the service does not tell."""
        head = self._ask(request="GetFeature", typeNames=layer, resultType="hits")
        found = _NUMBERS.search(head)
        if not found:
            with suppress(StopIteration):
                kinds.kind(self._answer, file=layer)
            return None
        return None if found[2] == b"unknown" else int(found[2])

    def _gather(self, pages: _Pages, layer: str, total: int | None, form: str, crs: str) -> None:
        while total is None or pages.count < total:
            more = {"outputFormat": form} if form else {}
            self._ask(
                request="GetFeature", typeNames=layer, count=str(_PAGE), startIndex=str(pages.count), **more
            )
            came = pages.page(self._features(layer, pages))
            self._tell(progress.PAGES, pages.count, total or 0)
            if not came:
                break
            time.sleep(self._manners.pause_s)
        if total is not None and pages.count != total:
            text = N_(
                "The service says it has {total:,} features of “{name}”, but gave {found:,}. Try again later."
            )
            raise Unreadable(text, total=total, name=layer, found=pages.count)
        # Some services write degrees whatever they declare, and then say nothing of a system.
        pages.crs = pages.crs or (crs if pages.is_wide else "")

    def _features(self, layer: str, pages: _Pages) -> Iterator[dict[str, Any]]:
        kind = kinds.kind(self._answer, file=layer)
        if kind == kinds.GEOJSON:
            yield from _features_of(self._answer, layer, pages, self._limits)
        elif kind == kinds.GML:
            yield from _features_of_gml(self._answer, layer, pages, self._limits)
        else:
            raise self._other()


_OURS = {
    "service", "version", "request", "typename", "typenames", "resulttype", "count", "maxfeatures",
    "startindex", "outputformat", "srsname",
}  # fmt: skip


def _system(content: Any) -> str:
    """The default system of a layer, as the capabilities name it."""
    first = next(iter(getattr(content, "crsOptions", None) or []), None)
    return f"EPSG:{first.code}" if first is not None and getattr(first, "code", None) else ""


def _features_of(path: Path, layer: str, pages: _Pages, limits: Limits) -> Iterator[dict[str, Any]]:
    """The features of one page as they stand in it."""
    members: dict[str, Any] = {}
    yield from features.items(path, file=layer, members=members)
    if members.get("crs"):
        pages.crs = systems.named(features.said(members["crs"])) or pages.crs


def _features_of_gml(path: Path, layer: str, pages: _Pages, limits: Limits) -> Iterator[dict[str, Any]]:
    """The features of one page of GML, with longitude and easting first."""
    place = archives.Place()
    source = gdal.source(path, kinds.GML, file=layer, place=place, limits=limits)
    for offer in itertools.islice(gdal.offers(source), 1):
        found = gdal.read(source, offer.name, name=layer, encoding="", limits=limits, place=place)
        table = tables.table(found, limits=limits)
        pages.crs = table.crs
        for piece in table.pieces():
            shapes = piece.shapes if piece.shapes is not None else [None] * len(piece.cells)
            for cells, shape in zip(piece.cells, shapes, strict=True):
                properties = dict(zip(table.columns, cells, strict=True))
                yield {
                    "type": "Feature",
                    **({"id": properties.pop("gml_id")} if "gml_id" in properties else {}),
                    "properties": properties,
                    "geometry": None if shape is None else shapely.geometry.mapping(shape),
                }


def _pages_of_collection(
    url: str, folder: Path, name: str, manners: Manners, limits: Limits, tell: Tell
) -> Path:
    """All items of a collection of an OGC API, one link to the next after another."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path.endswith("/collections"):
        path = f"{path}/{quote(_collection(url, folder, name, manners), safe='')}"
    if not path.endswith("/items"):
        path += "/items"
    layer = unquote(path.split("/")[-2])
    asked = dict(parse_qsl(parts.query))
    asked.setdefault("limit", str(_PAGE))
    asked.setdefault("f", "json")
    first = urlunsplit(parts._replace(path=path, query=urlencode(asked)))
    target = _target(folder, layer)
    answer = folder / "answer.part"
    try:
        pages = _Pages(target, limits, url, manners)
        return _gathered(pages, lambda pages: _follow(first, answer, layer, pages, manners, tell))
    finally:
        answer.unlink(missing_ok=True)


def _follow(url: str, answer: Path, layer: str, pages: _Pages, manners: Manners, tell: Tell) -> None:
    seen: set[str] = set()
    total: object = None
    while url:
        if url in seen:
            text = N_(
                "The service gave the same features twice while it was asked for the next ones. Try "
                "again later."
            )
            raise Unreadable(text)
        seen.add(url)
        url = fetch(url, answer, manners=manners)
        if kinds.kind(answer, file=layer) != kinds.GEOJSON:
            raise Unreadable(
                N_("The address “{url}” answers with no GeoJSON. Check it in a browser."), url=url
            )
        members: dict[str, Any] = {}
        pages.page(features.items(answer, file=layer, members=members))
        total = members.get("numberMatched", total)
        tell(progress.PAGES, pages.count, total if isinstance(total, int) else 0)
        links = members.get("links") if isinstance(members.get("links"), list) else []
        following = [link for link in links or [] if isinstance(link, dict) and link.get("rel") == "next"]
        url = urljoin(url, str(following[0].get("href", ""))) if following else ""
        time.sleep(manners.pause_s if url else 0)
    if isinstance(total, int) and pages.count != total:
        text = N_(
            "The service says it has {total:,} features of “{name}”, but gave {found:,}. Try again later."
        )
        raise Unreadable(text, total=total, name=layer, found=pages.count)


def _collection(url: str, folder: Path, name: str, manners: Manners) -> str:
    """The id of the collection of this name, or of the only one that a service has."""
    answer = folder / "answer.part"
    try:
        fetch(url, answer, manners=manners)
        listed = json.loads(answer.read_bytes())["collections"]
        there = {str(one["id"]): str(one.get("title") or "") for one in listed}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable(
            N_("The address “{url}” answers with no GeoJSON. Check it in a browser."), url=url
        ) from None
    finally:
        answer.unlink(missing_ok=True)
    if not there:
        raise _no_layers(url)
    if name and name not in there:
        text = N_("There is no layer “{name}” at this address. Choose one of: {names}.")
        raise Unreadable(text, name=name, names=", ".join(there)[:500])
    if not name and len(there) > 1:
        raise Several([*there.items()])
    return name or next(iter(there))
