"""Areas coloured by the partners that are known there, or by how stale that is: the classes and colours."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from math import ceil

from flask_babel import gettext

from layers import coverage, places
from layers.coverage import Presence, Staleness
from layers.errors import N_
from layers.filters import Filter
from layers.places import Body
from layers.practices import Case
from webmap import choices, db, params

# From nobody to everybody: brown to teal of ColorBrewer's BrBG, told apart by colour-blind eyes too.
_SCALE = ("#a6611a", "#d8b365", "#f1e6c8", "#8fcfc4", "#2a9187")
# From nothing to check to everything: ColorBrewer's YlOrBr, light to dark.
_STALE = ("#fff7bc", "#fee391", "#fe9929", "#cc4c02", "#7a2a04")
_NOTHING = "#c9d3da"
_STALE_CLASSES = (
    "0%",
    "≤25%",
    "≤50%",
    "≤75%",
    "≤100%",
)


@dataclass(frozen=True)
class Shading:
    """Areas of a kind coloured by the partners known there: by how many roles, or by one `role` alone.

    With `is_of_age`: by how much of what is known there somebody should check.
    """

    kind: str
    role: str = ""
    is_of_age: bool = False

    @property
    def key(self) -> str:
        if self.is_of_age:
            return f"{self.kind}.~age"  # No layer's key holds this mark.
        return f"{self.kind}.{self.role}" if self.role else self.kind


@dataclass(frozen=True)
class Shade:
    """One class of the legend: so many areas have so many roles, or what `text` says."""

    roles: int
    colour: str
    areas: int
    text: str = ""


def offered() -> dict[str, Shading]:
    """Every shading that this instance offers, by the key that addresses use."""
    kinds = [layer.kind for layer in db.instance().layers_of("areas") if layer.kind in choices.PLACES]
    kinds.sort(reverse=True)  # The finer one first.
    roles = ["", *(layer.key for layer in db.instance().layers_of("bodies"))]
    every = [Shading(kind, role) for role in roles for kind in kinds]
    every += [Shading(kind, is_of_age=True) for kind in kinds]
    return {shading.key: shading for shading in every}


def chosen(args: Mapping[str, str], default: str = "") -> Shading | None:
    """The shading of a query string: `shade`, "none" for no shading.

    Raises:
        NotOneOf: there is no such shading.
    """
    known = offered()
    return known.get(params.one_of(args, "shade", {**known, "none": None}) or default)


def areas(by: Shading, *, as_of: date, bodies: Sequence[Body], only: Filter) -> list[Presence]:
    """The areas of a shading with what is known there, thin ones first; of a chosen place only its own."""
    roles = [by.role] if by.role else [layer.key for layer in db.instance().layers_of("bodies")]
    of_all = not (only.capability or only.readiness or only.freshness)
    found = coverage.presence(db.session(), by.kind, roles, as_of=as_of, bodies=bodies, with_counts=of_all)
    chosen = [{f"county:{code}" for code in only.county}, _own(by.kind, only, as_of)]
    return [one for one in found if all(_is_in(one, wanted) for wanted in chosen if wanted)]


def stale_areas(
    by: Shading, *, as_of: date, things: Sequence[Body | Case], only: Filter, today: date
) -> list[Staleness]:
    """The areas of a shading by age, stale ones first; of a chosen place only its own."""
    rules = db.instance().freshness
    found = coverage.staleness(db.session(), by.kind, things, as_of=as_of, today=today, rules=rules)
    chosen = ({f"county:{code}" for code in only.county}, _own(by.kind, only, as_of))
    return [one for one in found if all(_is_in(one, wanted) for wanted in chosen if wanted)]


def stale_colour(one: Staleness) -> str:
    """The colour of an area by how much of what is known there is to be checked."""
    step = _stale_step(one)
    return _NOTHING if step is None else _STALE[step]


def _stale_step(one: Staleness) -> int | None:
    return None if one.share is None else ceil(4 * one.share)


def stale_legend(found: Sequence[Staleness]) -> list[Shade]:
    """The classes of a shading by age, from nothing to check to all, then where nothing is known."""
    steps = [_stale_step(one) for one in found]
    shades = [Shade(step, _STALE[step], steps.count(step), text) for step, text in enumerate(_STALE_CLASSES)]
    return [*shades, Shade(0, _NOTHING, steps.count(None), str(gettext(N_("none known"))))]


def _own(kind: str, only: Filter, as_of: date) -> set[str]:
    """The chosen municipalities; where counties are shaded, the counties that they lie in."""
    found = [places.area(db.session(), "municipality", code, as_of=as_of) for code in only.municipality]
    return {one.parent if kind == "county" else one.key for one in found}


def _is_in(one: Presence | Staleness, wanted: Set[str]) -> bool:
    return not wanted.isdisjoint((one.area.key, one.area.parent))


def colour(roles: int, most: int) -> str:
    """The colour of an area with so many roles of at most `most`."""
    return _SCALE[round(roles / max(most, 1) * (len(_SCALE) - 1))]


def legend(found: Sequence[Presence]) -> list[Shade]:
    """The classes of a shading, from none to all."""
    most = max((len(one.named) for one in found), default=0)
    counts = [sum(one.roles == roles for one in found) for roles in range(most + 1)]
    return [Shade(roles, colour(roles, most), counts[roles]) for roles in range(most + 1)]
