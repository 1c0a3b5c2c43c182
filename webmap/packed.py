"""How data are sent: as GeoJSON, compressed once and kept so, or not at all to whoever has them already."""

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from flask import Response, request

_CONDITIONS = frozenset(
    ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")
)

_PIECE = 2_000
"""Bytes. For more at once hashlib lets other threads have the interpreter, and waits to get it back."""


def pack(body: bytes) -> bytes:
    """The same bytes at every time: what is kept and compared."""
    return gzip.compress(body, compresslevel=9, mtime=0)


def collection(features: Iterable[dict[str, Any]]) -> str:
    """Features as the text of a GeoJSON collection."""
    return json.dumps({"type": "FeatureCollection", "features": [*features]}, ensure_ascii=False)


def geojson(text: str) -> Response:
    return Response(text, mimetype="application/geo+json")


def features(found: Iterable[dict[str, Any]]) -> Response:
    return geojson(collection(found))


def for_anybody(response: Response) -> Response:
    """Anybody's page may read what is public anyway."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def answer(packed: bytes, *, mimetype: str, kept: str) -> Response:
    """An answer with an ETag; `kept` is its Cache-Control.

    Raises:
        OSError, EOFError: it must be unpacked for this visitor and is damaged.
    """
    takes_gzip = bool(request.accept_encodings["gzip"])
    response = Response(packed if takes_gzip else gzip.decompress(packed), mimetype=mimetype)
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return conditional(response, kept)


def conditional(response: Response, kept: str) -> Response:
    """The same answer with its Cache-Control and an ETag; empty for a visitor who has it already."""
    response.headers["Cache-Control"] = kept
    if "ETag" not in response.headers:
        response.set_etag(_mark(response.get_data()))
    if not _CONDITIONS.isdisjoint(request.environ):
        response.make_conditional(request)
    return response


def _mark(body: bytes) -> str:
    found = hashlib.sha1(usedforsecurity=False)
    for start in range(0, len(body), _PIECE):
        found.update(body[start : start + _PIECE])
    return found.hexdigest()
