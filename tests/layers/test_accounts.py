"""Accounts: who may what, how long, and after how many tries in vain."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import func, select

from layers import accounts, store
from layers.accounts import passwords, records, register, sessions, tries
from layers.accounts.sessions import Life
from layers.accounts.tables import AccountRow, InvitationRow, RecordRow, SessionRow, TryRow
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
LIFE = Life(idle=timedelta(minutes=60), most=timedelta(hours=12))


def an_account(session, name="mari", role="steward", **changes):
    facts = {"label": f"The {role} {name}", "role": role, "now": NOW}
    return accounts.add(session, name=name, **{**facts, **changes})


def a_session(session, account, token="t" * 43, now=NOW):
    sessions.begin(session, account.id, token=token, way="password", device="", life=LIFE, now=now)
    return token


def find(session, token, now):
    return sessions.find(session, token, life=LIFE, now=now)


# --- Who may what


@pytest.mark.parametrize("role", accounts.ROLES)
@pytest.mark.parametrize("wanted", accounts.ROLES)
def test_a_role_may_what_those_below_it_may(session, role, wanted):
    one = an_account(session, role=role)

    assert accounts.may(one, wanted) == (accounts.ROLES.index(role) >= accounts.ROLES.index(wanted))


def test_nobody_and_the_disabled_may_nothing(session):
    one = an_account(session)
    assert accounts.may(one, "reader")
    accounts.disable(session, one.id, now=NOW)

    assert not accounts.may(accounts.one(session, one.id), "reader")
    assert not accounts.may(None, "reader")


def test_a_scope_limits_layers_and_areas_and_never_an_admin(session):
    one = an_account(session, layers=["watch"], areas=["county:0087"])
    asked = [
        ({}, True),
        ({"layer": "watch"}, True),
        ({"layer": "police"}, False),
        ({"area": "county:0087"}, True),
        ({"area": "municipality:0698"}, False),
        ({"area": "municipality:0698", "within": ["county:0087"]}, True),
        ({"area": "municipality:0698", "within": ["county:0079"]}, False),
        ({"layer": "police", "area": "county:0087"}, False),
        ({"layer": "watch", "area": "county:0079"}, False),
    ]

    assert [accounts.may(one, "steward", **what) for what, _ in asked] == [so for _, so in asked]
    accounts.set_role(session, one.id, "admin", now=NOW)
    assert all(accounts.may(accounts.one(session, one.id), "steward", **what) for what, _ in asked)


def test_a_name_is_one_however_it_is_typed(session):
    one = an_account(session, name=" Mari.Ｍets@Vald.ee ")

    assert one.name == "mari.mets@vald.ee"
    assert accounts.named(session, "MARI.METS@VALD.EE") == one
    with pytest.raises(register.NameTaken):
        an_account(session, name="Mari.mets@vald.ee")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "ab"}, register.BadName),
        ({"name": "a b c"}, register.BadName),
        ({"label": "  "}, register.BadLabel),
        ({"label": "x" * 81}, register.BadLabel),
        ({"role": "king"}, register.BadRole),
        ({"areas": ["Võru"]}, register.BadScope),
        ({"layers": ["<b>"]}, register.BadScope),
    ],
)
def test_what_cannot_be_used_is_refused(session, changes, error):
    with pytest.raises(error):
        an_account(session, **changes)
    assert accounts.every(session) == []


def test_the_last_admin_stays(session):
    one, other = an_account(session, "one", "admin"), an_account(session, "two", "admin")
    accounts.set_role(session, one.id, "reader", now=NOW)

    for forbidden in (
        lambda: accounts.set_role(session, other.id, "steward", now=NOW),
        lambda: accounts.disable(session, other.id, now=NOW),
    ):
        with pytest.raises(register.LastAdmin), session.begin_nested():
            forbidden()
    assert accounts.one(session, other.id).role == "admin"


# --- Sessions


def test_a_session_ends_when_it_is_idle_and_at_last_in_any_case(session):
    one = an_account(session)
    token = a_session(session, one)

    assert find(session, token, NOW + timedelta(minutes=59))[0] == one.id
    assert find(session, token, NOW + timedelta(minutes=60)) is None
    for step in range(1, 24):
        then = NOW + timedelta(minutes=30 * step)
        _, stay = find(session, token, then)
        sessions.see(session, stay.id, now=then)
    assert find(session, token, NOW + timedelta(hours=12)) is None


def test_the_store_holds_no_token(session):
    one = an_account(session)
    token = a_session(session, one)
    accounts.invite(session, one.id, token="i" * 43, now=NOW)
    everything = repr(make.everything(session)) + repr(
        [
            [*row]
            for table in (SessionRow, InvitationRow)
            for row in session.execute(select(*table.__table__.c))
        ]
    )

    assert sessions.digest(token) in everything
    assert token not in everything
    assert "i" * 43 not in everything


@pytest.mark.parametrize("change", ["role", "scope", "password", "disable", "link"])
def test_sessions_end_when_what_they_stand_on_changes(session, change):
    one, other = an_account(session), an_account(session, "other")
    token, others = a_session(session, one), a_session(session, other, "o" * 43)
    assert find(session, token, NOW)
    {
        "role": lambda: accounts.set_role(session, one.id, "partner", now=NOW),
        "scope": lambda: accounts.set_scope(session, one.id, layers=["watch"], areas=[], now=NOW),
        "password": lambda: accounts.set_password(session, one.id, "kept", now=NOW, by=0),
        "disable": lambda: accounts.disable(session, one.id, now=NOW),
        "link": lambda: accounts.link(session, one.id, "digest", now=NOW),
    }[change]()

    assert find(session, token, NOW) is None
    assert find(session, others, NOW)


def test_what_does_not_change_ends_nothing(session):
    one = an_account(session, layers=["watch"])
    token = a_session(session, one)
    accounts.set_role(session, one.id, one.role, now=NOW)
    accounts.set_scope(session, one.id, layers=["watch"], areas=[], now=NOW)
    accounts.set_label(session, one.id, "Another label", now=NOW)

    assert find(session, token, NOW)


def test_old_sessions_are_removed_when_somebody_signs_in(session):
    one = an_account(session)
    a_session(session, one)
    a_session(session, one, "n" * 43, now=NOW + timedelta(hours=13))

    assert session.scalar(select(func.count()).select_from(SessionRow)) == 1


# --- Invitations


def test_an_invitation_works_once_and_for_three_days(session):
    one = an_account(session)
    accounts.invite(session, one.id, token="first", now=NOW)
    accounts.invite(session, one.id, token="second", now=NOW)

    assert accounts.invited(session, "second", now=NOW + timedelta(hours=71, minutes=59)) == one
    for token, when in (("second", NOW + accounts.INVITED), ("first", NOW), ("", NOW)):
        with pytest.raises(accounts.InvitationOver):
            accounts.invited(session, token, now=when)
    accounts.set_password(session, one.id, "kept", now=NOW, by=one.id)
    with pytest.raises(accounts.InvitationOver):
        accounts.invited(session, "second", now=NOW)


def test_who_is_disabled_is_not_invited(session):
    one = an_account(session)
    accounts.invite(session, one.id, token="token", now=NOW)
    accounts.disable(session, one.id, now=NOW)

    with pytest.raises(accounts.InvitationOver):
        accounts.invited(session, "token", now=NOW)


def test_one_person_at_the_provider_has_one_account(session):
    one, other = an_account(session), an_account(session, "other")
    accounts.link(session, one.id, "digest", now=NOW)

    with pytest.raises(register.SubjectTaken):
        accounts.link(session, other.id, "digest", now=NOW)
    assert accounts.by_subject(session, "digest").id == one.id
    accounts.link(session, one.id, "", now=NOW)
    accounts.link(session, other.id, "digest", now=NOW)
    assert accounts.by_subject(session, "digest").id == other.id
    assert accounts.by_subject(session, "") is None


# --- Tries in vain


def test_waits_grow_and_are_forgotten_after_a_day(session):
    waits, now = [], NOW
    for _ in range(14):
        tries.count(session, "key", now=now)
        waits.append(tries.left_s(session, "key", tries.OF_NAME, now=now))
        now += timedelta(seconds=waits[-1])
        assert tries.left_s(session, "key", tries.OF_NAME, now=now) == 0

    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    tries.count(session, "key", now=now + timedelta(hours=25))
    assert tries.left_s(session, "key", tries.OF_NAME, now=now + timedelta(hours=25)) == 0


def test_tries_at_once_are_all_counted(engine):
    store.set_up(engine)

    def try_once(_):
        with store.writing(engine, srid=make.SRID, turn=store.DOOR) as session:
            tries.count(session, "key", now=NOW)
            session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(try_once, range(40)))

    with store.reading(engine, srid=make.SRID) as session:
        assert session.get(TryRow, "key").number == 40


# --- The record


def test_the_record_tells_who_did_what_and_forgets_addresses_first(session):
    one, other = an_account(session, "one", "admin"), an_account(session, "two")
    accounts.set_role(session, other.id, "partner", now=NOW, by=one.id)
    records.note(session, "failed", now=NOW, about=other.id, address="a" * 43)

    newest = records.latest(session)
    assert (newest[0].what, newest[0].by, newest[0].about) == ("failed", "", other.label)
    assert newest[0].address == "a" * 8
    assert (newest[1].what, newest[1].by, newest[1].detail) == ("role", one.label, "steward → partner")
    records.forget_old(session, now=NOW + timedelta(days=31))
    session.expire_all()
    assert {row.address for row in session.scalars(select(RecordRow))} == {""}
    records.forget_old(session, now=NOW + timedelta(days=731))
    assert records.latest(session) == []


# --- Passwords


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password!2026",
        "p@ssw0rd12345",
        "P@r00l2024!!!!",
        "123456789012",
        "qwertyuiop123",
        "aaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "abababababababc",
        "abcdefghijklmn",
        "nmlkjihgfedcba",
        "turvakaart2026",
        "парольпароль1",
        "ЙЦУКЕНГШЩЗХЪ1",
        "letmein-letmein",
    ],
)
def test_what_others_try_first_is_refused(password):
    with pytest.raises(passwords.TooCommon):
        passwords.checked(password, name="mari")


@pytest.mark.parametrize(
    "password",
    [
        "neli kollast kurge",
        "12 märtsi 1961 lumi",
        "correct horse battery",
        "83920473829104",
        "🦊🌲🏠🚒🐟🌊🍎🧦🛶🎻🪁🧭",
        "!#¤%&/()=?`^*_:;",
        "õ" * 5 + "xyz-KLM-9",
    ],
)
def test_any_characters_will_do_when_there_are_enough(password):
    assert passwords.checked(password, name="mari")


def test_the_own_name_is_no_password():
    for password in ("mari.mets@vald.ee", "Mari.Mets@Vald.ee1", "2026mari.mets!!"):
        with pytest.raises(passwords.HoldsName):
            passwords.checked(password, name="mari.mets@vald.ee")
    assert passwords.checked("mets on sügisel kollane", name="mari.mets@vald.ee")


@given(some.text(max_size=140))
def test_length_alone_counts_in_characters_as_they_are_kept(password):
    plain = unicodedata.normalize("NFKC", password)
    try:
        kept = passwords.checked(password, name="mari")
    except passwords.TooShort:
        assert len(plain) < 12
    except passwords.TooLong:
        assert len(plain) > 128
    except (passwords.TooCommon, passwords.HoldsName):
        assert 12 <= len(plain) <= 128
    else:
        assert kept == plain
        assert 12 <= len(kept) <= 128


def test_a_password_is_kept_by_argon2_and_found_again_from_another_keyboard():
    kept = passwords.hashed("kümme väikest põdrakest", salt=b"s" * 16)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(kept, "ku\u0308mme va\u0308ikest po\u0303drakest")
    assert not passwords.matches(kept, "kumme vaikest podrakest")
    assert not passwords.is_outdated(kept)
    assert passwords.is_outdated(PasswordHasher(time_cost=2).hash("x"))


def test_no_password_costs_as_much_as_a_wrong_one():
    """The text that stands for nobody has the parameters in use, and opens nothing."""
    assert not passwords.is_outdated(passwords._NOBODY)
    assert not passwords.matches("", "")
    assert not passwords.matches("nonsense", "nonsense")


def test_names_and_labels_are_all_that_is_known_of_a_person():
    assert {*AccountRow.__table__.c.keys()} == {
        *("id", "name", "label", "role", "layers", "areas"),
        *("password", "subject", "is_disabled", "made_at", "erased_at"),
        *("second", "second_step", "second_codes"),
    }
