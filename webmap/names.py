"""Names of areas and settlements by their codes, kept until their layers change."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from layers import places
from layers.catalog import Words
from webmap import db, i18n


@dataclass(frozen=True)
class Names:
    """Names by `kind:code`, true for one state of the areas."""

    revision: tuple[tuple[str, int], ...]
    areas: dict[str, Words]


_KEPT: dict[int, Names] = {}


def area(key: str) -> str:
    """An area's name in this request's language; its key where it has none."""
    return i18n.plain(_names().areas.get(key, {})) or key


def municipality(code: str) -> str:
    return area(f"municipality:{code}") if code else ""


def county(code: str) -> str:
    return area(f"county:{code}") if code else ""


def _names() -> Names:
    session, house = db.session(), db.house()
    revision = tuple(sorted(places.revisions(session).items()))
    kept = _KEPT.get(id(house))
    if kept is None or kept.revision != revision:
        kept = Names(revision, _read(lambda kind: places.areas(session, kind, as_of=date.max)))
        _KEPT[id(house)] = kept
    return kept


def _read(ask: Callable[[str], list[places.Area]]) -> dict[str, Words]:
    kinds = db.instance().codes.get("area_kinds", {})
    return {found.key: found.names for kind in kinds for found in ask(kind)}
