"""Alive, ready, and how it is doing: told to those who run it, in one word, and kept by nobody."""

import shutil
import time
from itertools import product

import pytest
from sqlalchemy import text

from layers import catalog, imports, store
from layers.jobs import states
from tests import make
from tests.webmap import site
from tests.webmap.test_tiles import LEAST, build, needs_tippecanoe, squares, with_watch_areas
from webmap.settings import Settings

TOKEN = "a-token-of-24-characters"
PATHS = ("/healthz", "/readyz", "/metrics")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A tiny country that is loaded, and a token; copied for each test."""
    home = tmp_path_factory.mktemp("whole")
    with site.a_site(make.an_instance(home / "tiny"), home / "state"):
        (home / "token").write_text(f"{TOKEN}\n", encoding="ascii")
    return home


@pytest.fixture
def token_file(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "home") / "token"


@pytest.fixture
def here(token_file):
    home = token_file.parent
    settings = Settings(instance=home / "tiny", state=home / "state", metrics_token_file=token_file)
    with site.an_app(settings) as app:
        yield app


def get(app, path, **headers):
    return app.test_client(use_cookies=False).get(path, headers=headers, buffered=True)


def meters(app, **headers):
    said = get(app, "/metrics", Authorization=f"Bearer {TOKEN}", **headers)
    assert said.status_code == 200
    told = (line.rpartition(" ") for line in said.text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, _, number in told}


def test_a_server_that_can_answer_is_alive_and_ready(here):
    assert [get(here, path).get_json() for path in PATHS[:2]] == [{"status": "alive"}, {"status": "ready"}]


@pytest.mark.parametrize("path", PATHS)
def test_health_is_kept_by_nobody_and_knows_no_language(here, path):
    said = get(here, path, **{"Accept-Language": "ru", "Authorization": f"Bearer {TOKEN}"})

    assert said.status_code == 200
    assert said.headers["Cache-Control"] == "no-store"
    assert not {"Location", "Set-Cookie", "ETag"} & {*said.headers.keys()}


def test_a_store_that_is_not_there_is_told_in_one_word(tmp_path):
    folder, state = make.an_instance(tmp_path / "tiny"), tmp_path / "state"
    with site.an_app(Settings(instance=folder, state=state)) as app:
        said = get(app, "/readyz")

        assert (said.status_code, said.headers["Retry-After"]) == (503, "10")
        assert said.get_json() == {"status": "not ready", "reason": "schema"}
        assert get(app, "/healthz").status_code == 200


def test_a_broken_store_is_told_without_where_it_lies(tmp_path):
    folder, state = make.an_instance(tmp_path / "tiny"), tmp_path / "state"
    state.mkdir()
    (state / "tiny.sqlite").write_bytes(b"This is no database." * 500)
    with site.an_app(Settings(instance=folder, state=state)) as app:
        assert get(app, "/readyz").get_json() == {"status": "not ready", "reason": "store"}


def test_an_older_schema_is_not_ready(here):
    with here.extensions["house"].engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))

    assert get(here, "/readyz").get_json()["reason"] == "schema"


def test_a_question_that_is_wrong_is_not_a_server_that_is_not_ready(here):
    assert get(here, "/readyz?known=nonsense").status_code == 400


def test_a_snapshot_that_cannot_be_taken_is_not_ready(here):
    with here.extensions["house"].engine.begin() as connection:
        connection.execute(text("ALTER TABLE body RENAME TO somebody"))

    assert get(here, "/readyz").get_json()["reason"] == "snapshot"


def test_to_be_ready_the_snapshot_follows_the_store(here):
    assert get(here, "/readyz").status_code == 200
    before = meters(here)
    with here.extensions["house"].engine.begin() as connection:
        connection.execute(text("UPDATE revision SET number = number + 5"))
    behind = meters(here)
    assert get(here, "/readyz").status_code == 200
    after = meters(here)

    held, stored = "turvakaart_snapshot_revision", "turvakaart_store_revision"
    assert before[held] == before[stored]
    assert behind[held] == before[held] < behind[stored]
    assert after[held] == after[stored] == behind[stored]
    assert after["turvakaart_snapshots_total"] == before["turvakaart_snapshots_total"] + 1


@needs_tippecanoe
def test_an_archive_that_is_damaged_is_not_ready(tmp_path):
    with_watch_areas(make.an_instance(tmp_path / "tiny"), squares())
    build(tmp_path / "tiny", tmp_path / "state")
    with site.a_site(tmp_path / "tiny", tmp_path / "state", tiles_from=LEAST) as app:
        assert get(app, "/readyz").status_code == 200
        (archive,) = app.extensions["house"].shelf.folder.glob("*.pmtiles")
        archive.write_bytes(archive.read_bytes()[:200])

        assert get(app, "/readyz").get_json() == {"status": "not ready", "reason": "archives"}


# --- Numbers


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Bearer a-token-of-24-character", f"Basic {TOKEN}", "Bearer ä"]
)
def test_who_brings_no_token_finds_no_numbers(here, said):
    assert get(here, "/metrics", **({"Authorization": said} if said else {})).status_code == 404


@pytest.mark.parametrize("token", [None, b"", b"short"])
def test_where_no_token_is_set_nobody_finds_numbers(here, token_file, token):
    if token is None:
        token_file.unlink()
    else:
        token_file.write_bytes(token)

    found = {get(here, "/metrics", Authorization=f"Bearer {one}").status_code for one in ("", "short", TOKEN)}
    assert found == {404}


def test_requests_are_told_by_rule_and_never_by_address(here):
    for path in ("/en/bodies/nobody", "/en/bodies/somebody-else", "/en/data", "/nowhere/at-all", "/x" * 50):
        get(here, path)
    here.test_client().open("/en/data", method="SECRET", buffered=True)
    told = meters(here)

    def requests(route, method, status):
        labels = f'method="{method}",route="{route}",status="{status}"'
        return told.get(f"turvakaart_requests_total{{{labels}}}")

    assert requests("/<language>/bodies/<key>", "GET", 404) == 2
    assert requests("/<language>/data", "GET", 200) == 1
    assert requests("none", "GET", 404) == 2
    assert requests("none", "other", 405) == 1
    assert told['turvakaart_request_seconds_count{route="/<language>/bodies/<key>"}'] == 2
    assert told["turvakaart_requests_in_work"] == 1
    assert told["turvakaart_store_up"] == 1
    assert told["turvakaart_imports"] > 0
    assert not [name for name in told if "somebody" in name or "SECRET" in name or "nowhere" in name]


def a_job(folder, number, state, **asked):
    """What a job leaves in its folder."""
    home = folder / f"{number:013d}-{number:016x}"
    home.mkdir(parents=True)
    states.write(home / states.JOB, {"state": state, "created": time.time()})
    states.write(home / states.REQUEST, asked)


def test_work_in_the_background_is_told_by_kind_and_state_whoever_asked_for_it(here, token_file):
    searches, steps = here.config["JOBS"], token_file.parent / "state" / "errands"
    assert not [name for name in meters(here) if name.startswith("turvakaart_jobs")]
    for number, state in enumerate((states.DONE, states.DONE, states.QUEUED)):
        a_job(searches, number, state)
    for number, (do, state) in enumerate(product(("fetch", "read", "examine", "write"), states.OVER)):
        a_job(steps, number, state, do=do, layer="villages", dataset="secret", account=number)
    a_job(steps, 90, states.QUEUED, do="write", account=1)
    a_job(steps, 91, states.DONE, do="write", account=2)
    a_job(steps, 92, states.DONE, do="of-another-version")
    a_job(steps, 93, states.DONE)
    told = meters(here)

    def named(kind, state):
        return f'turvakaart_jobs{{kind="{kind}",state="{state}"}}'

    imports = {f"import-{do}" for do in ("fetch", "read", "examine", "write")}
    wanted = {named(kind, state): 1 for kind in imports for state in states.OVER}
    wanted |= {named("siting", "done"): 2, named("siting", "queued"): 1}
    wanted |= {named("import-write", "queued"): 1, named("import-write", "done"): 2}
    assert {name: number for name, number in told.items() if name.startswith("turvakaart_jobs")} == wanted


def test_failures_of_the_store_are_counted_and_the_numbers_still_told(here):
    assert meters(here)["turvakaart_store_up"] == 1
    with here.extensions["house"].engine.begin() as connection:
        connection.execute(text("ALTER TABLE revision RENAME TO gone"))
    assert get(here, "/en/data").status_code == 500 or get(here, "/en/").status_code >= 500
    told = meters(here)

    assert told["turvakaart_store_up"] == 0
    assert told['turvakaart_store_errors_total{kind="OperationalError"}'] >= 1


def test_the_store_may_be_set_up_while_the_server_runs(tmp_path):
    folder, state = make.an_instance(tmp_path / "tiny"), tmp_path / "state"
    settings = Settings(instance=folder, state=state)
    with site.an_app(settings) as app:
        assert get(app, "/readyz").status_code == 503
        engine = store.open_store(settings.store_url("tiny"))
        imports.load(engine, catalog.read_instance(folder), now=make.moment(site.TODAY))
        engine.dispose()

        assert get(app, "/readyz").status_code == 200
