"""Sources are asked politely: every kind of answer of a local server, and nothing private is ever asked."""

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from layers import linkcheck
from layers.linkcheck import Found, Manners
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
ROBOTS = "User-agent: *\nDisallow: /closed/\n"
PAGE = "<html><title>A village</title><h1>A village</h1></html>"
ANSWERS = {
    "/robots.txt": (200, "text/plain", ROBOTS),
    "/ok": (200, "text/html", PAGE),
    "/file.pdf": (200, "application/pdf", "%PDF"),
    "/bad": (404, "text/html", PAGE),
    "/gone": (410, "text/html", PAGE),
    "/broken": (500, "text/html", PAGE),
    "/refused": (403, "text/html", PAGE),
    "/soft": (200, "text/html", "<title>Lehte ei leitud</title>"),
    "/soft-en": (200, "text/html; charset=utf-8", "<body><h1 class='x'>404 – page</h1>"),
    "/about-404-roads": (200, "text/html", "<title>Roads</title><p>Road 404 is not found on old maps."),
    "/closed/page": (200, "text/html", PAGE),
    "/": (200, "text/html", PAGE),
}
MOVES = {
    "/moved": (301, "/ok"),
    "/moved-twice": (308, "/moved"),
    "/for-now": (302, "/ok"),
    "/home": (301, "/"),
    "/to-gone": (301, "/gone"),
    "/circle": (302, "/circle"),
    "/to-closed": (302, "/closed/page"),
    "/to-private": (302, "http://10.0.0.1/"),
    "/to-file": (302, "file:///etc/passwd"),
}


