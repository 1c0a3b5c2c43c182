"""The commands that keep a store: `turvakaart backup`, `turvakaart restore`; how any of them sets it up."""

import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import Engine

from layers import catalog, disk, erasures, imports, store, tiles
from layers.backups import archive, restoring, saving
from layers.backups.archive import Backup
from layers.catalog import Instance
from layers.editions import Plan
from layers.errors import BadInstance, LayersError
from layers.tiles import Progress, Shelf
from webmap import erasing
from webmap.settings import Settings

INSTANCE = click.option(
    "--instance",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the country to show; default: data/ee.",
)


def _reached(_context: click.Context, _option: click.Parameter, address: str) -> str:
    if not re.match(r"https?://[^/]", address):
        raise click.BadParameter("It begins with http:// or https:// and a host.")
    return address


ADDRESS = click.option(
    "--address",
    default="http://127.0.0.1:8080/",
    show_default=True,
    callback=_reached,
    help="Where others reach this map: links and codes lead there.",
)
_FILE = click.Path(path_type=Path, dir_okay=False)


def settings(instance: Path | None) -> Settings:
    """The settings of the environment, for the instance that an option names."""
    try:
        found = Settings.from_environment(os.environ)
    except LayersError as error:
        raise click.ClickException(str(error)) from error
    return found if instance is None else Settings(**{**vars(found), "instance": instance.resolve()})


def set_up(chosen: Settings, *, quietly: bool = False) -> None:
    """Makes or renews the store and its tiles from the instance's files, and tells it."""
    try:
        read = catalog.read_instance(chosen.instance)
        engine = store.open_store(chosen.store_url(read.key))
        plans = imports.load(
            engine, read, now=datetime.now(tz=UTC), tell=(lambda plan: None) if quietly else _tell_plan
        )
        shelf = Shelf(chosen.tiles(read.key), chosen.tiles_from)
        tiles.build(engine, read, shelf, tell=(lambda progress: None) if quietly else _tell_tiles)
        engine.dispose()
    except BadInstance as error:
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        raise click.ClickException(str(error)) from error
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not quietly:
        click.echo(
            f"The store is ready ({len(plans)} tables renewed)." if plans else "The store is up to date."
        )


def _tell_plan(plan: Plan) -> None:
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {len(plan.ended)} ended"
    click.echo(f"  {plan.source.resource.name}: {counts}, {plan.unchanged} unchanged")
    for note in plan.source.notes:
        click.echo(f"    {note}", err=True)


def _tell_tiles(progress: Progress) -> None:
    told = f"{progress.layer}, {progress.areas} areas as tiles"
    if progress.archive:
        size = progress.archive.file.stat().st_size
        click.echo(f"  {told}: ready, {size / 1e6:.1f} MB")
    elif progress.problem:
        click.echo(f"  {told}: {progress.problem}", err=True)
    else:
        click.echo(f"  {told}: {progress.share:.0%}")


@click.command()
@INSTANCE
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace a file of this name.")
@click.option("--with-instance", is_flag=True, help="Put the instance's folder in too, with its privacy.key.")
def backup(instance: Path | None, file: Path, force: bool, with_instance: bool) -> None:
    """Writes all that the store knows into FILE, while others go on reading and writing.

    Sessions are left out, and so are map tiles, which are made of the rest.
    """
    try:
        read, engine = opened(settings(instance))
        made = saving.save(
            engine,
            read,
            file,
            now=datetime.now(tz=UTC),
            replace=force,
            with_instance=with_instance,
            tell=_tell_rows,
        )
        engine.dispose()
    except (LayersError, OSError) as error:
        raise _said(error) from error
    size = file.stat().st_size / 1e6
    files = f" and {len(made.files)} files" if made.files else ""
    click.echo(f"{file}: {made.rows} rows{files}, {size:.1f} MB, the state of {made.made}.")


