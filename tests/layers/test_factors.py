"""The second factor: a code counts once, for a moment, and for its own account."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from layers import accounts
from layers.accounts import factors, records, sessions
from layers.accounts.sessions import Life

NOW = datetime(2026, 11, 22, 8, 0, 10, tzinfo=UTC)
SECRET = factors.secret(bytes(range(20)))
CHANCE = (bytes([n]) * 15 for n in range(200))


def shown(at):
    """What an app shows at a moment; RFC 6238 by another way than the one under test."""
    return pyotp.TOTP(SECRET).at(at)


@pytest.fixture
def one(session):
    made = accounts.add(session, name="mari", label="The steward", role="steward", now=NOW)
    codes = factors.recovery_codes(lambda size: next(CHANCE)[:size])
    factors.turn_on(session, made.id, locked="locked", step=1, codes=codes, now=NOW, by=made.id)
    return made, codes


def test_the_published_codes_of_rfc_6238_are_right():
    secret = factors.secret(b"12345678901234567890")
    known = {59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037"}
    for seconds, code in known.items():
        assert factors.step(secret, code, now=datetime.fromtimestamp(seconds, tz=UTC)) == seconds // 30


@pytest.mark.parametrize(
    ("after_s", "is_taken"), [(-31, False), (-11, False), (0, True), (19, True), (49, True), (50, False)]
)
def test_a_code_is_taken_in_its_own_30_seconds_and_the_next(after_s, is_taken):
    code = shown(NOW)  # Of 08:00:00 until 08:00:30.

    assert bool(factors.step(SECRET, code, now=NOW + timedelta(seconds=after_s))) == is_taken


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "٣٣٣٣٣٣", "1" * 10_000])
def test_what_is_no_code_is_none(code):
    assert factors.step(SECRET, code, now=NOW) == 0


def test_a_code_counts_once_and_none_before_it_any_more(session, one):
    about, _ = one
    step = factors.step(SECRET, shown(NOW), now=NOW)

    assert factors.use(session, about.id, step)
    assert not factors.use(session, about.id, step)
    assert not factors.use(session, about.id, step - 1)
    assert factors.use(session, about.id, step + 1)
    assert not factors.use(session, about.id, 0)


def test_a_recovery_code_counts_once_however_it_is_typed(session, one):
    about, codes = one
    assert len(codes) == factors.CODES
    assert all(len(code.replace("-", "")) == 24 for code in codes)

    assert factors.use_recovery(session, about.id, codes[3].lower().replace("-", " "), now=NOW)
    assert not factors.use_recovery(session, about.id, codes[3], now=NOW)
    assert not factors.use_recovery(session, about.id, "", now=NOW)
    assert factors.left(session, about.id) == factors.CODES - 1
    assert [each.what for each in records.latest(session)][:1] == ["recovered"]


def test_codes_are_of_one_account_and_gone_with_the_factor(session, one):
    about, codes = one
    other = accounts.add(session, name="jaan", label="Another", role="steward", now=NOW)
    assert not factors.use_recovery(session, other.id, codes[0], now=NOW)

    factors.turn_off(session, about.id, now=NOW)
    assert not factors.use_recovery(session, about.id, codes[0], now=NOW)
    assert not factors.use(session, about.id, 10**9)
    assert not accounts.one(session, about.id).has_second


def test_the_store_holds_neither_the_secret_nor_a_code(session, one):
    about, codes = one
    row = str(accounts.register._row(session, about.id).__dict__)

    assert SECRET not in row
    assert not any(code in row or code.replace("-", "") in row for code in codes)


def test_whoever_was_signed_in_is_not_any_more(session, one):
    about, codes = one
    life = Life()
    sessions.begin(session, about.id, token="t", way="password", device="", life=life, now=NOW)
    factors.turn_on(session, about.id, locked="x", step=1, codes=codes, now=NOW, by=about.id)

    assert sessions.find(session, "t", life=life, now=NOW) is None
