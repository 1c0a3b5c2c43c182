"""How long the way takes: straight lines with a detour, a road network, or a matrix from elsewhere."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from layers.gaps.assumptions import Assumptions
from layers.gaps.demand import Demand
from layers.gaps.reach import Reach, gathered
from layers.gaps.supply import Units
from layers.snapshot import Numbers

_MIN_PER_H = 60


@dataclass(frozen=True)
class StraightLine:
    """Minutes = turnout + 60 × detour × kilometres ÷ speed, by the density where people live."""

    assumptions: Assumptions
    engine: str = "straight_line"

    def reach(self, units: Units, demand: Demand, *, within_min: float) -> Reach:
        pace = self._min_per_km(demand)
        furthest_m = 1000 * within_min / pace.min() if len(pace) else 0.0
        if not len(units) or not len(demand):
            pairs = np.empty((0, 2), dtype=np.int64)
        else:
            near = cKDTree(units.points).query_ball_point(demand.points, r=furthest_m)
            rows = np.repeat(np.arange(len(demand)), [len(some) for some in near])
            pairs = np.column_stack([rows, np.concatenate(near).astype(np.int64)])
        metres = np.hypot(*(demand.points[pairs[:, 0]] - units.points[pairs[:, 1]]).T)
        minutes = units.turnout_min[pairs[:, 1]] + metres / 1000 * pace[pairs[:, 0]]
        return gathered(
            pairs[:, 0],
            pairs[:, 1],
            minutes,
            metres,
            demand=len(demand),
            units=len(units),
            within_min=within_min,
            engine=self.engine,
        )

    def _min_per_km(self, demand: Demand) -> Numbers:
        """Minutes for a straight kilometre (n), by class; where no density is known, the least dense."""
        density = np.nan_to_num(demand.density_km2, nan=0.0)
        begins = np.array([one.density_from for one in self.assumptions.classes])
        at = np.maximum(np.searchsorted(begins, density, side="right") - 1, 0)
        by_class = [_MIN_PER_H * one.detour.usual / one.speed_kmh.usual for one in self.assumptions.classes]
        return np.array(by_class)[at]
