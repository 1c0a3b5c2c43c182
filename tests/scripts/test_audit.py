"""The audit: what it says of an answer, of none, of what looks like a secret; and its bill of materials."""

import json
from collections import Counter

import pytest

import audit
import check
from tests.conftest import ROOT

CLEAN = json.dumps({"dependencies": [{"name": "flask", "version": "3.1", "vulns": []}], "fixes": []})
FAULTY = json.dumps(
    {
        "dependencies": [
            {
                "name": "flask",
                "version": "0.1",
                "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["0.2", "0.3"]}],
            },
            {"name": "jinja2", "version": "1", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]},
            {"name": "skipped", "skip_reason": "not there"},
        ]
    }
)
TOKEN = "gh" + "p_" + "a1B2" * 9


def run(said, root, *arguments):
    return audit.main([*arguments], asking=lambda lock: (0, said), root=root)


def test_nothing_known_is_said(tmp_path, capsys):
    assert run(CLEAN, tmp_path) == 0
    assert capsys.readouterr().out == "No package has a known fault, and nothing looks like a secret.\n"


def test_a_known_fault_is_told_once_with_what_mends_it(tmp_path, capsys):
    assert run(FAULTY, tmp_path) == 1
    assert capsys.readouterr().out.splitlines() == [
        "  known fault: flask 0.1: PYSEC-1, CVE-1; mended in 0.2, 0.3",
        "  known fault: jinja2 1: PYSEC-2; mended in no version yet",
    ]


@pytest.mark.parametrize("said", ["", "not json", "[]", '{"fixes": []}', "null"])
def test_where_nobody_could_be_asked_it_says_so_and_ends_otherwise(tmp_path, capsys, said):
    assert run(said, tmp_path) == 3
    assert "this needs a network" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (TOKEN, "a token of GitHub"),
        ("-----BEGIN OPENSSH PRIVATE " + "KEY-----", "a private key"),
        ("AKI" + "A" + "Z" * 16, "a key of AWS"),
        ("postgresql+psycopg://map:" + "hunter22@db/map", "a password in an address"),
    ],
)
def test_a_secret_in_a_log_is_told_by_its_line_and_not_repeated(tmp_path, capsys, text, what):
    (log := tmp_path / "server.log").write_text(f"first\nGET {text}\n", encoding="utf-8")

    assert run(CLEAN, tmp_path, "--look", str(log)) == 1
    said = capsys.readouterr().out
    assert said == f"  looks like a secret: {log}, line 2: {what}\n"
    assert text not in said


def test_nothing_that_is_committed_looks_like_a_secret():
    files = audit.committed(ROOT)

    assert len(files) > 500
    assert audit.secrets(files) == []


def test_a_bill_of_materials_names_every_package_once_and_is_the_same_again(tmp_path):
    lock = tmp_path / "lock.txt"
    lines = ["flask==3.1.0", "    --hash=sha256:" + "0" * 64, "jinja2==3.1.6"]
    lock.write_text(" \\\n".join(lines[:2]) + "\n" + lines[2] + "\n", encoding="utf-8")
    made = audit.bill(lock, audit.NPM)
    said = json.loads(made)
    names = Counter(one["name"] for one in said["components"])

    assert audit.bill(lock, audit.NPM) == made
    assert (said["bomFormat"], said["metadata"]["component"]["name"]) == ("CycloneDX", "turvakaart")
    assert {"flask", "jinja2", "leaflet"} <= {*names}
    assert {*names.values()} == {1}
    assert "timestamp" not in said["metadata"]


def test_every_package_of_the_lock_is_in_the_bill():
    named = {line.partition("==")[0] for line in audit.LOCKS[0].read_text().splitlines() if "==" in line}
    said = json.loads(audit.bill(audit.LOCKS[0], audit.NPM))

    assert named <= {one["name"] for one in said["components"]}


def test_check_hands_the_audit_on(monkeypatch):
    line = check.audit_command(check.prepare.House(ROOT, profile="dev"), ["--sbom", "x.json"])

    assert [line[1].rpartition("scripts/")[2], *line[2:]] == ["audit.py", "--sbom", "x.json"]
