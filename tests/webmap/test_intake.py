"""Importing by command: examined, planned, written only when asked, undone."""

import io
import os
import re

import pytest
from click.testing import CliRunner

from layers import places
from layers.arrivals import Origin, plans
from tests import make
from tests.layers.readers.services import Service, wfs
from tests.webmap import site
from webmap import cli, db, intake
from webmap.settings import Settings

UNITS = "Nimetus;Form;Settlement\nUus Selts;selts;Esimene\nTeine Selts;association;Teine\n"
ABOUT = ("--layer", "villages", "--dataset", "county", "--source", "A test", "--licence", "CC0-1.0")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command on a tiny country: exit code and what was said."""
    monkeypatch.setenv("WEBMAP_INSTANCE", str(make.an_instance(tmp_path / "tiny")))
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))

    def ran(*words):
        found = CliRunner().invoke(cli.cli, [str(word) for word in words])
        return found.exit_code, found.output

    return ran


@pytest.fixture
def units(tmp_path):
    file = tmp_path / "units.csv"
    file.write_text(UNITS, encoding="utf-8")
    return file


def test_a_file_is_planned_then_written_then_undone(run, units):
    code, said = run("import", units, *ABOUT, "--map", "name=Nimetus", "--lang", "en")
    assert code == 0, said
    assert "2 rows: 0 used as they stand, 2 repaired, 0 refused." in said
    assert "The plan: 2 added, 0 changed, 0 ended, 0 unchanged." in said
    assert "Nothing was written" in said
    assert "county" not in run("editions", "villages")[1]

    code, said = run(
        "import", units, *ABOUT, "--map", "name=Nimetus", "--write", "--lang", "en", "--note", "May"
    )
    assert code == 0, said
    number = int(said.rsplit("edition ", 1)[1].rstrip(".\n"))
    assert f"{number}  " in run("editions", "villages")[1]

    # The columns are remembered, and the same file changes nothing.
    assert "0 added, 0 changed, 0 ended, 2 unchanged" in run("import", units, *ABOUT, "--lang", "en")[1]

    code, said = run("editions", "villages", "--undo", number)
    assert (code, f"undoes {number}" in said) == (0, True)
    assert "2 added" in run("import", units, *ABOUT, "--lang", "en")[1]


def test_while_a_row_is_refused_nothing_is_written_unless_it_is_left_out(run, units, tmp_path):
    units.write_text(UNITS + "Kolmas;castle;Teine\n", encoding="utf-8")
    words = (
        "import",
        units,
        *ABOUT,
        "--map",
        "name=Nimetus",
        "--map",
        "form=Form",
        "--write",
        "--lang",
        "en",
    )

    code, said = run(*words, "--fixes", tmp_path / "fixes.csv")

    assert code == 1
    assert "1 of 3 rows cannot be used, and nothing was written." in said
    assert "4,refused,Form: “castle” is not a known code." in (tmp_path / "fixes.csv").read_text("utf-8")
    assert "county" not in run("editions", "villages")[1]
    assert run(*words, "--without-refused")[0] == 0
    assert "county" in run("editions", "villages")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--map", "name"), "“name” is not written as field=value."),
        (("--map", "nme=Nimetus"), "There is no field “nme”."),
        (("--map", "name=Nimi"), "There is no column “Nimi”."),
        (("--dataset", "Bad Name"), "The name of a dataset is small letters"),
        (("--licence", ""), "Say where the file comes from"),
        (("--layer", "cases"), "the layer “cases” holds neither"),
        (("--layer", "moon"), "There is no layer “moon”."),
        (("--as-of", "soon"), "A date is written 2018"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(run, units, words, said):
    code, told = run("import", units, *ABOUT, *words)

    assert (code, said in told) == (1, True), told


def test_what_is_told_is_told_in_the_language_asked_for(run, units):
    told = run("import", units, *ABOUT, "--map", "name=Nimetus", "--lang", "et")[1]

    assert "Plaan:" in told


@pytest.fixture
def service(monkeypatch):
    """A service of two layers and a file, which this computer's operator lets be asked."""
    running = Service({"/wfs": wfs(layers=("ehak:vald", "ehak:linn")), "/units.csv": UNITS.encode()})
    monkeypatch.setenv("WEBMAP_FETCH_HOSTS", running.host)
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_an_address_is_read_like_a_file_and_becomes_the_source(run, service):
    address = f"{service.url}/units.csv"
    code, said = run("import", address, *ABOUT, "--map", "name=Nimetus", "--write", "--lang", "en")
    assert (code, "Written as edition" in said) == (0, True), said
    assert "\r" not in said, "there is no terminal"

    settings = Settings.from_environment(os.environ)
    with site.an_app(settings) as app, app.test_request_context("/"):
        assert plans.origins(db.session()) == {("villages", "county"): Origin(address)}
        newest = next(one for one in places.all_editions(db.session()) if one.dataset == "county")
    assert newest.source_url == address
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", newest.as_of)


def test_of_several_layers_at_an_address_the_command_tells_the_names(run, service):
    code, said = run("import", f"{service.url}/wfs", *ABOUT, "--lang", "en")
    assert code == 1
    assert "There are 2 layers at this address. Choose one of: ehak:vald, ehak:linn." in said
    assert "7 rows" in run("import", f"{service.url}/wfs", "--part", "linn", *ABOUT, "--lang", "en")[1]


def test_an_address_of_our_own_network_and_a_file_that_is_not_there_are_refused(run):
    assert "lies in a private network" in run("import", "http://127.0.0.1:9/x.csv", *ABOUT)[1]
    assert run("import", "nowhere.csv", *ABOUT)[0] == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_one_line_tells_how_far_it_is_and_goes_again(run, units):
    assert run("import", units, *ABOUT, "--map", "name=Nimetus")[0] == 0
    told, terminal = [], Terminal()
    asked = dict.fromkeys(("part", "crs", "sheet", "encoding", "note"), "")
    asked |= {"columns": ("name=Nimetus",), "same": (), "fixes": None, "repaired": None, "language": "en"}
    asked |= dict(zip(("layer", "dataset", "source", "licence"), ABOUT[1::2], strict=True))
    with site.an_app(Settings.from_environment(os.environ)) as app:
        intake.from_command(
            app, str(units), tell=told.append, far=terminal, write=True, without_refused=False, **asked
        )

    shown = [one for one in terminal.getvalue().split("\r") if one.strip()]
    assert "Examining: 0 of 2 rows." in [one.strip() for one in shown]
    assert "Writing: 0 of 2 rows." in [one.strip() for one in shown]
    assert not terminal.getvalue().rsplit("\r", 1)[1], "the line is empty in the end"
    assert told[-1].startswith("Written as edition")
