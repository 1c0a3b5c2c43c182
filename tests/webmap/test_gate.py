"""So many at once, so many who wait their turn, and nobody else: each lane, then the whole porch."""

import threading
import time

import pytest

from tests import make
from tests.webmap import site
from tests.webmap.served import until
from webmap import budgets, porch
from webmap.gate import Full, Gate, Lane
from webmap.logbook import Logbook


def waiting(lane, number):
    """Begins threads that want to enter, one after the other; returns who came in, in order."""
    came, threads = [], []
    for name in range(number):
        thread = threading.Thread(target=lambda name=name: (lane.enter(), came.append(name)), daemon=True)
        thread.start()
        threads.append(thread)
        until(lambda name=name: len(lane._queue) == name + 1)
    return came, threads


def test_who_waits_comes_in_one_by_one_in_the_order_of_coming():
    lane = Lane(at_once=1, waiting=3, patience_s=10)
    lane.enter()
    came, threads = waiting(lane, 3)

    for number in range(3):
        lane.leave()
        until(lambda number=number: len(came) == number + 1)
    for thread in threads:
        thread.join(10)

    assert came == [0, 1, 2]


def test_whoever_is_too_many_is_turned_away_at_once_and_never_overtakes():
    lane = Lane(at_once=1, waiting=1, patience_s=10)
    lane.enter()
    came, _ = waiting(lane, 1)
    begun = time.monotonic()

    with pytest.raises(Full) as reason:
        lane.enter()

    assert not reason.value.is_late
    assert time.monotonic() - begun < 1
    lane.leave()
    until(lambda: came == [0])


def test_who_has_waited_too_long_is_turned_away_and_leaves_no_place_behind():
    lane = Lane(at_once=1, waiting=1, patience_s=0.02)
    lane.enter()

    with pytest.raises(Full) as reason:
        lane.enter()

    assert reason.value.is_late
    lane.leave()
    lane.enter()
    with pytest.raises(Full):
        lane.enter()


def test_no_place_is_lost_and_none_is_given_twice():
    lane, inside, most, lost = Lane(at_once=3, waiting=5, patience_s=0.002), [], [], []

    def visit():
        for _ in range(200):
            try:
                lane.enter()
            except Full:
                lost.append(1)
                continue
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.0005)
            inside.pop()
            lane.leave()

    threads = [threading.Thread(target=visit) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert 0 < max(most) <= 3
    assert lost
    assert (lane._free, len(lane._queue)) == (3, 0)


def test_what_is_costly_leaves_its_place_to_those_who_read():
    gate = Gate.of(at_once=1, waiting=0, patience_s=0.01)
    costly = gate.enter()
    costly.move()

    reader = gate.enter()
    with pytest.raises(Full):
        gate.enter()
    with pytest.raises(Full):
        gate.enter(is_costly=True)
    costly.leave()
    costly.leave()
    reader.leave()

    assert (gate.quick._free, gate.costly._free) == (1, 1)


# --- The porch


@pytest.fixture
def guarded(tmp_path):
    """An application with room for one, whose answer for a place can be held; and what its log holds."""
    with site.a_site(make.an_instance(tmp_path / "tiny"), tmp_path / "state") as app:
        held, entered, lines = threading.Event(), threading.Event(), []
        answer = app.view_functions["api.answer"]

        def slow():
            entered.set()
            held.wait(20)
            return answer()

        app.view_functions["api.answer"] = slow
        gate = Gate.of(at_once=1, waiting=0, patience_s=0.01)
        porch.of(app).guard(gate, Logbook(is_whole=True, write=lines.append))
        yield app, gate, held, entered, lines
        held.set()


@pytest.fixture
def full(guarded):
    """The same while one request is in work."""
    app, _, held, entered, _ = guarded
    thread = threading.Thread(target=get, args=(app, "/api/answer?lat=58.5&lon=24.5"))
    thread.start()
    assert entered.wait(20)
    yield app
    held.set()
    thread.join(20)


def get(app, path, **options):
    return app.test_client(use_cookies=False).get(path, buffered=True, **options)


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/en/", "text/html", "More people are asking just now than can be answered."),
        ("/et/bodies/x", "text/html", '<html lang="et">'),
        ("/", "text/html", '<html lang="et">'),
        ("/static/map.js", "text/html", '<html lang="et">'),
        ("/api/answer?lat=58&lon=24&lang=en", "application/problem+json", "More people are asking"),
    ],
)
def test_whoever_is_too_many_is_told_so_and_when_to_come_back(full, path, kind, said):
    answer = get(full, path)

    assert (answer.status_code, answer.mimetype) == (503, kind)
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    assert said in answer.text


def test_health_is_told_however_many_ask(full):
    assert [get(full, path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 404]


def test_a_form_cannot_take_the_place_of_a_reader(full):
    said = full.test_client().post("/en/suggest/body/x", data={}, buffered=True)

    assert said.status_code != 503


def test_it_recovers_by_itself_and_gives_every_place_back(guarded, full):
    app, gate, held, _, lines = guarded
    assert get(app, "/en/data").status_code == 503
    held.set()
    until(lambda: gate.quick._free == 1)

    assert [get(app, path).status_code for path in ("/en/data", "/en/nothing", "/static/map.js")] == [
        *(200, 404, 200)
    ]
    assert (gate.quick._free, gate.costly._free) == (1, 1)
    assert any(b'"turned away"' in line for line in lines)


def test_a_costly_page_waits_in_its_own_lane(guarded):
    app, gate, *_ = guarded
    seat = gate.enter(is_costly=True)

    refused, read = get(app, "/en/gaps/seams"), get(app, "/en/data")
    seat.leave()

    assert (refused.status_code, refused.headers["Retry-After"], read.status_code) == (503, "10", 200)
    assert get(app, "/en/gaps/seams").status_code == 200
    assert (gate.quick._free, gate.costly._free) == (1, 1)


def test_a_surprise_gives_its_place_back(guarded, monkeypatch):
    app, gate, *_ = guarded
    monkeypatch.setattr("layers.places.editions", lambda _session: 1 / 0)

    assert get(app, "/en/data").status_code == 500
    assert gate.quick._free == 1


def test_every_address_with_a_budget_of_its_own_is_there(app):
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}

    unused = [start for start, _ in budgets._SEPARATE if not any(e.startswith(start) for e in endpoints)]
    assert unused == []
