"""Long steps of an import: they survive page, server and kill −9, tell how far they are; and addresses."""

import os
import re
import signal
import time
from dataclasses import replace

import pytest

from layers import jobs
from layers.jobs import states
from tests import make
from tests.layers.readers.services import items, wfs
from tests.webmap import site
from tests.webmap.desk import HIDDEN, Door, seal, send
from tests.webmap.test_health import TOKEN, meters
from tests.webmap.test_importing import ABOUT, MARK, fields_of, hand_in, names
from webmap import underway
from webmap.importing import patience

ROWS = 3000
LONG = "name,form,lat,lon,county,precision\n" + "".join(
    f"Watch {number},association,58.{number:05d},24.2{number % 10},01,settlement\n" for number in range(ROWS)
)
SHORT = "name,form,lat,lon,county,precision\nNorth watch,association,58.21,24.21,01,settlement\n"
posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")


@pytest.fixture
def folder(tmp_path):
    return make.an_instance(tmp_path / "tiny")


@pytest.fixture
def door(folder, tmp_path, store_url):
    with site.a_site(folder, tmp_path / "state", database_url=store_url, limits="no") as app:
        yield Door(app)


@pytest.fixture
def impatient(monkeypatch):
    """No page waits for a job, and every file counts as large."""
    monkeypatch.setattr(patience, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(patience, "_LONG_ROWS", 0)
    monkeypatch.setattr(underway, "is_small", lambda size, name: False)


def far(client, path):
    said = client.get(f"{path}/progress?part=1")
    assert said.status_code == 200, (said.headers, site.see(said).text)
    return said.json


def until(client, path, wanted, *, seconds=60):
    """What is told of the progress once it is as wanted."""
    end, told = time.monotonic() + seconds, None
    while time.monotonic() < end:
        if wanted(told := far(client, path)):
            return told
        time.sleep(0.01)
    raise AssertionError(told)


def arrived(client, path):
    """The address that follows when the step is done."""
    return until(client, path, lambda told: told["is_over"])["next"]


def token_of(said):
    return said.headers["Location"].removesuffix("/progress")


def examined(client, path):
    """Says yes to the columns; the page of findings once it is there."""
    page = client.get(path).text
    form = {**fields_of(page), "csrf_token": HIDDEN.search(page)[1], "do": "examine"}
    assert client.post(path, data=form).headers["Location"] == f"{path}/findings"
    client.get(f"{path}/findings")
    assert arrived(client, path) == f"{path}/findings"
    return client.get(f"{path}/findings").text


def begun(client, path, page, **fields):
    about = {"csrf_token": HIDDEN.search(page)[1], "plan": MARK.search(page)[1], **fields}
    return client.post(f"{path}/write", data=about)


def newest(door):
    """The folder of the job that was begun last."""
    folder = door.app.config["STATE"] / "errands"
    return folder / jobs.ids(folder)[-1]


def kill(door, who):
    os.kill(states.read(newest(door) / states.JOB)[who], signal.SIGKILL)


@pytest.mark.slow
def test_a_long_file_is_read_examined_and_written_in_the_background_and_told(door, steward, impatient):
    other = door.visitor(door.account(name="another", password=""))
    _, said = hand_in(steward, LONG)
    path = token_of(said)
    assert said.headers["Location"] == f"{path}/progress"
    waits = steward.get(f"{path}/progress")
    assert waits.status_code in (200, 303)
    assert arrived(steward, path) == path

    page = examined(steward, path)
    assert re.search(r"<dd>3[\s,.]?000</dd></div>", page)
    assert begun(steward, path, page).headers["Location"] == f"{path}/progress"
    stages, told, is_seen = set(), {"is_over": False}, False
    while not told["is_over"]:
        told = far(steward, path)
        stages |= {told["stage"]}
        is_seen = is_seen or "the-steward" in other.get("/en/import").text
    assert {"write"} <= stages <= {"", "begin", "read", "examine", "plan", "write", "settle"}
    assert told["next"].startswith("/en/editions/")
    assert is_seen, "by the other steward"

    assert len(names(door)) == len({*names(door)}) >= ROWS
    assert steward.get(f"{path}/progress").headers["Location"] == told["next"]
    assert path not in steward.get("/en/import").text  # What is written waits no longer.
    assert [one.name for one in (door.app.config["STATE"] / "inbox").glob("*/*") if one.is_dir()] == []
    assert "the-steward" not in other.get("/en/import").text


@posix
@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_nothing_half_and_can_begin_again(door, steward, impatient):
    before = names(door)
    path = token_of(hand_in(steward, LONG)[1])
    assert arrived(steward, path)
    page = examined(steward, path)
    begun(steward, path, page)
    until(steward, path, lambda told: told["stage"] in ("write", "settle") or told["is_over"])
    kill(door, "worker")

    assert arrived(steward, path) == f"{path}/findings"
    assert names(door) == before
    again = steward.get(f"{path}/findings")
    assert "Nothing was written" in site.see(again).text
    begun(steward, path, again.text)
    assert arrived(steward, path).startswith("/en/editions/")
    assert len(names(door)) == len(before) + ROWS


@posix
def test_a_step_whose_minder_is_gone_is_told_by_every_server_and_can_begin_again(
    door, steward, impatient, folder, tmp_path, store_url
):
    """As when the computer was started anew."""
    path = token_of(hand_in(steward, LONG)[1])
    until(steward, path, lambda told: told["stage"] or told["is_over"])
    kill(door, "minder")
    with site.an_app(replace(settings_of(door), instance=folder)) as app:
        second = app.test_client()
        second.set_cookie("session", steward.get_cookie("session").value)
        app.extensions["signin"] = door.app.extensions["signin"]
        until(second, path, lambda told: told["is_over"])
        said = second.get(f"{path}/progress")

    if said.status_code != 303:  # Else it was done before it was killed.
        assert "perhaps the server was started anew" in site.see(said).text
        assert send(steward, f"{path}/progress", do="again").status_code == 303
        steward.get(path)
    assert arrived(steward, path) == path, told_of(door)


def told_of(door):
    """All that a failing test can tell of the job that was begun last."""
    return [(one.name, one.read_text()) for one in sorted(newest(door).iterdir())]


def settings_of(door):
    from webmap.settings import Settings

    config = door.app.config
    return Settings(
        instance=config["INSTANCE"], state=config["STATE"], database_url=config["STORE"], limits="no"
    )


def test_an_edition_is_found_though_its_writer_could_not_say_so_any_more(door, steward, impatient):
    path = token_of(hand_in(steward, SHORT)[1])
    assert arrived(steward, path)
    begun(steward, path, examined(steward, path))
    home = newest(door)
    until_over = time.monotonic() + 30
    while states.read(home / states.JOB)["state"] != states.DONE and time.monotonic() < until_over:
        time.sleep(0.05)
    (home / "answer.json").unlink()
    states.write(home / states.JOB, {**states.read(home / states.JOB), "state": states.FAILED})

    assert arrived(steward, path).startswith("/en/editions/")
    assert "North watch" in names(door)


def test_a_step_is_stopped_and_begun_again_and_is_begun_once_by_two_pages(door, steward, impatient):
    path = token_of(hand_in(steward, LONG)[1])
    assert arrived(steward, path)
    page = steward.get(path).text
    form = {**fields_of(page), "csrf_token": HIDDEN.search(page)[1], "do": "examine"}
    steward.post(path, data=form)
    for _ in range(2):
        assert steward.get(f"{path}/findings").headers["Location"] == f"{path}/progress"
    assert len(jobs.ids(door.app.config["STATE"] / "errands")) == 2, "one to read, one to examine"
    assert send(steward, f"{path}/progress", do="cancel").status_code == 303
    until(steward, path, lambda told: told["is_over"])
    stopped = steward.get(f"{path}/progress")
    if stopped.status_code == 200:
        assert "It was stopped." in stopped.text
        assert steward.get(f"{path}/findings").headers["Location"] == f"{path}/progress"
        assert send(steward, f"{path}/progress", do="again").headers["Location"] == f"{path}/findings"
        steward.get(f"{path}/findings")

    assert arrived(steward, path) == f"{path}/findings"


def test_what_the_store_has_begun_to_take_is_not_stopped(tmp_path):
    (tmp_path / states.OPEN).touch()

    assert states.seal(tmp_path)
    assert states.seal(tmp_path)
    assert not (tmp_path / states.CANCEL).exists()
    (tmp_path / states.SEALED).rename(tmp_path / states.CANCEL)
    assert not states.seal(tmp_path)


def test_a_plan_that_somebody_else_has_changed_is_not_written_in_the_background_either(
    door, steward, impatient
):
    other = door.visitor(door.account(name="another", password=""))
    paths = {}
    for client, text in ((steward, SHORT), (other, SHORT.replace("58.21", "58.29"))):
        path = token_of(hand_in(client, text)[1])
        assert arrived(client, path)
        paths[client] = path, examined(client, path)
    begun(steward, *paths[steward])
    assert arrived(steward, paths[steward][0]).startswith("/en/editions/")
    path, page = paths[other]
    other.get(f"{path}/findings")
    arrived(other, path)

    begun(other, path, page)
    assert arrived(other, path) == f"{path}/findings"
    told = other.get(f"{path}/findings").text
    assert "somebody else has changed" in told
    begun(other, path, told)
    assert arrived(other, path).startswith("/en/editions/")


def test_progress_is_its_owners_alone(door, steward, impatient):
    path = token_of(hand_in(steward, SHORT)[1])
    other = door.visitor(door.account("admin", password=""))

    assert other.get(f"{path}/progress").status_code == 404
    assert send(other, f"{path}/progress", page="/en/import", do="cancel").status_code == 404
    assert arrived(steward, path) == path


def test_a_small_file_needs_no_page_that_tells_how_far_it_is(door, steward):
    path, said = hand_in(steward, SHORT)
    assert said.headers["Location"] == path
    page = steward.get(path).text
    form = {**fields_of(page), "csrf_token": HIDDEN.search(page)[1], "do": "examine"}
    steward.post(path, data=form)
    found = steward.get(f"{path}/findings")
    done = begun(steward, path, found.text)

    assert found.status_code == 200
    assert done.headers["Location"].startswith("/en/editions/")
    assert not (door.app.config["STATE"] / "errands").exists()


@pytest.mark.slow
def test_steps_are_told_to_those_who_run_the_server_and_tell_nothing_of_the_file(
    folder, tmp_path, store_url, impatient
):
    key = tmp_path / "token"
    key.write_text(TOKEN)
    made = site.a_site(
        folder, tmp_path / "state", database_url=store_url, limits="no", metrics_token_file=key
    )
    with made as app:
        door = Door(app)
        steward = door.visitor(door.account(password=""))
        path = token_of(hand_in(steward, SHORT)[1])
        assert arrived(steward, path) == path
        examined(steward, path)
        told = {name: number for name, number in meters(app).items() if "_jobs" in name}

    assert told == {
        'turvakaart_jobs{kind="import-read",state="done"}': 1,
        'turvakaart_jobs{kind="import-examine",state="done"}': 1,
    }


# --- By address


@pytest.fixture
def open_door(folder, tmp_path, request):
    """A site that may ask this computer, as its operator has said, for the services named in it."""

    def opened(*services, **changes):
        hosts = tuple(service.host for service in services)
        made = site.a_site(folder, tmp_path / "state", fetch_hosts=hosts, limits="no", **changes)
        door = Door(made.__enter__())
        request.addfinalizer(lambda: made.__exit__(None, None, None))
        return door, door.visitor(door.account(password=""))

    return opened


def named(client, address, **changes):
    """Gives an address; what comes of it."""
    about = {**ABOUT, "as_of": "", **changes, "address": address, "csrf_token": seal(client, "/en/import")}
    return client.post("/en/import", data=about, content_type="multipart/form-data")


def refusal(client, said):
    """What is told of an address that cannot be used, at once or after a while; then it is thrown away."""
    if said.status_code == 303:
        path = token_of(said)
        until(client, path, lambda told: told["is_over"])
        said = client.get(f"{path}/progress")
        send(client, path, page=f"{path}/progress", do="drop")
    return site.see(said).text


def collection(query):
    """Watches as an OGC API gives them."""
    return items(total=5, cap=2)(query).replace(b"nimi", b"name").replace(b"K", b"Watch ")


def test_a_collection_is_fetched_read_written_remembered_and_fetched_again(serve, open_door):
    listed = b'{"collections": [{"id": "watches", "title": "Watches"}, {"id": "other", "title": "Other"}]}'
    landing = b'{"links": [{"rel": "data", "href": "/api/collections"}]}'
    service = serve(
        {"/api": landing, "/api/collections": listed, "/api/collections/watches/items": collection}
    )
    _, client = open_door(service)

    said = named(client, f"{service.url}/api")
    path = token_of(said)
    until(client, path, lambda told: told["is_over"])
    asked = client.get(f"{path}/progress").text
    assert re.findall(r'<option value="(\w+)">', asked) == ["watches", "other"]
    chosen = send(client, f"{path}/progress", do="again", part="watches")
    assert arrived(client, path) == path, chosen
    page = client.get(path).text
    assert "<q>Watch 0</q>" in page
    form = {**fields_of(page), "csrf_token": HIDDEN.search(page)[1], "do": "examine"}
    client.post(path, data={**form, "same.form": "association", "same.precision": "settlement"})
    found = client.get(f"{path}/findings").text
    done = begun(client, path, found, leave_out="yes")
    assert done.status_code == 303, site.see(done).text

    told = client.get(done.headers["Location"]).text
    assert f"{service.url}/api" in told, "its source is where it came from"
    assert re.search(r"20\d\d", told)
    before = len(service.asked)
    form = client.get("/en/import?layer=villages&dataset=county-list").text
    assert f'value="{service.url}/api"' in form
    assert 'value="watches"' in form
    again = send(client, "/en/import", do="again", layer="villages", dataset="county-list")
    path = token_of(again)
    assert arrived(client, path) == path
    assert len(service.asked) > before
    fields = fields_of(client.get(path).text)
    assert (fields["column.name"], fields["same.form"]) == ("name", "association")


def test_a_wfs_with_one_layer_and_a_plain_file_come_at_once(serve, open_door):
    service = serve({"/ows": wfs(srs="4326"), "/list.csv": SHORT.encode()})
    _, client = open_door(service)

    for name in ("ows", "list.csv"):
        address = f"{service.url}/{name}"
        said = named(client, address, dataset=f"of-{name[:3]}")
        path = token_of(said)
        assert arrived(client, path) == path
        assert address in site.see(client.get(path)).text
    assert "North watch" in client.get(path).text


PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 270
BARE = b'<WFS_Capabilities version="2.0.0" xmlns="http://www.opengis.net/wfs/2.0"/>'


def test_each_failure_of_an_address_has_its_sentence_and_keeps_nothing(serve, open_door):
    service = serve(
        {
            "/refused": (403, {}, b"no"),
            "/busy": (503, {}, b"no"),
            "/picture": PICTURE,
            "/page": b"<html><body>Login</body></html>",
            "/wms": b'<WMS_Capabilities version="1.3.0"></WMS_Capabilities>',
            "/bare/wfs": BARE,
            "/empty/collections": b'{"collections": []}',
            "/inside": (302, {"Location": "http://169.254.169.254/latest"}, b""),
            "/large": (200, {"Content-Length": "2000000"}, b"a"),
        }
    )
    door, client = open_door(service, upload_mb=1)
    cases = {
        "/nothing": "There is nothing at the address",
        "/refused": "refuses to answer this server",
        "/busy": "cannot answer just now",
        "/picture": "is a picture and no data",
        "/page": "is a web page and no data",
        "/wms": "gives pictures of maps and no data",
        "/bare/wfs": "offers no layer",
        "/empty/collections": "offers no layer",
        "/inside": "lies in a private network",
        "/large": "sends more than 1 MB",
    }
    told = {}
    for place, sentence in cases.items():
        told[place] = sentence in refusal(client, named(client, f"{service.url}{place}"))

    assert [place for place, is_there in told.items() if not is_there] == []
    assert [*(door.app.config["STATE"] / "inbox").iterdir()] == []


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://127.0.0.1:1/x.csv", "lies in a private network"),
        ("http://localhost/x.csv", "lies in a private network"),
        ("http://user:secret@example.org/x.csv", "is no address that can be asked"),
        ("ftp://example.org/x.csv", "begins with https://"),
        ("file:///etc/passwd", "begins with https://"),
    ],
)
def test_what_may_not_be_asked_is_not(open_door, address, sentence):
    _, client = open_door()
    said = named(client, address)

    assert sentence in refusal(client, said)


def test_an_operator_switches_fetching_off(serve, open_door):
    service = serve({"/list.csv": SHORT.encode()})
    _, client = open_door(service, fetch=False)

    assert 'name="address"' not in client.get("/en/import").text
    said = named(client, f"{service.url}/list.csv")
    assert (said.status_code, "has not allowed it to fetch" in said.text) == (422, True)
    assert service.asked == []
