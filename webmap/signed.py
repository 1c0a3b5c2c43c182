"""Links that let somebody without an account say one thing: signed, expiring, each of one issue.

The key is the instance's own secret (its file `privacy.key`), so that several machines share it; an instance
without one gets a key file in the state folder at first use, which only its owner may read.
"""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from layers.catalog import KEY_FILE, Instance
from layers.errors import N_, Invalid

_SALT = "confirm-link"
_NAME = "links.key"


class Forged(Invalid):
    text = N_("This link is not one of ours, or a part of it is missing. Copy it whole from the letter.")


@dataclass(frozen=True)
class Link:
    """What a link says: the organisation, the number of its issue, and the last day on which it works."""

    body: str
    issue: str
    until: date


def key(instance: Instance, state: Path) -> bytes:
    """The key with which links are signed.

    Raises:
        OSError: it can be neither read nor made.
    """
    own = instance.folder / KEY_FILE
    if own.is_file() and (found := own.read_bytes().strip()):
        return found
    file = state / _NAME
    if not file.exists():
        _make(file)
    return file.read_bytes()


def _make(file: Path) -> None:
    """Makes a key file, whole from its first moment on; of two at once the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
        made.write(secrets.token_hex(32).encode())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def sign(secret: bytes, body: str, *, until: date) -> str:
    """A new link's token; every call is an issue of its own."""
    issue = secrets.token_urlsafe(9)
    return str(_signer(secret).dumps([body, issue, until.isoformat()]))


def read(secret: bytes, token: str) -> Link:
    """What a token says; whether its time is over is for the asker to see.

    Raises:
        Forged: it was not signed with this key.
    """
    try:
        body, issue, until = _signer(secret).loads(token)
        return Link(str(body), str(issue), date.fromisoformat(until))
    except (BadData, ValueError, TypeError) as error:
        raise Forged from error


def _signer(secret: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256})


def blurred(secret: bytes, text: str) -> str:
    """A keyed hash that nobody without the key can lead back to the text."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:24]
