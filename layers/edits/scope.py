"""Whether an account may edit a thing: its layer, and where it lies."""

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers import accounts
from layers.accounts import Account
from layers.columns import wkb_of
from layers.model import Area, is_shown
from layers.sources.rows import Row

_NOWHERE = "nowhere:known"
_HIGHEST = 6


def may(session: Session, account: Account | None, role: str, *, layer: str, rows: list[Row]) -> bool:
    """Whether an account may edit what these rows tell of: all that was told before, and all that will be.

    Of an organisation or a case its settlement, municipality and county decide, else the areas of a case,
    else its point; who is limited to areas edits none of which the place is unknown.
    """
    on_layer = accounts.may(account, role, layer=layer)
    return on_layer and all(_may(session, account, role, layer, row) for row in rows)


def _may(session: Session, account: Account | None, role: str, layer: str, row: Row) -> bool:
    if account is None or not account.areas:
        return accounts.may(account, role, layer=layer)
    if "kind" in row.values:
        return accounts.may(account, role, layer=layer, area=row.key, within=_above(session, row))
    seats = {
        f"{kind}:{row.values[kind]}" for kind in ("settlement", "municipality", "county") if row.values[kind]
    }
    listed = {link["area"] for link in row.links.get("areas", ())}
    within = seats or listed or _around(session, account, row) or {_NOWHERE}
    return accounts.may(account, role, layer=layer, within=within)


def _above(session: Session, row: Row) -> set[str]:
    """The areas in which an area lies, as its parents tell."""
    found: set[str] = set()
    key = str(row.values.get("parent", ""))
    while key and key not in found and len(found) < _HIGHEST:
        found.add(key)
        key = session.scalar(select(Area.parent).where(Area.key == key, is_shown(Area)).limit(1)) or ""
    return found


def _around(session: Session, account: Account, row: Row) -> set[str]:
    """The account's own areas in which the point of a row lies."""
    point = row.values["geom"]
    if point is None:
        return set()
    query = select(Area.key, wkb_of(Area.geom).label("wkb")).where(
        Area.key.in_(account.areas), is_shown(Area)
    )
    rows = session.execute(query).all()
    return {one.key for one in rows if shapely.covers(shapely.from_wkb(one.wkb), point)}
