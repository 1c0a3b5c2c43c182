"""Links that let somebody without an account say one thing: signed, expiring, each of one issue.

The key is the instance's own secret (its file `privacy.key`), so that several machines share it; an instance
without one gets a key file in the state folder at first use, which only its owner may read.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from layers.catalog import KEY_FILE, Instance
from layers.errors import N_, Invalid
from webmap import seals

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
        OSError, NoKey: it can be neither read nor made.
    """
    own = instance.folder / KEY_FILE
    if own.is_file() and (found := own.read_bytes().strip()):
        return found
    return seals.key(state / _NAME).encode()


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
