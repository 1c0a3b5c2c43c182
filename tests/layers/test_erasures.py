"""What is erased is in no row, file, backup or restored store, and does not come back; a receipt says so."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from layers import catalog, erasures, imports, model, places, store
from layers.backups import archive, restoring, saving
from layers.erasures import WORDS, NoLedger, NothingThere, TooLittle
from layers.model import Body, Case, CaseBody, Confirmation, Edition, LinkCheck, Proposal, Suggestion
from tests import make

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 8, tzinfo=UTC)
KEY, NAME, PERSON = "secret-watch", "Salajane Valvering", "Mari Maasikas"
CHANCE = bytes(range(32))
ABOUT = {"by": "data protection officer", "reason": "asked for", "now": NOW, "chance": CHANCE}


@pytest.fixture
def folder(tmp_path):
    """A country with an organisation that has three editions, and a person's name in texts of all kinds."""
    folder = make.an_instance(tmp_path / "tiny")
    _write(folder, NAME)
    return folder


@pytest.fixture
def embedded(tmp_path):
    """SQLite alone, where the other store could not differ."""
    engine = store.open_store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield engine
    engine.dispose()


def _write(folder, name, **changes):
    row = {"key": KEY, "name": name, "form": "association", "county": "01", "lat": "58.3", "lon": "24.3"}
    row |= {"precision": "settlement", "source_url": "https://example.org/secret", "as_of": "2020"}
    row |= {"note_et": f"Küsi, kas {PERSON} on kodus.", **changes}
    first = {"key": "first-village", "name": "Selts", "form": "association", "county": "01", "as_of": "2020"}
    make.write(folder, "bodies/villages.csv", make.bodies_csv([row, first]))
    sheet = (folder / "cases/first-case.et.md").read_text(encoding="utf-8")
    if KEY not in sheet:
        sheet = sheet.replace("\n- first-village", f"\n- first-village\n- {KEY}")
        sheet += f"\nVedas {PERSON.upper()} ja {PERSON}: mari-maasikas@naide.invalid oli aadress.\n"
        make.write(folder, "cases/first-case.et.md", sheet.replace("@naide.invalid", " (at) naide"))


def load(engine, folder, now=NOW):
    imports.load(engine, catalog.read_instance(folder), now=now)


def filled(engine, folder):
    """Three editions of the organisation, and what hangs on it."""
    load(engine, folder)
    _write(folder, NAME, place="Esimene")
    load(engine, folder)
    _write(folder, f"{NAME} uus", place="Esimene")
    load(engine, folder)
    with store.writing(engine, srid=make.SRID) as session:
        about = {"table_name": "body", "key": KEY, "moment": "2026-11-23T08:00:00Z"}
        session.add(
            Confirmation(**about, digest="1" * 64, day="2026-01-01", by="link", label="x", note=PERSON)
        )
        change = {"table": "body", "cells": {"name": f"{NAME} 3", "note_et": PERSON}}
        session.add(Proposal(**about, layer="villages", seen=1, change=change, label="x", note=PERSON))
        session.add(Suggestion(kind="body", key=KEY, text=f"{PERSON} kolis ära", moment=about["moment"]))
        session.add(
            LinkCheck(
                url="https://example.org/secret", checked_at=about["moment"], outcome="there", status=200
            )
        )
        session.commit()


def erase(engine, kind, what, **changes):
    with store.writing(engine, srid=make.SRID) as session:
        done, touched = erasures.erase(session, kind, what, **{**ABOUT, **changes})
        session.commit()
    return done, touched


def told(engine):
    with store.reading(engine, srid=make.SRID) as session:
        return repr(make.everything(session))


def counts(engine):
    with store.reading(engine, srid=make.SRID) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (Body, CaseBody, Confirmation, Proposal, Suggestion, LinkCheck)
        }


def test_an_organisation_is_in_no_row_of_any_edition_and_the_receipt_says_where_it_was(engine, folder):
    filled(engine, folder)
    before, said = counts(engine), told(engine)
    assert said.count(KEY) >= 6
    revision = dict(store.revisions(engine))["villages"]

    done, touched = erase(engine, "body", KEY)

    gone = {"body": 3, "case_body": 1, "confirmation": 1, "proposal": 1, "suggestion": 1, "link_check": 1}
    assert dict(done.found) == gone
    after = counts(engine)
    assert {name: before[name] - after[name] for name in after} == gone
    assert touched == {"villages"}
    assert dict(store.revisions(engine))["villages"] == revision + 1
    assert [word for word in (KEY, NAME, "example.org/secret") if word in told(engine)] == []
    assert (done.by, done.reason, done.moment) == (ABOUT["by"], ABOUT["reason"], "2026-11-23T08:00:00Z")
    assert KEY not in repr(done)


