"""Accounts that are limited touch nothing of others by any route; every method and every form is tried."""

import pytest
from sqlalchemy import func, select
from werkzeug.routing import AnyConverter, IntegerConverter

from layers import accounts
from layers.accounts.tables import AccountRow
from layers.model import Body, Case, Confirmation, Edition, Proposal, Suggestion
from tests import make
from tests.webmap import site
from tests.webmap.desk import Door, quicken, seal
from tests.webmap.test_roles import PUBLIC, PUBLIC_FORMS, SEALED
from webmap import signin

UNSAFE = ("POST", "PUT", "DELETE", "PATCH")
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", *UNSAFE)
TABLES = (Body, Case, Confirmation, Edition, Proposal, AccountRow)
EAST_ONLY = {"areas": ("county:02",), "layers": ("villages",)}
# Without its seal a form of these comes in: it changes nothing that needs an account.
FREE = PUBLIC_FORMS


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    root = tmp_path_factory.mktemp("scopes")
    with (
        site.a_site(make.an_instance(root / "tiny"), root / "state") as app,
        pytest.MonkeyPatch.context() as one,
    ):
        quicken(one)
        door = Door(app)
        people = {role: door.account(role, f"scope-{role}", password="") for role in accounts.ROLES}
        people["limited"] = door.account("steward", "scope-limited", password="", **EAST_ONLY)
        people["east"] = door.account("steward", "scope-east", password="", areas=("county:02",))
        door.clients = {name: door.visitor(account) for name, account in people.items()}
        door.clients["nobody"] = door.visitor()
        yield door


def address(rule):
    """The address of a rule, with something that it takes in each of its gaps."""
    values = {"language": "en"}
    for name, kind in rule._converters.items():
        one = 1 if isinstance(kind, IntegerConverter) else "x"
        values.setdefault(name, "settlement" if isinstance(kind, AnyConverter) else one)
    return rule.build(values)[1]


def counted(door):
    with door.writing() as session:
        found = [session.scalar(select(func.count()).select_from(table)) for table in TABLES]
        states = session.execute(select(Suggestion.id, Suggestion.state).order_by(Suggestion.id)).all()
        return found, [tuple(one) for one in states]


def post(door, who, path, **fields):
    client = door.clients[who]
    return client.post(path, data={"csrf_token": seal(client, "/en/account"), **fields}).status_code


def test_every_address_answers_to_no_other_method_than_it_offers(door):
    """HEAD and OPTIONS too: HEAD demands the role that GET demands, and OPTIONS tells nothing but methods."""
    wrong, asked = [], 0
    for rule in door.app.url_map.iter_rules():
        role = signin.role_of(door.app.view_functions[rule.endpoint])
        others = {one.endpoint for one in door.app.url_map.iter_rules() if one.rule == rule.rule}
        offered = {
            method
            for one in door.app.url_map.iter_rules()
            if one.endpoint in others
            for method in one.methods
        }
        for method in METHODS:
            said = door.clients["nobody"].open(address(rule), method=method)
            asked += 1
            if method not in offered:
                is_right = said.status_code in (403, 404, 405)
            elif method == "OPTIONS":
                is_right = said.status_code == 200 and not said.data
            elif role and method in ("GET", "HEAD"):
                is_right = said.status_code == 303 and "/account/sign-in" in said.headers["Location"]
            elif method in UNSAFE and not others & FREE:
                is_right = said.status_code == 403
            else:
                is_right = said.status_code < 500
            wrong += [] if is_right else [(rule.rule, method, said.status_code)]

    assert asked > 700
    assert wrong == []


def test_no_form_is_taken_without_its_seal_or_from_another_site_by_whoever_is_signed_in(door):
    client, wrong, asked = door.clients["admin"], [], 0
    before = counted(door)
    good = seal(client, "/en/account")
    for rule in door.app.url_map.iter_rules():
        if rule.endpoint == "lost.lost":
            continue  # A question that any site may put, and that changes nothing.
        for method in sorted({*rule.methods} & {*UNSAFE}):
            tries = [
                {"headers": {"Origin": "https://evil.example"}, "data": {"csrf_token": good}},
                {"headers": {"Sec-Fetch-Site": "cross-site"}, "data": {"csrf_token": good}},
            ]
            if rule.endpoint not in FREE:
                tries += [{}, {"data": {"csrf_token": "x"}}, {"data": {"csrf_token": good[:-1] + "?"}}]
                tries.append({"data": {"csrf_token": seal(door.clients["steward"], "/en/account")}})
            for about in tries:
                asked += 1
                status = client.open(address(rule), method=method, **about).status_code
                wrong += [] if status == 403 else [(rule.rule, method, about, status)]

    assert asked > 80
    assert wrong == []
    assert counted(door) == before
    assert {*PUBLIC.split()} >= FREE | SEALED


