"""Markdown of cases and practices → safe HTML with the house's own links."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import nh3
from flask import url_for
from markdown_it import MarkdownIt
from markupsafe import Markup

from layers.texts import LINK

_TAGS = {
    "p",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "a",
    "blockquote",
    "table",
    "thead",
    "tbody",
}
_TAGS |= {"tr", "th", "td", "br", "hr", "code"}
# "2017. aasta" at the beginning of a line is an ordinal, not an item of a list, which begins with a capital.
_ORDINAL = re.compile(r"^(\d+)\.(?= +[^\W\d_])", re.MULTILINE)
_PAGES = {"case": "pages.case", "practice": "pages.practice", "body": "pages.body"}


def render(text: str, *, language: str, when: Mapping[str, str] | None = None) -> Markup:
    """HTML of a text; `case:`, `practice:` and `body:` links lead to their pages in `language`.

    `when` are the days of the question, which the links carry on.
    """
    linked = LINK.sub(lambda found: f"]({_address(found, language, when or {})})", text)
    linked = _ORDINAL.sub(lambda found: _ordinal(found, linked), linked)
    return Markup(_clean(linked))  # noqa: S704  (nh3 has cleaned it)


def _ordinal(found: re.Match[str], text: str) -> str:
    following = text[found.end() :].lstrip(" ")
    return f"{found[1]}\\." if following[:1].islower() else found[0]


def _address(found: re.Match[str], language: str, when: Mapping[str, str]) -> str:
    values: dict[str, Any] = {**when, "language": language, "key": found[2]}
    return url_for(_PAGES[found[1]], **values)


@lru_cache(maxsize=512)
def _clean(text: str) -> str:
    # html=False shows raw HTML as text; nh3 is the second wall.
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https"})
