"""An import that is killed has happened whole or not at all, and the next one finds a sound store."""

import random
import subprocess
import sys
import time

from sqlalchemy import func, select

from layers import store
from layers.model import Body, Edition, Revision
from tests import make

ROWS = 4000
KILLS = 6
WRITE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from layers import editions, store
from layers.catalog import Resource
from layers.sources.instance import Source
from layers.sources.rows import Row

url, rows = sys.argv[1], int(sys.argv[2])
values = {"layer": "rescue", "form": "unit", "names": {}, "capabilities": [], "notes": {}, "geom": None}
facts = tuple(
    Row(f"unit-{n}", n, "made", {**values, "name": f"Unit {n}"}, {"serves": [{"area": "county:1"}]})
    for n in range(rows)
)
about = Resource("rescue", Path(), {}, "", {}, "", "2026", dataset="big")
source = Source(about, "body", facts, checksum=str(rows))
print("ready", flush=True)
engine = store.open_store(url)
with store.writing(engine, srid=3301) as session:
    plan = editions.plan(editions.known(session, source), source)
    editions.apply(session, plan, now=datetime.now(tz=UTC))
    session.commit()
print("done", flush=True)
"""


def state(engine):
    """Editions, organisations and the layer's revision."""
    with store.reading(engine, srid=make.SRID) as session:
        counted = [session.scalar(select(func.count()).select_from(table)) for table in (Edition, Body)]
        return (*counted, session.scalar(select(Revision.number)) or 0)


def test_a_killed_import_leaves_all_of_it_or_nothing(store_url, engine):
    store.set_up(engine)
    chance = random.Random(7)  # noqa: S311  moments of death
    for _ in range(KILLS):
        before = state(engine)
        rows = ROWS if before[0] % 2 == 0 else ROWS // 2
        line = [sys.executable, "-c", WRITE, store_url, str(rows)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.05, 1.2))
            writer.kill()
        after = state(engine)
        assert after == before or (after[0], after[2]) == (before[0] + 1, before[2] + 1)

    whole = subprocess.run(
        [sys.executable, "-c", WRITE, store_url, str(ROWS)], check=True, capture_output=True
    )
    assert whole.stdout.decode().endswith("done\n")
    assert state(engine)[0] >= 1
