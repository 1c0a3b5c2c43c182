"""The big layers of this request: how each is drawn, kept until a layer or an archive changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from layers import tiles
from layers.tiles import Archive, State
from webmap import db
from webmap.db import House, Revisions

_HELD = 50_000
Drawings = tuple[tuple[str, "Drawing"], ...]


@dataclass(frozen=True)
class Drawing:
    """A big layer: its present state, the archive to draw, and from which zoom of the map it shows.

    `counted` is the state in which its areas were counted last, 0 when they never were. Without an
    archive, and for a request that looks back, it is drawn by frame.
    """

    state: State
    archive: Archive | None
    shown_from: int
    counted: int

    @property
    def is_fresh(self) -> bool:
        """Whether something has changed since the archive was built."""
        return self.archive is not None and self.archive.revision < self.state.revision


def drawings() -> Mapping[str, Drawing]:
    """By the key of the layer; empty where every layer is small."""
    return dict(key())


def huge() -> set[str]:
    """The keys of layers that are too big to be held in memory: they are drawn, and no more."""
    return {key for key, drawing in drawings().items() if drawing.state.areas > _HELD}


def key() -> Drawings:
    """The same as a value that caches can compare."""
    house, looks_back = db.house(), db.LOOKS_BACK in dict(db.revisions())
    return tuple(
        (state.layer.key, _drawing(house, state, looks_back)) for state in _states(house, db.revisions())
    )


def _drawing(house: House, state: State, looks_back: bool) -> Drawing:
    key, revision = state.layer.key, state.revision
    if looks_back:
        return Drawing(state, None, tiles.shown_from(state.areas), counted=0)
    found = tiles.newest(house.shelf, key, revision=revision)
    shown_from = found.shown_from if found else tiles.shown_from(state.areas)
    return Drawing(state, found, shown_from, tiles.counted(house.shelf, key, revision=revision))


@lru_cache(maxsize=8)
def _states(house: House, _revisions: Revisions) -> tuple[State, ...]:
    return tuple(tiles.states(db.session(), house.instance, least=house.shelf.least))
