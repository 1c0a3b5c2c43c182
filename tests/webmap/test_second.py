"""The second step of signing in, proving again who one is, and being forgotten, as a browser does it."""

import re
from dataclasses import replace

import pyotp
import pytest
from click.testing import CliRunner

from layers import accounts, store
from layers.accounts import factors
from tests import make
from tests.webmap import desk, site
from tests.webmap.desk import SECRET, Door, enter, seal, send
from webmap import cli, seals
from webmap.settings import BadSecond, Settings

TYPED = re.compile(r"<code>([A-Z2-7 ]{39})</code>")
CODE = re.compile(r"<code>([A-Z2-7-]{29})</code>")
OFFER = re.compile(r'name="offer" value="([^"]+)"')
HALF = re.compile(r'name="half" value="([^"]+)"')
PAGE = "/en/account/second-factor"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    root = tmp_path_factory.mktemp("second")
    with site.a_site(make.an_instance(root / "tiny"), root / "state") as app:
        yield app


@pytest.fixture
def door(app):
    return Door(app)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    desk.quicken(monkeypatch)


def shown(door, secret):
    return pyotp.TOTP(secret).at(door.clock.now)


def turned_on(door, account):
    """A browser whose account has a second factor, its secret and recovery codes."""
    client = door.visitor(account)
    page = client.get(PAGE).text
    secret = TYPED.search(page)[1].replace(" ", "")
    sent = {"offer": OFFER.search(page)[1], "password": SECRET, "code": shown(door, secret)}
    answer = send(client, PAGE, **sent)
    codes = CODE.findall(answer.text)
    assert (answer.status_code, len(codes)) == (200, factors.CODES)
    return client, secret, codes


def half(client, name="the-steward"):
    """The seal of a right password, as the page of the second step carries it."""
    answer = enter(client, name)
    assert answer.status_code == 200
    return HALF.search(answer.text)[1]


def give(client, made, code):
    fields = {"csrf_token": seal(client, "/en/account/sign-in"), "half": made, "code": code}
    return client.post("/en/account/second", data=fields)


def is_in(client):
    return client.get("/en/account").status_code == 200


def test_a_password_alone_opens_nothing_any_more(door):
    _, secret, _ = turned_on(door, door.account())
    door.clock.pass_(minutes=2)
    client = door.visitor()
    made = half(client)
    assert not is_in(client)

    assert give(client, made, "000000").status_code == 422
    assert not is_in(client)
    assert give(client, made, shown(door, secret)).status_code == 303
    assert is_in(client)
    assert door.records()[-2:] == ["second_failed", "signed_in"]


def test_a_code_that_was_used_is_refused(door):
    _, secret, _ = turned_on(door, door.account())
    again = door.visitor()
    assert give(again, half(again), shown(door, secret)).status_code == 422, "it turned the factor on"

    door.clock.pass_(minutes=1)
    first, second = door.visitor(), door.visitor()
    assert give(first, half(first), shown(door, secret)).status_code == 303
    assert give(second, half(second), shown(door, secret)).status_code == 422


def test_a_recovery_code_stands_in_once(door):
    _, _, codes = turned_on(door, door.account())
    client, other = door.visitor(), door.visitor()

    assert give(client, half(client), codes[0].lower()).status_code == 303
    assert "7 recovery codes are left" in client.get(PAGE).text
    assert give(other, half(other), codes[0]).status_code == 422


def test_wrong_codes_are_counted_whatever_password_is_given_between(door):
    _, secret, _ = turned_on(door, door.account())
    door.clock.pass_(minutes=2)
    client = door.visitor()
    said = [give(client, half(client), "000000").status_code for _ in range(6)]

    assert said == [422] * 5 + [429]
    assert give(client, half(client), shown(door, secret)).status_code == 429
    door.clock.pass_(seconds=61)
    assert give(client, half(client), shown(door, secret)).status_code == 303


