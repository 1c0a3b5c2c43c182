"""Markdown of cases and practices → safe HTML with the house's own links."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import nh3
from flask import url_for
from markdown_it import MarkdownIt
from markupsafe import Markup

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
_LINK = re.compile(r"\]\((case|practice|body):([a-z0-9-]+)\)")
_PAGES = {"case": "pages.case", "practice": "pages.practice", "body": "pages.body"}


def render(text: str, *, language: str, when: Mapping[str, str] | None = None) -> Markup:
    """HTML of a text; `case:`, `practice:` and `body:` links lead to their pages in `language`.

    `when` are the days of the question, which the links carry on.
    """
    linked = _LINK.sub(lambda found: f"]({_address(found, language, when or {})})", text)
    return Markup(_clean(linked))  # noqa: S704  (nh3 has cleaned it)


def _address(found: re.Match[str], language: str, when: Mapping[str, str]) -> str:
    values: dict[str, Any] = {**when, "language": language, "key": found[2]}
    return url_for(_PAGES[found[1]], **values)


@lru_cache(maxsize=512)
def _clean(text: str) -> str:
    # html=False shows raw HTML as text; nh3 is the second wall.
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https"})
