"""Worlds to break: a tiny country with its store, state and server, copied fresh for every fault."""

import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import shapely
import yaml
from sqlalchemy import text
from sqlalchemy.engine import make_url

from layers import catalog, store
from layers.tiles import Shelf
from tests import conftest, make
from tests.faults import reader
from tests.layers.official import Served, a_zip, serving
from webmap.settings import Settings

STORES = ("sqlite", "postgis")
SQUARES = 30
TILES_FROM = 20
DIVISION = "maakond.zip"


@dataclass
class World:
    """One country in a folder of its own: `home` holds the instance, the state and what is carried about.

    `url` is the address of its store; `server` is None where that is a file.
    """

    home: Path
    url: str
    server: "Server | None" = None

    @property
    def folder(self):
        return self.home / "tiny"

    @property
    def state(self):
        return self.home / "state"

    @property
    def kept(self):
        """Where somebody keeps backups."""
        return self.home / "kept"

    @property
    def is_file(self):
        return self.server is None

    @property
    def file(self):
        return Path(make_url(self.url).database)

    @property
    def environment(self):
        return {
            "WEBMAP_INSTANCE": str(self.folder),
            "WEBMAP_STATE": str(self.state),
            "WEBMAP_DATABASE_URL": self.url,
            "WEBMAP_TILES_FROM": str(TILES_FROM),
            "TMPDIR": str(self.temporary),
        }

    @property
    def temporary(self):
        """Where processes keep what lasts as long as they do."""
        place = self.home.parent / "temporary"
        place.mkdir(exist_ok=True)
        return place

    @property
    def settings(self):
        return Settings.from_environment(self.environment)

    @property
    def shelf(self):
        return Shelf(self.settings.tiles("tiny"), TILES_FROM)

    def instance(self):
        return catalog.read_instance(self.folder)

    @contextmanager
    def engine(self):
        engine = store.open_store(self.url)
        try:
            yield engine
        finally:
            engine.dispose()

    def digest(self):
        """What its store holds, read past the product."""
        return reader.digest_of_file(self.file) if self.is_file else reader.digest_of_server(self.url)

    def files(self):
        """The names of everything that lies in the state, with the kept and the instance."""
        return reader.names_in(self.home)

    def drop(self):
        if self.server:
            with suppress(Exception):
                self.server.drop(self.url)
        shutil.rmtree(self.home, ignore_errors=True)


class Server:
    """A private PostgreSQL that may be killed and started again."""

    def __init__(self, server, tools):
        self._server, self._tools = server, tools
        self._data = Path(self.asked("SHOW data_directory"))
        self.log = self._data.parent / "log"

    def asked(self, statement):
        engine = store.open_store(self._server.url)
        try:
            with engine.connect() as connection:
                return connection.execute(text(statement)).scalar()
        finally:
            engine.dispose()

    def create(self):
        return self._server.create()

    def drop(self, url):
        self._server.drop(url)

    def copy(self, url):
        """A new database with all that another one holds; nobody may be connected to that."""
        name = make_url(self.create()).database
        self._server.command(f"DROP DATABASE {name}")
        self._server.command(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}")
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    def cut(self, url):
        """Ends every connection to a database, as a broken network or an administrator does."""
        name = make_url(url).database
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        self._server.command(f"{ended}'{name}'")

    def stop(self):
        """Takes the server away at once: what it did is not finished."""
        self._control("stop", "-m", "immediate")

    def start(self):
        self._control("restart", "-l", str(self.log))

    def _control(self, *line):
        owner = conftest._as_owner()
        command = [*owner, str(self._tools / "pg_ctl"), "-D", str(self._data), "-w", *line]
        nowhere = subprocess.DEVNULL  # A server that inherits our pipes would keep them open.
        subprocess.run(
            command, check=True, cwd=self._data.parent, stdout=nowhere, stderr=nowhere, timeout=120
        )


@contextmanager
def a_server():
    """None where PostgreSQL with PostGIS is not installed."""
    tools = conftest._tools()
    if tools is None:
        yield None
        return
    with contextmanager(conftest._private_cluster)(tools) as found:
        yield Server(found, tools)


