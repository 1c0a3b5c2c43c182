"""A country in which every text of every table, label and file name tries to be more than text.

Checks at the door refuse some of it; here it stands in the store all the same, as after a mistake of ours, so
that what shows it is tried and nothing else.
"""

import itertools
import random
from contextlib import contextmanager

import yaml
from sqlalchemy import JSON, String, select, update

from layers import catalog, imports, store
from layers.model import Base
from tests import make
from tests.webmap import payloads, site
from webmap.settings import Settings

_STAY = [
    "accuracy",
    "period_from",
    "period_to",
    "area",
    "as_of",
    "audiences",
    "begins",
    "body",
    "capabilities",
    "case",
    "case_id",
    "checksum",
    "code",
    "county",
    "dataset",
    "date",
    "day",
    "digest",
    "ends",
    "form",
    "key",
    "kind",
    "layer",
    "link",
    "loaded_at",
    "materials",
    "moment",
    "municipality",
    "outcome",
    "parent",
    "parties",
    "population_as_of",
    "practice",
    "practices",
    "precision",
    "readiness",
    "related",
    "retired",
    "sender",
    "settlement",
    "shape",
    "since",
    "stage",
    "state",
    "status",
    "step",
    "table_name",
    "theme",
    "themes",
    "until",
    "valid_from",
    "valid_to",
]
_LABELS = [
    "area_kinds",
    "forms",
    "capabilities",
    "readiness",
    "precision",
    "themes",
    "outcomes",
    "stages",
    "parties",
    "event_states",
]
CSV = "rows.csv"


class Words:
    """One payload after the other, from a place that `turn` names; every field gets another."""

    def __init__(self, turn):
        order = [*payloads.WORDS]
        random.Random(turn).shuffle(order)  # noqa: S311
        self._words, self._urls = itertools.cycle(order), itertools.cycle(payloads.URLS)
        self.used = set()

    def word(self, number=1):
        some = [next(self._words) for _ in range(number)]
        self.used.update(some)
        return "\n\n".join(some)

    def url(self):
        return next(self._urls)

    def instead(self, name, said):
        """What stands in the place of a value: another text in each of its texts."""
        if name in _STAY:
            return said
        if isinstance(said, dict):
            return {key: self.instead(key, one) for key, one in said.items()}
        if isinstance(said, list):
            return [self.instead(name, one) for one in said]
        if not isinstance(said, str):
            return said
        if "url" in name:
            return self.url()
        # A text of Markdown or a note takes many; a name is one.
        return self.word(12 if name in ("et", "en", "ru") and len(said) > 30 else 1)


def labels(folder, words):
    """Every label of instance.yaml becomes a payload."""

    def change(about):
        about["name"] = {code: words.word() for code in about["languages"]}
        about["welcome"] = {code: words.word() for code in about["languages"]}
        for group in _LABELS:
            for said in (about.get(group) or {}).values():
                said.update({code: words.word() for code in about["languages"]})
        for layer in about["layers"]:
            layer["label"] = {code: words.word() for code in about["languages"]}
            layer["about"] = {code: words.word() for code in about["languages"]}
        for basemap in about["basemaps"]:
            basemap["label"], basemap["attribution"] = {"en": words.word()}, words.word()

    file = folder / "instance.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(said)
    file.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")


def poison(engine, words):
    """Puts payloads into every text of the store; returns how many columns of how many tables."""
    reached = set()
    with store.writing(engine, srid=make.SRID) as session:
        for table in Base.metadata.sorted_tables:
            columns = [one for one in table.columns if _is_text(one) and one.name not in _STAY]
            identity = [*table.primary_key]
            for row in session.execute(select(*identity, *columns)).mappings() if columns else ():
                new = {one.name: words.instead(one.name, row[one.name]) for one in columns}
                changed = {name: said for name, said in new.items() if said != row[name]}
                if changed:
                    where = [one == row[one.name] for one in identity]
                    session.execute(update(table).where(*where).values(**changed))
                    reached |= {(table.name, name) for name in changed}
        for row in session.scalars(select(Base.metadata.tables["revision"].c.layer)).all():
            store.raise_revision(session, row)
        session.commit()
    return reached


def _is_text(column):
    plain = getattr(column.type, "impl_instance", column.type)
    return isinstance(plain, JSON | String) and not column.primary_key


@contextmanager
def a_site(root, turn=0):
    """The application over such a country; `app.extensions["hostile"]` tells what was put where."""
    words = Words(turn)
    event = {"key": "first", "title_et": "Koolitus", "title_en": "Training", "begins": "2026-12-01"}
    event |= {
        "place": "Esimene",
        "note_et": "Märkus",
        "note_en": "A note",
        "source_url": "https://example.org/e",
    }
    folder = make.a_told_instance(root / "tiny", events=[event])
    labels(folder, words)
    settings = Settings(instance=folder, state=root / "state")
    read = catalog.read_instance(folder)
    engine = store.open_store(settings.store_url(read.key))
    imports.load(engine, read, now=make.moment(site.TODAY))
    reached = poison(engine, words)
    engine.dispose()
    with site.an_app(settings) as app:
        app.extensions["hostile"] = (words, reached)
        yield app


def a_file(words, rows=6):
    """A CSV whose name, columns and cells are payloads; a few columns can be guessed."""
    columns = ["name", "lat", "lon", *(words.word().replace("\n", " ") for _ in range(4))]
    table = [
        {name: "58.5" if name == "lat" else "24.5" if name == "lon" else words.word() for name in columns}
        for _ in range(rows)
    ]
    return make.a_table(table, columns).encode()


PAGES = """ legend print embed layers/ layers/police layers/villages layers/cases layers/counties
bodies/west-station areas/county/01 places/1001 here?lat=58.25&lon=24.25 here?place=Esimene search?q=e cases/
cases/first-case cases/new practices/ practices/alpha practices/alpha/slides practices/compare?keys=alpha,beta
coverage data about journal/ journal/2015-12-28-start trainings/ network freshness offline editions editions/1
editions/compare suggest/body/west-station card/settlement/1001 for/police gaps/ gaps/missing gaps/bridges
gaps/seams gaps/whatif gaps/siting gaps/report account/sign-in confirm/x nowhere"""
"""Public pages of each kind, without the language."""


def addresses(language):
    return [f"/{language}/{path}" for path in ["", *PAGES.split()]]
