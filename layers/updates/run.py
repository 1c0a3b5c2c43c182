"""The whole way of an update: every source fetched, checked, shaped and planned; then, when asked, written.

Nothing is written before every plan is there to be read, and each source is written by itself: all or
nothing, and whatever happens to the others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from layers import dates, doctor, editions, links, store
from layers.aliases import Book, Told
from layers.catalog import Instance, Resource, said
from layers.doctor import Double
from layers.editions import Plan
from layers.errors import N_, Invalid, LayersError, Sentence
from layers.links import Lost, StoreCodes
from layers.sources.instance import Source
from layers.updates import collect, content, days, difference, known, shape, tables
from layers.updates.difference import Difference
from layers.updates.fetch import Client
from layers.updates.kept import Collected, Shelf
from layers.updates.known import Ground
from layers.updates.shape import Shaped
from layers.updates.wanted import AREAS, BODIES, CELLS, FACTS, SETTLEMENTS, Wanted

Ways = Callable[[Wanted], Iterable[Callable[[], Collected]]]
"""The ways to get a source, the better first: each fetches and checks its files."""
_ORDER = (FACTS, AREAS, SETTLEMENTS, CELLS, BODIES)


class NoWay(Invalid):
    text = N_("No address of this source gave what it should: {reasons}")


class ChangedMeanwhile(Invalid):
    text = N_(
        "The store has changed since the plan was shown; nothing of this source was written. Plan again."
    )


@dataclass(frozen=True)
class Offer:
    """What one source would do, or why it can do nothing (`failure`).

    `tried` tells of addresses that failed before another one served, `lost` of areas that it ends and that
    are still named, `doubles` of organisations that may be known under another key.
    """

    wanted: Wanted
    failure: LayersError | None = None
    tried: tuple[LayersError, ...] = ()
    collected: Collected | None = None
    shaped: Shaped | None = None
    plan: Plan | None = None
    difference: Difference | None = None
    notes: tuple[Sentence, ...] = ()
    lost: tuple[Lost, ...] = ()
    doubles: tuple[Double, ...] = ()


@dataclass
class _World:
    """What the sources of one run know of each other: areas that are new in it, and facts about areas."""

    book: Book
    grounds: dict[str, Ground] = field(default_factory=dict)
    facts: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)


def online(client: Client, shelf: Shelf) -> Ways:
    """Over the network, address by address; what passes is kept on the shelf."""
    return lambda wanted: [
        partial(collect.files, client, shelf, wanted, address) for address in wanted.addresses
    ]


def offline(shelf: Shelf) -> Ways:
    """From a folder alone."""

    def one(wanted: Wanted) -> Collected:
        collected = shelf.collected(wanted)
        content.check(wanted, collected)
        return collected

    return lambda wanted: [partial(one, wanted)]


def prepare(
    session: Session,
    instance: Instance,
    sources: Sequence[Wanted],
    ways: Ways,
    *,
    now: datetime,
    shelf: Shelf | None = None,
    tell: Callable[[Wanted], None] = lambda wanted: None,
) -> list[Offer]:
    """An offer of every source, in the order in which they build on each other; writes nothing to the store.

    Files that pass every check are kept on the `shelf`. `tell` hears which source is next.
    """
    world = _World(StoreCodes(session, instance.default_language).book)
    offers = []
    for wanted in sorted(sources, key=lambda one: _ORDER.index(one.table)):
        tell(wanted)
        offers.append(_offer(session, instance, wanted, ways, world, now=now, shelf=shelf))
    order = {wanted.key: at for at, wanted in enumerate(sources)}
    return sorted(offers, key=lambda offer: order[offer.wanted.key])


def _offer(
    session: Session,
    instance: Instance,
    wanted: Wanted,
    ways: Ways,
    world: _World,
    *,
    now: datetime,
    shelf: Shelf | None,
) -> Offer:
    tried: list[LayersError] = []
    for way in ways(wanted):
        try:
            collected = way()
            shaped = _shaped(session, instance, wanted, collected, world, now=now)
            if shelf:
                collected = shelf.keep(wanted, collected)
            return _planned(session, instance, wanted, collected, shaped, world, tuple(tried))
        except (LayersError, OSError) as error:
            tried.append(error if isinstance(error, LayersError) else NoWay(reasons=str(error)))
    reasons = " ".join(str(failure) for failure in tried)
    failure = tried[0] if len(tried) == 1 else NoWay(reasons=reasons)
    return Offer(wanted, failure=failure, tried=tuple(tried))


def _shaped(
    session: Session,
    instance: Instance,
    wanted: Wanted,
    collected: Collected,
    world: _World,
    *,
    now: datetime,
) -> Shaped:
    table = tables.read(wanted, collected)
    as_of = days.as_of(wanted, collected.address, table, moment=collected.moment, now=now)
    day, language = dates.first_day(as_of), instance.default_language
    kinds = {*wanted.within.values(), *([wanted.parent_kind] if wanted.table == SETTLEMENTS else [])}
    grounds = {
        kind: world.grounds.get(kind) or known.ground(session, kind, day=day, language=language)
        for kind in kinds
        if kind
    }
    return shape.shaped(
        wanted,
        table,
        instance,
        as_of=as_of,
        known=known.of_source(session, wanted, day=day, language=language, book=world.book),
        grounds=grounds,
        facts=world.facts.get(wanted.key),
        lent=() if wanted.key in world.facts else wanted.lent,
        is_paged=collected.address.answer.startswith("wfs"),
    )


def _planned(
    session: Session,
    instance: Instance,
    wanted: Wanted,
    collected: Collected,
    shaped: Shaped,
    world: _World,
    tried: tuple[LayersError, ...],
) -> Offer:
    if wanted.table == FACTS:
        facts = world.facts.setdefault(wanted.goes_with, {})
        for code, about in shaped.facts.items():
            facts.setdefault(code, {}).update(about)
        return Offer(wanted, None, tried, collected, shaped, notes=shaped.notes)
    source = Source(resource_of(wanted, shaped), wanted.table, shaped.rows, collected.checksum)
    plan = editions.plan(editions.known(session, source), source)
    found, left, doubles = None, [], doctor.doubles(session, plan)
    if wanted.table == AREAS:
        language = instance.default_language
        before = known.ground(session, wanted.kind, day=dates.first_day(shaped.as_of), language=language)
        after = _ground(shaped, language)
        found = difference.between(before, after)
        left = links.lost(session, plan, day=dates.first_day(shaped.as_of))
        world.book = world.book.joined(
            Told(wanted.kind, old, new, shaped.as_of)
            for old, new in (shaped.matches.renamed_code.items() if wanted.aliases == "keep" else ())
        )
        world.grounds[wanted.kind] = after
    return Offer(
        wanted, None, tried, collected, shaped, plan, found, shaped.notes, tuple(left), tuple(doubles)
    )


def _ground(shaped: Shaped, language: str) -> Ground:
    rows: Sequence[Mapping[str, Any]] = [row.values for row in shaped.rows]
    return Ground(
        tuple(row["code"] for row in rows),
        tuple(said(row["names"], language, language) for row in rows),
        np.array([row["geom"] for row in rows], dtype=object),
    )


def resource_of(wanted: Wanted, shaped: Shaped) -> Resource:
    """The source as a resource of its own data set, beside the instance's files of the same layer."""
    source = wanted.attribution.replace("{date}", shaped.as_of)
    return Resource(
        name=wanted.resource,
        path=Path(),
        title=wanted.title,
        licence=wanted.licence,
        source=dict.fromkeys(wanted.title, source),
        source_url=wanted.licence_url,
        as_of=shaped.as_of,
        dataset=wanted.key,
    )


def write(engine: Engine, instance: Instance, offer: Offer, *, now: datetime, account: str = "") -> bool:
    """Writes what an offer's plan says, all or nothing; whether there was anything to write.

    Raises:
        ChangedMeanwhile: the plan that was shown is not what would be written.
    """
    if offer.plan is None or offer.plan.does_nothing:
        return False
    source = offer.plan.source
    with store.writing(engine, srid=instance.metric_crs) as session:
        again = editions.plan(editions.known(session, source), source)
        if _figures(again) != _figures(offer.plan):
            raise ChangedMeanwhile
        editions.apply(session, again, now=now, account=account, note=_note(offer))
        session.commit()
    return True


def _figures(plan: Plan) -> tuple[object, ...]:
    return ([row.key for row in plan.added], [row.key for row in plan.changed], plan.unchanged, plan.ended)


def _note(offer: Offer) -> str:
    """What an edition says of itself: which known codes stand for which official ones."""
    renamed = offer.shaped.matches.renamed_code if offer.shaped else {}
    pairs = ", ".join(f"{old} = {new}" for old, new in renamed.items())
    return f"Known code = official code: {pairs}" if pairs else ""
