"""Small estimators that look for a secret house through one door each, and find no more than is published.

Each has its control: in a country without a policy the same estimator finds the house.
"""

import hashlib
import io
import re
import struct
from urllib.parse import urlencode

import geopandas
import numpy as np
import pytest
from sqlalchemy import select

from layers import catalog, exports, geo, store
from layers.model import Body, Edition
from layers.sources import privacy
from layers.sources.instance import checksums
from tests import make
from tests.webmap import homes, site
from tests.webmap.homes import HOUSES, LATER, POLICY, SETTLEMENT, STREET, a_country, metric

METRIC = "http://www.opengis.net/def/crs/EPSG/0/3301"
SECRETS = {"one": HOUSES[0], "two": STREET}
FORMATS = [one.key for one in exports.offered()]


def a_world(home, **changes):
    return site.a_site(a_country(home / "tiny", **changes), home / "state")


@pytest.fixture(scope="module")
def open_world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("open"), policy=None) as app:
        yield app.test_client(use_cookies=False)


@pytest.fixture(scope="module")
def kept_world(tmp_path_factory):
    with a_world(tmp_path_factory.mktemp("kept")) as app:
        yield app.test_client(use_cookies=False)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Where the policy lets the houses be shown, in metres."""
    folder = a_country(tmp_path_factory.mktemp("told") / "tiny")
    keeper = privacy.keepers(catalog.read_instance(folder), ())["watch"]
    street = keeper.coarse(make.metric(make.shapely.Point(STREET)), precision="street", settlement="")
    return {"one": metric(*SETTLEMENT), "two": np.array([street.x, street.y])}


def far_m(found, place):
    return float(np.hypot(*(np.asarray(found) - place)))


def agrees(found, key, published):
    """Whether an estimate is the published point, and so no nearer to the house than that one is."""
    return far_m(found, published[key]) < 2 and far_m(found, metric(*SECRETS[key])) > 20


# --- Halving boxes


def halved(is_inside, box):
    """The point that is left when a box is halved as long as the answers allow: 40 questions."""
    low, high = np.array(box[:2], float), np.array(box[2:], float)
    for turn in range(40):
        axis, end = turn % 2, high.copy()
        end[axis] = (low[axis] + high[axis]) / 2
        if is_inside((*low, *end)):
            high = end
        else:
            low[axis] = end[axis]
    return (low + high) / 2


def written(box):
    """Estonia's metres go north first."""
    west, south, east, north = box
    return f"{south},{west},{north},{east}"


WHOLE = (370_000.0, 6_430_000.0, 620_000.0, 6_560_000.0)
BOXES = {
    "bbox": lambda box: {"bbox": written(box), "bbox-crs": METRIC},
    "intersects": lambda box: {
        "filter": f"S_INTERSECTS(geometry, BBOX({written(box)}))",
        "filter-crs": METRIC,
    },
    "within": lambda box: {
        "filter": f"S_WITHIN(geometry, BBOX({written(box)}))",
        "filter-crs": METRIC,
    },
    "not disjoint": lambda box: {
        "filter": f"NOT S_DISJOINT(geometry, BBOX({written(box)}))",
        "filter-crs": METRIC,
    },
}


def found_by_boxes(client, key, way):
    def is_inside(box):
        asked = urlencode({**BOXES[way](box), "key": key, "limit": "1", "f": "json"})
        answer = client.get(f"/ogc/collections/watch/items?{asked}")
        assert answer.status_code == 200, answer.text
        return answer.get_json(force=True)["numberReturned"] == 1

    assert is_inside(WHOLE)
    return halved(is_inside, WHOLE)


@pytest.mark.parametrize("way", BOXES)
def test_halving_boxes_over_the_service_of_features_ends_at_the_published_point(
    open_world, kept_world, published, way
):
    for key, secret in SECRETS.items():
        assert far_m(found_by_boxes(open_world, key, way), metric(*secret)) < 2
        assert agrees(found_by_boxes(kept_world, key, way), key, published)


# --- Files


def read(client, format, tmp_path):
    """The points of a file as a program reads them, in metres, and its bytes."""
    made = client.get(f"/api/export/watch.{format}?lang=en", buffered=True)
    assert made.status_code == 200
    if format == "parquet":
        found = geopandas.read_parquet(io.BytesIO(made.data))
    elif format == "csv":
        found = geopandas.pd.read_csv(io.BytesIO(made.data), dtype=str)
        shapes = geopandas.GeoSeries.from_wkt(found["wkt"] if "wkt" in found else found["geometry"])
        found = geopandas.GeoDataFrame(found, geometry=shapes, crs=4326)
    else:
        (tmp_path / f"watch.{format}").write_bytes(made.data)
        found = geopandas.read_file(tmp_path / f"watch.{format}")
    points = found.to_crs(make.SRID).geometry
    return found, [(one.x, one.y) for one in points], made.data


