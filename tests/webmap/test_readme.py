"""The README names everything that a person may set, see or type."""

from pathlib import Path

import pytest
import yaml

from webmap import cli
from webmap.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


class _Asked(dict):
    """An empty environment that remembers what it was asked for."""

    def get(self, name, default=None):
        self[name] = default
        return default


def test_every_setting_is_in_the_readme(readme):
    asked = _Asked()
    Settings.from_environment(asked)

    assert len(asked) == len(vars(Settings()))
    assert [name for name in asked if not name.startswith("WEBMAP_") or name not in readme] == []


def test_every_layer_is_in_the_readme(readme):
    about = yaml.safe_load((ROOT / "data/ee/instance.yaml").read_text(encoding="utf-8"))
    keys = [layer["key"] for layer in about["layers"]]

    assert len(keys) > 4
    assert [key for key in keys if f"`{key}`" not in readme] == []


def test_every_page_of_the_planner_is_in_the_readme(readme, app):
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("pages.gaps.")}
    pages = sorted(one.removeprefix("/<language>/") for one in rules if not one.endswith((".js", ".geojson")))

    assert len(pages) == 7
    assert [page for page in pages if f"`{page}`" not in readme] == []


def test_every_command_is_in_the_readme(readme):
    assert sorted(cli.cli.commands) == [
        "account",
        "answer",
        "backup",
        "card",
        "confirm",
        "confirm-links",
        "data",
        "editions",
        "erase",
        "erasures",
        "export",
        "gaps",
        "history",
        "import",
        "links",
        "new",
        "restore",
        "serve",
        "setup",
    ]
    assert [name for name in cli.cli.commands if f"turvakaart {name}" not in readme] == []
