"""The kinds of place of the cases, kept for each state of the data."""

from datetime import date
from weakref import WeakKeyDictionary

from layers import place_kinds
from layers.filters import PlaceKinds
from layers.fit import Territory
from webmap import db, fits

# A territory holds a whole snapshot: what is told of it must not keep it in memory.
_kept: WeakKeyDictionary[Territory, PlaceKinds] = WeakKeyDictionary()


def known(as_of: date) -> PlaceKinds:
    """By case, the kinds that the instance has words for; nothing is measured where it has none."""
    labelled = db.instance().codes.get("place_kinds", {}).keys()
    if not labelled:
        return {}
    territory = fits.territory(as_of=as_of)
    if (found := _kept.get(territory)) is None:
        measured = place_kinds.of_cases(db.session(), territory)
        found = _kept[territory] = {key: kinds & labelled for key, kinds in measured.items()}
    return found
