"""The ways in, one for each audience: what can I do here, with whom, starting how."""

from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from layers import practices
from layers.catalog import Door
from layers.errors import N_, NotFound
from layers.geo import Place
from layers.practices import Case
from webmap import db, fits, params, replies

bp = Blueprint("doors", __name__)
_CASES = 12
# What failed is told before what is not known, and what lasted comes first.
_ORDER = {"lasted": 0, "mixed": 1, "ended": 2, "unclear": 3}


class NoDoor(NotFound):
    text = N_("There is no page for “{key}”.")


@bp.get("/<language>/for/<key>")
def door(key: str) -> ResponseReturnValue:
    args, found = params.arguments(), _door(key)
    as_of = params.as_of(args)
    every = {one.key: one for one in practices.practices(db.session(), as_of=as_of)}
    own = [one for one in every.values() if {*found.parties} & {*one.audiences}]
    begin = [every[guide] for guide in found.guides if guide in every]
    try:
        here = _here(found) if args.get("place") or args.get("lat") else {}
    except replies.ManyHaveThisName as error:
        return render_template("pages/which.html", name=params.words(args, "place"), choices=error.choices)
    return render_template(
        "pages/door.html",
        door=found,
        begin=begin,
        others=[one for one in own if one not in begin],
        cases=_cases(found)[:_CASES],
        **here,
    )


def _door(key: str) -> Door:
    for one in db.instance().doors:
        if one.key == key:
            return one
    raise NoDoor(key=key)


def _here(door: Door) -> dict[str, Any]:
    """Who is here to work with, everybody but oneself, and which cases with one's own part fit the place."""
    args = params.arguments()
    reply = replies.asked(args)
    place = Place(lon=reply["place"]["lon"], lat=reply["place"]["lat"])
    own = {case.key for case in _cases(door)}
    suggested = fits.for_place(place, as_of=params.as_of(args), most=100)["cases"]
    return {
        "reply": reply,
        "partners": [role for role in reply["roles"] if role["key"] != door.role],
        "fitting": {"cases": [one for one in suggested if one["case"]["key"] in own][:3], "warnings": []},
    }


def _cases(door: Door) -> list[Case]:
    """The cases in which this audience had a part, what lasted first and then by key."""
    every = practices.cases(db.session(), as_of=params.as_of(params.arguments()))
    own = [case for case in every if {*door.parties} & {*case.parties}]
    return sorted(own, key=lambda case: (_ORDER.get(case.outcome, 9), case.key))
