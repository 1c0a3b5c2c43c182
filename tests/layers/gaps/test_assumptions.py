"""What is assumed, read from its file: every figure has a source, every mistake a line and a remedy."""

import shutil

import pytest
import yaml

from layers.errors import BadInstance
from layers.gaps import assumptions
from layers.gaps.assumptions import FILE, GENERAL, Span
from tests.conftest import ROOT

EE = ROOT / "data" / "ee"
SMALL = """\
as_of: "2026"
classes:
  - key: rural
    label: {en: rural}
    density_from: 0
    detour: {low: 1.2, usual: 1.3, high: 1.5, source: made up}
    speed_kmh: {low: 40, usual: 60, high: 80, source: "assumption: made up"}
turnout_min:
  by_form:
    state: {low: 0, usual: 1, high: 2, source: made up}
  otherwise: {low: 1, usual: 5, high: 15, source: made up}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / FILE).parent.mkdir()
    return tmp_path


def read(folder, text):
    (folder / FILE).write_text(text, encoding="utf-8")
    return assumptions.read(folder)


def problems(folder, text):
    with pytest.raises(BadInstance) as told:
        read(folder, text)
    return [(one.row, one.what) for one in told.value.problems]


# --- Estonia


def test_every_figure_of_estonia_has_a_source_or_says_that_it_is_assumed():
    found = dict(assumptions.read(EE).spans())

    assert len(found) > 35
    assert [name for name, span in found.items() if not span.source] == []
    assert [name for name, span in found.items() if not span.source_url and not span.assumed] == [
        "position_m.cells"
    ]
    assert found["turnout.by_form.volunteer"] == Span(
        1,
        5,
        15,
        found["turnout.by_form.volunteer"].source,
        "https://rescue.ee/en/map-of-rescue-brigades",
    )


def test_what_is_only_assumed_is_a_wide_span():
    for name, span in assumptions.read(EE).spans():
        if span.assumed:
            assert span.high > span.low, name
            assert span.high - span.low >= 0.1 * abs(span.usual), name


def test_every_code_of_estonia_is_known_to_it(estonia):
    found = assumptions.read(EE)
    forms = {*found.turnout_by_form, *found.availability_by_form}
    readiness = {*found.turnout_by_readiness, *found.availability_by_readiness}

    assert forms <= set(estonia.codes["forms"])
    assert {"state", "volunteer", "volunteer_reserve", "station", "point", "auxiliary"} <= forms
    assert readiness <= set(estonia.codes["readiness"])
    assert set(found.position_m) == {*estonia.codes["precision"], "places", "cells"}
    assert all(set(one.label) >= set(estonia.languages) for one in found.classes)


def test_readiness_goes_before_form_and_form_before_any_other():
    found = assumptions.read(EE)

    assert found.turnout("state", "") == found.turnout_by_form["state"]
    assert found.turnout("state", "home_duty") == found.turnout_by_readiness["home_duty"]
    assert found.turnout("state", "seasonal") == found.turnout_by_form["state"]
    assert found.turnout("association", "") == found.turnout_otherwise
    assert found.availability("volunteer", "seasonal") == found.availability_by_readiness["seasonal"]
    assert found.availability("volunteer", "") == found.availability_by_form["volunteer"]
    assert found.availability("sector", "") == found.availability_otherwise


def test_the_usual_pace_of_each_class_is_that_of_its_formula():
    found = {one.key: one.min_per_km for one in assumptions.read(EE).classes}

    assert found == pytest.approx({"rural": 1.3, "town": 1.56, "city": 1.95})


def test_every_road_has_a_speed():
    for found in (assumptions.read(EE), GENERAL):
        assert found.kmh()["otherwise"] == found.roads_kmh["otherwise"].usual
    assert assumptions.read(EE).kmh()["primary"] == 80


# --- The file


def test_an_instance_without_the_file_has_general_assumptions(tmp_path):
    found = assumptions.read(tmp_path)

    assert found is GENERAL
    assert all(span.assumed for _, span in found.spans())


def test_what_a_small_file_leaves_out_is_general(folder):
    found = read(folder, SMALL)

    assert [one.key for one in found.classes] == ["rural"]
    assert found.turnout("state", "") == Span(0, 1, 2, "made up")
    assert found.turnout("any", "") == Span(1, 5, 15, "made up")
    assert found.margin_min == GENERAL.margin_min
    assert found.availability("state", "") == GENERAL.availability_otherwise
    assert found.position_m == GENERAL.position_m
    assert found.causeways == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("usual: 1.3", "usual: 1.6", (6, "classes.0.detour: 1.2, 1.6, 1.5 do not rise.")),
        ("usual: 1.3", "usual: .nan", (6, "classes.0.detour.usual: “nan” cannot be used.")),
        ("low: 1.2", "low: 0.9", (6, "classes.0.detour.low: “0.9” cannot be used.")),
        ("low: 40", "low: 0", (7, "classes.0.speed_kmh.low: “0” cannot be used.")),
        ("low: 40", "low: fast", (7, "classes.0.speed_kmh.low: “fast” cannot be used.")),
        ("low: 40", "low: yes", (7, "classes.0.speed_kmh.low: “True” cannot be used.")),
        ("low: 0, ", "low: -1, ", (10, "turnout_min.by_form.state.low: “-1” cannot be used.")),
        ("usual: 5, ", "", (11, "turnout_min.otherwise: “usual” is missing.")),
        ("source: made up}\n", 'source: ""}\n', (6, "classes.0.detour.source: It is empty.")),
        ("density_from: 0", "density_from: 5", (5, "classes.0.density_from: 5 is out of order.")),
        ("    density_from: 0\n", "", (3, "classes.0: “density_from” is missing.")),
        ("{en: rural}", "rural", (4, "classes.0.label: It has no parts.")),
        ("as_of:", "as_off:", (1, "as_off: The part is unknown.")),
        ("otherwise:", "other:", (11, "turnout_min.other: The part is unknown.")),
        ("by_form:\n", "by_shape:\n", (9, "turnout_min.by_shape: The part is unknown.")),
    ],
)
def test_what_is_wrong_is_told_with_its_line(folder, old, new, expected):
    assert old in SMALL

    assert expected in problems(folder, SMALL.replace(old, new, 1))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("causeways: no", (12, "causeways: It is not a list.")),
        ("causeways:\n  - {name: Tamm, source: x}", (13, "causeways.0: “ends” is missing.")),
        (
            "causeways:\n  - {name: Tamm, source: x, ends: [[23, 58]]}",
            (13, "causeways.0.ends: [[23, 58]] are not two points."),
        ),
        (
            "causeways:\n  - {name: Tamm, source: x, ends: [[23, 58], [58, 223]]}",
            (13, "causeways.0.ends: [[23, 58], [58, 223]] are not two points."),
        ),
        ("availability:\n  otherwise: 1", (13, "availability.otherwise: It has no parts.")),
        (
            "availability:\n  otherwise: {low: 0, usual: 1, high: 2, source: x}",
            (13, "availability.otherwise.high: “2” cannot be used."),
        ),
        (
            "roads_kmh: {primary: {low: 1, usual: 2, high: 3, source: x}}",
            (12, "roads_kmh: “otherwise” is missing."),
        ),
        ("position_m: {street: 3}", (12, "position_m.street: It has no parts.")),
    ],
)
def test_what_is_wrong_in_a_further_part_is_told_with_its_line(folder, more, expected):
    assert expected in problems(folder, SMALL + more + "\n")


def test_all_problems_are_told_together(folder):
    text = SMALL.replace("usual: 1.3", "usual: 9").replace("usual: 5", "usual: 50").replace("as_of", "of")

    assert [row for row, _ in problems(folder, text)] == [1, 11, 6]


@pytest.mark.parametrize("text", ["", "[]", "5", "classes:\nturnout_min:\n"])
def test_a_file_that_is_no_list_of_assumptions_is_refused(folder, text):
    assert problems(folder, text)


def test_classes_rise_and_have_their_own_keys(folder):
    again = SMALL.split("turnout_min")[0].split("classes:\n")[1]
    text = SMALL.replace("turnout_min:", again + "turnout_min:")

    assert problems(folder, text) == [
        (10, "classes.1.density_from: 0 is out of order."),
        (8, "classes.1.key: “rural” stands there twice."),
    ]


def test_a_text_that_is_no_yaml_is_told_with_its_line(folder):
    found = problems(folder, SMALL + "causeways: [}\n")

    assert [row for row, _ in found] == [12]
    assert "cannot be read" in found[0][1]


def test_every_problem_of_a_copy_of_estonia_names_the_file_and_a_remedy(folder):
    shutil.copy(EE / FILE, folder / FILE)
    about = yaml.safe_load((EE / FILE).read_text(encoding="utf-8"))
    assert assumptions.read(folder) == assumptions.read(EE)

    about["classes"][1]["speed_kmh"]["low"] = 500
    with pytest.raises(BadInstance) as told:
        read(folder, yaml.safe_dump(about, allow_unicode=True))

    found = told.value.problems[0]
    assert (found.file, found.remedy) == (FILE, "Write a number from 1 to 200.")
    assert found.row > 1
