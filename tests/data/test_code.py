"""What the code never does, read from the code itself: so a new line that does it is seen."""

import ast
import re
import tomllib
from functools import cache

import yaml

from layers.gaps import standards
from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "webmap" / "static").glob("*.js"))
TEMPLATES = sorted((ROOT / "webmap" / "templates").rglob("*.html"))
CODE = sorted([*(ROOT / "layers").rglob("*.py"), *(ROOT / "webmap").rglob("*.py")])


@cache
def tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def calls(*names):
    """Where one of these is called: (file, line, call)."""
    return [
        (str(file.relative_to(ROOT)), node.lineno, ast.unparse(node))
        for file in CODE
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in names
    ]


def lines(files, pattern):
    found = re.compile(pattern)
    return [
        f"{file.name}: {line.strip()}"
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if found.search(line)
    ]


SAFE = re.compile(r"\{\{ ?([\w.]+) ?\| ?safe")


def test_there_is_code_to_be_read():
    assert (len(SCRIPTS) > 10, len(TEMPLATES) > 40, len(CODE) > 200) == (True, True, True)


def test_no_text_is_run_as_code():
    assert calls("eval", "exec", "compile", "__import__") == []
    assert lines(SCRIPTS, r"\beval\(|new Function\(|set(Timeout|Interval)\(\s*[\"'`]") == []


def test_nothing_outside_is_unpickled():
    """Between the processes of one question alone, who may run anything in each other anyway (README)."""
    unpickled = calls("pickle.loads", "pickle.load", "marshal.loads", "shelve.open")
    assert {file for file, *_ in unpickled} == {"layers/gaps/cluster.py"}
    assert calls("yaml.unsafe_load", "yaml.full_load") == []
    assert [call for *_, call in calls("yaml.load")] == ["yaml.load(text, _Loader)"]
    assert issubclass(standards._Loader, yaml.SafeLoader)


def test_no_shell_is_asked():
    started = calls("subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_output")

    assert started
    assert [one for one in started if "shell=" in one[2]] == []
    assert calls("os.system", "os.popen") == []


def test_sql_is_made_of_our_own_names_alone():
    """ruff's S608 stands guard over texts that become SQL; where it is switched off, names are our own."""
    chosen = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]

    assert "S" in chosen["select"]
    assert [file for file, codes in chosen["per-file-ignores"].items() if "S608" in codes] == ["layers/columns.py"]
    silenced = lines(CODE, r"noqa:.*S608")
    assert silenced == []


def test_no_xpath_is_made_of_input():
    """Paths that are put together have a namespace and a name of the code's own."""
    found = lines(CODE, r"\.xpath\(|\.find(all|text|iter)?\(f[\"']")

    assert {line.partition(":")[0] for line in found} == {"lost.py", "lost_xml.py"}
    assert [line for line in found if not re.search(r"\(f\"\{\{\{(lost_xml\.)?(GML|LOST)\}\}\}", line)] == []


def test_patterns_are_not_made_of_input():
    """A pattern that is put together escapes its parts, or they are the code's own."""
    made = calls("re.compile", "re.match", "re.search", "re.fullmatch", "re.sub", "re.findall", "re.split")
    put_together = [one for one in made if re.match(r"re\.\w+\(f?r?f['\"]", one[2]) and "{" in one[2].split(",")[0]]
    unescaped = [one for one in put_together if "escape" not in one[2] and one[0] not in OWN_PATTERNS]

    assert len(made) > 50
    assert unescaped == []


# Put together from constants of the same file, or from parts that were escaped a line above.
OWN_PATTERNS = {
    "layers/accounts/erasing.py",
    "layers/gaps/scenario.py",
    "layers/letters.py",
    "layers/search.py",
    "layers/sources/texts.py",
}


