"""Every kind of fault: how it is made from a chance, and what must hold after it.

A fault is a function of a stage and a chance; it returns in a word what came of it, or raises Broken. The
same seed gives the same fault.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

from layers import tiles
from layers.gaps import jobs
from layers.jobs import ids, states
from tests.faults import deeds, promises, reader, strikes
from tests.faults.deeds import DEEDS
from tests.faults.promises import Broken, check
from tests.faults.strikes import Strike

_ODD = [
    *(timedelta(hours=hours) for hours in (-25, -1, 1, 25)),
    *(timedelta(days=days) for days in (-3650, -366, 366, 3650)),
    datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
    datetime(2100, 1, 1, tzinfo=UTC),
]
# Those that wait for a person's answer or set a whole store up are slow to be done at every odd hour.
_QUICK = (
    "edit",
    "undo",
    "proposal",
    "acceptance",
    "confirmation by file",
    "import by command",
    "backup",
    "restore",
)


@dataclass(frozen=True)
class Kind:
    """`needs` names what must be there: "server" for PostGIS, "root" for disks of its own."""

    name: str
    make: object
    needs: str = ""


def lacks(kind, stage):
    """Why a kind of fault cannot be made here; "" when it can."""
    if kind.needs == "server" and stage.server is None:
        return "PostgreSQL with PostGIS is not installed"
    return "only root can mount a disk of its own" if kind.needs == "root" and not can_mount() else ""


def every(stage):
    """Every kind that can be made here."""
    return [kind for kind in all_of_them() if not lacks(kind, stage)]


def all_of_them():
    found = []
    for deed in DEEDS.values():
        for store in deed.stores:
            found.append(Kind(f"kill −9, {deed.name} ({store})", _killed(deed, store), _of(store)))
        if "sqlite" in deed.stores:
            found.append(Kind(f"full disk, {deed.name}", _full(deed), "root"))
            found.append(Kind(f"read-only disk, {deed.name}", _read_only(deed), "root"))
            found.append(Kind(f"few descriptors, {deed.name}", _few(deed)))
        if "postgis" in deed.stores:
            found.append(Kind(f"connections cut, {deed.name}", _cut(deed), "server"))
    found += [Kind(f"clock, {name}", _odd(DEEDS[name])) for name in _QUICK]
    found += [
        Kind("file limit, backup", _limited(DEEDS["backup"])),
        Kind("file limit, restore", _limited(DEEDS["restore"])),
        Kind("database gone, import by command", _gone(DEEDS["import by command"]), "server"),
        Kind("database gone while serving", _gone_serving, "server"),
        Kind("connections cut while serving", _cut_serving, "server"),
        Kind("damaged archive while serving", _archive),
        Kind("damaged store", _store),
        Kind("damaged store while serving", _store_serving),
        Kind("lost log of the store", _log),
        Kind("damaged keys", _keys),
        Kind("damaged backup", _backup),
        Kind("damaged instance", _instance),
        Kind("siting job", _siting),
    ]
    return found


def _of(store):
    return "server" if store == "postgis" else ""


# --- Deeds that are struck


@contextmanager
def copied(stage, deed, store, *, home=None):
    before, found = promises.expected(stage, deed, store)
    world = stage.copy(before, home=home)
    try:
        yield world, found
    finally:
        world.drop()


def _struck(world, deed, found, strike, *, is_hindered=False):
    ended = strikes.run(
        lambda: deed.do(world), strike, environment=world.environment, patience_s=deed.patience_s
    )
    for one in (one["also"] for one in ended.told if "also" in one):
        _wait(one)
    at = promises.kept(world, found, ended, is_hindered=is_hindered)
    return ended, at


def _wait(process):
    """Until a process that a deed left behind has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.02)


def _came(ended, at, found):
    if ended.code == 0:
        return "went on"
    whole = len(found.digests) - 1
    state = "nothing changed" if at == 0 else "whole" if at == whole else "whole steps"
    return f"killed: {state}" if ended.code is None else f"refused: {state}"


