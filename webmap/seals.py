"""Texts that only their maker can have made, and the key of this installation.

What goes to a browser and comes back is sealed with the token of that browser's own cookie: no other one can
use it, and nothing has to be kept here. What the store keeps of addresses and persons is digested with a key
that lies outside the store, and what it has to read again is locked with it. It is the only door to
cryptography.
"""

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from layers import disk
from layers.errors import N_, Unavailable

_KEY_BYTES = 32
_NONCE_BYTES = 12


class NoKey(Unavailable):
    text = N_("The key of this installation cannot be read or made: {reason}.")


def sealed(key: str, purpose: str, text: str) -> str:
    """A text with its seal behind a dot; the text itself stays readable."""
    return f"{text}.{derived(key, purpose, text)}"


def opened(key: str, purpose: str, made: str) -> str | None:
    """The text of `sealed`; None when it was made by anybody else, or for another purpose."""
    text = made.rpartition(".")[0]
    is_ours = hmac.compare_digest(sealed(key, purpose, text).encode(), made.encode())
    return text if key and is_ours else None


def locked(key: str, purpose: str, text: str) -> str:
    """A text that nobody can read or change without the key: AES-GCM, under a key of this purpose alone."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    made = nonce + AESGCM(_own_key(key, purpose)).encrypt(nonce, text.encode(), None)
    return urlsafe_b64encode(made).decode()


def unlocked(key: str, purpose: str, made: str) -> str | None:
    """The text of `locked`; None when it was locked with another key, for another purpose, or changed."""
    try:
        raw = urlsafe_b64decode(made.encode())
        text = AESGCM(_own_key(key, purpose)).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
        return text.decode()
    except (ValueError, InvalidTag):
        return None


def _own_key(key: str, purpose: str) -> bytes:
    return hmac.digest(key.encode(), f"lock\0{purpose}".encode(), "sha256")


def derived(key: str, purpose: str, text: str) -> str:
    """43 letters that nobody can know who does not have the key."""
    made = hmac.digest(key.encode(), f"{purpose}\0{text}".encode(), "sha256")
    return urlsafe_b64encode(made).rstrip(b"=").decode()


def network(address: str) -> str:
    """The address from which one asks as it is counted: an IPv6 customer has a whole network of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Address(int(found) >> 64 << 64))
    return str(found)


def key(file: Path) -> str:
    """The key in a file, which is made when it is not there; by two at once it is made once.

    Raises:
        NoKey: it can be neither read nor made, or it is too short to be one.
    """
    try:
        if not file.exists():
            _make(file)
        found = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise NoKey(reason=f"{file.name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise NoKey(reason=f"{file.name}: it is no text") from error
    if len(found) < _KEY_BYTES:
        raise NoKey(reason=f"{file.name}: {len(found)} < {_KEY_BYTES}")
    return found


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    disk.sweep(file.parent, f"{file.name}.*")
    new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as made:
        made.write(secrets.token_urlsafe(_KEY_BYTES))
        made.flush()
        os.fsync(made.fileno())
    try:
        # Unlike a rename, a link never takes the place of a key that another process has just made.
        with suppress(FileExistsError):
            file.hardlink_to(new)
    finally:
        new.unlink()
    disk.reach(file.parent)  # Another key would lose every link and person.
