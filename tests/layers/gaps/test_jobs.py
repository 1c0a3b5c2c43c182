"""Background jobs: they end by themselves, on a wish, at their time, and when somebody kills them."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from layers.gaps import jobs, siting
from layers.gaps.jobs import JobNotFound, Request
from layers.jobs import states

# Hard enough to keep a solver busy for minutes, small enough to be read at once.
HARD = np.random.default_rng(1).random((150, 150))
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
pytestmark = pytest.mark.slow


def wait(folder, id, until, *, seconds=60):
    """The job when `until` holds for it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = jobs.status(folder, id)
        if until(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"still {job.state} {job.phase}")


def is_over(job):
    return job.is_over


def has_plan(job):
    return job.plan is not None


def hard(**more):
    return Request("p_median", HARD, options={"p": 8}, **{"time_limit_s": 120.0, **more})


def is_gone(pid):
    """A process that has ended, waited for or not."""
    for _ in range(40):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
def test_a_job_gives_the_plan_that_one_would_get_by_waiting(tmp_path, form):
    cost = form(np.arange(1.0, 13).reshape(4, 3))
    options = {"p": np.int64(1), "within": 11, "fixed": (2,)}

    id = jobs.submit(tmp_path, Request("mclp", cost, [1, 2, 3, 4], options=options))
    job = wait(tmp_path, id, is_over)

    here = siting.mclp(cost, [1, 2, 3, 4], **options)
    assert (job.state, job.phase, job.reason) == ("done", "ready", None)
    assert (job.plan.sites, job.plan.assignment) == (here.sites, here.assignment)
    assert (job.objective, job.bound, job.plan.proven) == (here.objective, here.bound, True)
    assert job.plan.verification == here.verification
    assert job.created <= job.started <= job.ended


def test_a_job_without_an_answer_tells_the_reason(tmp_path):
    id = jobs.submit(tmp_path, Request("p_median", np.ones((2, 2)), options={"p": 3}))

    job = wait(tmp_path, id, is_over)

    assert job.state == "failed"
    assert (
        str(job.reason)
        == "3 new sites were asked for, but there are only 2 to choose from. Ask for at most 2."
    )
    assert job.reason.values == {"p": 3, "count": 2}


def test_a_cancelled_job_ends_at_once_and_keeps_its_best_plan(tmp_path):
    id = jobs.submit(tmp_path, hard())
    assert wait(tmp_path, id, has_plan).state == "running"

    jobs.cancel(tmp_path, id)
    job = wait(tmp_path, id, is_over, seconds=5)

    assert (job.state, job.plan.proven, job.plan.verification.is_done) == ("cancelled", False, True)
    assert is_gone(states.read(tmp_path / id / states.JOB)["worker"])
    jobs.cancel(tmp_path, id)
    assert jobs.status(tmp_path, id).state == "cancelled"


@posix
def test_a_worker_that_was_killed_is_told_as_failed_and_its_best_plan_stays(tmp_path):
    id = jobs.submit(tmp_path, hard())
    wait(tmp_path, id, has_plan)

    os.kill(states.read(tmp_path / id / states.JOB)["worker"], signal.SIGKILL)
    job = wait(tmp_path, id, is_over, seconds=5)

    assert (job.state, type(job.reason)) == ("failed", jobs.JobFailed)
    assert job.plan.objective == job.objective


@posix
def test_a_minder_that_was_killed_is_found_out_and_takes_its_worker_along(tmp_path):
    id = jobs.submit(tmp_path, hard())
    wait(tmp_path, id, has_plan)
    ids = states.read(tmp_path / id / states.JOB)

    os.kill(ids["minder"], signal.SIGKILL)
    job = wait(tmp_path, id, is_over, seconds=5)

    assert job.state == "failed"
    assert job.plan is not None
    assert is_gone(ids["worker"])


@posix
def test_a_worker_that_hangs_is_ended_at_its_kill_time(tmp_path):
    id = jobs.submit(tmp_path, hard(kill_after_s=8.0))
    job = wait(tmp_path, id, has_plan)
    worker = states.read(tmp_path / id / states.JOB)["worker"]
    os.kill(worker, signal.SIGSTOP)

    job = wait(tmp_path, id, is_over, seconds=30)

    assert job.state == "timed_out"
    assert job.plan is not None
    assert 7 < job.ended - job.started < 16
    assert is_gone(worker)


def test_jobs_wait_for_a_slot_in_the_order_in_which_they_came(tmp_path):
    first = jobs.submit(tmp_path, hard(), at_once=1)
    wait(tmp_path, first, lambda job: job.state == "running")
    second = jobs.submit(tmp_path, hard(), at_once=1)
    time.sleep(0.01)
    third = jobs.submit(tmp_path, hard(), at_once=1)
    time.sleep(1)
    assert [jobs.status(tmp_path, id).state for id in (second, third)] == ["queued", "queued"]

    jobs.cancel(tmp_path, first)
    wait(tmp_path, second, lambda job: job.state == "running")
    assert jobs.status(tmp_path, third).state == "queued"
    jobs.cancel(tmp_path, third)
    assert wait(tmp_path, third, is_over, seconds=5).state == "cancelled"

    jobs.cancel(tmp_path, second)
    wait(tmp_path, second, is_over)


def test_a_queue_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_WAITING", 0)

    with pytest.raises(jobs.TooManyJobs):
        jobs.submit(tmp_path, hard())

    assert list(tmp_path.iterdir()) == []


def test_old_jobs_are_cleared_away_when_the_next_one_comes(tmp_path):
    small = Request("mclp", np.ones((2, 2)), options={"p": 1})
    old = jobs.submit(tmp_path, small)
    wait(tmp_path, old, is_over)

    new = jobs.submit(tmp_path, small, now=time.time() + 100, keep_s=50)

    assert [one.name for one in tmp_path.iterdir() if one.is_dir()] == [new]
    with pytest.raises(JobNotFound):
        jobs.status(tmp_path, old)
    wait(tmp_path, new, is_over)


@pytest.mark.parametrize("id", ["", "..", "../secret", "1700000000000-0123456789abcdef", "a/b"])
def test_an_id_leads_nowhere_else(tmp_path, id):
    (tmp_path / states.JOB).write_text("{}")
    folder = tmp_path / "jobs"
    folder.mkdir()

    for ask in (jobs.status, jobs.cancel):
        with pytest.raises(JobNotFound):
            ask(folder, id)


@pytest.mark.parametrize(
    "request_", [Request("best", HARD), Request("mclp", [["x"]]), Request("mclp", HARD, time_limit_s=0)]
)
def test_what_cannot_be_used_starts_no_job(tmp_path, request_):
    with pytest.raises(jobs.Invalid):
        jobs.submit(tmp_path, request_)

    assert [one.name for one in tmp_path.iterdir()] == []
