"""The console command: `turvakaart serve`, `setup`, `answer`, `card`."""

import json
import re
import webbrowser
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer

import click
from flask import Flask

from layers import catalog, imports, store, tiles
from layers.errors import BadInstance, LayersError
from layers.imports import Plan
from layers.tiles import Progress, Shelf
from webmap import founding, keeping
from webmap.keeping import INSTANCE as _INSTANCE
from webmap.keeping import settings as _settings
from webmap.settings import Settings


@click.group()
@click.version_option(package_name="turvakaart")
def cli() -> None:
    """A map of who looks after safety in a place, and what places have done together."""


@cli.command()
@_INSTANCE
def setup(instance: Path | None) -> None:
    """Makes or renews the store from the instance's files. May be run again, and by two at once."""
    _set_up(_settings(instance))


@cli.command()
@_INSTANCE
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Processes that answer, for many visitors; with several no browser is opened.",
)
def serve(instance: Path | None, host: str, port: int, no_browser: bool, workers: int) -> None:
    """Sets the store up when needed, then serves the map."""
    settings = _settings(instance)
    _set_up(settings)
    if workers > 1:
        _serve_by_many(settings, host=host, port=port, workers=workers)
        return
    from webmap import create_app  # Folium and Flask take a second; setup does without them.

    _serve(create_app(settings), host=host, port=port, browse=not no_browser)


@cli.command()
@_INSTANCE
@click.argument("lat", required=False)
@click.argument("lon", required=False)
@click.option("--place", default="", help="A place by its name instead of coordinates.")
@click.option("--lang", default="", help="Language; default: the instance's own.")
@click.option("--as-of", default="", help="A day, for example 2012-05.")
@click.option("--worry", default="", help="What troubles you: a key of the instance's worries.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, as /api/answer gives it.")
def answer(instance: Path | None, as_json: bool, **asked: str) -> None:
    """Who looks after safety at LAT LON, in degrees, or at a named place."""
    settings = _settings(instance)
    _set_up(settings, quietly=True)
    from webmap import create_app

    query = {name: value for name, value in asked.items() if value}
    query["format"] = "json" if as_json else "text"
    found = create_app(settings).test_client().get("/api/answer", query_string=query)
    said = found.get_json() if as_json or found.status_code != 200 else {}
    if found.status_code != 200:
        for one in said.get("choices", ()):
            click.echo(f"  {one['name']}, {one['municipality']}: {one['lat']} {one['lon']}", err=True)
        raise click.ClickException(said.get("detail", found.text))
    click.echo(json.dumps(said, ensure_ascii=False, indent=2) if as_json else found.text)


@cli.command()
@_INSTANCE
@click.argument("key")
@click.option("--lang", default="", help="Language; default: the instance's own.")
@click.option("--known", default="", help="From the knowledge of a moment, as 2026-11-22T14:05:09Z.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, as /api/history gives it.")
def history(instance: Path | None, key: str, as_json: bool, **asked: str) -> None:
    """What changed when with KEY: an organisation, or an area as municipality:0184."""
    settings = _settings(instance)
    _set_up(settings, quietly=True)
    from webmap import create_app

    query = {name: value for name, value in asked.items() if value}
    query |= {"area" if ":" in key else "body": key, "format": "json" if as_json else "text"}
    found = create_app(settings).test_client().get("/api/history", query_string=query)
    if found.status_code != 200:
        raise click.ClickException(found.get_json().get("detail", found.text))
    click.echo(json.dumps(found.get_json(), ensure_ascii=False, indent=2) if as_json else found.text)


@cli.command()
@_INSTANCE
@click.argument("kind", type=click.Choice(["municipality", "settlement"]))
@click.argument("code")
@click.option("--lang", "language", default="", help="The language of the card; default: the instance's own.")
@click.option("--as-of", "day", default="", help="The day of the card, as 2026-11-22; default: today.")
@click.option(
    "--address",
    default="http://127.0.0.1:8080/",
    show_default=True,
    help="Where others reach this map: the QR code leads there.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PDF to write."
)
def card(
    instance: Path | None, kind: str, code: str, language: str, day: str, address: str, out: Path
) -> None:
    """Writes the safety card of a place: one A4 page for the wall of the village hall."""
    if not re.match(r"https?://[^/]", address):
        raise click.BadParameter("It begins with http:// or https:// and a host.", param_hint="--address")
    settings = _settings(instance)
    _set_up(settings)
    from webmap import cards, create_app

    app = create_app(settings)
    try:
        made = cards.printed(app, kind, code, language=language, as_of=day, address=address)
        out.write_bytes(made)
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(out))


