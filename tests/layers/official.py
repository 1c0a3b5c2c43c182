"""A server on this machine that behaves as official ones do, and files shaped as theirs, with their traps."""

import io
import json
import re
import shutil
import tempfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyogrio
import shapely

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 274
"""What came for a zip of boundaries: 282 bytes."""


@dataclass
class Served:
    """What lies at an address. The lists say how single requests, in their order, are answered otherwise.

    `refusals` are (status, headers), `cuts` after how many bytes a transfer breaks off (None: not). With
    `ignores_range` a 206 brings the bytes asked for of whatever the body is by then, as careless servers do.
    """

    body: bytes
    etag: str = '"1"'
    modified: str = ""
    refusals: list = field(default_factory=list)
    cuts: list = field(default_factory=list)
    block_pause_s: float = 0.0
    is_chunked: bool = False
    ignores_validator: bool = False
    redirect: str = ""
    page: object = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer()

    def _answer(self):
        self.server.asked.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        served = self.server.files.get(parts.path)
        if served is None:
            return self._send(404, b"", {})
        if served.refusals:
            status, headers = served.refusals.pop(0)
            return self._send(status, b"", headers)
        if served.redirect:
            return self._send(302, b"", {"Location": served.redirect})
        if served.page:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            return self._send(200, served.page(query), {})
        self._send_file(served)

    def _send_file(self, served):
        headers = {"ETag": served.etag, "Last-Modified": served.modified}
        headers = {name: value for name, value in headers.items() if value}
        if served.etag and self.headers.get("If-None-Match") == served.etag:
            return self._send(304, b"", headers)
        body, status = served.body, 200
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        is_same = served.ignores_validator or self.headers.get("If-Range") in (served.etag, served.modified)
        if asked and is_same:
            start = int(asked[1])
            if start >= len(body):
                return self._send(416, b"", {})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            body, status = body[start:], 206
        cut = served.cuts.pop(0) if served.cuts else None
        if served.is_chunked:
            return self._send_chunked(body)
        self._send(status, body, headers, cut=cut, pause_s=served.block_pause_s)

    def _send_chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 5000):
            some = body[at : at + 5000]
            self.wfile.write(f"{len(some):x}\r\n".encode() + some + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, status, body, headers, *, cut=None, pause_s=0.0):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        told = body if cut is None else body[:cut]
        try:
            for at in range(0, len(told), 4096):
                self.wfile.write(told[at : at + 4096])
                if pause_s:
                    self.wfile.flush()
                    sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if cut is not None:
            self.close_connection = True

    def log_message(self, *args):
        pass


class Official(ThreadingHTTPServer):
    """`files` by path; `asked` are the requests that came, `posted` the questions."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.posted = {}, [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self):
        return [path for path, _ in self.asked]


@contextmanager
def serving():
    server = Official()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- Files


def a_zip(name, columns, shapes, *, crs="EPSG:3301", encoding="cp1257", kind=None, extra=()):
    """A zipped shapefile as the Land Board makes it: no .cpg, and a DBF that does not name its encoding."""
    folder = Path(tempfile.mkdtemp())
    try:
        kind = kind or ("Point" if shapely.get_type_id(shapes[0]) == 0 else "Polygon")
        fields = np.array(list(columns), dtype=object)
        data = [np.array(values, dtype=object) for values in columns.values()]
        wkbs = np.array([None if one is None else shapely.to_wkb(one) for one in shapes], dtype=object)
        pyogrio.raw.write(
            folder / f"{name}.shp", wkbs, data, fields, geometry_type=kind, crs=crs, encoding=encoding
        )
        (folder / f"{name}.cpg").unlink(missing_ok=True)
        dbf = bytearray((folder / f"{name}.dbf").read_bytes())
        dbf[29] = 0  # The language of the text.
        (folder / f"{name}.dbf").write_bytes(dbf)
        return zipped({file.name: file.read_bytes() for file in sorted(folder.iterdir())} | dict(extra))
    finally:
        shutil.rmtree(folder)


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return stream.getvalue()


def features(columns, shapes, *, crs=None):
    """The features of a WFS as GeoJSON."""
    names = list(columns)
    return [
        {
            "type": "Feature",
            "properties": dict(zip(names, values, strict=True)),
            "geometry": None if shape is None else shapely.geometry.mapping(shape),
        }
        for *values, shape in zip(*columns.values(), shapes, strict=True)
    ]


def a_wfs(all_features, *, cap=5000, matched=True, crs=3301, lost=(), repeats=False):
    """Pages of GeoJSON, at most `cap` features each; `lost` are counted and never sent."""

    def page(query):
        start, count = int(query.get("startIndex", 0)), min(int(query.get("count", cap)), cap)
        there = [one for at, one in enumerate(all_features) if at not in lost]
        if repeats and start:
            count = min(count, len(there) - start)
            start -= 1
        some = there[start : start + count]
        body = {"type": "FeatureCollection", "features": some}
        if crs:
            body["crs"] = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs}"}}
        if matched:
            body["numberMatched"] = len(all_features)
        return json.dumps(body).encode()

    return page


def a_gml(rows, *, cap=1000, name="ads_poi", prefix="aks"):
    """Pages of GML: (properties, northing, easting), the position written northing first."""

    def page(query):
        start, count = int(query.get("startIndex", 0)), min(int(query.get("count", cap)), cap)
        some = rows[start : start + count]
        members = "".join(
            f'<wfs:member><{prefix}:{name} gml:id="{name}.{start + at}">'
            f'<{prefix}:geom><gml:Point srsName="urn:ogc:def:crs:EPSG::3301" srsDimension="2">'
            f"<gml:pos>{north} {east}</gml:pos></gml:Point></{prefix}:geom>"
            + "".join(f"<{prefix}:{key}>{value}</{prefix}:{key}>" for key, value in about.items())
            + f"</{prefix}:{name}></wfs:member>"
            for at, (about, north, east) in enumerate(some)
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" '
            f'xmlns:gml="http://www.opengis.net/gml/3.2" xmlns:{prefix}="http://{prefix}" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            f'xsi:schemaLocation="http://{prefix} http://127.0.0.1:9/never-fetched.xsd" '
            f'numberMatched="{len(rows)}" numberReturned="{len(some)}">{members}</wfs:FeatureCollection>'
        ).encode()

    return page


def a_cube(dimensions, values):
    """JSON-stat 2: dimensions as name -> codes, and the values in their order."""
    return json.dumps(
        {
            "class": "dataset",
            "id": list(dimensions),
            "size": [len(codes) for codes in dimensions.values()],
            "dimension": {
                name: {"category": {"index": {code: at for at, code in enumerate(codes)}, "label": {}}}
                for name, codes in dimensions.items()
            },
            "value": values,
        }
    ).encode()
