"""What is at work when a fault strikes: each deed as a person or a server does it, through our own doors.

`prepare` makes the world in which it can be done; `do` runs in a fork and tells what has been acknowledged;
`again` is what the next start or the next request does, by default the deed once more.
"""

import contextlib
import io
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import delete

from layers import accounts, editions, imports, store, tiles
from layers.accounts import sessions
from layers.model import Outline
from tests import make
from tests.faults import promises, strikes, worlds
from tests.webmap.test_editing import WEST, filled, go_on
from tests.webmap.test_importing import HIDDEN, MARK, fields_of, hand_in, written
from webmap import create_app, seals, workers
from webmap.cli import cli

TOKEN = "t" * 43
PARTNER = "p" * 43
SHEET = "key,name,form,county,lat,lon,precision,as_of,source\n"
MANY = "".join(f"new-{at},Uus selts {at},association,01,58.3,24.3,settlement,2025,List\n" for at in range(40))


@dataclass(frozen=True)
class Deed:
    """`prepare` is given a world that is loaded, or with `is_new` one without a store.

    `is_repeatable`: done twice, it changes nothing more; else it is done again only where it did not come to
    pass. `stores` are those on which it makes a difference.
    """

    name: str
    prepare: Callable
    do: Callable
    again: Callable | None = None
    is_repeatable: bool = True
    stores: tuple = worlds.STORES
    is_new: bool = False
    patience_s: float = 60.0


# --- Doors


