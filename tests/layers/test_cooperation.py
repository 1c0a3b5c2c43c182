"""The network of cooperation against a slow twin, and a small one by hand."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import catalog, cooperation
from layers.catalog import Level
from layers.errors import BadInstance
from layers.practices import Documented, Practice
from tests import make

BODIES = [f"body-{number}" for number in range(6)]
LEVELS = (Level("low", {}, ("a", "b")), Level("middle", {}, ("c",)), Level("high", {}, ("d", "e")))


def a_practice(key):
    return Practice(key, {}, {}, {}, (), (), "described", "", (), ())


def a_case(number, bodies, parties=(), practices=("alpha",)):
    documented = tuple(Documented(key, {}) for key in practices)
    return make.a_read_case(
        key=f"case-{number}", bodies=tuple(bodies), parties=tuple(parties), practices=documented
    )


def read(cases, keys=BODIES):
    bodies = [make.a_read_body(key=key) for key in keys]
    return cooperation.network(bodies, cases, [a_practice("alpha"), a_practice("beta")], LEVELS)


# --- The slow twin: every way is walked, every node taken out


def edges_of(cases):
    found = {}
    for case in cases:
        found.setdefault(("case", case.key), set())
        for key in case.bodies:
            found[("case", case.key)].add(("body", key))
            found.setdefault(("body", key), set()).add(("case", case.key))
    return found


def parts(edges):
    """The nodes that hang together."""
    found, left = [], set(edges)
    while left:
        seen, waiting = set(), [left.pop()]
        while waiting:
            node = waiting.pop()
            seen.add(node)
            waiting += edges[node] - seen
        left -= seen
        found.append(seen)
    return found


def shortest(edges, start, end):
    """Every shortest way between two nodes."""
    ways = [[start]]
    seen = {start}
    while ways:
        if there := [way for way in ways if way[-1] == end]:
            return there
        ways = [[*way, node] for way in ways for node in edges[way[-1]] if node not in seen]
        seen |= {way[-1] for way in ways}
    return []


def between(edges, node):
    others = [one for one in edges if one != node]
    pairs = list(combinations(others, 2))
    share = 0.0
    for start, end in pairs:
        if ways := shortest(edges, start, end):
            share += sum(node in way for way in ways) / len(ways)
    return share / len(pairs) if pairs else 0.0


def without(edges, node):
    return {one: to - {node} for one, to in edges.items() if one != node}


worlds = st.lists(st.sets(st.sampled_from(BODIES), max_size=4), max_size=6)


@settings(max_examples=60, deadline=None)
@given(worlds)
def test_bridges_shares_groups_and_lines_are_those_of_the_slow_twin(members):
    cases = [a_case(number, sorted(bodies)) for number, bodies in enumerate(members)]
    edges = edges_of(cases)

    found = read(cases)

    several = {key for key in BODIES if sum(key in case.bodies for case in cases) > 1}
    assert {hub.body.key for hub in found.hubs} == several
    for hub in found.hubs:
        node = ("body", hub.body.key)
        assert hub.between == pytest.approx(between(edges, node), abs=6e-5)
        assert hub.is_bridge == (len(parts(without(edges, node))) > len(parts(edges)))
        assert hub.partners == len({b for c in hub.cases for b in c.bodies} - {hub.body.key})
    together = {
        pair: [case.key for case in cases if set(pair) <= set(case.bodies)]
        for pair in combinations(BODIES, 2)
    }
    told = {(tie.first.key, tie.second.key): [case.key for case in tie.cases] for tie in found.ties}
    assert told == {pair: keys for pair, keys in together.items() if keys}
    groups = [
        {("case", c.key) for c in cases_} | {("body", b.key) for b in bodies}
        for bodies, cases_ in found.groups
    ]
    wanted = [part for part in parts(edges) if sum(kind == "case" for kind, _ in part) > 1]
    assert sorted(map(sorted, groups)) == sorted(map(sorted, wanted))
    assert {body.key for body in found.alone} == set(BODIES) - {b for c in cases for b in c.bodies}
    assert [case.key for case in found.nameless] == [case.key for case in cases if not case.bodies]


def test_the_one_who_ties_two_cases_is_a_bridge_and_a_triangle_has_none():
    chain = read([a_case(1, BODIES[:2]), a_case(2, BODIES[1:3])])
    ring = read([a_case(1, BODIES[:2]), a_case(2, BODIES[1:3]), a_case(3, [BODIES[0], BODIES[2]])])

    assert [(hub.body.key, hub.is_bridge, hub.partners) for hub in chain.hubs] == [("body-1", True, 2)]
    assert [hub.is_bridge for hub in ring.hubs] == [False, False, False]


def test_levels_meet_where_both_act_and_with_themselves_where_two_of_their_parties_do():
    cases = [
        a_case(1, (), ("a", "c")),
        a_case(2, (), ("a", "b")),
        a_case(3, (), ("x",)),
        a_case(4, (), ("d",)),
    ]

    found = {(one.first.key, one.second.key): [c.key for c in one.cases] for one in read(cases).meetings}

    assert found == {
        ("low", "low"): ["case-2"],
        ("low", "middle"): ["case-1"],
        ("low", "high"): [],
        ("middle", "middle"): [],
        ("middle", "high"): [],
        ("high", "high"): [],
    }


def test_practices_come_by_their_cases_and_those_without_one_last():
    cases = [a_case(1, (), practices=("beta",)), a_case(2, (), practices=("beta", "alpha"))]

    found = read(cases).shared

    assert [(one.practice.key, len(one.cases)) for one in found] == [("beta", 2), ("alpha", 1)]
    assert [(one.practice.key, len(one.cases)) for one in read([]).shared] == [("alpha", 0), ("beta", 0)]


def test_an_organisation_that_is_not_known_is_left_out():
    found = read([a_case(1, ["body-0", "stranger"])], keys=["body-0"])

    assert (found.ties, found.nameless, found.alone) == ((), (), ())


def test_a_level_with_an_unknown_party_is_refused(tmp_path):
    level = {"key": "street", "label": {"et": "tänav"}, "parties": ["police", "pirates"]}
    folder = make.an_instance(tmp_path / "tiny", levels=[level])

    with pytest.raises(BadInstance) as raised:
        catalog.read_instance(folder)

    assert [str(one) for one in raised.value.problems] == [
        "instance.yaml: levels, “street”: the party “pirates” is unknown. Correct it or add it to this file."
    ]
