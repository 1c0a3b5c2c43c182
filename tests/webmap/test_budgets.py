"""Who asks too often waits, and nobody else: by address, by account, by kind of work, over all processes."""

import shlex
import shutil
import socket
import subprocess

import pytest
from flask import g

from tests import make
from tests.conftest import lacking
from tests.webmap import site
from tests.webmap.desk import Door
from tests.webmap.served import free_port, until
from webmap import budgets
from webmap.budgets import BadLimitsStore, Counts
from webmap.settings import BUDGETS, BadLimits, Settings, TooFew

FAR, OTHER = "203.0.113.7", "198.51.100.9"
RATES = (
    "every=4/minute search=2/minute gaps=1/minute files=1/minute send=2/minute import=3/hour account=5/minute"
)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    root = tmp_path_factory.mktemp("budgets")
    with site.a_site(make.an_instance(root / "tiny"), root / "state", limits=RATES, proxies=1) as app:
        yield app


@pytest.fixture(autouse=True)
def fresh(app):
    """Every test begins with whole budgets."""
    app.extensions["budgets"] = Counts(Settings(limits=RATES).budgets())


SHARED = {
    "redis": ("redis-server", "--port {port} --bind 127.0.0.1 --save '' --appendonly no"),
    "valkey": ("redis-server", "--port {port} --bind 127.0.0.1 --save '' --appendonly no"),
    "memcached": ("memcached", "-p {port} -l 127.0.0.1 -U 0 -u nobody"),
}
"""By the kind of its address, a server and how it is started. Redis stands in for Valkey, its kin."""


