"""What every answer says to a browser, whatever kind of answer it is and whoever asks."""

import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from waitress.server import create_server

from tests import make
from tests.webmap import desk, site
from tests.webmap.desk import Door, seal
from webmap.settings import Settings

KINDS = {
    "map": "/en/",
    "page": "/en/data",
    "part": "/en/bodies/west-station?part=1",
    "redirect": "/",
    "static": "/static/map.js",
    "static that is not there": "/static/nothing.js",
    "data": "/api/layers/police.geojson",
    "refused": "/en/?as_of=2018-13",
    "absent": "/en/bodies/nobody",
    "outside": "/nothing",
    "problem": "/api/layers/nothing.geojson",
    "worker": "/worker.js",
    "embedded": "/en/embed",
    "to sign in": "/en/account",
    "calendar": "/en/trainings.ics",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    root = tmp_path_factory.mktemp("headers")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        yield app


@pytest.fixture
def door(app):
    return Door(app)


@contextmanager
def serving(app):
    """The server of `turvakaart serve`, on a port of its own."""
    server = create_server(app, host="127.0.0.1", port=0, threads=1, ident=None)

    def run():
        with suppress(OSError):  # It is closed while it waits.
            server.run()

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    try:
        yield server
    finally:
        server.close()
        worker.join(5)


def calling(server):
    return socket.create_connection(("127.0.0.1", server.effective_port), timeout=10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_answer_says_what_a_browser_may_do_with_it(app, kind, scheme):
    headers = app.test_client().get(KINDS[kind], base_url=f"{scheme}://localhost", buffered=True).headers
    policy = headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "object-src 'none'" in policy
    assert "base-uri 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    is_data = KINDS[kind].startswith("/api/")
    assert headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if is_data else "same-origin")
    assert "camera=()" in headers["Permissions-Policy"]
    # Without credentials: what somebody signed in sees is read by no other site.
    assert headers.get("Access-Control-Allow-Origin") == ("*" if is_data else None)
    assert "Access-Control-Allow-Credentials" not in headers
    told = headers.get("Strict-Transport-Security")
    assert told == ("max-age=31536000; includeSubDomains" if scheme == "https" else None)
    assert not {"Server", "X-Powered-By"} & {*headers.keys()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_says_how_it_is_written(app, kind):
    answer = app.test_client().get(KINDS[kind], buffered=True)
    is_text = answer.mimetype.startswith("text/") and answer.data

    assert not is_text or "charset=utf-8" in answer.content_type


def test_behind_https_it_is_said_though_the_request_does_not_show_it(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    settings = Settings(instance=folder, state=tmp_path / "state", address="https://map.example")
    with site.an_app(settings) as app:
        headers = app.test_client().get("/static/map.js", buffered=True).headers

    assert headers["Strict-Transport-Security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    "path", ["/en/account", "/en/account/password", "/en/account/second-factor", "/en/edit"]
)
def test_what_somebody_signed_in_sees_is_kept_nowhere(door, path):
    headers = door.visitor(door.account()).get(path).headers

    assert headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in headers["Vary"]


def test_over_https_every_cookie_is_bound_to_this_host(door, monkeypatch):
    desk.quicken(monkeypatch)
    client = door.app.test_client()
    answer = client.get("/en/account/sign-in", base_url="https://localhost")
    cookies = answer.headers.getlist("Set-Cookie")

    assert len(cookies) == 2
    for cookie in cookies:
        flags = {part.strip() for part in cookie.split(";")[1:]}
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= flags
        assert not any(flag.startswith("Domain") for flag in flags)


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/en/", "/api/layers/police.geojson", "/static/map.js"])
def test_methods_that_nothing_needs_are_refused(door, method, path):
    client = door.visitor()
    answer = client.open(path, method=method, headers={"X-CSRF-Token": seal(client, "/en/account/sign-in")})

    assert answer.status_code == 405


@pytest.mark.parametrize(
    "path", ["/.git/config", "/static/", "/static/vendor/", "/webmap/settings.py", "/.env"]
)
def test_neither_folders_nor_sources_are_served(door, path):
    assert door.visitor().get(path, follow_redirects=True).status_code == 404


def test_the_server_names_no_program_and_debugs_nothing(app):
    with serving(app) as server, calling(server) as asked:
        asked.sendall(b"GET /static/map.js HTTP/1.0\r\n\r\n")
        head = asked.recv(65_536).split(b"\r\n\r\n")[0].lower()

    assert b"200 ok" in head
    assert b"\r\nserver:" not in head
    assert not app.debug
    assert not app.testing or app.config["PROPAGATE_EXCEPTIONS"] in (None, False)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /en/data HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /en/data HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"GET /en/data HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ],
)
def test_a_message_of_two_lengths_is_one_message_or_none(app, head):
    """What comes behind it is never taken for a second request of somebody else."""
    with serving(app) as server, calling(server) as asked:
        asked.sendall(head)
        asked.settimeout(2)
        answer = b""
        while b"HTTP/1." not in answer and (piece := asked.recv(65_536)):
            answer += piece

    assert int(answer.split()[1]) in (400, 403, 405, 501)
    assert answer.count(b"HTTP/1.1 200") == 0


def test_two_values_of_one_name_are_one(door):
    """Of a value that is given twice the first counts, in addresses as in forms."""
    client = door.visitor()

    assert client.get("/en/?as_of=2018-13&as_of=2018").status_code == 400
    assert client.get("/en/?as_of=2018&as_of=2018-13").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/layers/police.geojson", "/api/answer?lat=58.2&lon=24.25", "/api/openapi.json"]
)
def test_public_data_tells_nothing_of_who_is_signed_in(door, path):
    known, stranger = (client.get(path) for client in (door.visitor(door.account()), door.visitor()))

    assert known.headers["Access-Control-Allow-Origin"] == "*"
    assert known.data == stranger.data
    assert "Set-Cookie" not in known.headers
