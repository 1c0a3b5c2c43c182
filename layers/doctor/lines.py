"""A row of a source on its way to a row of the store."""

from dataclasses import dataclass, field
from typing import Any

from layers.errors import Sentence


class Bad(Exception):
    """A row that must be refused: what is wrong with it, and the remedy."""

    def __init__(self, what: Sentence | str, remedy: Sentence | str) -> None:
        self.what, self.remedy = said(what), said(remedy)
        super().__init__(what)


def said(text: str) -> Sentence:
    """A sentence without gaps as one that can be translated; one that can be already as it is."""
    return text if isinstance(text, Sentence) else Sentence(text)


@dataclass
class Line:
    """One row on its way. `cells` by field, `shape` in metres, `told` of what was done to it."""

    number: int
    cells: dict[str, str]
    shape: Any = None
    told: list[Sentence] = field(default_factory=list)
    bad: Bad | None = None
