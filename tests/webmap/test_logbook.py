"""What is written down tells what happened, and nothing of whoever asked: a sweep puts secrets everywhere."""

import json
import logging
import re
from urllib.parse import quote

import pytest
from sqlalchemy.exc import IntegrityError
from werkzeug.routing import IntegerConverter

from tests import make
from tests.webmap import site
from webmap import logbook, porch
from webmap.gate import Gate
from webmap.logbook import Lines, Logbook

PERSON, PLACE, SECRET, CODE = "kadri.tamm@vald.example", "58.38062,26.72509", "s3cr3t-t0ken", "48503152719"
LEAKS = re.compile(
    "|".join(map(re.escape, (*PERSON.split("@"), *PLACE.split(","), SECRET, CODE, "kadri", "203.0.113.77")))
)
SWEPT = f"{PERSON} {PLACE} {SECRET} {CODE}"
NAMES = (
    "q",
    "place",
    "lat",
    "lon",
    "at",
    "as_of",
    "known",
    "text",
    "plan",
    "next",
    "bbox",
    "role",
    "to",
    "x",
)
HEADERS = (
    *("Authorization", "Cookie", "Referer", "User-Agent", "Origin", "X-Forwarded-For", "X-Request-Id"),
    *("Accept-Language", "If-None-Match", "X-CSRF-Token", "Sec-Fetch-Site", "Accept", "X-Anything"),
)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A site that writes everything down, and its lines; Python's own records are kept as they were."""
    root, lines = tmp_path_factory.mktemp("log"), []
    with site.a_site(make.an_instance(root / "tiny"), root / "state", proxies=1) as app:
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(Lines().format(record).encode() + b"\n")
        app.logger.addHandler(handler)
        gate = Gate.of(at_once=4, waiting=4, patience_s=1)
        porch.of(app).guard(gate, Logbook(is_whole=True, write=lines.append))
        yield app, lines
        app.logger.removeHandler(handler)


@pytest.fixture
def ask(logged):
    """Asks once and returns the answer with what was written of it."""
    app, lines = logged
    lines.clear()

    def asked(path, method="GET", **options):
        said = app.test_client(use_cookies=False).open(path, method=method, buffered=True, **options)
        return said, [json.loads(line) for line in lines]

    return asked


def test_a_request_is_one_line_of_what_happened(ask):
    said, (line,) = ask("/en/bodies/nobody?as_of=2018", headers={"X-Request-Id": "AB" * 16})

    assert {name: line[name] for name in ("level", "event", "route", "method", "status", "request")} == {
        "level": "info",
        "event": "request",
        "route": "/<language>/bodies/<key>",
        "method": "GET",
        "status": 404,
        "request": "ab" * 16,
    }
    assert sorted(line) == sorted(
        ("event", "level", "method", "ms", "request", "route", "status", "time", "worker")
    )
    assert said.headers["X-Request-Id"] == "ab" * 16
    assert line["ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])


@pytest.mark.parametrize(
    "given",
    ["", CODE, PERSON, SECRET, "x" * 32, "ab" * 17, "ab" * 16 + "\n", f"{'ab' * 16} {PERSON}", "é" * 32],
)
def test_a_number_of_a_request_that_could_tell_anything_is_not_taken(given):
    made = logbook.number(given)

    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made not in (given, logbook.number(given))


def test_a_uuid_is_taken():
    assert logbook.number("123E4567-e89b-12d3-a456-426614174000") == "123e4567-e89b-12d3-a456-426614174000"


def swept(rule):
    """An address of a rule with secrets in each of its gaps and in every name of a query."""
    kinds = rule._converters.items()
    gaps = {name: 58 if isinstance(kind, IntegerConverter) else f"{PERSON}-{SECRET}" for name, kind in kinds}
    if "language" in gaps:
        gaps["language"] = "en"
    try:
        path = rule.build(gaps)[1]
    except ValueError:  # One of a few words; the language above is one too.
        path = re.sub(r"<[^>]+>", quote(SECRET), rule.rule)
    return f"{path}?{'&'.join(f'{name}={quote(SWEPT)}' for name in NAMES)}&{SECRET}={quote(PERSON)}"


def test_no_secret_reaches_the_log_by_whatever_way(logged, capfd):
    app, lines = logged
    lines.clear()
    headers = {name: "203.0.113.77" if name == "X-Forwarded-For" else SWEPT for name in HEADERS}
    asked = 0
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            data = dict.fromkeys((*NAMES, "name", "password", "email", "csrf_token"), SWEPT)
            client = app.test_client(use_cookies=False)
            options = {"data": data} if method == "POST" else {}
            client.open(swept(rule), method=method, headers=headers, buffered=True, **options)
            asked += 1
    client.open(f"/{SECRET}/{PERSON}", method="GET", headers=headers, buffered=True)
    client.open("/en/data", method=SECRET.upper(), buffered=True)
    written = b"".join(lines).decode()

    assert len(lines) >= asked > 90
    assert LEAKS.findall(written) == []
    assert LEAKS.findall("".join(capfd.readouterr())) == []


def test_a_failure_is_told_by_kind_and_place_and_not_by_its_text(logged, ask, monkeypatch):
    def fail(_session):
        try:
            raise ValueError(SECRET)
        except ValueError as error:
            raise RuntimeError(f"{PERSON} at {PLACE}") from error

    monkeypatch.setattr("layers.places.editions", fail)
    said, (failed, line) = ask(f"/en/data?{SECRET}={CODE}")
    ticket = site.see(said).text.partition("tell us the number ")[2][:8]

    assert failed["error"] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert any(place.startswith("webmap.pages:") for place in failed["at"])
    assert (failed["ticket"], failed["event"]) == (ticket, "ticket %s")
    assert (failed["request"], failed["route"]) == (line["request"], line["route"])
    assert (line["status"], line["level"]) == (500, "error")
    assert LEAKS.findall(json.dumps([failed, line])) == []


def test_a_failure_of_the_store_tells_no_row(logged, ask, monkeypatch):
    class Refused(Exception):
        sqlstate = "23505"

    def fail(_session):
        raise IntegrityError(
            f"INSERT … {SECRET}", {"name": PERSON}, Refused(f"Key (name)=({PERSON}) is there")
        )

    monkeypatch.setattr("layers.places.editions", fail)
    _, (failed, _) = ask("/en/data")

    assert (failed["error"][0], failed["code"]) == ("sqlalchemy.exc.IntegrityError", "23505")
    assert LEAKS.findall(json.dumps(failed)) == []


def test_records_of_libraries_lose_what_fills_their_gaps():
    record = logging.LogRecord("urllib3", logging.WARNING, "x.py", 1, "Retrying %s", (PERSON,), None)
    line = json.loads(Lines().format(record))

    assert (line["event"], line["logger"], line["level"]) == ("Retrying %s", "urllib3", "warning")


def test_only_failures_are_written_where_only_these_are_wanted():
    lines = []
    book = Logbook(is_whole=False, write=lines.append)
    for status in (200, 404, 500, 503):
        book.request(number="0", route="/", method="GET", status=status, took_s=0.1)

    assert [json.loads(line)["status"] for line in lines] == [500, 503]


def test_those_who_are_turned_away_are_one_line_a_second():
    lines = []
    book = Logbook(is_whole=True, write=lines.append)
    for _ in range(1000):
        book.turned_away()

    assert [json.loads(line)["count"] for line in lines] == [1]
