"""Several worker processes come to the numbers of one, to the last bit, and a lost one changes nothing."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import astuple
from pathlib import Path
from random import Random

import dask
import numpy as np
import pytest
import shapely

from layers.gaps import by_rows, cluster, cover, land, quarters, seams, sure
from layers.gaps.cluster import Options
from layers.gaps.demand import Demand
from layers.gaps.parts import EMBEDDED, InARow, near_each_other, runs
from layers.gaps.service import service
from layers.gaps.standards import Rule
from layers.gaps.travel import NotMinutes, StraightLine
from tests.layers.gaps import ways

ROOT = Path(__file__).resolve().parents[3]
SIDE_M = 500.0


@pytest.fixture(scope="module")
def workers():
    """Two processes; parts are small, so that many go to and fro."""
    with cluster.opened(Options("2", size=6000, memory="1GB")) as found:
        yield found


@pytest.fixture
def small_quarters(monkeypatch):
    monkeypatch.setattr(quarters, "ENOUGH", 400)


def a_country(seed, *, wide=40, areas=150):
    """Squares on an island with a bay, areas across every border, two zones, and some without a place."""
    chance = np.random.default_rng(seed)
    size = wide * SIDE_M
    outer = shapely.difference(
        shapely.box(0, 0, size, size), shapely.buffer(shapely.Point(size, size / 2), size / 5)
    )
    columns = np.meshgrid(np.arange(wide), np.arange(wide))
    points = (np.column_stack([one.ravel() for one in columns]) + 0.5) * SIDE_M
    people = chance.integers(0, 60, len(points)).astype(float)
    people[chance.random(len(points)) < 0.2] = 0
    points[0] = np.nan
    keys = tuple(f"{i:05}" for i in range(len(points)))
    codes = tuple("w" if x < size / 3 else "e" if x < size * 0.9 else "" for x in points[:, 0])
    demand = Demand(
        "cells", keys, keys, points, people, people / 0.25, {"part": codes}, np.zeros(len(keys), dtype=bool)
    )
    spots = shapely.points(chance.uniform(-1000, size + 1000, (areas, 2)))
    shapes = np.asarray(shapely.buffer(spots, chance.uniform(200, 3000, areas)), dtype=object)
    shapes[:1] = shapely.box(-1e4, 0, size * 0.4, size / 2)  # Wider than most quarters, along their borders.
    zones = np.array([shapely.box(0, 0, size / 3, size), shapely.box(size / 3, 0, size * 0.9, size)])
    return outer, shapes, demand, {"part": land.Zones(["w", "e"], zones)}


def told(found):
    """Rows of the country gap, bit by bit."""
    return [tuple(x.hex() if isinstance(x, float) else x for x in astuple(one)) for one in found]


# --- The same numbers


def test_the_country_gap_is_the_same_in_parts_of_any_size(small_quarters):
    for seed in range(2):
        outer, shapes, demand, zones = a_country(seed, wide=12 + 6 * seed, areas=40 * seed)
        whole = told(land.uncovered(outer, shapes, demand, zones=zones))
        for size in (1, 1500, 20_000):
            counted = Counting(size)
            assert told(land.uncovered(outer, shapes, demand, zones=zones, runner=counted)) == whole
            assert counted.parts > 1 or size > 1500 or not seed
        # The same ground within rounding as from the union in one piece.
        left = shapely.area(shapely.difference(outer, shapely.union_all(shapes)))
        assert land.uncovered(outer, shapes, demand)[0].uncovered_m2 == pytest.approx(
            left, rel=1e-9, abs=1e-3
        )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_come_to_the_numbers_of_one_process(count, workers, small_quarters):
    outer, shapes, demand, zones = a_country(count, wide=20, areas=50)
    whole = told(land.uncovered(outer, shapes, demand, zones=zones))
    if count == 2:
        assert told(land.uncovered(outer, shapes, demand, zones=zones, runner=workers)) == whole
        return
    with cluster.opened(Options(str(count), size=1500, memory="1GB")) as found:
        assert told(land.uncovered(outer, shapes, demand, zones=zones, runner=found)) == whole
        assert len(found.client.run(os.getpid)) == count


def test_quarters_hold_every_row_once_and_never_more_than_asked(small_quarters):
    outer, shapes, demand, _ = a_country(3, wide=24, areas=60)
    rows = land._rows(demand, {})
    whole = quarters.whole(rows, {"a": land._cover(np.array([outer])), "b": land._cover(shapes)})
    for size in (2500, 6000):
        some = list(quarters.parts(whole, size))
        again = [leaf for one in some for leaf in quarters.leaves(one)]
        assert sum(len(one.rows) for one in some) == len(demand) - 1  # One has no place.
        assert max(one.weight for one in some) <= size
        assert [one.frame for one in again] == [one.frame for one in quarters.leaves(whole)]


def test_a_heap_in_one_spot_ends_and_empty_ground_has_no_part(small_quarters):
    heap = np.array([shapely.box(0, 0, 10, 10)] * 300, dtype=object)
    demand = ways.people([(5, 5)] * 900)
    far = shapely.box(0, 0, 9000, 9000)
    (found,) = land.uncovered(far, heap, demand, runner=InARow(10))
    assert (found.uncovered_m2, found.uncovered_people) == (far.area - 100, 0)
    assert list(quarters.parts(quarters.whole(land._rows(ways.people([]), {}), {}), 10)) == []


def test_work_grows_with_the_cells_and_no_faster(small_quarters):
    """Four times the land with as many cells and areas on each km² is four times the work."""
    counts = []
    for wide in (24, 48, 96):
        outer, shapes, demand, zones = a_country(7, wide=wide, areas=54 * (wide // 24) ** 2)
        shapes[0] = shapely.box(0, 0, 100, 100)
        counted = Counting(5000)
        land.uncovered(outer, shapes, demand, zones=zones, runner=counted)
        counts.append(counted.work / len(demand))
    assert max(counts) < 1.35 * min(counts), counts


class Counting:
    """A runner that notes how many parts there were and how much was looked at."""

    def __init__(self, size):
        self.size, self.parts, self.work = size, 0, 0

    def each(self, work, common, parts):
        for part in parts:
            # What goes to a worker is what comes out of its bytes.
            answer = work(pickle.loads(pickle.dumps(common)), pickle.loads(pickle.dumps(part)))  # noqa: S301
            self.parts += 1
            if isinstance(answer, tuple):
                self.work += sum(getattr(one, "work", 0) for one in answer)
            yield answer


def a_question(seed, rows=1500, units=60):
    chance = Random(seed)  # noqa: S311
    boxes = ways.islands(chance)
    points = ways.spots(chance, boxes, rows)
    density = [chance.choice([5.0, 60.0, 400.0, 2000.0, float("nan")]) for _ in range(rows)]
    people = ways.people(points, [chance.randint(0, 90) for _ in range(rows)], density)
    crews = ways.crews(ways.spots(chance, boxes, units), [chance.uniform(0, 9) for _ in range(units)])
    return people, crews, ways.assumed(chance)


def same_arrays(one, other):
    for name, value in vars(one).items():
        if isinstance(value, np.ndarray):
            assert value.dtype == getattr(other, name).dtype, name
            assert value.tobytes() == getattr(other, name).tobytes(), name


@pytest.mark.parametrize("seed", range(4))
def test_reach_service_and_certainty_are_the_same_in_parts(seed, workers):
    people, crews, assumptions = a_question(seed)
    travel = StraightLine(assumptions)
    rule = Rule(key="r", label={}, role="a", within_min=12.0, within_km=9.0, depth=1 + seed % 2)
    near = Rule(key="n", label={}, role="a", within_min=None, within_km=6.0)
    whole = travel.reach(crews, people, within_min=30)
    sure_ = sure.robustness(travel, crews, people, assumptions, within_min=12, draws=20)
    parted = [InARow(97), InARow(700), Counting(1)] if seed else [*([InARow(400)]), Smaller(workers, 400)]
    for runner in parted:
        if runner.size > 1:
            found = by_rows.reach(travel, crews, people, within_min=30, runner=runner)
            same_arrays(whole, found)
            for one in (rule, near):
                wanted = service(one, people, {"a": crews}, {"a": whole})
                got = by_rows.service(one, people, {"a": crews}, {"a": found}, runner=runner)
                same_arrays(wanted, got)
                same_arrays(wanted.sides["a"], got.sides["a"])
                assert cover.failures(people, wanted) == cover.failures(people, got)
        drawn = by_rows.robustness(travel, crews, people, assumptions, within_min=12, draws=20, runner=runner)
        assert drawn.held.tobytes() == sure_.held.tobytes()
        assert drawn.covered() == sure_.covered()
    assert sure_.held.any()
    assert not sure_.held.all()


class Smaller:
    """The same workers, with smaller parts."""

    def __init__(self, runner, size):
        self.size, self.each = size, runner.each


def test_seams_are_the_same_in_parts(workers):
    outer, shapes, demand, _ = a_country(5, wide=24, areas=60)
    keys = [f"a{i:03}" for i in range(len(shapes))]
    whole = seams.find(keys, shapes, outer=outer, demand=demand)
    assert len(whole.pieces) > 100
    for runner in (InARow(3000), workers):
        found = seams.find(keys, shapes, outer=outer, demand=demand, runner=runner)
        assert repr(found.ledger) == repr(whole.ledger)
        assert repr(found.accounts) == repr(whole.accounts)
        for one, other in zip(whole.pieces, found.pieces, strict=True):
            assert (one.area_m2, one.width_m, one.people, one.neighbours, one.owner, one.inside) == (
                other.area_m2,
                other.width_m,
                other.people,
                other.neighbours,
                other.owner,
                other.inside,
            )
            assert one.shape.wkb == other.shape.wkb


def test_a_curve_of_neighbours_holds_every_row_once():
    points = np.random.default_rng(1).uniform(0, 9e5, (500, 2))
    points[7] = np.nan
    order = near_each_other(points)
    assert sorted(order) == list(range(500))
    assert order[-1] == 7
    step = np.hypot(*np.diff(points[order[:-1]], axis=0).T).mean()
    assert step < 0.3 * np.hypot(*np.diff(points[np.delete(np.arange(500), 7)], axis=0).T).mean()
    assert runs(5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert runs(0, 2) == []


# --- What goes wrong


def slow(common, part):
    time.sleep(0.15)
    return common * part, os.getpid()


def failing(_, part):
    if part == 3:
        raise NotMinutes(value="x")
    if part == 4:
        raise ZeroDivisionError("part four")
    if part == 5:
        raise MemoryError
    return part


def deadly(_, part):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_is_no_loss(workers):
    found, killed = [], None
    for number, pid in workers.each(slow, 7, range(20)):
        found.append(number)
        if len(found) == 4:
            killed = pid
            os.kill(pid, signal.SIGKILL)
    assert found == [7 * i for i in range(20)]
    assert killed


def test_a_worker_that_is_killed_amid_the_country_gap_changes_no_bit(workers, small_quarters):
    outer, shapes, demand, zones = a_country(9, wide=32, areas=100)
    whole = land.uncovered(outer, shapes, demand, zones=zones)
    murderous = Murderous(workers, 1500, after=3)
    found = land.uncovered(outer, shapes, demand, zones=zones, runner=murderous)
    assert told(found) == told(whole)
    assert murderous.parts > murderous.after
    assert murderous.killed not in workers.client.run(os.getpid).values()


class Murderous:
    """The same workers with smaller parts, of whom one is killed after some answers."""

    def __init__(self, workers, size, *, after):
        self.workers, self.size, self.after, self.parts, self.killed = workers, size, after, 0, None

    def each(self, work, common, parts):
        for answer in self.workers.each(work, common, parts):
            self.parts += 1
            if self.parts == self.after:
                self.killed = next(iter(self.workers.client.run(os.getpid).values()))
                os.kill(self.killed, signal.SIGKILL)
            yield answer


def test_what_goes_wrong_on_a_worker_is_told_and_nothing_goes_on(workers):
    with pytest.raises(NotMinutes, match="“x” is not"):
        list(workers.each(failing, None, [1, 2, 3, 1, 1]))
    with pytest.raises(cluster.WorkFailed, match="ZeroDivisionError: part four"):
        list(workers.each(failing, None, [4]))
    with pytest.raises(cluster.PartTooLarge):
        list(workers.each(failing, None, [5]))
    begun = workers.each(slow, 1, range(1000))
    assert next(begun)[0] == 0
    begun.close()  # Given up.
    time.sleep(0.5)
    held = workers.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
    assert held == 0
    assert list(workers.each(failing, None, [1, 2])) == [1, 2]


def test_a_part_that_ends_every_worker_is_told():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),  # Each more takes some seconds.
        cluster.opened(Options("1", memory="1GB")) as found,
        pytest.raises(cluster.WorkersLost, match="ended 2 workers"),
    ):
        list(found.each(deadly, None, [1]))


def test_another_house_or_state_refuses(workers):
    other = tuple((what, "x" if what == "GEOS" else value) for what, value in cluster.house())
    with pytest.raises(cluster.OtherHouse, match="its GEOS is not the one here"):
        cluster._asked(failing, other, "s", cluster.Packed("s", b""), b"")
    with pytest.raises(cluster.MixedStates):
        cluster._asked(failing, cluster.house(), "s", cluster.Packed("t", b""), b"")
    with pytest.raises(cluster.MixedStates):
        cluster._asked(failing, cluster.house(), "s", cluster.Packed("s", pickle.dumps(1)), b"")


@pytest.mark.parametrize("where", ["0", "-1", "many", "", "http://here:1", "tcp://", "999", "٣"])
def test_an_engine_is_a_number_or_an_address(where):
    with pytest.raises(cluster.BadEngine, match="is no engine"), cluster.opened(Options(where)):
        pass


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with (
        pytest.raises(cluster.NoDistributed, match=r"turvakaart\[engine\]"),
        cluster.opened(Options("2")),
    ):
        pass


def test_workers_listen_on_loopback_alone_and_leave_nothing(tmp_path, monkeypatch):
    import psutil

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    me = psutil.Process()
    before = {one.pid for one in me.children(recursive=True)}
    mine = {one.laddr for one in me.net_connections() if one.status == "LISTEN"}
    with cluster.opened(Options("1", memory="1GB")) as found:
        assert found.client.scheduler.address.startswith("tls://127.0.0.1:")
        started = [one for one in me.children(recursive=True) if one.pid not in before]
        listening = [c.laddr for p in (me, *started) for c in p.net_connections() if c.status == "LISTEN"]
        assert {one.ip for one in listening if one not in mine} == {"127.0.0.1"}
        assert any(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    assert not [one for one in started if one.is_running() and "spawn_main" in " ".join(one.cmdline())]


def test_a_scheduler_elsewhere_is_used_and_one_that_is_not_there_is_told(tmp_path, small_quarters):
    with (
        pytest.raises(cluster.NoScheduler, match=r"127\.0\.0\.1:9 cannot be used"),
        cluster.opened(Options("tcp://127.0.0.1:9", patience_s=1)),
    ):
        pass
    file, env = tmp_path / "at.json", {**os.environ, "PYTHONPATH": str(ROOT)}
    outer, shapes, demand, zones = a_country(4, wide=20, areas=50)
    line = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    begin = {"env": env, "cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen([*line, "--no-dashboard", "--scheduler-file", str(file)], **begin)
    running = [scheduler]
    try:
        for _ in range(200):
            if file.exists() and file.stat().st_size:
                break
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        with (
            pytest.raises(cluster.NoWorkers, match="dask worker tcp://127"),
            cluster.opened(Options(address, patience_s=0.5)),
        ):
            pass
        line = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1"]
        line += ["--no-dashboard", "--no-nanny", "--local-directory", str(tmp_path), "--host", "127.0.0.1"]
        running.append(subprocess.Popen(line, **begin))
        with cluster.opened(Options(address, size=1500)) as found:
            got = land.uncovered(outer, shapes, demand, zones=zones, runner=found)
        assert told(got) == told(land.uncovered(outer, shapes, demand, zones=zones, runner=EMBEDDED))
    finally:
        for one in reversed(running):
            one.terminate()
        for one in running:
            one.wait(20)