@pytest.mark.parametrize("format", FORMATS)
def test_no_column_and_no_byte_of_a_file_tells_the_house(open_world, kept_world, published, format, tmp_path):
    _, there, open_bytes = read(open_world, format, tmp_path)
    table, points, kept_bytes = read(kept_world, format, tmp_path)

    for key, secret in SECRETS.items():
        assert min(far_m(point, metric(*secret)) for point in there) < 2
        assert holds(open_bytes, secret)
        assert not holds(kept_bytes, secret)
        nearest = min(points, key=lambda point: far_m(point, metric(*SECRETS[key])))
        assert agrees(nearest, key, published)
    # No other column measures anything from the house: two numbers of a row would be its place.
    numbers = table.select_dtypes("number")
    assert [name for name in numbers if numbers[name].between(24, 26).any() and name not in ("lon",)] == []


def holds(made, place):
    """Whether the bytes hold both numbers of a place, as text or as a double, in degrees or in metres."""
    for pair, digits in ((place, 3), (metric(*place), 0)):
        forms = [
            [begun(number, digits), struct.pack("<d", number), struct.pack(">d", number)]
            for number in map(float, pair)
        ]
        if all(any(form in made for form in number) for number in forms):
            return True
    return False


def begun(number, digits):
    """How a number begins when it is written with more digits."""
    return f"{number:.9f}"[: -(9 - digits) or None].encode()


# --- Differences


def test_what_changes_when_somebody_joins_tells_only_the_published_point(tmp_path, published):
    """Counts, coverage, gaps, routes and reports before and after: the numbers are those of that point."""
    asked = (
        "/api/coverage.geojson?shade=county.watch",
        "/en/gaps/cover.geojson?role=watch&within=5",
        "/en/gaps/?role=watch&within=5&format=csv",
        "/en/gaps/?role=watch&within=1&format=csv&table=units",
        "/en/gaps/whatif.geojson?role=watch&within=5",
        "/en/gaps/whatif?role=watch&within=5&format=json",
        "/en/gaps/siting?role=watch&within=5&format=geojson&model=mclp&sites=3",
        "/en/gaps/report?role=watch&within=5&format=json",
    )

    def said(name, *, lines, **places):
        folder = a_country(tmp_path / name / "tiny", **places)
        text = (folder / "bodies/watch.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        make.write(folder, "bodies/watch.csv", "".join(text[:lines]))
        with site.a_site(folder, tmp_path / name / "state") as app:
            client = app.test_client(use_cookies=False)
            return {one: client.get(one).data for one in asked}

    before, after = said("before", lines=2), said("after", lines=3)
    shown = geo.place_of(*published["two"], srid=make.SRID)
    told = said("told", lines=3, street=(shown.lon, shown.lat))

    assert {one for one in asked if before[one] != after[one]} >= {asked[1], asked[2]}
    assert {one for one in asked if told[one] != after[one]} == set()


# --- Digests


def test_no_digest_of_an_answer_confirms_a_guess_of_the_house(tmp_path):
    """The attacker knows all of the steward's file but the point, and one of thirty guesses is right."""
    folder = a_country(tmp_path / "tiny")
    guesses = [STREET, *(np.round(np.array(STREET) + 1e-5 * step, 5) for step in range(1, 30))]
    with site.a_site(folder, tmp_path / "state") as app:
        client = app.test_client(use_cookies=False)
        record = client.get("/en/gaps/report?role=watch&within=5&format=json").get_json()["editions"]
        told = ""
        for one in ("api/export/watch.geojson", "en/data", "catalog.jsonld", "api/layers/watch.geojson"):
            with client.get(f"/{one}") as answer:
                told += f"{answer.headers}{answer.text}"
    digests = {*record.values(), *re.findall(r"\b[0-9a-f]{64}\b", told)}
    assert record["watch"] in digests

    right = []
    for guess in guesses:
        homes.write_watches(folder, house=HOUSES[0], street=tuple(guess))
        right += [tuple(guess)] * (checksums(catalog.read_instance(folder))["watch"] in digests)
        file = (folder / "bodies/watch.csv").read_bytes()
        right += [tuple(guess)] * (hashlib.sha256(file).hexdigest() in digests)

    assert right == []


def test_a_policy_that_comes_later_leaves_no_digest_of_the_house_in_the_store(tmp_path):
    """Nor in a backup that is made from then on."""
    folder = a_country(tmp_path / "tiny", policy=None)
    url = site.Settings(instance=folder, state=tmp_path / "state").store_url("tiny")

    def digests():
        engine = store.open_store(url)
        with store.reading(engine, srid=make.SRID) as session:
            rows = session.scalars(select(Body.digest).where(Body.layer == "watch")).all()
            sums = session.scalars(select(Edition.checksum).where(Edition.table_name == "watch")).all()
        engine.dispose()
        return {*rows, *sums} - {"0" * 64}

    homes.load(folder, tmp_path / "state")
    before = digests()
    assert len(before) == 3
    make.change(folder, "instance.yaml", lambda about: about["layers"][-1].update(finest=POLICY))
    homes.load(folder, tmp_path / "state", day=LATER)

    assert len(digests()) == 3
    assert digests() & before == set()
