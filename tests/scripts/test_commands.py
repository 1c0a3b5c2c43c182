"""The commands a person types: what they need, what they say when it is not there, and their locks."""

import ast
import errno
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import check
import prepare
import problems
import serve
from prepare import ASSETS, ENVIRONMENT, LINK, PACKAGES, House
from problems import Problem

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("check.py", "prepare.py", "problems.py", "serve.py")
LOCKS = ("requirements.lock.txt", "requirements-dev.lock.txt")


# --- Sentences


@pytest.mark.parametrize("name", COMMANDS)
def test_an_old_python_can_read_the_commands(name):
    ast.parse((ROOT / "scripts" / name).read_text(encoding="utf-8"), feature_version=(3, 9))


def test_an_old_python_is_told_which_one_is_needed():
    with pytest.raises(Problem, match=r"needs Python 3\.11 or newer, and this is Python 3\.9") as told:
        problems.check_python((3, 9))

    assert told.value.code == problems.PYTHON
    problems.check_python((3, 11))


@pytest.mark.parametrize("absent", ["venv", "ensurepip"])
def test_a_python_without_a_whole_venv_is_told_the_remedy(absent):
    with pytest.raises(Problem, match=r"sudo apt install python3\.12-venv"):
        problems.check_venv_module((3, 12), find=lambda name: None if name == absent else name)

    problems.check_venv_module((3, 12), find=lambda name: name)


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (errno.ENOSPC, problems.DISK, "The disk is full. Make room"),
        (errno.EDQUOT, problems.DISK, "The disk is full. Make room"),
        (errno.EROFS, problems.FOLDER, "Nothing can be written to the folder home"),
        (errno.EACCES, problems.FOLDER, "Nothing can be written to the folder home"),
        (errno.EIO, problems.FAILED, "The preparation failed"),
    ],
)
def test_a_system_error_becomes_a_sentence(number, code, words):
    found = problems.explained(OSError(number, os.strerror(number)), folder=Path("home"))

    assert (found.code, words in str(found)) == (code, True)


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        ("ERROR: [Errno 28] No space left on device", problems.DISK, "The disk is full"),
        ("npm error code ENOSPC", problems.DISK, "The disk is full"),
        ("Connection broken: OSError(28, 'No space left on device')", problems.DISK, "disk is full"),
        ("ERROR: [Errno 13] Permission denied: 'x'", problems.FOLDER, "Nothing can be written"),
        ("Failed: NewConnectionError('…')\nERROR: No matching", problems.NETWORK, "no connection"),
        ("npm error code ENOTFOUND", problems.NETWORK, "no connection"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES", problems.FAILED, "is not the one"),
        ("ERROR: No matching distribution found for x==1", problems.FAILED, "build of x==1 for this"),
        ("first\nsomething else", problems.FAILED, "first\nsomething else"),
    ],
)
def test_what_a_tool_printed_becomes_a_sentence(output, code, words):
    found = problems.explained_output(output, folder=Path("home"))

    assert (found.code, words in str(found)) == (code, True)


def test_too_little_room_is_told_before_the_work_begins():
    with pytest.raises(Problem, match="needs about 700 MB, and 12 MB are free"):
        problems.check_space(12, needed_mb=700)

    problems.check_space(700, needed_mb=700)


# --- serve.py


@pytest.fixture
def taken_port():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def started(*arguments):
    line = [sys.executable, str(ROOT / "scripts" / "serve.py"), *arguments]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


def an_instance(folder):
    (folder / "instance.yaml").touch()
    return str(folder)


def test_a_taken_port_is_told_at_once(taken_port, tmp_path):
    found = started("--port", str(taken_port), "--instance", an_instance(tmp_path))

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.strip() == (
        f"Port {taken_port} is taken by another program. "
        "Choose another one with --port, or leave --port out to get a free one."
    )


def test_a_folder_that_is_no_instance_is_told_at_once(tmp_path):
    found = started("--instance", str(tmp_path))

    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.strip().startswith(f"There is no instance in {tmp_path}: it has no file")


