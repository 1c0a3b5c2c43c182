"""What befalls a process: a deed in a fork of its own, and how it is struck there.

A fork spares the second of a fresh start, so that thousands of faults take minutes. Points are counted in
calls by which a program touches the world (statements, commits, renames, writes …): the same number is the
same place in the code, whatever else the machine does; moments also strike inside of them.
"""

import gc
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flask import Flask
from jinja2 import BytecodeCache

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TRACE = "Traceback (most recent call last)"
_TOUCHING = {
    *("execute", "executemany", "commit", "rollback", "replace", "rename", "link", "unlink", "remove"),
    *("mkdir", "rmdir", "open", "write", "fsync", "close", "flush", "copyfile", "flock", "utime", "truncate"),
    *("fork_exec", "waitpid", "fetchall", "fetchmany", "fetchone", "sendfile", "posix_spawn"),
}
_PATIENCE_S = 90.0


@dataclass(frozen=True)
class Strike:
    """What happens to a deed, and where: at a `point`, or after so many seconds.

    `limits` are (resource, how much) set before it begins; `now` is what the clock tells.
    """

    kind: str = ""
    point: int = 0
    after_s: float = 0.0
    limits: tuple = ()
    now: datetime = NOW
    sign: int = signal.SIGKILL
    meanwhile: object = None


@dataclass
class Ended:
    """How a deed ended: `code` None where it was killed; what it said, and what it told to us alone."""

    code: int | None
    said: str
    told: list = field(default_factory=list)
    seconds: float = 0.0
    is_late: bool = False

    @property
    def acknowledged(self):
        return [one["done"] for one in self.told if "done" in one]

    @property
    def points(self):
        return next((one["points"] for one in self.told if "points" in one), 0)

    @property
    def trace(self):
        """The end of a trace that somebody would have seen."""
        at = self.said.rfind(TRACE)
        return self.said[at:] if at >= 0 else ""


_telling = None


class _Compiled(BytecodeCache):
    """Keeps the pages' templates compiled, so that every fork has them."""

    def __init__(self):
        self.codes = {}

    def load_bytecode(self, bucket):
        if bucket.key in self.codes:
            bucket.bytecode_from_string(self.codes[bucket.key])

    def dump_bytecode(self, bucket):
        self.codes[bucket.key] = bucket.bytecode_to_string()


def warm(work):
    """Does some work in this very process, so that its forks need not load and compile what it needs."""
    if "bytecode_cache" not in Flask.jinja_options:
        Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Compiled()}
    set_clock(NOW)
    try:
        work()
    finally:
        unset_clock()
    gc.collect()
    gc.freeze()  # Or every fork would soon copy all that is in memory.


def tell(**facts):
    """From inside a deed to who struck it."""
    if _telling is not None:
        os.write(_telling, (json.dumps(facts) + "\n").encode())


def done(what="all"):
    """Tells that a change has been acknowledged: whoever asked for it now relies on it."""
    tell(done=what)


def run(work, strike=None, *, environment=None, patience_s=_PATIENCE_S):
    """Does a piece of work in a fork; returns how it ended."""
    said, told = os.pipe(), os.pipe()
    began = time.monotonic()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _inside(work, strike or Strike(), environment or {}, said, told)
    os.close(said[1])
    os.close(told[1])
    return _watched(child, strike or Strike(), said[0], told[0], began, patience_s)


def _inside(work, strike, environment, said, told):
    global _telling
    code = 97
    try:
        os.setsid()
        gc.disable()
        os.close(said[0])
        os.close(told[0])
        os.dup2(said[1], 1)
        os.dup2(said[1], 2)
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
        _telling = told[1]
        os.set_inheritable(1, True)
        os.environ.update(environment)
        tempfile.tempdir = environment.get("TMPDIR")
        set_clock(strike.now)
        points = _counting(strike)
        for what, most in strike.limits:
            resource.setrlimit(what, (most, most))
        code = work() or 0
        sys.setprofile(None)
        tell(points=points[0])
    except SystemExit as ended:
        sys.setprofile(None)
        code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
        tell(points=points[0])
    except BaseException:
        sys.setprofile(None)
        with suppress(BaseException):
            traceback.print_exc(file=sys.stderr)
        code = 98
    finally:
        os._exit(code)


def _counting(strike):
    points = [0]
    at, sign, me = strike.point, strike.sign, os.getpid()

    def hear(_frame, event, what):
        if event in ("c_call", "c_return") and what.__name__ in _TOUCHING:
            points[0] += 1
            if points[0] == at:
                os.kill(me, sign)

    if at or strike.kind == "count":
        sys.setprofile(hear)
    return points


def _watched(child, strike, said, told, began, patience_s):
    heard = {said: b"", told: b""}
    code, struck, is_late = None, not strike.after_s, False
    while True:
        passed = time.monotonic() - began
        if not struck and passed >= strike.after_s:
            struck = True
            if strike.meanwhile:
                strike.meanwhile()
            else:
                os.kill(child, strike.sign)
        if passed > patience_s:
            is_late = True
            os.killpg(child, signal.SIGKILL)
        wait_s = 0.05 if struck else max(0.0, strike.after_s - passed)
        for one in select.select([*heard], [], [], min(wait_s, 0.05))[0]:
            heard[one] += os.read(one, 1 << 16)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
    for one in heard:
        while select.select([one], [], [], 0)[0] and (more := os.read(one, 1 << 16)):
            heard[one] += more
        os.close(one)
    lines = [json.loads(line) for line in heard[told].decode().splitlines()]
    code = None if code < 0 else code
    return Ended(code, heard[said].decode(errors="replace"), lines, time.monotonic() - began, is_late)


_REAL = time.time
_ahead_s = 0.0


class _Moved(datetime):
    """A clock that this process alone sees."""

    @classmethod
    def now(cls, tz=None):
        return datetime.fromtimestamp(0, tz) + timedelta(seconds=time.time())


def set_clock(now):
    """Lets every room of this process see another time, which goes on from there."""
    global _ahead_s
    _ahead_s = now.timestamp() - _REAL()
    time.time = lambda: _REAL() + _ahead_s
    for name, module in [*sys.modules.items()]:
        if name.split(".")[0] in ("layers", "webmap") and vars(module).get("datetime") is datetime:
            module.datetime = _Moved


def unset_clock():
    time.time = _REAL
    for name, module in [*sys.modules.items()]:
        if name.split(".")[0] in ("layers", "webmap") and vars(module).get("datetime") is _Moved:
            module.datetime = datetime
