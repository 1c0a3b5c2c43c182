"""What the processes of this server have done, as numbers for Prometheus; the only door to its library.

Requests are told by the rule of their address and never by the address itself, so that there are no more
series than rules, and nothing of a visitor is among them. Where several processes answer, the library keeps
the numbers of each in a folder that they share, and whoever is asked adds them up.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from flask import Flask, current_app

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Told(NamedTuple):
    """A number that is read when somebody asks for it; `of` are its values by what `labels` name."""

    name: str
    text: str
    labels: tuple[str, ...]
    of: Mapping[tuple[str, ...], float]


def share(folder: Path) -> None:
    """From now on the numbers lie in an empty folder for all processes; before there is any `Meters`.

    The library asks the environment for it, and does so once.
    """
    os.environ[_FOLDER] = str(folder)


class Meters:
    """The numbers of one application."""

    def __init__(self) -> None:
        # Here, because it decides when it is imported where it keeps its numbers.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._own = own = CollectorRegistry()
        self._requests = Counter(
            "turvakaart_requests", "Requests answered.", ("route", "method", "status"), registry=own
        )
        self._took = Histogram(
            "turvakaart_request_seconds",
            "From the arrival of a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS_S,
            registry=own,
        )
        self._in_work = Gauge(
            "turvakaart_requests_in_work",
            "Requests that have come and are not answered, waiting ones too.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._shed = Counter("turvakaart_shed", "Requests turned away.", ("reason",), registry=own)
        self._limited = Counter(
            "turvakaart_limited", "Requests of those who asked too often.", ("budget",), registry=own
        )
        self._failed = Counter("turvakaart_store_errors", "Failures of the store.", ("kind",), registry=own)
        self._revision = Gauge(
            "turvakaart_snapshot_revision",
            "The sum of the layers' revisions in this process's memory.",
            multiprocess_mode="liveall",
            registry=own,
        )
        self._taken_at = Gauge(
            "turvakaart_snapshot_timestamp_seconds",
            "When this process read the store into its memory.",
            multiprocess_mode="liveall",
            registry=own,
        )
        self._takes = Counter("turvakaart_snapshots", "How often the store was read whole.", registry=own)
        self._ends: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._snapshot = (0.0, 0.0)
        self._pid = os.getpid()

    def begin(self) -> None:
        """A request has come."""
        if self._pid != os.getpid():
            # Forked: this process holds the snapshot of its parent, and numbers of its own that begin at 0.
            self._pid = os.getpid()
            self._tell_snapshot()
        self._in_work.inc()

    def end(self, *, route: str, method: str, status: int, took_s: float) -> None:
        """A request has been answered."""
        self._in_work.dec()
        asked = route, method, status
        kept = self._ends.get(asked)
        if kept is None:
            kept = self._requests.labels(route, method, str(status)), self._took.labels(route)
            self._ends[asked] = kept
        kept[0].inc()
        kept[1].observe(took_s)

    def shed(self, reason: str) -> None:
        self._shed.labels(reason).inc()

    def limited(self, budget: str) -> None:
        self._limited.labels(budget).inc()

    def store_failed(self, kind: str) -> None:
        self._failed.labels(kind).inc()

    def snapshot(self, revision: int) -> None:
        """The store has been read whole, in this state."""
        self._takes.inc()
        self._snapshot = float(revision), time.time()
        self._tell_snapshot()

    def _tell_snapshot(self) -> None:
        revision, at = self._snapshot
        if at:
            self._revision.set(revision)
            self._taken_at.set(at)

    def text(self, more: Iterable[Told] = ()) -> bytes:
        """Everything, and `more`, in the form that Prometheus reads."""
        from prometheus_client import CollectorRegistry, generate_latest

        told = CollectorRegistry()
        told.register(_Telling(more))
        return generate_latest(self._summed()) + generate_latest(told)

    def retire(self) -> None:
        """This process answers nobody: what it has counted while it warmed up is forgotten."""
        for file in Path(os.environ.get(_FOLDER, os.devnull)).glob(f"*_{os.getpid()}.db"):
            file.unlink()

    def _summed(self) -> "CollectorRegistry":
        """This process's numbers, or those of all where they are shared."""
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        if _FOLDER not in os.environ:
            return self._own
        self._sweep()
        found = CollectorRegistry()
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
        return found

    def _sweep(self) -> None:
        """Forgets the present of processes that have ended, also of those that were killed."""
        for file in Path(os.environ.get(_FOLDER, os.devnull)).glob("gauge_live*_*.db"):
            if not _is_there(int(file.stem.rpartition("_")[2])):
                file.unlink(missing_ok=True)


class _Telling:
    """A collector of numbers that are read when they are asked for."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._told = told

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import GaugeMetricFamily

        for one in self._told:
            family = GaugeMetricFamily(one.name, one.text, labels=one.labels)
            for names, number in one.of.items():
                family.add_metric(names, number)
            yield family


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def init_app(app: Flask) -> Meters:
    made = app.extensions["meters"] = Meters()
    return made


def here() -> Meters:
    """Those of the application that answers."""
    return cast(Meters, current_app.extensions["meters"])
