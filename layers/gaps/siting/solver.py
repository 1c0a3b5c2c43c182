"""Has HiGHS prove or bound a model within a time that is kept: in a process apart, ended from outside."""

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse

from layers.gaps import prove
from layers.gaps.prove import Answer, Model
from layers.gaps.siting.costs import Flags, Floats, Ints, Pairs
from layers.gaps.siting.sums import Task
from layers.jobs import processes

MOST_PAIRS = 1_000_000
"""Above so many non-zeros HiGHS was seen to run for minutes beyond its limit and to return nothing."""
# So small a model keeps its time limit, and a process costs more than half a second.
_SMALL = 8_000


def is_too_large(model: Model) -> bool:
    return bool(model.rows.nnz > MOST_PAIRS)


def solved(model: Model, *, deadline: float) -> Answer:
    """What is known of a model when it is solved, or at the deadline (`time.monotonic`) at the latest."""
    seconds = deadline - time.monotonic()
    if seconds <= 0 or is_too_large(model):
        return Answer(-np.inf, None, False)
    if model.rows.nnz <= _SMALL:
        return prove.prove(model, seconds=seconds)
    with tempfile.TemporaryDirectory(prefix="turvakaart-siting-") as name:
        folder = Path(name)
        # HiGHS hands over the best solution it has if it ends by itself, a little before it is made to.
        prove.write_model(folder, model, seconds=max(0.1, 0.85 * seconds - 0.5))
        running = processes.start("layers.gaps.prove", name, str(processes.own_id()))
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(max(0.1, deadline - time.monotonic()))
        finally:
            running.kill()
            running.wait()
        return prove.read_answer(folder)


# --- The models


def chain(todo: Task, value: float) -> tuple[Model, float]:
    """The sum of `todo` as a model, and the constant to add to its objective; it looks for less than `value`.

    For each row and each distinct cost that it may meet, z says that no column so cheap is open; the row pays
    the step to the next cost then (Cornuéjols, Nemhauser and Wolsey 1980). Columns come first in x.
    """
    pairs = todo.pairs
    order = np.lexsort((pairs.columns, pairs.costs, pairs.rows))
    rows, columns, costs = pairs.rows[order], pairs.columns[order], pairs.costs[order]
    count, width = len(rows), pairs.shape[1]
    is_new = np.ones(count, dtype=bool)
    is_new[1:] = (rows[1:] != rows[:-1]) | (costs[1:] != costs[:-1])
    level = np.cumsum(is_new) - 1
    level_rows, level_costs = rows[is_new], costs[is_new]
    levels = len(level_rows)
    is_first, is_last = np.ones(levels, dtype=bool), np.ones(levels, dtype=bool)
    is_first[1:] = level_rows[1:] != level_rows[:-1]
    is_last[:-1] = level_rows[1:] != level_rows[:-1]
    following = np.append(level_costs[1:], 0.0)
    following[is_last] = todo.base[level_rows[is_last]]
    must = is_last & todo.must[level_rows]
    steps = np.where(must, 0.0, following - level_costs)
    own = np.flatnonzero(~must)
    later = np.flatnonzero(~is_first)
    table = _table(
        (level, columns, np.ones(count)),
        (own, width + own, np.ones(len(own))),
        (later, width + later - 1, -np.ones(len(later))),
        (np.full(width, levels), np.arange(width), np.ones(width)),
        shape=(levels + 1, width + levels),
    )
    served = np.bincount(level_rows, minlength=len(todo.base)) > 0
    constant = float(level_costs[is_first].sum() + todo.base[~served].sum())
    scale = scale_of(todo, value)
    model = Model(
        costs=np.concatenate([np.zeros(width), steps]) * scale,
        rows=table,
        low=np.append(is_first.astype(float), -np.inf),
        high=np.append(np.full(levels, np.inf), float(todo.count)),
        integral=np.concatenate([np.ones(width), np.zeros(levels)]),
        cutoff=(value - constant) * scale,
        whole=todo.whole,
    )
    return model, constant


def scale_of(todo: Task, value: float) -> float:
    """Costs of any unit become numbers of a size for which the solver's tolerances are meant."""
    return 1.0 if todo.whole else 1e6 / max(value, 1e-300)


def cover(pairs: Pairs, needs: Ints, cutoff: float) -> Model:
    """The fewest columns of which each row has as many as it needs."""
    width = pairs.shape[1]
    table = _table((pairs.rows, pairs.columns, np.ones(len(pairs.rows))), shape=pairs.shape)
    return Model(
        np.ones(width),
        table,
        needs.astype(float),
        np.full(len(needs), np.inf),
        np.ones(width),
        cutoff,
        whole=True,
    )


def packing(
    pairs: Pairs, weights: Floats, room: Floats, must: bool, opened: Flags, count: int, *, cutoff: float
) -> Model:
    """Each row goes wholly to one open column, and what goes to a column has room there.

    `pairs` carry what the assignment costs. x has the columns first, then a yes or no for each pair. `must`:
    every row is assigned. `opened` columns are open already; `count` more may be.
    """
    height, width = pairs.shape
    size = len(pairs.rows)
    pair = width + np.arange(size)
    held = np.flatnonzero(np.isfinite(room))
    in_held = np.isfinite(room[pairs.columns])
    place = np.zeros(width, dtype=np.int64)
    place[held] = np.arange(len(held))
    second = height + size
    table = _table(
        (pairs.rows, pair, np.ones(size)),
        (height + np.arange(size), pair, np.ones(size)),
        (height + np.arange(size), pairs.columns, -np.ones(size)),
        (second + place[pairs.columns[in_held]], pair[in_held], weights[pairs.rows[in_held]]),
        (second + np.arange(len(held)), held, -room[held]),
        (np.full(width, second + len(held)), np.arange(width), np.ones(width)),
        (np.full(int(opened.sum()), second + len(held) + 1), np.flatnonzero(opened), np.ones(opened.sum())),
        shape=(second + len(held) + 2, width + size),
    )
    total = float(opened.sum())
    low = np.concatenate([np.full(height, 1.0 if must else -np.inf), np.full(size + len(held) + 1, -np.inf)])
    high = np.concatenate([np.ones(height), np.zeros(size + len(held)), [total + count]])
    costs = np.concatenate([np.zeros(width), pairs.costs])
    whole = bool(np.all(pairs.costs == np.rint(pairs.costs)))
    return Model(
        costs, table, np.append(low, total), np.append(high, np.inf), np.ones(width + size), cutoff, whole
    )


def _table(*parts: tuple[Ints, Ints, Floats], shape: tuple[int, int]) -> sparse.csr_array:
    rows, columns, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return sparse.csr_array((values, (rows, columns)), shape=shape)
