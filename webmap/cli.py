"""The console command: `turvakaart serve`, `setup`, `answer`, `card`, `account`, `data update`."""

import json
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import click
from flask import Flask
from sqlalchemy.exc import DatabaseError, InterfaceError

from layers import catalog
from layers.errors import BadInstance, LayersError
from layers.gaps.cluster import Options
from webmap import checking, clerk, engines, forgetting, founding, keeping
from webmap.keeping import ADDRESS, set_up
from webmap.keeping import INSTANCE as _INSTANCE
from webmap.keeping import settings as _settings
from webmap.settings import Settings


class _Commands(click.Group):
    """The commands, of which none ends in a trace where the store fails in the middle."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (DatabaseError, InterfaceError) as error:
            reason = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
            said = f"The store cannot be used: {reason}. What was not acknowledged was not written."
            raise click.ClickException(said) from error
        except BrokenPipeError:
            raise
        except (LayersError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="turvakaart")
def cli() -> None:
    """A map of who looks after safety in a place, and what places have done together."""


@cli.command()
@_INSTANCE
def setup(instance: Path | None) -> None:
    """Makes or renews the store from the instance's files. May be run again, and by two at once."""
    set_up(_settings(instance))


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
@click.option(
    "--beside",
    is_flag=True,
    help="With several processes: begin beside a server on the same port, which is stopped afterwards.",
)
def serve(instance: Path | None, host: str, port: int, no_browser: bool, workers: int, beside: bool) -> None:
    """Sets the store up when needed, then serves the map."""
    settings = _settings(instance)
    set_up(settings)
    if workers > 1:
        _serve_by_many(settings, host=host, port=port, workers=workers, is_beside=beside)
        return
    from webmap import create_app  # Folium and Flask take a second; setup does without them.

    _serve(create_app(settings), settings, host=host, port=port, browse=not no_browser)