def test_the_half_way_is_of_one_browser_for_a_moment_and_cannot_be_made(door):
    _, secret, _ = turned_on(door, door.account())
    door.clock.pass_(minutes=2)
    client, thief = door.visitor(), door.visitor()
    made = half(client)
    thief.get("/en/account/sign-in")
    token = thief.get_cookie("session").value
    id = made.partition(".")[0]
    forged = seals.sealed(token, f"half {token}", f"{id}.{int(door.clock.now.timestamp())}")

    assert give(thief, made, shown(door, secret)).status_code == 400
    assert give(thief, forged, shown(door, secret)).status_code == 400
    assert give(client, made + "x", shown(door, secret)).status_code == 400
    door.clock.pass_(minutes=6)
    assert give(client, made, shown(door, secret)).status_code == 400


def test_a_forgotten_password_is_no_way_around(door):
    about = door.account()
    turned_on(door, about)
    with door.writing() as session:
        accounts.invite(session, about.id, token="t" * 43, now=door.clock())
    client = door.visitor()
    path = f"/en/account/invitation/{'t' * 43}"
    new = "kaheksa pikka puust redelit"

    assert send(client, path, new=new, again=new).location.endswith("/en/account/sign-in")
    assert not is_in(client)


@pytest.mark.parametrize("what", ["off", "codes"])
def test_the_factor_is_changed_only_with_password_and_code(door, what):
    client, secret, codes = turned_on(door, door.account())
    door.clock.pass_(minutes=1)

    assert send(client, PAGE, do=what, password="wrong", code=shown(door, secret)).status_code == 422
    assert send(client, PAGE, do=what, password=SECRET, code="123456").status_code == 422
    answer = send(client, PAGE, do=what, password=SECRET, code=codes[1])
    if what == "off":
        assert answer.status_code == 303
        assert "Open an app for such codes" in client.get(PAGE).text
    else:
        assert {*CODE.findall(answer.text)}.isdisjoint(codes)
    assert door.records()[-1] == f"second_{what}"


def test_a_secret_offered_to_another_is_not_taken(door):
    client = door.visitor(door.account())
    other = door.visitor(door.account(name="another-one"))
    page = other.get(PAGE).text
    secret = TYPED.search(page)[1].replace(" ", "")
    sent = {"offer": OFFER.search(page)[1], "password": SECRET, "code": shown(door, secret)}

    assert send(client, PAGE, **sent).status_code == 422
    assert "Turn it on" in client.get(PAGE).text


def test_what_the_store_keeps_opens_only_with_the_key_and_for_its_account(door):
    about = door.account()
    _, secret, _ = turned_on(door, about)
    with door.writing() as session:
        kept = factors.kept(session, about.id)
    here = door.app.extensions["signin"]

    assert secret not in kept
    assert here.unlock(f"second factor of {about.id}", kept) == secret
    assert here.unlock(f"second factor of {about.id + 1}", kept) is None
    assert seals.unlocked("k" * 43, f"second factor of {about.id}", kept) is None
    assert seals.unlocked("k" * 43, "x", "not base64!") is None


def test_where_the_role_needs_it_nothing_else_is_open_before(door):
    here = door.app.extensions["signin"]
    door.app.extensions["signin"] = replace(here, second_from="steward")
    try:
        client, reader = door.visitor(door.account()), door.visitor(door.account("reader"))
        away = client.get("/en/edit")

        assert (away.status_code, away.location) == (303, f"{PAGE}?next=/en/edit")
        assert client.get("/en/account").status_code == 200
        assert "Your role needs a second factor" in client.get(PAGE).text
        assert reader.get("/en/account").status_code == 200
        client, _, _ = turned_on(door, door.account(name="with-factor"))
        assert client.get("/en/edit").status_code == 200
    finally:
        door.app.extensions["signin"] = here


def test_a_role_that_is_none_is_told():
    with pytest.raises(BadSecond, match="WEBMAP_SECOND_FACTOR holds “boss”"):
        Settings.from_environment({"WEBMAP_SECOND_FACTOR": "boss"})


# --- Proving again


def test_who_may_do_what_is_changed_only_by_who_proved_it_lately(door):
    client = door.visitor(door.account("admin"))
    about = door.account(name="somebody")
    path = f"/en/account/all/{about.id}"
    assert client.get(path).status_code == 200

    door.clock.pass_(minutes=16)
    away = client.get(path)
    assert (away.status_code, away.location) == (303, f"/en/account/again?next={path}")
    assert send(client, "/en/account/again", password="wrong", next=path).status_code == 422
    before = client.get_cookie("session").value
    assert send(client, "/en/account/again", password=SECRET, next=path).location == path
    assert client.get_cookie("session").value != before
    assert client.get(path).status_code == 200