def test_words_go_from_every_text_whatever_their_case_and_the_rest_stays(engine, folder):
    filled(engine, folder)
    assert told(engine).casefold().count(PERSON.casefold()) >= 6

    done, touched = erase(engine, WORDS, PERSON)

    assert PERSON.casefold() not in told(engine).casefold()
    assert "mari-maasikas" not in told(engine)
    with store.reading(engine, srid=make.SRID) as session:
        notes = [text for said in session.scalars(select(Body.notes)) for text in said.values()]
        text = session.scalars(select(Case.texts).where(Case.key == "first-case")).first()["et"]
    assert "Küsi, kas […] on kodus." in notes
    assert "Vedas […] ja […]: […] (at) naide oli aadress." in text
    assert {"body.notes", "case_study.texts", "proposal.change", "suggestion.text"} <= done.found.keys()
    assert {"villages", "cases"} <= touched


def test_what_is_erased_does_not_come_back_by_an_import(embedded, folder):
    filled(embedded, folder)
    erase(embedded, "body", KEY)
    erase(embedded, WORDS, PERSON)
    _write(folder, f"{NAME} veel kord")
    make.write(
        folder, "cases/first-case.et.md", (folder / "cases/first-case.et.md").read_bytes() + b"\nUus.\n"
    )

    load(embedded, folder, LATER)

    said = told(embedded)
    assert "Uus." in said
    assert [word for word in (KEY, NAME, PERSON, PERSON.upper()) if word in said] == []
    with store.reading(embedded, srid=make.SRID) as session:
        found = [body.key for body in places.bodies(session, as_of=NOW.date(), layer="villages")]
        assert found == ["first-village"]
        newest = session.scalars(
            select(Edition.rows).where(Edition.table_name == "villages").order_by(Edition.id.desc())
        ).first()
        assert newest == 1


def test_an_import_that_says_the_same_again_makes_no_new_state_of_a_cleaned_row(embedded, folder):
    filled(embedded, folder)
    erase(embedded, WORDS, PERSON)

    def states():
        with store.reading(embedded, srid=make.SRID) as session:
            return session.scalar(select(func.count()).select_from(Body).where(Body.key == KEY))

    _write(folder, f"{NAME} uus", place="Teine")
    load(embedded, folder, LATER)
    changed = states()
    text = (folder / "bodies/villages.csv").read_text(encoding="utf-8")
    make.write(folder, "bodies/villages.csv", text.replace("Selts", "Seltsid"))
    load(embedded, folder, LATER)

    assert states() == changed


def test_a_backup_made_before_is_swept_when_it_is_restored(engine, folder, tmp_path):
    filled(engine, folder)
    instance = catalog.read_instance(folder)
    saving.save(engine, instance, tmp_path / "before", now=NOW)
    erase(engine, "body", KEY)
    erase(engine, WORDS, PERSON)
    clean = counts(engine)

    with archive.opened(tmp_path / "before") as backup:
        reached = restoring.restore(engine, backup, instance, now=LATER)

    assert reached == 9
    assert counts(engine) == clean
    assert [word for word in (KEY, NAME, PERSON, PERSON.upper()) if word in told(engine)] == []
    with store.reading(engine, srid=make.SRID) as session:
        assert [one.kind for one in erasures.ledger(session)] == ["body", WORDS]


def test_when_the_store_is_lost_the_ledger_beside_it_sweeps_an_old_backup(embedded, folder, tmp_path):
    filled(embedded, folder)
    instance = catalog.read_instance(folder)
    saving.save(embedded, instance, tmp_path / "before", now=NOW)
    erase(embedded, "body", KEY)
    with store.reading(embedded, srid=make.SRID) as session:
        make.write(tmp_path, "ledger.jsonl", erasures.written(erasures.ledger(session)))
    other = store.open_store(f"sqlite:///{tmp_path / 'new.sqlite'}")

    for erased, is_there in (((), True), (erasures.read(tmp_path / "ledger.jsonl"), False)):
        with archive.opened(tmp_path / "before") as backup:
            restoring.restore(other, backup, instance, now=LATER, erased=erased)
        assert (KEY in told(other)) is is_there
    other.dispose()


