"""Write: somebody says that a fact still holds. The fact stays as it is; its layer's revision rises.

So caches and snapshots follow, and a question that looks back knows only the confirmations of then.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from layers import dates, store
from layers.errors import N_, Invalid, NotFound
from layers.model import Area, Body, Case, Confirmation, Count, Edition, Practice

TABLES: dict[str, Any] = {
    "body": Body,
    "area": Area,
    "case_study": Case,
    "practice": Practice,
    "count": Count,
}
ACCOUNT, LINK, FILE = WAYS = ("account", "link", "steward file")


class FactNotFound(NotFound):
    text = N_("There is no fact “{key}” of the kind “{table}”.")


class NotYet(Invalid):
    text = N_("{day} has not come yet: nobody can confirm it.")


def confirm(
    session: Session,
    table: str,
    key: str,
    *,
    day: date,
    by: str,
    label: str,
    now: datetime,
    note: str = "",
    link: str = "",
) -> None:
    """Says that what is known of a key was still right on a day; the caller commits.

    Every state of it that is known now is meant. `label` is a role such as “steward”, never a person.

    Raises:
        FactNotFound: nothing of this key is known.
        NotYet: the day is after `now`.
    """
    if day > now.date():
        raise NotYet(day=day.isoformat())
    kind = TABLES.get(table)
    if kind is None or by not in WAYS:
        raise FactNotFound(key=key, table=table)
    query = select(kind.digest, Edition.table_name).join(Edition, Edition.id == kind.edition_id)
    rows = session.execute(query.where(kind.key == key, kind.retired_in.is_(None)).distinct()).all()
    if not rows:
        raise FactNotFound(key=key, table=table)
    session.add_all(
        Confirmation(
            table_name=table,
            key=key,
            digest=digest,
            day=day.isoformat(),
            by=by,
            label=label,
            moment=dates.moment(now),
            note=note,
            link=link,
        )
        for digest in sorted({row.digest for row in rows})
    )
    session.flush()
    for layer in sorted({row.table_name for row in rows}):
        store.raise_revision(session, layer)


def came_through(session: Session, link: str) -> bool:
    """Whether a signed link has confirmed something already."""
    return bool(session.scalar(select(func.count()).where(Confirmation.link == link)))


def through_links(session: Session, table: str, key: str, *, day: date) -> int:
    """How often links have confirmed a fact on a day (in UTC)."""
    said = Confirmation
    query = select(func.count(said.link.distinct())).where(
        said.table_name == table, said.key == key, said.by == LINK, said.moment.startswith(day.isoformat())
    )
    return session.scalar(query) or 0
