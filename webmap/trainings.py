"""Trainings: what is to come and what was, how to hold one yourself, and a calendar to subscribe to.

The calendar is written by icalendar: it folds, escapes and orders lines as RFC 5545 asks, and its reader is
what the tests read it back with. Equal data have equal bytes: the moment of an event is that of its source.
"""

from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, Response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from icalendar import Calendar
from icalendar import Event as Entry

from layers import dates, journal, practices
from layers.errors import N_, NotFound
from layers.journal import Event
from webmap import db, i18n, packed, params

bp = Blueprint("trainings", __name__)


class NoDay(NotFound):
    text = N_("The source of the training “{key}” tells no day, so that no calendar can hold it.")


@bp.get("/<language>/trainings/")
def calendar() -> ResponseReturnValue:
    as_of = params.as_of(params.arguments())
    every = journal.events(db.session())
    guides = {one.key: one for one in practices.practices(db.session(), as_of=as_of)}
    return render_template(
        "pages/trainings.html",
        coming=[one for one in every if not one.is_over(as_of)],
        past=[one for one in reversed(every) if one.is_over(as_of)],
        guides=guides,
        dated=any(one.has_day for one in every),
        when_of=when_of,
    )


def when_of(event: Event) -> str:
    """When an event is, as this language writes it and no more exact than the source."""
    begins, ends = _said(event.begins), _said(event.ends)
    if not ends or ends == begins:
        return begins
    if "T" in event.ends and event.ends[:10] == event.begins[:10]:
        return f"{begins}–{event.ends[11:16]}"
    return f"{begins} – {ends}"


def _said(moment: str) -> str:
    day = i18n.day(moment[:10])
    return gettext("%(day)s at %(time)s", day=day, time=moment[11:16]) if "T" in moment else day


@bp.get("/<language>/trainings.ics")
def feed() -> ResponseReturnValue:
    """Every training with a known day (RFC 5545)."""
    return _answer([one for one in journal.events(db.session()) if one.has_day])


@bp.get("/<language>/trainings/<key>.ics")
def one(key: str) -> ResponseReturnValue:
    found = journal.event(db.session(), key)
    if not found.has_day:
        raise NoDay(key=key)
    return _answer([found], name=key)


def _answer(events: list[Event], name: str = "") -> Response:
    made = Calendar()
    made.add("prodid", "-//Turvakaart//Trainings//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", f"{i18n.plain(db.instance().names)}: {gettext('Trainings')}")
    for event in events:
        made.add_component(_entry(event))
    response = Response(made.to_ical(), content_type="text/calendar; charset=utf-8")
    if name:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.ics"'
    return packed.conditional(response, "public, max-age=300")


def _entry(event: Event) -> Entry:
    made = Entry()
    made.add("uid", f"{event.key}@{db.instance().key}.turvakaart")
    stamp = dates.first_day(event.as_of or event.begins[:10])
    made.add("dtstamp", datetime(stamp.year, stamp.month, stamp.day, tzinfo=UTC))
    made.add("dtstart", _moment(event.begins))
    if event.ends and len(event.ends) >= len("2016-09-21"):
        ends = _moment(event.ends)
        # A calendar's last day is the first one that is free again.
        made.add("dtend", ends if isinstance(ends, datetime) else ends + timedelta(days=1))
    made.add("summary", i18n.plain(event.titles))
    if event.place:
        made.add("location", event.place)
    state = i18n.label("event_states", event.status)
    source = f"{gettext('Source')}: {event.source}"
    made.add("description", "\n".join(part for part in (i18n.plain(event.notes), state, source) if part))
    made.add("categories", [i18n.label("parties", code) for code in event.parties])
    page = url_for("pages.trainings.calendar", language=i18n.language(), _external=True)
    made.add("url", f"{page}#{event.key}")
    return made


def _moment(text: str) -> date | datetime:
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    return dates.first_day(text)
