"""Measures the fit of cases: each is held out, and its practices are guessed from the other cases.

Guessed from its place and its parties, against two simple guesses: the practices with the most cases, and
those of the nearest cases. Beside the whole fit stand the fit without the
parties, as the pages use it, and the parties alone. Prints one row a guess: how often the first, and one
of the first three, is right, and the mean reciprocal rank (1 when the first is always right). A practice
that no other case shows cannot be guessed and counts as missed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from math import hypot
from pathlib import Path
from tempfile import TemporaryDirectory

from layers import catalog, contacts, fit, imports, snapshot, store
from layers.fit import Example, Profile, Territory

Guess = Callable[[Example, Sequence[Example]], Mapping[str, float]]
"""From a held-out case (its place and parties only) and the others to a number by practice, larger first."""


def practices_of(example: Example) -> list[str]:
    return [link.practice for link in example.case.practices]


def best(scores: Iterable[tuple[Example, float]]) -> dict[str, float]:
    """The best score of each practice among the cases that show it."""
    found: dict[str, float] = {}
    for example, score in scores:
        for practice in practices_of(example):
            found[practice] = max(found.get(practice, score), score)
    return found


def held_out(found: Territory, example: Example, *, parties: bool) -> Profile:
    """The place of a case as it would be known without the case.

    With `parties` those of the case are who is there, else whoever is known in the place anyway.
    """
    profile = next(iter(example.profiles.values()))
    area = found.areas[profile.area]
    others = [one.case for one in found.examples if one.case.key != example.case.key]
    return replace(
        profile,
        roles=frozenset().union(*example.needs) if parties else profile.roles,
        themes=frozenset(case.theme for case in others if contacts.is_of(case, area)),
    )


def by_fit(found: Territory, *, parties: bool = True, only: Sequence[str] = ()) -> Guess:
    """The fit, or some of its parts alone."""

    def guess(held: Example, others: Sequence[Example]) -> Mapping[str, float]:
        profile = held_out(found, held, parties=parties)
        return best((one, score(profile, one)) for one in others)

    def score(profile: Profile, one: Example) -> int:
        return sum(part.points for part in fit.parts(profile, one) if not only or part.key in only)

    return guess


def by_popularity(_held: Example, others: Sequence[Example]) -> Mapping[str, float]:
    return Counter(practice for one in others for practice in practices_of(one))


def by_distance(held: Example, others: Sequence[Example]) -> Mapping[str, float]:
    def apart_m(one: Example) -> float:
        here, there = (next(iter(each.profiles.values())).point for each in (held, one))
        return hypot(here[0] - there[0], here[1] - there[1]) if here and there else float("inf")

    return best((one, -apart_m(one)) for one in others)


def ranks(examples: Sequence[Example], guess: Guess) -> list[int | None]:
    """For each case the rank of its first right practice; None where none was guessed. Ties go by key."""
    found: list[int | None] = []
    for held in examples:
        scores = guess(held, [one for one in examples if one.case.key != held.case.key])
        order = sorted(scores, key=lambda practice: (-scores[practice], practice))
        hits = [order.index(practice) + 1 for practice in practices_of(held) if practice in order]
        found.append(min(hits, default=None))
    return found


def row(found: Sequence[int | None]) -> tuple[float, float, float]:
    """hit@1, hit@3 and mean reciprocal rank."""
    cases = max(len(found), 1)
    first, three = (sum(rank is not None and rank <= most for rank in found) / cases for most in (1, 3))
    return first, three, sum(1 / rank for rank in found if rank) / cases


def table(found: Territory) -> dict[str, tuple[float, float, float]]:
    """Every guess by name with its figures."""
    examples = [one for one in found.examples if one.profiles]
    guesses = {
        "fit": by_fit(found),
        "place only": by_fit(found, parties=False),
        "parties only": by_fit(found, only=("roles", "missing")),
        "popularity": by_popularity,
        "nearest": by_distance,
    }
    return {name: row(ranks(examples, guess)) for name, guess in guesses.items()}


def read(folder: Path, *, as_of: date) -> Territory:
    """The territory of an instance, from a store that is made for it and thrown away."""
    instance = catalog.read_instance(folder)
    with TemporaryDirectory() as place:
        engine = store.open_store(f"sqlite:///{place}/store.sqlite")
        imports.load(engine, instance, now=datetime.now(tz=UTC))
        kinds = {layer.kind for layer in instance.layers_of("areas")} | {"neighbour"}
        with store.reading(engine, srid=instance.metric_crs) as session:
            known = snapshot.take(session, kinds)
            found = fit.territory(session, instance, known, as_of=as_of)
        engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("data/ee"), help="an instance")
    found = read(parser.parse_args().folder, as_of=datetime.now(tz=UTC).date())
    print(f"{len(found.examples)} cases, each held out once")
    print(f"{'guess':<14}{'hit@1':>8}{'hit@3':>8}{'MRR':>8}")
    for name, figures in table(found).items():
        print(f"{name:<14}" + "".join(f"{figure:>8.3f}" for figure in figures))


if __name__ == "__main__":
    main()