def command(*line):
    """The command as a shell runs it; its exit code."""
    try:
        cli([*map(str, line)], prog_name="turvakaart", standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
    return 0


def commanded(*line, what="all"):
    code = command(*line)
    if code == 0:
        strikes.done(what)
    return code


@contextmanager
def site(world):
    """This world's site as a server holds it; its log tells of failures by their kind and place alone."""
    logs = [*logging.root.handlers]
    app = create_app(world.settings)
    workers.guard(app, replace(world.settings, at_once=1000, log="errors"))  # No visitor reads to the end.
    try:
        yield app
    finally:
        logging.root.handlers[:] = logs
        app.extensions["house"].engine.dispose()


@contextmanager
def browser(world, token=TOKEN):
    """A browser of a steward (or with the partner's token) at this world's site."""
    with site(world) as app:
        client = app.test_client()
        client.set_cookie("session", token)
        yield client


@contextmanager
def stages():
    """Where worlds are copied from, warmed, on every store that is there."""
    with worlds.a_server() as server:
        stage = worlds.Stage(server, load=loaded)
        try:
            warm(stage)
            yield stage
        finally:
            stage.close()


def answered(answer, *, right=303):
    """Tells that a form was taken; else what was answered, which must be a page with a sentence."""
    if answer.status_code == right:
        strikes.done()
        return 0
    strikes.tell(status=answer.status_code, page=answer.text)
    return 1


# --- Worlds


def loaded(world):
    """A store that is set up, with accounts that are signed in."""
    with world.engine() as engine:
        imports.load(engine, world.instance(), now=strikes.NOW)
        tiles.build(engine, world.instance(), world.shelf)
        with store.writing(engine, srid=make.SRID, turn=store.DOOR) as session:
            life = sessions.Life()
            for role, token in (("steward", TOKEN), ("partner", PARTNER)):
                one = accounts.add(session, name=role, label=f"The {role}", role=role, now=strikes.NOW)
                sessions.begin(
                    session, one.id, token=token, way="password", device="", life=life, now=strikes.NOW
                )
            session.commit()
    seals.key(world.settings.key_file())


def as_it_is(world):
    """It can be done at once."""


def changed_files(world):
    """The country's files tell something else since."""
    make.replace(world.folder, "bodies/police.csv", "West station", "Westmost station")
    make.write(world.folder, "areas/watch.geojson", make.a_map(worlds.squares(larger=(3, 4))))


def with_a_sheet(world):
    make.write(world.home, "list.csv", SHEET + MANY)


_IMPORT = (
    *("--layer", "villages", "--dataset", "list", "--source", "List", "--licence", "CC0-1.0"),
    *("--as-of", "2026", "--write"),
)


def do_import(world):
    return commanded("import", world.home / "list.csv", *_IMPORT)


def imported(world):
    with_a_sheet(world)
    strikes.run(lambda: do_import(world), environment=world.environment)


def newest_of(world, dataset):
    with world.engine() as engine, store.reading(engine, srid=make.SRID) as session:
        found = session.scalars(
            editions.select(editions.Edition.id).where(editions.Edition.dataset == dataset)
        ).all()
    return max(found, default=0)


def edit(world, do="save", token=TOKEN):
    with browser(world, token) as client:
        review = look(
            client,
            WEST,
            name="Uus jaoskond",
            name_en="New station",
            lat="58.3",
            lon="24.3",
            note="The sign says so",
        )
        if review.status_code != 200 or "New station" not in review.text:
            return answered(review)
        return answered(go_on(client, WEST, review, do))


def look(client, path, **changes):
    """The first click on a form whose page has come: what would change."""
    shown = client.get(path)
    if shown.status_code != 200:
        return shown
    sent = filled(shown.text) | {name: [value] for name, value in changes.items()}
    return client.post(path, data={**sent, "do": "look"})


def edited(world):
    strikes.run(lambda: edit(world), environment=world.environment)
    make.write(world.home, "number", str(newest_of(world, "edits")))


def proposed(world):
    strikes.run(lambda: edit(world, "propose", PARTNER), environment=world.environment)


def form(world, path, **sent):
    with browser(world) as client:
        shown = client.get(sent.pop("page", path))
        if shown.status_code != 200:
            return answered(shown)
        token = re.search(r'name="csrf_token" value="([^"]+)"', shown.text)
        if token is None:
            return answered(shown)
        return answered(client.post(path, data={"csrf_token": token[1], **sent}))


def take_back(world):
    return form(world, f"/en/edit/undo/{(world.home / 'number').read_text()}", page=WEST, note="A mistake")


def accept(world):
    return form(world, "/en/edit/proposals/1", do="accept")


def decline(world):
    return form(world, "/en/edit/proposals/1", do="decline", reason="It is not so")


def with_a_list(world):
    rows = (("body", "west-station"), ("body", "first-village"), ("area", "county:01"))
    lines = "".join(f"{table},{key},2026-11-20\n" for table, key in rows)
    make.write(world.home, "confirmed.csv", f"table,key,day\n{lines}")


def confirm_file(world):
    return commanded("confirm", world.home / "confirmed.csv")


def with_a_link(world):
    line = ("--layer", "police", "--address", "http://localhost/", "--out", world.home / "links.csv")
    strikes.run(lambda: command("confirm-links", *line), environment=world.environment)


def confirm_link(world):
    path = re.search(r"http://localhost(/\S+)", (world.home / "links.csv").read_text(encoding="utf-8"))[1]
    with browser(world, "") as client:
        page = client.get(path)
        if page.status_code != 200:
            return answered(page)
        return answered(client.post(path, data=_hidden(page.text) | {"do": "right"}), right=page.status_code)


def _hidden(text):
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))


def send_in(world):
    """A steward's journey from a file to an edition, in the browser."""
    with browser(world) as client:
        shown = client.get("/en/import")
        if shown.status_code != 200:
            return answered(shown)
        path, said = hand_in(client, SHEET + MANY)
        if not path:
            return answered(said)
        columns = client.get(path)
        if columns.status_code != 200:
            return answered(columns)
        told = {"csrf_token": HIDDEN.search(columns.text)[1], "do": "examine"}
        said = client.post(path, data={**fields_of(columns.text), **told})
        page = client.get(f"{path}/findings")
        if said.status_code != 303 or not MARK.search(page.text):
            return answered(said if said.status_code != 303 else page)
        return answered(written(client, path, page.text))


def older(world):
    """A store of an earlier version that holds the country's facts."""
    with world.engine() as engine:
        version = f"{2 + int.from_bytes(os.urandom(1), 'big') % 5:04}"
        store.migrate(engine, version)


def set_up(world):
    return commanded("setup")


def without_tiles(world):
    for one in world.shelf.folder.iterdir():
        one.unlink()


def without_outlines(world):
    with world.engine() as engine, store.writing(engine, srid=make.SRID) as session:
        session.execute(delete(Outline))
        session.commit()


