"""Every sentence and every label is there in every language."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from layers.places import Body
from tests.webmap.test_pages import rows_of

ROOT = Path(__file__).resolve().parents[2]


def test_every_sentence_is_translated_and_compiled():
    line = [sys.executable, str(ROOT / "scripts/translate.py"), "--check"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT)

    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


def test_every_label_is_there_in_every_language(estonia):
    wanted = set(estonia.languages)
    words = {
        f"{group}.{code}": said for group, codes in estonia.codes.items() for code, said in codes.items()
    }
    words |= {f"layer {layer.key}": layer.label for layer in estonia.layers}
    words |= {f"about {layer.key}": layer.about for layer in estonia.layers}
    words |= {f"basemap {one.key}": one.label for one in estonia.basemaps}
    words |= {f"resource {one.name}": one.title for one in estonia.resources.values()}
    words |= {"name": estonia.names, "welcome": estonia.welcome}

    assert len(words) > 80
    assert {
        name: said for name, said in words.items() if {c for c in said if said[c].strip()} != wanted
    } == {}


def test_every_code_that_is_used_has_a_label(app, estonia):
    with app.test_request_context("/"):
        bodies = [body for layer in estonia.layers_of("bodies") for body in rows_of(layer)]
        cases = [case for layer in estonia.layers_of("cases") for case in rows_of(layer)]
    used = {("forms", body.form) for body in bodies}
    used |= {("capabilities", code) for body in bodies for code in body.capabilities}
    used |= {
        (name, getattr(body, one))
        for body in bodies
        for name, one in [("readiness",) * 2, ("precision",) * 2]
    }
    used |= {("themes", case.theme) for case in cases} | {("outcomes", case.outcome) for case in cases}
    used |= {("stages", case.stage) for case in cases} | {
        ("parties", p) for case in cases for p in case.parties
    }

    assert {"form", "capabilities"} <= {field.name for field in fields(Body)}
    assert len(used) > 40
    assert [(group, code) for group, code in used if code and code not in estonia.codes[group]] == []
