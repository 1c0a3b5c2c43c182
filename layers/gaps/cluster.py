"""Parts of a question answered by worker processes, here or on other machines: the door to `distributed`.

What a worker gets is all that it knows: it opens no store. The parts are made from one reading of it, every
task bears the digest of the state that it was made from, and a worker that holds another state, another
version of this code or arithmetic that rounds otherwise refuses instead of answering. A worker that is lost
is no loss: what it had is asked again elsewhere.

Whoever reaches a Dask scheduler may run any program on it. On this machine scheduler and workers listen on
the loopback address alone and speak TLS with a key that exists only in their memory; the address of another
scheduler is believed as it is given, so give it only inside a network of your own, or with TLS.
"""

import hashlib
import logging
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import shapely

from layers.errors import N_, Invalid, LayersError, Unavailable
from layers.gaps.parts import Answer, Common, Part, Runner

SIZE = 200_000
"""Rows and corners in a part; `scripts/bench_engine.py` measures what memory that takes."""
MOST_WORKERS = 256
_AHEAD = 2
_TASK, _COMMON = "turvakaart-part", "turvakaart-common"


class NoDistributed(Unavailable):
    text = N_("Work on several processes needs the package distributed. Install turvakaart[engine].")


class BadEngine(Invalid):
    text = N_(
        "“{value}” is no engine. Write a number of processes on this machine from 1 to {most}, or the "
        "address of a Dask scheduler, as tcp://10.0.0.5:8786 or tls://10.0.0.5:8786."
    )


class NoScheduler(Unavailable):
    text = N_("The scheduler {address} cannot be used: {reason}")


class NoWorkers(Unavailable):
    text = N_("The scheduler {address} has no worker. Start one there: dask worker {address}")


class OtherHouse(Unavailable):
    text = N_(
        "A worker would come to other numbers: its {what} is not the one here. Install the same version of "
        "turvakaart and of its packages on every machine."
    )


class MixedStates(Unavailable):
    text = N_("A worker held another state of the data than the question. Nothing was counted; ask again.")


class WorkersLost(Unavailable):
    text = N_(
        "A part of the work ended {count} workers, one after the other; most likely for want of memory. "
        "Make the parts smaller, or give the workers more memory."
    )


class PartTooLarge(Unavailable):
    text = N_(
        "A part of the work does not fit into a worker's memory. Make the parts smaller, or give more memory."
    )


class WorkFailed(LayersError):
    text = N_("A worker could not do its part, and nothing was counted: {reason}")


@dataclass(frozen=True)
class Options:
    """`where` is a number of processes or a scheduler's address. `size` is of a part, in rows and corners.

    `memory` is how much each process here may take, as "2GB"; "" for its share of the machine, and a worker
    elsewhere has its own limit. `ca`, `cert` and `key` are files for TLS with a scheduler elsewhere.
    """

    where: str
    size: int = SIZE
    memory: str = ""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    patience_s: float = 30.0


@contextmanager
def opened(options: Options) -> Iterator[Runner]:
    """Workers for as long as the block lasts; processes that it starts end with it, whatever happens.

    Raises:
        NoDistributed, BadEngine, NoScheduler, NoWorkers: they cannot be had.
    """
    count = _count(options)
    if find_spec("distributed") is None:
        raise NoDistributed
    with ExitStack() as stack:
        client = _here(stack, count, options) if count else _there(stack, options)
        yield Workers(client, options.size)


def _count(options: Options) -> int:
    """How many processes to start here; 0 where an address is given."""
    where = options.where.strip()
    if where.startswith(("tcp://", "tls://")) and len(where) > len("tcp://"):
        return 0
    if not (where.isascii() and where.isdigit() and 1 <= int(where[:9]) <= MOST_WORKERS):
        raise BadEngine(value=where, most=MOST_WORKERS)
    return int(where)


def _here(stack: ExitStack, count: int, options: Options) -> Any:
    """Scheduler and workers on the loopback address, with a key of their own, without a dashboard."""
    import dask
    from distributed import Client, LocalCluster, Security

    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="turvakaart-"))
    set_ = {
        "temporary-directory": scratch,
        # What a dashboard would show, and more, is shown to nobody.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # A part is asked or it is not: a worker that waits for memory would wait for ever.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
    }
    stack.enter_context(dask.config.set(set_))
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=Security.temporary(),
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=options.memory or "auto",
            local_directory=scratch,
            silence_logs=logging.CRITICAL,
        )
    except ValueError as error:
        raise NoScheduler(address="127.0.0.1", reason=str(error)) from error
    stack.enter_context(cluster)
    return stack.enter_context(Client(cluster, set_as_default=False))


def _there(stack: ExitStack, options: Options) -> Any:
    from distributed import Client, Security

    where = options.where.strip()
    files = {
        "tls_ca_file": options.ca,
        "tls_client_cert": options.cert,
        "tls_client_key": options.key,
    }
    given = {name: str(file) for name, file in files.items() if file}
    try:
        security = Security(require_encryption=where.startswith("tls://"), **given)
        made = Client(where, security=security, timeout=options.patience_s, set_as_default=False)
        client = stack.enter_context(made)
    except (OSError, TimeoutError, TypeError, ValueError) as error:
        raise NoScheduler(address=where, reason=str(error) or type(error).__name__) from error
    try:
        client.wait_for_workers(1, timeout=options.patience_s)
    except TimeoutError as error:
        raise NoWorkers(address=where) from error
    return client


