"""The map of a report: borders, people in time and not, units and proposed sites, as one SVG."""

from collections.abc import Iterator
from math import cos, pi, sin

import numpy as np
import shapely

from layers import geo, places
from webmap import db
from webmap.locator import Frame
from webmap.planning.inquiry import Found
from webmap.planning.sites import Options
from webmap.planning.world import World

_WIDTH, _HEIGHT, _MARGIN = 900.0, 560.0, 14.0
_COVERED, _UNCOVERED, _UNIT, _SITE = "#0b5d66", "#b3261e", "#14212b", "#6a3d9a"
_TOLERANCE_PX = 0.6


def draw(known: World, found: Found, options: Options, *, county: str) -> str:
    """The chosen county with its municipalities, or every county; "" where no outline is known."""
    kind = "municipality" if county else "county"
    areas = places.shapes(db.session(), kind, as_of=known.day)
    areas = [one for one in areas if not county or one[0].parent == f"county:{county}"]
    if not areas:
        return ""
    shapes = geo.to_metric([shape for _, shape in areas], srid=db.instance().metric_crs)
    west, south, east, north = shapely.total_bounds(shapes)
    scale = min((_WIDTH - 2 * _MARGIN) / (east - west), (_HEIGHT - 2 * _MARGIN - 30) / (north - south))
    frame = Frame(scale, west, north, (_WIDTH - (east - west) * scale) / 2)
    drawn = shapely.coverage_simplify(shapes, _TOLERANCE_PX / scale)
    height = round((north - south) * scale + 2 * _MARGIN + 30)
    ground = " ".join(frame.path(shape) for shape in drawn)
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {height}">',
        f'<path d="{ground}" fill="#f4f1e8" fill-rule="evenodd" stroke="#9db0bc" stroke-width="1"/>',
        *_people(known, found, frame, county),
        *_units(known, found, frame, (west, south, east, north)),
        *(_star(*frame.at(*one.point)) for one in options.sites),
        frame.bar(width=_WIDTH, height=height),
        "</svg>",
    )
    return "".join(parts)


def _people(known: World, found: Found, frame: Frame, county: str) -> Iterator[str]:
    people = known.people
    inside = people.within("county" if county else "country", county) & (people.people > 0)
    # The largest first, so that small places stay visible on them.
    for i in sorted(np.flatnonzero(inside).tolist(), key=lambda i: (-people.people[i], people.keys[i])):
        x, y = frame.at(*people.points[i])
        size = max(1.6, min(9.0, 1.2 + people.people[i] ** 0.5 / 26)) * (1.6 if county else 0.8)
        look = (
            f'fill="{_COVERED}" fill-opacity=".6"'
            if found.service.covered[i]
            else f'fill="#fff" fill-opacity=".5" stroke="{_UNCOVERED}" stroke-width="1.2"'
        )
        yield f'<circle cx="{x}" cy="{y}" r="{size:.1f}" {look}/>'


def _units(known: World, found: Found, frame: Frame, box: tuple[float, ...]) -> Iterator[str]:
    west, south, east, north = box
    for role in found.service.roles:
        for east_m, north_m in known.units[role].points:
            if west <= east_m <= east and south <= north_m <= north:
                x, y = frame.at(east_m, north_m)
                yield f'<path d="M{x} {y - 7}l7 12h-14z" fill="{_UNIT}" stroke="#fff"/>'


def _star(x: int, y: int) -> str:
    corners = ((11 if at % 2 == 0 else 4.6, at * pi / 5) for at in range(10))
    path = "L".join(f"{x + r * sin(turn):.1f} {y - r * cos(turn):.1f}" for r, turn in corners)
    return f'<path d="M{path}Z" fill="{_SITE}" stroke="#fff" stroke-width="1.5"/>'
