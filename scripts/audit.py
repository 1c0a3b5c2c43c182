"""Asks for known faults of every package in the lock files, looks for secrets, lists the packages.

Ends with 0 when nothing was found, 1 when something was, 3 when nobody could be asked about the packages.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (ROOT / "scripts" / "requirements.lock.txt", ROOT / "scripts" / "requirements-dev.lock.txt")
NPM = ROOT / "webmap" / "assets" / "package-lock.json"
NOTHING, FOUND, NOT_ASKED = 0, 1, 3
_TIMEOUT_S = 600
# Spelled in two parts, so that this file is not found by itself.
_SECRETS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE " + r"KEY-----",
    "a key of AWS": r"\bAKI" + r"A[0-9A-Z]{16}\b",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{50,}\b",
    "a token of Slack": r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a signed token": r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\b",
    "a password in an address": r"\b(?:postgres(?:ql)?(?:\+\w+)?|mysql|redis|amqp|https?)://[^\s:/@\"'{<]+:"
    + r"(?!secret@|password@|word@|pw@|hush-hush@|\*+@)[^\s:/@\"'{<]{3,}@[\w.-]+",
}
Ask = Callable[[Path], "tuple[int, str]"]


def ask(lock: Path) -> tuple[int, str]:
    """The exit code of pip-audit for a lock file, and the JSON that it printed; "" where it could not ask."""
    line = [
        sys.executable,
        "-m",
        "pip_audit",
        "--disable-pip",
        "--require-hashes",
        "--requirement",
        str(lock),
    ]
    line += ["--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 1, ""
    return done.returncode, done.stdout


def faults(said: str) -> list[str] | None:
    """Every known fault in a sentence; None where this is no answer."""
    try:
        found = json.loads(said)["dependencies"]
        return [_fault(one, fault) for one in found for fault in one.get("vulns", ())]
    except (ValueError, KeyError, TypeError):
        return None


def _fault(package: dict[str, Any], fault: dict[str, Any]) -> str:
    mended = ", ".join(fault.get("fix_versions") or ()) or "no version yet"
    names = ", ".join([fault["id"], *fault.get("aliases", ())])
    return f"{package['name']} {package['version']}: {names}; mended in {mended}"


def secrets(files: Iterable[Path]) -> list[str]:
    """Where something looks like a secret: file, line and what it looks like, never the secret itself."""
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # What is no text, or is a link into nowhere.
        for what, pattern in _SECRETS.items():
            for match in re.finditer(pattern, text):
                found.append(f"{file}, line {text.count(chr(10), 0, match.start()) + 1}: {what}")
    return found


def committed(root: Path) -> list[Path]:
    """Every file that is committed."""
    line = ["git", "-C", str(root), "ls-files", "-z"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return [root / name for name in done.stdout.split("\0") if name]


def bill(lock: Path, npm: Path) -> str:
    """Every package of a lock file and of the browser's, as CycloneDX JSON; of equal files equal letters."""
    line = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible", "--of", "JSON"]
    line += ["--pyproject", str(ROOT / "pyproject.toml"), "-o", "-", str(lock)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    made: dict[str, Any] = json.loads(done.stdout)
    made["components"] = sorted(
        [*made.get("components", ()), *_of_browser(npm)], key=lambda one: (one["purl"], one["bom-ref"])
    )
    return json.dumps(made, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _of_browser(npm: Path) -> list[dict[str, Any]]:
    packages = json.loads(npm.read_text(encoding="utf-8"))["packages"]
    named = {key.rpartition("node_modules/")[2]: about for key, about in packages.items() if key}
    return [
        {
            "type": "library",
            "bom-ref": f"npm-{name}@{about['version']}",
            "name": name,
            "version": about["version"],
            "purl": f"pkg:npm/{name.replace('@', '%40')}@{about['version']}",
        }
        for name, about in sorted(named.items())
    ]


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check.py --audit", description=__doc__)
    parser.add_argument(
        "--sbom", type=Path, metavar="FILE", help="write a bill of materials (CycloneDX JSON)"
    )
    parser.add_argument(
        "--look",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="look for secrets here too, as in a log",
    )
    return parser.parse_args(arguments)


def main(arguments: list[str], *, asking: Ask = ask, root: Path = ROOT) -> int:
    known = options(arguments)
    if known.sbom:
        known.sbom.write_text(bill(LOCKS[0], NPM), encoding="utf-8")
        print(f"The bill of materials is in {known.sbom}.")
    seen = secrets([*committed(root), *known.look])
    for one in seen:
        print(f"  looks like a secret: {one}")
    answers = [faults(asking(lock)[1]) for lock in LOCKS]
    told = sorted({one for found in answers for one in found or ()})
    for one in told:
        print(f"  known fault: {one}")
    if None in answers:
        print("Nobody could be asked about the packages: this needs a network. Their faults are not known.")
    if told or seen:
        return FOUND
    if None in answers:
        return NOT_ASKED
    print("No package has a known fault, and nothing looks like a secret.")
    return NOTHING


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
