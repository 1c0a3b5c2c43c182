"""Signing in: who gets in, who waits, what a form needs, and what nobody else notices."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from layers import accounts, store
from tests import make
from tests.conftest import STORES
from tests.webmap import desk, site
from tests.webmap.desk import SECRET, Door, enter, seal, send
from webmap import seals
from webmap.settings import Settings

WRONG = "The name or the password is wrong."


@pytest.fixture(scope="module", params=STORES)
def signin_app(request, tmp_path_factory):
    """A tiny country on each store."""
    root = tmp_path_factory.mktemp("signin")
    server = request.getfixturevalue("postgis") if request.param == "postgis" else None
    url = server.create() if server else ""
    with site.a_site(make.an_instance(root / "tiny"), root / "state", database_url=url) as app:
        yield app
    if server:
        server.drop(url)


@pytest.fixture
def door(signin_app):
    return Door(signin_app)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """argon2 with little to do; that it has enough elsewhere is shown in tests/layers."""
    desk.quicken(monkeypatch)


def is_in(client):
    return client.get("/en/account").status_code == 200


# --- In and out


def test_one_signs_in_and_out_by_the_form_alone(door):
    door.account(name="mari@vald.ee")
    client = door.visitor()
    answer = enter(client, " Mari@Vald.EE ", next="/en/gaps/cover?role=police")

    assert (answer.status_code, answer.location) == (303, "/en/gaps/cover?role=police")
    assert is_in(client)
    assert "Label mari@vald.ee" in client.get("/en/account").text
    assert send(client, "/en/account/sign-out", page="/en/account").status_code == 303
    assert not is_in(client)
    assert door.records() == ["added", "password", "signed_in", "signed_out"]


def test_a_session_of_one_worker_is_known_to_another(door):
    one = door.account()
    client = door.visitor(one)
    house = door.app.extensions["house"]
    settings = Settings(
        instance=house.instance.folder,
        state=door.app.config["JOBS"].parent,
        database_url=house.engine.url.render_as_string(hide_password=False),
    )
    with site.an_app(settings) as other:
        other.extensions["signin"] = door.app.extensions["signin"]
        elsewhere = other.test_client()
        elsewhere.set_cookie("session", client.get_cookie("session").value)
        assert is_in(elsewhere)
        send(client, "/en/account/sign-out", page="/en/account")
        assert not is_in(elsewhere)


def test_the_token_changes_when_one_signs_in(door):
    door.account()
    client = door.visitor()
    client.get("/en/account/sign-in")
    before = client.get_cookie("session").value
    enter(client, "the-steward")
    first = client.get_cookie("session").value
    enter_again = door.visitor()
    enter_again.set_cookie("session", first)
    enter_again.post(
        "/en/account/sign-in",
        data={"csrf_token": seal(client, "/en/account"), "name": "the-steward", "password": SECRET},
    )

    assert len({before, first, enter_again.get_cookie("session").value}) == 3
    assert not is_in(client), "the older session of the same browser has ended"
    assert is_in(enter_again)


def test_a_token_that_a_stranger_chose_opens_nothing(door):
    door.account()
    client = door.visitor()
    client.set_cookie("session", "A" * 43)
    enter(client, "the-steward")

    assert client.get_cookie("session").value != "A" * 43
    stranger = door.visitor()
    stranger.set_cookie("session", "A" * 43)
    assert not is_in(stranger)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 42 + "'", "ä" * 43, "A" * 4000])
def test_a_cookie_that_is_none_is_nobody(door, token):
    client = door.visitor()
    client.set_cookie("session", token)

    assert client.get("/en/account").status_code == 303


def test_a_session_is_over_after_an_hour_without_a_request(door):
    client = door.visitor(door.account())
    for _ in range(5):
        door.clock.pass_(minutes=50)
        assert is_in(client)
    door.clock.pass_(minutes=61)

    assert not is_in(client)


def test_a_session_is_known_also_while_nobody_can_write(door, monkeypatch):
    client = door.visitor(door.account())
    door.clock.pass_(minutes=50)

    def locked(*_args, **_more):
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    with monkeypatch.context() as patch:
        patch.setattr("layers.store.writing", locked)
        assert is_in(client)
        said = send(client, "/en/account/sign-out", page="/en/account")
    assert (said.status_code, said.headers["Retry-After"]) == (503, "10")
    assert is_in(client)


def test_a_session_is_over_after_twelve_hours_in_any_case(door):
    client = door.visitor(door.account())
    for _ in range(14):
        door.clock.pass_(minutes=50)
        assert is_in(client)
    door.clock.pass_(minutes=50)

    assert not is_in(client)


def test_the_cookie_is_closed_and_over_https_bound_to_this_host(door):
    plain = door.visitor().get("/en/account/sign-in").headers.getlist("Set-Cookie")[-1]
    secure = door.visitor().get("/en/account/sign-in", base_url="https://localhost").headers
    closed = secure.getlist("Set-Cookie")[-1]

    assert plain.startswith("session=")
    assert plain.endswith("; HttpOnly; Path=/; SameSite=Lax")
    assert closed.startswith("__Host-session=")
    assert closed.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")
    assert "Domain" not in plain + closed


def test_behind_a_proxy_only_its_word_is_believed(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    told = {"X-Forwarded-Proto": "https"}
    for proxies, name in ((0, "session"), (1, "__Host-session")):
        with site.a_site(folder, tmp_path / "state", proxies=proxies) as app:
            cookie = (
                app.test_client().get("/en/account/sign-in", headers=told).headers.getlist("Set-Cookie")[-1]
            )
        assert cookie.startswith(f"{name}=")


@pytest.mark.parametrize(
    "onward",
    [
        *("https://evil.example", "//evil.example", "/en//evil.example", "/\\evil.example", "/en/\\evil"),
        *("javascript:alert(1)", "/en/\r\nX: y", "/etc/passwd", "/en/" + "x" * 600),
    ],
)
def test_one_is_sent_on_to_no_other_site(door, onward):
    door.account()
    answer = enter(door.visitor(), "the-steward", next=onward)

    assert answer.location == "/en/account"


# --- Who does not get in


@pytest.mark.parametrize("kind", ["wrong", "unknown", "disabled", "invited", "empty"])
def test_every_refusal_is_the_same(door, kind):
    one = door.account(password="" if kind == "invited" else SECRET)
    if kind == "disabled":
        with door.writing() as session:
            accounts.disable(session, one.id, now=door.clock())
    name = "nobody" if kind == "unknown" else one.name
    client = door.visitor()
    said = enter(client, name, {"wrong": "another one of these", "empty": ""}.get(kind, SECRET))

    assert said.status_code == 422
    assert site.see(said).text.count(WRONG) == 1
    assert said.text.replace(name, "").count("the-steward") == 0
    assert not is_in(client)


@pytest.mark.parametrize("name", ["the-steward", "nobody"])
def test_after_five_tries_one_waits_whoever_it_is(door, name):
    door.account()
    client = door.visitor()
    said = [enter(client, name, "another one of these").status_code for _ in range(6)]
    waits = enter(client, name)

    assert said == [422] * 5 + [429]
    assert (waits.status_code, waits.headers["Retry-After"]) == (429, "30")
    assert "Too many tries in vain. The next one is possible in 1 min." in site.see(waits).text
    door.clock.pass_(seconds=30)
    assert enter(client, name).status_code == (303 if name == "the-steward" else 422)


def test_a_right_password_ends_the_count_of_its_name(door):
    door.account()
    client = door.visitor()
    for _ in range(3):
        said = [enter(client, "the-steward", "another one of these").status_code for _ in range(4)]
        assert said == [422] * 4
        assert enter(client, "the-steward").status_code == 303
        send(client, "/en/account/sign-out", page="/en/account")


def test_one_address_waits_also_with_ever_new_names(door, monkeypatch):
    monkeypatch.setattr("layers.accounts.passwords.matches", lambda kept, _password: kept and False)
    door.account()
    client = door.visitor()
    said = [enter(client, f"name-{at}", "another one of these").status_code for at in range(32)]
    client_elsewhere = door.visitor()
    client_elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"

    assert said == [422] * 30 + [429] * 2
    assert enter(client_elsewhere, "name-1", "another one of these").status_code == 422


def test_no_address_and_no_unknown_name_is_kept(door):
    client = door.visitor()
    client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    enter(client, "somebody@else.example", "another one of these")
    with store.reading(door.app.extensions["house"].engine, srid=make.SRID) as session:
        kept = repr(make.everything(session))

    assert "failed" in kept
    assert "192.0.2" not in kept
    assert "somebody" not in kept


# --- Forms


@pytest.mark.parametrize("made", ["missing", "empty", "foreign", "cut"])
def test_a_form_needs_the_seal_of_its_own_browser(door, made):
    door.account()
    client, other = door.visitor(), door.visitor()
    own, foreign = seal(client, "/en/account/sign-in"), seal(other, "/en/account/sign-in")
    fields = {"name": "the-steward", "password": SECRET}
    fields |= {"missing": {}, "empty": {"csrf_token": ""}, "foreign": {"csrf_token": foreign}}.get(
        made, {"csrf_token": own[:-1]}
    )
    said = client.post("/en/account/sign-in", data=fields)

    assert said.status_code == 403
    assert "This form is too old" in site.see(said).text
    assert not is_in(client)
    assert client.post("/en/account/sign-in", data={**fields, "csrf_token": own}).status_code == 303


def test_a_seal_without_a_cookie_is_none(door):
    """Else everybody could make one: its key would be the empty text."""
    client = door.visitor(use_cookies=False)
    made = seals.sealed("", "form", "0011223344556677")
    said = client.post("/en/account/sign-in", data={"csrf_token": made, "name": "x", "password": "y"})

    assert said.status_code == 403


def test_no_two_seals_are_the_same_text(door):
    client = door.visitor()

    assert seal(client, "/en/account/sign-in") != seal(client, "/en/account/sign-in")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.proxy"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
    ],
)
def test_another_site_sends_no_form(door, headers, status):
    door.account()
    client = door.visitor()
    fields = {"csrf_token": seal(client, "/en/account/sign-in"), "name": "the-steward", "password": SECRET}

    assert client.post("/en/account/sign-in", data=fields, headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/en/cases/new", "/en/gaps/siting"])
def test_public_forms_need_no_cookie_but_a_page_of_this_site(door, path):
    client = door.visitor(use_cookies=False)
    own = client.post(path, data={"cancel": "0" * 8})
    foreign = client.post(path, data={"cancel": "0" * 8}, headers={"Origin": "https://evil.example"})

    assert own.status_code != 403
    assert (foreign.status_code, "from a page of this site" in foreign.text) == (403, True)
    assert [one for one in own.headers.getlist("Set-Cookie") if not one.startswith("language=")] == []


# --- Nobody else notices


@pytest.mark.parametrize(
    "path", ["/en/", "/en/data", "/en/layers/", "/api/layers/villages.geojson", "/en/cases/new"]
)
def test_public_pages_are_the_same_for_everybody(door, path):
    one = door.visitor(door.account("admin"))
    stranger = door.visitor()
    signed, plain = one.get(path), stranger.get(path)

    assert plain.status_code == 200
    assert signed.data == plain.data
    assert signed.headers.get("Cache-Control") == plain.headers.get("Cache-Control")
    assert "no-store" not in plain.headers.get("Cache-Control", "")
    assert [one for one in plain.headers.getlist("Set-Cookie") if not one.startswith("language=")] == []


@pytest.mark.parametrize("path", ["", "/sign-in", "/password", "/all", "/record", "/invitation/nothing"])
def test_pages_of_accounts_are_kept_by_nobody(door, path):
    client = door.visitor(door.account("admin"))
    for visitor in (client, door.visitor()):
        said = visitor.get(f"/en/account{path}")
        assert "no-store" in said.headers["Cache-Control"]


# --- One's own account


def test_another_password_ends_the_other_sessions_and_renews_this_one(door):
    one = door.account()
    here, elsewhere = door.visitor(one), door.visitor(one)
    before, new = here.get_cookie("session").value, "seitse maad ja merd"
    page = "/en/account/password"
    wrong = send(here, page, password="another one of these", new=new, again=new)
    short = send(here, page, password=SECRET, new="short", again="short")
    unequal = send(here, page, password=SECRET, new=new, again=new + "!")

    assert [said.status_code for said in (wrong, short, unequal)] == [422] * 3
    assert WRONG in wrong.text
    assert "at least 12 characters" in short.text
    assert "not the same" in unequal.text
    assert send(here, page, password=SECRET, new=new, again=new).status_code == 303
    assert (is_in(here), is_in(elsewhere)) == (True, False)
    assert here.get_cookie("session").value != before
    assert enter(door.visitor(), one.name, SECRET).status_code == 422
    assert enter(door.visitor(), one.name, new).status_code == 303


def test_a_new_password_that_will_not_do_is_no_try_in_vain(door):
    client = door.visitor(door.account())
    fields = {"password": SECRET, "new": "short", "again": "short"}
    said = [send(client, "/en/account/password", **fields).status_code for _ in range(8)]

    assert said == [422] * 8
    assert enter(door.visitor(), "the-steward").status_code == 303


def test_whoever_finds_a_browser_open_cannot_guess_the_password_for_long(door):
    client = door.visitor(door.account())
    page = "/en/account/password"
    fields = {"password": "wrong", "new": SECRET, "again": SECRET}
    said = [send(client, page, **fields).text for _ in range(6)]

    assert [WRONG in text for text in said] == [True] * 5 + [False]
    assert "Too many tries" in said[-1]


def test_one_ends_single_sessions_others_and_all(door):
    one, other = door.account(), door.account("partner")
    here, there, third = (door.visitor(one) for _ in range(3))
    stranger = door.visitor(other)
    with door.writing() as session:
        life = door.app.extensions["signin"].life
        of_other = accounts.sessions.of(session, other.id, life=life, now=door.clock())[0].id
    send(here, "/en/account", end=str(of_other))
    assert is_in(stranger), "only one's own"

    send(here, "/en/account", end="others")
    assert [is_in(one) for one in (here, there, third)] == [True, False, False]
    send(here, "/en/account", end="all")
    assert not is_in(here)
    assert is_in(stranger)


# --- Managing


def test_an_invitation_is_shown_once_and_makes_an_account_that_works(door):
    admin, guest = door.visitor(door.account("admin")), door.visitor()
    fields = {
        "name": "uus@vald.ee",
        "label": "Steward of <b>Lake</b>",
        "role": "steward",
        "layer": "villages",
    }
    made = send(admin, "/en/account/all", areas="county:01", **fields)
    link = made.text.split('readonly value="')[1].split('"')[0]
    path = link.removeprefix("http://localhost")
    new = "seitse maad ja merd"

    assert site.see(made).headings == ["An invitation for Steward of <b>Lake</b>"]
    assert link not in admin.get("/en/account/all").text
    assert guest.get(path).status_code == guest.get(path).status_code == 200, "looking does not use it up"
    assert send(guest, path, new=new, again=new).status_code == 303
    assert is_in(guest)
    assert guest.get(path).status_code == 404
    with door.writing() as session:
        found = accounts.named(session, "uus@vald.ee")
    assert (found.role, found.layers, found.areas) == ("steward", ("villages",), ("county:01",))


def test_an_invitation_is_over_after_three_days(door):
    admin = door.visitor(door.account("admin"))
    made = send(admin, "/en/account/all", name="uus@vald.ee", label="New", role="reader")
    path = made.text.split('readonly value="')[1].split('"')[0].removeprefix("http://localhost")
    door.clock.pass_(hours=72)
    said = door.visitor().get(path)

    assert (said.status_code, "has been used or is over" in said.text) == (404, True)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "the-admin", "label": "Two", "role": "reader"}, "There is an account with the name"),
        ({"name": "uus", "label": "", "role": "reader"}, "The label that is shown"),
        ({"name": "uus", "label": "New", "role": "king"}, "A role is one of"),
        ({"name": "uus", "label": "New", "role": "reader", "areas": "Võru"}, "An account is limited"),
    ],
)
def test_what_cannot_be_added_is_said_beside_the_form(door, fields, sentence):
    admin = door.visitor(door.account("admin"))
    said = send(admin, "/en/account/all", **fields)

    assert said.status_code == 422
    assert sentence in site.see(said).text
    assert len(site.see(said).ids) == len({*site.see(said).ids})
    with door.writing() as session:
        assert len(accounts.every(session)) == 1


def test_an_admin_changes_ends_unlocks_and_disables(door):
    admin, one = door.visitor(door.account("admin")), door.account()
    page, user = f"/en/account/all/{one.id}", door.visitor(one)
    change = {"do": "change", "label": "Lake county", "role": "partner", "areas": "county:01"}
    assert send(admin, page, **change).status_code == 303
    assert not is_in(user)

    for _ in range(6):
        locked = enter(door.visitor(), one.name, "another one of these").status_code
    assert locked == 429
    send(admin, page, do="unlock")
    assert enter(user, one.name).status_code == 303
    send(admin, page, do="end")
    assert not is_in(user)
    send(admin, page, do="disable")
    assert enter(user, one.name).status_code == 422
    send(admin, page, do="enable")
    assert enter(user, one.name).status_code == 303
    with door.writing() as session:
        found = accounts.one(session, one.id)
    assert (found.role, found.label, found.areas) == ("partner", "Lake county", ("county:01",))
    assert door.records()[4:] == [
        *("label", "role", "scope", *["failed"] * 4, "locked", "unlocked", "signed_in", "ended"),
        *("disabled", "failed", "enabled", "signed_in"),
    ]


def test_the_last_admin_cannot_shut_himself_out(door):
    me = door.account("admin")
    admin = door.visitor(me)
    said = send(admin, f"/en/account/all/{me.id}", do="disable")

    assert said.status_code == 422
    assert "the last account that may manage" in said.text
    assert is_in(admin)


def test_without_passwords_only_the_provider_is_left(tmp_path):
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state", passwords=False) as app:
        door = Door(app)
        door.account()
        client = door.visitor()
        page = client.get("/en/account/sign-in")
        made = door.visitor(door.account("admin"))
        sealed = seal(made, "/en/account")
        said = made.post(
            "/en/account/sign-in", data={"csrf_token": sealed, "name": "the-steward", "password": SECRET}
        )

    assert 'name="password"' not in page.text
    assert said.status_code == 404


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    file = tmp_path / "state" / "secret.key"
    with ThreadPoolExecutor(8) as pool:
        found = {*pool.map(lambda _: seals.key(file), range(16))}

    assert len(found) == 1
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["secret.key"]
    file.write_text("short", encoding="ascii")
    with pytest.raises(seals.NoKey):
        seals.key(file)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::9", "2001:db8:1:2::"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_network_counts_as_one(address, counted):
    assert seals.network(address) == counted
