"""Whether the process is alive, whether it can answer, and how it is doing: for those who run it.

    /healthz   the process answers; it looks at nothing else
    /readyz    the store answers and is of this version, the snapshot is of its state, archives can be read
    /metrics   numbers for Prometheus, for whoever brings the token of this installation, else no such page

They tell a class of reason and nothing else, are kept by nobody, and are answered when all others wait.
"""

import hmac
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from layers import jobs, places, store, tiles
from layers.errors import Invalid, LayersError, StoreNotReady
from webmap import db, meters, porch, replies, underway
from webmap.meters import Told

bp = Blueprint("health", __name__)
_LEAST_TOKEN = 16
_FORM = "text/plain; version=0.0.4; charset=utf-8"


def init_app(app: Flask, *, token_file: Path | None) -> None:
    app.config["METRICS_TOKEN_FILE"] = token_file
    app.register_blueprint(bp)


@bp.after_request
def _keep_nowhere(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get(porch.ALIVE)
def alive() -> ResponseReturnValue:
    return {"status": "alive"}


@bp.get(porch.READY)
def ready() -> ResponseReturnValue:
    """503 with `reason`: store, schema, snapshot or archives."""
    if reason := _lacking():
        return {"status": "not ready", "reason": reason}, 503, {"Retry-After": "10"}
    return {"status": "ready"}


@bp.get(porch.METRICS)
def metrics() -> ResponseReturnValue:
    if not _is_trusted():
        raise NotFound
    return Response(meters.here().text(_told()), content_type=_FORM)


def _lacking() -> str:
    """What an answer would lack; "" when nothing. A snapshot of an older state is taken anew."""
    try:
        store.check_ready(db.house().engine)
    except StoreNotReady:
        return "schema"
    except LayersError:
        return "store"
    try:
        replies.known()
    except Invalid:
        raise  # The question is wrong (a moment that is none), and not what would answer it.
    except (LayersError, SQLAlchemyError):
        return "snapshot"
    # Without its archive a layer is drawn by frame: a map that is slower, and somebody should know.
    return "archives" if tiles.damaged(db.house().shelf) else ""


def _is_trusted() -> bool:
    """Whether the request brings the token. Where none is set, nobody is.

    An address proves nothing: behind a proxy on the same computer, everybody comes from here.
    """
    file = cast(Path | None, current_app.config["METRICS_TOKEN_FILE"])
    try:
        token = file.read_bytes().strip() if file else b""
    except OSError:
        return False
    given = request.headers.get("Authorization", "").encode()
    return len(token) >= _LEAST_TOKEN and hmac.compare_digest(given, b"Bearer " + token)


def _told() -> Iterator[Told]:
    """What the store and the folders of jobs tell just now."""
    try:
        revisions, editions = db.revisions(), places.all_editions(db.session(), most=1)
    except (LayersError, SQLAlchemyError):
        yield Told("turvakaart_store_up", "Whether the store answers.", (), {(): 0.0})
    else:
        yield Told("turvakaart_store_up", "Whether the store answers.", (), {(): 1.0})
        number = db.state_of(revisions)
        yield Told("turvakaart_store_revision", "The sum of the layers' revisions.", (), {(): number})
        newest = editions[0].number if editions else 0
        yield Told("turvakaart_imports", "The number of the newest edition.", (), {(): newest})
    yield Told("turvakaart_jobs", "Work in the background.", ("kind", "state"), _jobs())


def _jobs() -> Counter[tuple[str, ...]]:
    """How many jobs are kept, by kind and state: searches for sites, and the steps of imports."""
    found = Counter[tuple[str, ...]]()
    for state in jobs.all_states(cast(Path, current_app.config["JOBS"])):
        found["siting", state] += 1
    for step, state in underway.every():
        found[f"import-{step}", state] += 1
    return found
