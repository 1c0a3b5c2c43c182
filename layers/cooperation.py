"""Read: who meets whom in documented cases, as a graph of organisations, cases and practices.

The graph is networkx's: cut vertices, betweenness and components are old algorithms with many traps, well
kept there in pure Python without anything else to install. A line of this graph is a documented case, not a
relation of today; who has no line is not written about, and may work with everybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import networkx as nx

from layers.catalog import Level
from layers.places import Body
from layers.practices import Case, Practice

_DIGITS = 4


@dataclass(frozen=True)
class Tie:
    """Two organisations that took part in the same cases; `first` is before `second` by key."""

    first: Body
    second: Body
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Hub:
    """An organisation in the middle of things.

    `between` is the share of shortest ways between all others of the graph that lead through it (0 to 1);
    `is_bridge` says that without it some of its cases would share nobody.
    """

    body: Body
    cases: tuple[Case, ...]
    partners: int
    between: float
    is_bridge: bool


@dataclass(frozen=True)
class Shared:
    """A practice and the cases that show it; `between` as in a hub, over all three kinds."""

    practice: Practice
    cases: tuple[Case, ...]
    between: float


@dataclass(frozen=True)
class Meeting:
    """Two levels of society and the cases in which both acted; a level with itself: two parties of it."""

    first: Level
    second: Level
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Network:
    """The graph, read. `alone` are organisations in no case, `nameless` are cases without an organisation.

    `groups` are the organisations and cases that hang together over more than one case, the largest first.
    """

    ties: tuple[Tie, ...]
    hubs: tuple[Hub, ...]
    shared: tuple[Shared, ...]
    meetings: tuple[Meeting, ...]
    groups: tuple[tuple[tuple[Body, ...], tuple[Case, ...]], ...]
    alone: tuple[Body, ...]
    nameless: tuple[Case, ...]


def network(
    bodies: Iterable[Body],
    cases: Sequence[Case],
    practices: Iterable[Practice],
    levels: Sequence[Level],
) -> Network:
    """Reads the graph. Organisations that a case names and `bodies` do not hold are left out."""
    known = {one.key: one for one in bodies}
    met = _graph(known, cases)
    whole = met.copy()
    whole.add_edges_from(
        (("case", case.key), ("practice", one.practice)) for case in cases for one in case.practices
    )
    taking_part = {key for kind, key in met if kind == "body"}
    return Network(
        ties=_ties(known, cases),
        hubs=_hubs(known, cases, met),
        shared=_shared(practices, cases, whole),
        meetings=_meetings(levels, cases),
        groups=_groups(known, cases, met),
        alone=tuple(known[key] for key in sorted(known.keys() - taking_part)),
        nameless=tuple(case for case in cases if not known.keys() & set(case.bodies)),
    )


def _graph(known: Mapping[str, Body], cases: Iterable[Case]) -> Any:
    found = nx.Graph()
    for case in cases:
        found.add_node(("case", case.key))
        found.add_edges_from((("body", key), ("case", case.key)) for key in case.bodies if key in known)
    return found


def _ties(known: Mapping[str, Body], cases: Iterable[Case]) -> tuple[Tie, ...]:
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        there = sorted({*case.bodies} & known.keys())
        for at, first in enumerate(there):
            for second in there[at + 1 :]:
                found.setdefault((first, second), []).append(case)
    return tuple(
        Tie(known[first], known[second], tuple(shared)) for (first, second), shared in sorted(found.items())
    )


def _hubs(known: Mapping[str, Body], cases: Iterable[Case], met: Any) -> tuple[Hub, ...]:
    """Organisations of two cases and more, those with the most ways through them first."""
    between = nx.betweenness_centrality(met)
    bridges = set(nx.articulation_points(met))
    by_body: dict[str, list[Case]] = {}
    for case in cases:
        for key in case.bodies:
            by_body.setdefault(key, []).append(case)
    found = [
        Hub(
            known[key],
            tuple(taken_part),
            len({other for case in taken_part for other in case.bodies if other in known} - {key}),
            round(between["body", key], _DIGITS),
            ("body", key) in bridges,
        )
        for key, taken_part in by_body.items()
        if key in known and len(taken_part) > 1
    ]
    return tuple(sorted(found, key=lambda one: (-one.between, -len(one.cases), one.body.key)))


def _shared(practices: Iterable[Practice], cases: Iterable[Case], whole: Any) -> tuple[Shared, ...]:
    """Every practice, that of the most cases first; those without a case at the end."""
    between = nx.betweenness_centrality(whole)
    found = []
    for practice in practices:
        shown_by = tuple(case for case in cases if practice.key in {one.practice for one in case.practices})
        share = between.get(("practice", practice.key), 0.0)
        found.append(Shared(practice, shown_by, round(share, _DIGITS)))
    return tuple(sorted(found, key=lambda one: (-len(one.cases), -one.between, one.practice.key)))


def _meetings(levels: Sequence[Level], cases: Iterable[Case]) -> tuple[Meeting, ...]:
    found: dict[tuple[int, int], list[Case]] = {
        pair: [] for pair in combinations_with_replacement(range(len(levels)), 2)
    }
    for case in cases:
        there = [len({*level.parties} & {*case.parties}) for level in levels]
        for first, second in found:
            enough = there[first] > 1 if first == second else there[first] and there[second]
            if enough:
                found[first, second].append(case)
    return tuple(Meeting(levels[a], levels[b], tuple(those)) for (a, b), those in found.items())


def _groups(
    known: Mapping[str, Body], cases: Iterable[Case], met: Any
) -> tuple[tuple[tuple[Body, ...], tuple[Case, ...]], ...]:
    by_key = {case.key: case for case in cases}
    found = []
    for nodes in nx.connected_components(met):
        there = sorted(key for kind, key in nodes if kind == "case")
        if len(there) > 1:
            bodies = tuple(known[key] for key in sorted(key for kind, key in nodes if kind == "body"))
            found.append((bodies, tuple(by_key[key] for key in there)))
    return tuple(sorted(found, key=lambda one: (-len(one[1]), one[1][0].key)))
