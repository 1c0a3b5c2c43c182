"""The commands that ask whether facts still hold: `turvakaart confirm`, `confirm-links`, `links check`."""

import csv
import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from layers import catalog, confirmations, dates, linkcheck, store
from layers.errors import LayersError
from layers.linkcheck import Manners
from webmap.keeping import ADDRESS, INSTANCE, set_up, settings


@click.command("confirm-links")
@INSTANCE
@click.option("--layer", required=True, help="Organisations of this layer, for example rescue.")
@click.option("--county", default="", help="Only those of a county, by its code.")
@click.option(
    "--days", default=60, show_default=True, type=click.IntRange(1, 366), help="How long the links work."
)
@click.option("--lang", "language", default="", help="The language of the page; default: the instance's own.")
@ADDRESS
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The CSV to write."
)
def confirm_links(
    instance: Path | None, layer: str, county: str, days: int, language: str, address: str, out: Path
) -> None:
    """Writes a signed link for every organisation: who has it may say that the facts are right, once."""
    chosen = settings(instance)
    set_up(chosen, quietly=True)
    from layers.exports import harmless
    from webmap import confirming, create_app

    app = create_app(chosen)
    read = catalog.read_instance(chosen.instance)
    until = datetime.now(tz=UTC).date() + timedelta(days=days)
    spoken = language or read.default_language
    if spoken not in read.languages:
        raise click.BadParameter(f"One of {', '.join(read.languages)}.", param_hint="--lang")
    try:
        written = [
            *confirming.links(app, layer=layer, county=county, until=until, address=address, language=spoken)
        ]
        # Whoever has a link may answer for its organisation: the file is its owner's alone.
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("key", "name", "county", "last_confirmed", "until", "link"))
            for one in written:
                row = (one.body.key, one.body.name, one.county, one.last, until.isoformat(), one.address)
                table.writerow([harmless(value) for value in row])
    except (LayersError, OSError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{len(written)} links, good until {until}: {out}")


@click.command()
@INSTANCE
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def confirm(instance: Path | None, file: Path) -> None:
    """Takes a steward's FILE of what is still right, all of it or nothing: a CSV with table, key and day."""
    chosen = settings(instance)
    set_up(chosen, quietly=True)
    read = catalog.read_instance(chosen.instance)
    engine, now, wrong, number = store.open_store(chosen.store_url(read.key)), datetime.now(tz=UTC), [], 1
    try:
        with store.writing(engine, srid=read.metric_crs) as session, file.open(encoding="utf-8-sig") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=2):
                try:
                    day = date.fromisoformat(row.get("day") or "")
                    confirmations.confirm(
                        session,
                        row.get("table") or "",
                        row.get("key") or "",
                        day=day,
                        by=confirmations.FILE,
                        label="steward",
                        now=now,
                    )
                except ValueError:
                    wrong.append(f"{file.name}, line {number}: write the day as 2026-11-22.")
                except LayersError as error:
                    wrong.append(f"{file.name}, line {number}: {error}")
            if not wrong:
                session.commit()
    except (LayersError, OSError, UnicodeError, csv.Error) as error:
        raise click.ClickException(str(error)) from error
    finally:
        engine.dispose()
    for line in wrong:
        click.echo(f"  {line}", err=True)
    if wrong or number < 2:
        raise click.ClickException("Nothing was confirmed.")
    click.echo(f"{number - 1} facts confirmed.")


@click.group()
def links() -> None:
    """The web addresses that facts name as their sources."""


@links.command("check")
@INSTANCE
@click.option(
    "--again-after", default=7, show_default=True, type=click.IntRange(0, 365), help="Days until asked again."
)
@click.option("--most", default=0, type=click.IntRange(0), help="Ask for at most so many; default: for all.")
@click.option(
    "--delay",
    "delay_s",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.0, 60.0),
    help="Seconds between two requests to one host.",
)
@click.option(
    "--timeout",
    "timeout_s",
    default=15.0,
    show_default=True,
    type=click.FloatRange(0.1, 120.0),
    help="Seconds to wait for an answer.",
)
def check_links(instance: Path | None, again_after: int, most: int, delay_s: float, timeout_s: float) -> None:
    """Asks politely whether the sources are still there. What was cut off goes on at the next call."""
    chosen = settings(instance)
    set_up(chosen, quietly=True)
    read = catalog.read_instance(chosen.instance)
    engine = store.open_store(chosen.store_url(read.key))
    before = dates.moment(datetime.now(tz=UTC) - timedelta(days=again_after))
    told: Counter[str] = Counter()
    try:
        with store.reading(engine, srid=read.metric_crs) as session:
            urls = linkcheck.waiting(session, before=before)
        urls = urls[:most] if most else urls
        with click.progressbar(length=len(urls), label=f"{len(urls)} addresses") as bar:
            for found in linkcheck.check(urls, Manners(delay_s=delay_s, timeout_s=timeout_s)):
                # One by one: a run that is cut off loses nothing, and no writer waits for the web.
                with store.writing(engine, srid=read.metric_crs) as session:
                    linkcheck.keep(session, found, now=datetime.now(tz=UTC))
                    session.commit()
                told[found.outcome] += 1
                bar.update(1)
    except LayersError as error:
        raise click.ClickException(str(error)) from error
    finally:
        engine.dispose()
    click.echo(
        ", ".join(f"{outcome}: {number}" for outcome, number in sorted(told.items())) or "Nothing to ask."
    )
