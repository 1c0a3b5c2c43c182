"""What is asked of a file that waits, and the answers: begun to be read, examined, planned.

They are kept while nothing that decides has changed, because every page of the file asks.
"""

import json
from functools import lru_cache
from pathlib import Path

from layers import arrivals, doctor
from layers.arrivals import plans
from layers.arrivals.plans import Question
from layers.doctor import Begun, Exam, How
from layers.editions import Plan
from webmap import db, params, underway
from webmap.db import House, Revisions
from webmap.importing import frame
from webmap.inbox import Waiting


def question(waiting: Waiting) -> Question:
    state = repr(db.revisions())
    return Question(waiting.layer, waiting.about, waiting.how or How(), params.today(), state)


def begun(waiting: Waiting, sheet: str, encoding: str) -> Begun:
    how = How(sheet=sheet or arrivals.first(underway.home(waiting), encoding), encoding=encoding)
    asked = Question(waiting.layer, waiting.about, how, params.today())
    return _begun_of(db.house(), db.revisions(), underway.home(waiting), json.dumps(asked.as_dict()))


@lru_cache(maxsize=4)
def _begun_of(house: House, _revisions: Revisions, home: Path, said: str) -> Begun:
    """A file as it was begun to be read, kept: each page of it asks. `said` is all that decides."""
    return plans.begin(db.session(), house.instance, home, plans.question(json.loads(said)))


def exam(waiting: Waiting) -> Exam:
    return _exam_of(db.house(), underway.home(waiting), json.dumps(question(waiting).as_dict()))


@lru_cache(maxsize=2)
def _exam_of(house: House, home: Path, said: str) -> Exam:
    """A file, examined, and kept: map, downloads and the write ask for it. `said` is all that decides."""
    return plans.examine(db.session(), house.instance, home, plans.question(json.loads(said)))


def plan(waiting: Waiting, exam: Exam) -> Plan:
    about = doctor.resource(waiting.about, waiting.layer, db.instance())
    return doctor.plan(db.session(), exam, about, file=frame.file_of(waiting))
