"""Read: what the map shows of a layer, as a table to take along, every row with source, licence, precision.

A row tells what its page tells, on a day and as known at a moment; what is hidden, held back or blurred is so
here too, since the same readers are asked. Beside the columns of the instance's own files (data/README.md),
by which `turvakaart import` takes a file back without a change, there are columns for people, in the language
asked for: `label`, `…_label`, `…_name`. `freshness` says whether a fact may be told as current, `confirmed`
when somebody last said that it holds. Of an area each fact of the instance is a column `fact_…`.

Long texts of cases and practices stay on their pages; people by square are counted with and not shown, so
that there is no file of them. Shapes are read some hundred at a time: a big layer needs little memory.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from layers import places
from layers.catalog import Instance
from layers.downloads import areas, organisations, tables, texts
from layers.downloads.asked import Asked, Offer, Question, Tell, is_share_alike
from layers.errors import LayerNotFound
from layers.exports import NOTHING, POINT, POLYGON, Dataset
from layers.filters import PlaceKinds

__all__ = ["Offer", "Question", "count", "dataset", "is_share_alike", "offer", "offers"]

GROUND: Mapping[str, str] = {"land": "land", "neighbours": "neighbour"}
_TABLES = ("practices", "settlements", "counts")


def offers(instance: Instance) -> list[Offer]:
    """Every public layer: those of the map in their order, then what stands beside and under them."""
    found = []
    for layer in instance.layers:
        shape = POLYGON if layer.of == "areas" else POINT
        found.append(Offer(layer.key, layer.of, shape, layer.label, layer.kind))
    for name in _TABLES:
        if name in instance.resources:
            shape = POINT if name == "settlements" else NOTHING
            found.append(Offer(name, name, shape, instance.resources[name].title))
    for name, kind in GROUND.items():
        if name in instance.resources:
            found.append(Offer(name, "areas", POLYGON, instance.resources[name].title, kind))
    return found


def offer(instance: Instance, key: str) -> Offer:
    """One of them.

    Raises:
        LayerNotFound: there is none of this name.
    """
    for one in offers(instance):
        if one.key == key:
            return one
    raise LayerNotFound(layer=key)


def dataset(
    session: Session,
    instance: Instance,
    question: Question,
    *,
    tell: Tell = str,
    place_kinds: PlaceKinds | None = None,
) -> Dataset:
    """The table of a layer; it is read from the session while it is written.

    Raises:
        LayerNotFound: there is no such layer.
    """
    about = offer(instance, question.layer)
    asked = Asked(session, instance, question, about, tell, place_kinds or {})
    return {
        "bodies": organisations.table,
        "cases": texts.cases_table,
        "practices": texts.practices_table,
        "settlements": tables.settlements,
        "counts": tables.counts,
        "areas": areas.table,
    }[about.of](asked)


def count(
    session: Session, instance: Instance, question: Question, *, place_kinds: PlaceKinds | None = None
) -> int:
    """How many rows the table of a layer has.

    Raises:
        LayerNotFound: there is no such layer.
    """
    about = offer(instance, question.layer)
    if about.of == "areas":
        return places.area_count(session, about.kind, as_of=question.as_of)
    asked = Asked(session, instance, question, about, str, place_kinds or {})
    readers: Mapping[str, Callable[[Asked], Sequence[Any]]] = {
        "bodies": organisations.bodies,
        "cases": texts.cases_found,
        "practices": texts.practices_found,
        "settlements": lambda one: places.settlements(session, as_of=question.as_of),
        "counts": lambda one: places.counts(session, as_of=question.as_of),
    }
    return len(readers[about.of](asked))
