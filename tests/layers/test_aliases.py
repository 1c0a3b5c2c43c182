"""Which known area is which official one, beside a slow twin that knows nothing of the module."""

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.aliases import Unit, matched

DAY = date(2026, 4, 1)
ROOT = Path(__file__).resolve().parents[2]
SHARED = (
    next(
        (one for one in (ROOT.parent / "shared", ROOT.parents[1] / "shared") if one.is_dir()),
        ROOT.parent / "shared",
    )
    / "data"
    / "real"
)


def units(*told):
    return [Unit(*one) for one in told]


def test_a_code_that_has_changed_is_found_by_its_name():
    found = matched(
        units(("0251", "Jõhvi vald", "0045"), ("0130", "Alutaguse vald", "0045")),
        units(("0250", "Jõhvi  VALD", "0045"), ("0130", "Alutaguse vald", "0045")),
        DAY,
    )

    assert found.old_to_new == {"0130": "0130", "0251": "0250"}
    assert (found.same, found.renamed_code) == ({"0130": "0130"}, {"0251": "0250"})
    assert (found.new, found.gone, found.doubtful) == ((), (), {})


def test_what_has_no_name_is_not_the_other_that_has_none():
    found = matched(units(("02", "", "")), units(("03", "", "")), DAY)

    assert (found.old_to_new, found.new, found.gone) == ({}, ("03",), ("02",))


def test_of_two_that_bear_a_name_none_is_chosen():
    found = matched(units(("1", "Aa"), ("2", "Aa")), units(("3", "Aa")), DAY)

    assert (found.old_to_new, found.doubtful, found.gone) == ({}, {"3": ("1", "2")}, ())


def test_a_parent_tells_two_of_one_name_apart():
    found = matched(units(("1", "Aa", "x"), ("2", "Aa", "y")), units(("3", "Aa", "y")), DAY)

    assert (found.renamed_code, found.gone) == ({"2": "3"}, ("1",))


def test_a_code_that_now_means_another_place_is_no_match():
    found = matched(units(("1", "Aa"), ("2", "Bee")), units(("1", "Bee"), ("3", "Aa")), DAY)

    assert (found.same, found.renamed_code) == ({}, {"1": "3", "2": "1"})


def test_a_place_that_was_renamed_keeps_its_code():
    found = matched(units(("1", "Aa")), units(("1", "Uus-Aa")), DAY)

    assert found.same == {"1": "1"}


def test_only_what_held_on_the_day_is_asked():
    known = [
        Unit("1", "Aa", "", "", "2025-10"),
        Unit("1", "Aa", "", "2025-10"),
        Unit("9", "Toila", "", "", "2025-10"),
    ]

    assert matched(known, units(("2", "Aa")), DAY).gone == ()
    assert matched(known, units(("2", "Aa")), date(2025, 1, 1)).gone == ("9",)


def twin(known, official, day):
    """The same by trying every pair; returns old → new, new, gone, in doubt."""

    def is_alike(one, other):
        names = [" ".join(unit.name.lower().split()) for unit in (one, other)]
        return names[0] == names[1] and ("" in (one.parent, other.parent) or one.parent == other.parent)

    def is_called(one, other):
        return " ".join(one.name.lower().split()) == " ".join(other.name.lower().split())

    there = [
        one for one in known if one.valid_from <= str(day) and (one.valid_to == "" or one.valid_to > str(day))
    ]
    pairs = {}
    for old in there:
        for new in official:
            if old.code != new.code:
                continue
            somebody = any(is_alike(new, one) and one.code != old.code for one in there) or any(
                is_alike(old, one) and one.code != old.code for one in official
            )
            if is_called(old, new) or not somebody:
                pairs[old.code] = new.code
    olds = [one for one in there if one.code not in pairs]
    news = [one for one in official if one.code not in pairs.values()]
    renamed = {
        old.code: new.code
        for old in olds
        for new in news
        if is_alike(old, new)
        and sum(is_alike(old, one) for one in news) == 1
        and sum(is_alike(one, new) for one in olds) == 1
    }
    left = [one for one in olds if one.code not in renamed]
    doubt = {}
    for new in news:
        if new.code not in renamed.values():
            options = {one.code for one in left if is_alike(one, new) or one.code == new.code}
            if options:
                doubt[new.code] = tuple(sorted(options))
    gone = {one.code for one in left} - {code for codes in doubt.values() for code in codes}
    added = {one.code for one in news} - set(renamed.values()) - set(doubt)
    return {**pairs, **renamed}, added, gone, doubt


some_units = st.lists(
    st.builds(
        Unit,
        code=st.sampled_from("12345"),
        name=st.sampled_from(["Aa", "aa ", "Bee", "Õie", "Oie"]),
        parent=st.sampled_from(["", "x", "y"]),
        valid_from=st.sampled_from(["", "2025-10"]),
    ),
    max_size=5,
    unique_by=lambda unit: unit.code,
)


@settings(max_examples=400, deadline=None)
@given(known=some_units, official=some_units)
def test_the_matches_are_those_of_the_twin(known, official):
    found = matched(known, official, DAY)

    pairs, added, gone, doubt = twin(known, official, DAY)
    assert found.old_to_new == pairs
    assert (set(found.new), set(found.gone), dict(found.doubtful)) == (added, gone, doubt)
    # Nobody is told of twice, nobody is forgotten, and no pair is taken twice.
    assert len(set(pairs.values())) == len(pairs)
    told = [*found.same.values(), *found.renamed_code.values(), *found.new, *found.doubtful]
    assert sorted(told) == sorted(unit.code for unit in official)


def test_eleven_codes_of_2018_are_others_in_2026():
    old = SHARED / "ee-ehak-2018" / "csv" / "omavalitsus.csv"
    new = SHARED / "ee-ehak-2026" / "omavalitsus.geojson"
    if not (old.is_file() and new.is_file()):
        pytest.skip(f"the real division of 2018 and 2026 is not in {SHARED}")
    with old.open(encoding="utf-8-sig", newline="") as file:
        known = [Unit(row["OKOOD"], row["ONIMI"], row["MKOOD"]) for row in csv.DictReader(file)]
    rows = [one["properties"] for one in json.loads(new.read_text(encoding="utf-8"))["features"]]
    official = [Unit(row["OKOOD"], row["ONIMI"], row["MKOOD"]) for row in rows]

    found = matched(known, official, DAY)

    assert (len(known), len(official), len(found.same)) == (79, 78, 67)
    assert found.renamed_code == {
        "0142": "0145",
        "0251": "0250",
        "0304": "0305",
        "0503": "0502",
        "0514": "0515",
        "0638": "0637",
        "0718": "0719",
        "0726": "0725",
        "0735": "0736",
        "0809": "0806",
        "0855": "0857",
    }
    assert (found.new, found.gone, found.doubtful) == ((), ("0803",), {})
