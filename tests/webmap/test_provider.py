"""Signing in through a provider: a small one of our own answers as TARA does, and lies in every way."""

import base64
import hashlib
import json
import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from layers import accounts, store
from tests import make
from tests.webmap import site
from tests.webmap.desk import Door, send

CLIENT, SECRET = "turvakaart", "the secret of the client"
PERSON = "EE60001019906"
KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))


class Mock:
    """A provider on a port of this computer; `wrong` names what it gets wrong."""

    def __init__(self):
        self.wrong, self.codes, self.asked = "", {}, []
        self.server = make_server("127.0.0.1", 0, Request.application(self._answer), threaded=True)
        self.issuer = f"http://127.0.0.1:{self.server.port}"
        self.now = None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def _answer(self, request):
        self.asked.append(request.path)
        if self.wrong == "away":
            return Response(status=503)
        found = {
            "/.well-known/openid-configuration": self._about,
            "/keys": lambda _: {"keys": [KEY.as_dict(private=False, use="sig", alg="RS256")]},
            "/token": self._token,
        }[request.path](request)
        status = 400 if "error" in found else 200
        return Response(json.dumps(found), status=status, content_type="application/json")

    def _about(self, _request):
        elsewhere = "http://evil.example" if self.wrong == "another issuer published" else self.issuer
        return {
            "issuer": elsewhere,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": "ftp://x/token" if self.wrong == "scheme" else f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def authorize(self, address, subject=PERSON, **changes):
        """What a person does there: returns the address to which the browser is sent back."""
        asked = {name: value[0] for name, value in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        code = f"code-{len(self.codes)}"
        self.codes[code] = {**asked, "subject": subject}
        back = {"code": code, "state": asked["state"], **changes}
        return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in back.items() if v is not None})}"

    def _token(self, request):
        given = f"Basic {base64.b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}"
        basic = request.headers.get("Authorization") == given
        asked = self.codes.pop(request.form["code"], None)
        made = hashlib.sha256(request.form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(made).rstrip(b"=").decode()
        if not basic or not asked or challenge != asked["code_challenge"]:
            return {"error": "invalid_grant"}
        return {
            "access_token": "x",
            "token_type": "bearer",
            "expires_in": 600,
            "id_token": self._id_token(asked),
        }

    def _id_token(self, asked):
        now = int(self.now().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": [CLIENT],
            "sub": asked["subject"],
            "nonce": asked["nonce"],
            "iat": now,
            "nbf": now,
            "exp": now + 40,
            "acr": "high",
            "amr": ["mID"],
            "state": asked["state"],
            "profile_attributes": {"given_name": "MARI", "date_of_birth": "2000-01-01"},
        }
        claims |= {
            "nonce": {"nonce": "another"},
            "issuer": {"iss": "https://evil.example"},
            "audience": {"aud": ["somebody else"]},
            "party": {"aud": [CLIENT, "other"], "azp": "other"},
            "expired": {"exp": now - 60},
            "future": {"nbf": now + 600, "iat": now + 600},
            "level": {"acr": "low"},
            "nobody": {"sub": ""},
            "number": {"sub": 7},
            "token hash": {"at_hash": "AAAA"},
        }.get(self.wrong, {})
        if self.wrong.startswith("no "):
            del claims[self.wrong.removeprefix("no ")]
        if self.wrong == "unsigned":
            head, body = ({"alg": "none"}, claims)
            parts = (
                base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode()
                for one in (head, body)
            )
            return ".".join((*parts, ""))
        key = OTHER_KEY if self.wrong == "signature" else KEY
        made = jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)
        return made[:-8] + "AAAAAAAA" if self.wrong == "cut" else made


@pytest.fixture(scope="module")
def mock():
    made = Mock()
    yield made
    made.close()


@pytest.fixture(scope="module")
def provided(mock, tmp_path_factory):
    root = tmp_path_factory.mktemp("provider")
    (root / "client.secret").write_text(f"{SECRET}\n", encoding="utf-8")
    chosen = {
        "oidc_issuer": mock.issuer,
        "oidc_client_id": CLIENT,
        "oidc_secret_file": root / "client.secret",
        "oidc_acr": ("high", "substantial"),
    }
    with site.a_site(make.an_instance(root / "tiny"), root / "state", **chosen) as app:
        yield app