def _killed(deed, store):
    def fault(stage, chance):
        with copied(stage, deed, store) as (world, found):
            if chance.random() < 0.7 and found.points:
                strike = Strike("point", point=chance.randint(1, found.points))
            else:
                strike = Strike("moment", after_s=chance.uniform(0.001, max(0.2, found.seconds)))
            ended, at = _struck(world, deed, found, strike)
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _stay(deed, ended):
    """What a deed may leave until somebody comes by after a day: a file that waits for its steward, and what
    was killed while it grew."""
    killed = (
        ("kept/.a.backup.", "state/.tiny.sqlite.", "state/links.key.", "state/secret.key.")
        if ended.code is None
        else ()
    )
    # Without descriptors not even a folder can be removed.
    own = {"import in the browser": "state/inbox/", "restore with instance": ".again."}.get(deed.name)
    return (*killed, *((own,) if own else ()))


@cache
def can_mount():
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount") is not None and _mounts()


def _mounts():
    with tempfile.TemporaryDirectory() as folder:
        asked = [shutil.which("mount"), "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        if subprocess.run(asked, capture_output=True).returncode:
            return False
        subprocess.run([shutil.which("umount"), folder], check=True)
        return True


class _Disk:
    """A small disk of its own."""

    def __init__(self, home):
        self.home = home

    def mount(self, **options):
        self.home.mkdir(parents=True, exist_ok=True)
        self._do(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.home)])

    def again(self, options):
        self._do(["mount", "-o", f"remount,{options}", str(self.home)])

    def fill(self, left):
        """Leaves so many bytes."""
        found = os.statvfs(self.home)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        self.again(f"size={used + left}")

    def away(self):
        self._do(["umount", "-l", str(self.home)])

    def _do(self, line):
        subprocess.run(line, check=True, capture_output=True)


@contextmanager
def _on_disk(stage, deed):
    """A world that lies on a disk of its own."""
    promises.expected(stage, deed, "sqlite")
    disk = _Disk(stage.home / f"disk-{time.monotonic_ns()}")
    disk.mount()
    try:
        with copied(stage, deed, "sqlite", home=disk.home) as (world, found):
            yield disk, world, found
    finally:
        disk.away()
        shutil.rmtree(disk.home, ignore_errors=True)


def _full(deed):
    def fault(stage, chance):
        with _on_disk(stage, deed) as (disk, world, found):
            disk.fill(int(2 ** chance.uniform(12, 21)))
            ended, at = _struck(world, deed, found, None, is_hindered=True)
            disk.again("size=64m")
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _read_only(deed):
    def fault(stage, chance):
        with _on_disk(stage, deed) as (disk, world, found):
            disk.again("ro")
            ended, at = _struck(world, deed, found, None, is_hindered=True)
            disk.again("rw")
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _few(deed):
    def fault(stage, chance):
        with copied(stage, deed, "sqlite") as (world, found):
            there = len([*Path("/proc/self/fd").iterdir()]) if Path("/proc/self/fd").exists() else 10
            limits = ((resource.RLIMIT_NOFILE, there + chance.randint(2, 12)),)
            ended, at = _struck(world, deed, found, Strike("limit", limits=limits))
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _limited(deed):
    def fault(stage, chance):
        with copied(stage, deed, "sqlite") as (world, found):
            limits = ((resource.RLIMIT_FSIZE, int(2 ** chance.uniform(10, 21))),)
            ended, at = _struck(world, deed, found, Strike("limit", limits=limits))
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _odd(deed):
    def fault(stage, chance):
        odd = chance.choice(_ODD)
        now = odd if isinstance(odd, datetime) else strikes.NOW + odd
        with copied(stage, deed, "sqlite") as (world, _):
            ended = strikes.run(lambda: deed.do(world), Strike(now=now), environment=world.environment)
            check(not ended.trace and ended.code in (0, 1), f"at {now}", ended.said[-1500:])
            for moment in (now, strikes.NOW):
                found = promises.pages(world, now=moment)
                for url, (status, wrong) in found.items():
                    check(status < 400 or status == 404, f"a page at {moment}", url, status, wrong)
            with suppress(reader.Damaged):
                world.digest()
                again = strikes.run(lambda: deeds.command("setup"), environment=world.environment)
                check(again.code == 0, f"set-up after {now}", again.said[-1500:])
                return "went on" if ended.code == 0 else "refused"
            raise Broken(f"the store is damaged at {now}")

    return fault


def _cut(deed):
    def fault(stage, chance):
        with copied(stage, deed, "postgis") as (world, found):
            after_s = chance.uniform(0.01, max(0.2, found.seconds))
            strike = Strike("cut", after_s=after_s, meanwhile=lambda: world.server.cut(world.url))
            ended, at = _struck(world, deed, found, strike)
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