def test_without_a_wish_a_free_port_is_found(taken_port, monkeypatch):
    monkeypatch.setattr(serve, "FIRST_CHOICE", taken_port)

    assert serve.chosen_port("127.0.0.1", None) not in (0, taken_port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_number_that_is_no_port_is_told(port):
    with pytest.raises(Problem, match="choose a number from 1 to 65535"):
        serve.chosen_port("127.0.0.1", port)


def test_an_address_of_another_computer_is_told():
    with pytest.raises(Problem, match=r"cannot serve at the address 192\.0\.2\.1"):
        serve.chosen_port("192.0.2.1", 0)


def test_the_application_gets_what_was_asked_for():
    line = serve.command(Path("python"), instance=Path("ee"), host="::1", port=81, browser=False)

    options = ["--instance", "ee", "--host", "::1", "--port", "81", "--no-browser"]
    assert line == ["python", "-m", "webmap.cli", "serve", *options]


# --- check.py


def test_unknown_options_go_on_to_pytest():
    known, others = check.options(["--only", "tests", "-x", "--", "-k", "map"])

    assert (known.only, others) == (["tests"], ["-x", "-k", "map"])


def test_the_texts_are_checked_before_the_tests_run():
    house = House(ROOT, "dev")

    line = check.command("texts", house=house, others=[], ci=True)

    assert check.STEPS.index("texts") < check.STEPS.index("tests")
    assert line == [str(house.python), str(ROOT / "scripts/check_texts.py")]
    assert (ROOT / "scripts/check_texts.py").is_file()


@pytest.mark.parametrize(("ci", "extra"), [(True, ["--require-all"]), (False, [])])
def test_nothing_is_skipped_in_silence_where_ci_runs(ci, extra):
    house = House(ROOT, "dev")

    line = check.command("tests", house=house, others=["-x"], ci=ci)

    side_by_side = ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]
    assert line == [str(house.python), "-m", "pytest", *side_by_side, *extra, "-x"]


# --- The locks


