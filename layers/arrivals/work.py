"""Works on one step of an arrival as a job: `python -m layers.arrivals.work <folder> <id of its minder>`.

Tells how far it is, and why it failed. It stands between the pages and the process apart that reads what is
strange: it knows the store's address, from its environment alone, and opens nothing that was sent.
"""

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from layers import arrivals, jobs
from layers.arrivals import Origin
from layers.errors import LayersError
from layers.jobs import processes, progress, states
from layers.readers import Manners, Several

FETCH, READ, EXAMINE, WRITE = "fetch", "read", "examine", "write"
ANSWER, SEVERAL, FAULT = "answer.json", "several.json", "fault.txt"
STORE = "TURVAKAART_STORE"
"""What tells the store's address, which may hold a password."""


def main(folder: Path, minder: int) -> int:
    processes.end_with_parent(minder)
    asked = states.read(folder / states.REQUEST)
    if asked is None:
        return 1
    try:
        states.write(folder / ANSWER, _done(asked, folder, os.environ.get(STORE, "")))
    except Several as reason:
        states.write(folder / SEVERAL, {"layers": reason.layers})
        jobs.tell_reason(folder, reason)
        return 2
    except LayersError as reason:
        jobs.tell_reason(folder, reason)
        return 2
    except Exception:
        # Nobody hears this process; whoever runs the server finds here what surprised it.
        (folder / FAULT).write_text(traceback.format_exc(), encoding="utf-8")
        raise
    return 0


def _done(asked: dict[str, Any], folder: Path, url: str) -> dict[str, Any]:
    home, tell = Path(asked["home"]), progress.into(folder / states.PROGRESS)
    origin = Origin(**asked["origin"])
    tell(progress.BEGIN, 0, 0)
    if asked["do"] == FETCH:
        arrivals.fetch(home, origin, manners=Manners(**asked["manners"]), tell=tell)
    if asked["do"] in (FETCH, READ):
        arrivals.read(home, asked["sheet"], asked["encoding"], tell=tell)
        return {}
    # Only now: fetching and reading needs none of it, and it takes a second.
    from layers import catalog, store
    from layers.arrivals import plans

    instance, about = catalog.read_instance(Path(asked["instance"])), plans.question(asked["question"])
    engine = store.open_store(url)
    try:
        if asked["do"] == EXAMINE:
            with store.reading(engine, srid=instance.metric_crs) as session:
                plans.examine(session, instance, home, about, tell=tell)
            return {}
        wish, now = plans.Wish(**asked["wish"], errand=folder.name), datetime.now(tz=UTC)
        number = plans.write(
            *(engine, instance, home, about, wish),
            origin=origin,
            now=now,
            tell=tell,
            seal=lambda: states.seal(folder),
        )
        return {"number": number}
    finally:
        engine.dispose()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
