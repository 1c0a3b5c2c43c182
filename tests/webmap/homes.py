"""A tiny country with two members of a watch whose houses nobody shall know, for the attacks on them.

The one's row names its settlement, the other's only a street, and both hold the exact point of the house.
"""

from datetime import date
from math import hypot

import numpy as np

from layers import catalog, imports, store
from layers.sources import privacy
from tests import make
from tests.webmap import site

CELL_M, STREET_M = 1000, 300
POLICY = {"settlement": CELL_M, "street": STREET_M}
LATER = date(2027, 1, 6)
BEFORE = "2026-12-01T00:00:00Z"
SETTLEMENT = (24.25, 58.25)
# Two houses, more than a cell from the point of their settlement and from each other.
HOUSES = ((24.2731, 58.2587), (24.2283, 58.2402))
# Two in one cell of a street: found below, because the grid is secret.
STREET = (25.51234, 58.61234)


def metric(lon, lat):
    point = make.metric(make.shapely.Point(lon, lat))
    return np.array([point.x, point.y])


def apart_m(one, other):
    return float(hypot(*(metric(*one) - metric(*other))))


def a_country(folder, *, house=HOUSES[0], street=STREET, policy=POLICY):
    """A tiny country with a layer of watches; without a policy it tells all that the rows say."""
    make.an_instance(folder)
    entry = {"key": "watch", "of": "bodies", "colour": "#CC79A7", "symbol": "diamond"}
    entry |= {"label": {"en": "Watch"}, "about": {"en": "About it"}}

    def change(about):
        about["layers"].append(entry | ({"finest": policy} if policy else {}))
        about["precision"]["street"] = {"en": "a street"}

    make.change(folder, "instance.yaml", change)
    resource = make.a_resource("watch", "bodies/watch.csv")
    make.change(folder, "datapackage.json", lambda package: package["resources"].append(resource))
    write_watches(folder, house=house, street=street)
    return folder


def write_watches(folder, *, house, street):
    shared = {"form": "association", "as_of": "2024", "serves": "county:01"}
    rows = [
        {**shared, "key": "one", "name": "Esimene valve", "settlement": "1001", "precision": "settlement"}
        | {"place": "Esimene", "county": "01", "lon": str(house[0]), "lat": str(house[1])},
        {**shared, "key": "two", "name": "Teine valve", "precision": "street", "place": "Pikk tänav"}
        | {"county": "02", "lon": str(street[0]), "lat": str(street[1])},
    ]
    make.write(folder, "bodies/watch.csv", make.bodies_csv(rows))


def load(folder, state, day=site.TODAY):
    engine = store.open_store(site.Settings(instance=folder, state=state).store_url("tiny"))
    plans = imports.load(engine, catalog.read_instance(folder), now=make.moment(day))
    engine.dispose()
    return plans


def a_cell(folder, number):
    """Places in one cell of the street's grid, the two that lie farthest apart first."""
    keeper = privacy.keepers(catalog.read_instance(folder), ())["watch"]
    chance = np.random.default_rng(3)
    cells = {}
    for _ in range(400):
        place = tuple(np.round(np.array(STREET) + chance.uniform(-0.004, 0.004, 2), 5).tolist())
        point = make.metric(make.shapely.Point(place))
        shown = keeper.coarse(point, precision="street", settlement="")
        cells.setdefault((round(shown.x, 3), round(shown.y, 3)), []).append(place)
    assert len(cells) > 2
    pairs = [(one, other) for found in cells.values() for one in found for other in found]
    pair = max(pairs, key=lambda pair: apart_m(*pair))
    (inside,) = [found for found in cells.values() if pair[0] in found]
    found = [*pair, *(one for one in inside if one not in pair)][:number]
    assert apart_m(*pair) > STREET_M / 2
    assert len(found) == number
    return found
