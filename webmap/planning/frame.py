"""What the planner's pages share: the blueprint and the tabs over every page."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from layers.errors import N_, Invalid, LayersError
from layers.gaps.demand import NobodyToCount
from webmap import errors, params
from webmap.planning.zoned import NoAreas

bp = Blueprint("gaps", __name__, url_prefix="/<language>/gaps")


class NoAreaLayer(Invalid):
    text = N_("This instance has no layer of areas yet: add one with its polygons.")


class NobodyHelps(Invalid):
    text = N_("This instance has no layer of organisations yet: add one with its table.")


@bp.errorhandler(NobodyToCount)
@bp.errorhandler(NoAreaLayer)
@bp.errorhandler(NobodyHelps)
@bp.errorhandler(NoAreas)
def lacking(error: LayersError) -> ResponseReturnValue:
    """A young instance cannot be asked yet: its page says what to load, a file is refused."""
    if params.arguments().get("format"):
        return errors.told(error)
    return render_template("gaps/lacking.html", error=error)
