"""Works on one background job: `python -m layers.gaps.work <folder of the job> <id of its minder>`.

Reads the question, writes progress and the best plan whenever they change, and ends with 0 when the answer
lies there. Without its minder it ends too, because nobody would end it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from layers import jobs
from layers.errors import LayersError
from layers.gaps import siting
from layers.gaps.siting import plans
from layers.gaps.siting.plans import Plan
from layers.jobs import processes, states

_ANSWERS: dict[str, Callable[..., Plan]] = {
    plans.MCLP: siting.mclp,
    plans.LSCP: siting.lscp,
    plans.P_MEDIAN: siting.p_median,
    plans.P_CENTER: siting.p_center,
}


def main(folder: Path, minder: int) -> int:
    processes.end_with_parent(minder)
    asked = states.read(folder / states.REQUEST)
    if asked is None:
        return 1

    def report(phase: str, plan: Plan) -> None:
        states.write(folder / states.PLAN, plans.as_dict(plan))
        states.write(
            folder / states.PROGRESS,
            {"phase": phase, "objective": plan.objective, "bound": plan.bound, "at": time.time()},
        )

    try:
        report(plans.READY, _answer(asked, _read_table(folder / states.TABLE), report))
    except LayersError as reason:
        jobs.tell_reason(folder, reason)
        return 2
    return 0


def _answer(asked: dict[str, Any], table: dict[str, Any], report: plans.Reporter) -> Plan:
    answer = _ANSWERS[asked["model"]]
    return answer(table["cost"], table["weights"], **asked["options"], **table["extra"], report=report)


def _read_table(path: Path) -> dict[str, Any]:
    """Arrays of numbers only: nothing in the file can name code to run."""
    with np.load(path, allow_pickle=False) as file:
        parts = {name: file[name] for name in file.files}
    if "dense" in parts:
        cost = parts["dense"]
    else:
        shape = tuple(parts["shape"].tolist())
        cost = sparse.csr_array((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
    extra = {"capacity": parts["capacity"]} if "capacity" in parts else {}
    return {"cost": cost, "weights": parts.get("weights"), "extra": extra}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