@click.command()
@INSTANCE
@click.argument("file", type=_FILE)
@click.option("--write", is_flag=True, help="Do it; without this it is only checked and told.")
@click.option(
    "--instance-to",
    type=click.Path(path_type=Path, file_okay=False),
    help="A new folder for the instance's files that the backup holds; its store is restored.",
)
def restore(instance: Path | None, file: Path, write: bool, instance_to: Path | None) -> None:
    """Checks FILE and tells what it would put into the store; with --write it does, all or nothing.

    What the store holds now is replaced. A server may go on running: it answers from the old state until the
    new one is whole.
    """
    if instance and instance_to:
        raise click.UsageError("Name --instance or --instance-to, not both.")
    try:
        with archive.opened(file) as found:
            told = found.manifest
            files = f", {len(told.files)} files" if told.files else ""
            click.echo(
                f"{file} is whole: “{told.instance}”, the state of {told.made}, {told.rows} rows{files}."
            )
            if instance_to:
                _restore_both(found, instance_to, write=write)
            else:
                _restore(found, settings(instance), write=write)
    except (LayersError, OSError) as error:
        raise _said(error) from error


def _restore_both(found: Backup, folder: Path, *, write: bool) -> None:
    """The instance's folder takes its name last: killed before, the same command does it all once more."""
    if not found.manifest.files:
        raise click.ClickException("The backup holds no instance: it was made without --with-instance.")
    if folder.exists():
        raise click.ClickException(f"{folder} is there already. Name a new folder.")
    for left in disk.stale(folder.parent, f".{folder.name}.*.part"):
        shutil.rmtree(left, ignore_errors=True)
    growing = disk.growing(folder)
    try:
        found.unpack(growing)
        if not write:
            click.echo(f"  {len(found.manifest.files)} files would be written to {folder}.")
        _restore(found, settings(growing), write=write)
        if write:
            growing.rename(folder)
    finally:
        shutil.rmtree(growing, ignore_errors=True)


def _restore(found: Backup, chosen: Settings, *, write: bool) -> None:
    read = catalog.read_instance(chosen.instance)
    restoring.check(found, read)
    if not write and _is_absent(chosen, read):
        click.echo("  There is no store yet; a new one would hold this. Nothing was changed: add --write.")
        return
    engine = store.open_store(chosen.store_url(read.key))
    try:
        for change in restoring.changes(engine, found.manifest):
            if change.now or change.then:
                click.echo(f"  {change.table}: {change.now} rows now, {change.then} then")
        if not write:
            click.echo("Nothing was changed: add --write to restore.")
            return
        erased = erasures.read(chosen.erasures(read.key))
        again = restoring.restore(
            engine, found, read, now=datetime.now(tz=UTC), tell=_tell_back, erased=erased
        )
        click.echo("The store is restored.")
        if again:
            click.echo(f"What had been erased since is erased again: {again} rows.")
            store.scrub(engine)
        house = erasing.House.of(chosen, engine, srid=read.metric_crs)
        if number := erasing.again(house, now=datetime.now(tz=UTC)):
            click.echo(f"Accounts that had been erased since the backup, and are erased again: {number}.")
        tiles.build(
            engine, read, Shelf(chosen.tiles(read.key), chosen.tiles_from), tell=lambda progress: None
        )
    finally:
        engine.dispose()


def _is_absent(chosen: Settings, read: Instance) -> bool:
    """Whether the store is a file that is not there: looking at it would make it."""
    engine = store.open_store(chosen.store_url(read.key))
    file = store.file_of(engine)
    engine.dispose()
    return file is not None and not file.exists()


def opened(chosen: Settings) -> tuple[Instance, Engine]:
    """An instance as its files say it, and its store as it is."""
    read = catalog.read_instance(chosen.instance)
    return read, store.open_store(chosen.store_url(read.key))


def _said(error: Exception) -> click.ClickException:
    for problem in error.problems if isinstance(error, BadInstance) else ():
        click.echo(f"  {problem}", err=True)
    return click.ClickException(str(error))


def _tell_rows(name: str, done: int, of: int) -> None:
    click.echo(f"  {name}: {done} of {of} rows" if done else f"  {name}: {of} rows")


def _tell_back(name: str, rows: int) -> None:
    click.echo(f"  {name}: {rows} rows are back")
