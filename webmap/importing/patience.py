"""When a page can be shown: what it needs is done for it where that takes a moment, else in the background.

Then it leads to the page that tells how far it is.
"""

from collections.abc import Callable
from functools import wraps

from flask import Response
from flask.typing import ResponseReturnValue

from layers import arrivals
from layers.arrivals import plans, work
from layers.doctor import How
from webmap import inbox, underway
from webmap.importing import exams, frame
from webmap.inbox import Waiting
from webmap.underway import Errand

_LONG_ROWS = 1500
"""So many rows are examined, or written, in about a second; more are a job."""
_PATIENCE_S = 2.5
"""So long a page waits for a job: what ends meanwhile needs no page that tells how far it is."""


def waited(waiting: Waiting, errand: Errand) -> Errand:
    """The same step once it is over, or as it stands when a page waits no longer."""
    return underway.waited(waiting, errand, seconds=_PATIENCE_S)


def is_small(waiting: Waiting) -> bool:
    file = frame.file_of(waiting)
    return underway.is_small(file.stat().st_size, file.name)


def is_long(waiting: Waiting) -> bool:
    """Whether examining and writing the rows takes more than a moment: there are many, or they are large."""
    how = waiting.how or How()
    rows = arrivals.table(underway.home(waiting), how.sheet, how.encoding)[0].rows
    return rows > _LONG_ROWS or not is_small(waiting)


def edition_of(waiting: Waiting, errand: Errand | None) -> int:
    """The number of the edition that was made of a file, which is kept no longer then; 0 where none was."""
    if waiting.edition or errand is None or errand.do != work.WRITE or not errand.is_over:
        return waiting.edition
    number = underway.edition(errand, exams.question(waiting))
    if number:
        inbox.written(inbox.here(), waiting, number)
    return number


def to_be_read(waiting: Waiting, sheet: str, encoding: str) -> Response | None:
    """Where to go instead, while a table has not been read; None where it has."""
    errand = underway.current(waiting)
    if edition_of(waiting, errand) or not waiting.name:
        return frame.to("progress", waiting)
    if is_small(waiting):
        arrivals.read(underway.home(waiting), sheet, encoding)
    elif not arrivals.is_read(underway.home(waiting), sheet, encoding):
        asked = underway.read(waiting, sheet, encoding)
        if not waited(waiting, asked).is_done:
            return frame.to("progress", waiting)
    return None


def to_be_examined(waiting: Waiting, errand: Errand | None) -> Response | None:
    """Where to go instead, while the rows have not been examined; None where they have, or soon are."""
    if edition_of(waiting, errand):
        return frame.to("progress", waiting)
    if errand and errand.do == work.WRITE and not errand.is_over:
        return frame.to("progress", waiting)
    how, asked = waiting.how or How(), exams.question(waiting)
    if elsewhere := to_be_read(waiting, how.sheet, how.encoding):
        return elsewhere
    if plans.is_examined(underway.home(waiting), asked) or not is_long(waiting):
        return None
    is_same = errand and (errand.do, errand.key) == (work.EXAMINE, asked.key)
    if is_same and errand and errand.is_over and not errand.is_done:
        return frame.to("progress", waiting)
    begun = underway.examine(waiting, asked)
    return None if waited(waiting, begun).is_done else frame.to("progress", waiting)


def examined(view: Callable[[Waiting], ResponseReturnValue]) -> Callable[[str], ResponseReturnValue]:
    """A view of a file whose rows have been examined; where they have not, it leads to where they are.

    Stands below `signin.required`.
    """

    @wraps(view)
    def asked(token: str) -> ResponseReturnValue:
        waiting = frame.described(token)
        return to_be_examined(waiting, underway.current(waiting)) or view(waiting)

    return asked
