"""What this package raises on purpose: whole sentences, so that they can be translated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def N_(text: str) -> str:
    """Marks a sentence for translation; the face of the house translates it when it is shown."""
    return text


class Sentence(str):
    """A sentence with its gaps filled, which can still be told in another language.

    It is the English sentence itself; `text` is what a catalogue knows, `values` fill its gaps.
    """

    text: str
    values: Mapping[str, object]

    def __new__(cls, text: str, /, **values: object) -> "Sentence":
        made = super().__new__(cls, text.format(**values))
        made.text, made.values = text, values
        return made


class LayersError(Exception):
    """A failure that a person can understand: `text` is a sentence, `values` fill its gaps."""

    text = N_("Something in the data could not be used.")

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(self.text.format(**values))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """So that it can be told by another process."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[LayersError], args: tuple[Any, ...], facts: dict[str, Any]) -> LayersError:
    made = kind.__new__(kind, *args)
    made.args = args
    made.__dict__.update(facts)
    return made


class NotFound(LayersError):
    text = N_("There is nothing here.")


class Invalid(LayersError):
    text = N_("This value cannot be used.")


class Unavailable(LayersError):
    text = N_("The store cannot be used just now.")


class NotAllowed(LayersError):
    text = N_("Your account may not do this.")


class NotSignedIn(LayersError):
    text = N_("Sign in first.")


class LayerNotFound(NotFound):
    text = N_("There is no layer “{layer}”.")


class BodyNotFound(NotFound):
    text = N_("There is no organisation “{key}”.")


class AreaNotFound(NotFound):
    text = N_("There is no area “{code}” of the kind “{kind}”.")


class SettlementNotFound(NotFound):
    text = N_("There is no place “{code}”.")


class CaseNotFound(NotFound):
    text = N_("There is no case “{key}”.")


class PracticeNotFound(NotFound):
    text = N_("There is no practice “{key}”.")


class EntryNotFound(NotFound):
    text = N_("There is no entry “{key}” in the journal.")


class EventNotFound(NotFound):
    text = N_("There is no training “{key}”.")


class PageNotFound(NotFound):
    text = N_("There is no page “{key}”.")


class OutOfRange(Invalid):
    text = N_("“{name}” must lie between {low} and {high}; {value} does not.")


class BadFrame(Invalid):
    text = N_("A frame is written west,south,east,north in degrees (24.5,58.2,26.1,59.0); “{value}” is not.")


class BadDate(Invalid):
    text = N_("A date is written 2018, 2018-05 or 2018-05-29; “{value}” is not.")


class StoreNotReady(Unavailable):
    text = N_("The store is not set up. Run: turvakaart setup")


class BadStoreAddress(Unavailable):
    text = N_(
        "The store's address cannot be used. Write postgresql+psycopg://user@host/name and install "
        "turvakaart[postgis], or leave it out."
    )


class NotScrubbed(Unavailable):
    text = N_(
        "It is erased, but traces may be left in the store's file: others were at work in it. Run: "
        "turvakaart account scrub"
    )


class StoreBroken(Unavailable):
    text = N_("The store {place} cannot be used: {reason}.")


class StoreDamaged(StoreBroken):
    text = N_(
        "The store {place} cannot be used: {reason}. It was left as it is. Move it away, then put the last "
        "backup in its place with: turvakaart restore FILE --write"
    )


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in an instance's files: where, what, and how to mend it."""

    file: str
    row: int
    what: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.row}" if self.row else self.file
        return f"{where}: {self.what} {self.remedy}"


class BadInstance(Invalid):
    """The files of an instance cannot be loaded; `problems` names every one of them."""

    text = N_("{count} problems in the data; nothing was loaded.")

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(count=len(self.problems))
