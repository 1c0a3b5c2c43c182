"""Who has tried in vain waits, longer each time; the counts lie in the store, so every worker knows them.

A try is counted before it is made: a hundred at once would else all find the count of none. Whether a name
belongs to anybody makes no difference.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from layers import dates
from layers.accounts.tables import TryRow

_FORGOTTEN = timedelta(hours=24)


@dataclass(frozen=True)
class Rule:
    """How many tries are free; the next waits `first_s`, each further one twice as long up to `most_s`."""

    free: int
    first_s: int
    most_s: int = 3600

    def wait_s(self, number: int) -> int:
        """How long after the last of so many tries in vain."""
        over = number - self.free
        return 0 if over < 0 else min(self.first_s * 2 ** min(over, 20), self.most_s)


OF_NAME = Rule(free=5, first_s=30)
OF_ADDRESS = Rule(free=30, first_s=10)  # Behind one address a whole office may sit.


def left_s(session: Session, key: str, rule: Rule, *, now: datetime) -> int:
    """How many seconds are left until the next try; 0 for none."""
    row = session.get(TryRow, key)
    if row is None or _moment(row.last_at) < now - _FORGOTTEN:
        return 0
    until = _moment(row.last_at) + timedelta(seconds=rule.wait_s(row.number))
    return max(0, -int((now - until) // timedelta(seconds=1)))


def count(session: Session, key: str, *, now: datetime) -> None:
    """One more try; those of a day ago are forgotten."""
    row = session.get(TryRow, key)
    if row is None:
        session.add(TryRow(key=key, number=1, last_at=dates.moment(now)))
    else:
        is_old = _moment(row.last_at) < now - _FORGOTTEN
        row.number, row.last_at = 1 if is_old else row.number + 1, dates.moment(now)
    session.flush()


def take_back(session: Session, key: str) -> None:
    """The last try was none in vain."""
    row = session.get(TryRow, key)
    if row is not None:
        row.number -= 1
        session.flush()


def forget(session: Session, key: str) -> None:
    session.execute(delete(TryRow).where(TryRow.key == key))


def forget_old(session: Session, *, now: datetime) -> None:
    session.execute(delete(TryRow).where(TryRow.last_at < dates.moment(now - _FORGOTTEN)))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
