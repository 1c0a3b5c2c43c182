"""A layer too big to be held in memory is part of the answer as if it were held."""

import pytest

from tests import make
from tests.layers.test_tiles import squares, with_watch_areas
from tests.webmap import site
from webmap import big, replies

PLACES = [
    {"lat": 58.315, "lon": 24.315},  # In a watch area.
    {"lat": 58.335, "lon": 24.315},  # Between two of them.
    {"lat": 58.3, "lon": 24.3},  # On the corner of one.
    {"lat": 58.315, "lon": 24.595},  # In one that began in 2020.
]


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    home = tmp_path_factory.mktemp("huge")
    folder = with_watch_areas(make.an_instance(home / "tiny"), squares())
    rows = [
        {"key": "watchers", "name": "Valvurid", "form": "association", "serves": "watch_area:w000"},
        {"key": "later", "name": "Hilisemad", "form": "association", "serves": "watch_area:w007"},
    ]
    make.write(folder, "bodies/villages.csv", make.bodies_csv(rows))
    make.replace(folder, "cases/first-case.et.md", "\n- first-village", "")
    with site.a_site(folder, home / "state", tiles_from=20) as app:
        yield app.test_client(use_cookies=False)


def answers(client):
    return [
        client.get("/api/answer", query_string={**place, "as_of": day, "lang": "en"}).get_json()
        for place in PLACES
        for day in ("2019-06", "2021")
    ]


def test_its_areas_and_who_is_responsible_for_them_are_told_all_the_same(client, monkeypatch):
    held = answers(client)
    monkeypatch.setattr(big, "_HELD", 30)
    replies._taken.cache_clear()

    unheld = answers(client)

    with client.application.test_request_context("/"):
        assert big.huge() == {"watch_areas"}
        assert not any(area.kind == "watch_area" for area in replies.known().areas)
    replies._taken.cache_clear()
    assert unheld == held
    told = {
        (match["key"], match["area"], match["why"])
        for answer in unheld
        for role in answer["roles"]
        for match in role["matches"]
        if match["why"] == "inside"
    }
    assert told == {("watchers", "watch_area:w000", "inside"), ("later", "watch_area:w007", "inside")}
