"""What the tests stand on: real stores, a real browser, a small country and Estonia."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.orm import Session

from layers import catalog, store
from tests import make
from tests.layers.readers.services import Service

ROOT = Path(__file__).resolve().parents[1]
STORES = ("sqlite", pytest.param("postgis", marks=pytest.mark.postgis))
NO_POSTGIS = "PostGIS is not installed: apt install postgresql postgis"
NO_CHROMIUM = "Chromium is not installed: apt install chromium"


def pytest_addoption(parser):
    parser.addoption(
        "--require-all",
        action="store_true",
        default=os.environ.get("CI") == "true",
        help="fail where something is missing (PostGIS, Chromium, data) instead of skipping; on when CI=true",
    )


def lacking(config, what):
    """Skips, or fails where nothing may be skipped."""
    if config.getoption("--require-all"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


# --- PostgreSQL with PostGIS


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on which databases may be made; `url` is that of one that is there already."""

    url: str

    def command(self, statement):
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def create(self, *, options=""):
        """Makes an empty database and returns its address."""
        name = f"turvakaart_test_{uuid.uuid4().hex[:12]}"
        self.command(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' {options}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url):
        self.command(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")


def _tools():
    """The folder of initdb and pg_ctl of the newest PostgreSQL that has PostGIS; None without one."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: found.parent.name)
    if found := shutil.which("initdb"):
        places.append(Path(found).resolve().parent)
    for place in reversed(places):
        if (place / "initdb").exists() and (place / "pg_config").exists():
            asked = [place / "pg_config", "--sharedir"]
            share = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
            if (Path(share) / "extension" / "postgis.control").exists():
                return place
    return None


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _as_owner():
    """PostgreSQL refuses to be run by root, so root runs it as the user that its package made."""
    if os.geteuid() != 0:
        return []
    return [shutil.which("runuser") or "runuser", "-u", "postgres", "--"]


def _private_cluster(tools):
    # Not in pytest's own folder: that one is closed to every other user.
    folder = Path(tempfile.mkdtemp(prefix="turvakaart-pg-"))
    owner, port = _as_owner(), _free_port()
    if owner:
        shutil.chown(folder, "postgres", "postgres")

    def run(*line):
        # A server that inherits our pipes would keep them open, so it writes to its own file.
        subprocess.run(
            [*owner, *map(str, line)], check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120
        )

    data, log = folder / "data", folder / "log"
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
    try:
        run(tools / "initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        run(tools / "pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
        try:
            yield Server(f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres")
        finally:
            run(tools / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgis(request) -> Iterator[Server]:
    """The server of TEST_POSTGIS_URL, else a private one for this run."""
    if url := os.environ.get("TEST_POSTGIS_URL"):
        yield Server(url)
        return
    tools = _tools()
    if tools is None:
        lacking(request.config, NO_POSTGIS)
    yield from _private_cluster(tools)


# --- Services


@pytest.fixture
def serve():
    """Starts servers, each with its own answers."""
    with ExitStack() as running:
        yield lambda answers: running.enter_context(Service(answers))


# --- Stores


@contextmanager
def a_store(request, kind, folder) -> Iterator[str]:
    """The address of a new and empty store of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'store.sqlite'}"
        return
    server = request.getfixturevalue("postgis")
    url = server.create()
    try:
        yield url
    finally:
        server.drop(url)


@contextmanager
def an_engine(url) -> Iterator[Engine]:
    engine = store.open_store(url)
    try:
        yield engine
    finally:
        engine.dispose()


@pytest.fixture(params=STORES)
def store_url(request, tmp_path):
    """The address of a new and empty store of each kind."""
    with a_store(request, request.param, tmp_path) as url:
        yield url


@pytest.fixture
def engine(store_url):
    """An engine on a new and empty store, for tests that set up or commit."""
    with an_engine(store_url) as engine:
        yield engine


@pytest.fixture(scope="session", params=STORES)
def ready_store(request, tmp_path_factory):
    """A store that is set up and holds nothing; its tests roll back."""
    with a_store(request, request.param, tmp_path_factory.mktemp("store")) as url, an_engine(url) as engine:
        store.set_up(engine)
        yield engine


@pytest.fixture
def session(ready_store) -> Iterator[Session]:
    """A session as `store.reading` and `store.writing` make it; all that happens in it is undone."""
    with ready_store.connect() as connection:
        undone = connection.begin()
        info = {"srid": make.SRID}
        with Session(connection, info=info, join_transaction_mode="create_savepoint") as session:
            yield session
        undone.rollback()


# --- Countries and the browser


@pytest.fixture
def instance(tmp_path):
    """A tiny country, read from real files."""
    return catalog.read_instance(make.an_instance(tmp_path / "tiny"))


@pytest.fixture(scope="session")
def estonia(request):
    """Estonia as the repository holds it."""
    folder = ROOT / "data" / "ee"
    if missing := make.missing_files(folder):
        lacking(request.config, f"Estonia is not whole yet, these files are missing: {', '.join(missing)}")
    return catalog.read_instance(folder)


@pytest.fixture(scope="session")
def chromium(request):
    """The path of a Chromium; WEBMAP_TEST_CHROMIUM names another one than the system's."""
    named = os.environ.get("WEBMAP_TEST_CHROMIUM", "")
    found = [shutil.which(name) for name in (named, "chromium", "chromium-browser", "google-chrome") if name]
    path = next((path for path in found if path), None)
    return path or lacking(request.config, NO_CHROMIUM)