@cli.command()
@_INSTANCE
@click.option(
    "--county", default="", help="A county by its code, for example 0087; default: the whole territory."
)
@click.option("--standard", default="", help="A standard by its key, for example ee-2011.")
@click.option("--rule", default="", help="Which rule of the standard; default: its first.")
@click.option(
    "--role", default="", help="Who helps: a role of the instance, or “police and (village or watch)”."
)
@click.option("--within", default="", help="Minutes from the alarm.")
@click.option("--zone", default="", help="Table by municipality or county.")
@click.option("--plan", default="", help="What if: add:58.12,27.05,5;close:key;move:key@58.12,27.05")
@click.option("--sites", default="", help="How many new units to propose; default: 3.")
@click.option("--as-of", default="", help="A day, for example 2012-05.")
@click.option(
    "--planning",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Your own folder with standards, roads or a matrix of times (data/README.md).",
)
@click.option("--lang", "language", default="", help="Language; default: the instance's own.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The folder to write.")
@click.option(
    "--again",
    "record",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Repeat the question of a record and compare its numbers.",
)
def gaps(
    instance: Path | None,
    planning: Path | None,
    language: str,
    out: Path | None,
    record: Path | None,
    **asked: str,
) -> None:
    """Who is not covered, and where the next units help most: report, tables, map data and record."""
    if (out is None) == (record is None):
        raise click.UsageError("Name a folder with --out, or a record with --again.")
    settings = _settings(instance)
    settings = settings if planning is None else replace(settings, planning=planning)
    _set_up(settings, quietly=True)
    from webmap import create_app
    from webmap.planning import pack

    app = create_app(settings)
    try:
        if record:
            pack.again(app, record)
            click.echo("The numbers are the same.")
        elif out:
            spoken = language or catalog.read_instance(settings.instance).default_language
            pack.write(app, asked, out, language=spoken, tell=lambda file: click.echo(str(file)))
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _serve(app: Flask, *, host: str, port: int, browse: bool) -> None:
    from waitress.server import create_server

    try:
        server = create_server(app, host=host, port=port, threads=8)
    except OSError as error:
        raise _unusable(host, port, error) from error
    address = _address(host, port)
    click.echo(address)
    if browse:
        Timer(0.5, webbrowser.open, [address]).start()
    try:
        server.run()
    except KeyboardInterrupt:
        click.echo("Stopped.")


def _serve_by_many(settings: Settings, *, host: str, port: int, workers: int) -> None:
    from webmap import workers as processes

    try:
        processes.serve(
            settings, host=host, port=port, workers=workers, tell=lambda: click.echo(_address(host, port))
        )
    except OSError as error:
        raise _unusable(host, port, error) from error
    click.echo("Stopped.")


def _unusable(host: str, port: int, error: OSError) -> click.ClickException:
    return click.ClickException(
        f"Port {port} on {host} cannot be used ({error.strerror}). Choose another one with --port."
    )


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _set_up(settings: Settings, *, quietly: bool = False) -> None:
    try:
        read = catalog.read_instance(settings.instance)
        engine = store.open_store(settings.store_url(read.key))
        plans = imports.load(
            engine, read, now=datetime.now(tz=UTC), tell=(lambda plan: None) if quietly else _tell
        )
        shelf = Shelf(settings.tiles(read.key), settings.tiles_from)
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


def _tell(plan: Plan) -> None:
    counts = f"{len(plan.added)} added, {len(plan.changed)} changed, {plan.ended} ended"
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


for command in (founding.new, keeping.backup, keeping.restore):
    cli.add_command(command)


def main() -> None:
    """The entry point of the command `turvakaart`."""
    cli(prog_name="turvakaart")


if __name__ == "__main__":
    main()