class Village(BaseHTTPRequestHandler):
    """A host with every kind of page; it remembers what it was asked, and how many at once."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        server = self.server
        with server.lock:
            server.asked.append((self.command, self.path, self.headers["User-Agent"], self.headers["Host"]))
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self.reply()
        finally:
            with server.lock:
                server.now -= 1

    do_GET = do_HEAD = answer

    def reply(self):
        if self.path == "/slow":
            time.sleep(1.2)
        if self.path == "/only-get" and self.command == "HEAD":
            return self.send(405, "text/plain", "")
        if self.path == "/flaky":
            self.server.tries += 1
            return self.send(*((503, "text/html", "") if self.server.tries < 3 else ANSWERS["/ok"]))
        if self.path in MOVES:
            status, to = MOVES[self.path]
            self.send_response(status)
            self.send_header("Location", to)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self.send(*ANSWERS.get(self.path, ANSWERS["/ok"]))

    def send(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def village():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Village)
    server.asked, server.lock, server.now, server.most, server.tries = [], threading.Lock(), 0, 0, 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def asked(village, *paths, **manners):
    base = f"http://127.0.0.1:{village.server_port}"
    quick = {"delay_s": 0, "timeout_s": 0.5, "retries": 0, "may_ask": lambda ip: ip == "127.0.0.1", **manners}
    urls = [path if "://" in path else base + path for path in paths]
    found = {one.url.removeprefix(base): one for one in linkcheck.check(urls, Manners(**quick))}
    assert len(found) == len(paths)
    return {path: (one.outcome, one.status, one.moved_to.removeprefix(base)) for path, one in found.items()}


WANTED = {
    "/ok": ("ok", 200, ""),
    "/file.pdf": ("ok", 200, ""),
    "/only-get": ("ok", 200, ""),
    "/bad": ("gone", 404, ""),
    "/gone": ("gone", 410, ""),
    "/broken": ("failing", 500, ""),
    "/refused": ("refused", 403, ""),
    "/soft": ("soft 404", 200, ""),
    "/soft-en": ("soft 404", 200, ""),
    "/about-404-roads": ("ok", 200, ""),
    "/slow": ("failing", None, ""),
    "/moved": ("moved", 200, "/ok"),
    "/moved-twice": ("moved", 200, "/ok"),
    "/for-now": ("ok", 200, ""),
    "/home": ("soft 404", 200, ""),
    "/to-gone": ("gone", 410, ""),
    "/circle": ("failing", 302, ""),
    "/closed/page": ("robots", None, ""),
    "/to-closed": ("robots", None, ""),
    "/to-private": ("private", None, ""),
    "/to-file": ("bad address", None, ""),
    "/küla lehed?q=õ ä": ("ok", 200, ""),
}


def test_every_kind_of_answer_is_told_apart(village):
    assert asked(village, *WANTED) == WANTED
    assert {agent for _, _, agent, _ in village.asked} == {linkcheck.AGENT}
    assert {host for *_, host in village.asked} == {f"127.0.0.1:{village.server_port}"}
    assert not any(path == "/closed/page" for _, path, *_ in village.asked)


def test_one_host_is_asked_one_thing_at_a_time_and_its_robots_once(village):
    asked(village, *(f"/page-{number}" for number in range(12)))

    assert village.most == 1
    assert Counter(path for _, path, *_ in village.asked)["/robots.txt"] == 1


def test_a_file_is_not_fetched_and_a_page_only_after_its_head(village):
    asked(village, "/file.pdf", "/ok")

    assert [(method, path) for method, path, *_ in village.asked if path != "/robots.txt"] == [
        ("HEAD", "/file.pdf"),
        ("HEAD", "/ok"),
        ("GET", "/ok"),
    ]


def test_a_host_that_stumbles_is_asked_again(village):
    assert asked(village, "/flaky", retries=2) == {"/flaky": ("ok", 200, "")}


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/ok",
        "http://localhost:{port}/ok",
        "http://[::1]:{port}/ok",
        "http://169.254.169.254/latest",
        "http://192.168.0.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]:{port}/ok",
        "http://[64:ff9b::7f00:1]:{port}/ok",
        "http://[2002:7f00:1::]:{port}/ok",
        "http://[ff02::1]:{port}/ok",
        "http://224.0.0.1:{port}/ok",
    ],
)
def test_private_addresses_are_never_asked(village, url):
    address = url.format(port=village.server_port)

    found = next(linkcheck.check([address], Manners(delay_s=0, timeout_s=0.5, retries=0)))

    assert found.outcome in ("private", "failing")  # Where a system has no IPv6, the name leads nowhere.
    assert village.asked == []


@pytest.mark.parametrize(
    "url", ["mailto:a@b.ee", "https://", "http://user:secret@example.org/", "http://example.org:port/", "x"]
)
def test_what_is_no_web_address_is_told(url):
    found = next(linkcheck.check([url], Manners(delay_s=0, retries=0)))

    assert found == Found(url, "bad address")


# --- What is kept


def test_sources_of_present_facts_are_asked_once_and_again_after_a_while(session):
    later = make.an_edition(session)
    make.a_body(session, source_url="https://x.test/b")
    make.a_body(session, source_url="https://x.test/b")
    make.a_body(session, source_url="https://x.test/old", retired_in=later)
    make.a_body(session, source_url="")
    make.a_case(session, sources=[{"title": "T", "url": "https://x.test/a", "date": ""}])

    assert linkcheck.addresses(session) == ["https://x.test/a", "https://x.test/b"]
    linkcheck.keep(session, Found("https://x.test/a", "ok", 200), now=NOW)
    week = (NOW - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert linkcheck.waiting(session, before=week) == ["https://x.test/b"]
    assert linkcheck.waiting(session, before="2026-11-23") == ["https://x.test/a", "https://x.test/b"]
    assert linkcheck.newest(session) == "2026-11-22T08:00:00Z"


def test_a_source_is_gone_only_after_failing_three_times_in_a_row(session):
    outcomes = []
    for outcome in ("failing", "failing", "ok", "failing", "failing", "failing"):
        linkcheck.keep(session, Found("https://x.test/", outcome), now=NOW)
        outcomes.append(make.everything(session)["link_check"][0][2])

    assert outcomes == ["failing", "failing", "ok", "failing", "failing", "gone"]
