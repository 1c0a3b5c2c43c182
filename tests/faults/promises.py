"""What holds whatever befell a deed, looked at from outside: states, pages, files, and the way back."""

import hashlib
import json
import re
from dataclasses import dataclass, field

from layers.errors import LayersError
from tests.faults import reader, strikes
from webmap import create_app

MAP = "/et/"
"""It names the tile archive that is there, which follows a change later: whole it must be, not the same."""
PAGES = (
    MAP,
    "/en/bodies/west-station",
    "/et/areas/county/01",
    "/api/answer?lat=58.25&lon=24.25&lang=en",
    "/api/layers/police.geojson?lang=en",
    "/api/layers/watch_areas.geojson?lang=en&bbox=24,58,26,59",
)
_INTERNALS = re.compile(
    r"Traceback|sqlite|psycopg|sqlalchemy|File \"|\.py\b|/tmp/|/dev/shm|127\.0\.0\.1|SELECT |turvakaart_test|"
    r"Errno|Error\b"
)
_SENTENCE = re.compile(r"[A-ZÕÄÖÜŠŽ][^.!?]{8,}[.!?]")
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[\d:]+Z|v=[0-9a-f]+")


class Broken(AssertionError):
    """A promise was not kept."""


@dataclass
class States:
    """What a deed makes of a world when nothing happens to it: states in their order, as digests and pages.

    `points` and `seconds` say how long it takes, `files` what lies there afterwards.
    """

    digests: list = field(default_factory=list)
    pages: dict = field(default_factory=dict)
    points: int = 0
    seconds: float = 0.0
    files: set = field(default_factory=set)


def check(holds, promise, *about):
    if not holds:
        raise Broken(": ".join((promise, *map(str, about))))


def pages(world, *, now=strikes.NOW, urls=PAGES):
    """What visitors see: for every address its status and a digest, or what is wrong with the page."""

    ended = strikes.run(lambda: look(world, urls), strikes.Strike(now=now), environment=world.environment)
    check(ended.code == 0, "the site does not start", ended.code, ended.said[-1500:])
    return {one["url"]: tuple(one["seen"]) for one in ended.told if "url" in one}


def look(world, urls=PAGES):
    """Opens the pages of a world, in this process; nothing where the start is refused in a sentence."""
    try:
        app = create_app(world.settings)
    except LayersError as refused:
        strikes.tell(refused=str(refused))
        return
    client = app.test_client(use_cookies=False)
    for url in urls:
        strikes.tell(url=url, seen=seen(client.get(url), url))
    app.extensions["house"].engine.dispose()


def seen(answer, url):
    """(status, digest) of a page that may be shown; else (status, what is wrong)."""
    if url == MAP and answer.status_code < 400:
        return answer.status_code, ""
    if answer.status_code < 400:
        return answer.status_code, hashlib.sha256(_MOMENT.sub(b"", answer.data)).hexdigest()[:16]
    return answer.status_code, fault_of(answer.text, url)


def fault_of(text, url):
    """What is wrong with a page that tells of a failure; "" for nothing."""
    if found := _INTERNALS.search(text):
        return f"it shows {text[max(0, found.start() - 80) : found.end() + 80]!r}"
    if url.startswith("/api/"):
        return "" if _SENTENCE.search(json.loads(text).get("detail", "")) else f"no sentence: {text[:300]}"
    language = url.split("/")[1]
    if f'lang="{language}"' not in text:
        return "another language"
    return "" if _SENTENCE.search(re.sub(r"<[^>]+>", " ", text)) else "no sentence"


def may_be_shown(found, promise):
    """Every page is whole, or a clear one that tells of a failure."""
    for url, (status, wrong) in found.items():
        check(status < 400 or status in (404, 500, 503), promise, url, status)
        check(status < 400 or not wrong, promise, url, status, wrong)


