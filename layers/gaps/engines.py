"""Which engine tells how long the way takes: the best that the planner's files allow.

A folder of planning may hold `matrix.csv` (times from elsewhere), `roads.csv` or an OpenStreetMap extract
(`*.osm.pbf`); without any of them ways are straight lines with a detour, which is always there.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from layers.errors import N_, BadInstance, Unavailable
from layers.gaps.assumptions import Assumptions
from layers.gaps.grounds import Grounds
from layers.gaps.reach import Travel
from layers.gaps.travel import Matrix, Network, StraightLine, read_matrix
from layers.sources import roads

# Ends that a clipped extract leaves hanging are no crossings at which anybody lives.
_LEAST_PIECE = 100


_TOLD = 3


class BadPlanning(Unavailable):
    text = N_("The planner's files cannot be used: {problems}")


def by_road(
    folders: Sequence[Path],
    *,
    srid: int,
    assumptions: Assumptions,
    grounds: Grounds,
    units: Collection[str],
    demand: Collection[str],
) -> Travel:
    """The engine for those who come by road; of several folders the last that has a file decides.

    `units` and `demand` are the keys that a matrix may name.

    Raises:
        BadPlanning: the file has problems; the first of them are told.
        NoRoadReader: an extract is there, and pyrosm is not.
    """
    try:
        for folder in reversed(folders):
            if found := _given(folder, srid=srid, assumptions=assumptions, units=units, demand=demand):
                return found
    except BadInstance as error:
        raise BadPlanning(problems=" ".join(map(str, error.problems[:_TOLD]))) from error
    return StraightLine(assumptions, grounds)


def _given(
    folder: Path, *, srid: int, assumptions: Assumptions, units: Collection[str], demand: Collection[str]
) -> Travel | None:
    """The engine of one folder; None where it has no file for one."""
    if (file := folder / "matrix.csv").is_file():
        return read_matrix(file, units=units, demand=demand)
    if (file := folder / "roads.csv").is_file():
        return Network(roads.of_table(file))
    for file in sorted(folder.glob("*.osm.pbf")):
        found = roads.of_extract(file, srid=srid, kmh=assumptions.kmh())
        return Network(found, least_piece=_LEAST_PIECE)
    return None


def unknown(travel: Travel, units: Sequence[str]) -> tuple[str, ...]:
    """The units of which the engine knows nothing: new ones that no matrix names."""
    return tuple(key for key in units if key not in travel.from_) if isinstance(travel, Matrix) else ()
