"""The server with its processes, run for many: imports, crowds, a store that goes and comes back."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
from sqlalchemy.engine import make_url

from tests import make
from tests.webmap.served import ANSWER, free_port, serving

pytestmark = pytest.mark.slow
ROLE = {"key": "village", "label": {"en": "Village"}, "layer": "villages", "guide": "alpha"}
FOLLOWS_S = 2.0
"""Within so many seconds after an import has ended, every process answers from it."""


def setup(folder, state, store_url):
    """`turvakaart setup` as a third process."""
    environment = {
        "PATH": os.environ["PATH"],
        "WEBMAP_INSTANCE": str(folder),
        "WEBMAP_STATE": str(state),
        "WEBMAP_DATABASE_URL": store_url,
    }
    line = [sys.executable, "-m", "webmap.cli", "setup"]
    subprocess.run(line, check=True, env=environment, capture_output=True, timeout=120)


class Crowd:
    """Visitors who ask without end, each time over a new connection: (when, number, status, body)."""

    def __init__(self, served, paths, visitors=3, rest_s=0.05):
        self.rest_s = rest_s
        self.served, self.paths, self.said, self.going = served, paths, [], True
        self.threads = [threading.Thread(target=self.ask) for _ in range(visitors)]

    def ask(self):
        while self.going:
            for path in self.paths:
                number, begun = uuid.uuid4().hex, time.monotonic()
                try:
                    status, _, body = self.served.ask(path, X_Request_Id=number)
                except OSError as error:
                    status, body = 0, repr(error).encode()
                self.said.append((begun, number, status, body))
                time.sleep(self.rest_s)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.going = False
        for thread in self.threads:
            thread.join(60)


def test_after_an_import_every_answer_of_every_process_is_new_and_none_failed(store_url, tmp_path):
    folder, state = make.an_instance(tmp_path / "tiny", roles=[ROLE]), tmp_path / "state"
    with serving(folder, state, database_url=store_url) as served:
        roles = json.loads(served.ask(ANSWER)[2])["roles"]
        old, new = min(match["name"] for role in roles for match in role["matches"]).encode(), b"Uus nimi"
        with Crowd(served, [ANSWER, "/en/layers/villages"]) as crowd:
            time.sleep(0.5)
            make.replace(folder, "bodies/villages.csv", old.decode(), new.decode())
            began = time.monotonic()
            setup(folder, state, store_url)
            ended = time.monotonic()
            time.sleep(FOLLOWS_S + 1)
    workers = {line["request"]: line["worker"] for line in served.lines() if "request" in line}

    assert {status for _, _, status, _ in crowd.said} == {200}
    assert all((old in body) != (new in body) for *_, body in crowd.said)
    before = {workers[number] for at, number, _, body in crowd.said if at < began and old in body}
    after = {workers[number]: [] for at, number, *_ in crowd.said if at > ended}
    for at, number, _, body in crowd.said:
        if at > ended + FOLLOWS_S:
            after[workers[number]].append(new in body)
    assert len(before) == len(after) == 2
    assert all(found and all(found) for found in after.values())


def test_a_store_that_is_gone_for_a_while_is_told_and_comes_back_by_itself(postgis, tmp_path):
    folder, state, url = make.an_instance(tmp_path / "tiny"), tmp_path / "state", postgis.create()
    database = make_url(url).database
    gone = (
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",  # noqa: S608
    )
    try:
        with serving(folder, state, database_url=url) as served:
            assert served.ask(ANSWER)[0] == 200
            for statement in gone:
                postgis.command(statement)
            begun = time.monotonic()
            page, problem = served.ask("/en/"), served.ask(ANSWER)
            health = [served.ask(path)[0] for path in ("/healthz", "/readyz")]
            reason, told = served.ask("/readyz")[2], served.meters()
            took_s = time.monotonic() - begun
            postgis.command(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
            back = [served.ask(path)[0] for path in ("/en/", ANSWER, "/readyz") for _ in range(6)]
            written = served.log.read_text("utf-8")
    finally:
        postgis.drop(url)

    assert (page[0], page[1]["retry-after"], problem[0]) == (503, "10", 503)
    assert b"Not available just now" in page[2]
    assert health == [200, 503]
    assert b'"reason":"store"' in reason.replace(b" ", b"")
    assert told["turvakaart_store_up"] == 0
    assert sum(number for name, number in told.items() if name.startswith("turvakaart_store_errors")) >= 2
    assert took_s < 20
    assert back == [200] * 18
    assert database not in written


def meters(served):
    """Its numbers; once more where the connection was that of a process that has just been killed."""
    while True:
        try:
            return served.meters()
        except OSError:
            time.sleep(0.05)


def test_the_processes_count_together_and_exactly_also_after_one_was_killed(tmp_path):
    with serving(make.an_instance(tmp_path / "tiny"), tmp_path / "state") as served:
        asked = threading.Thread, []
        for _ in range(8):
            asked[1].append(asked[0](target=lambda: [served.ask(ANSWER) for _ in range(25)]))
        for thread in asked[1]:
            thread.start()
        for thread in asked[1]:
            thread.join(60)
        workers = {line["worker"] for line in served.lines() if line.get("route") == "/api/answer"}
        before = served.meters()
        os.kill(min(workers), signal.SIGKILL)
        latest = time.monotonic() + 30
        gone = f'turvakaart_snapshot_revision{{pid="{min(workers)}"}}'
        while gone in (after := meters(served)):
            assert time.monotonic() < latest
            time.sleep(0.1)

    counted = 'turvakaart_requests_total{method="GET",route="/api/answer",status="200"}'
    took = 'turvakaart_request_seconds_count{route="/api/answer"}'
    assert len(workers) == 2
    assert (before[counted], before[took]) == (200, 200)
    assert after[counted] == 200
    assert after["turvakaart_requests_in_work"] == 1
    revisions = {number for name, number in before.items() if name.startswith("turvakaart_snapshot_rev")}
    assert revisions == {before["turvakaart_store_revision"]}


def test_over_capacity_it_turns_away_at_once_stays_alive_and_recovers(tmp_path):
    settings = {"at_once": 1, "waiting": 1, "patience_s": 1}
    with serving(make.an_instance(tmp_path / "tiny"), tmp_path / "state", **settings) as served:
        with Crowd(served, [ANSWER], visitors=16, rest_s=0) as crowd:
            time.sleep(0.5)
            health = [served.ask(path)[0] for path in ("/healthz", "/readyz") for _ in range(3)]
            time.sleep(0.5)
        quiet = [served.ask(ANSWER)[0] for _ in range(8)]
        told = served.meters()

    found = [status for _, _, status, _ in crowd.said]
    assert {*found} == {200, 503}
    assert health == [200] * 6
    assert quiet == [200] * 8
    shed = sum(number for name, number in told.items() if name.startswith("turvakaart_shed_total"))
    assert shed == found.count(503)
    assert told['turvakaart_requests_total{method="GET",route="turned away",status="503"}'] == shed
    assert told["turvakaart_requests_in_work"] == 1


def test_one_process_alone_is_guarded_too(tmp_path):
    with serving(make.an_instance(tmp_path / "tiny"), tmp_path / "state", workers=1) as served:
        statuses = [served.ask(path)[0] for path in ("/healthz", ANSWER, "/en/", "/static/map.js", "/a/b/c")]
        told = served.meters()
    routes = [line["route"] for line in served.lines() if line.get("route") not in ("/readyz", "/metrics")]

    assert statuses == [200, 200, 200, 200, 404]
    assert sorted(routes) == ["/<language>/", "/api/answer", "/healthz", "/static/<path:filename>", "none"]
    assert told['turvakaart_requests_total{method="GET",route="/<language>/",status="200"}'] == 1


def test_limits_hold_over_the_real_server_behind_a_proxy(tmp_path):
    settings = {"limits": "every=6/minute", "proxies": 1}
    with serving(make.an_instance(tmp_path / "tiny"), tmp_path / "state", **settings) as served:
        found = [served.ask(ANSWER, X_Forwarded_For="203.0.113.7")[0] for _ in range(40)]
        other = served.ask(ANSWER, X_Forwarded_For="198.51.100.9")[0]
        written = served.log.read_text("utf-8")

    assert found[:3] == [200] * 3
    assert found.count(200) == 6
    assert {*found[-20:]} == {429}
    assert other == 200
    assert "203.0.113.7" not in written


def test_a_second_server_may_take_over_its_place(tmp_path):
    folder, state, port = make.an_instance(tmp_path / "tiny"), tmp_path / "state", free_port()
    with serving(folder, state, port=port) as old, Crowd(old, [ANSWER], visitors=3) as crowd:
        time.sleep(0.3)
        with serving(folder, state, port=port, options=["--beside"]) as new:
            while len({line["worker"] for line in new.lines() if "request" in line}) < 2:
                time.sleep(0.05)
            old.process.terminate()
            assert old.process.wait(30) == 0
            time.sleep(0.5)
            crowd.__exit__()
            answered = {line["worker"] for line in new.lines() if line.get("route") == "/api/answer"}

    statuses = [status for _, _, status, _ in crowd.said]
    refused = [body for _, _, status, body in crowd.said if status == 0]
    assert len(answered) == 2
    assert {*statuses} <= {0, 200}
    assert not [said for said in refused if b"Refused" in said]
    assert len(refused) <= 3
