"""What a plan would do, row by row and with names."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from flask_babel import gettext

from layers import doctor, editions, links, places
from layers.doctor import AREAS, Exam
from layers.editions import Plan, Rival
from layers.errors import N_, LayersError
from layers.sources.rows import Row
from webmap import db, i18n, names, params

SHOWN = 200
STATES = {
    "added": N_("New"),
    "changed": N_("Changed"),
    "unchanged": N_("As it is"),
}


def told(plan: Plan) -> dict[str, Any]:
    """What a plan would do, with names."""
    session, is_area = db.session(), plan.source.table == "area"
    moved = editions.moved(session, plan)
    rivals = editions.rivals(session, plan)
    left = links.lost(session, plan, day=params.today())
    doubles = doctor.doubles(session, plan)
    known = {row.key: name(row) for row in (*plan.added, *plan.changed)}

    def change(key: str) -> str:
        size = moved.get(key, 0.0)
        if size < (0.0005 if is_area else 1):
            return ""
        if is_area:
            return str(gettext("%(share)s of its land changes", share=i18n.percent(size)))
        return str(gettext("its point moves %(distance)s", distance=i18n.measure(round(size), "meter")))

    ended = list(dict.fromkeys(plan.ended))
    return {
        "added": [(row.key, name(row), "") for row in plan.added[:SHOWN]],
        "changed": sorted(
            ((row.key, name(row), change(row.key)) for row in plan.changed),
            key=lambda one: -moved.get(one[0], 0.0),
        )[:SHOWN],
        "ended": [(key, _named(key, is_area), "") for key in ended[:SHOWN]],
        "lost": left[:SHOWN],
        "doubles": doubles[:SHOWN],
        "rivals": [(one, known.get(one.key, one.key), _whose(one)) for one in rivals[:SHOWN]],
        "counts": {
            "added": len(plan.added),
            "changed": len(plan.changed),
            "ended": len(ended),
            "unchanged": plan.unchanged,
            "rivals": len(rivals),
            "lost": len(left),
            "doubles": len(doubles),
        },
    }


def _whose(rival: Rival) -> str:
    layer = next(
        (i18n.plain(one.label) for one in db.instance().layers if one.key == rival.layer), rival.layer
    )
    return f"{layer}: {rival.dataset}" if rival.dataset else gettext("the files of the map itself")


def marked(plan: Plan, rows: Iterable[Row]) -> Iterable[tuple[Row, str]]:
    """Rows with what a plan does to each."""
    added = {(row.key, row.valid_from) for row in plan.added}
    changed = {(row.key, row.valid_from) for row in plan.changed}
    for row in rows:
        own = (row.key, row.valid_from)
        yield row, "added" if own in added else "changed" if own in changed else "unchanged"


def listed(plan: Plan, exam: Exam) -> list[tuple[str, str, str]]:
    """The map in words: name, state, and where."""
    found = []
    for row, state in islice(marked(plan, exam.rows), SHOWN):
        shape: Any = row.values.get("geom")
        if exam.target.of == AREAS:
            where = i18n.measure(round(shape.area / 1e6, 1), "square-kilometer")
        else:
            where = ", ".join(
                filter(None, (row.values.get("place"), names.municipality(row.values["municipality"] or "")))
            )
            where += "" if shape is not None else f" ({gettext('not on the map')})"
        found.append((name(row), state, where))
    return found


def name(row: Row) -> str:
    return i18n.plain(row.values.get("names") or {}) or str(row.values.get("name") or row.key)


def _named(key: str, is_area: bool) -> str:
    """What is shown now under a key."""
    try:
        if is_area:
            return names.area(key)
        return names.body(places.body(db.session(), key, as_of=params.today()))
    except LayersError:
        return key
