"""Whole addresses of ours, and identifiers that stay the same wherever and whenever this map is served."""

from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from flask import current_app, request, url_for

from webmap import context, db, params


def origin() -> str:
    """This site: what the settings name, else what the request asked for."""
    return str(current_app.config["ADDRESS"] or request.host_url).rstrip("/")


def host() -> str:
    """The name of this site's host, as LoST tells a source."""
    return urlsplit(origin()).hostname or "localhost"


def whole(path: str) -> str:
    return urljoin(f"{origin()}/", path)


def page(endpoint: str, **values: Any) -> str:
    """The address of a page for people, from anywhere."""
    return whole(context.page(endpoint, **values))


def address(endpoint: str, **values: Any) -> str:
    """The address of anything else, from anywhere, about the days of this request."""
    return whole(url_for(endpoint, **{**context.when(), **values}))


def identifier(kind: str, *parts: str) -> str:
    """The UUID (version 5) of a thing: of NAMESPACE_URL and `tag:turvakaart,2026:INSTANCE/KIND/PART/…`."""
    return str(_identifier(db.instance().key, kind, parts))


@lru_cache(maxsize=65_536)
def _identifier(instance: str, kind: str, parts: tuple[str, ...]) -> UUID:
    return uuid5(NAMESPACE_URL, f"tag:turvakaart,2026:{'/'.join((instance, kind, *parts))}")


def kept() -> str:
    """The Cache-Control of an answer: a minute, and never beyond the midnight on which a fact may expire."""
    return f"public, max-age={min(60, params.seconds_left_today())}"
