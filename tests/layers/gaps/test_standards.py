"""Standards as files: Estonia's own can be read, and everything wrong with a file is told with its line."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import catalog
from layers.gaps import mixes, standards
from layers.gaps.mixes import Mix
from layers.gaps.standards import BadStandard

ROOT = Path(__file__).resolve().parents[3]
GOOD = """key: mine
version: "1"
as_of: "2026"
title: {en: Mine}
source: A test
rules:
  - key: dense
    label: {en: Dense}
    role: police
    within_min: 10
    density_from: 100
  - key: thin
    label: {en: Thin}
    role: police
    within_min: 20
    share: 0.5
    density_to: 100
"""
FIRST_RULE, THIN_RULE = 7, 12


@pytest.fixture(scope="module")
def ee():
    return catalog.read_instance(ROOT / "data" / "ee")


def told(text, instance):
    """Line and what of every problem."""
    with pytest.raises(BadStandard) as refused:
        standards.parse(text, "mine.yaml", instance=instance)
    assert all(problem.file == "mine.yaml" and problem.remedy for problem in refused.value.problems)
    return [(problem.row, problem.what) for problem in refused.value.problems]


def test_estonias_standards_can_be_read_and_speak_every_language(ee):
    found = standards.read(ee.folder / standards.FOLDER, instance=ee)

    assert [one.key for one in found] == ["ee-2011", "fi-risk-classes", "nfpa-1720", "somebody-local"]
    for one in found:
        words = [one.title, one.about, one.differs, *(rule.label for rule in one.rules)]
        assert all(set(said) == {"et", "en", "ru"} for said in words)
        assert one.version
        assert one.as_of
        assert one.source


def test_the_figures_are_those_of_the_sources(ee):
    found = {one.key: one for one in standards.read(ee.folder / standards.FOLDER, instance=ee)}
    asked = {
        key: [(rule.within_min, rule.share, rule.crew) for rule in one.rules] for key, one in found.items()
    }

    assert asked["ee-2011"][0] == (15, 0.9, 4)
    assert asked["fi-risk-classes"] == [(minutes, 0.5, None) for minutes in (6, 10, 20, 40)]
    assert asked["nfpa-1720"] == [(9, 0.9, 15), (10, 0.8, 10), (14, 0.8, 6)]


def test_nfpas_people_per_square_mile_are_converted(ee):
    """1,000 and 500 people per square mile of 2.589988 km²."""
    one = next(s for s in standards.read(ee.folder / standards.FOLDER, instance=ee) if s.key == "nfpa-1720")
    km2 = 1.609344**2

    assert [rule.density_from for rule in one.rules] == [round(1000 / km2), round(500 / km2), 0]
    assert (round(1000 / km2), round(500 / km2)) == (386, 193)


def test_a_good_file_is_read_as_it_is_written(ee):
    one = standards.parse(GOOD, "mine.yaml", instance=ee)

    assert (one.key, one.version, one.as_of, one.title, one.differs) == (
        "mine",
        "1",
        "2026",
        {"en": "Mine"},
        {},
    )
    dense, thin = one.rules
    assert (dense.within_min, dense.share, dense.density_from, dense.density_to) == (10, 1, 100, float("inf"))
    assert (thin.within_min, thin.share, thin.density_from, thin.density_to) == (20, 0.5, 0, 100)
    assert dense.is_of_a_class


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("key: mine", "key: My own", 1, "The key “My own” is not plain."),
        ('version: "1"', 'version: ""', 2, "“version” is missing in the standard."),
        ('as_of: "2026"', 'as_of: "soon"', 3, "“as_of” is no date: soon."),
        ("title: {en: Mine}", "title: Mine", 4, "“title” has no words by language."),
        ("source: A test", "source: A test\nsource_url: ftp://x", 6, "“source_url” is no address."),
        ("source: A test", "source: A test\nfoo: 1", 6, "the standard has an unknown part “foo”."),
        ("within_min: 10", "within_min: -3", 10, "“within_min” cannot be -3."),
        ("within_min: 10", "within_min: .nan", 10, "“within_min” cannot be nan."),
        ("within_min: 10", "within_min: ten", 10, "“within_min” cannot be ten."),
        ("within_min: 10", "within_min: 10\n    within_km: 0", 11, "“within_km” cannot be 0."),
        ("    within_min: 10\n", "", 7, "the rule “dense” says neither in what time nor how near."),
        ("share: 0.5", "share: 50", 16, "“share” cannot be 50."),
        ("share: 0.5", "depth: 1.5", 16, "“depth” cannot be 1.5."),
        ("share: 0.5", "depth: yes", 16, "“depth” cannot be True."),
        ("share: 0.5", "crew: 0", 16, "“crew” cannot be 0."),
        ("share: 0.5", "forms: state", 16, "“forms” is no list."),
        ("share: 0.5", "with_turnout: maybe", 16, "“with_turnout” is neither true nor false."),
        ("key: thin", "key: dense", 12, "Two rules have the key “dense”."),
        ("density_to: 100", "density_to: 90", 7, "No class holds for 90 to 100 persons per km²."),
        ("density_to: 100", "density_to: 110", 7, "The classes of “thin” and “dense” overlap."),
        (
            "density_from: 100",
            "density_from: 100\n    density_to: 200",
            7,
            "No class holds for 200 and more persons per km².",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(ee, old, new, line, what):
    assert old in GOOD

    assert told(GOOD.replace(old, new, 1), ee) == [(line, what)]


def test_an_unknown_role_is_told_with_those_that_are_known(ee):
    ((line, what),) = told(
        GOOD.replace("role: police\n    within_min: 20", "role: knight\n    within_min: 20"), ee
    )[:1]

    assert line == FIRST_RULE  # Alone in its group, the other class is open below.
    assert what == "No class holds for 0 to 100 persons per km²."
    said = [what for _, what in told(GOOD.replace("role: police", "role: municipality"), ee)]
    assert said == 2 * [
        "“municipality” is no role that an organisation plays here; known are: police, watch, village,"
        " rescue_land, rescue_water."
    ]


def test_an_unknown_form_is_told(ee):
    text = GOOD.replace("within_min", "forms: [knight]\n    within_min")

    assert told(text, ee) == [(10, "The form “knight” is unknown."), (16, "The form “knight” is unknown.")]


def test_everything_wrong_is_told_at_once_in_the_order_of_lines(ee):
    text = GOOD.replace("within_min: 10", "within_min: -1").replace("share: 0.5", "share: 2")

    assert [line for line, _ in told(text.replace("key: mine", "key: "), ee)] == [1, 10, 16]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "The file is empty or a list."),
        ("- a", 1, "The file is empty or a list."),
        ("key: [", 1, "The file cannot be read: expected the node content, but found '<stream end>'."),
        ("key: a\nkey: b", 2, "The file cannot be read: “key” stands there twice."),
        ("a: &x [1]\nb: *x", 1, "The file cannot be read: “&” and “*” are not used here."),
        ("key: " + "x" * 100_001, 0, "The file is larger than 100 kB."),
        ("key: !!python/object:os.system x", 1, "The file cannot be read: None."),
        ("[" * 2000, 0, "The file cannot be read: it is no YAML."),
    ],
)
def test_what_is_no_standard_at_all_is_refused_plainly(ee, text, line, what):
    ((row, said),) = told(text, ee)

    assert row == line
    assert said == what or what.endswith("None.")


@settings(max_examples=150, deadline=None)
@given(
    text=st.text(max_size=200) | st.sampled_from(GOOD.splitlines()).map(lambda line: GOOD.replace(line, ""))
)
def test_any_text_is_read_or_refused_with_a_sentence(ee, text):
    try:
        standards.parse(text, "any", instance=ee)
    except BadStandard as error:
        assert error.problems  # noqa: PT017 - most texts are refused, a few are standards


def test_a_folder_tells_of_every_file_and_of_keys_given_twice(ee, tmp_path):
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "c.yaml").write_text("- 1", encoding="utf-8")
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe")

    with pytest.raises(BadStandard) as refused:
        standards.read(tmp_path, instance=ee)

    assert [problem.file for problem in refused.value.problems] == ["b.yaml", "c.yaml", "d.yaml"]


def test_an_instance_without_standards_has_none(ee, tmp_path):
    assert standards.read(tmp_path / "nowhere", instance=ee) == ()


# --- Who is wanted

ROLES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", Mix("or", ("a",))),
        ("a and b", Mix("and", ("a", "b"))),
        ("a or b and c", Mix("or", ("a", Mix("and", ("b", "c"))))),
        ("A AND (b or c)", Mix("and", ("a", Mix("or", ("b", "c"))))),
        ("((a))", Mix("or", ("a",))),
    ],
)
def test_roles_are_joined_as_they_are_written(text, expected):
    assert mixes.mix(text, roles=ROLES) == expected
    assert mixes.mix(text, roles=ROLES).roles() == tuple(
        role for role in ROLES if role in text.lower().strip("()").replace("and", "")
    )


@pytest.mark.parametrize("text", ["", "and", "a and", "a b", "(a", "a)", "()", "a & b", "a" * 201, "(" * 150])
def test_what_says_nobody_is_refused(text):
    with pytest.raises((mixes.BadMix, mixes.NoSuchRole)):
        mixes.mix(text, roles=ROLES)
