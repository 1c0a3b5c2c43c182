"""How far a long work is: told by what does it, kept where whoever waits can read it."""

import time
from collections.abc import Callable
from pathlib import Path

from layers.jobs import states

Tell = Callable[[str, int, int], object]
"""Tells the stage of a work, how much of it is done, and of how much (0 where nobody knows)."""
BEGIN, FETCH, PAGES, READ, EXAMINE = "begin", "fetch", "pages", "read", "examine"
PLAN, WRITE, SETTLE = "plan", "write", "settle"
STAGES = (BEGIN, FETCH, PAGES, READ, EXAMINE, PLAN, WRITE, SETTLE)
"""What an import goes through. FETCH counts bytes, PAGES features that a service gave, the others rows."""
_PACE_S = 0.2


def silent(stage: str, done: int, total: int) -> None:
    """Tells nobody."""


class Paced:
    """Tells at most a few times a second, and whenever a stage begins."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._stage, self._next = tell, "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage or now >= self._next:
            self._stage, self._next = stage, now + _PACE_S
            self._tell(stage, done, total)


def into(file: Path) -> Tell:
    """Keeps in a file what is told."""
    return Paced(
        lambda stage, done, total: states.write(file, {"stage": stage, "done": done, "total": total})
    )
