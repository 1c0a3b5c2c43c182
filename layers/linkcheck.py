"""Asks for the web addresses that facts name as their sources, politely, and keeps what came of it.

What is kept lies in the store (`link_check`) and not in a file beside it: every process and machine over
one store sees the same, the backup holds it, and a run that was cut off goes on where it stopped, because an
address that was asked lately is not asked again. It is no fact: no revision rises.

One request at a time goes to a host, HEAD before GET, robots.txt is obeyed, and each connection goes to an
address that has been looked at: never to a private network, wherever a name or a redirect points to.
"""

import http.client
import re
import socket
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from layers import dates, network
from layers.model import Area, Body, Case, Count, LinkCheck, Practice

AGENT = "Turvakaart-links/1.0 (+checks that sources are still there)"
OK, MOVED, GONE, SOFT, FAILING, REFUSED, ROBOTS, PRIVATE, BAD = OUTCOMES = (
    "ok",
    "moved",
    "gone",
    "soft 404",
    "failing",
    "refused",
    "robots",
    "private",
    "bad address",
)
DEAD = (GONE, SOFT, BAD)
"""Outcomes after which somebody has to look for another source; FAILING is dead after `PATIENCE` runs."""
PATIENCE = 3
_REDIRECTS = {301: True, 302: False, 303: False, 307: False, 308: True}
_MOST_REDIRECTS = 5
_MOST_BYTES = 65_536
_NOT_THERE = re.compile(
    r"<(title|h1)[^>]*>[^<]{0,80}(\b404\b|not found|lehte ei leitud|ei leitud|не найден)", re.IGNORECASE
)


@dataclass(frozen=True)
class Found:
    """What came of asking for an address. `moved_to` is where it leads for good, "" where it stays."""

    url: str
    outcome: str
    status: int | None = None
    moved_to: str = ""


@dataclass(frozen=True)
class Manners:
    """How one asks: seconds between requests to a host and until giving up, and which IPs may be asked."""

    delay_s: float = 1.0
    timeout_s: float = 15.0
    retries: int = 2
    at_once: int = 8
    may_ask: network.May = network.is_public


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str
    is_html: bool
    body: bytes


# --- What is asked


def addresses(session: Session) -> list[str]:
    """Every web address that a present fact names as its source, once, in order."""
    found: set[str] = set()
    for table in (Area, Body, Count):
        found |= {*session.scalars(select(table.source_url).where(table.retired_in.is_(None)).distinct())}
    for texts in (Case, Practice):
        for sources in session.scalars(select(texts.sources).where(texts.retired_in.is_(None))):
            found |= {one.get("url", "") for one in sources}
    return sorted(found - {""})


def waiting(session: Session, *, before: str) -> list[str]:
    """Those of them that have not been asked since a moment (`2026-11-22T14:05:09Z`)."""
    lately = {*session.scalars(select(LinkCheck.url).where(LinkCheck.checked_at >= before))}
    return [url for url in addresses(session) if url not in lately]


def keep(session: Session, found: Found, *, now: datetime) -> None:
    """Writes down what came of an address; the caller commits. One that fails again and again is gone."""
    row = session.get(LinkCheck, found.url) or LinkCheck(url=found.url, failures=0)
    row.failures = row.failures + 1 if found.outcome == FAILING else 0
    row.outcome = GONE if row.failures >= PATIENCE else found.outcome
    row.checked_at, row.status, row.moved_to = dates.moment(now), found.status, found.moved_to
    session.add(row)
    session.flush()


# --- Asking


