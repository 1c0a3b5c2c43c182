"""Codes of areas that change: links follow by every way into the store, and what cannot is told."""

import json
from datetime import UTC, date, datetime
from itertools import count

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import box
from sqlalchemy import select

from layers import catalog, doctor, editions, imports, links, places, store
from layers.aliases import Book, Told
from layers.catalog import Resource
from layers.doctor import REFUSED, REPAIRED, About, How
from layers.errors import BadInstance
from layers.links import StoreCodes
from layers.model import Area
from layers.sources import recoded
from layers.sources.instance import Source
from layers.sources.rows import Checked, Row
from tests import make

TODAY = date(2026, 11, 22)
LATER = date(2026, 12, 24)
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
WEST, EAST = box(24, 58, 25, 59), box(25, 58, 26, 59)
ABOUT = About("division", "The statistical office", "CC0-1.0", as_of="2026-04-01")


@pytest.fixture
def territory(session):
    """Two counties as the map knows them."""
    make.an_area(session, code="01", names={"et": "Lääs"}, shape=WEST)
    make.an_area(session, code="02", names={"et": "Ida"}, shape=EAST)
    return session


def a_file(folder, *told, name="division.geojson"):
    """A file of areas: code, name, shape, and what else each tells."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": code, "name": called, **more},
            "geometry": json.loads(shapely.to_geojson(shape)),
        }
        for code, called, shape, more in told
    ]
    file = folder / name
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return file


def examined(session, instance, file, *, about=ABOUT, layer="counties", same=None):
    begun = doctor.begin(session, instance, file, layer=layer, today=TODAY)
    how = How(begun.how.columns, same=same or {})
    return doctor.examine(session, instance, begun, how, about, today=TODAY)


def imported(session, instance, file, *, about=ABOUT, layer="counties", same=None):
    exam = examined(session, instance, file, about=about, layer=layer, same=same)
    plan = doctor.plan(session, exam, doctor.resource(about, layer, instance), file=file)
    editions.apply(session, plan, now=NOW)
    return plan


def of_rows(exam):
    return {one.row: (one.state, " ".join(one.told), one.remedy or "") for one in exam.findings if one.row}


# --- The import doctor


def test_an_imported_division_with_another_code_leaves_every_link_true(territory, instance, tmp_path):
    make.a_body(territory, key="society", serves=("county:01",), county="01")
    file = a_file(tmp_path, ("09", "Lääs", WEST, {}), ("02", "Ida", EAST, {}))

    exam = examined(territory, instance, file)
    plan = imported(territory, instance, file)

    assert [(row.key, row.values["facts"]) for row in exam.rows] == [
        ("county:01", {"official_code": "09"}),
        ("county:02", {}),
    ]
    assert of_rows(exam) == {
        1: (
            REPAIRED,
            "“Lääs” has the code 09 here and is known by 01: it keeps 01, so that all that names it stays "
            "true, and tells 09 as its official code. Nothing has to be done.",
            "",
        )
    }
    assert links.lost(territory, plan, day=TODAY) == []
    (found,) = places.bodies_serving(territory, "county:01", as_of=TODAY)
    assert (found.key, places.area(territory, "county", "01", as_of=TODAY).facts) == (
        "society",
        {"official_code": "09"},
    )


def test_the_same_division_comes_again_unchanged_and_a_third_code_follows_too(territory, instance, tmp_path):
    file = a_file(tmp_path, ("09", "Lääs", WEST, {}), ("02", "Ida", EAST, {}))
    imported(territory, instance, file)

    again = imported(territory, instance, file)
    # Another name under the official code: only the code tells who it is.
    third = a_file(tmp_path, ("09", "Lääne-Eesti", WEST, {}), ("02", "Ida", EAST, {}))
    renamed = imported(territory, instance, third)

    assert (again.added, again.changed, again.unchanged, again.ended) == ((), (), 2, ())
    assert ([row.key for row in renamed.changed], renamed.added, renamed.ended) == (["county:01"], (), ())
    assert renamed.changed[0].values["facts"] == {"official_code": "09"}


def test_organisations_that_name_an_official_code_mean_the_known_area(territory, instance, tmp_path):
    imported(territory, instance, a_file(tmp_path, ("09", "Lääs", WEST, {}), ("02", "Ida", EAST, {})))
    file = tmp_path / "societies.csv"
    file.write_text(
        "name,county,serves,lat,lon\n"
        "Uus,09,county:09;county:02,58.5,24.5\n"
        "Vana,01,county:01;county:09,58.5,24.5\n"
        "Kadunud,02,county:77,58.5,25.5\n",
        encoding="utf-8",
    )

    about = About("societies", "A list", "CC0-1.0", as_of="2026-05-01")
    same = {"form": "association", "precision": "settlement"}
    exam = examined(territory, instance, file, about=about, layer="villages", same=same)

    assert [(row.values["county"], [one["area"] for one in row.links["serves"]]) for row in exam.rows] == [
        ("01", ["county:01", "county:02"]),
        ("01", ["county:01"]),
    ]
    found = of_rows(exam)
    assert found[2][0] == REPAIRED
    assert "The area county:09 was read as county:01, by which it is known." in found[2][1]
    assert found[4] == (
        REFUSED,
        "It serves the area “county:77”, which does not exist.",
        "Correct it, or import the areas first.",
    )


def test_a_name_that_fits_twice_is_followed_by_nobody_and_told(territory, instance, tmp_path):
    make.an_area(territory, code="03", names={"et": "Ida"}, shape=box(25, 58.1, 26, 59))
    file = a_file(tmp_path, ("01", "Lääs", WEST, {}), ("08", "Ida", EAST, {}))

    exam = examined(territory, instance, file)

    assert [row.key for row in exam.rows] == ["county:01", "county:08"]
    assert of_rows(exam)[2][:2] == (
        REPAIRED,
        "“Ida” (08) may be 02, 03, which is known: it is new here, and what names that stays. Write the code "
        "by which the area is known as its code (a new one for a new area), and the official code as its "
        "fact official_code.",
    )


def test_another_place_of_the_same_name_is_not_the_same(territory, instance, tmp_path):
    file = a_file(tmp_path, ("09", "Lääs", box(25.5, 58, 26, 58.5), {}))

    assert [row.key for row in examined(territory, instance, file).rows] == ["county:09"]


def test_a_code_that_has_become_anothers_is_refused_with_the_way_out(territory, instance, tmp_path):
    new = box(25.5, 58, 26, 58.5)
    told = [("09", "Lääs", WEST, {}), ("02", "Ida", EAST, {}), ("01", "Uus", new, {})]

    exam = examined(territory, instance, a_file(tmp_path, *told))

    assert [row.key for row in exam.rows] == ["county:01", "county:02"]
    assert of_rows(exam)[3] == (
        REFUSED,
        "The code 01 of “Uus” is the one by which Lääs is known, which is called otherwise.",
        "Write the code by which the area is known as its code (a new one for a new area), and the official "
        "code as its fact official_code.",
    )
    told[2] = ("01-uus", "Uus", new, {"official_code": "01"})
    exam = examined(territory, instance, a_file(tmp_path, *told))
    assert sorted(row.key for row in exam.rows) == ["county:01", "county:01-uus", "county:02"]


def test_what_a_merger_leaves_behind_is_told_before_it_is_written_and_stays_as_history(
    territory, instance, tmp_path
):
    imported(territory, instance, a_file(tmp_path, ("03", "Saar", box(25, 58, 25.2, 58.2), {})))
    make.a_body(territory, key="islanders", serves=("county:03",), county="03")
    make.a_case(territory, key="ferry", areas=("county:03",))
    merged = a_file(tmp_path, ("02", "Ida", EAST, {}))
    exam = examined(territory, instance, merged)
    plan = doctor.plan(territory, exam, doctor.resource(ABOUT, "counties", instance), file=merged)

    (left,) = links.lost(territory, plan, day=TODAY)
    editions.apply(territory, plan, now=NOW)

    assert (left.area, left.name, left.now) == ("county:03", "Saar", "county:02")
    assert left.by == (("body", "islanders"), ("case_study", "ferry"))
    assert str(left.what) == ("county:03 (Saar) is told no more and still named by islanders, ferry (2).")
    assert str(left.remedy) == (
        "What they say stays, and leads to the past: name county:02 in them, where its land lies now."
    )
    assert places.body(territory, "islanders", as_of=TODAY).serves == ("county:03",)


def test_an_edition_that_was_undone_says_nothing_of_codes(territory, instance, tmp_path):
    imported(territory, instance, a_file(tmp_path, ("09", "Lääs", WEST, {})))
    number = territory.scalar(select(Area.edition_id).order_by(Area.id.desc()).limit(1))
    assert StoreCodes(territory, "et").book.means("county", "09", TODAY) == "01"

    editions.undo(territory, number, now=NOW)

    assert StoreCodes(territory, "et").book == Book()


# --- The instance's files


def loaded(engine, instance, today=TODAY):
    plans = imports.load(engine, catalog.read_instance(instance.folder), now=make.moment(today))
    return {plan.source.resource.name: plan for plan in plans}


def test_files_of_a_new_division_leave_every_link_true_by_old_and_by_new_codes(engine, instance):
    loaded(engine, instance)
    make.replace(instance.folder, "areas/counties.geojson", '"code": "01"', '"code": "09"')
    make.replace(instance.folder, "counties.csv", "01,01000", "09,01000")
    # One row names the old code still, another the new one already.
    make.replace(instance.folder, "bodies/police.csv", "county:01;county:02", "county:09;county:02")

    plans = loaded(engine, instance, LATER)

    assert [row.key for row in plans["counties"].changed] == ["county:01"]
    assert (plans["counties"].added, plans["counties"].ended, plans["police"].changed) == ((), (), ())
    assert [str(note) for note in plans["counties"].source.notes] == [
        "areas/counties.geojson: “Lääs” has the code 09 here and is known by 01: it keeps 01, so that all "
        "that names it stays true, and tells 09 as its official code. Nothing has to be done."
    ]
    with store.reading(engine, srid=make.SRID) as session:
        station = places.body(session, "west-station", as_of=LATER)
        assert (station.serves, station.county) == (("county:01", "county:02"), "01")
        assert places.area(session, "county", "01", as_of=LATER).facts == {
            "population": "01000",
            "official_code": "09",
        }
    assert loaded(engine, instance, LATER) == {}


def test_a_file_that_is_in_doubt_is_refused_whole_with_the_remedy(engine, instance):
    loaded(engine, instance)
    make.replace(instance.folder, "areas/counties.geojson", '"code": "01"', '"code": "09"')
    make.replace(instance.folder, "areas/counties.geojson", '"code": "02"', '"code": "01"')
    make.replace(instance.folder, "areas/counties.geojson", '"name_et": "Ida"', '"name_et": "Uus"')
    make.write(instance.folder, "counties.csv", "code,population\n")

    with pytest.raises(BadInstance) as raised:
        loaded(engine, instance, LATER)

    said = [problem for problem in raised.value.problems if "is the one by which" in problem.what]
    assert [problem.remedy for problem in said] == [recoded._WRITE_BOTH]


def test_links_of_imports_that_files_leave_behind_are_told_with_the_plan(engine, instance):
    loaded(engine, instance)
    with store.writing(engine, srid=make.SRID) as session:
        make.a_body(session, key="imported", serves=("county:02",))
        session.commit()
    make.change(
        instance.folder,
        "areas/counties.geojson",
        lambda found: found["features"].pop(),
    )
    make.replace(instance.folder, "counties.csv", "02,02000\n", "")
    make.replace(instance.folder, "bodies/police.csv", "county:01;county:02", "county:01")

    plans = loaded(engine, instance, LATER)

    (note,) = plans["counties"].source.notes
    assert note.what.startswith("county:02 (Ida) is told no more and still named by imported, ")
    assert note.remedy == "What they say stays, and leads to the past: name an area of today in them."
    with store.reading(engine, srid=make.SRID) as session:
        assert places.body(session, "imported", as_of=LATER).serves == ("county:02",)


# --- Histories


def test_a_code_means_what_it_meant_on_the_day():
    book = Book((Told("county", "1", "3", "2020"), Told("county", "2", "1", "2020")))

    meant = {
        (code, year): book.means("county", code, date(year, 6, 1)) for code in "123" for year in (2019, 2021)
    }

    assert meant == {
        ("1", 2019): "1",
        ("1", 2021): "2",
        ("2", 2019): "2",
        ("2", 2021): "2",
        ("3", 2019): "1",
        ("3", 2021): "1",
    }


acts = st.lists(
    st.tuples(
        st.sampled_from(["recode", "rename", "merge", "found", "swap"]),
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from("1234567"),
    ),
    max_size=3,
)


class World:
    """Places as they really are: a number of their own, a code, a name, a strip of land."""

    def __init__(self):
        self.numbers, self.names = count(), count()
        self.places = {}
        for code in "123":
            self.found(code)

    def found(self, code):
        number = next(self.numbers)
        self.places[number] = {"code": code, "name": f"Koht {next(self.names)}", "land": {number}}

    def year(self, told):
        """What happens in a year; nothing happens twice to a place."""
        there, touched = [*self.places], set()
        for act, one, other, code in told:
            first, second = there[one % len(there)], there[other % len(there)]
            is_free = code not in {place["code"] for place in self.places.values()}
            if act == "found" and is_free:
                self.found(code)
            elif touched & {first, second}:
                continue
            elif act == "recode" and is_free:
                self.places[first]["code"] = code
            elif act == "rename":
                self.places[first]["name"] = f"Koht {next(self.names)}"
            elif act == "swap":
                codes = self.places[first]["code"], self.places[second]["code"]
                self.places[second]["code"], self.places[first]["code"] = codes
            elif act == "merge" and first != second:
                self.places[first]["land"] |= self.places.pop(second)["land"]
            else:
                continue
            touched |= {first, second} if act in ("swap", "merge") else {first}


def rows_of(world, year):
    shapes = {
        number: shapely.union_all([box(24 + one / 10, 58, 24.1 + one / 10, 59) for one in place["land"]])
        for number, place in world.places.items()
    }
    return [
        Row(
            f"county:{place['code']}",
            number,
            "list",
            {
                "kind": "county",
                "code": place["code"],
                "names": {"et": place["name"]},
                "parent": "",
                "accuracy": "official",
                "valid_from": "",
                "valid_to": "",
                "as_of": f"{year}-01-01",
                "source": "",
                "source_url": "",
                "facts": {},
                "geom": make.metric(shapely.multipolygons(shapely.get_parts(shapes[number]))),
            },
        )
        for number, place in world.places.items()
    ]


@pytest.mark.slow
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(years=st.lists(acts, min_size=1, max_size=5))
def test_through_any_history_a_place_keeps_the_code_by_which_it_became_known(session, years):
    known, meant, served = {}, {}, {}
    world, keys = World(), count()
    with session.begin_nested() as undone:
        for year, told in enumerate([[], *years], start=2018):
            world.year(told if year > 2018 else [])
            day = date(year, 1, 1)
            checked, _ = recoded.areas(
                Checked(tuple(rows_of(world, year)), ()), StoreCodes(session, "et"), day=day, language="et"
            )
            # The slow twin knows who is who. A new place is known by its code, where no other place is.
            live = {known[one] for one in world.places if one in known}
            for number, place in world.places.items():
                if number not in known and place["code"] not in live:
                    known[number] = place["code"]
            expected = {number: known[number] for number in world.places if number in known}
            assert {row.line: row.values["code"] for row in checked.rows} == expected
            assert {problem.row for problem in checked.problems} == world.places.keys() - expected.keys()

            resource = Resource("counties", "", {}, "", {}, "", f"{year}-01-01", "division")
            source = Source(resource, "area", checked.rows, "x")
            plan = editions.plan(editions.known(session, source), source)
            gone = {f"county:{known[one]}" for one in served if one not in world.places} - {
                row.key for row in checked.rows
            }
            left = {
                area: {key for one, key in served.items() if f"county:{known[one]}" == area} for area in gone
            }
            found = links.lost(session, plan, day=day)
            newly = {f"county:{code}" for code in plan_codes(plan)}
            assert {one.area: {key for _, key in one.by} for one in found} == {
                area: names for area, names in left.items() if area in newly
            }
            editions.apply(session, plan, now=NOW)
            for number in expected:
                meant[year, world.places[number]["code"]] = known[number]
                if number not in served:
                    served[number] = f"body-{next(keys)}"
                    make.a_body(session, key=served[number], serves=(f"county:{known[number]}",), county="")

        book = StoreCodes(session, "et").book
        assert {about: book.means("county", about[1], date(about[0], 6, 1)) for about in meant} == meant
        undone.rollback()


def plan_codes(plan):
    return {key.partition(":")[2] for key in plan.ended}
