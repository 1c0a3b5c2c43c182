"""The command `turvakaart account`: the first admin, and no password where others could read it."""

import pytest
from click.testing import CliRunner

from layers import accounts, store
from tests import make
from tests.webmap.desk import SECRET, quicken
from webmap import cli


@pytest.fixture
def run(monkeypatch, tmp_path):
    quicken(monkeypatch)
    folder = make.an_instance(tmp_path / "tiny")
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))

    def run(*line, password=SECRET):
        asked = ["account", "--instance", str(folder), *line]
        return CliRunner().invoke(cli.cli, asked, input=f"{password}\n")

    run.url = f"sqlite:///{tmp_path / 'state' / 'tiny.sqlite'}"
    return run


def test_the_first_admin_is_made_where_nothing_was_set_up_yet(run):
    made = run("add", "admin", "--label", "Admin", "--role", "admin")
    limited = run(
        "add", "mari", "--label", "Lake", "--role", "steward", "--layer", "watch", "--area", "county:01"
    )

    assert (made.exit_code, made.output) == (0, "admin: admin\n")
    assert limited.exit_code == 0
    assert run("list").output.splitlines() == [
        "admin\tadmin\tin use\t-\tAdmin",
        "mari\tsteward\tin use\twatch county:01\tLake",
    ]
    engine = store.open_store(run.url)
    with store.reading(engine, srid=make.SRID) as session:
        kept = accounts.kept_password(session, "mari")[1]
    engine.dispose()
    assert accounts.passwords.matches(kept, SECRET)


def test_a_password_that_will_not_do_makes_no_account(run):
    said = run("add", "mari", "--label", "Lake", password="password1234")

    assert (said.exit_code, "tried first" in said.output) == (1, True)
    assert run("list").output == ""


def test_no_command_takes_a_password_as_an_argument(run):
    for command in cli.clerk.account.commands.values():
        assert not [one for one in command.params if "password" in one.name]


def test_roles_doors_and_the_record(run):
    run("add", "admin", "--label", "Admin", "--role", "admin")
    run("add", "mari", "--label", "Lake", "--role", "steward")

    assert run("role", "mari", "partner", "--layer", "watch").exit_code == 0
    assert run("disable", "mari").exit_code == 0
    assert run("list").output.splitlines()[1] == "mari\tpartner\tdisabled\twatch\tLake"
    assert run("enable", "mari").exit_code == 0
    assert run("password", "mari", password="seitse maad ja merd").exit_code == 0
    assert run("sessions", "mari", "--end").output == "0 ended.\n"
    assert [line.split("\t")[2] for line in run("record").output.splitlines()] == [
        *("ended", "unlocked", "password", "enabled", "disabled", "scope", "role"),
        *("password", "added", "password", "added"),
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (("disable", "nobody"), "There is no such account."),
        (("disable", "admin"), "This is the last account"),
        (("role", "admin", "reader"), "This is the last account"),
        (("add", "admin", "--label", "Two"), "There is an account with the name"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run, line, sentence):
    run("add", "admin", "--label", "Admin", "--role", "admin")
    said = run(*line)

    assert (said.exit_code, sentence in said.output) == (1, True)
    assert run("list").output == "admin\tadmin\tin use\t-\tAdmin\n"
