"""The release run says where answers and the oracle differ, with the whole case."""

from dataclasses import replace
from random import Random

import pytest

import oracle as command
from layers.geo import Place
from problems import FAILED, Problem
from tests import make
from tests.layers import worlds


def an_asked(session):
    return command.asked(worlds.an_instance(), {"here": session}, worlds.KINDS)


@pytest.mark.slow
def test_cases_of_an_invented_world_agree(session):
    made, chance = worlds.write(session, Random(3)), Random(4)  # noqa: S311
    found = an_asked(session)

    for _ in range(10):
        command.check(found, made.place(chance), worlds.DAYS)


def test_a_disagreement_ends_the_run_with_the_whole_case(session):
    make.an_area(session, code="0")
    make.a_body(session, key="somebody", layer="police", serves=["county:0"])
    found = an_asked(session)
    home = Place(lon=24.5, lat=58.5)
    command.check(found, home, worlds.DAYS)

    forgetful = replace(found.world, bodies=[])
    with pytest.raises(
        Problem, match=r"here: Place\(lon=24\.5, lat=58\.5\) on 2018-01-01: roles differ"
    ) as told:
        command.check(replace(found, world=forgetful), home, worlds.DAYS[2:])

    assert told.value.code == FAILED != 0
    assert "('somebody', '')" in str(told.value)
    assert "'code': '0'" in str(told.value)
