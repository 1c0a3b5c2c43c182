"""The command that begins a new country: `turvakaart new`."""

from pathlib import Path

import click

from layers import starter
from layers.catalog import EMERGENCY
from layers.errors import LayersError
from layers.geo import Bbox
from layers.starter import Wish


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--key", help="A short name in small letters, as ee; the store is called so.")
@click.option(
    "--name", "names", multiple=True, help="The name of the map, as “en=Our map”; once for each language."
)
@click.option("--languages", help="Codes of the languages, the main one first, as “de,en”.")
@click.option("--default-language", default="", help="The main language; default: the first.")
@click.option("--bounds", help="The frame in degrees: west,south,east,north.")
@click.option("--crs", type=int, default=0, help="EPSG number of a system in metres; default: the UTM zone.")
@click.option("--emergency", default=EMERGENCY, show_default=True, help="The number to call in danger.")
@click.option(
    "--layers",
    default=",".join(starter.LAYERS),
    show_default=True,
    help="The kinds of organisations to begin with.",
)
def new(
    folder: Path,
    key: str | None,
    names: tuple[str, ...],
    languages: str | None,
    default_language: str,
    bounds: str | None,
    crs: int,
    emergency: str,
    layers: str,
) -> None:
    """Writes an empty instance into FOLDER: your own country, county or city. Asks for what is not given."""
    key = key or click.prompt("A short name in small letters (ee, schleswig-holstein)")
    spoken = _listed(languages or click.prompt("Languages, the main one first", default="en"))
    frame = bounds or click.prompt("The frame in degrees: west,south,east,north")
    titles = names or (click.prompt("The name of the map"),)
    main = default_language or next(iter(spoken), "")
    try:
        wish = Wish(
            key=key,
            names=dict(_named(title, main) for title in titles),
            languages=spoken,
            default_language=main,
            bounds=_frame(frame),
            metric_crs=crs,
            layers=_listed(layers),
            emergency=emergency,
        )
        starter.write(folder, wish)
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder} is ready, in EPSG:{crs or starter.proposed_crs(wish.bounds)}. See it:")
    click.echo(f"  turvakaart serve --instance {folder}")
    click.echo(
        f"Then fill {folder}/bodies/*.csv, and run it again. {folder}/instance.yaml says what else there is."
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _named(title: str, main: str) -> tuple[str, str]:
    language, is_told, name = title.partition("=")
    return (language.strip(), name.strip()) if is_told else (main, title.strip())


def _frame(text: str) -> Bbox:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(
            "Write four numbers: west,south,east,north.", param_hint="--bounds"
        ) from error
    return Bbox(west, south, east, north)
