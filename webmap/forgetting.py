"""The commands by which something is erased for good: `turvakaart erase`, `turvakaart erasures`."""

import secrets
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine

from layers import disk, erasures, store, tiles
from layers.catalog import Instance
from layers.erasures import KEY_BYTES, THINGS, WORDS, Erased
from layers.errors import LayersError, NotScrubbed
from layers.tiles import Shelf
from webmap import downloads
from webmap.keeping import INSTANCE, opened, settings
from webmap.settings import Settings

_KINDS = click.Choice([*THINGS, WORDS])


@click.command()
@INSTANCE
@click.argument("kind", type=_KINDS)
@click.argument("what")
@click.option("--by", required=True, help="The office of who decides it, as “data protection officer”.")
@click.option("--reason", required=True, help="Why, without what is erased.")
@click.option("--write", is_flag=True, help="Do it; without this it is only told what it would reach.")
def erase(instance: Path | None, kind: str, what: str, by: str, reason: str, write: bool) -> None:
    """Takes the thing of a KIND with the key WHAT, or the words WHAT, out of the store for good.

    “-” as WHAT reads it from standard input, so that it stays out of the shell's history.
    """
    chosen = settings(instance)
    wanted = sys.stdin.readline().strip() if what == "-" else what
    try:
        read, engine = opened(chosen)
        store.set_up(engine)
        receipt = _erased(engine, read, kind, wanted, by=by, reason=reason, chosen=chosen, write=write)
        for name, rows in receipt.found.items():
            click.echo(f"  {name}: {rows} rows")
        _tell_left(engine, read, wanted, chosen)
        engine.dispose()
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if write:
        click.echo(
            f"Erased. Receipt: {receipt.moment}, {receipt.by}: {receipt.reason} ({receipt.digest[:16]})."
        )
        click.echo(
            "Backups from before still hold it: they are swept when they are restored. Delete them in time."
        )
    else:
        click.echo("Nothing was changed: add --write to erase.")


def _erased(
    engine: Engine,
    read: Instance,
    kind: str,
    what: str,
    *,
    by: str,
    reason: str,
    chosen: Settings,
    write: bool,
) -> Erased:
    with store.writing(engine, srid=read.metric_crs) as session:
        receipt, touched = erasures.erase(
            session,
            kind,
            what,
            by=by,
            reason=reason,
            now=datetime.now(tz=UTC),
            chance=secrets.token_bytes(KEY_BYTES),
        )
        if not write:
            session.rollback()
            return receipt
        # Beside the store before the store itself: a line too many does no harm, one too few does.
        _write_ledger(chosen.erasures(read.key), erasures.ledger(session))
        session.commit()
    try:
        store.scrub(engine)
    except NotScrubbed as error:
        click.echo(str(error), err=True)
    _renew_files(engine, read, touched, chosen)
    return receipt


def _renew_files(engine: Engine, read: Instance, touched: set[str], chosen: Settings) -> None:
    """Lets go of all that was made ahead of what the store held, and makes the tiles again."""
    shelf = Shelf(chosen.tiles(read.key), chosen.tiles_from)
    # The tallies of a big layer name the areas of the small ones.
    if touched & {layer.key for layer in read.layers_of("areas")}:
        _let_go(shelf.folder.glob("*-[0-9]*"))
    # Half a file goes too: who is just writing it read what was there before, and is asked again.
    _let_go(downloads.folder(chosen.state).glob("*"))
    tiles.build(engine, read, shelf, tell=lambda progress: None)


def _let_go(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


@click.command("erasures")
@INSTANCE
@click.option(
    "--check", is_flag=True, help="Look through every row once more; fails where something is back."
)
@click.option(
    "--is", "asked", type=(_KINDS, str), default=None, help="Whether this has been erased: KIND WHAT."
)
@click.option("--scrub", is_flag=True, help="Let the store forget its freed pages.")
def erasures_(instance: Path | None, check: bool, asked: tuple[str, str] | None, scrub: bool) -> None:
    """Lists what has been erased when and by whom, never what it was, and proves that it is gone."""
    chosen = settings(instance)
    try:
        read, engine = opened(chosen)
        store.set_up(engine)
        with store.writing(engine, srid=read.metric_crs) as session:
            listed = erasures.ledger(session)
            is_there = erasures.is_erased(session, *asked) if asked else True
            back = sum(erasures.sweep(session)[0].values()) if check else 0
            session.rollback()
        if scrub:
            store.scrub(engine)
        engine.dispose()
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    for one in listed:
        reached = ", ".join(f"{name}: {rows}" for name, rows in one.found.items())
        click.echo(f"{one.moment}  {one.kind}  {one.digest[:16]}  {one.by}: {one.reason}  ({reached})")
    if asked:
        click.echo("This has been erased." if is_there else "This has not been erased.")
    if check:
        click.echo(f"{back} rows hold something again." if back else "Nothing of it is in any row.")
    if back or not is_there:
        raise click.exceptions.Exit(1)


def _write_ledger(file: Path, entries: list[Erased]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with disk.whole(file) as into:
        into.write(erasures.written(entries).encode())


def _tell_left(engine: Engine, read: Instance, what: str, chosen: Settings) -> None:
    """Where it still stands: in texts that name it, and in files, which only a person may change."""
    with store.reading(engine, srid=read.metric_crs) as session:
        for name, rows in erasures.mentions(session, what).items():
            click.echo(f"  still named in {name}: {rows} rows")
    of_store = store.file_of(engine)
    own = [Path(f"{of_store}{ending}") for ending in ("", "-wal", "-shm")] if of_store else []
    for file, line in erasures.in_files([read.folder, chosen.state], what, but=own):
        click.echo(f"  still in the file {file}, line {line}: take it out there")