def test_a_form_that_comes_too_late_changes_nothing(door):
    client = door.visitor(door.account("admin"))
    about = door.account(name="somebody")
    path = f"/en/account/all/{about.id}"
    sealed = seal(client, path)
    door.clock.pass_(minutes=31)

    answer = client.post(path, data={"csrf_token": sealed, "do": "disable"})
    assert answer.location.startswith("/en/account/again")
    with door.writing() as session:
        assert not accounts.one(session, about.id).is_disabled


def test_sessions_are_ended_only_by_who_proved_it_lately(door):
    about = door.account()
    client, other = door.visitor(about), door.visitor(about)
    door.clock.pass_(minutes=31)

    assert send(client, "/en/account", end="others").location.startswith("/en/account/again")
    assert is_in(other)


def test_an_admin_turns_a_lost_factor_off(door):
    about = door.account()
    turned_on(door, about)
    admin = door.visitor(door.account("admin"))
    path = f"/en/account/all/{about.id}"
    assert "lost phone" in admin.get(path).text

    assert send(admin, path, do="unsecond").status_code == 303
    client = door.visitor()
    assert enter(client, "the-steward").status_code == 303


# --- Being forgotten


def told(app):
    """The whole file of the store, with its log."""
    file = store.file_of(app.extensions["house"].engine)
    parts = (file.with_name(f"{file.name}{end}") for end in ("", "-wal", "-shm"))
    return b"".join(part.read_bytes() for part in parts if part.exists())


def test_an_admin_erases_an_account_whose_name_was_typed(door, caplog):
    admin = door.visitor(door.account("admin"))
    about = door.account(name="kersti.kadunud@vald.ee")
    own = door.visitor(about)
    path = f"/en/account/all/{about.id}"
    send(own, "/en/account/sign-out", page="/en/account")
    assert b"kersti.kadunud" in told(door.app)

    assert send(admin, path, do="erase", name="somebody-else").status_code == 422
    answer = send(admin, path, do="erase", name=" Kersti.Kadunud@vald.ee")
    assert answer.status_code == 200, answer.text
    assert f"an erased account #{about.id}" in answer.text
    assert b"kersti" not in told(door.app).lower()
    assert "kersti" not in caplog.text.lower()
    for page in (f"{path}", "/en/account/all", "/en/account/record", "/en/editions"):
        assert "kersti" not in admin.get(page).text.lower()
    assert admin.get(path).status_code == 404
    assert "kersti" not in (door.app.config["STATE"] / "erased.csv").read_text(encoding="ascii")


def test_a_backup_that_is_older_does_not_bring_it_back(tmp_path, monkeypatch):
    folder, state = make.an_instance(tmp_path / "tiny"), tmp_path / "state"
    monkeypatch.setenv("WEBMAP_INSTANCE", str(folder))
    monkeypatch.setenv("WEBMAP_STATE", str(state))

    def run(*line, typed=""):
        done = CliRunner().invoke(cli.cli, line, input=typed)
        assert done.exit_code == 0, done.output
        return done.output

    run("setup")
    run("account", "add", "the-admin", "--label", "Admin", "--role", "admin", typed=f"{SECRET}\n")
    run("account", "add", "kersti@vald.ee", "--label", "Kersti K", typed=f"{SECRET}\n")
    run("backup", str(tmp_path / "old.backup"))
    assert "#2 is erased." in run("account", "erase", "kersti@vald.ee")
    assert "kersti" not in run("account", "list")
    assert "erased again: 1" in run("restore", str(tmp_path / "old.backup"), "--write")

    assert "kersti" not in run("account", "list")
    raw = b"".join(file.read_bytes() for file in state.glob("*.sqlite*"))
    assert b"kersti" not in raw.lower()
    run("account", "scrub")
    wrong = CliRunner().invoke(cli.cli, ["account", "erase", "nobody"])
    assert (wrong.exit_code, wrong.output) == (1, "Error: There is no such account.\n")
