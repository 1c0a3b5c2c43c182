"""The small map of a card: a county, its municipalities and one point, as one SVG without a style sheet."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely

from layers import geo
from layers.geo import Place
from layers.snapshot import Snapshot

_WIDTH, _HEIGHT, _MARGIN = 480.0, 340.0, 12.0
_PAPER, _GROUND, _BORDER, _OWN = "#ffffff", "#dfe7ea", "#7d8f9b", "#0b5d66"
_BARS_KM = (1, 2, 5, 10, 20, 50, 100, 200)


def draw(known: Snapshot, place: Place, *, municipality: str, county: str, as_of: date) -> str:
    """The county's municipalities, the own one dark, and the place as a dot; "" where no outline is known."""
    keys = [area.key for area in known.areas if area.parent == f"county:{county}"] or [f"county:{county}"]
    keys = list(dict.fromkeys(keys))
    shapes = {key: shape for key in keys for shape in known.shapes_of([key], as_of=as_of)}
    if not shapes:
        return ""
    every = np.array(list(shapes.values()), dtype=object)
    west, south, east, north = shapely.total_bounds(every)
    scale = min((_WIDTH - 2 * _MARGIN) / (east - west), (_HEIGHT - 2 * _MARGIN - 30) / (north - south))
    # Neighbours keep one border; half a unit of the drawing is finer than print.
    drawn = dict(zip(shapes, shapely.coverage_simplify(every, 1.0 / scale), strict=True))
    frame = Frame(scale, west, north, (_WIDTH - (east - west) * scale) / 2)
    own = f"municipality:{municipality}"
    others = " ".join(frame.path(shape) for key, shape in drawn.items() if key != own)
    point = geo.metric_point(place, srid=known.srid)
    x, y = frame.at(point.x, point.y)
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}">',
            _drawn(others, _GROUND),
            _drawn(frame.path(drawn[own]), _OWN) if own in drawn else "",
            f'<circle cx="{x}" cy="{y}" r="9" fill="{_PAPER}" stroke="#14212b" stroke-width="5"/>',
            frame.bar(),
            "</svg>",
        )
    )


@dataclass(frozen=True)
class Frame:
    """Metres → units of the drawing, y downwards."""

    scale: float
    west: float
    north: float
    left: float

    def at(self, easting: float, northing: float) -> tuple[int, int]:
        x = self.left + (easting - self.west) * self.scale
        return round(x), round(_MARGIN + (self.north - northing) * self.scale)

    def path(self, shape: shapely.Geometry) -> str:
        """A polygon's rings; islets smaller than two units across are left out."""
        parts = [part for part in shapely.get_parts(shape) if part.area * self.scale**2 > 4]
        rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
        return "".join(f"M{'L'.join(self._points(ring))}Z" for ring in rings)

    def _points(self, ring: shapely.LinearRing) -> Iterable[str]:
        return (f"{x} {y}" for x, y in (self.at(*point) for point in ring.coords[:-1]))

    def bar(self, *, width: float = _WIDTH, height: float = _HEIGHT) -> str:
        """A scale bar of a round number of kilometres, about a quarter of the width."""
        km = max((km for km in _BARS_KM if km * 1000 * self.scale <= width / 4), default=_BARS_KM[0])
        end, y = round(_MARGIN + km * 1000 * self.scale), round(height - _MARGIN)
        return (
            f'<path d="M{_MARGIN:.0f} {y - 7}v7H{end}v-7" fill="none" stroke="#14212b" stroke-width="3"/>'
            f'<text x="{end + 8}" y="{y}" font-family="Inter, Inter Variable" font-size="22" fill="#14212b">'
            f"{km} km</text>"
        )


def _drawn(path: str, fill: str) -> str:
    return f'<path d="{path}" fill="{fill}" fill-rule="evenodd" stroke="{_BORDER}" stroke-width="1.5"/>'
