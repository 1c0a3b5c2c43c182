"""What a transfer does when servers refuse, break off, change, redirect or dawdle."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from layers.updates import fetch
from layers.updates.fetch import AskedToWait, BrokeOff, Client, Elsewhere, NoAnswer, Refused, TooBig, TooSlow
from tests.layers.official import Served, serving

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
BODY = bytes(range(256)) * 200
MOST = 10_000_000


@pytest.fixture
def server():
    with serving() as found:
        yield found


@pytest.fixture
def waits():
    return []


@pytest.fixture
def client(waits):
    return Client(now=lambda: NOW, pause_s=0.0, backoff_s=1.0, wait=waits.append, timeout_s=(2.0, 2.0))


def test_a_file_comes_whole_with_its_facts(server, client, tmp_path):
    server.files["/a.zip"] = Served(BODY, modified="Wed, 01 Apr 2026 00:00:00 GMT")

    found = client.get(f"{server.url}/a.zip", tmp_path / "in" / "a.zip", most_bytes=MOST)

    assert (tmp_path / "in" / "a.zip").read_bytes() == BODY
    assert (found.name, found.size, found.sha256) == ("a.zip", len(BODY), sha256(BODY).hexdigest())
    assert (found.etag, found.last_modified) == ('"1"', "Wed, 01 Apr 2026 00:00:00 GMT")
    assert (found.moment, found.is_new) == ("2026-11-22T08:00:00Z", True)
    assert server.asked[0][1]["User-Agent"] == fetch.AGENT
    assert sorted(file.name for file in (tmp_path / "in").iterdir()) == ["a.zip"]


def test_what_has_not_changed_is_not_sent_again(server, client, tmp_path):
    server.files["/a"] = Served(BODY)
    known = client.get(f"{server.url}/a", tmp_path / "kept" / "a", most_bytes=MOST)

    found = client.get(
        f"{server.url}/a", tmp_path / "new" / "a", most_bytes=MOST, known=known, held=tmp_path / "kept"
    )

    assert server.asked[1][1]["If-None-Match"] == '"1"'
    assert (found.is_new, found.sha256) == (False, known.sha256)
    assert (tmp_path / "new" / "a").read_bytes() == BODY


def test_what_was_changed_on_our_side_is_fetched_again(server, client, tmp_path):
    server.files["/a"] = Served(BODY)
    known = client.get(f"{server.url}/a", tmp_path / "kept" / "a", most_bytes=MOST)
    (tmp_path / "kept" / "a").write_bytes(b"spoilt")

    found = client.get(
        f"{server.url}/a", tmp_path / "new" / "a", most_bytes=MOST, known=known, held=tmp_path / "kept"
    )

    assert found.is_new
    assert (tmp_path / "new" / "a").read_bytes() == BODY


def test_a_transfer_that_breaks_off_goes_on_where_it_ended(server, client, tmp_path, waits):
    server.files["/a"] = Served(BODY, cuts=[20_000, 10_000])

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert (tmp_path / "a").read_bytes() == BODY
    ranges = [headers.get("Range") for _, headers in server.asked]
    assert ranges == [None, "bytes=20000-", "bytes=30000-"]
    assert len(waits) == 2
    assert waits[0] < waits[1]


def test_a_transfer_goes_on_in_another_run_too(server, client, tmp_path):
    server.files["/a"] = Served(BODY, cuts=[20_000])
    impatient = Client(now=lambda: NOW, pause_s=0.0, tries=1)
    with pytest.raises(BrokeOff):
        impatient.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)
    assert not (tmp_path / "a").exists()

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert server.asked[1][1]["Range"] == "bytes=20000-"
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_file_that_changed_under_way_begins_anew(server, client, tmp_path):
    served = server.files["/a"] = Served(BODY, cuts=[20_000])
    with pytest.raises(BrokeOff):
        Client(now=lambda: NOW, pause_s=0.0, tries=1).get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)
    served.body, served.etag = BODY[::-1], '"2"'

    found = client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert (tmp_path / "a").read_bytes() == BODY[::-1]
    assert found.etag == '"2"'


def test_nothing_goes_on_without_a_name_for_what_had_come(server, client, tmp_path):
    server.files["/a"] = Served(BODY, etag='W/"weak"', cuts=[20_000])

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert [headers.get("Range") for _, headers in server.asked] == [None, None]
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_longer_than_the_whole_is_thrown_away(server, client, tmp_path):
    served = server.files["/a"] = Served(BODY, cuts=[40_000], ignores_validator=True)
    with pytest.raises(BrokeOff):
        Client(now=lambda: NOW, pause_s=0.0, tries=1).get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)
    served.body = BODY[:30_000]

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert (tmp_path / "a").read_bytes() == BODY[:30_000]


@pytest.mark.parametrize(
    ("status", "said", "waited"),
    [(429, "7", 7.0), (503, "Sun, 22 Nov 2026 08:00:05 GMT", 5.0), (503, "0", 0.0)],
)
def test_a_server_that_asks_to_wait_is_waited_for(server, client, tmp_path, waits, status, said, waited):
    server.files["/a"] = Served(BODY, refusals=[(status, {"Retry-After": said})])

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert waits == [waited]
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_server_that_asks_for_an_hour_is_left_alone(server, client, tmp_path, waits):
    server.files["/a"] = Served(BODY, refusals=[(429, {"Retry-After": "3600"})])

    with pytest.raises(AskedToWait, match="in 3600 seconds"):
        client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert waits == []
    assert len(server.asked) == 1


def test_what_is_not_there_is_asked_once(server, client, tmp_path):
    with pytest.raises(Refused, match="status 404"):
        client.get(f"{server.url}/none", tmp_path / "a", most_bytes=MOST)

    assert len(server.asked) == 1


def test_a_server_that_stays_broken_is_given_up(server, client, tmp_path, waits):
    server.files["/a"] = Served(BODY, refusals=[(502, {})] * 9)

    with pytest.raises(Refused, match="status 502"):
        client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert len(server.asked) == client.tries
    assert len(waits) == client.tries - 1


def test_nobody_there_is_told(client, tmp_path):
    with pytest.raises(NoAnswer, match="did not answer, asked 5 times"):
        client.get("http://127.0.0.1:9/a", tmp_path / "a", most_bytes=MOST)


def test_a_redirect_is_followed(server, client, tmp_path):
    server.files |= {"/old": Served(b"", redirect="/new"), "/new": Served(BODY)}

    client.get(f"{server.url}/old", tmp_path / "a", most_bytes=MOST)

    assert (tmp_path / "a").read_bytes() == BODY


def test_more_than_may_come_does_not(server, client, tmp_path):
    server.files["/a"] = Served(BODY)

    with pytest.raises(TooBig):
        client.get(f"{server.url}/a", tmp_path / "a", most_bytes=1000)

    assert not (tmp_path / "a").exists()


def test_a_server_that_drips_is_given_up_and_what_came_is_kept(server, tmp_path):
    server.files["/a"] = Served(BODY, block_pause_s=0.05)
    client = Client(now=lambda: NOW, pause_s=0.0, most_s=0.2)

    with pytest.raises(TooSlow):
        client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert 0 < (tmp_path / "a.part").stat().st_size < len(BODY)


def test_a_file_of_no_told_length_comes_whole(server, client, tmp_path):
    server.files["/a"] = Served(BODY, is_chunked=True)

    client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert (tmp_path / "a").read_bytes() == BODY


def test_requests_to_one_host_keep_their_distance(server, tmp_path):
    server.files["/a"] = Served(b"a")
    time, waits = [100.0], []

    def wait(seconds):
        waits.append(seconds)
        time[0] += seconds

    client = Client(now=lambda: NOW, pause_s=3.0, clock=lambda: time[0], wait=wait)

    for _ in range(3):
        client.get(f"{server.url}/a", tmp_path / "a", most_bytes=MOST)

    assert waits == [3.0, 3.0]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"])
def test_a_redirect_does_not_lead_into_a_private_network(server, client, tmp_path, host, waits):
    port = server.url.rpartition(":")[2]
    server.files["/a"] = Served(BODY)
    server.files["/away"] = Served(b"", redirect=f"http://{host}:{port}/a")

    with pytest.raises(Elsewhere, match="a private network, which is not asked"):
        client.get(f"{server.url}/away", tmp_path / "a", most_bytes=MOST)

    assert [path for path, _ in server.asked] == ["/away"]
    assert waits == []