def test_what_a_form_sends_beyond_its_fields_changes_nobodys_role_or_limits(door):
    """Mass assignment: fields of the row that no form of the own account has."""
    more = {
        "role": "admin",
        "areas": "",
        "layers": "",
        "is_disabled": "",
        "id": "1",
        "name": "root",
        "do": "save",
    }
    with door.writing() as session:
        before = session.execute(select(AccountRow.__table__).order_by(AccountRow.id)).all()
    for who in ("reader", "partner", "limited"):
        for path in ("/en/account", "/en/account/password", "/en/account/all", "/en/account/all/1"):
            post(door, who, path, **more)
    with door.writing() as session:
        assert session.execute(select(AccountRow.__table__).order_by(AccountRow.id)).all() == before


@pytest.mark.parametrize("who", ["limited", "east"])
def test_a_steward_of_another_county_changes_confirms_and_decides_nothing_here(door, who):
    """Each route to the same objects of the west, and to those of another layer."""
    with door.writing() as session:
        for kind, key in (("body", "west-station"), ("area", "county:01"), ("case_study", "first-case")):
            session.add(Suggestion(kind=kind, key=key, text="Kolis ära", moment="2026-11-22T08:00:00Z"))
        change = {"table": "body", "key": "west-station", "layer": "police", "way": "correct", "cells": {}}
        about = {"table_name": "body", "key": "west-station", "layer": "police", "seen": 1, "label": "x"}
        change |= {"state": "2010", "day": ""}
        session.add(Proposal(**about, change=change, moment="2026-11-22T08:00:00Z"))
        session.commit()
        numbers = session.scalars(select(Suggestion.id).where(Suggestion.state == "open")).all()
        proposal = session.scalar(select(func.max(Proposal.id)))
        editions = session.scalars(select(Edition.id)).all()
    before, client = counted(door), door.clients[who]
    fields = {"name": "Ours", "form": "station", "note": "Because", "seen": "999", "way": "correct"}
    tries = {}
    for do in ("look", "save", "propose"):
        for path in (
            "/en/edit/body/west-station",
            "/en/edit/area/county/01",
            "/en/edit/case/first-case",
            "/en/edit/case/new",
        ):
            tries[path, do] = post(door, who, path, do=do, state="2010", **fields)
    for table, key in (("body", "west-station"), ("area", "county:01"), ("case_study", "first-case")):
        for when in ("", "?as_of=1990", "?as_of=2012-05-15&known=2020-01-01T00:00:00Z"):
            tries["confirm", key, when] = post(
                door, who, f"/en/freshness/confirm{when}", table=table, key=key
            )
    for number in numbers:
        for do in ("accept", "decline"):
            path = f"/en/suggestions/{number}"
            tries[path, do] = post(door, who, path, do=do, reason="No")
    for do in ("accept", "decline"):
        tries["proposal", do] = post(
            door, who, f"/en/edit/proposals/{proposal}", do=do, reason="No", note="x"
        )
    for number in editions:
        for path in (f"/en/edit/undo/{number}", f"/en/editions/{number}/undo"):
            tries[path, number] = post(door, who, path, note="x")

    assert [one for one, status in tries.items() if status not in (400, 403, 404, 409, 422)] == []
    assert counted(door) == before
    queue = client.get("/en/suggestions")
    assert (queue.status_code, "Kolis ära" in queue.text) == (200, False)
    assert "Kolis ära" in door.clients["steward"].get("/en/suggestions").text
    assert post(door, "steward", f"/en/suggestions/{numbers[0]}", do="decline", reason="No") == 303


def test_what_a_steward_has_sent_in_opens_to_nobody_else(door):
    """Forced browsing: tokens of another account, numbers never given, files that nothing names."""
    client = door.clients["steward"]
    about = {
        "layer": "villages",
        "dataset": "list",
        "source": "County",
        "licence": "CC0-1.0",
        "as_of": "2026",
    }
    file = (make.io.BytesIO(b"name;lat;lon\nOne;58.2;24.2\n"), "list.csv")
    sent = client.post("/en/import", data={"csrf_token": seal(client, "/en/account"), **about, "file": file})
    path = sent.headers["Location"]
    assert client.get(path).status_code == 200

    for who, refused in (("admin", 404), ("limited", 404), ("partner", 403), ("nobody", 303)):
        for end in ("", "/findings", "/fixes.csv", "/preview.geojson", "/repaired"):
            assert door.clients[who].get(path + end).status_code == refused, (who, end)
    for path in ("/en/edit/proposals/999", "/en/editions/999", "/en/journal/files/..%2f..%2finstance.yaml"):
        assert door.clients["admin"].get(path).status_code == 404
