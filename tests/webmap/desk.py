"""Signing in for tests: a site whose clock can be set, accounts in it, and forms that are filled in."""

import re
import secrets
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from sqlalchemy import delete

from layers import accounts, store
from layers.accounts import passwords, records, sessions, tables

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECRET = "neli kollast kurge kaevul"
HIDDEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now

    def pass_(self, **time):
        self.now += timedelta(**time)


class Door:
    """An application, its clock, and its accounts."""

    def __init__(self, app):
        self.app, self.clock = app, Clock()
        app.extensions["signin"] = replace(app.extensions["signin"], clock=self.clock)
        with self.writing() as session:
            for table in ("RecordRow", "TryRow", "InvitationRow", "SessionRow", "AccountRow"):
                session.execute(delete(getattr(tables, table)))

    @contextmanager
    def writing(self):
        house = self.app.extensions["house"]
        with store.writing(house.engine, srid=house.instance.metric_crs, turn=store.DOOR) as session:
            yield session
            session.commit()

    def account(self, role="steward", name="", password=SECRET, **changes):
        name = name or f"the-{role}"
        with self.writing() as session:
            made = accounts.add(
                session, name=name, label=f"Label {name}", role=role, now=self.clock(), **changes
            )
            if password:
                kept = passwords.hashed(password, salt=b"s" * 16)
                accounts.set_password(session, made.id, kept, now=self.clock(), by=0)
        return made

    def visitor(self, account=None, **options):
        """A browser, signed in as an account without asking for its password."""
        client = self.app.test_client(**options)
        if account:
            token = sessions.token(secrets.token_bytes(32))
            with self.writing() as session:
                life = self.app.extensions["signin"].life
                sessions.begin(
                    session, account.id, token=token, way="password", device="", life=life, now=self.clock()
                )
            client.set_cookie("session", token)
        return client

    def records(self):
        with self.writing() as session:
            return [one.what for one in records.latest(session)][::-1]


def quicken(monkeypatch):
    """A hundredth of what argon2 is given to do."""
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr("layers.accounts.passwords._hasher", lambda: cheap)
    monkeypatch.setattr("layers.accounts.passwords._NOBODY", cheap.hash("nobody"))


def seal(client, path):
    """The hidden field of a page's form."""
    return HIDDEN.search(client.get(path).text)[1]


def send(client, path, *, page="", **fields):
    """Fills in the form of a page and sends it."""
    return client.post(path, data={"csrf_token": seal(client, page or path), **fields})


def enter(client, name, password=SECRET, **more):
    return send(client, "/en/account/sign-in", name=name, password=password, **more)
