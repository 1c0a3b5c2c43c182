"""The gazetteer of street addresses: what it says, and everything else that a far service may do."""

import json
import logging
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.webmap import site
from tests.webmap.site import look
from webmap import addresses
from webmap.addresses import Address, Gazetteer, Place

BOUNDS = (21.7, 57.5, 28.25, 59.75)
RIIA = {
    "ipikkaadress": "Tartu maakond, Tartu linn, Tartu linn, Riia tn 132",
    "viitepunkt_b": "58.362513",
    "viitepunkt_l": "26.70384",
    "adr_id": "1",
}
FOUND = Address(RIIA["ipikkaadress"], Place(lon=26.70384, lat=58.36251))


def rows(*found):
    return json.dumps({"host": "x", "addresses": list(found)}).encode()


class Far(ThreadingHTTPServer):
    """A gazetteer of this test: says `body`, slowly if `wait_s` or `drip_s` say so, and notes who asks."""

    daemon_threads = True
    status, kind, body, wait_s, drip_s = 200, "application/json", rows(RIIA), 0.0, 0.0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked, self.agents, self.at_once, self.most_at_once = [], [], 0, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}/gazetteer"

    def handle_error(self, *_):
        """One who asked and left is the wish of some tests."""


class _Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        far = self.server
        far.asked.append(parse_qs(urlsplit(self.path).query))
        far.agents.append(self.headers["User-Agent"])
        far.at_once += 1
        far.most_at_once = max(far.most_at_once, far.at_once)
        try:
            time.sleep(far.wait_s)
            self.send_response(far.status)
            self.send_header("Content-Type", far.kind)
            self.send_header("Content-Length", str(len(far.body)))
            self.end_headers()
            pieces = [far.body[i : i + 1] for i in range(len(far.body))] if far.drip_s else [far.body]
            for piece in pieces:
                self.wfile.write(piece)
                time.sleep(far.drip_s)
        finally:
            far.at_once -= 1

    def log_message(self, *_):
        pass


@pytest.fixture
def far():
    with Far() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def gazetteer(far, clock):
    return Gazetteer(far.url, bounds=BOUNDS, timeout_s=0.4, clock=clock)


# --- What it says


def test_an_address_is_found_with_its_point(gazetteer, far):
    answer = gazetteer.find("Riia 132 Tartu")

    assert answer == addresses.Answer((FOUND,), came=True)
    assert far.asked == [{"address": ["Riia 132 Tartu"], "results": ["10"]}]
    assert far.agents[0].startswith("Turvakaart")


@pytest.mark.parametrize(
    "row",
    [
        {**RIIA, "viitepunkt_b": "40.1"},
        {**RIIA, "viitepunkt_l": "-26"},
        {**RIIA, "viitepunkt_b": "nan"},
        {**RIIA, "viitepunkt_b": "inf"},
        {**RIIA, "viitepunkt_b": "6474000"},
        {**RIIA, "viitepunkt_b": ""},
        {**RIIA, "viitepunkt_b": None},
        {**RIIA, "viitepunkt_b": ["58"]},
        {**RIIA, "ipikkaadress": "  "},
        {**RIIA, "ipikkaadress": 7},
        {"ipikkaadress": "Kohata"},
        "text",
        None,
    ],
)
def test_what_is_elsewhere_or_unreadable_is_left_out_and_the_rest_stays(gazetteer, far, row):
    far.body = rows(row, RIIA)

    assert gazetteer.find("riia") == addresses.Answer((FOUND,), came=True)


def test_an_address_is_told_once_and_no_more_than_wanted(gazetteer, far):
    far.body = rows(RIIA, RIIA, *({**RIIA, "ipikkaadress": f"Riia tn {n}"} for n in range(20)))

    assert [one.name for one in gazetteer.find("riia", most=3).addresses] == [
        FOUND.name,
        "Riia tn 0",
        "Riia tn 1",
    ]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"addresses": []}', b'{"addresses": null}', b'{"error": "x"}', b"[]", b"7"]
)
def test_nothing_found_is_an_answer(gazetteer, far, body):
    far.body = body

    assert gazetteer.find("riia") == addresses.Answer((), came=True)


# --- What goes wrong


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "application/json", rows(RIIA)),
        (404, "text/html", b"<h1>gone</h1>"),
        (200, "text/html", b"<html>Maintenance</html>"),
        (200, "application/json", b""),
        (200, "application/json", b"\xff\xfe{"),
        (200, "application/json", rows(RIIA)[:-9]),
        (200, "application/json", b"[" * 100_000),
        (200, "application/json", b" " * 600_000 + rows(RIIA)),
    ],
    ids=["500", "404", "html", "empty", "bytes", "cut", "deep", "huge"],
)
def test_an_answer_that_is_none_is_no_trouble(gazetteer, far, status, kind, body):
    far.status, far.kind, far.body = status, kind, body

    assert gazetteer.find("riia") == addresses.Answer((), came=False)
    assert len(far.asked) == 1


@pytest.mark.parametrize(("wait_s", "drip_s"), [(5.0, 0.0), (0.0, 0.1)], ids=["waits", "drips"])
def test_a_slow_one_is_left_after_its_time(gazetteer, far, wait_s, drip_s):
    far.wait_s, far.drip_s = wait_s, drip_s
    begun = time.monotonic()

    assert gazetteer.find("riia") == addresses.Answer((), came=False)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/none", "not an address", "http://", "ftp://127.0.0.1/x"])
