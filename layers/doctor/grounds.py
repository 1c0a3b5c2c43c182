"""What the store knows already, as far as an import asks: places by name, organisations by name, areas."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import shapely
from sqlalchemy.orm import Session

from layers import geo, letters, places, store
from layers.catalog import Instance, Words

SETTLEMENT, MUNICIPALITY, COUNTY = "settlement", "municipality", "county"
_KINDS = (SETTLEMENT, MUNICIPALITY, COUNTY)
_OFTEN = 5


@dataclass(frozen=True)
class Spot:
    """A settlement, municipality or county by its code. `within` are the codes around it."""

    code: str
    name: str
    within: frozenset[str] = frozenset()
    point: shapely.Point | None = None


@dataclass(frozen=True)
class Known:
    """Spots by kind and folded name, and by kind and code; organisations; areas by key."""

    named: Mapping[tuple[str, str], tuple[Spot, ...]] = field(default_factory=dict)
    coded: Mapping[tuple[str, str], Spot] = field(default_factory=dict)
    bodies: Mapping[tuple[str, str], tuple[tuple[str, frozenset[str]], ...]] = field(default_factory=dict)
    """By layer and folded name: keys, each with the codes of where it is."""
    layers: Mapping[str, str] = field(default_factory=dict)
    """By key of an organisation: its layer."""
    areas: frozenset[str] = frozenset()


def known(session: Session, instance: Instance, *, as_of: date) -> Known:
    """What is known on a day."""
    srid = store.srid_of(session)
    spots: list[tuple[str, Spot, Iterable[str]]] = []
    for one in places.settlements(session, as_of=as_of):
        point = geo.metric_point(one.place, srid=srid)
        around = frozenset({one.municipality, one.county} - {""})
        spots.append((SETTLEMENT, Spot(one.key, one.name, around, point), [one.name]))
    keys = set()
    for kind in instance.codes.get("area_kinds", {}):
        for area in places.areas(session, kind, as_of=as_of):
            keys.add(area.key)
            if kind in (MUNICIPALITY, COUNTY):
                names = [str(name) for name in area.names.values()]
                around = frozenset({area.parent.partition(":")[2]} - {""})
                spots.append((kind, Spot(area.code, _name(area.names), around), names))
    # What has ended is known by its key and code only: names belong to what there is.
    ended: dict[tuple[str, str], Spot] = {}
    for key, words in places.area_names(session).items():
        kind, _, code = key.partition(":")
        keys.add(key)
        if kind in (MUNICIPALITY, COUNTY):
            ended[kind, code] = Spot(code, _name(words))
    named: dict[tuple[str, str], list[Spot]] = {}
    kinds_of = {kind: _kind_words(called for of, _, called in spots if of == kind) for kind in _KINDS}
    for kind, spot, called in spots:
        for name in {form for each in called for form in _forms(each, kinds_of[kind])}:
            named.setdefault((kind, name), []).append(spot)
    bodies: dict[tuple[str, str], list[tuple[str, frozenset[str]]]] = {}
    layers: dict[str, str] = {}
    for body in places.bodies(session, as_of=as_of):
        layers[body.key] = body.layer
        where = frozenset({body.settlement, body.municipality, body.county} - {""})
        bodies.setdefault((body.layer, letters.fold(body.name)), []).append((body.key, where))
    return Known(
        named={name: tuple(found) for name, found in named.items()},
        coded=ended | {(kind, spot.code): spot for kind, spot, _ in spots},
        bodies={name: tuple(found) for name, found in bodies.items()},
        layers=layers,
        areas=frozenset(keys),
    )


def _kind_words(called: Iterable[Iterable[str]]) -> frozenset[str]:
    """The last words that so many names share that they must say what it is: village, commune."""
    last = Counter(
        words[-1] for names in called for name in names if (words := letters.fold(name).split())[1:]
    )
    return frozenset(word for word, times in last.items() if times >= _OFTEN)


def _forms(name: str, kinds: frozenset[str]) -> set[str]:
    """A name as it is compared: whole, and without the word that says what it is."""
    words = letters.fold(name).split()
    return {" ".join(words), " ".join(words[:-1] if words[-1:] and words[-1] in kinds else words)} - {""}


def _name(names: Words) -> str:
    return str(next(iter(names.values()), ""))
