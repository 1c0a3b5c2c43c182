"""Of which day a delivered file speaks: what it says itself, and never simply today."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from layers import dates
from layers.errors import N_, BadDate
from layers.updates.content import BadContent
from layers.updates.tables import Table
from layers.updates.wanted import Address, Wanted

_DAY = re.compile(r"(\d{4})[-./]?(\d{2})[-./]?(\d{2})|(\d{2})\.(\d{2})\.(\d{4})")
_YEAR_OR_MONTH = re.compile(r"[12]\d{3}(-(0[1-9]|1[0-2]))?")
_EMPTY = "1899-12-30"


class NoDay(BadContent):
    text = N_("The file does not say of which day it is.")


class Ahead(BadContent):
    text = N_("The file says that it is of {day}, which lies ahead.")


def as_of(wanted: Wanted, address: Address, table: Table, *, moment: str, now: datetime) -> str:
    """The partial date of which a table speaks: the first rule of the source that tells one.

    `moment` is when it was fetched, "" where nobody knows.

    Raises:
        NoDay: no rule tells one.
        Ahead: it lies in the future.
    """
    for rule in address.as_of or wanted.as_of:
        found = _told(rule, table, moment or dates.moment(now))
        if found:
            if found > now.date().isoformat()[: len(found)]:
                raise Ahead(day=found)
            return found
    raise NoDay


def _told(rule: Mapping[str, Any], table: Table, moment: str) -> str:
    if rule.get("live"):
        return moment[:10]
    if "value" in rule:
        return dates.partial(str(rule["value"]))
    if "inner" in rule:
        found = re.search(str(rule["inner"]), table.inner)
        return day(found.group(found.re.groups and 1)) if found else ""
    days = (day(text) for text in table.delivered.columns.get(str(rule.get("column")), ()))
    return max(days, default="")


def day(text: str) -> str:
    """A partial date out of a text: 2026, 2026-04-01, 20260401, 01.04.2026; "" for none and the empty one."""
    if _YEAR_OR_MONTH.fullmatch(text):
        return text
    found = _DAY.search(text)
    if not found:
        return ""
    parts = found.groups()
    said = "-".join(parts[:3] if parts[0] else parts[:2:-1])
    try:
        return "" if said == _EMPTY else dates.partial(said)
    except BadDate:
        return ""
