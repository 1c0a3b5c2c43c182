"""Two practices side by side: their facts and the parts of their texts, row by row."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from layers import practices
from layers.practices import Practice
from webmap import db, i18n, params, stories
from webmap.stories import Story

bp = Blueprint("comparisons", __name__)


@bp.get("/<language>/practices/compare")
def compare() -> ResponseReturnValue:
    args = params.arguments()
    as_of = params.as_of(args)
    every = {one.key: one for one in practices.practices(db.session(), as_of=as_of)}
    named = [params.one_of(args, name, every) for name in ("one", "two")]
    chosen: list[Practice] = [every[key] for key in named if key]
    told = [stories.told(one.texts, kind="practices") for one in chosen]
    return render_template(
        "pages/compare.html",
        every=every,
        named=named,
        chosen=chosen,
        told=told,
        parts=_parts(told),
        cases=[practices.cases(db.session(), as_of=as_of, practice=one.key) for one in chosen],
    )


def _parts(told: list[Story]) -> dict[str, str]:
    """The parts that any of the texts has, in the instance's order, with their headings."""
    known = db.instance().sections.get("practices", {})
    there = {key for one in told for key in one.parts}
    return {key: i18n.plain(words) for key, words in known.items() if key in there}
