"""Addresses that somebody typed → bytes in a file, without becoming a tool against our own network.

Only http and https; every name is resolved here and each of its addresses must be public; the connection goes
to the very address that was checked, and so again after each redirect. Nothing packed is asked for, so that
what comes is as large as what is counted.
"""

import http.client
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from layers import network
from layers.errors import N_
from layers.jobs import progress
from layers.jobs.progress import Tell
from layers.readers.plain import MB, Unreadable

AGENT = "Turvakaart (community safety map; reads open data on request)"
_REDIRECTS = 5
_CHUNK = 1 << 16
_MOVED = (301, 302, 303, 307, 308)
_REFUSED, _GONE, _BUSY = (401, 403, 407), (404, 410), (429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Manners:
    """How an address may be asked: how long, for how much; `allowed` are private hosts (host:port)."""

    timeout_s: float = 30.0
    total_s: float = 600.0
    most_bytes: int = 500 * MB
    allowed: Collection[str] = ()
    pause_s: float = 0.2
    agent: str = AGENT


MANNERS = Manners()


def fetch(url: str, target: Path, *, manners: Manners, tell: Tell = progress.silent) -> str:
    """Writes what an address answers into a file; gives the address it came from in the end.

    It tells how many bytes have come.

    Raises:
        Unreadable: it may not or cannot be asked, answers with an error, too slowly, or with too much.
    """
    until = time.monotonic() + manners.total_s
    for _ in range(_REDIRECTS + 1):
        moved = _asked(url, target, manners, until, tell)
        if not moved:
            return url
        url = urljoin(url, moved)
    raise Unreadable(
        N_("The address “{url}” leads from one address to another without end. Look for the right one."),
        url=url,
    )


def _asked(url: str, target: Path, manners: Manners, until: float, tell: Tell) -> str:
    """One question. The address it was moved to, or "" when the answer was written."""
    connection, host, path = _connected(url, manners)
    try:
        headers = {"Host": host, "User-Agent": manners.agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        connection.request("GET", path, headers=headers)
        with connection.getresponse() as answer:
            if answer.status in _MOVED and (moved := answer.getheader("Location")):
                return moved
            if answer.status != 200:
                raise Unreadable(_of_status(answer.status), url=url, status=answer.status)
            _write(answer, target, url, manners, until, tell)
            return ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        text = N_("The address “{url}” does not answer, or breaks off. Try again later.")
        raise Unreadable(text, url=url) from error
    finally:
        connection.close()


def _of_status(status: int) -> str:
    if status in _GONE:
        return N_("There is nothing at the address “{url}” (answer {status}). Look for the right one.")
    if status in _REFUSED:
        return N_(
            "The address “{url}” refuses to answer this server (answer {status}). Fetch the file yourself, "
            "or ask its owner."
        )
    if status in _BUSY:
        return N_("The address “{url}” cannot answer just now (answer {status}). Try again later.")
    return N_("The address “{url}” answered with the error {status}. Check it in a browser.")


def too_much(url: str, manners: Manners) -> Unreadable:
    """What is said of an address that sends more than may be asked of it."""
    text = N_("The address “{url}” sends more than {most:,} MB. Ask it for less.")
    return Unreadable(text, url=url, most=manners.most_bytes // MB)


def _write(
    answer: http.client.HTTPResponse, target: Path, url: str, manners: Manners, until: float, tell: Tell
) -> None:
    size = 0
    expected = answer.length
    if expected is not None and expected > manners.most_bytes:
        raise too_much(url, manners)
    with target.open("wb") as stream:
        while chunk := answer.read1(_CHUNK):
            size += len(chunk)
            if size > manners.most_bytes:
                raise too_much(url, manners)
            if time.monotonic() > until:
                text = N_("The address “{url}” took longer than {most:.0f} seconds. Try again later.")
                raise Unreadable(text, url=url, most=manners.total_s)
            stream.write(chunk)
            tell(progress.FETCH, size, expected or 0)
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(b"", expected - size)


def _connected(url: str, manners: Manners) -> tuple[http.client.HTTPConnection, str, str]:
    """A connection to an address that was checked, the name to ask it for, and the path."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _bad(url) from None
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
        raise _bad(url)
    is_allowed = f"{host}:{port}" in manners.allowed
    try:
        found = network.found(host, port, may_ask=(lambda _: True) if is_allowed else network.is_public)
    except network.NoHost as error:
        text = N_("There is no host “{host}”. Check the address.")
        raise Unreadable(text, host=host) from error
    except network.NotPublic as error:
        text = N_("The address “{url}” lies in a private network, and is not asked. Fetch the file yourself.")
        raise Unreadable(text, url=url) from error
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="=&?/%:@!$'()*+,;~-._[]{}|")
    return (
        _Pinned(found, host, port, parts.scheme, manners),
        parts.netloc,
        path + (f"?{query}" if query else ""),
    )


def _bad(url: str) -> Unreadable:
    return Unreadable(
        N_("“{url}” is no address that can be asked. It begins with https:// or http://."), url=url[:200]
    )


class _Pinned(http.client.HTTPConnection):
    """A connection to the addresses that were checked: a second look-up could give others."""

    def __init__(self, found: list[str], host: str, port: int, scheme: str, manners: Manners) -> None:
        super().__init__(host, port, timeout=manners.timeout_s)
        self._found, self._is_tls, self._limit_s = found, scheme == "https", manners.timeout_s

    def connect(self) -> None:
        made = network.connected(self._found, self.port, timeout_s=self._limit_s)
        self.sock = network.secured(made, host=self.host) if self._is_tls else made