def test_one_that_cannot_be_reached_is_no_trouble(url):
    assert Gazetteer(url, bounds=BOUNDS, timeout_s=0.5).find("riia") == addresses.Answer((), came=False)


def test_after_a_failure_it_rests_and_is_asked_again(gazetteer, far, clock):
    far.status = 500
    gazetteer.find("riia")
    far.status = 200

    assert gazetteer.find("riia").came is False
    assert len(far.asked) == 1
    clock.now += 31
    assert gazetteer.find("riia").addresses == (FOUND,)


# --- How often it is asked


def test_without_a_gazetteer_and_for_a_few_letters_nobody_is_asked(gazetteer, far):
    assert Gazetteer("", bounds=BOUNDS).find("riia 132") == addresses.Answer((), came=True)
    assert [gazetteer.find(text) for text in ("", "ri", " - ")] == [addresses.Answer((), came=True)] * 3
    assert far.asked == []


def test_the_same_question_is_asked_once_an_hour(gazetteer, far, clock):
    for text in ("Riia 132", "riia 132", "RIIA 132"):
        assert gazetteer.find(text).addresses == (FOUND,)
    assert len(far.asked) == 1
    clock.now += 3601
    gazetteer.find("riia 132")

    assert len(far.asked) == 2


def test_no_more_than_thirty_questions_a_minute_leave_the_house(gazetteer, far, clock):
    came = [gazetteer.find(f"riia {number}").came for number in range(33)]
    clock.now += 61

    assert came == [True] * 30 + [False] * 3
    assert gazetteer.find("riia 99").came is True
    assert len(far.asked) == 31


def test_what_is_remembered_does_not_grow_for_ever(gazetteer, clock):
    for number in range(300):
        clock.now += 3
        gazetteer.find(f"riia {number}")

    assert len(gazetteer._known) == 256


def test_one_question_at_a_time_and_nobody_waits_for_another(gazetteer, far):
    far.wait_s = 0.2
    answers = []
    together = threading.Barrier(6)

    def ask(number):
        together.wait()
        answers.append(gazetteer.find(f"riia {number}").came)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert far.most_at_once == 1
    assert sorted(answers) == [False] * 5 + [True]


@pytest.mark.parametrize("status", [200, 500])
def test_what_a_person_types_is_never_logged(far, caplog, status):
    caplog.set_level(logging.DEBUG)
    far.status = status
    Gazetteer(far.url, bounds=BOUNDS).find("Salajane 7")
    Gazetteer("http://127.0.0.1:9/none", bounds=BOUNDS).find("Salajane 7")
    Gazetteer("not an address", bounds=BOUNDS).find("Salajane 7")

    assert caplog.records
    assert "salajane" not in caplog.text.casefold()


# --- On the page


@contextmanager
def a_visitor(estonia, state, url):
    settings = site.Settings(instance=estonia.folder, state=state, address_search=url)
    with site.an_app(settings) as app:
        yield app.test_client(use_cookies=False)


@pytest.fixture
def visitor(app, estonia, state, far):
    """A visitor to Estonia with this test's gazetteer; `app` has loaded the store."""
    with a_visitor(estonia, state, far.url) as client:
        yield client


def test_addresses_come_after_our_own_hits_with_their_source(visitor):
    page = look(visitor, "/en/search?q=tartu")

    assert page.text.index("Tartu county") < page.text.index("Addresses") < page.text.index(FOUND.name)
    assert "Source: In-ADS, Maa- ja Ruumiamet" in page.text
    assert "is sent to In-ADS, Maa- ja Ruumiamet as well" in page.text
    assert "/en/here?lat=58.36251&lon=26.70384" in page.links


def test_an_address_alone_is_found_too(visitor):
    page = look(visitor, "/en/search?q=qxqx+132")

    assert FOUND.name in page.text
    assert "Nothing has such a name" not in page.text


def test_suggestions_coordinates_and_an_empty_box_ask_nobody(visitor, far):
    for url in ("/api/search?q=riia+132", "/en/search?q=58.38,26.72", "/en/search?q=", "/en/search"):
        assert visitor.get(url).status_code in (200, 302)

    assert far.asked == []


def test_a_gazetteer_that_fails_leaves_our_own_hits(visitor, far):
    far.status = 500
    page = look(visitor, "/en/search?q=tartu")

    assert page.status == 200
    assert "Tartu county" in page.text
    assert "Street addresses cannot be asked just now." in page.text


def test_hostile_addresses_stay_text(visitor, far):
    names = [*site.HOSTILE.values(), '"><script>alert(1)</script>']
    far.body = rows(*({**RIIA, "ipikkaadress": name} for name in names))
    answer = visitor.get("/en/search?q=riia")
    page = site.see(answer)

    assert "<img src=x" not in answer.text
    assert "<script>" not in answer.text
    assert page.inline == []
    assert '<img src=x onerror="window.hacked=1">' in page.text
    assert "x" * 201 not in page.text


def test_without_one_the_page_says_nothing_of_addresses(client):
    text = look(client, "/en/search?q=tartu").text

    assert "ddress" not in text
