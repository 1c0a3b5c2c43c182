"""Who is in an area, what is missing, who met there and who did not, in words for its page."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Any

from flask_babel import gettext, ngettext

from layers import contacts
from layers.contacts import Meeting, RoleHere, Silence
from layers.places import Area, Body, Count
from webmap import db, i18n, names, replies
from webmap.db import House, Revisions

Shape = dict[str, Any]
_MOST_NAMED = 3


def of(area: Area, *, as_of: date, counts: Iterable[Count], bodies: Iterable[Body]) -> Shape | None:
    """The network of a county or municipality; None for areas of other kinds.

    `bodies` are all that are seated or responsible there: `others` are those of them that play no role.
    """
    if area.kind not in contacts.SEATS:
        return None
    known, instance = replies.known(), db.instance()
    roles = contacts.here(known, instance, area, as_of=as_of, counts=counts)
    playing = {body.key for one in roles for body in one.bodies}
    bordering = _bordering(db.house(), db.revisions(), area.key, as_of)
    return {
        "roles": roles,
        "gaps": gaps(roles),
        "others": list({body.key: body for body in bodies if body.key not in playing}.values()),
        "neighbours": contacts.neighbours(known, area, bordering, as_of=as_of),
        "meetings": [_meeting(one) for one in contacts.meetings(known, instance, area, as_of=as_of)],
        "silences": [_silence(one) for one in contacts.silences(known, instance, area, roles, as_of=as_of)],
    }


@lru_cache(maxsize=512)
def _bordering(_house: House, _revisions: Revisions, area: str, as_of: date) -> tuple[Area, ...]:
    """Neighbours by shape, found once for each state of the data."""
    known = replies.known()
    found = known.areas[contacts.position(known, area, as_of=as_of)]
    return contacts.bordering(known, found, as_of=as_of)


def gaps(roles: Iterable[RoleHere]) -> str:
    """Which roles nobody is known to play here, as one sentence."""
    every = [*roles]
    missing = [i18n.lowered(i18n.plain(one.role.label)) for one in every if not one.is_known]
    if not missing:
        return str(ngettext("The only role is known here.", "All %(num)s roles are known here.", len(every)))
    return str(
        ngettext(
            "Of %(total)s roles one is not known here: %(roles)s.",
            "Of %(total)s roles %(num)s are not known here: %(roles)s.",
            len(missing),
            total=i18n.number(len(every)),
            roles=i18n.listed(missing),
        )
    )


def _meeting(one: Meeting) -> Shape:
    return {"bodies": one.bodies, "areas": one.areas, "cases": one.cases}


def _silence(one: Silence) -> Shape:
    """The two roles, with who plays them: a few by name."""
    sides = []
    for side in (one.first, one.second):
        told = [*(names.area(area.key) for area in side.areas), *(names.body(body) for body in side.bodies)]
        if len(told) > _MOST_NAMED:
            told = [
                *told[:_MOST_NAMED],
                str(gettext("%(count)s more", count=i18n.number(len(told) - _MOST_NAMED))),
            ]
        sides.append({"label": i18n.lowered(i18n.plain(side.role.label)), "names": ", ".join(told)})
    return {"first": sides[0], "second": sides[1]}
