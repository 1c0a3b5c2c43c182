"""The container file and the unit of systemd, as far as they can be tried without a container engine."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from webmap import cli
from webmap.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "scripts" / "turvakaart.service"


@pytest.fixture(scope="module")
def steps():
    """The instructions of the container file: (name, what follows)."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Containerfile").read_text(encoding="utf-8"))
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [tuple(line.split(None, 1)) for line in lines]


def served(line):
    """The options of a `turvakaart serve`, as the command itself understands them."""
    program, command, *options = line
    assert (Path(program).name, command) == ("turvakaart", "serve")
    return cli.serve.make_context("serve", options).params


def test_what_the_image_is_made_of_is_there_and_is_enough_to_prepare_it(steps):
    copied = [
        part for name, rest in steps if name == "COPY" and "--from" not in rest for part in rest.split()[:-1]
    ]

    assert [part for part in copied if not (ROOT / part).exists()] == []
    # What the preparation reads, and what an installation lists.
    needed = ("pyproject.toml", "README.md", "LICENSE", "layers", "webmap", "scripts", "data/ee")
    assert [part for part in needed if part not in copied] == []
    assert ("RUN", "python3 scripts/prepare.py") in steps
    assert (ROOT / "scripts" / "requirements.lock.txt").exists()


def test_the_image_runs_as_nobody_and_serves_with_several_processes(steps):
    last = dict(steps)
    made = next(rest for name, rest in steps if name == "RUN" and "useradd" in rest)
    options = served(json.loads(last["CMD"]))

    assert last["USER"] == "10001:10001"
    assert "--uid 10001" in made
    assert options["host"] == "0.0.0.0"  # noqa: S104  what is published of it, the engine decides
    assert (options["port"], options["workers"] > 1) == (int(last["EXPOSE"]), True)
    assert last["STOPSIGNAL"] == "SIGTERM"


def test_the_image_is_asked_whether_it_is_alive_by_python_that_is_there(steps):
    check = next(rest for name, rest in steps if name == "HEALTHCHECK")
    program, flag, code = json.loads(check.partition("CMD ")[2])

    assert (program, flag) == ("python", "-c")
    assert "http://127.0.0.1:8080/healthz" in code
    compile(code, "healthcheck", "exec")


def test_what_the_image_and_the_unit_set_are_settings(steps):
    said = " ".join(rest for name, rest in steps if name == "ENV") + UNIT.read_text(encoding="utf-8")
    named = dict(re.findall(r"(WEBMAP_[A-Z_]+)=(\S+)", said))

    assert Settings.from_environment(named).log == "requests"
    assert str(Settings.from_environment(named).state) == "/var/lib/turvakaart"


def test_the_unit_starts_the_server_for_this_computer_alone():
    line = re.search(r"^ExecStart=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)[1]

    assert served(shlex.split(line))["host"] == "127.0.0.1"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_is_understood_and_lets_little_through(tmp_path):
    # As installed, but with a program that is there.
    unit = tmp_path / "turvakaart.service"
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/turvakaart/bin/turvakaart", "/bin/true"))
    analyse = shutil.which("systemd-analyze")
    verified = subprocess.run([analyse, "verify", str(unit)], capture_output=True, text=True)
    scored = subprocess.run(
        [analyse, "security", "--offline=yes", "--threshold=20", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
    )

    assert [line for line in verified.stderr.splitlines() if "turvakaart.service" in line] == []
    assert scored.returncode == 0, scored.stdout[-300:]
