"""A written case as its page shows it: the parts of its text, and the guides that speak of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from layers import texts
from layers.catalog import Words
from layers.practices import Case, Practice
from layers.texts import Section
from webmap import db, i18n
from webmap.i18n import Said


@dataclass(frozen=True)
class Story:
    """A text in this request's language, or visibly in another. `parts` is empty where it has none known."""

    said: Said
    parts: Mapping[str, Section]


def told(words: Words, *, kind: str) -> Story:
    """The text of a kind (cases, practices), taken apart by the headings of the instance."""
    said = i18n.words(words)
    headings = db.instance().sections.get(kind, {})
    return Story(said, texts.parts(said.text, headings, said.language))


def guides(case: Case, known: Iterable[Practice]) -> list[Practice]:
    """The practices that speak of a case in their text without being named as the practice it shows."""
    named = {link.practice for link in case.practices}
    return [one for one in known if one.key not in named and _speaks_of(one, case.key)]


def _speaks_of(practice: Practice, key: str) -> bool:
    return any(f"](case:{key})" in text for text in practice.texts.values())
