"""What may go wrong while preparing and starting, as whole sentences with a remedy and an exit code.

Standard library only and Python 3.9 syntax, as in prepare.py.
"""

from __future__ import annotations

import errno
import importlib.util
import re
import sys
import tempfile
from pathlib import Path
from typing import Callable

OLDEST = (3, 11)
FAILED, USAGE, PYTHON, NETWORK, DISK, FOLDER, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130


class Problem(Exception):
    """Something the person can mend: whole sentences, and the exit code."""

    def __init__(self, text: str, *, code: int = FAILED) -> None:
        super().__init__(text)
        self.code = code


# --- Checks before any work


def check_python(version: tuple[int, int]) -> None:
    if version[:2] < OLDEST:
        text = (
            "Turvakaart needs Python {}.{} or newer, and this is Python {}.{}. "
            "Install a newer Python and start again with it, for example: python3.12 scripts/serve.py"
        )
        raise Problem(text.format(*OLDEST, *version), code=PYTHON)


def check_venv_module(
    version: tuple[int, int], *, find: Callable[[str], object] = importlib.util.find_spec
) -> None:
    # Debian ships venv without the ensurepip that it needs.
    if find("venv") is None or find("ensurepip") is None:
        text = (
            "This Python cannot make a virtual environment: its venv module is not complete. "
            "On Debian and Ubuntu, install it with: sudo apt install python{}.{}-venv"
        )
        raise Problem(text.format(*version), code=PYTHON)


def check_writable(root: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise explained(error, folder=root) from error


def check_space(free_mb: int, *, needed_mb: int) -> None:
    if free_mb < needed_mb:
        text = (
            "The disk is too full: the installation needs about {} MB, and {} MB are free. "
            "Make room and start again."
        )
        raise Problem(text.format(needed_mb, free_mb), code=DISK)


# --- Failures, as sentences


def explained(error: OSError, *, folder: Path) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return full_disk()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return read_only(folder)
    return Problem(f"The preparation failed: {error}.")


def full_disk() -> Problem:
    text = "The disk is full. Make room (about 1 GB) and start again; what is half done is redone."
    return Problem(text, code=DISK)


def read_only(folder: Path) -> Problem:
    text = (
        "Nothing can be written to the folder {}, and Turvakaart is not installed there yet. "
        "Copy Turvakaart to a folder of your own, or ask its owner to start it once."
    )
    return Problem(text.format(folder), code=FOLDER)


# What pip and npm print. The order matters: a full disk also looks like a failed download.
SIGNS = (
    (r"No space left on device|Errno 28\b|ENOSPC|Disk quota exceeded|EDQUOT", "disk"),
    (r"Permission denied|Errno 13\b|EACCES|EPERM|Read-only file system|EROFS", "folder"),
    (r"DO NOT MATCH THE HASHES|EINTEGRITY", "changed"),
    (
        r"NewConnectionError|Connection refused|Connection broken|Connection reset|ProxyError"
        r"|Name or service not known|Temporary failure in name resolution|Network is unreachable"
        r"|getaddrinfo|Read timed out|ReadTimeout|ConnectTimeout|Max retries exceeded|SSLError"
        r"|Could not fetch URL|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH",
        "network",
    ),
    (r"No matching distribution found for (?P<name>\S+)", "build"),
)


def sign(output: str) -> tuple[str, re.Match[str] | None]:
    for pattern, kind in SIGNS:
        match = re.search(pattern, output)
        if match:
            return kind, match
    return "", None


def explained_output(output: str, *, folder: Path) -> Problem:
    kind, match = sign(output)
    if match is None:
        tail = "\n".join(output.strip().splitlines()[-15:])
        return Problem(f"The preparation failed. The last lines were:\n{tail}")
    if kind == "disk":
        return full_disk()
    if kind == "folder":
        return read_only(folder)
    if kind == "network":
        text = (
            "The packages could not be fetched: there is no connection to the package index. "
            "Check the network (and proxy) and start again; this is needed only once."
        )
        return Problem(text, code=NETWORK)
    if kind == "changed":
        return Problem(
            "A fetched package is not the one this version of Turvakaart was tested with, "
            "so nothing of it was installed. Start again; if it stays so, tell the developers."
        )
    text = "There is no ready-made build of {} for this system ({}, Python {}.{})."
    return Problem(text.format(match.group("name"), sys.platform, *sys.version_info[:2]))