def check(urls: Iterable[str], manners: Manners) -> Iterator[Found]:
    """Asks for addresses, hosts beside each other and each host's one after another, as they come."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        hosts[urlsplit(url).netloc.lower()].append(url)
    with ThreadPoolExecutor(manners.at_once) as pool:
        waiting_: list[Iterator[Found]] = [_of_host(host, manners) for host in hosts.values()]
        asked = {pool.submit(next, one, None): one for one in waiting_}
        while asked:
            for done in as_completed(asked):
                host = asked.pop(done)
                found = done.result()
                if found is not None:
                    asked[pool.submit(next, host, None)] = host
                    yield found
                break


def _of_host(urls: Sequence[str], manners: Manners) -> Iterator[Found]:
    rules: dict[str, RobotFileParser | None] = {}
    for number, url in enumerate(urls):
        if number:
            time.sleep(manners.delay_s)
        yield _checked(url, manners, rules)


def _checked(url: str, manners: Manners, rules: dict[str, RobotFileParser | None]) -> Found:
    found = Found(url, FAILING)
    for turn in range(manners.retries + 1):
        if turn:
            time.sleep(manners.delay_s * 2**turn)
        found = _asked(url, manners, rules)
        if found.outcome != FAILING:
            return found
    return found


def _asked(url: str, manners: Manners, rules: dict[str, RobotFileParser | None]) -> Found:
    try:
        return _followed(url, manners, rules)
    except network.NotPublic:
        return Found(url, PRIVATE)
    except (OSError, http.client.HTTPException):  # Before ValueError: a bad certificate is both.
        return Found(url, FAILING)
    except ValueError:
        return Found(url, BAD)


def _followed(url: str, manners: Manners, rules: dict[str, RobotFileParser | None]) -> Found:
    """Follows redirects, each to an address that has been looked at."""
    at, is_for_good = url, True
    for _ in range(_MOST_REDIRECTS + 1):
        if not _allowed(at, manners, rules):
            return Found(url, ROBOTS)
        answer = _best_answer(at, manners)
        if answer.status not in _REDIRECTS or not answer.location:
            found = _judged(url, at, answer)
            is_moved = at != url and is_for_good and found.outcome == OK
            return replace(found, outcome=MOVED, moved_to=at) if is_moved else found
        is_for_good = is_for_good and _REDIRECTS[answer.status]
        at = urljoin(at, answer.location)
    return Found(url, FAILING, answer.status)


def _best_answer(url: str, manners: Manners) -> _Answer:
    """What HEAD says; where that is an error, or a page that may say that nothing is there, what GET says."""
    answer = _request("HEAD", url, manners)
    if answer.status >= 400 or (answer.status == 200 and answer.is_html):
        time.sleep(manners.delay_s / 4)
        return _request("GET", url, manners)
    return answer


def _judged(url: str, at: str, answer: _Answer) -> Found:
    if answer.status in (404, 410):
        return Found(url, GONE, answer.status)
    if answer.status in (401, 403, 429, 451):
        return Found(url, REFUSED, answer.status)  # It is there; it does not want to be asked by a program.
    if answer.status >= 400 or answer.status < 200:
        return Found(url, FAILING, answer.status)
    went_home = at != url and urlsplit(at).path in ("", "/") and urlsplit(url).path not in ("", "/")
    says_so = answer.is_html and _NOT_THERE.search(answer.body.decode("utf-8", errors="replace"))
    return Found(url, SOFT if went_home or says_so else OK, answer.status)


def _allowed(url: str, manners: Manners, rules: dict[str, RobotFileParser | None]) -> bool:
    """Whether the host's robots.txt lets us ask. Where it has none, or none that can be read, it does."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin not in rules:
        answer = _request("GET", f"{origin}/robots.txt", manners)
        rules[origin] = None
        if answer.status == 200 and not answer.is_html:
            rules[origin] = RobotFileParser()
            rules[origin].parse(answer.body.decode("utf-8", errors="replace").splitlines())  # type: ignore[union-attr]
    known = rules[origin]
    return known is None or known.can_fetch(AGENT, url)


def _request(method: str, url: str, manners: Manners) -> _Answer:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(url)
    is_secret = parts.scheme == "https"
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=manners.timeout_s)
    connection.sock = _socket(parts.hostname, parts.port or (443 if is_secret else 80), is_secret, manners)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
    )
    try:
        # As people write it: the name of the host, and its port where it is not the usual one.
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (("Host", parts.netloc), ("User-Agent", AGENT), ("Accept", "*/*")):
            connection.putheader(name, value.encode("idna").decode() if name == "Host" else value)
        connection.putheader("Connection", "close")
        connection.endheaders()
        answer = connection.getresponse()
        return _Answer(
            answer.status,
            answer.getheader("Location", "") or "",
            "html" in (answer.getheader("Content-Type", "") or ""),
            b"" if method == "HEAD" else _some(answer, until=time.monotonic() + manners.timeout_s),
        )
    finally:
        connection.close()


def _some(answer: http.client.HTTPResponse, *, until: float) -> bytes:
    """The first bytes of an answer; one that trickles for ever is cut off."""
    found = b""
    while len(found) < _MOST_BYTES and time.monotonic() < until:
        piece = answer.read1(_MOST_BYTES - len(found))
        if not piece:
            break
        found += piece
    return found


def _socket(host: str, port: int, is_secret: bool, manners: Manners) -> socket.socket:
    """A connection to an address that has been looked at; the name is not resolved again after that."""
    known = network.found(host, port, may_ask=manners.may_ask)
    plain = network.connected(known, port, timeout_s=manners.timeout_s)
    return network.secured(plain, host=host) if is_secret else plain


def newest(session: Session) -> str:
    """The moment of the newest check, "" before the first."""
    return session.scalar(select(func.max(LinkCheck.checked_at))) or ""