def _gone(deed):
    def fault(stage, chance):
        with copied(stage, deed, "postgis") as (world, found):
            after_s = chance.uniform(0.01, max(0.2, found.seconds))
            strike = Strike("gone", after_s=after_s, meanwhile=world.server.stop)
            ended = strikes.run(lambda: deed.do(world), strike, environment=world.environment)
            gone = promises.pages(world)
            promises.may_be_shown(gone, "a page without a database")
            world.server.start()
            at = promises.kept(world, found, ended)
            promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
            return _came(ended, at, found)

    return fault


# --- A site that serves meanwhile


@contextmanager
def _site(stage, store, name="edit"):
    """A world, and a browser at its site in this very process, which has seen the pages."""
    with copied(stage, DEEDS[name], store) as (world, _):
        strikes.set_clock(strikes.NOW)
        try:
            with deeds.site(world) as app:
                client = app.test_client(use_cookies=False)
                yield world, client, lambda urls=promises.PAGES: _seen(client, urls)
        finally:
            strikes.unset_clock()


def _seen(client, urls):
    found = {}
    for url in urls:
        answer = client.get(url)
        found[url] = promises.seen(answer, url)
    return found


def _same_or_told(before, after, promise):
    """Every page is what it was, or tells in a sentence that it cannot be shown."""
    for url, (status, wrong) in after.items():
        if status < 400:
            check((status, wrong) == before[url], f"{promise}: wrong data", url)
        else:
            check(status in (500, 503) and not wrong, promise, url, status, wrong)


def _gone_serving(stage, chance):
    with _site(stage, "postgis") as (world, _, see):
        before = see()
        world.server.stop()
        try:
            _same_or_told(before, see(), "without a database")
        finally:
            world.server.start()
        check(see() == before, "the next request does not mend it")
        return "told, and mended"


def _cut_serving(stage, chance):
    with _site(stage, "postgis") as (world, _, see):
        before = see()
        world.server.cut(world.url)
        some = chance.sample(promises.PAGES, 5)
        found = see(some)
        _same_or_told(before, found, "cut")
        check(see() == before, "the next request does not mend it")
        return "mended at once" if all(found[url] == before[url] for url in some) else "told, and mended"


def hurt(file, chance, *, ways=("cut", "flip", "flips", "empty", "other", "zeros")):
    """Damages a file in one of the ways in which files are damaged; the name of the way."""
    body, way = bytearray(file.read_bytes()), chance.choice(ways)
    if way == "cut":
        del body[chance.randrange(max(1, len(body))) :]
    elif way in ("flip", "flips"):
        for _ in range(1 if way == "flip" else 40):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    elif way == "empty":
        body.clear()
    elif way == "other":
        body = bytearray(b"This is another file altogether.\n" * 40)
    elif way == "zeros":
        at = chance.randrange(len(body)) // 4096 * 4096
        body[at : at + 4096] = bytes(min(4096, len(body) - at))
    elif way == "version":
        body[7] = chance.choice([0, 1, 2, 4, 255])
    file.write_bytes(body)
    return way


def _archive(stage, chance):
    with _site(stage, "sqlite") as (world, client, see):
        (file,) = world.shelf.folder.glob("*.pmtiles")
        archive = tiles.archive(world.shelf, "watch_areas", int(file.stem.rpartition("-")[2]))
        urls = _tile_urls(archive)
        before = {**see(), **_seen(client, urls)}
        good = {url: client.get(url).data for url in urls}
        way = hurt(file, chance, ways=("cut", "flip", "flips", "empty", "other", "zeros", "version"))
        after = {**see(), **_seen(client, urls)}
        for url in urls:
            answer = client.get(url)
            if answer.status_code < 400:
                check(answer.data == good[url], f"{way}: wrong tile", url, answer.status_code)
            else:
                check(not after[url][1], f"{way}: a tile", url, after[url])
        for url in promises.PAGES:
            check(after[url][0] < 400, f"{way}: a page", url, after[url])
        again = strikes.run(lambda: deeds.command("setup"), environment=world.environment)
        check(again.code == 0, f"{way}: set-up", again.said[-1500:])
        check(_seen(client, urls) == _seen_as(before, urls), f"{way}: the next start does not rebuild it")
        return f"{way}: told, and mended"