def test_templates_are_files_and_escape():
    assert calls("render_template_string", "Environment.from_string") == []
    # Folium's two are constants; the other is no Jinja but string.Template over a file of ours.
    assert {file for file, *_ in calls("Template")} == {"layers/starter/__init__.py", "webmap/maps.py"}
    assert lines(TEMPLATES, r"autoescape false|Markup") == []
    # Drawings and shells that our own code has made and escaped, and nothing else.
    kept = {found[1] for line in lines(TEMPLATES, r"\|\s*safe\b") for found in SAFE.finditer(line)}
    assert kept <= {"map.html", "chart.html", "one.svg", "card.map.svg", "card.live.svg"}


def test_xml_is_read_through_one_hardened_door():
    doors = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    names = {one["name"]: one for one in doors["contracts"]}

    assert "defusedxml" in names["What reads spreadsheets, XML and services has one door each"]["forbidden_modules"]
    assert lines(CODE, r"^\s*(from|import) (xml\.(sax|dom|etree)|lxml)(?!.*(ParseError|Element\b|escape))") == []


def test_secrets_come_from_the_system():
    """`random` and numpy's generators spread, blur or try; no token, key or code is made by them."""
    doors = [ROOT / "layers/accounts", ROOT / "webmap/account"]
    files = [*(file for door in doors for file in door.glob("*.py")), ROOT / "webmap/seals.py"]
    files += [ROOT / "webmap/signin.py", ROOT / "webmap/signed.py", ROOT / "webmap/oidc.py"]

    assert lines(files, r"\brandom\.|import random|uuid") == []
    assert "secrets.token_bytes" in (ROOT / "webmap/signin.py").read_text(encoding="utf-8")


def test_hashes_are_strong():
    weak = calls("hashlib.md5", "hashlib.sha1", "hashlib.new")

    assert [one for one in weak if "usedforsecurity=False" not in one[2]] == []


def test_cryptography_comes_from_libraries():
    used = {file for file, _, _ in calls("AESGCM", "hmac.digest", "hmac.new", "PasswordHasher")}

    assert used <= {
        "layers/accounts/passwords.py",
        "layers/erasures.py",
        "layers/sources/privacy.py",
        "webmap/seals.py",
        "webmap/signed.py",
    }
    assert lines(CODE, r"\bECB\b|\bPKCS1v15\b|\bDES\b|\bRC4\b") == []


def test_certificates_are_checked():
    assert lines(CODE, r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified") == []


def test_questions_to_services_follow_no_redirect():
    """Of the gazetteer and the provider, whose addresses are settings."""
    for name in ("addresses", "oidc"):
        text = (ROOT / "webmap" / f"{name}.py").read_text(encoding="utf-8")
        assert "allow_redirects=False" in text


def test_scripts_write_text_and_no_markup():
    """`innerHTML` alone shows an answer of our own server, which has escaped it."""
    found = lines(SCRIPTS, r"\.(innerHTML|outerHTML)\s*\+?=|insertAdjacentHTML|document\.write")

    assert found == []


def test_messages_are_taken_from_our_own_pages_alone():
    """Windows send none; a service worker hears its own pages only."""
    assert lines(SCRIPTS, r"(window|self|parent|top)\.addEventListener\([\"']message|onmessage") == []
    assert lines(SCRIPTS, r"(window|parent|top|opener)\.postMessage") == []


def test_browsers_keep_drafts_and_choices_alone():
    kept = {line.split(":")[0] for line in lines(SCRIPTS, r"localStorage|sessionStorage|indexedDB")}

    assert kept <= {"caseform.js", "offline.js", "map.js", "start.js", "choice.js"}
    assert lines(SCRIPTS, r"(local|session)Storage.*(password|token|csrf)") == []


def test_scripts_write_no_keys_that_were_sent():
    assert lines(SCRIPTS, r"__proto__|\.constructor\.prototype|Object\.prototype\s*=") == []
    assert lines(SCRIPTS, r"for \(const \w+ in ") == []


def test_types_are_checked_strictly():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]

    assert (found["strict"], found["files"]) == (True, ["layers", "webmap", "scripts"])

