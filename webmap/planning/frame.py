"""What the planner's pages share: the blueprint and the tabs over every page."""

from flask import Blueprint

bp = Blueprint("gaps", __name__, url_prefix="/<language>/gaps")