class Stage:
    """Where worlds are kept as they are before a deed, and copied from."""

    def __init__(self, server=None, *, load):
        self.home = Path(tempfile.mkdtemp(prefix="turvakaart-faults-"))
        self.server = server
        self._number = 0
        self.found, self.pages = {}, {}
        self._loaded, self._load = {}, load
        self._leaving = ExitStack()
        office = self._leaving.enter_context(serving())
        office.files[f"/{DIVISION}"] = Served(a_division())
        self._office = office.url

    @property
    def stores(self):
        return STORES if self.server else STORES[:1]

    def close(self):
        self._leaving.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def empty(self, kind, *, home=None):
        """A world without a store, whose country is written."""
        world = self._placed(kind, home)
        a_country(world.folder, self._office)
        world.kept.mkdir()
        return world

    def loaded(self, kind):
        """A world whose store has been loaded, once for each kind of store."""
        if kind not in self._loaded:
            self._loaded[kind] = self.empty(kind)
            self._load(self._loaded[kind])
        return self._loaded[kind]

    def copy(self, of, *, home=None):
        """A world like another one; `home` is where it shall lie."""
        home = home or self._home()
        shutil.copytree(of.home, home, dirs_exist_ok=True)
        if of.is_file:
            return World(home, f"sqlite:///{home / 'state' / 'tiny.sqlite'}")
        return World(home, of.server.copy(of.url), of.server)

    def _placed(self, kind, home):
        home = home or self._home()
        home.mkdir(parents=True, exist_ok=True)
        if kind == "sqlite":
            return World(home, f"sqlite:///{home / 'state' / 'tiny.sqlite'}")
        return World(home, self.server.create(), self.server)

    def _home(self):
        self._number += 1
        return self.home / f"world-{self._number}"


def squares(*, larger=()):
    """A chessboard of small watch areas."""
    found = []
    for at in range(SQUARES):
        west, south = 24.3 + at % 6 * 0.05, 58.3 + at // 6 * 0.05
        size = 0.04 if at in larger else 0.03
        about = {"kind": "watch_area", "code": f"w{at:02}", "name_et": f"Ala {at}", "accuracy": "approximate"}
        found.append((about, shapely.box(west, south, west + size, south + size)))
    return found


def a_country(folder, office):
    """The tiny country with a layer of areas that is big enough for tiles, and an official source."""
    make.an_instance(folder)
    make.write(folder, "areas/watch.geojson", make.a_map(squares()))
    layer = {"key": "watch_areas", "of": "areas", "kind": "watch_area", "colour": "#CC79A7", "symbol": "line"}
    words = {"label": {"en": "Watch areas"}, "about": {"en": "About them"}}
    make.change(folder, "instance.yaml", lambda said: said["layers"].append(layer | words))
    make.change(
        folder,
        "datapackage.json",
        lambda said: said["resources"].append(make.a_resource("watch_areas", "areas/watch.geojson")),
    )
    make.write(folder, "updates.yaml", yaml.safe_dump({"sources": [_official(office)]}, allow_unicode=True))


def _official(office):
    shapes = make.geo.to_metric([shapely.box(23.8, 57.8, 26.2, 59.2)], srid=make.SRID)
    return {
        "key": "counties-official",
        "title": {"et": "Ametlikud maakonnad", "en": "Official counties"},
        "table": "area",
        "rhythm": "monthly",
        "licence": "CC0-1.0",
        "attribution": "Made up, {date}",
        "columns": {"code": "MKOOD", "name": "MNIMI"},
        "as_of": [{"column": "EKSPORT"}],
        "crs": make.SRID,
        "range": [float(edge) for edge in shapely.total_bounds(shapes)],
        "encoding": "cp1257",
        "least_rows": 1,
        "least_bytes": 300,
        "layer": "counties",
        "kind": "county",
        "carried": ["names", "facts"],
        "addresses": [{"url": f"{office}/{DIVISION}", "answer": "zip"}],
    }


def a_division(middle=25.2):
    """The official counties as a file of an office, with the border between them at a longitude."""
    sides = shapely.box(24, 58, middle, 59), shapely.box(middle, 58, 26, 59)
    shapes = list(make.geo.to_metric(shapely.segmentize(sides, 0.1), srid=make.SRID))
    columns = {"MKOOD": ["01", "02"], "MNIMI": ["Lääs", "Ida"], "EKSPORT": ["2026-04-01"] * 2}
    return a_zip("maakond_20260401", columns, shapes)
