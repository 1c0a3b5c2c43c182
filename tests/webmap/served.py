"""The command `turvakaart serve` as a process of its own, and what it wrote."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN = "a-token-of-24-characters"
ANSWER = "/api/answer?lat=58.5&lon=24.5&lang=en"


@dataclass
class Served:
    port: int
    process: subprocess.Popen
    log: Path

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers and body of one request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def is_ready(self):
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def lines(self):
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def meters(self):
        """Name with labels → number."""
        said = self.ask("/metrics", Authorization=f"Bearer {TOKEN}")[2].decode()
        told = (line.rpartition(" ") for line in said.splitlines() if not line.startswith("#"))
        return {name: float(number) for name, _, number in told}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def until(is_so):
    """Asks again and again, for ten seconds at most."""
    latest = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < latest
        time.sleep(0.001)


@contextmanager
def serving(folder, state, *, workers=2, port=0, options=(), **settings):
    """Runs until the block ends; every setting is a WEBMAP_… in small letters."""
    state.mkdir(exist_ok=True)
    token, log = state / "token", state / f"log-{time.monotonic_ns()}"
    token.write_text(TOKEN, encoding="ascii")
    port = port or free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(state),
        "WEBMAP_INSTANCE": str(folder),
        "WEBMAP_STATE": str(state),
        "WEBMAP_LOG": "requests",
        "WEBMAP_METRICS_TOKEN_FILE": str(token),
        **{f"WEBMAP_{name.upper()}": str(value) for name, value in settings.items()},
    }
    line = [sys.executable, "-m", "webmap.cli", "serve", "--no-browser", "--port", str(port)]
    line += ["--workers", str(workers), *options]
    with log.open("wb") as written:
        process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=written)
    found = Served(port, process, log)
    try:
        latest = time.monotonic() + 60
        while not found.is_ready():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < latest
            time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=60)
