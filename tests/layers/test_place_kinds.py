"""Kinds of place are measured: what everybody knows of some places is what the measure says."""

from datetime import date

import pytest

from layers import fit, imports, place_kinds, snapshot, store
from tests import make

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def kinds(estonia, tmp_path_factory):
    engine = store.open_store(f"sqlite:///{tmp_path_factory.mktemp('kinds') / 'store.sqlite'}")
    imports.load(engine, estonia, now=make.moment(TODAY))
    with store.reading(engine, srid=estonia.metric_crs) as session:
        areas = {layer.kind for layer in estonia.layers_of("areas")}
        known = snapshot.take(session, {*areas, "neighbour"})
        territory = fit.territory(session, estonia, known, as_of=TODAY)
        yield place_kinds.of_cases(session, territory)
    engine.dispose()


@pytest.mark.parametrize(
    ("case", "wanted"),
    {
        "vormsi-mere": {"island", "countryside", "sparse"},
        "ruhnu": {"island", "countryside", "remote"},
        "hara": {"coast", "countryside", "sparse"},
        "laanemaa-ohukohad": {"coast", "town"},
        "kesklinn-asumid": {"coast", "town"},
        "turi-lembitu": {"town"},
        "setomaa-nulk": {"border", "countryside", "sparse"},
        "suurejoe": {"countryside", "remote", "sparse"},
        "raasiku-umarlaud": {"countryside"},
    }.items(),
)
def test_places_that_everybody_knows_are_of_their_kinds(kinds, case, wanted):
    assert kinds[case] == wanted


def test_every_case_is_either_of_a_town_or_of_the_countryside(kinds):
    assert {key for key, found in kinds.items() if len(found & {"town", "countryside"}) != 1} == set()
    assert not [key for key, found in kinds.items() if {"town", "sparse"} <= found]


def test_every_kind_has_a_rule_and_every_label_a_kind(estonia, kinds):
    assert estonia.codes["place_kinds"].keys() == place_kinds.RULES.keys()
    assert {kind for found in kinds.values() for kind in found} == place_kinds.RULES.keys()
    assert [words.keys() for words in estonia.codes["place_kinds"].values()] == [{"et", "en", "ru"}] * 7
