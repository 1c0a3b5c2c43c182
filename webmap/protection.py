"""What every answer tells the browser for the visitor's safety: whose scripts may run, who may frame it.

It is added to the finished headers, past Flask: its own headers check every value twice, which cost as much
as looking up the areas at a place.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from layers.catalog import Basemap
from webmap.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers = list[tuple[str, str]]
# 'self' alone: every script, style, font and address is our own. Online basemaps add their hosts to img-src.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "worker-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
# What a page of ours asks of the device: where it is, when somebody wants that. Nothing else.
_DEVICE = "geolocation=(self), camera=(), microphone=(), payment=(), usb=(), display-capture=(), midi=()"
_ALWAYS_SAID = {
    "X-Content-Type-Options": "nosniff",
    # OpenStreetMap's tiles want to know the site that shows them, never the page.
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": _DEVICE,
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HTTPS_ONLY = "max-age=31536000; includeSubDomains"
_EMBEDDED = "pages.embed"
PRIVATE = "private, no-store"
"""The Cache-Control of what somebody signed in sees."""


class Protection:
    """The headers of one application; `basemaps` are those from elsewhere that its maps may show."""

    def __init__(self, settings: Settings, basemaps: Sequence[Basemap]) -> None:
        self._is_https = settings.address.startswith("https://")
        self._policy = {
            is_embedded: _policy(basemaps, settings.embed_origins if is_embedded else ())
            for is_embedded in (False, True)
        }

    def add(self, environ: "WSGIEnvironment", headers: Headers) -> None:
        """Adds what an answer does not say itself."""
        # Public data is for every site; pages, pictures and whatever somebody signed in sees are for ours.
        is_data = environ["PATH_INFO"].startswith("/api/") and ("Cache-Control", PRIVATE) not in headers
        is_embedded = getattr(environ.get("werkzeug.request"), "endpoint", None) == _EMBEDDED
        is_https = self._is_https or environ["wsgi.url_scheme"] == "https"
        said = {name.lower() for name, _ in headers}
        headers += [
            header
            for name, header in _wanted(self._policy[is_embedded], is_data, is_https)
            if name not in said
        ]


@lru_cache(maxsize=64)
def _wanted(policy: str, is_data: bool, is_https: bool) -> list[tuple[str, tuple[str, str]]]:
    """Headers by their names in small letters."""
    found = {
        **_ALWAYS_SAID,
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if is_data else "same-origin",
        **({"Strict-Transport-Security": _HTTPS_ONLY} if is_https else {}),
    }
    return [(header[0].lower(), header) for header in found.items()]


def _policy(basemaps: Sequence[Basemap], embedding: Sequence[str]) -> str:
    """`embedding` are the sites that may show the page in a frame, beside our own."""
    parts = {name: [value] for name, value in _POLICY.items()}
    for basemap in basemaps:
        address = urlsplit(basemap.url)
        parts["img-src"].append(f"{address.scheme}://{address.netloc}")
    parts["frame-ancestors"] += embedding
    return "; ".join(f"{name} {' '.join(values)}" for name, values in parts.items())
