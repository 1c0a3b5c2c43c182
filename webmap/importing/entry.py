"""A file comes in: it is sent, fetched by its address, or comes as the last time."""

from collections.abc import Mapping
from datetime import UTC, datetime

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue

from layers import arrivals, doctor, places
from layers.arrivals import Origin, plans
from layers.catalog import Layer
from layers.doctor import AREAS, BODIES, About
from layers.errors import N_, Invalid, LayersError
from layers.model import EDITS
from webmap import db, i18n, inbox, intake, params, signin, stewards, underway
from webmap.importing import frame, patience
from webmap.importing.frame import bp
from webmap.inbox import Waiting
from webmap.underway import Errand

_ABOUT = ("dataset", "source", "licence", "as_of", "source_url", "title")


class NoLayer(Invalid):
    text = N_("Choose a layer of organisations or areas that your account may change.")


class OneOfBoth(Invalid):
    text = N_("Choose a file or name an address, not both.")


class NothingFetched(Invalid):
    text = N_(
        "Whoever runs this map has not allowed it to fetch files. Fetch the file yourself and send it in."
    )


@bp.route("/<language>/import", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def send() -> ResponseReturnValue:
    if request.method == "GET":
        return _send_page(_before(params.arguments()))
    filled: Mapping[str, str] = params.filled()
    if filled.get("do") == "again":
        filled = _before(filled)
    try:
        return _sent(filled)
    except LayersError as error:
        return _send_page(filled, problem=error)


def _sent(filled: Mapping[str, str]) -> Response:
    """Keeps the file of this request's form, or fetches it, when it can be read at all."""
    layer, address, sent = (
        filled.get("layer", ""),
        filled.get("address", "").strip(),
        request.files.get("file"),
    )
    if layer not in {one.key for one in _layers()}:
        raise NoLayer
    about = About(**{name: " ".join(filled.get(name, "").split()) for name in _ABOUT})
    if not address:
        return _kept(about, layer)
    if sent is not None and sent.filename:
        raise OneOfBoth
    if not current_app.config["FETCH"]:
        raise NothingFetched
    origin, now = Origin(address, filled.get("part", "").strip()), datetime.now(tz=UTC)
    about = intake.fetched(about, origin, now=now)
    doctor.resource(about, layer, db.instance())
    account = signin.asking().id
    waiting = inbox.expect(
        inbox.here(), address=address, part=origin.part, account=account, layer=layer, about=about, now=now
    )
    return _begun_to_come(waiting, underway.fetch(waiting))


def _kept(about: About, layer: str) -> Response:
    doctor.resource(about, layer, db.instance())
    sent, now = request.files.get("file"), datetime.now(tz=UTC)
    waiting = inbox.keep(inbox.here(), sent, account=signin.asking().id, layer=layer, about=about, now=now)
    if not patience.is_small(waiting):
        return _begun_to_come(waiting, underway.read(waiting, "", ""))
    try:
        arrivals.read(underway.home(waiting))
    except LayersError:
        inbox.drop(inbox.here(), waiting.token)
        raise
    return frame.to("columns", waiting)


def _begun_to_come(waiting: Waiting, errand: Errand) -> Response:
    """The columns of what comes in a moment, else how far it is.

    Raises:
        LayersError: it cannot be used, and nothing of it is kept.
    """
    errand = patience.waited(waiting, errand)
    if errand.reason and not errand.layers:
        inbox.drop(inbox.here(), waiting.token)
        raise errand.reason
    return frame.to("columns" if errand.is_done else "progress", waiting)


def _before(asked: Mapping[str, str]) -> Mapping[str, str]:
    """What was said of a dataset the last time, where one is named."""
    for one in _datasets():
        if (one.name, one.dataset) == (asked.get("layer"), asked.get("dataset")):
            own = {"title": i18n.plain(one.title), "source": i18n.plain(one.source)}
            origin = plans.origins(db.session()).get((one.name, one.dataset), Origin())
            return {
                **own,
                "address": origin.address,
                "part": origin.part,
                "layer": one.name,
                "dataset": one.dataset,
                "licence": one.licence,
                "source_url": one.source_url,
            }
    return {}


def _datasets() -> list[places.Edition]:
    """The newest edition of every dataset of the account's layers that came as a file."""
    known = {one.key for one in _layers()}
    found: dict[tuple[str, str], places.Edition] = {}
    for one in places.all_editions(db.session(), most=1000):
        if one.dataset not in ("", EDITS) and one.name in known:
            found.setdefault((one.name, one.dataset), one)
    return [*found.values()]


def _layers() -> list[Layer]:
    """The layers into which this account may read a file."""
    return [
        one
        for one in db.instance().layers
        if one.of in (BODIES, AREAS) and stewards.may_confirm(layer=one.key)
    ]


def _send_page(sent: Mapping[str, str], *, problem: LayersError | None = None) -> Response:
    own = [(one, underway.current(one)) for one in inbox.of(inbox.here(), signin.asking().id)]
    return frame.page(
        "send",
        sent=sent,
        problem=problem,
        waiting=own,
        layers=_layers(),
        datasets=_datasets(),
        most_mb=current_app.config["MAX_CONTENT_LENGTH"] // 1_000_000,
        may_fetch=current_app.config["FETCH"],
        origins=plans.origins(db.session()),
        others=[*underway.others(but=signin.asking().id)],
        doing=frame.DOING,
    )
