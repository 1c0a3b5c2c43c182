"""How many requests a process has in work at once, and when it turns one away instead of letting it wait.

A process answers a few requests at once; more would only make each of them slower. Some more wait for their
turn, in the order in which they came, and for a short time: who waited longer has gone away or asked again.
All others are turned away at once, which costs next to nothing, so that the server goes on answering as many
as it can, and is itself again in the moment in which fewer ask.

What is costly, and forms, whose senders may be slow, have a lane of their own: they never take the places of
those who read.
"""

from collections import deque
from dataclasses import dataclass
from threading import Lock

_RESERVE = 8
"""Threads beyond all who are in work or wait: they turn away, and say that the process is alive."""
_COSTLY_PATIENCE = 5
"""A report of some seconds may be waited for longer than a page."""


class Full(Exception):
    """Nobody more may wait; or `is_late`: the turn did not come in time."""

    def __init__(self, *, is_late: bool) -> None:
        self.is_late = is_late
        super().__init__()


class Lane:
    """So many at once, and so many more who wait their turn."""

    def __init__(self, *, at_once: int, waiting: int, patience_s: float) -> None:
        self.at_once, self.waiting, self._patience_s = at_once, waiting, patience_s
        self._free, self._queue, self._changing = at_once, deque[Lock](), Lock()

    def enter(self) -> None:
        """Returns when it is one's turn.

        Raises:
            Full: it will not be, or was not in time.
        """
        with self._changing:
            if self._free:
                self._free -= 1
                return
            if len(self._queue) >= self.waiting:
                raise Full(is_late=False)
            turn = Lock()
            turn.acquire()
            self._queue.append(turn)
        if turn.acquire(timeout=self._patience_s):
            return
        with self._changing:
            if turn in self._queue:
                self._queue.remove(turn)
                raise Full(is_late=True)
        # It was called in the very moment in which it gave up.

    def leave(self) -> None:
        """Gives the place to whoever has waited longest."""
        with self._changing:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._free += 1


class Seat:
    """The place of one request, given back once."""

    def __init__(self, lane: Lane, costly: Lane) -> None:
        lane.enter()
        self._lane: Lane | None = lane
        self._costly = costly

    def move(self) -> None:
        """Goes on in the lane of what is costly; who is there already stays.

        Raises:
            Full: there is no place, and this one is given back.
        """
        if self._lane is not self._costly:
            self.leave()
            self._costly.enter()
            self._lane = self._costly

    def leave(self) -> None:
        lane, self._lane = self._lane, None
        if lane:
            lane.leave()


@dataclass(frozen=True)
class Gate:
    """The lanes of one process."""

    quick: Lane
    costly: Lane

    @classmethod
    def of(cls, *, at_once: int, waiting: int, patience_s: float) -> "Gate":
        """Half as many costly ones as others, on top of these; a quarter as many wait, and longer."""
        costly = Lane(
            at_once=max(1, at_once // 2),
            waiting=waiting // 4,
            patience_s=patience_s * _COSTLY_PATIENCE,
        )
        return cls(Lane(at_once=at_once, waiting=waiting, patience_s=patience_s), costly)

    @property
    def threads(self) -> int:
        """How many the server needs so that nobody waits outside, where nobody can be turned away."""
        return _RESERVE + sum(lane.at_once + lane.waiting for lane in (self.quick, self.costly))

    def enter(self, *, is_costly: bool = False) -> Seat:
        """Raises Full."""
        return Seat(self.costly if is_costly else self.quick, self.costly)
