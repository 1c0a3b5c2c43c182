"""A guide as slides: one idea each, on a screen without scripts and as PDF for the wall.

The slides are cut from the guide's own text, so that they never say anything else than it does. What is too
long for one slide goes on on the next; what cannot be cut is set smaller.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from flask import Blueprint, Response, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import dates, practices
from layers.practices import Case, Practice
from webmap import db, i18n, paper, params, prose, sharing

bp = Blueprint("slides", __name__)
# Letters of a line and lines of a slide, at the usual size and at the large one, and the gap between items in
# lines: a little less than templates/slides.typ and static/slides.css have room for.
_LINE, _LINES = 60, 8.5
_LARGE_LINE, _LARGE_LINES = 46, 6.5
_GAP = 0.35
# A sentence ends before a capital letter, but not after a number ("21. September") or an initial.
_SENTENCE = re.compile(r"(?:(?<=[^\W\d_]{2}[.!?])|(?<=\w[)”“][.!?])|(?<=\d{3}[.!?]))\s+(?=[A-ZÕÄÖÜŠŽА-ЯЁ„“])")


@dataclass(frozen=True)
class Slide:
    """One slide. `kind` is title, text, list or steps; `first` is the number of its first step.

    `part` tells where in a longer list it stands, "" when it is whole.
    """

    kind: str
    title: str
    kicker: str = ""
    items: tuple[str, ...] = ()
    first: int = 1
    part: str = ""

    @property
    def size(self) -> str:
        """The size of its letters: large for little, usual, or dense for what could not be cut."""
        if _height(self.items, self.kind, line=_LARGE_LINE) <= _LARGE_LINES:
            return "large"
        return "usual" if _height(self.items, self.kind) <= _LINES else "dense"


@bp.get("/<language>/practices/<key>/slides")
def deck(key: str) -> ResponseReturnValue:
    practice, cases = _asked(key)
    text = i18n.words(practice.texts)
    return render_template(
        "pages/slides.html", practice=practice, slides=made(practice, cases), spoken=text.language
    )


@bp.get("/<language>/practices/<key>/slides.pdf")
def pdf(key: str) -> ResponseReturnValue:
    practice, cases = _asked(key)
    address = sharing.whole(
        current_app.config["ADDRESS"] or request.host_url,
        url_for("pages.practice", language=i18n.language(), key=key),
    )
    made = paper.pdf(_words(practice, cases, address), sheet="slides")
    response = Response(made, mimetype="application/pdf")
    name = f"turvakaart-{key}-{i18n.language()}-slides.pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    # The QR code names the host that was asked for, which no shared cache may hand to somebody else.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _asked(key: str) -> tuple[Practice, list[Case]]:
    as_of, session = params.as_of(params.arguments()), db.session()
    return practices.practice(session, key), practices.cases(session, as_of=as_of, practice=key)


def _words(practice: Practice, cases: Sequence[Case], address: str) -> dict[str, Any]:
    """Every word of the slides, for `paper`; no clock is read, so that equal data have equal bytes."""
    day = dates.first_day(practice.as_of) if practice.as_of else date(2000, 1, 1)
    slides = [
        {"kind": one.kind, "title": one.title, "kicker": one.kicker, "items": one.items, "first": one.first}
        | {"part": one.part, "size": one.size}
        for one in made(practice, cases)
    ]
    return {
        "title": i18n.plain(practice.titles),
        "publisher": i18n.plain(db.instance().names),
        "language": i18n.words(practice.texts).language,
        "made": {"year": day.year, "month": day.month, "day": day.day},
        "address": address,
        "live": {"svg": sharing.qr_file(address), "alt": address},
        "slides": slides,
    }


def made(practice: Practice, cases: Sequence[Case]) -> list[Slide]:
    """The slides of a guide, from its title to the questions at the end."""
    audiences = ", ".join(i18n.label("parties", code) for code in practice.audiences)
    text = i18n.words(practice.texts)
    first = Slide("title", i18n.plain(practice.titles), audiences, (i18n.plain(practice.summaries),))
    told = [f"{i18n.plain(one.titles)} ({i18n.label('outcomes', one.outcome)})" for one in cases]
    return [
        first,
        *_of_text(prose.blocks(text.text)),
        *_cut("list", gettext("Where it has been done"), "", told),
        Slide(
            "list",
            gettext("Talk it over"),
            items=(
                gettext("Which of these steps is done here already, and by whom?"),
                gettext("Which one would be the first here, who does it, and by when?"),
                gettext("What could end it here, and what do we do about that?"),
            ),
        ),
    ]


def _of_text(blocks: Iterable[dict[str, Any]]) -> list[Slide]:
    """The slides of a text: a heading begins one, a heading below it names who it is about."""
    found: list[Slide] = []
    section = part = ""
    for block in blocks:
        if block["kind"] == "heading" and block["level"] == 1:
            section, part = block["text"], ""
        elif block["kind"] == "heading":
            part = block["text"]
        else:
            items = block.get("items") or sentences(block["text"])
            kind = block["kind"] if block.get("items") else "text"
            found += _cut(kind, part or section, section if part else "", items)
    return found


def sentences(text: str) -> list[str]:
    return _SENTENCE.split(text)


def _cut(kind: str, title: str, kicker: str, items: Sequence[str]) -> list[Slide]:
    """A list on as few slides as hold it, and about the same on each."""
    if not items:
        return []
    cuts = _cuts(items, kind)
    return [
        Slide(kind, title, kicker, tuple(items[start:end]), start + 1, _part(number, len(cuts)))
        for number, (start, end) in enumerate(pairwise((0, *cuts)), start=1)
    ]


def _part(number: int, of: int) -> str:
    return f"{number}/{of}" if of > 1 else ""


def _cuts(items: Sequence[str], kind: str) -> tuple[int, ...]:
    """Where to cut: on the fewest slides, and as evenly as can be; an item that is longer stands alone."""
    best: dict[int, tuple[int, float, tuple[int, ...]]] = {len(items): (0, 0.0, ())}
    for start in reversed(range(len(items))):
        options = []
        for end in range(start + 1, len(items) + 1):
            height = _height(items[start:end], kind)
            if height > _LINES and end > start + 1:
                break
            slides, unevenness, cuts = best[end]
            options.append((slides + 1, unevenness + height**2, (end, *cuts)))
        best[start] = min(options)
    return best[0][2]


def _height(items: Sequence[str], kind: str, *, line: int = _LINE) -> float:
    """Lines of so many letters: of sentences that run on, or of items with gaps between them."""
    if kind == "text":
        return -(-len(" ".join(items)) // line)
    return sum(-(-len(one) // line) + _GAP for one in items)
