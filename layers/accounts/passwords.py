"""Which password is good enough, and how one is kept. It is the only door to argon2.

Its length is what counts, so there is no rule of composition: any characters, from 12 to 128, in the form
NFKC, in which two keyboards write the same text alike. What is refused besides is what others try first: the
commonest passwords, rows of keys and of the alphabet, and the account's own name.
"""

import re
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from layers.errors import N_, Invalid, Unavailable

SHORTEST, LONGEST = 12, 128
_LIST = Path(__file__).with_name("common.txt")
_ROWS = (
    "0123456789012345678901234567890",
    "1234567890qwertyuiopasdfghjklzxcvbnm",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopüõasdfghjklöäzxcvbnm",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "йцукенгшщзхъфывапролджэячсмитьбю",
)
_LOOKALIKES = str.maketrans("013457@$!", "oieastasi")
_SHORT_NAME = 4
# Each check takes 64 MiB: more at once than this would let strangers fill the memory.
_AT_ONCE = threading.BoundedSemaphore(3)
_PATIENCE_S = 10.0
# Made with the parameters in use, of a text that nobody knows: what it costs to find no account.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$nyACuuaMNxTCqp7UMiNl1Q$uk29zbvU8v9YDto+L1zsI2iHW7wlqLVaE0HU9+xeSQI"


class TooShort(Invalid):
    text = N_("A password has at least {shortest} characters. Several words in a row are easy to remember.")


class TooLong(Invalid):
    text = N_("A password has at most {longest} characters.")


class TooCommon(Invalid):
    text = N_("This password is among those that are tried first. Choose one that nobody else would.")


class HoldsName(Invalid):
    text = N_("A password must not be made of the name with which you sign in.")


class TooMany(Unavailable):
    text = N_("Too many people are signing in just now. Try again in a moment.")


def checked(password: str, *, name: str) -> str:
    """The password as it is kept and compared, in NFKC.

    Raises:
        TooShort, TooLong, TooCommon, HoldsName: it will not do.
    """
    plain = _plain(password)
    if len(plain) < SHORTEST:
        raise TooShort(shortest=SHORTEST)
    if len(plain) > LONGEST:
        raise TooLong(longest=LONGEST)
    if _is_of_name(plain.casefold(), name):
        raise HoldsName
    if _is_common(plain.casefold()):
        raise TooCommon
    return plain


def hashed(password: str, *, salt: bytes) -> str:
    """A password as argon2 keeps it; `salt` are 16 random bytes."""
    with _in_turn():
        return _hasher().hash(_plain(password), salt=salt)


def matches(kept: str, password: str) -> bool:
    """Whether this is the password; where none is kept (""), it takes as long to say no."""
    with _in_turn():
        try:
            return _hasher().verify(kept or _NOBODY, _plain(password)) and bool(kept)
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether argon2 would keep it otherwise today."""
    return _hasher().check_needs_rehash(kept)


@contextmanager
def _in_turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_PATIENCE_S):
        raise TooMany
    try:
        yield
    finally:
        _AT_ONCE.release()


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def _plain(password: str) -> str:
    # One character can become eighteen, so what is far too long is not even looked at.
    return unicodedata.normalize("NFKC", password[: 8 * LONGEST])


def _is_of_name(text: str, name: str) -> bool:
    """Whether little is left when the parts of the name are taken away."""
    left = text
    for part in sorted({name, *re.split(r"[^\w]+", name)}, key=len, reverse=True):
        if len(part) >= _SHORT_NAME:
            left = left.replace(part.casefold(), "")
    return left != text and len(re.sub(r"[\W_]+", "", left)) < SHORTEST // 2


def _is_common(text: str) -> bool:
    middle = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", text)
    return bool({_core(text), _core(middle.translate(_LOOKALIKES))} & _common()) or _is_row(text)


def _core(text: str) -> str:
    """What is left without digits, signs and blanks, and of a text that repeats itself, once."""
    letters = re.sub(r"[\W\d_]+", "", text)
    repeated = re.fullmatch(r"(.+?)\1+", letters)
    return repeated[1] if repeated else letters


def _is_row(text: str) -> bool:
    """Whether it is made of few characters, repeats something short, or follows a row of keys."""
    if len(set(text)) < 4 or re.fullmatch(r"(.{1,5}?)\1+.{0,4}", text):
        return True
    return any(text in row * 2 or text[::-1] in row * 2 for row in _ROWS)


@cache
def _common() -> frozenset[str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(_core(line.casefold()) for line in lines if line and not line.startswith("#"))
