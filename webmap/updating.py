"""`turvakaart data update`: shows every plan before anything is written, then asks."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from layers import catalog, store, tiles
from layers.catalog import Instance
from layers.errors import LayersError
from layers.updates import run, wanted
from layers.updates.difference import Difference
from layers.updates.fetch import Client
from layers.updates.kept import Shelf
from layers.updates.run import Offer
from layers.updates.wanted import Wanted
from webmap.settings import Settings

_NAMED = 12


class OtherInstance(LayersError):
    text = "This is the instance “{there}”, not “{key}”. Name its folder with --instance."


def update(
    settings: Settings,
    *,
    key: str,
    only: Sequence[str] = (),
    may_write: bool | None = None,
    folder: Path | None = None,
    is_list: bool = False,
    client: Client | None = None,
) -> bool:
    """Fetches, plans, tells, asks (where `may_write` is None) and writes; whether every source served.

    The store must be set up.

    Raises:
        LayersError: nothing can be done at all, as when updates.yaml has mistakes.
    """
    instance = catalog.read_instance(settings.instance)
    if instance.key != key:
        raise OtherInstance(there=instance.key, key=key)
    sources = wanted.chosen(wanted.read(instance), only)
    shelf = Shelf(settings.state / "updates" / instance.key)
    if is_list:
        _tell_sources(sources, shelf, instance)
        return True
    offers = _offers(settings, instance, sources, shelf, folder, client)
    for offer in offers:
        _tell(offer, instance)
    ready = [offer for offer in offers if offer.plan and not offer.plan.does_nothing]
    failed = sum(offer.failure is not None for offer in offers)
    if not ready:
        click.echo("There is nothing to write.")
    elif _may(may_write, len(ready), failed):
        failed += _write(settings, instance, ready)
    else:
        click.echo("Nothing was written.")
    return not failed


def _offers(
    settings: Settings,
    instance: Instance,
    sources: Sequence[Wanted],
    shelf: Shelf,
    folder: Path | None,
    client: Client | None,
) -> list[Offer]:
    if folder:
        ways, keeper = run.offline(Shelf(folder)), None
    else:
        ways, keeper = run.online(client or Client(now=lambda: datetime.now(tz=UTC)), shelf), shelf
    engine = store.open_store(settings.store_url(instance.key))
    try:
        with store.reading(engine, srid=instance.metric_crs) as session:
            return run.prepare(
                session,
                instance,
                sources,
                ways,
                now=datetime.now(tz=UTC),
                shelf=keeper,
                tell=lambda source: click.echo(f"… {source.key}", err=True),
            )
    finally:
        engine.dispose()


def _may(may_write: bool | None, ready: int, failed: int) -> bool:
    if may_write is not None:
        return may_write
    if not sys.stdin.isatty():
        click.echo("Nobody is here to be asked; --write writes without asking.")
        return False
    without = f", without the {failed} that failed" if failed else ""
    return click.confirm(f"Write these {ready} plans{without}?", default=False)


def _write(settings: Settings, instance: Instance, offers: Sequence[Offer]) -> int:
    """Writes each offer in a transaction of its own; how many of them failed."""
    engine = store.open_store(settings.store_url(instance.key))
    failed = 0
    for offer in offers:
        try:
            run.write(engine, instance, offer, now=datetime.now(tz=UTC))
            click.echo(f"{offer.wanted.key}: written.")
        except LayersError as error:
            failed += 1
            click.echo(f"{offer.wanted.key}: {error}", err=True)
    tiles.build(engine, instance, tiles.Shelf(settings.tiles(instance.key), settings.tiles_from))
    engine.dispose()
    return failed


# --- What it says


def _tell_sources(sources: Sequence[Wanted], shelf: Shelf, instance: Instance) -> None:
    for source in sources:
        click.echo(f"{source.key}: {wanted.title(source, instance.default_language)}")
        fetched = shelf.moment(source) or "never"
        click.echo(f"  {source.rhythm}, confidence {source.confidence or 'not told'}, fetched: {fetched}")
        click.echo(f"  {source.licence}; {source.attribution}")
        for address in source.addresses:
            click.echo(f"  {address.url} {address.type_name}".rstrip())


def _tell(offer: Offer, instance: Instance) -> None:
    source = offer.wanted
    click.echo(f"{source.key}: {wanted.title(source, instance.default_language)}")
    if offer.failure or offer.shaped is None or offer.collected is None:
        click.echo(f"  FAILED: {offer.failure}", err=True)
        return
    for failure in offer.tried:
        click.echo(f"  An address before it failed: {failure}", err=True)
    files = offer.collected
    news = "fetched" if files.is_new else "as it was"
    host = urlsplit(files.address.url).netloc
    click.echo(f"  {host}, {files.size / 1e6:.1f} MB, {news}; it speaks of {offer.shaped.as_of}")
    if offer.plan:
        plan = offer.plan
        figures = f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.ended)} ended"
        click.echo(f"  {figures}, {plan.unchanged} unchanged")
    else:
        click.echo(f"  facts of {len(offer.shaped.facts)} areas, for {source.goes_with}")
    _tell_codes(offer)
    if offer.difference:
        _tell_difference(offer.difference)
    for note in offer.notes:
        click.echo(f"  {note}")
    for left in offer.lost:
        click.echo(f"  {left.what} {left.remedy}")
    for double in offer.doubles[:_NAMED]:
        click.echo(f"  {double.what}")
    if len(offer.doubles) > _NAMED:
        click.echo(f"  … and {len(offer.doubles) - _NAMED} more that may be known already.")


def _tell_codes(offer: Offer) -> None:
    matches = offer.shaped.matches if offer.shaped else None
    if matches is None:
        return
    renamed = [f"{old} is {new}" for old, new in matches.renamed_code.items()]
    doubtful = [f"{new} may be {' or '.join(olds)}" for new, olds in matches.doubtful.items()]
    for said, codes in (
        ("codes have changed", renamed),
        ("are new", matches.new if matches.old_to_new else ()),
        ("are known and not in the official list; they stay", matches.gone),
        ("are in doubt", doubtful),
    ):
        if codes:
            more = ", …" if len(codes) > _NAMED else ""
            click.echo(f"  {len(codes)} {said}: {', '.join(codes[:_NAMED])}{more}")


def _tell_difference(found: Difference) -> None:
    click.echo(
        f"  {found.share:.1%} of the land changes hands; {found.added_km2:,.0f} km² were in no area before, "
        f"{found.left_km2:,.0f} km² are in none afterwards"
    )
    for one in found.largest:
        click.echo(f"    {one.name} ({one.code}): +{one.gained_km2:,.1f} km², −{one.lost_km2:,.1f} km²")
