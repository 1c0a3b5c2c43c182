"""A guide as a booklet: the whole text of a practice as PDF, to be printed and handed out."""

from datetime import date
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import dates, practices
from layers.practices import Case, Practice
from webmap import db, i18n, paper, params, prose, sharing

bp = Blueprint("booklets", __name__)


@bp.get("/<language>/practices/<key>.pdf")
def booklet(key: str) -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    practice = practices.practice(db.session(), key)
    cases = practices.cases(db.session(), as_of=as_of, practice=key)
    address = sharing.whole(
        current_app.config["ADDRESS"] or request.host_url,
        url_for("pages.practice", language=i18n.language(), key=key),
    )
    response = Response(
        paper.pdf(_words(practice, cases, address), sheet="document"), mimetype="application/pdf"
    )
    name = f"turvakaart-{key}-{i18n.language()}.pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{name}"'
    # The QR code names the host that was asked for, which no shared cache may hand to somebody else.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _words(practice: Practice, cases: list[Case], address: str) -> dict[str, Any]:
    """Every word of the booklet, for `paper`; no clock is read, so that equal data have equal bytes."""
    text = i18n.words(practice.texts)
    blocks: list[dict[str, Any]] = [{"kind": "lead", "text": i18n.plain(practice.summaries)}]
    if text.is_fallback:
        said = gettext("This text is in %(language)s only.", language=i18n.language_here(text.language))
        blocks.append({"kind": "quiet", "text": said})
    blocks += prose.blocks(text.text)
    if cases:
        blocks += [
            _heading(gettext("Where it has been done")),
            {"kind": "list", "items": [_case(one) for one in cases]},
        ]
    blocks += [
        _heading(gettext("Sources")),
        {"kind": "list", "items": [_source(one) for one in practice.sources]},
    ]
    audiences = ", ".join(i18n.label("parties", code) for code in practice.audiences)
    publisher = i18n.plain(db.instance().names)
    day = practice.as_of and gettext("Written from sources up to %(date)s", date=i18n.day(practice.as_of))
    return {
        "title": i18n.plain(practice.titles),
        "kicker": f"{publisher} · {gettext('Practice')}",
        "subtitle": " · ".join(part for part in (audiences, day) if part),
        "publisher": publisher,
        "language": text.language,
        "made": _day(practice),
        "foot": f"{publisher} · {i18n.plain(practice.titles)} · {address}",
        "live": {"svg": sharing.qr_file(address), "alt": address},
        "blocks": blocks,
    }


def _day(practice: Practice) -> dict[str, int]:
    """The day of the newest source of the text; a booklet without one has none of its own."""
    day = dates.first_day(practice.as_of) if practice.as_of else date(2000, 1, 1)
    return {"year": day.year, "month": day.month, "day": day.day}


def _heading(text: str) -> dict[str, Any]:
    return {"kind": "heading", "level": 1, "text": text}


def _case(case: Case) -> str:
    outcome = i18n.label("outcomes", case.outcome)
    return f"{i18n.plain(case.titles)} ({outcome}). {i18n.plain(case.summaries)}"


def _source(source: dict[str, str]) -> dict[str, str]:
    dated = i18n.day(source["date"]) if source.get("date") else gettext("undated")
    return {"text": f"{source['title']}, {dated}", "url": source.get("url", "")}