def backed_up(world):
    strikes.run(
        lambda: command("backup", world.kept / "a.backup", "--with-instance"), environment=world.environment
    )


def back_up(world):
    return commanded("backup", world.kept / "a.backup", "--force", "--with-instance")


def restorable(world):
    """A backup, and a store that has changed since."""
    backed_up(world)
    strikes.run(lambda: edit(world), environment=world.environment)


def restore(world):
    return commanded("restore", world.kept / "a.backup", "--write")


def restore_both(world):
    os.environ["WEBMAP_STATE"] = str(world.home / "state")
    return commanded("restore", world.kept / "a.backup", "--instance-to", world.home / "again", "--write")


def unless(deed, folder):
    """What one does again where no folder has come of it; it refuses to write over one."""
    return lambda world: 0 if (world.home / folder).exists() else deed(world)


def two_set_up(world):
    """Two processes set the same country up; what is struck is one of them."""
    other = os.fork()
    if other == 0:
        code = 1
        try:
            code = command("setup")
        finally:
            os._exit(code)
    strikes.tell(also=other)
    code = command("setup")
    _, status = os.waitpid(other, 0)
    if code == os.waitstatus_to_exitcode(status) == 0:
        strikes.done()
        return 0
    return 1


def carried(world):
    make.write(world.home, f"carried/{worlds.DIVISION}", worlds.a_division())


def update(world):
    return commanded("data", "update", "tiny", "--from-folder", world.home / "carried", "--write")


def fetch(world):
    """An update over the network, from an office's server."""
    return commanded("data", "update", "tiny", "--write")


def begin(world):
    return commanded(
        *("new", world.home / "country", "--key", "new", "--name", "en=New", "--languages", "en"),
        *("--bounds", "24,58,26,59"),
    )


def add_account(world):
    read, write = os.pipe()
    os.write(write, b"neli kollast kurge kaevul\n")
    os.close(write)
    os.dup2(read, 0)
    sys.stdin = os.fdopen(0)
    return commanded("account", "add", "mari", "--label", "The office", "--role", "steward")


DEEDS = {
    one.name: one
    for one in (
        Deed("import of files", changed_files, set_up),
        Deed("import by command", with_a_sheet, do_import, is_repeatable=False),
        Deed("import in the browser", as_it_is, send_in, is_repeatable=False),
        Deed("edit", as_it_is, edit, is_repeatable=False),
        Deed("undo", edited, take_back, is_repeatable=False),
        Deed("proposal", as_it_is, lambda world: edit(world, "propose", PARTNER), is_repeatable=False),
        Deed("acceptance", proposed, accept, is_repeatable=False),
        Deed("refusal", proposed, decline, is_repeatable=False),
        Deed("confirmation by file", with_a_list, confirm_file, is_repeatable=False),
        Deed("confirmation by link", with_a_link, confirm_link, is_repeatable=False),
        Deed("account", as_it_is, add_account, is_repeatable=False),
        Deed("migration", older, set_up),
        Deed("tiles", without_tiles, set_up, stores=("sqlite",)),
        Deed("outlines", without_outlines, set_up),
        Deed("backup", backed_up, back_up),
        Deed("restore", restorable, restore),
        Deed(
            "restore with instance",
            restorable,
            restore_both,
            again=unless(restore_both, "again"),
            stores=("sqlite",),
        ),
        Deed("first set-up", as_it_is, set_up, is_new=True),
        Deed("set-up by two", as_it_is, two_set_up, again=set_up, is_new=True),
        Deed("update from a folder", carried, update),
        Deed("update over the network", as_it_is, fetch),
        Deed("new country", as_it_is, begin, again=unless(begin, "country"), stores=("sqlite",)),
    )
}


def warm(stage):
    """Does in this process once what forks of it will do, in a world that is thrown away."""
    world = stage.empty("sqlite")
    before = {name: os.environ.get(name) for name in world.environment}
    os.environ.update(world.environment)
    try:
        loaded(world)
        with_a_sheet(world)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for work in (promises.look, do_import, edit, send_in, back_up, restore):
                strikes.warm(lambda work=work: work(world))
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        world.drop()