# A place west of Greenwich begins with a minus, and is no option.
@cli.command(context_settings={"ignore_unknown_options": True})
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
    set_up(settings, quietly=True)
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
    set_up(settings, quietly=True)
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
@ADDRESS
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The PDF to write."
)
def card(
    instance: Path | None, kind: str, code: str, language: str, day: str, address: str, out: Path
) -> None:
    """Writes the safety card of a place: one A4 page for the wall of the village hall."""
    settings = _settings(instance)
    set_up(settings)
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
@click.option(
    "--areas", default="", help="Also land and people in no area of a kind, for example municipality."
)
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
@engines.options
def gaps(
    instance: Path | None,
    planning: Path | None,
    language: str,
    out: Path | None,
    record: Path | None,
    engine: Options | None,
    **asked: str,
) -> None:
    """Who is not covered, and where the next units help most: report, tables, map data and record."""
    if (out is None) == (record is None):
        raise click.UsageError("Name a folder with --out, or a record with --again.")
    settings = _settings(instance)
    settings = settings if planning is None else replace(settings, planning=planning)
    set_up(settings, quietly=True)
    from webmap import create_app
    from webmap.planning import pack

    try:
        with engines.runner(engine) as runner:
            app = create_app(settings, runner=runner)
            if record:
                pack.again(app, record)
                click.echo("The numbers are the same.")
            elif out:
                spoken = language or catalog.read_instance(settings.instance).default_language
                pack.write(app, asked, out, language=spoken, tell=lambda file: click.echo(str(file)))
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@_INSTANCE
@click.argument("layer")
@click.option(
    "--format", "ending", default="", help="geojson, gpkg, parquet, csv, kml or fgb; default: as FILE ends."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@click.option("--as-of", default="", help="A day, for example 2012-05; default: today.")
@click.option("--known", default="", help="From the knowledge of a moment, as 2026-11-22T14:05:09Z.")
@click.option("--lang", "language", default="", help="Language of the labels; default: the instance's own.")
@click.option("--county", default="", help="Only of these counties, by code: 0037,0087.")
@click.option(
    "--only",
    multiple=True,
    help="Any other part of the filter: capability=land,sea; may be given several times.",
)
def export(
    instance: Path | None,
    layer: str,
    ending: str,
    out: Path,
    as_of: str,
    known: str,
    language: str,
    county: str,
    only: tuple[str, ...],
) -> None:
    """Writes a LAYER of the map to a file, each row with source, date, licence and precision."""
    settings = _settings(instance)
    set_up(settings, quietly=True)
    from layers import exports, filters
    from webmap import create_app, downloads

    chosen = dict(pair.partition("=")[::2] for pair in only)
    if unknown := sorted(chosen.keys() - {*filters.PARTS}):
        raise click.BadParameter(
            f"There is no “{unknown[0]}”. Use: {', '.join(filters.PARTS)}.", param_hint="--only"
        )
    asked = {"as_of": as_of, "known": known, "county": county, **chosen}
    asked = {name: text for name, text in asked.items() if text}
    try:
        format = exports.format_of(ending or out.suffix.removeprefix(".").lower())
        app = create_app(settings)
        rows = downloads.write(app, layer, format, out, language=language, asked=asked)
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: {rows} rows, {format.title}")


@cli.group()
def data() -> None:
    """What the map stands on: official data from elsewhere."""


@data.command()
@_INSTANCE
@click.argument("key")
@click.option("--only", multiple=True, help="Only this source, by its key; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Fetch, check and plan; write nothing.")
@click.option("--write", is_flag=True, help="Write without asking.")
@click.option(
    "--from-folder",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the files from this folder and ask nobody.",
)
@click.option("--list", "is_list", is_flag=True, help="Tell which sources there are, and do nothing.")
def update(
    instance: Path | None,
    key: str,
    only: tuple[str, ...],
    dry_run: bool,
    write: bool,
    folder: Path | None,
    is_list: bool,
) -> None:
    """Replaces approximations of the instance KEY by the official data that its updates.yaml names."""
    from webmap import updating  # It brings the network, which nothing else needs.

    settings = _settings(instance)
    if not is_list:
        set_up(settings, quietly=True)
    may_write = None if not (dry_run or write) else write and not dry_run
    try:
        is_whole = updating.update(
            settings, key=key, only=only, may_write=may_write, folder=folder, is_list=is_list
        )
    except BadInstance as error:
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        raise click.ClickException(str(error)) from error
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    if not is_whole:
        raise click.exceptions.Exit(1)


@cli.command("import")
@_INSTANCE
@click.argument("file")
@click.option("--layer", required=True, help="The layer that the rows belong to, for example rescue.")
@click.option("--dataset", required=True, help="The name under which this source comes again: voru-units.")
@click.option("--source", default="", help="Where the file comes from, as a person would say it.")
@click.option("--source-url", default="", help="The address of the source.")
@click.option("--licence", default="", help="Under which it may be shown, for example CC-BY-4.0.")
@click.option("--as-of", default="", help="The date that the file speaks of, for example 2026-05.")
@click.option("--part", default="", help="Which layer or collection of the service at an address.")
@click.option("--sheet", default="", help="Which table of the file; default: the first with rows.")
@click.option("--encoding", default="", help="Of a text file; default: found out.")
@click.option("--crs", default="", help="The system of coordinates: EPSG:3301, or EPSG:3301:swapped.")
@click.option("--map", "columns", multiple=True, help="Which column tells what: --map name=Nimi")
@click.option("--same", multiple=True, help="What holds for every row: --same form=volunteer")
@click.option("--fixes", type=click.Path(path_type=Path, dir_okay=False), help="Write what to mend, as CSV.")
@click.option("--repaired", type=click.Path(path_type=Path, dir_okay=False), help="Write a repaired copy.")
@click.option("--lang", "language", default="", help="Language of what is told; default: the instance's own.")
@click.option("--note", default="", help="A line for the history: why this import.")
@click.option("--write", is_flag=True, help="Write it; without, the plan is only shown.")
@click.option("--without-refused", is_flag=True, help="Write what can be used, though some rows cannot.")
def import_(instance: Path | None, file: str, **asked: Any) -> None:
    """Reads a FILE of organisations or areas: what is wrong with it, what it would change, and writes it.

    The file may be CSV, Excel, GeoJSON, GeoPackage, a zipped shapefile, KML, GPX or TopoJSON; or the address
    of one, of a WFS, or of an OGC API – Features.
    """
    settings = _settings(instance)
    set_up(settings, quietly=True)
    from webmap import create_app, intake

    try:
        intake.from_command(create_app(settings), file, tell=click.echo, far=sys.stderr, **asked)
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error


@cli.command()
@_INSTANCE
@click.argument("layer", required=False, default="")
@click.option("--undo", type=int, help="Take an edition back, by its number.")
@click.option("--note", default="", help="A line for the history: why.")
def editions(instance: Path | None, layer: str, undo: int | None, note: str) -> None:
    """Lists what was imported when, of a LAYER or of all, and takes an edition back."""
    settings = _settings(instance)
    set_up(settings, quietly=True)
    from webmap import create_app, intake

    try:
        intake.history(create_app(settings), layer, undo=undo, note=note, tell=click.echo)
    except LayersError as error:
        raise click.ClickException(str(error)) from error


@cli.group(commands=clerk.account.commands)
@_INSTANCE
@click.pass_context
def account(context: click.Context, instance: Path | None) -> None:
    """Accounts of those who keep the map: add, list, role, password, disable, enable, sessions, record."""
    context.obj = clerk.Clerk(_settings(instance))


def _serve(app: Flask, settings: Settings, *, host: str, port: int, browse: bool) -> None:
    from waitress.server import create_server

    from webmap import workers

    try:
        server = create_server(app, host=host, port=port, threads=workers.guard(app, settings), ident=None)
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


def _serve_by_many(settings: Settings, *, host: str, port: int, workers: int, is_beside: bool) -> None:
    from webmap import workers as processes

    try:
        processes.serve(
            settings,
            host=host,
            port=port,
            workers=workers,
            is_beside=is_beside,
            tell=lambda: click.echo(_address(host, port)),
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


for command in (
    *(checking.confirm, checking.confirm_links, checking.links),
    *(forgetting.erase, forgetting.erasures_, founding.new, keeping.backup, keeping.restore),
):
    cli.add_command(command)


def main() -> None:
    """The entry point of the command `turvakaart`."""
    cli(prog_name="turvakaart")


if __name__ == "__main__":
    main()