@pytest.fixture
def door(provided, mock):
    door = Door(provided)
    mock.wrong, mock.now = "", door.clock
    provided.extensions["provider"]._known = None
    return door


@pytest.fixture
def linked(door):
    """An account that an admin has linked with the person, by the form."""
    one, admin = door.account(password=""), door.visitor(door.account("admin", password=""))
    said = send(admin, f"/en/account/all/{one.id}", do="link", subject=PERSON)
    assert said.status_code == 303
    assert PERSON not in admin.get(f"/en/account/all/{one.id}").text
    return one


def begin(client, onward=""):
    """To the provider, as a browser goes: over the page on which one signs in."""
    client.get("/en/account/sign-in")
    return client.get("/en/account/provider", query_string={"next": onward} if onward else {}).location


def come_back(client, address):
    return client.get(address.removeprefix("http://localhost"))


def is_in(client):
    return client.get("/en/account").status_code == 200


def test_who_is_linked_comes_in_and_goes_on(door, mock, linked):
    client = door.visitor()
    to = begin(client, "/en/gaps/cover")
    said = come_back(client, mock.authorize(to))

    assert to.startswith(f"{mock.issuer}/authorize?")
    assert "acr_values=high" in to
    assert "ui_locales=en" in to
    assert (said.status_code, said.location) == (303, "/en/gaps/cover")
    assert is_in(client)
    assert "through the provider" in client.get("/en/account").text
    assert door.records()[-1] == "signed_in"


def test_the_page_to_sign_in_offers_the_provider(door, mock):
    page = site.look(door.visitor(), "/en/account/sign-in")

    assert f"Sign in through {urlsplit(mock.issuer).netloc}" in page.text


@pytest.mark.parametrize(
    "wrong",
    [
        *("nonce", "issuer", "audience", "party", "expired", "future", "level", "nobody", "number"),
        *("token hash", "signature", "unsigned", "cut", "another issuer published", "scheme"),
        *("no nonce", "no iss", "no aud", "no exp", "no iat", "no sub", "no acr"),
    ],
)
def test_what_is_wrong_is_not_believed(door, mock, linked, wrong):
    client = door.visitor()
    published = wrong in ("another issuer published", "scheme")
    if published:
        mock.wrong = wrong
        assert client.get("/en/account/provider").status_code == 403
        return
    to = begin(client)
    mock.wrong = wrong
    said = come_back(client, mock.authorize(to))

    assert said.status_code == 403
    assert "did not confirm who you are" in said.text
    assert not is_in(client)
    mock.wrong = ""
    assert come_back(client, mock.authorize(begin(client))).status_code == 303, "it was this alone"


@pytest.mark.parametrize("state", ["", "nothing", "a.b.c.d.e", None])
def test_a_state_that_is_not_ours_is_refused(door, mock, linked, state):
    client = door.visitor()
    asked = len(mock.asked)
    back = mock.authorize(begin(client), state=state)
    said = come_back(client, back)

    # Without a state nobody knows which language was spoken: then it is the instance's own.
    assert (said.status_code, "aegunud või alustati" in said.text) == (400, True)
    assert mock.asked[asked:].count("/token") == 0
    assert not is_in(client)


def test_a_state_of_another_browser_is_refused(door, mock, linked):
    """Else somebody could sign another one in as himself, and read what that one then enters."""
    attacker, victim = door.visitor(), door.visitor()
    back = mock.authorize(begin(attacker))
    victim.get("/en/account/sign-in")

    assert come_back(victim, back).status_code == 400
    assert not is_in(victim)
    assert come_back(attacker, back).status_code == 303


def test_a_way_in_is_over_after_ten_minutes_and_when_it_was_used(door, mock, linked):
    client = door.visitor()
    back = mock.authorize(begin(client))
    door.clock.pass_(minutes=10)
    assert come_back(client, back).status_code == 400
    back = mock.authorize(begin(client))
    assert come_back(client, back).status_code == 303
    assert come_back(client, back).status_code == 400