@pytest.fixture(scope="module", params=SHARED)
def shared(request, tmp_path_factory):
    """The address of a store that processes and hosts share."""
    program, options = SHARED[request.param]
    found = shutil.which(program)
    if found is None:
        lacking(request.config, f"There is no {program} here: install it to test limits that hosts share.")
    port = free_port()
    line = [found, *shlex.split(options.format(port=port))]
    with subprocess.Popen(
        line, cwd=tmp_path_factory.mktemp("shared"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            address = f"{request.param}://127.0.0.1:{port}"
            until(lambda: is_there(port))
            yield address
        finally:
            server.terminate()


def is_there(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def counting():
    """Makes counts, and closes their connections after the test."""
    made = []

    def make(*asked, **options):
        made.append(Counts(*asked, **options))
        return made[-1]

    yield make
    for one in made:
        one._shared.storage.storage.close()


def ask(app, path, address=FAR, method="GET", **headers):
    headers = {"X-Forwarded-For": address, **headers}
    return app.test_client(use_cookies=False).open(path, method=method, headers=headers, buffered=True)


def statuses(app, number, path, **options):
    return [ask(app, path, **options).status_code for _ in range(number)]


def test_who_asks_too_often_is_told_when_to_come_back(app):
    assert statuses(app, 4, "/en/data") == [200] * 4
    page, answer = ask(app, "/en/data"), ask(app, "/api/answer?lat=58.5&lon=24.5&lang=en")

    assert (page.status_code, answer.status_code) == (429, 429)
    assert 1 <= int(page.headers["Retry-After"]) <= 60
    assert site.see(page).headings == ["Too many requests"]
    assert f"Seconds: {page.headers['Retry-After']}." in site.see(page).text
    assert answer.mimetype == "application/problem+json"
    assert (answer.json["status"], answer.json["title"]) == (429, "Too many requests")
    assert page.headers["Cache-Control"] == "no-store"


def test_one_address_does_not_use_up_what_another_has(app):
    assert statuses(app, 5, "/en/data")[-1] == 429

    assert ask(app, "/en/data", OTHER).status_code == 200


def test_an_address_of_ipv6_is_counted_by_its_network(app):
    asked = [ask(app, "/en/data", f"2001:db8:1:2::{last}").status_code for last in range(1, 6)]

    assert asked == [200, 200, 200, 200, 429]
    assert ask(app, "/en/data", "2001:db8:1:3::1").status_code == 200


def test_the_address_is_the_one_that_the_trusted_proxy_saw(app):
    """What a visitor writes into the header himself stands further left, and is not believed."""
    asked = [ask(app, "/en/data", f"192.0.2.{last}, {FAR}").status_code for last in range(5)]

    assert asked == [200, 200, 200, 200, 429]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_computer_is_not_counted(app, address):
    assert statuses(app, 8, "/en/data", address=address) == [200] * 8


def test_what_is_costly_has_a_budget_of_its_own(app):
    assert statuses(app, 3, "/api/search?q=a") == [200, 200, 429]
    assert statuses(app, 2, "/en/gaps/seams") == [200, 429]
    assert statuses(app, 2, "/en/freshness.csv") == [200, 429]
    assert statuses(app, 3, "/en/cases/new", method="POST")[-1] == 429
    assert statuses(app, 1, "/en/data") == [200]


@pytest.mark.parametrize("path", ["/static/map.js", "/healthz", "/readyz", "/sw.js"])
def test_what_lies_ready_costs_nothing(app, path):
    assert statuses(app, 9, path) == [200] * 9


def test_an_account_is_counted_wherever_it_comes_from(app):
    door = Door(app)
    visitor = door.visitor(door.account("steward", password=""))
    found = [
        visitor.get("/en/edit", headers={"X-Forwarded-For": f"192.0.2.{last}"}).status_code
        for last in range(6)
    ]

    assert found == [200] * 5 + [429]


def test_who_asks_too_often_is_counted(app):
    statuses(app, 6, "/en/data")
    said = app.extensions["meters"].text().decode()

    assert float(said.partition('turvakaart_limited_total{budget="every"} ')[2].split()[0]) >= 2


# --- Counts


def test_processes_share_what_the_memory_grants():
    halves = Counts({"every": "5/minute"}, processes=2)

    assert [halves.spend("every", FAR) == 0 for _ in range(4)] == [True, True, True, False]


def test_processes_with_one_store_grant_the_whole_together(shared, counting):
    first, second = (counting({"every": "5/minute"}, shared, processes=2) for _ in range(2))

    granted = [one.spend("every", FAR) == 0 for one in (first, second) * 3]

    assert granted == [True] * 5 + [False]
    assert second.spend("every", OTHER) == 0


@pytest.mark.parametrize("kind", SHARED)
def test_a_store_that_does_not_answer_limits_less_and_refuses_nobody_else(app, kind, counting):
    counts = counting({"every": "4/minute"}, f"{kind}://127.0.0.1:1", processes=2)
    before = failures(app)
    with app.test_request_context("/"):
        granted = [counts.spend("every", FAR) == 0 for _ in range(3)]

    assert granted == [True, True, False]
    assert failures(app) == before + 1


def failures(app):
    said = app.extensions["meters"].text().decode()
    return float(said.partition('turvakaart_store_errors_total{kind="limits"} ')[2].split("\n")[0] or 0)


def test_a_shared_store_learns_no_address(app, shared, counting):
    app.extensions["budgets"] = counts = counting({"every": "4/minute"}, shared)
    with app.test_request_context("/"):
        g.language = "en"
        who = budgets._who(counts, FAR)

    assert FAR not in who
    assert len(who) == 43
    assert statuses(app, 5, "/en/data")[-1] == 429


@pytest.mark.parametrize("store", ["nonsense", "redis://host:port", "ftp://127.0.0.1", "sqlite://"])
def test_a_store_that_cannot_be_used_is_told_without_its_address(store):
    with pytest.raises(BadLimitsStore) as told:
        Counts({}, store)

    assert store not in str(told.value)


# --- Settings


def test_a_limit_is_changed_by_name_and_the_others_stay():
    assert Settings(limits="gaps=5/hour search=no").budgets() == {
        **{name: rate for name, rate in BUDGETS.items() if name != "search"},
        "gaps": "5/hour",
    }
    assert Settings(limits="no").budgets() == {}


@pytest.mark.parametrize(
    "limits", ["gaps", "gaps=", "gaps=0/minute", "gaps=5/week", "x=5/hour", "5/hour", "yes"]
)
def test_a_limit_that_is_none_is_refused_with_the_names(limits):
    with pytest.raises(BadLimits, match="every, search, gaps, files, import, send, account"):
        Settings(limits=limits)


def test_somebody_must_be_answered():
    with pytest.raises(TooFew, match="WEBMAP_AT_ONCE holds 0"):
        Settings(at_once=0)