def expected(stage, deed, kind):
    """The states of a deed, found once by doing it with nothing in its way; and the world before it."""
    if (deed.name, kind) in stage.found:
        return stage.found[deed.name, kind]
    before = stage.empty(kind) if deed.is_new else stage.copy(stage.loaded(kind))
    deed.prepare(before)
    known = stage.pages.setdefault(kind, {})
    states = States([before.digest()], known)
    world = stage.copy(before)
    if states.digests[0] not in known:
        known[states.digests[0]] = pages(world)

    def work():
        _watch_commits(world, states)
        return deed.do(world)

    ended = strikes.run(work, environment=world.environment)
    check(ended.code == 0 and ended.acknowledged, f"“{deed.name}” fails by itself", ended.said, ended.told)
    for one in (one["state"] for one in ended.told if "state" in one):
        states.digests += [one] if one != states.digests[-1] else []
    for one in (one for one in ended.told if "pages" in one):
        states.pages[one["of"]] = {url: tuple(seen) for url, seen in one["pages"].items()}
    last = world.digest()
    states.digests += [last] if last != states.digests[-1] else []
    if last not in known:
        known[last] = pages(world)
    states.files = world.files()
    counted_in = stage.copy(before)
    counted = strikes.run(
        lambda: deed.do(counted_in), strikes.Strike("count"), environment=counted_in.environment
    )
    states.points, states.seconds = counted.points, ended.seconds
    counted_in.drop()
    world.drop()
    stage.found[deed.name, kind] = before, states
    return before, states


def _watch_commits(world, states):
    """Lets this process tell which state stands after each of its commits."""
    from sqlalchemy.engine.default import DefaultDialect

    commit, known = DefaultDialect.do_commit, {*states.pages}

    def heard(self, connection):
        commit(self, connection)
        digest = world.digest()
        strikes.tell(state=digest)
        if digest not in known:
            known.add(digest)
            shown = pages(world)
            if world.digest() == digest:  # Else another process went on, and these are pages of its state.
                strikes.tell(of=digest, pages=shown)

    DefaultDialect.do_commit = heard


def kept(world, states, ended, *, is_hindered=False):
    """Checks what is seen right after a fault; the position of the state that stands.

    `is_hindered`: the fault lasts, so that a page may tell that it cannot be shown.
    """
    check(not ended.is_late, "it hangs", ended.said[-500:])
    check(not ended.trace, "a trace is shown", ended.trace[-1500:])
    check(ended.code not in (97, 98), "it fails without a sentence", ended.said[-1500:])
    for one in (one for one in ended.told if "page" in one):
        wrong = fault_of(one["page"], "/en/") if one["status"] >= 400 else ""
        check(not wrong, "a page of the deed", one["status"], wrong)
    try:
        digest = world.digest()
    except reader.Damaged as damaged:
        raise Broken(f"the store is damaged: {damaged}") from damaged
    check(digest in states.digests, "a half state", f"{digest} is none of {states.digests}")
    at = states.digests.index(digest)
    if ended.acknowledged:
        check(at == len(states.digests) - 1, "an acknowledged change is lost", f"state {at}")
    found = pages(world)
    may_be_shown(found, "a page")
    if digest in states.pages:
        check(found or is_hindered, "the site does not start")
        for url, told in states.pages[digest].items() if found else ():
            is_told = is_hindered and found[url][0] in (500, 503)
            check(is_told or found[url] == told, "wrong data on a page", url, found[url], told)
    return at


def mended(world, deed, states, at, *, may_stay=()):
    """The next start, or the deed done again, makes all well without hands; nothing is left over.

    `may_stay` are beginnings of the names of files that are cleared away after a day.
    """
    is_there = at == len(states.digests) - 1
    if deed.is_repeatable or not is_there:
        again = strikes.run(
            lambda: (deed.again or deed.do)(world), environment=world.environment, patience_s=deed.patience_s
        )
        check(again.code == 0, "it does not go on by itself", again.said[-1500:], again.told)
    digest = world.digest()
    check(digest == states.digests[-1], "the next start does not bring the whole", digest, states.digests)
    if not is_there:  # Else they have been compared already.
        for url, told in pages(world, urls=PAGES[:3]).items():
            check(told == states.pages[digest][url], "wrong data on a page afterwards", url, told)
    left = {one for one in world.files() - states.files if not one.startswith(may_stay)}
    check(not left, "files are left over", sorted(left))
