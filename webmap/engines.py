"""Options of a command that may have its work done by several processes: `--engine` and what goes with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click

from layers.gaps import cluster
from layers.gaps.cluster import Options
from layers.gaps.parts import EMBEDDED, Runner

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_OPTIONS = (
    click.option(
        "--engine",
        "where",
        default="",
        help="Work on so many processes of this machine, or on those of a Dask scheduler: tcp://host:8786. "
        "The numbers are the same.",
    ),
    click.option(
        "--part",
        "size",
        default=cluster.SIZE,
        show_default=True,
        type=click.IntRange(1),
        help="How much a process gets at a time: rows of people and corners of shapes.",
    ),
    click.option("--memory", default="", help="How much each process here may take, for example 2GB."),
    click.option("--tls-ca", type=_FILE, help="For a scheduler with TLS: who vouches for it."),
    click.option("--tls-cert", type=_FILE, help="For a scheduler with TLS: your own certificate."),
    click.option("--tls-key", type=_FILE, help="For a scheduler with TLS: your own key."),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets them as `engine`: None without `--engine`."""

    @wraps(command)
    def with_engine(
        where: str,
        size: int,
        memory: str,
        tls_ca: Path | None,
        tls_cert: Path | None,
        tls_key: Path | None,
        **others: Any,
    ) -> None:
        wanted = Options(where, size, memory, tls_ca, tls_cert, tls_key) if where else None
        command(**others, engine=wanted)

    found: Callable[..., None] = with_engine
    for option in reversed(_OPTIONS):
        found = option(found)
    return found


@contextmanager
def runner(wanted: Options | None) -> Iterator[Runner]:
    """Workers for as long as the block lasts; without any wish everything is asked here.

    Raises:
        NoDistributed, BadEngine, NoScheduler, NoWorkers: they cannot be had.
    """
    if wanted is None:
        yield EMBEDDED
        return
    with cluster.opened(wanted) as found:
        yield found
