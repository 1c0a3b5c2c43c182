"""What changed in an area: told in the order in which we came to know it."""

from datetime import date

import pytest

from layers import catalog, changes, imports, store
from tests import make

DAYS = (date(2026, 11, 22), date(2026, 12, 24), date(2027, 1, 6))


@pytest.fixture
def instance(tmp_path):
    return catalog.read_instance(make.an_instance(tmp_path / "tiny"))


def load(engine, instance, day):
    imports.load(engine, catalog.read_instance(instance.folder), now=make.moment(day))


def told(engine, kind, code):
    with store.reading(engine, srid=make.SRID) as session:
        found = changes.in_area(session, kind, code)
    return [(one.at[:10], one.what, one.of, one.key) for one in found]


def test_what_is_changed_and_taken_away_is_told_after_what_was_added(engine, instance):
    load(engine, instance, DAYS[0])
    before = told(engine, "county", "01")
    make.replace(instance.folder, "bodies/police.csv", "Lääne jaoskond", "Lääne maja")
    load(engine, instance, DAYS[1])
    table = (instance.folder / "bodies/police.csv").read_text(encoding="utf-8")
    shorter = "".join(line for line in table.splitlines(True) if not line.startswith("west-station"))
    make.write(instance.folder, "bodies/police.csv", shorter)
    make.replace(instance.folder, "cases/first-case.et.md", "west-station", "old-station")
    load(engine, instance, DAYS[2])

    now = told(engine, "county", "01")

    assert ("2026-11-22", "added", "body", "west-station") in before
    assert {what for _, what, _, _ in before} == {"added"}
    mine = [one for one in now if one[3] == "west-station"]
    assert mine == [
        ("2027-01-06", "ended", "body", "west-station"),
        ("2026-12-24", "changed", "body", "west-station"),
        ("2026-11-22", "added", "body", "west-station"),
    ]
    assert now == sorted(now, key=lambda one: one[0], reverse=True)


def test_what_belongs_to_another_area_is_not_told(engine, instance):
    load(engine, instance, DAYS[0])

    keys = {key for *_, key in told(engine, "county", "nowhere")}

    assert keys == set()
    assert "west-station" in {key for *_, key in told(engine, "county", "01")}