def _seen_as(before, urls):
    return {url: before[url] for url in urls}


def _tile_urls(archive):
    from pmtiles.tile import tileid_to_zxy

    _, index = tiles._indexed(archive.file, archive.layer, archive.revision)
    found = [tileid_to_zxy(number) for number in index.ids]
    return [f"/api/tiles/watch_areas/{archive.revision}/{z}/{x}/{y}.mvt" for z, x, y in found[::3]]


def _store(stage, chance):
    """A store's file that is destroyed: the start says what to do and leaves it alone."""
    deed = DEEDS["restore"]
    with copied(stage, deed, "sqlite") as (world, found):
        _whole_file(world)
        way = hurt(world.file, chance)
        hurt_bytes = world.file.read_bytes()
        try:
            is_sound = world.digest() == found.digests[0]
        except reader.Damaged:
            is_sound = False
        ended = strikes.run(lambda: deeds.command("setup"), environment=world.environment)
        check(not ended.trace, f"{way}: a trace", ended.trace[-1500:])
        promises.may_be_shown(promises.pages(world), f"{way}: a page")
        if is_sound and ended.code == 0:
            return f"{way}: harmless"
        if ended.code == 0:
            return f"{way}: not to be seen" if way in ("flip", "flips") else _overwritten(way)
        check("turvakaart restore" in ended.said, f"{way}: it does not say what to do", ended.said)
        check(world.file.read_bytes() == hurt_bytes, f"{way}: the damaged file was overwritten")
        world.file.rename(world.home / "damaged")
        for ending in ("-wal", "-shm"):
            Path(f"{world.file}{ending}").unlink(missing_ok=True)
        again = strikes.run(lambda: deed.do(world), environment=world.environment)
        check(again.code == 0, f"{way}: the restore that it names", again.said[-1500:])
        check(world.digest() != reader.ABSENT, f"{way}: nothing was restored")
        return f"{way}: told, and restored"


def _overwritten(way):
    raise Broken(f"{way}: the start takes a damaged store for a sound one")