def test_another_issuer_in_the_answer_is_a_mix_up(door, mock, linked):
    client = door.visitor()
    said = come_back(client, mock.authorize(begin(client), iss="https://evil.example"))

    assert said.status_code == 403
    assert come_back(client, mock.authorize(begin(client), iss=mock.issuer)).status_code == 303


def test_who_says_no_there_is_told_so(door, mock, linked):
    client = door.visitor()
    said = come_back(client, mock.authorize(begin(client), code=None, error="access_denied"))

    assert (said.status_code, is_in(client)) == (403, False)


def test_who_is_not_linked_gets_no_account(door, mock, linked):
    client = door.visitor()
    said = come_back(client, mock.authorize(begin(client), subject="EE38001085718"))

    assert said.status_code == 403
    assert "no account here is linked with you" in said.text
    assert not is_in(client)
    with door.writing() as session:
        assert len(accounts.every(session)) == 2
    assert door.records()[-1] == "stranger"


def test_who_is_disabled_or_unlinked_stays_out(door, mock, linked):
    client = door.visitor()
    with door.writing() as session:
        accounts.disable(session, linked.id, now=door.clock())
    assert come_back(client, mock.authorize(begin(client))).status_code == 403
    with door.writing() as session:
        accounts.enable(session, linked.id, now=door.clock())
        accounts.link(session, linked.id, "", now=door.clock())
    assert come_back(client, mock.authorize(begin(client))).status_code == 403


def test_the_store_holds_no_personal_code_and_no_name(door, mock, linked):
    client = door.visitor()
    come_back(client, mock.authorize(begin(client)))
    with store.reading(door.app.extensions["house"].engine, srid=make.SRID) as session:
        kept = repr(make.everything(session))

    assert is_in(client)
    assert "linked" in kept
    assert not any(word in kept for word in (PERSON, PERSON[2:], "MARI", "2000-01-01"))
    plain = (hashlib.sha256(text.encode()).hexdigest() for text in (PERSON, f"{mock.issuer}\0{PERSON}"))
    assert not any(text in kept for text in plain), "few enough codes exist to try them all"


def test_a_provider_that_is_away_is_said_and_comes_back(door, mock, linked):
    client = door.visitor()
    mock.wrong = "away"
    away = client.get("/en/account/provider")
    mock.wrong = ""
    back = mock.authorize(begin(client))
    mock.wrong = "away"
    later = come_back(client, back)

    assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
    assert "does not answer just now" in away.text
    assert later.status_code == 503


def test_nobody_lets_us_ask_the_provider_without_end(door, mock, linked):
    client, before = door.visitor(), len(mock.asked)
    back = mock.authorize(begin(client), code="invented")
    said = [come_back(client, back).status_code for _ in range(32)]
    door.clock.pass_(seconds=10)

    assert said == [403] * 30 + [400] * 2
    assert mock.asked[before:].count("/token") == 30


def test_another_site_cannot_begin(door):
    client = door.visitor()
    said = client.get("/en/account/provider", headers={"Sec-Fetch-Site": "cross-site"})

    assert said.status_code == 403


def test_only_where_it_is_set_does_a_stranger_become_a_reader(mock, tmp_path):
    (tmp_path / "client.secret").write_text(SECRET, encoding="utf-8")
    chosen = {"oidc_issuer": mock.issuer, "oidc_client_id": CLIENT, "oidc_readers": True}
    secret = tmp_path / "client.secret"
    folder = make.an_instance(tmp_path / "tiny")
    with site.a_site(folder, tmp_path / "state", oidc_secret_file=secret, **chosen) as app:
        door = Door(app)
        mock.wrong, mock.now = "", door.clock
        for _ in range(2):
            client = door.visitor()
            assert come_back(client, mock.authorize(begin(client))).status_code == 303
        with door.writing() as session:
            found = accounts.every(session)

    assert [one.role for one in found] == ["reader"]
    assert PERSON not in found[0].name
