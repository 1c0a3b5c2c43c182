"""Partial dates: 2018, 2018-05 and 2018-05-29 are all dates, and each says how exact it is.

They are kept as text. Compared letter by letter, a partial date stands for its first day, which is the
rule of this house for beginnings and ends; the empty text means "not known".
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime

from layers.errors import BadDate

_FORM = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def partial(text: str) -> str:
    """The text itself when it is a partial date of the calendar.

    Raises:
        BadDate: it is not.
    """
    found = _FORM.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        date(*(int(part or 1) for part in found.groups()))
    except ValueError as error:
        raise BadDate(value=text) from error
    return text


def is_partial(text: str) -> bool:
    """Whether a text is a partial date of the calendar."""
    with suppress(BadDate):
        return bool(partial(text))
    return False


def first_day(text: str) -> date:
    """The first day that a partial date can mean."""
    year, month, day = (*partial(text).split("-"), "01", "01")[:3]
    return date(int(year), int(month), int(day))


def holds(start: str, end: str, day: str) -> bool:
    """Whether a day is in a period; the end is no part of it, and a blank one is still to come."""
    return start <= day and (not end or end > day)


def overlap(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two periods, each a start and an end, share a day; a blank end is still to come."""
    return (not one[1] or other[0] < one[1]) and (not other[1] or one[0] < other[1])


def day_or_time(text: str) -> str:
    """The text itself when it is a partial date, or a time with its distance to UTC: 2016-09-21T16:00+03:00.

    Raises:
        BadDate: it is neither.
    """
    if "T" not in text:
        return partial(text)
    try:
        is_time = _TIME.fullmatch(text) and datetime.fromisoformat(text)
    except ValueError:
        is_time = None
    if not is_time:
        raise BadDate(value=text)
    return text


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


def moment(now: datetime) -> str:
    """A moment as it is kept, to the second in UTC: 2026-11-22T14:05:09Z."""
    return now.astimezone(UTC).strftime(_MOMENT)


def checked_moment(text: str) -> str:
    """The text itself when it is a moment.

    Raises:
        BadDate: it is not.
    """
    try:
        return moment(datetime.strptime(text, _MOMENT).replace(tzinfo=UTC))
    except ValueError as error:
        raise BadDate(value=text) from error


def years_since(text: str, *, today: date) -> int | None:
    """Whole years from a partial date to today; None when the date is not known."""
    if not text:
        return None
    then = first_day(text)
    return today.year - then.year - ((today.month, today.day) < (then.month, then.day))


def months_after(text: str, months: int) -> date:
    """So many months after the first day of a partial date; a day that its month lacks is the next day."""
    then = first_day(text)
    total = then.year * 12 + then.month - 1 + months
    for year, month, day in ((*divmod(total, 12), then.day), (*divmod(total + 1, 12), 1)):
        with suppress(ValueError):
            return date(year, month + 1, day)
    return date.max
