"""The quick path to an answer gives what the plain one gives, on any day, in any language, after imports."""

import gc
import json
import subprocess
import sys
import weakref
from random import Random

import pytest
from sqlalchemy import text

from layers import catalog, imports, store
from tests import make
from tests.webmap import site
from webmap import params, replies, workers
from webmap.settings import Settings

MOST_TAKEN = 3  # Snapshots that one process may hold: of now, and of requests that look back.
ROLE = {"key": "village", "label": {"en": "Village"}, "layer": "villages", "guide": "alpha"}

# --- What is kept


def questions(number):
    chance = Random(20_261_122)  # noqa: S311
    for _ in range(number):
        yield {
            "lat": f"{chance.uniform(57.4, 59.8):.5f}",
            "lon": f"{chance.uniform(21.5, 28.3):.5f}",
            "lang": chance.choice(["et", "en", "ru"]),
            **chance.choice(
                [{}, {"as_of": "2012-05-15"}, {"as_of": "2017-10"}, {"known": "2026-11-22T07:00:00Z"}]
            ),
        }


def plain(app, question):
    """The answer made of nothing that was kept, and written by Python itself."""
    replies._taken.cache_clear()
    replies._voices.cache_clear()
    with app.test_request_context("/api/answer", query_string=question):
        app.preprocess_request()
        shape = replies.asked(params.arguments())
        return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()


def test_the_quick_path_gives_the_bytes_of_the_plain_one(app, client):
    asked = [question for question in questions(16) if question.get("known") is None]
    asked += [{**asked[0], "known": "2026-11-22T23:00:00Z"}]
    wanted = [plain(app, question) for question in asked]
    for question in questions(150):
        client.get("/api/answer", query_string=question)

    found = [client.get("/api/answer", query_string=question).data for question in asked]

    assert len(set(found)) == len(asked)
    assert found == wanted


@pytest.fixture
def served(store_url, tmp_path):
    """A tiny country's folder, its settings, and the application over it, on either store."""
    folder = make.an_instance(tmp_path / "tiny", roles=[ROLE])
    settings = Settings(instance=folder, state=tmp_path / "state", database_url=store_url)
    engine = store.open_store(store_url)
    imports.load(engine, catalog.read_instance(folder), now=make.moment(site.TODAY))
    engine.dispose()
    with site.an_app(settings) as app:
        yield folder, settings, app


def names(client):
    found = client.get("/api/answer?lat=58.5&lon=24.5").get_json()
    return {one["name"] for role in found["roles"] for one in role["matches"]}


def setup_elsewhere(settings):
    """`turvakaart setup` in another process."""
    environment = {
        "WEBMAP_INSTANCE": str(settings.instance),
        "WEBMAP_STATE": str(settings.state),
        "WEBMAP_DATABASE_URL": settings.database_url,
    }
    line = [sys.executable, "-m", "webmap.cli", "setup"]
    subprocess.run(line, check=True, env=environment, capture_output=True, timeout=60)


@pytest.mark.slow
def test_an_import_in_another_process_shows_at_the_next_question(served):
    folder, settings, app = served
    client = app.test_client()
    before = names(client)
    old = min(before)

    make.replace(folder, "bodies/villages.csv", old, "Uus nimi")
    assert names(client) == before
    setup_elsewhere(settings)

    assert names(client) == before - {old} | {"Uus nimi"}


def test_what_was_known_earlier_is_let_go(served):
    app = served[2]
    client, seen = app.test_client(), []
    for _ in range(MOST_TAKEN + 3):
        with app.extensions["house"].engine.begin() as connection:
            connection.execute(text("UPDATE revision SET number = number + 1"))
        for language in ("et", "en"):
            client.get(f"/api/answer?lat=58.5&lon=24.5&lang={language}")
        with app.test_request_context("/"):
            seen.append(weakref.ref(replies.known()))
    gc.collect()

    alive = [known() for known in seen if known() is not None]

    assert alive[-1] is seen[-1]()
    assert len({id(known) for known in alive}) == len(alive) <= MOST_TAKEN


def test_what_is_kept_has_an_end_and_the_answers_stay(client, monkeypatch):
    asked = [question for question in questions(30) if question.get("known") is None]
    wanted = [client.get("/api/answer", query_string=question).data for question in asked]
    replies._voices.cache_clear()
    monkeypatch.setattr(replies, "_MOST_KEPT", 7)
    voices, voice = [], replies._voice
    monkeypatch.setattr(replies, "_voice", lambda today: voices.append(voice(today)) or voices[-1])

    assert [client.get("/api/answer", query_string=question).data for question in asked] == wanted
    assert len(voices) == len(asked)
    assert all(0 < len(one.rest) <= 7 for one in voices)
    assert all(len(one.matches) <= 7 for one in voices)
    assert any(one.matches for one in voices)


def test_an_answer_that_repeats_opens_no_session(served, monkeypatch):
    client = served[2].test_client()
    first = client.get("/api/answer?lat=58.5&lon=24.5").data
    monkeypatch.setattr(store, "reading", lambda *_, **__: pytest.fail("A session was opened."))

    assert client.get("/api/answer?lat=58.5&lon=24.5").data == first


# --- Several processes


def test_an_application_that_is_ready_to_fork_holds_no_connection(served):
    app = served[2]
    try:
        assert workers.warmed(app).extensions["house"].engine.pool.checkedin() == 0
    finally:
        gc.unfreeze()
    with app.test_request_context("/"):
        held = replies._taken.cache_info().hits
        replies.known()

    assert replies._taken.cache_info().hits == held + 1
