"""Markdown of cases and practices → safe HTML with the house's own links, or plain blocks for paper."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import nh3
from flask import url_for
from markdown_it import MarkdownIt
from markdown_it.token import Token
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
_LISTS = {"bullet_list_open": "list", "ordered_list_open": "steps"}
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
    html = _reader().render(text)
    return nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https"})


@lru_cache(maxsize=1)
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def blocks(text: str) -> list[dict[str, Any]]:
    """The headings, paragraphs and lists of a text in their order, plain, as `paper` sets them."""
    found: list[dict[str, Any]] = []
    lists: list[dict[str, Any]] = []
    level = 0
    for token in _reader().parse(text):
        if token.type in _LISTS:
            lists.append({"kind": _LISTS[token.type], "items": []})
            found += lists[-1:] if len(lists) == 1 else []
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "heading_open":
            level = int(token.tag[1:])
        elif token.type == "inline" and lists:
            lists[0]["items"].append(_plain(token))
        elif token.type == "inline":
            said = {"kind": "heading", "level": max(1, level - 1)} if level else {"kind": "text"}
            found.append({**said, "text": _plain(token)})
            level = 0
    return found


def _plain(token: Token) -> str:
    breaks = ("softbreak", "hardbreak")
    return "".join(" " if one.type in breaks else one.content for one in token.children or ())
