"""Several processes answer behind one address, end in order, and say when they cannot begin."""

import http.client
import os
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from layers.jobs import processes
from tests import make

pytestmark = pytest.mark.slow
ANSWER = "/api/answer?lat=58.5&lon=24.5"


def line(port):
    return [sys.executable, "-m", "webmap.cli", "serve", "--workers", "2", "--port", str(port)]


@pytest.fixture
def environment(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    return {
        "WEBMAP_INSTANCE": str(folder),
        "WEBMAP_STATE": str(tmp_path / "state"),
        "PATH": os.environ["PATH"],
    }


@pytest.fixture
def port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def serving(port, environment):
    """The running command, once it answers."""
    running = subprocess.Popen(line(port), env=environment, stdout=subprocess.PIPE, text=True)
    try:
        latest = time.monotonic() + 60
        while asked(port) != 200:
            assert time.monotonic() < latest
            assert running.poll() is None
            time.sleep(0.05)
        yield running
    finally:
        running.terminate()  # Killed, it would leave its processes behind.
        running.communicate(timeout=30)


def asked(port):
    """The status of an answer that came whole; 0 when nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", ANSWER)
    except ConnectionRefusedError:
        return 0
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def until(is_so):
    latest = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < latest
        time.sleep(0.1)


def children(running):
    return Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii").split()


def test_a_taken_port_is_told_in_a_sentence(environment):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = subprocess.run(line(port), env=environment, capture_output=True, text=True, timeout=60)

    assert found.returncode == 1
    assert found.stderr.strip().splitlines()[-1] == (
        f"Error: Port {port} on 127.0.0.1 cannot be used (Address already in use). "
        "Choose another one with --port."
    )


def test_an_answer_that_has_begun_is_finished_before_the_end(port, environment):
    with serving(port, environment) as running:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/en/card/settlement/1001.pdf")  # It is set in type, which takes a while.
        time.sleep(0.03)
        under_way = not select.select([connection.sock], [], [], 0)[0]
        running.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        card = answer.read()
        connection.close()
        output = running.communicate(timeout=30)[0]

    assert under_way
    assert (answer.status, card[:5], card.rstrip()[-5:]) == (200, b"%PDF-", b"%%EOF")
    assert output.splitlines()[-2:] == [f"http://127.0.0.1:{port}/", "Stopped."]
    assert (running.returncode, asked(port)) == (0, 0)


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of children")


def cores_to_choose_from():
    """How many; 0 where a process may not choose."""
    if sys.platform != "linux":
        return 0
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
    except OSError:
        return 0
    return len(os.sched_getaffinity(0))


has_cores = pytest.mark.skipif(cores_to_choose_from() < 2, reason="there are no two cores to choose from")


def cores(running):
    return [os.sched_getaffinity(int(child)) for child in children(running)]


def has_a_core_each(running):
    found = cores(running)
    return [len(one) for one in found] == [1, 1] and len(set.union(*found)) == 2


@on_linux
def test_a_process_that_ends_is_replaced_and_opens_the_store_itself(port, environment):
    with serving(port, environment) as running:
        first = children(running)
        os.kill(int(first[0]), signal.SIGKILL)
        until(lambda: len(children(running)) == 2 and first[0] not in children(running))

        assert {asked(port) for _ in range(8)} == {200}
        parent = {str(one.readlink()) for one in Path(f"/proc/{running.pid}/fd").iterdir()}
        assert [name for name in parent if ".sqlite" in name] == []


@has_cores
def test_every_process_keeps_to_a_core_of_its_own_also_one_that_replaces_another(port, environment):
    with serving(port, environment) as running:
        until(lambda: has_a_core_each(running))
        first = children(running)
        os.kill(int(first[1]), signal.SIGKILL)
        until(lambda: first[1] not in children(running) and has_a_core_each(running))

        assert os.sched_getaffinity(running.pid) == os.sched_getaffinity(0)


@has_cores
def test_what_a_process_starts_may_use_every_core_though_it_keeps_to_one():
    ask = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]

    def started():
        processes.settle(min(os.sched_getaffinity(0)))
        with processes.unsettled():
            told = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        return told.strip(), len(os.sched_getaffinity(0))

    with ThreadPoolExecutor(1) as apart:
        assert apart.submit(started).result() == (str(sorted(os.sched_getaffinity(0))), 1)
