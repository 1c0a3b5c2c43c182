"""What is kept in memory: worked out by the first who asks, while others who ask for the same wait for it.

`functools.lru_cache` lets everybody who comes before the first answer work it out too. Of four visitors who
ask for the same after a change, each would then wait four times as long.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import update_wrapper
from threading import Event, Lock
from typing import Generic, ParamSpec, TypeVar

Asked = ParamSpec("Asked")
Told = TypeVar("Told")


class _Work(Generic[Told]):
    """An answer that one thread works out: `told` is empty until it is `over`, and after it failed."""

    def __init__(self) -> None:
        self.over = Event()
        self.told: list[Told] = []


class Kept(Generic[Asked, Told]):
    """A function whose last `most` answers are kept; its arguments are all that they depend on."""

    def __init__(self, ask: Callable[Asked, Told], most: int) -> None:
        self._ask, self._most = ask, most
        self._works: OrderedDict[Hashable, _Work[Told]] = OrderedDict()
        self._changing = Lock()
        update_wrapper(self, ask)

    def __call__(self, *args: Asked.args, **more: Asked.kwargs) -> Told:
        """The answer. What fails is not kept: who has waited for it then tries on his own."""
        asked = args, tuple(sorted(more.items()))
        while True:
            work, is_mine = self._work(asked)
            if is_mine:
                return self._worked_out(asked, work, *args, **more)
            work.over.wait()
            if work.told:
                return work.told[0]

    def __len__(self) -> int:
        return len(self._works)

    def _work(self, asked: Hashable) -> tuple[_Work[Told], bool]:
        """The work on this answer, and whether it is for this thread to do."""
        with self._changing:
            if (there := self._works.get(asked)) is not None:
                self._works.move_to_end(asked)
                return there, False
            new = self._works[asked] = _Work()
            if len(self._works) > self._most:
                self._works.popitem(last=False)
            return new, True

    def _worked_out(
        self, asked: Hashable, work: _Work[Told], *args: Asked.args, **more: Asked.kwargs
    ) -> Told:
        try:
            work.told.append(self._ask(*args, **more))
        except BaseException:
            with self._changing:
                if self._works.get(asked) is work:
                    del self._works[asked]
            raise
        finally:
            work.over.set()
        return work.told[0]


def kept(most: int) -> Callable[[Callable[Asked, Told]], Kept[Asked, Told]]:
    """Keeps the last `most` answers of a function."""
    return lambda ask: Kept(ask, most)
