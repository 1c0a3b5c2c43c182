"""Random little countries: facts in plain dictionaries, and the same in a store."""

import math
from dataclasses import dataclass

import numpy as np
from shapely import box

from layers import geo
from tests import make

ROLES = [
    {"key": "police", "layer": "police", "label": {"en": "Police"}, "parties": ["police"], "guide": "alpha"},
    {"key": "council", "area": "municipality", "label": {"en": "Council"}, "parties": ["council"]},
    {
        "key": "land",
        "layer": "villages",
        "capabilities": ["order", "land"],
        "label": {"en": "Land"},
        "parties": ["residents"],
        "guide": "beta",
    },
    {
        "key": "sea",
        "layer": "villages",
        "capabilities": ["youth"],
        "label": {"en": "Sea"},
        "parties": ["residents"],
    },
]
ABILITIES = ("order", "land", "youth", "diving")
PARTIES = ("police", "council", "residents", "others")
TOWNS = {"0101": "01", "0102": "01", "0201": "02", "0202": "02"}
COUNTIES = ("01", "02")
DISTRICT = ("district:D1", {"0101", "0102"})
"""An area of another kind, and the municipalities in which it lies whole."""
DAY = "2020-06-15"
WORRY = {"key": "fire", "label": {"en": "fire"}, "roles": ["land"], "guides": ["beta", "gamma"]}


def an_instance(folder):
    return make.an_instance(
        folder,
        roles=ROLES,
        worries=[WORRY],
        parties={code: {"en": code} for code in PARTIES},
        capabilities={code: {"en": code} for code in ABILITIES},
    )


@dataclass
class World:
    """`towns` have people by code; `places`, `bodies`, `cases` and `counts` are dictionaries."""

    towns: dict
    places: list
    bodies: list
    cases: list
    counts: list


def box_of(code):
    """In degrees: four squares side by side, two for each county."""
    west = 24.0 + list(TOWNS).index(code) * 0.5
    return west, 58.0, west + 0.5, 58.5


def a_point(random, code=None):
    west, south, east, north = box_of(code or str(random.choice(list(TOWNS))))
    # Well inside: a straight line in degrees is none in metres.
    return (
        float(random.uniform(west + 0.05, east - 0.05)),
        float(random.uniform(south + 0.05, north - 0.05)),
    )


def some(random, values, most=2):
    return [
        str(one) for one in random.choice(list(values), size=int(random.integers(0, most + 1)), replace=False)
    ]


def a_world(seed):
    random = np.random.default_rng(seed)
    places = []
    for number in range(int(random.integers(4, 9))):
        code = str(random.choice(list(TOWNS)))
        places.append(
            {"key": f"s{number}", "municipality": code, "county": TOWNS[code], "at": a_point(random, code)}
        )
    towns = {code: int(random.integers(0, 5000)) for code in TOWNS}
    served = ["county:01", "county:02", DISTRICT[0], *(f"municipality:{code}" for code in TOWNS)]
    bodies = []
    for number in range(int(random.integers(5, 17))):
        seat = str(random.choice(["", *TOWNS]))
        there = [one["key"] for one in places if one["municipality"] == seat]
        bodies.append(
            {
                "key": f"b{number:02}",
                "layer": str(random.choice(["police", "villages"])),
                "capabilities": some(random, ABILITIES),
                "readiness": str(random.choice(["", "", "", "closed"])),
                "municipality": seat,
                "county": TOWNS.get(seat, str(random.choice(["", *COUNTIES]))),
                "settlement": str(random.choice(there)) if there and random.random() < 0.6 else "",
                "at": a_point(random, seat or None) if random.random() < 0.75 else None,
                "serves": some(random, served) if random.random() < 0.5 else [],
                "valid_from": str(random.choice(["", "", "", "2019", "2021"])),
            }
        )
    cases = []
    for number in range(int(random.integers(0, 9))):
        seat = str(random.choice(["", *TOWNS]))
        cases.append(
            {
                "key": f"c{number}",
                "at": a_point(random, seat or None) if random.random() < 0.7 else None,
                "municipality": seat,
                "county": TOWNS.get(seat, str(random.choice(COUNTIES))),
                "areas": some(
                    random, ["county:01", "county:02", *(f"municipality:{code}" for code in TOWNS)]
                ),
                "bodies": some(random, [one["key"] for one in bodies], most=3),
                "parties": some(random, PARTIES, most=3),
                "practices": some(random, ["alpha", "beta", "gamma"]) or ["alpha"],
                "outcome": str(random.choice(["lasted", "mixed", "ended"])),
                "period_from": str(random.choice(["", "", "2018", "2022"])),
            }
        )
    counts = [
        {
            "layer": str(random.choice(["police", "villages"])),
            "area": str(
                random.choice(["county:01", "county:02", *(f"municipality:{code}" for code in TOWNS)])
            ),
            "number": int(random.integers(0, 4)),
            "as_of": str(random.choice(["2015", "2018"])),
        }
        for _ in range(int(random.integers(0, 5)))
    ]
    counts = list({(one["layer"], one["area"], one["as_of"]): one for one in counts}.values())
    return World(towns, places, bodies, cases, counts)


