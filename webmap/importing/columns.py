"""What the columns of a file hold: guessed, remembered, and said by a steward."""

from flask import Response, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from layers import arrivals, doctor
from layers.doctor import Begun, How, fields
from webmap import context, db, inbox, params, signin, stewards, underway
from webmap.importing import exams, frame, patience
from webmap.importing.frame import bp
from webmap.inbox import Waiting

_SAMPLES = 3
_ENCODINGS = ("utf-8", "windows-1257", "iso-8859-13", "windows-1252", "windows-1251", "utf-16")


@bp.route("/<language>/import/<token>", methods=["GET", "POST"])
@signin.required(stewards.ROLE)
def columns(token: str) -> ResponseReturnValue:
    waiting, filled = frame.waiting(token), params.filled()
    if request.method == "POST" and filled.get("do") == "drop":
        underway.cancel(waiting)
        errand = underway.current(waiting)
        if errand and not patience.waited(waiting, errand).is_over:
            return frame.to("progress", waiting)  # It is being written: its file is needed.
        inbox.drop(inbox.here(), waiting.token)
        return redirect(context.page("importing.send"), 303)
    args = filled if request.method == "POST" else params.arguments()
    last = waiting.how or How()
    sheet = args.get("sheet", "").strip() or last.sheet
    encoding = args.get("encoding", "").strip() or last.encoding
    encoding = encoding if encoding in _ENCODINGS else ""
    if elsewhere := patience.to_be_read(waiting, sheet, encoding):
        return elsewhere
    if request.method == "GET":
        return _columns_page(waiting, sheet, encoding)
    begun = exams.begun(waiting, sheet, encoding)
    inbox.read_as(inbox.here(), waiting, _how(begun))
    return frame.to("findings", waiting)


def _columns_page(waiting: Waiting, sheet: str, encoding: str) -> Response:
    begun = exams.begun(waiting, sheet, encoding)
    before = waiting.how or doctor.remembered(db.session(), waiting.layer, waiting.about.dataset)
    is_same = waiting.how is not None and waiting.how.sheet == begun.table.name
    chosen = dict(waiting.how.columns) if waiting.how and is_same else dict(begun.how.columns)
    return frame.page(
        "columns",
        waiting=waiting,
        begun=begun,
        offers=arrivals.table(underway.home(waiting), sheet, encoding)[1],
        chosen=chosen,
        same=before.same,
        crs=before.crs,
        encoding=encoding,
        encodings=_ENCODINGS if begun.table.encoding else (),
        systems=_systems(),
        samples=_samples(begun),
        layer=db.instance().layer(waiting.layer),
    )


def _how(begun: Begun) -> How:
    """How the form says that a table is to be read; what it names and the table has not is left out."""
    filled, there = params.filled(), {*begun.table.columns}
    columns_ = {key: filled.get(f"column.{key}", "") for key in begun.target.fields}
    same = {key: filled.get(f"same.{key}", "").strip() for key in begun.target.fields}
    crs = filled.get("crs", "")
    return How(
        columns={key: column for key, column in columns_.items() if column in there},
        same={key: value for key, value in same.items() if value},
        crs=crs if crs in _systems() else "",
        sheet=begun.table.name,
        encoding=filled.get("encoding", "") if filled.get("encoding") in _ENCODINGS else "",
    )


def _systems() -> dict[str, str]:
    """The systems of coordinates that a steward may name, with words."""
    instance = db.instance()
    own = [4326, instance.metric_crs, 3857, *fields.habits(instance).systems]
    found: dict[str, str] = {}
    for number in dict.fromkeys(own):
        found[f"EPSG:{number}"] = f"EPSG:{number}"
        found[f"EPSG:{number}:swapped"] = gettext("EPSG:%(number)s, northing first", number=number)
    return found


def _samples(begun: Begun) -> dict[str, list[str]]:
    """The first different values of each column."""
    found: dict[str, dict[str, None]] = {column: {} for column in begun.table.columns}
    piece = next(begun.table.pieces(), None)
    for row in piece.cells[:500] if piece else ():
        for column, cell in zip(begun.table.columns, row, strict=True):
            if cell and len(found[column]) < _SAMPLES:
                found[column][cell[:60]] = None
    return {column: [*values] for column, values in found.items()}
