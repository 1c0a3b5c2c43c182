"""Which column is what: by its name and by what stands in it, each guess with its reason."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from layers import letters
from layers.catalog import Instance
from layers.doctor import values
from layers.doctor.fields import EAST, NORTH, Field, Habits, Target, tells_all
from layers.doctor.grounds import COUNTY, MUNICIPALITY, SETTLEMENT, Known
from layers.errors import N_, Sentence
from layers.readers import Table

_SAMPLE = 500
_LEAST = 2.0
_SAME, _CONTAINS = 3.0, 2.0
_PLACES = (SETTLEMENT, MUNICIPALITY, COUNTY)
_FAR = 1000.0


@dataclass(frozen=True)
class Guess:
    """The column that seems to tell a field, and why."""

    column: str
    why: Sentence


def guess(
    table: Table, target: Target, *, instance: Instance, known: Known, habits: Habits
) -> dict[str, Guess]:
    """Which column tells which field; a column tells one thing, and a field has one column or none."""
    shaped = bool(table.geometry)
    if tells_all(target, dict.fromkeys(table.columns, "")):
        # It was taken along from the map: what stands in its columns need not be guessed.
        return {
            key: Guess(key, Sentence("The column is called “{column}”.", column=key))
            for key in target.fields
            if key in table.columns and not (shaped and key in (NORTH, EAST))
        }
    sample = _sample(table)
    scored = sorted(
        (
            (score, -position, key, column, why)
            for position, column in enumerate(table.columns)
            for key, one in target.fields.items()
            if not (shaped and key in (NORTH, EAST))
            for score, why in [_score(column, sample[column], one, known, habits)]
            if score >= _LEAST
        ),
        key=lambda one: (one[0], one[1]),
        reverse=True,
    )
    found: dict[str, Guess] = {}
    taken: set[str] = set()
    for _, _, key, column, why in scored:
        if key not in found and column not in taken:
            found[key] = Guess(column, why)
            taken.add(column)
    if (NORTH in found) != (EAST in found):
        found.pop(NORTH, None), found.pop(EAST, None)
    return {key: found[key] for key in target.fields if key in found}


def _sample(table: Table) -> dict[str, list[str]]:
    """What stands in the columns of the first rows, without blanks."""
    piece = next(table.pieces(), None)
    rows = piece.cells[:_SAMPLE] if piece else []
    return {name: [row[at] for row in rows if row[at]] for at, name in enumerate(table.columns)}


def _score(
    column: str, cells: Sequence[str], one: Field, known: Known, habits: Habits
) -> tuple[float, Sentence]:
    name = _named(column, one)
    what = [cell for cell in cells if not values.is_blank(cell, habits.blanks)]
    share = _share(one, what, known)
    called = Sentence("The column is called “{column}”.", column=column)
    if share is None:
        return name, called
    if what and share < 0.5:
        return 0.0, called
    if name:
        why = N_("The column is called “{column}”, and {share} of its values fit.")
        return name + share, Sentence(why, column=column, share=f"{share:.0%}")
    # What a column holds is enough where nothing else holds such values: codes and names of places.
    told = 2 * share if one.key in (*_PLACES, "form", "source_url") and len(set(what)) > 1 else 0.0
    return told, Sentence("{share} of the values in “{column}” fit.", column=column, share=f"{share:.0%}")


def _named(column: str, one: Field) -> float:
    """How well a column's name fits: the field's own name, one of its words, or such a word inside."""
    told = letters.fold(column)
    words = [letters.fold(word) for word in (one.key, *one.words)]
    if told in words or told.replace(" ", "") in [word.replace(" ", "") for word in words]:
        # The first words are the surest.
        return _SAME + 0.3 * (1 - words.index(told) / len(words) if told in words else 0)
    parts = set(told.split())
    return _CONTAINS if any(set(word.split()) <= parts for word in words if len(word) > 2) else 0.0


def _share(one: Field, cells: Sequence[str], known: Known) -> float | None:
    """The share of the values that such a field may hold; None where any text may be one."""
    test = _test(one, known)
    if test is None:
        return None
    return sum(map(test, cells)) / len(cells) if cells else 0.0


def _test(one: Field, known: Known) -> Callable[[str], bool] | None:
    if one.codes:
        return lambda cell: all(
            part in one.codes for part in values.codes_of(cell, one.codes).text.split(";")
        )
    if one.key in _PLACES:
        return lambda cell: (one.key, cell) in known.coded or (one.key, letters.fold(cell)) in known.named
    if one.key in (NORTH, EAST):
        return lambda cell: _is_number(values.number(cell).text)
    if one.key in ("valid_from", "valid_to", "as_of"):
        return lambda cell: values.day(cell).text[:4].isdecimal()
    if one.key == "source_url":
        return lambda cell: values.web(cell).text.startswith(("https://", "http://"))
    return None


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < 1e8
    except ValueError:
        return False


def remembered(how: Mapping[str, str], columns: Iterable[str]) -> dict[str, Guess]:
    """The mapping of an earlier import of the same dataset, as far as its columns are there."""
    there = set(columns)
    why = Sentence("So it was read the last time.")
    return {key: Guess(column, why) for key, column in how.items() if column in there}
