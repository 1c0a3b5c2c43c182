"""One session a request, and the instance that the application serves."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app, g
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from layers import store
from layers.catalog import Instance


@dataclass(frozen=True)
class House:
    """What every request of this process shares."""

    instance: Instance
    engine: Engine


def init_app(app: Flask, house: House) -> None:
    app.extensions["house"] = house
    app.teardown_appcontext(_close)


def house() -> House:
    return cast(House, current_app.extensions["house"])


def instance() -> Instance:
    return house().instance


def session() -> Session:
    """This request's session; questions only, nothing is committed."""
    if "session" not in g:
        g.reading = store.reading(house().engine, srid=instance().metric_crs)
        g.session = g.reading.__enter__()
    return cast(Session, g.session)


def _close(_error: BaseException | None) -> None:
    if reading := g.pop("reading", None):
        g.pop("session")
        reading.__exit__(None, None, None)
