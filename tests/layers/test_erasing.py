"""An account that is erased leaves a number: in no table, no page of the file and no log is its name left."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from layers import accounts, store
from layers.accounts import erasing, records, register, sessions
from layers.accounts.register import BadLabel, BadName, LastAdmin, NoAccount
from layers.accounts.sessions import Life
from layers.accounts.tables import AccountRow, SessionRow
from layers.model import Confirmation, Edition, Proposal, Suggestion
from tests import make

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
NAME, OLD, LABEL = "kersti.kadunud@vald.ee", "Abivallavanem Kersti", "Päästeala valvur Kersti"
EDITION = {
    "table_name": "police",
    "title": {"en": "Police"},
    "source": {"en": "A source"},
    "source_url": "",
    "licence": "CC-BY-4.0",
    "as_of": "2026",
    "checksum": "0",
    "rows": 0,
    "loaded_at": "2026-11-22T08:00:00Z",
}
WORDS = (NAME, OLD, LABEL, "kersti")


@pytest.fixture
def loaded(engine):
    """A store in which an account has done all that is kept under a label."""
    store.set_up(engine)
    with store.writing(engine, srid=make.SRID) as session:
        session.add(Edition(**EDITION))
        session.flush()
        keep = accounts.add(session, name="the-admin", label="The admin", role="admin", now=NOW)
        one = accounts.add(session, name=NAME, label=OLD, role="steward", now=NOW)
        accounts.set_label(session, one.id, LABEL, now=NOW, by=keep.id)
        accounts.set_password(session, one.id, "$argon2", now=NOW, by=one.id)
        accounts.link(session, one.id, "a-keyed-digest", now=NOW)
        sessions.begin(session, one.id, token="t", way="password", device="", life=Life(), now=NOW)
        records.note(session, "signed_in", now=NOW, by=one.id, about=one.id, address="a-digest")
        edition = session.scalars(select(Edition).limit(1)).one()
        edition.account, edition.note = OLD, f"{NAME.upper()} called; {LABEL} agreed"
        edition.how = {**edition.how, "proposed_by": LABEL}
        proposal = Proposal(
            table_name="body", key="k", layer="police", seen=1, change={}, label=LABEL, moment="2026"
        )
        proposal.decided_by, proposal.reason, proposal.note = OLD, f"ask {NAME}", LABEL
        suggestion = Suggestion(kind="body", key="k", text="x", moment="2026", decided_by=LABEL, reason=OLD)
        session.add_all([proposal, suggestion])
        session.add(
            Confirmation(
                table_name="body", key="k", digest="d", day="2026", by="account", label=LABEL, moment="2026"
            )
        )
        session.commit()
    return one.id, keep.id


def everything(engine):
    """The whole store as it lies on its disk, or as the server tells it."""
    if file := store.file_of(engine):
        parts = (file.with_name(f"{file.name}{end}") for end in ("", "-wal", "-shm", "-journal"))
        return b"".join(part.read_bytes() for part in parts if part.exists())
    with store.reading(engine, srid=make.SRID) as session:
        return str(make.everything(session)).encode()


def is_told(raw, word):
    folded = raw.lower()
    spellings = {word.lower(), word, word.encode("ascii", "backslashreplace").decode()}
    return any(spelling.encode().lower() in folded for spelling in spellings)


def test_nothing_of_the_name_is_left_in_the_whole_store(engine, loaded):
    id, admin = loaded
    assert all(is_told(everything(engine), word) for word in (NAME, OLD, LABEL))

    with store.writing(engine, srid=make.SRID) as session:
        erased = erasing.erase(session, id, now=NOW, by=admin)
        assert erasing.traces(session, WORDS) == []
        session.commit()
    store.scrub(engine)

    assert erased == erasing.Erased(f"#{id}", ())
    assert [word for word in WORDS if is_told(everything(engine), word)] == []
    assert not is_told(everything(engine), "a-keyed-digest")


def test_history_tells_a_number_where_the_label_stood(engine, loaded):
    id, admin = loaded
    with store.writing(engine, srid=make.SRID) as session:
        erasing.erase(session, id, now=NOW, by=admin)
        edition = session.scalars(select(Edition).order_by(Edition.id).limit(1)).one()
        proposal = session.scalars(select(Proposal)).one()

        assert (edition.account, edition.how["proposed_by"]) == (f"#{id}", f"#{id}")
        assert edition.note == f"#{id} called; #{id} agreed"
        assert (proposal.label, proposal.decided_by, proposal.reason) == (f"#{id}", f"#{id}", f"ask #{id}")
        newest = records.latest(session)[0]
        assert (newest.what, newest.by, newest.about) == ("erased", "The admin", f"#{id}")
        assert [one.id for one in accounts.every(session)] == [admin]
        assert session.scalars(select(SessionRow)).all() == []


def test_the_number_is_never_given_again_and_nobody_is_called_so(engine, loaded):
    id, admin = loaded
    with store.writing(engine, srid=make.SRID) as session:
        erasing.erase(session, id, now=NOW, by=admin)
        assert accounts.add(session, name=NAME, label=LABEL, role="reader", now=NOW).id > id
        with pytest.raises(BadName):
            accounts.add(session, name=f"#{id}", label="x", role="reader", now=NOW)
        with pytest.raises(BadLabel):
            accounts.set_label(session, admin, f"#{id}", now=NOW)
        with pytest.raises(NoAccount):
            erasing.erase(session, id, now=NOW)
        with pytest.raises(NoAccount):
            accounts.enable(session, id, now=NOW)
        assert accounts.kept_password(session, f"#{id}") == (0, "")


def test_a_label_of_another_account_stays(engine, loaded):
    id, admin = loaded
    with store.writing(engine, srid=make.SRID) as session:
        accounts.add(session, name="jaan", label=LABEL, role="steward", now=NOW)
        erased = erasing.erase(session, id, now=NOW, by=admin)

        assert erased.kept == (LABEL,)
        assert session.scalars(select(Proposal.label)).one() == LABEL
        assert erasing.traces(session, [NAME, OLD]) == []


def test_the_last_admin_stays(engine, loaded):
    _, admin = loaded
    with store.writing(engine, srid=make.SRID) as session, pytest.raises(LastAdmin):
        erasing.erase(session, admin, now=NOW)


def test_what_people_wrote_into_facts_is_told(engine, loaded):
    id, admin = loaded
    with store.writing(engine, srid=make.SRID) as session:
        session.execute(text("UPDATE edition SET source_url = 'mailto:Kersti.Kadunud@vald.ee'"))
        erasing.erase(session, id, now=NOW, by=admin)

        assert erasing.traces(session, [NAME]) == ["edition.source_url"]


def test_a_file_in_use_is_not_scrubbed_and_says_so(engine, loaded):
    if store.file_of(engine) is None:
        pytest.skip("only a file can be busy so")
    with engine.connect() as held:
        held.execute(text("SELECT count(*) FROM edition")).scalar()
        with store.writing(engine, srid=make.SRID) as session:
            register.disable(session, loaded[0], now=NOW)
            session.commit()
        short = engine.execution_options()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_SCRUB_PATIENCE_MS", 50)
            with pytest.raises(store.NotScrubbed, match="turvakaart account scrub"):
                store.scrub(short)


def test_a_tombstone_holds_nothing_but_its_number(engine, loaded):
    id, admin = loaded
    with store.writing(engine, srid=make.SRID) as session:
        erasing.erase(session, id, now=NOW, by=admin)
        row = session.get(AccountRow, id)
        said = {column.name: getattr(row, column.name) for column in AccountRow.__table__.columns}

    assert said == {
        "id": id,
        "name": f"#{id}",
        "label": f"#{id}",
        "role": "reader",
        "layers": [],
        "areas": [],
        "password": "",
        "subject": None,
        "is_disabled": True,
        "made_at": "2026-11-22T08:00:00Z",
        "second": "",
        "second_step": 0,
        "second_codes": [],
        "erased_at": "2026-11-22T08:00:00Z",
    }