def _whole_file(world):
    """Everything that the log holds comes into the file, as when the last process has ended in order."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(world.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for ending in ("-wal", "-shm"):
        Path(f"{world.file}{ending}").unlink(missing_ok=True)


def _store_serving(stage, chance):
    with _site(stage, "sqlite") as (world, _, see):
        see(promises.PAGES[: chance.randint(0, len(promises.PAGES))])
        way = hurt(world.file, chance)
        found = see()
        for url, (status, wrong) in found.items():
            check(
                status < 400 or (status in (404, 500, 503) and not wrong),
                f"{way}: a page",
                url,
                status,
                wrong,
            )
        told = {status for status, _ in found.values()}
        return f"{way}: {'told' if told & {500, 503} else 'shown as before'}"


def _log(stage, chance):
    """The write-ahead log is lost or garbage: what stands is an earlier whole state or the newest."""
    deed = DEEDS["edit"]
    with copied(stage, deed, "sqlite") as (world, found):
        ended = strikes.run(
            lambda: deed.do(world),
            Strike("point", point=max(1, found.points - chance.randint(0, 30))),
            environment=world.environment,
        )
        log = Path(f"{world.file}-wal")
        way = "none"
        if log.exists() and log.stat().st_size:
            way = hurt(log, chance) if chance.random() < 0.7 else "gone"
            if way == "gone":
                log.unlink()
        quiet = strikes.Ended(ended.code, ended.said)
        at = promises.kept(world, found, quiet)
        promises.mended(world, deed, found, at, may_stay=_stay(deed, ended))
        return f"{way}: state {at}"


_SIGN_IN = ("/en/account/sign-in", "/en/edit", "/en/suggest/body/west-station")


def _keys(stage, chance):
    """A damaged key: public pages stay, what needs it says so, and it is never replaced by itself."""
    with _site(stage, "sqlite") as (world, client, see):
        before = see()
        file = world.settings.key_file()
        way = chance.choice(("missing", "empty", "short", "binary", "folder"))
        body = file.read_bytes()
        file.unlink()
        if way == "folder":
            file.mkdir()
        elif way != "missing":
            file.write_bytes({"empty": b"", "short": body[:9], "binary": bytes(range(128, 180))}[way])
        check(see() == before, f"{way}: public pages")
        for url in _SIGN_IN:
            status, wrong = promises.seen(client.get(url), url)
            check(status < 400 or (status == 503 and not wrong), f"{way}: {url}", status, wrong)
        page = client.post("/en/account/sign-in", data={"name": "x", "password": "y"})
        check(
            page.status_code < 500 or not promises.fault_of(page.text, "/en/"),
            f"{way}: signing in",
            page.text,
        )
        if way not in ("missing", "folder"):
            check(len(file.read_bytes()) != 43, f"{way}: the key was replaced")
        return f"{way}: told"


def _backup(stage, chance):
    deed = DEEDS["restore"]
    with copied(stage, deed, "sqlite") as (world, _):
        before = world.digest()
        body = (world.kept / "a.backup").read_bytes()
        way = hurt(world.kept / "a.backup", chance)
        if (world.kept / "a.backup").read_bytes() == body:
            return f"{way}: harmless"
        ended = strikes.run(lambda: deed.do(world), environment=world.environment)
        check(ended.code == 1 and not ended.trace, f"{way}: not refused", ended.said[-1500:])
        check(
            "Nothing was changed" in ended.said or "version" in ended.said, f"{way}: no sentence", ended.said
        )
        check(world.digest() == before, f"{way}: the store has changed")
        return f"{way}: refused"


def _instance(stage, chance):
    """Damaged files of the country: a server that runs goes on; the next start tells, and keeps the store."""
    with _site(stage, "sqlite") as (world, _, see):
        before, state = see(), world.digest()
        file = chance.choice(sorted(one for one in world.folder.rglob("*") if one.is_file()))
        whole = file.read_bytes()
        way = hurt(file, chance)
        _same_or_told(before, see(), f"{way} {file.name}")
        ended = strikes.run(lambda: deeds.command("setup"), environment=world.environment)
        check(not ended.trace, f"{way} {file.name}: a trace", ended.trace[-1500:])
        if ended.code:
            check(len(ended.said.strip()) > 20, f"{way} {file.name}: no sentence", ended.said)
            check(world.digest() == state, f"{way} {file.name}: half of it was loaded")
        file.write_bytes(whole)
        again = strikes.run(lambda: deeds.command("setup"), environment=world.environment)
        check(again.code == 0, f"{way} {file.name}: mended by hand", again.said[-1500:])
        return f"{way}: told" if ended.code else f"{way}: read"


# --- Background jobs


def _siting(stage, chance):
    """A job whose starter, minder or worker is killed: it is told, keeps its plan, and blocks no other."""
    folder = stage.home / f"jobs-{time.monotonic_ns()}"
    table = np.random.default_rng(1).random((60, 60))

    def submit(kill_after_s=20.0):
        request = jobs.Request(
            "p_median", table, options={"p": 6}, time_limit_s=5.0, kill_after_s=kill_after_s
        )
        strikes.tell(id=jobs.submit(folder, request, at_once=1))

    try:
        victim = chance.choice(("starter", "minder", "worker"))
        strike = Strike("moment", after_s=chance.uniform(0.001, 0.3)) if victim == "starter" else None
        ended = strikes.run(submit, strike)
        check(not ended.trace, "a trace", ended.trace)
        for id in _jobs_in(folder):
            if victim != "starter":
                time.sleep(chance.uniform(0.0, 2.5))
                told = states.read(folder / id / states.JOB) or {}
                if pid := told.get(victim):
                    with suppress(ProcessLookupError):
                        os.kill(pid, 9)
            job = _over(folder, id)
            check(job.plan is None or job.plan.sites, "half a plan", id)
        again = strikes.run(submit)
        (id,) = [one["id"] for one in again.told if "id" in one]
        job = _over(folder, id)
        check(job.state == states.DONE, "the next job does not come through", job.state)
        half = [one.name for one in folder.iterdir() if one.name.startswith("new-")]
        check(victim == "starter" or not half, "half a job is left", half)
        return f"{victim}: told, and the next went on"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _jobs_in(folder):
    return ids(folder)


def _over(folder, id):
    end = time.monotonic() + 90
    while time.monotonic() < end:
        job = jobs.status(folder, id)
        if job.is_over:
            return job
        time.sleep(0.1)
    raise Broken(f"the job never ends: {job.state} {job.phase}")
