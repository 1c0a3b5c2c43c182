"""`turvakaart data update`: plans are shown before anything is written, failures told by source."""

import json

import pytest
import shapely
import yaml
from click.testing import CliRunner

from layers import geo
from tests import make
from tests.layers.official import PICTURE, Served, a_zip, serving
from webmap import cli

KEYS = ("counties-official", "villages-official")


@pytest.fixture
def server():
    with serving() as found:
        shapes = geo.to_metric([shapely.box(24, 58, 25.2, 59), shapely.box(25.2, 58, 26, 59)], srid=make.SRID)
        about = {"KOOD": ["01", "09"], "NIMI": ["Lääs", "Ida"], "EKSPORT": ["2026-04-01"] * 2}
        found.files |= {"/a.zip": Served(a_zip("a", about, list(shapes))), "/b.zip": Served(PICTURE)}
        yield found


@pytest.fixture
def run(tmp_path, server, monkeypatch):
    """Runs the command on a tiny country with two sources, of which one gets a picture."""
    folder = make.an_instance(tmp_path / "tiny")
    shared = {
        "rhythm": "monthly",
        "licence": "CC0-1.0",
        "attribution": "Made up, {date}",
        "columns": {"code": "KOOD", "name": "NIMI", "municipality": "KOOD", "county": "KOOD"},
        "as_of": [{"column": "EKSPORT"}],
        "crs": 3301,
        "range": [400000, 6400000, 700000, 6600000],
        "least_rows": 1,
        "least_bytes": 300,
    }
    area = {"table": "area", "layer": "counties", "kind": "county", "carried": ["names", "facts"]}
    sources = [
        {
            "key": key,
            "title": {"et": f"Ametlik: {key}", "en": key},
            "addresses": [{"url": f"{server.url}/{name}.zip", "answer": "zip"}],
            **shared,
            **(area if name == "a" else {"table": "settlement"}),
        }
        for key, name in zip(KEYS, "ab", strict=True)
    ]
    sources[0]["columns"] = {"code": "KOOD", "name": "NIMI"}
    make.write(folder, "updates.yaml", yaml.safe_dump({"sources": sources}, allow_unicode=True))
    monkeypatch.setenv("WEBMAP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WEBMAP_INSTANCE", str(folder))

    def told(*line):
        return CliRunner().invoke(cli.cli, ["data", "update", *line], catch_exceptions=False)

    return told


def accuracy():
    """How exact the area county:02 is, as the place in it is answered."""
    said = CliRunner().invoke(cli.cli, ["answer", "58.5", "25.5", "--json"], catch_exceptions=False)
    return {
        area["key"]: area["accuracy"] for area in json.loads(said.stdout)["areas"] if area["kind"] == "county"
    }


def test_the_plans_are_shown_one_source_fails_and_the_other_is_written(run, server):
    asked = run("tiny")

    assert asked.exit_code == 1
    assert "counties-official: Ametlik: counties-official\n" in asked.stdout
    assert "it speaks of 2026-04-01\n  2 added, 0 changed, 0 ended, 0 unchanged\n" in asked.stdout
    assert "  1 codes have changed: 02 is 09\n" in asked.stdout
    assert "  10.0% of the land changes hands" in asked.stdout
    assert "FAILED: b.zip is no ZIP file, it is PNG of 282 bytes." in asked.stderr
    assert asked.stdout.endswith(
        "Nobody is here to be asked; --write writes without asking.\nNothing was written.\n"
    )
    assert accuracy() == {"county:02": "approximate"}

    written = run("tiny", "--write")

    assert written.exit_code == 1
    assert written.stdout.endswith("counties-official: written.\n")
    assert accuracy() == {"county:02": "official"}
    assert "There is nothing to write." in run("tiny", "--only", KEYS[0], "--write").stdout


def test_a_dry_run_writes_nothing_and_the_kept_files_do_without_a_network(run, server, tmp_path):
    dry = run("tiny", "--only", KEYS[0], "--dry-run", "--write")
    assert (dry.exit_code, dry.stdout.splitlines()[-1]) == (0, "Nothing was written.")
    asked = len(server.asked)

    folder = tmp_path / "state" / "updates" / "tiny"
    offline = run("tiny", "--only", KEYS[0], "--from-folder", str(folder), "--write")

    assert offline.exit_code == 0
    assert len(server.asked) == asked
    assert accuracy() == {"county:02": "official"}


def test_the_list_tells_every_source_and_asks_nobody(run, server):
    listed = run("tiny", "--list")

    assert listed.exit_code == 0
    assert [key for key in KEYS if f"{key}: Ametlik: {key}\n" in listed.stdout] == list(KEYS)
    assert "monthly, confidence not told, fetched: never" in listed.stdout
    assert server.asked == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["ee"], "This is the instance “tiny”, not “ee”. Name its folder with --instance."),
        (["tiny", "--only", "x"], "There is no source “x” in updates.yaml."),
    ],
)
def test_what_cannot_be_done_is_said(run, line, said):
    found = run(*line)

    assert found.exit_code == 1
    assert said in found.stderr
