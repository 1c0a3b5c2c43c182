"""Corrections by hand: what is told of a thing is read as a form, checked and written.

A thing is an organisation, an area or a case.

An edit is a small edition of the dataset EDITS. It touches no file, hides what it corrects, and is undone
as any other edition.
"""

from layers.edits.checks import Fault, NoState, Wrong
from layers.edits.past import Latest, NoEdit, Step, history, latest, touched, undo
from layers.edits.scope import may
from layers.edits.sheets import files
from layers.edits.things import (
    CASE,
    State,
    Thing,
    area,
    bodies_called,
    body,
    case,
    columns_of,
    layer_of_kind,
    matches,
    new,
    point_of,
    thing,
)
from layers.edits.timeline import CORRECT, END, FROM_DAY, NEW, WAYS
from layers.edits.writing import Change, Clash, Line, NothingChanged, Prepared, compared, prepare, write

__all__ = (
    "CASE",
    "CORRECT",
    "END",
    "FROM_DAY",
    "NEW",
    "WAYS",
    "Change",
    "Clash",
    "Fault",
    "Latest",
    "Line",
    "NoEdit",
    "NoState",
    "NothingChanged",
    "Prepared",
    "State",
    "Step",
    "Thing",
    "Wrong",
    "area",
    "bodies_called",
    "body",
    "case",
    "columns_of",
    "compared",
    "files",
    "history",
    "latest",
    "layer_of_kind",
    "matches",
    "may",
    "new",
    "point_of",
    "prepare",
    "thing",
    "touched",
    "undo",
    "write",
)