def test_files_of_the_store_and_backups_made_after_hold_nothing_of_it(embedded, tmp_path, folder):
    """SQLite's own pages and log, byte by byte: deleting alone would leave it there."""
    engine = embedded
    filled(engine, folder)
    instance = catalog.read_instance(folder)

    def held():
        files = [tmp_path / f"store.sqlite{ending}" for ending in ("", "-wal")]
        data = b"".join(file.read_bytes() for file in files if file.exists())
        return [word for word in (KEY, NAME, PERSON) if word.encode() in data]

    assert held() == [KEY, NAME, PERSON]
    done, _ = erase(engine, "body", KEY)
    erase(engine, WORDS, PERSON)
    assert held() != []

    store.scrub(engine)

    assert held() == []
    saving.save(engine, instance, tmp_path / "after", now=LATER)
    with archive.opened(tmp_path / "after") as backup:
        lines = b"".join(b"".join(backup.lines(part)) for part in backup.manifest.tables)
    assert done.digest.encode() in lines
    assert [word for word in (KEY, NAME, PERSON) if word.encode() in lines] == []


def test_who_knows_what_it_was_can_ask_whether_it_is_gone_and_nobody_else(embedded, folder):
    filled(embedded, folder)
    done, _ = erase(embedded, "body", KEY)
    erase(embedded, WORDS, PERSON)

    with store.writing(embedded, srid=make.SRID) as session:
        assert erasures.is_erased(session, "body", KEY)
        assert erasures.is_erased(session, WORDS, "mari  MAASIKAS")
        assert not erasures.is_erased(session, "body", "first-village")
        assert not erasures.is_erased(session, "area", KEY)
        assert erasures.sweep(session) == ({}, set())
        assert erasures.mentions(session, PERSON) == {}
        session.execute(model.Body.__table__.update().values(place=f"Juures {PERSON}"))
        assert erasures.mentions(session, PERSON)["body.place"] == 3
        assert erasures.sweep(session)[0] == {"body.place": 3}
    assert erasures._digest("00" * 32, "body", KEY) != done.digest


def test_an_area_goes_with_its_outlines_and_from_those_who_serve_it(engine, folder):
    load(engine, folder)

    done, touched = erase(engine, "area", "county:01")

    assert touched == {"counties"}
    assert {"area", "serves", "case_area"} <= done.found.keys()
    with store.reading(engine, srid=make.SRID) as session:
        assert session.scalars(select(model.Area.code).where(model.Area.kind == "county")).all() == ["02"]
        drawn = places.outlines(session, "county", as_of=NOW.date(), step="near")
        assert [area.code for area, _ in drawn] == ["02"]


def test_a_practice_goes_from_the_cases_that_show_it_and_the_lists_that_name_it(embedded, folder):
    load(embedded, folder)

    done, _ = erase(embedded, "practice", "alpha")

    assert dict(done.found) == {"practice": 1, "case_practice": 2, "practice.related": 1}


def test_nothing_is_written_down_where_nothing_is_found_or_words_are_too_short(embedded, folder):
    load(embedded, folder)

    for kind, what, error in (("body", "nobody", NothingThere), (WORDS, "a b.c", TooLittle)):
        with pytest.raises(error):
            erase(embedded, kind, what)
    with store.reading(embedded, srid=make.SRID) as session:
        assert erasures.ledger(session) == []


def test_a_ledger_is_read_as_it_was_written_and_a_damaged_one_is_told(embedded, folder, tmp_path):
    filled(embedded, folder)
    done, _ = erase(embedded, "body", KEY)
    make.write(tmp_path, "ledger", erasures.written([done]))

    assert erasures.read(tmp_path / "ledger") == [done]
    assert erasures.read(tmp_path / "none") == []
    make.write(tmp_path, "ledger", erasures.written([done]) + json.dumps({"kind": "body"}) + "\n")
    with pytest.raises(NoLedger, match="line 2"):
        erasures.read(tmp_path / "ledger")
