"""How often somebody may ask, and what is so costly that it waits in a lane of its own.

Everybody's requests are counted by the address that they come from, those of an account by it as well. What
costs more has a budget of its own, so that a program that fetches reports cannot use up what readers have.
The counts lie in the memory of each process, which then grants its share, or in a store that all processes
and hosts share; where that store does not answer, each process counts for itself until it does. The library
`limits` counts; this is its only door.

What comes from this computer itself is not counted: behind a proxy that WEBMAP_PROXIES does not tell of,
everybody does.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Timer
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, request

from layers.errors import Invalid
from webmap import errors, gate, meters, porch, seals, signin
from webmap.settings import Settings

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage
    from limits.strategies import RateLimiter

_SEPARATE = (
    ("pages.gaps.", "gaps"),
    ("pages.importing.progress", "every"),
    ("pages.importing.", "import"),
    ("pages.booklets.booklet", "files"),
    ("pages.cards.sheet", "files"),
    ("pages.cooperation.lines", "files"),
    ("pages.slides.pdf", "files"),
    ("pages.worklist.file", "files"),
    ("offline.kept", "files"),
    ("api.find", "search"),
    ("pages.find", "search"),
    # What costs nothing: it lies ready, or says how the server is.
    ("health.", ""),
    ("offline.manifest", ""),
    ("offline.worker", ""),
    ("static", ""),
    ("tiles.tile", ""),
)
"""Which addresses have a budget of their own, by how their endpoint begins; all others share “every”."""
_COSTLY = frozenset(("gaps", "files", "import"))
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_REST_S = 30.0
_TIMEOUT_S = 0.25


_MOST_COUNTED = 50_000
"""Counts that one process keeps; with more all begin anew."""


class _Sweeper:
    """In place of the thread that the library's memory starts every 10 ms, which cost 0.4 ms a request."""

    def is_alive(self) -> bool:
        return True


class BadLimitsStore(Invalid):
    text = (
        "WEBMAP_LIMITS_STORE cannot be used. Write redis://host:6379, valkey://host:6379 or "
        "memcached://host:11211, and install turvakaart[shared]."
    )


class Counts:
    """The counts of this process or, with a `store`, of all. `processes` share what the memory grants."""

    def __init__(self, rates: Mapping[str, str], store: str = "", *, processes: int = 1) -> None:
        self.processes, self.is_shared = processes, bool(store)
        self._rates, self._store = rates, store
        self._rests_until = 0.0
        self._shared: RateLimiter | None = None
        self._own: RateLimiter | None = None
        self._memory: MemoryStorage
        self._items: dict[str, tuple[RateLimitItem, RateLimitItem]] = {}
        if store:
            self._shared = _limiter(store)

    def has(self, budget: str) -> bool:
        return budget in self._rates

    def spend(self, budget: str, who: str) -> int:
        """Counts one request; the seconds until the next one is granted, 0 when this one is."""
        whole, share = self._items.get(budget) or self._parse(budget)
        if self._shared and time.monotonic() >= self._rests_until:
            from limits.errors import StorageError

            try:
                return _spend(self._shared, whole, budget, who)
            except (StorageError, OSError):  # Refused connections to memcached come as they are.
                self._rests_until = time.monotonic() + _REST_S
                meters.here().store_failed("limits")
        if self._own is None:
            self._own = _limiter("memory://")
            self._memory = cast("MemoryStorage", self._own.storage)
            self._memory.timer = cast("Timer", _Sweeper())
        if len(self._memory.storage) > _MOST_COUNTED:
            self._memory.reset()
        return _spend(self._own, share, budget, who)

    def _parse(self, budget: str) -> "tuple[RateLimitItem, RateLimitItem]":
        """The whole budget, and this process's share of it."""
        from limits import parse

        whole, share = parse(self._rates[budget]), parse(self._rates[budget])
        share.amount = math.ceil(whole.amount / self.processes)
        self._items[budget] = whole, share
        return whole, share


def _limiter(store: str) -> "RateLimiter":
    """Raises BadLimitsStore."""
    from limits.errors import ConfigurationError
    from limits.storage import storage_from_string
    from limits.strategies import SlidingWindowCounterRateLimiter

    is_memcached, is_memory = store.startswith("memcached://"), store.startswith("memory://")
    names = ("timeout", "connect_timeout") if is_memcached else ("socket_timeout", "socket_connect_timeout")
    options = {} if is_memory else dict.fromkeys(names, _TIMEOUT_S)
    try:
        kept = storage_from_string(store, wrap_exceptions=True, **options)
        return SlidingWindowCounterRateLimiter(kept)
    except (ConfigurationError, NotImplementedError, ValueError) as error:
        raise BadLimitsStore from error  # Its own text may repeat a password.


def _spend(limiter: "RateLimiter", item: "RateLimitItem", budget: str, who: str) -> int:
    if limiter.hit(item, budget, who):
        return 0
    free_at = limiter.get_window_stats(item, budget, who).reset_time
    return max(1, math.ceil(free_at - time.time()))


@dataclass(frozen=True)
class Cost:
    """From which budget an address is paid, "" for none, and whether it waits in the lane of the costly."""

    budget: str
    is_costly: bool


def init_app(app: Flask, settings: Settings) -> None:
    """Raises BadLimitsStore."""
    app.extensions["budgets"] = Counts(settings.budgets(), settings.limits_store)
    app.extensions["costs"] = {}
    app.before_request(_pay)


def of(app: Flask) -> Counts:
    return cast(Counts, app.extensions["budgets"])


def cost(endpoint: str, method: str) -> Cost:
    """What a request costs."""
    found = next((budget for start, budget in _SEPARATE if endpoint.startswith(start)), "every")
    if found and found != "import" and method not in _SAFE:
        found = "send"
    return Cost(found, found in _COSTLY)


def _pay() -> None:
    """Before a request: its budget, its account's, and its lane.

    Raises:
        TooOften: the budget is used up.
        Overloaded: so many costly things are being made that this one would wait too long.
    """
    asked = request.endpoint or "", request.method
    costs = current_app.extensions["costs"]
    found = costs.get(asked)
    if found is None:
        found = cost(*asked)
        if request.url_rule:
            costs[asked] = found
    counts = of(current_app)
    if found.budget and not _is_local(request.remote_addr or ""):
        _spend_or_refuse(counts, found.budget, _who(counts, request.remote_addr or ""))
    view = current_app.view_functions.get(asked[0])
    if counts.has("account") and signin.role_of(view) and (account := signin.account()):
        _spend_or_refuse(counts, "account", f"account {account.id}")
    if found.is_costly and (seat := request.environ.get(porch.SEAT)):
        _take_the_costly_lane(seat)


def _spend_or_refuse(counts: Counts, budget: str, who: str) -> None:
    wait_s = counts.spend(budget, who) if counts.has(budget) else 0
    if wait_s:
        meters.here().limited(budget)
        raise errors.TooOften(wait_s)


def _take_the_costly_lane(seat: gate.Seat) -> None:
    try:
        seat.move()
    except gate.Full as reason:
        meters.here().shed(f"costly {porch.told(reason)}")
        raise porch.Overloaded from reason


def _is_local(address: str) -> bool:
    return address.startswith("127.") or address in ("", "::1")


def _who(counts: Counts, address: str) -> str:
    """An address as it is counted; what leaves this process is its keyed digest."""
    found = seals.network(address)
    return signin.desk().digest("limits", found) if counts.is_shared else found