def locked(name):
    text = (ROOT / "scripts" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(.*?)\s*\\$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_and_no_folder(name):
    for line in (ROOT / "scripts" / name).read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            assert re.fullmatch(r"[a-z0-9][^:/@]* \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        assert "://" not in line
        assert not re.search(r"(^|[ =])/", line)


def test_the_lock_for_development_holds_the_one_for_running():
    run, dev = (locked(name) for name in LOCKS)

    assert run.items() <= dev.items()
    assert "pytest" in dev
    assert "pytest" not in run


def test_every_dependency_is_locked():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.search(r"^dependencies = \[\n(.*?)^\]", text, flags=re.MULTILINE | re.DOTALL)[1]
    names = set(re.findall(r'"([a-z0-9-]+)', wanted))

    assert len(names) > 10
    assert names - set(locked(LOCKS[0])) == set()


def test_the_browsers_files_are_pinned_and_come_from_no_named_host():
    assets = ROOT / "webmap" / "assets"
    text = (assets / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    wanted = json.loads((assets / "package.json").read_text(encoding="utf-8"))["dependencies"]

    assert "://" not in text
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    pins = {name: each["version"] for name, each in packages.items()}
    # What these need in their turn is pinned by the lock alone.
    assert {f"node_modules/{name}": pin for name, pin in wanted.items()}.items() <= pins.items()


def test_every_browser_package_comes_with_its_licence():
    sources = json.loads((ROOT / "webmap" / "assets" / "manifest.json").read_text(encoding="utf-8"))
    packages = {re.match(r"(@[^/]+/)?[^/]+", source)[0] for source in sources}

    assert packages
    assert {f"{name}/LICENSE" for name in packages} <= set(sources)


# --- What is missing, without doing it


@pytest.fixture
def house(tmp_path):
    """A folder as prepare.py sees it, with an environment that only points to this Python."""
    house = House(a_root(tmp_path / "house"))
    house.bin.mkdir(parents=True)
    house.python.symlink_to(sys.executable)
    prepare.remember(
        house,
        environment=prepare.identity(house),
        run=prepare.digest(house.lock("run")),
        link=prepare.link_wanted(house),
    )
    house.vendor.mkdir(parents=True)
    (house.vendor / ".stamp").write_text(prepare.assets_wanted(house))
    return house


def test_a_prepared_folder_misses_nothing(house):
    assert prepare.missing(house) == []


def test_a_changed_lock_is_installed_again(house):
    house.lock("run").write_text("")

    assert prepare.missing(house) == [PACKAGES]


def test_the_tools_for_tests_are_missing_after_a_plain_start(house):
    assert prepare.missing(House(house.root, "dev")) == [PACKAGES]


def test_a_changed_project_is_linked_again(house):
    project = house.root / "pyproject.toml"
    project.write_text(project.read_text() + "[tool.ruff]\nline-length = 90\n")
    assert prepare.missing(house) == []

    project.write_text(project.read_text() + '[project]\nname = "other"\n')
    assert prepare.missing(house) == [LINK]


def test_a_lost_browser_file_is_fetched_again(house):
    (house.assets / "manifest.json").write_text('{"a/b.js": "b.js"}')
    (house.vendor / ".stamp").write_text(prepare.assets_wanted(house))

    assert prepare.missing(house) == [ASSETS]

    (house.vendor / "b.js").touch()
    assert prepare.missing(house) == []


def test_an_environment_cut_short_is_rebuilt(house):
    house.changing.touch()

    assert prepare.missing(house) == [ENVIRONMENT, PACKAGES, LINK]


def test_an_environment_whose_python_has_gone_is_rebuilt(house):
    house.python.unlink()
    house.python.symlink_to(house.root / "gone")

    assert prepare.missing(house) == [ENVIRONMENT, PACKAGES, LINK]


def test_an_environment_moved_with_its_folder_is_rebuilt(house, tmp_path):
    moved = House(house.root.rename(tmp_path / "moved"))

    assert prepare.missing(moved) == [ENVIRONMENT, PACKAGES, LINK]


def test_packages_for_other_systems_are_not_counted():
    lock = "a==1 \\\nb==2 ; x == 'PyPy' \\\nc==1 ; v < '3' \\\nc==2 ; v >= '3' \\\n    --hash=sha256:0"

    assert prepare.package_count(lock) == 2


def test_settings_that_install_elsewhere_are_left_out():
    env = {"PIP_TARGET": "x", "PIP_USER": "1", "PIP_INDEX_URL": "mine", "PATH": "p"}

    assert prepare.clean_environment(env) == {"PIP_INDEX_URL": "mine", "PATH": "p"}


@pytest.fixture
def not_root():
    """Root may write everywhere, so it becomes nobody for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.fixture
def closed_folder(tmp_path):
    tmp_path.chmod(0o500)
    return tmp_path


def test_a_folder_that_cannot_be_written_to_is_told(closed_folder, not_root):
    with pytest.raises(Problem, match="Nothing can be written to the folder"):
        problems.check_writable(closed_folder)


# --- The whole preparation, of a small house and without a network

BACKEND = """
import zipfile
from pathlib import Path


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    info = "turvakaart-0.1.0.dist-info"
    name = "turvakaart-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("turvakaart.pth", str(Path.cwd()))
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: turvakaart\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def a_wheel(folder):
    """A package of one module; answers its line for a lock."""
    folder.mkdir(parents=True)
    info = "brick-1.0.dist-info"
    file = folder / "brick-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("brick.py", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: brick\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"brick==1.0 \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def a_root(root):
    (root / "webmap" / "assets").mkdir(parents=True)
    (root / "webmap" / "assets" / "package.json").write_text("{}")
    (root / "webmap" / "assets" / "package-lock.json").write_text("{}")
    (root / "webmap" / "assets" / "manifest.json").write_text("{}")
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (root / "scripts").mkdir()
    for name in COMMANDS:
        shutil.copy(ROOT / "scripts" / name, root / "scripts" / name)
    line = a_wheel(root / "wheels")
    for name in LOCKS:
        (root / "scripts" / name).write_text(line)
    return root


def preparing(root, **settings):
    """Starts prepare.py with a package index of our own, or none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env = {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", **settings}
    line = [sys.executable, str(root / "scripts" / "prepare.py")]
    return subprocess.Popen(line, env=env, stderr=subprocess.PIPE, text=True)


def finished(process):
    _, told = process.communicate(timeout=180)
    return process.returncode, told


@pytest.mark.slow
def test_two_starts_at_once_prepare_once_and_a_rebuild_mends_what_was_cut_short(tmp_path):
    root = a_root(tmp_path / "house")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(root / "wheels")}

    both = [preparing(root, **offline) for _ in range(2)]
    found = [finished(each) for each in both]

    assert [code for code, _ in found] == [0, 0]
    told = "".join(text for _, text in found)
    assert told.count("[1/4] Making the Python environment … done") == 1
    assert told.count("[2/4] Installing 1 packages … done") == 1
    assert told.count("Another start is preparing this folder") == 1
    house = House(root)
    assert subprocess.call([house.python, "-c", "import brick, backend"]) == 0
    assert finished(preparing(root)) == (0, "")

    house.changing.touch()
    (house.venv / "pyvenv.cfg").unlink()
    code, told = finished(preparing(root, **offline))

    assert (code, told.count("Making the Python environment … done")) == (0, 1)
    assert prepare.missing(house) == []


@pytest.mark.slow
def test_without_a_network_the_sentence_says_so_and_the_environment_stays(tmp_path):
    root = a_root(tmp_path / "house")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: every connection is refused
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        code, told = finished(preparing(root, PIP_INDEX_URL=index, no_proxy="127.0.0.1"))

    assert code == problems.NETWORK
    assert "there is no connection to the package index" in told
    assert "Traceback" not in told
    assert prepare.missing(House(root)) == [PACKAGES, LINK, ASSETS]
