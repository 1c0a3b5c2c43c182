"""The command `turvakaart account`: the first admin, and whatever has to be done without a browser.

A password is asked for without being shown, or read from a pipe; it is never an argument, which other people
on the same computer could read in the list of processes.
"""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from sqlalchemy.orm import Session

from layers import accounts, catalog, store
from layers.accounts import factors, passwords, records, sessions, tries
from layers.errors import LayersError
from webmap import erasing, seals
from webmap.settings import Settings

_ROLE = click.Choice(accounts.ROLES)
_LAYERS = click.option(
    "--layer", "layers", multiple=True, help="Only this layer; may be given several times."
)
_AREAS = click.option("--area", "areas", multiple=True, help="Only this area, as county:0087; several times.")


@dataclass(frozen=True)
class Clerk:
    """The store at which the commands work."""

    settings: Settings

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is committed at its end; what is wrong is said in one sentence."""
        try:
            read = catalog.read_instance(self.settings.instance)
            engine = store.open_store(self.settings.store_url(read.key))
            store.set_up(engine)
            with store.writing(engine, srid=read.metric_crs, turn=store.DOOR) as session:
                yield session
                session.commit()
            engine.dispose()
        except LayersError as error:
            raise click.ClickException(str(error)) from error

    @contextmanager
    def house(self) -> Iterator[erasing.House]:
        """The store and what lies beside it; what is wrong is said in one sentence."""
        try:
            read = catalog.read_instance(self.settings.instance)
            engine = store.open_store(self.settings.store_url(read.key))
            store.set_up(engine)
            yield erasing.House.of(self.settings, engine, srid=read.metric_crs)
            engine.dispose()
        except LayersError as error:
            raise click.ClickException(str(error)) from error

    def digest(self, purpose: str, text: str) -> str:
        return seals.derived(seals.key(self.settings.key_file()), purpose, text)


_with_clerk = click.make_pass_decorator(Clerk)


@click.group()
def account() -> None:
    """Accounts of those who keep the map."""


@account.command()
@click.argument("name")
@click.option("--label", required=True, help="What others see: the office, not the person.")
@click.option("--role", type=_ROLE, default="reader", show_default=True)
@_LAYERS
@_AREAS
@_with_clerk
def add(
    clerk: Clerk, name: str, label: str, role: str, layers: tuple[str, ...], areas: tuple[str, ...]
) -> None:
    """Adds an account and asks for its password."""
    password = _password()
    with clerk.writing() as session:
        now = _now()
        made = accounts.add(session, name=name, label=label, role=role, layers=layers, areas=areas, now=now)
        _set_password(session, made, password, now)
    click.echo(f"{made.name}: {role}")


@account.command("list")
@_with_clerk
def list_(clerk: Clerk) -> None:
    """Every account with its role and what it is limited to."""
    with clerk.writing() as session:
        for one in accounts.every(session):
            state = (
                "disabled"
                if one.is_disabled
                else "in use"
                if one.has_password or one.is_linked
                else "invited"
            )
            limits = " ".join([*one.layers, *one.areas]) or "-"
            click.echo("\t".join([one.name, one.role, state, limits, one.label]))


@account.command()
@click.argument("name")
@click.argument("role", type=_ROLE)
@_LAYERS
@_AREAS
@_with_clerk
def role(clerk: Clerk, name: str, role: str, layers: tuple[str, ...], areas: tuple[str, ...]) -> None:
    """Gives NAME another role, and the limits that are named; the account is signed out everywhere."""
    with clerk.writing() as session:
        found, now = accounts.named(session, name), _now()
        accounts.set_role(session, found.id, role, now=now)
        accounts.set_scope(session, found.id, layers=layers, areas=areas, now=now)


@account.command()
@click.argument("name")
@_with_clerk
def password(clerk: Clerk, name: str) -> None:
    """Gives NAME another password; the account is signed out everywhere, and a wait of it ends."""
    chosen = _password()
    with clerk.writing() as session:
        found, now = accounts.named(session, name), _now()
        _set_password(session, found, chosen, now)
        accounts.unlock(session, found.id, f"name:{clerk.digest('name', found.name)}", now=now)


@account.command()
@click.argument("name")
@_with_clerk
def disable(clerk: Clerk, name: str) -> None:
    """Lets NAME in no more, and signs it out everywhere."""
    with clerk.writing() as session:
        accounts.disable(session, accounts.named(session, name).id, now=_now())


@account.command()
@click.argument("name")
@_with_clerk
def enable(clerk: Clerk, name: str) -> None:
    """Lets NAME in again."""
    with clerk.writing() as session:
        accounts.enable(session, accounts.named(session, name).id, now=_now())


@account.command("second-factor")
@click.argument("name")
@_with_clerk
def second_factor(clerk: Clerk, name: str) -> None:
    """Turns the second factor of NAME off, as when the phone and the recovery codes are lost."""
    with clerk.writing() as session:
        found = accounts.named(session, name)
        factors.turn_off(session, found.id, now=_now())
        tries.forget(session, f"second:{clerk.digest('second', str(found.id))}")


@account.command()
@click.argument("name")
@click.option("--also", multiple=True, help="A label that the account once had; may be given several times.")
@_with_clerk
def erase(clerk: Clerk, name: str, also: tuple[str, ...]) -> None:
    """Forgets NAME: history tells an erased account in its place, and restored backups forget it again."""
    with clerk.house() as house:
        with store.reading(house.engine, srid=house.srid) as session:
            id = accounts.named(session, name).id
        gone = erasing.erase(house, id, now=_now(), also=also)
        click.echo(f"{gone.erased.mark} is erased.")
        for label in gone.erased.kept:
            click.echo(f"  The label “{label}” stays: another account has it too.")
        for place in gone.traces:
            click.echo(f"  The name or a label still stands in {place}: correct it by hand.")
        store.scrub(house.engine)


@account.command()
@_with_clerk
def scrub(clerk: Clerk) -> None:
    """Writes the store anew, so that nothing that was erased is left between its rows."""
    with clerk.house() as house:
        store.scrub(house.engine)


@account.command("sessions")
@click.argument("name")
@click.option("--end", is_flag=True, help="Sign it out everywhere.")
@_with_clerk
def sessions_(clerk: Clerk, name: str, end: bool) -> None:
    """Where NAME is signed in."""
    settings = clerk.settings
    with clerk.writing() as session:
        found, now = accounts.named(session, name), _now()
        life = sessions.Life.of(settings.session_idle_min, settings.session_most_h)
        for one in sessions.of(session, found.id, life=life, now=now):
            click.echo("\t".join([one.began_at, one.seen_at, one.way, one.device or "-"]))
        if end:
            number = accounts.end_sessions(session, found.id, now=now)
            click.echo(f"{number} ended.")


@account.command()
@click.option("--most", default=100, show_default=True, type=click.IntRange(1, 10_000))
@_with_clerk
def record(clerk: Clerk, most: int) -> None:
    """What happened at the door, the newest first."""
    with clerk.writing() as session:
        for one in records.latest(session, most=most):
            click.echo("\t".join([one.at, one.by or "-", one.what, one.about or "-", one.detail]))


def _set_password(session: Session, found: accounts.Account, password: str, now: datetime) -> None:
    kept = passwords.hashed(passwords.checked(password, name=found.name), salt=secrets.token_bytes(16))
    accounts.set_password(session, found.id, kept, now=now, by=0)


def _password() -> str:
    """What is typed twice and not shown, or the first line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _now() -> datetime:
    return datetime.now(tz=UTC)
