"""A privacy policy that comes later takes out of either store what older editions told of homes."""

from datetime import date

import pytest
import shapely

from layers import catalog, geo, imports, model, places, store
from tests import make

FIRST, LATER = date(2026, 11, 22), date(2027, 1, 6)
BEFORE = "2026-12-01T00:00:00Z"
HOUSE, SETTLEMENT = (24.2731, 58.2587), (24.25, 58.25)
ROW = {"key": "one", "name": "Valve", "form": "association", "settlement": "1001", "place": "Esimene"}


@pytest.fixture
def folder(tmp_path):
    return make.an_instance(tmp_path / "tiny")


def load(engine, folder, day):
    imports.load(engine, catalog.read_instance(folder), now=make.moment(day))


def villages(folder, **changes):
    house = {"lon": str(HOUSE[0]), "lat": str(HOUSE[1]), "precision": "settlement"}
    make.write(folder, "bodies/villages.csv", make.bodies_csv([{**ROW, **house, **changes}]))
    text = (folder / "cases/first-case.et.md").read_text(encoding="utf-8")
    make.write(folder, "cases/first-case.et.md", text.replace("\n- first-village", ""))


def with_policy(folder):
    make.change(folder, "instance.yaml", lambda about: about["layers"][1].update(finest={"settlement": 1000}))


def shown(engine, known=""):
    """The points of every state of the layer, as lon and lat, as one sees them now or then."""
    with store.reading(engine, srid=make.SRID) as session:
        if known:
            store.look_back(session, known)
        found = places.bodies(session, as_of=LATER, layer="villages")
        return [(body.place.lon, body.place.lat) if body.place else None for body in found]


def test_what_older_editions_told_is_coarsened_too(engine, folder):
    villages(folder)
    load(engine, folder, FIRST)
    assert shown(engine) == [HOUSE]

    with_policy(folder)
    load(engine, folder, LATER)

    assert (shown(engine), shown(engine, BEFORE)) == ([SETTLEMENT], [SETTLEMENT])
    with store.reading(engine, srid=make.SRID) as session:
        rows = make.everything(session)["body"]
        near = geo.to_metric([shapely.Point(HOUSE)], srid=make.SRID)[0]
        wkb = shapely.to_wkb(near, hex=True)
    assert len([row for row in rows if "'one'" in str(row)]) == 2
    assert not any(wkb[-32:] in str(row).upper() for row in rows)


def test_a_point_that_may_not_be_told_and_a_house_number_are_taken_out_of_older_editions(engine, folder):
    villages(folder, precision="municipality", place="Kalda 5")
    load(engine, folder, FIRST)
    assert shown(engine) == [HOUSE]

    with_policy(folder)
    villages(folder)
    load(engine, folder, LATER)

    assert (shown(engine), shown(engine, BEFORE)) == ([SETTLEMENT], [None])
    with store.reading(engine, srid=make.SRID) as session:
        store.look_back(session, BEFORE)
        assert [body.locality for body in places.bodies(session, as_of=LATER, layer="villages")] == [""]


def test_without_a_policy_older_editions_stay_as_they_were(engine, folder):
    villages(folder)
    load(engine, folder, FIRST)
    villages(folder, name="Teine valve")
    load(engine, folder, LATER)

    assert shown(engine, BEFORE) == [HOUSE]


def test_the_revision_rises_when_only_older_editions_change(engine, folder):
    villages(folder)
    load(engine, folder, FIRST)
    villages(folder, lon="24.25", lat="58.25")
    load(engine, folder, LATER)
    with store.reading(engine, srid=make.SRID) as session:
        before = places.revisions(session)["villages"]

    with_policy(folder)
    load(engine, folder, LATER)

    with store.reading(engine, srid=make.SRID) as session:
        assert places.revisions(session)["villages"] == before + 1
    assert shown(engine, BEFORE) == [SETTLEMENT]


def test_areas_too_small_to_be_told_leave_older_editions(engine, folder):
    about = {"kind": "county", "name_et": "Maa", "accuracy": "approximate"}
    shapes = {"01": shapely.box(24, 58, 25, 59), "02": shapely.box(25, 58, 26, 59)}
    small = {**shapes, "03": shapely.box(24.2, 58, 24.201, 58.001)}

    def write(found):
        features = [({**about, "code": code}, shape) for code, shape in found.items()]
        make.write(folder, "areas/counties.geojson", make.a_map(features))

    def codes():
        with store.reading(engine, srid=make.SRID) as session:
            return {row.code for row in session.query(model.Area.code).filter(model.Area.kind == "county")}

    write(small)
    load(engine, folder, FIRST)
    assert codes() == {"01", "02", "03"}

    write(shapes)
    make.change(folder, "instance.yaml", lambda about: about["layers"][3].update(finest={"settlement": 500}))
    load(engine, folder, LATER)

    assert codes() == {"01", "02"}