@dataclass(frozen=True, eq=False)
class Workers:
    """The workers of one scheduler, as a runner."""

    client: Any
    size: int

    def each(
        self, work: Callable[[Common, Part], Answer], common: Common, parts: Iterable[Part]
    ) -> Iterator[Answer]:
        """The answers in the order of the parts; only a few parts are on their way at a time.

        Raises:
            OtherHouse, MixedStates: a worker would come to other numbers.
            WorkersLost: the same part ended one worker after the other.
            WorkFailed: a part cannot be asked, or the scheduler went away.
            LayersError: what `work` raises on purpose.
        """
        packed = pickle.dumps(common, protocol=5)
        state = hashlib.sha256(packed).hexdigest()
        ask = partial(_asked, work, house(), state)
        run = uuid4().hex  # Two who ask the same of one scheduler do not end each other's work.
        waiting: deque[Any] = deque()
        kept = None
        try:
            # As a task, not as data: a task can be done again when the worker that held its answer is lost.
            kept = self._send(Packed, state, packed, key=f"{_COMMON}-{run}")
            for number, part in enumerate(parts):
                while len(waiting) >= self._most():
                    yield _answer(waiting.popleft())
                made = pickle.dumps(part, protocol=5)
                waiting.append(self._send(ask, kept, made, key=f"{_TASK}-{run}-{number}"))
            while waiting:
                yield _answer(waiting.popleft())
        except Exception as error:
            raise _told(error) from error
        finally:
            self._leave([*waiting, *([kept] if kept is not None else [])])

    def _send(self, work: Callable[..., Any], *given: Any, key: str) -> Any:
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
            return self.client.submit(work, *given, key=key, pure=True)

    def _most(self) -> int:
        """So many parts at a time that nobody waits, and no more: they lie in the scheduler's memory."""
        return _AHEAD * max(len(self.client.scheduler_info(n_workers=-1)["workers"]), 1) + 1

    def _leave(self, futures: list[Any]) -> None:
        """Nothing goes on after a question that failed or was given up."""
        try:
            self.client.cancel(futures, force=True, msg="The question is over.")
        except Exception:  # The scheduler may be gone: then there is nothing left to give up.
            logging.getLogger(__name__).info("The scheduler could not be told.", exc_info=True)


def _answer(future: Any) -> Any:
    return pickle.loads(future.result())  # noqa: S301 (from a worker, which is trusted as this process is)


def _told(error: Exception) -> LayersError:
    """What went wrong, as a sentence."""
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    if isinstance(error, LayersError):
        return error
    if isinstance(error, MemoryError):
        return PartTooLarge()
    if isinstance(error, KilledWorker):
        return WorkersLost(count=error.allowed_failures + 1)
    if isinstance(error, CancelledError):
        return WorkFailed(reason="The scheduler was lost, or somebody cancelled the work.")
    return WorkFailed(reason=f"{type(error).__name__}: {error}")


# --- On the worker


@dataclass(frozen=True, eq=False)
class Packed:
    """What every part needs, as bytes, with the digest of their state."""

    state: str
    made: bytes


def _asked(
    work: Callable[[Any, Any], Any],
    wanted: tuple[tuple[str, str], ...],
    state: str,
    kept: Packed,
    part: bytes,
) -> bytes:
    """One part on a worker: only with the same house, and only of the same state."""
    check_house(wanted)
    if kept.state != state:
        raise MixedStates
    return pickle.dumps(work(_unpacked(kept), pickle.loads(part)), protocol=5)  # noqa: S301 (from the client)


_HELD: dict[str, Any] = {}


def _unpacked(kept: Packed) -> Any:
    """What every part needs, unpacked once in each worker; of other states nothing is held."""
    if kept.state not in _HELD:
        if hashlib.sha256(kept.made).hexdigest() != kept.state:
            raise MixedStates
        found = pickle.loads(kept.made)  # noqa: S301 (from the client, which may run anything here anyway)
        _HELD.clear()
        _HELD[kept.state] = found
    return _HELD[kept.state]


def check_house(wanted: tuple[tuple[str, str], ...]) -> None:
    """Raises OtherHouse where this process would come to other numbers than the one that asks."""
    for (what, here), (_, there) in zip(house(), wanted, strict=True):
        if here != there:
            raise OtherHouse(what=what)


@lru_cache(maxsize=1)
def house() -> tuple[tuple[str, str], ...]:
    """What must be the same wherever a part is asked: this code, the libraries, and how processors round.

    Two processors may take other ways through the same library; a sample of what is asked of them tells.
    """
    import scipy

    code = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        code.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return (
        ("code", code.hexdigest()),
        ("numpy", np.__version__),
        ("scipy", scipy.__version__),
        ("shapely", shapely.__version__),
        ("GEOS", shapely.geos_version_string),
        ("arithmetic", _sample()),
    )


def _sample() -> str:
    """The digest of some arithmetic and an overlay."""
    chance = np.random.default_rng(1)
    one, other = chance.uniform(-7e6, 7e6, (2, 4096))
    turns = chance.uniform(0, 2 * np.pi, 4096)
    numbers = np.hypot(one, other), np.cos(turns), np.sin(turns), np.sqrt(np.abs(one)), one / other
    spots: Any = shapely.points(one[:64], other[:64])
    united = shapely.union_all(shapely.buffer(spots, 9e5))
    return hashlib.sha256(b"".join(some.tobytes() for some in numbers) + united.wkb).hexdigest()
