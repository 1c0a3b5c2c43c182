"""One session a request, and the instance that the application serves."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, g
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from layers import places, store
from layers.catalog import Instance
from layers.gaps.parts import EMBEDDED, Runner
from layers.tiles import Shelf
from webmap import params

Revisions = tuple[tuple[str, int], ...]
LOOKS_BACK = "@known"
_CONFIRMED = "@confirmed"


@dataclass(frozen=True, eq=False)
class House:
    """What every request of this process shares; itself the key of what is kept about it.

    `runner` divides the planner's questions, or asks them in one part.
    """

    instance: Instance
    engine: Engine
    shelf: Shelf
    runner: Runner = EMBEDDED


def init_app(app: Flask, house: House) -> None:
    app.extensions["house"] = house
    app.teardown_appcontext(_close)


def house() -> House:
    return cast(House, current_app.extensions["house"])


def instance() -> Instance:
    return house().instance


def session() -> Session:
    """This request's session; questions only, nothing is committed. It looks back when the request does."""
    if "session" not in g:
        g.reading = store.reading(house().engine, srid=instance().metric_crs)
        g.session = g.reading.__enter__()
        if moment := params.known(params.arguments()):
            store.look_back(g.session, moment)
    return cast(Session, g.session)


@contextmanager
def writing() -> Iterator[Session]:
    """A session for a change that this request makes; the view commits it. Nothing is kept of before."""
    with store.writing(house().engine, srid=instance().metric_crs) as found:
        yield found
    g.pop("revisions", None)
    _close(None)


def revisions() -> Revisions:
    """The state of every layer, read once a request: with it goes what has been kept.

    A request that looks back has a state of its own. One that has asked nothing yet needs no session for it:
    most answers are made of what has been kept.
    """
    if "revisions" not in g:
        is_first = "session" not in g and not params.known(params.arguments())
        g.revisions = store.revisions(house().engine) if is_first else _revisions_of(session())
    return cast(Revisions, g.revisions)


def _revisions_of(asked: Session) -> Revisions:
    """As the session sees them, in its own transaction."""
    found = places.revisions(asked)
    if (newest := asked.info.get("known")) is not None:
        found |= {LOOKS_BACK: newest, _CONFIRMED: asked.info["confirmed"]}
    return tuple(sorted(found.items()))


def state_of(revisions: Revisions) -> int:
    """The state of all layers as one number, which rises with each of theirs."""
    return sum(number for layer, number in revisions if not layer.startswith("@"))


def close() -> None:
    """Ends this request's reading; the next question begins another."""
    g.pop("revisions", None)
    _close(None)


def _close(_error: BaseException | None) -> None:
    if reading := g.pop("reading", None):
        g.pop("session")
        with suppress(DBAPIError):  # Its connection broke after the last question: the answer is whole.
            reading.__exit__(None, None, None)