def stored(session, world):
    """The same in a store."""
    for code in COUNTIES:
        boxes = [box_of(town) for town, county in TOWNS.items() if county == code]
        make.an_area(session, kind="county", code=code, shape=box(boxes[0][0], 58, boxes[-1][2], 58.5))
    for code, people in world.towns.items():
        make.an_area(
            session,
            kind="municipality",
            code=code,
            shape=box(*box_of(code)),
            parent=f"county:{TOWNS[code]}",
            facts={"population": str(people), "area_km2": "1000"},
        )
    # A little larger than the county, so that it is a larger area for both of its municipalities.
    make.an_area(session, kind="district", code="D1", shape=box(23.99, 57.99, 25.001, 58.51))
    for one in world.places:
        make.a_settlement(session, **one, name=one["key"])
    for one in world.bodies:
        make.a_body(session, **one)
    for one in world.cases:
        make.a_case(session, **one)
    for one in world.counts:
        make.a_count(session, **one)
    for number, key in enumerate(["alpha", "beta", "gamma"]):
        make.a_practice(session, key=key, audiences=["police", "residents", "council"][: number + 1])


# --- What both twins need, by pencil


def metric(at):
    point = geo.to_metric([geo.Place(lon=at[0], lat=at[1]).point()], srid=make.SRID)[0]
    return point.x, point.y


def stored_metric(at):
    """An organisation's or case's point: published with five digits of a degree."""
    return metric((round(at[0], 5), round(at[1], 5)))


def people_of(world):
    """People of each place: its municipality's, in equal parts; none where a municipality has no place."""
    return {
        one["key"]: world.towns[one["municipality"]]
        / sum(other["municipality"] == one["municipality"] for other in world.places)
        for one in world.places
    }


def middle_of(world, kind, code):
    """The mean of the points of its places, weighted by people; None where nobody lives there."""
    people = people_of(world)
    inside = [one for one in world.places if one[kind] == code]
    total = sum(people[one["key"]] for one in inside)
    if not total:
        return None
    points = [(people[one["key"]], *stored_metric(one["at"])) for one in inside]
    return tuple(sum(weight * point[axis] for weight, *point in points) / total for axis in (0, 1))


def is_there(body):
    return body["valid_from"] != "2021"


def plays(role, body):
    able = not role.get("capabilities") or set(role["capabilities"]) & set(body["capabilities"])
    return role.get("layer") == body["layer"] and bool(able) and body["readiness"] != "closed"


def roles_of(body):
    return [role["key"] for role in ROLES if plays(role, body)] if is_there(body) else []


def apart(one, other):
    return math.hypot(one[0] - other[0], one[1] - other[1])
