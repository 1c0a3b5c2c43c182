"""Bytes → the encoding they were written in, judged by the letters that come out.

UTF-8 proves itself: other text is almost never valid UTF-8. Of the old single-byte encodings none does, so
each is tried, and the one wins that makes letters of languages written here and no signs inside words.
"""

import codecs
import re
from collections.abc import Sequence

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LATIN = ("cp1257", "cp1252", "iso8859-15", "cp775", "cp850", "cp1250", "mac-roman")
_CYRILLIC = ("cp1251", "koi8-r", "cp866")
_HOME = frozenset("õäöüšžÕÄÖÜŠŽ")
_NEAR = frozenset("åÅæÆøØßéÉāčēģīķļņūĀČĒĢĪĶĻŅŪąęėįųĄĘĖĮŲ")
_FAR = frozenset("àáâãèêëìíîïñòóôùúûýÿçÀÁÂÃÈÊËÌÍÎÏÑÒÓÔÙÚÛÝÇłŁńŃśŚźŹżŻćĆđĐřŘěĚůŮťŤďĎňŇőŐűŰ")
_PRINT = frozenset("\u00a0–—‘’“”„«»…•§°²³½¼¾€£·¹®©™№′″×±µ")
_WORD = re.compile(r"[^\W\d_]+")


def marked(start: bytes) -> str:
    """The encoding that a byte-order mark tells; "" without one."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")


def unmarked_wide(start: bytes) -> str:
    """UTF-16 without a mark: every second byte of Western text is then a zero."""
    if len(start) < 4:
        return ""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if odd > 0.4 * len(start) / 2 and even < odd / 10:
        return "utf-16-le"
    if even > 0.4 * len(start) / 2 and odd < even / 10:
        return "utf-16-be"
    return ""


def guessed(samples: Sequence[bytes]) -> str:
    """The encoding of texts that are not UTF-8; `samples` are lines or cells with bytes above 127."""
    raw = b"\n".join(samples)
    scores = {name: _score(raw, name) for name in (*_LATIN, *_CYRILLIC)}
    return max(scores, key=lambda name: scores[name])


def _score(raw: bytes, encoding: str) -> float:
    text = raw.decode(encoding, errors="replace")
    others = [character for character in text if character > "\x7f"]
    if not others:
        return 0.0
    score = sum(_worth(character, encoding) for character in others)
    score -= 3.0 * sum(_broken(word) for word in _WORD.findall(text))
    # A sign between two letters was a letter.
    score -= 3.0 * len(re.findall(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’‘´`·\u00a0–—](?=[^\W\d_])", text))
    return score / len(others)


def _worth(character: str, encoding: str) -> float:
    if encoding in _CYRILLIC:
        # Text is mostly small letters: that tells these encodings from each other.
        return (
            (2.0 if "а" <= character <= "я" else 1.2) if "а" <= character.lower() <= "ё" else _sign(character)
        )
    if character in _HOME:
        return 2.0
    if character in _NEAR:
        return 1.6
    return 1.2 if character in _FAR else _sign(character)


def _sign(character: str) -> float:
    if character in _PRINT:
        return 0.9
    return -4.0 if character == "\ufffd" or "\x80" <= character < "\xa0" else -1.5


def _broken(word: str) -> int:
    """Whether a word is none: small and great letters changing within, or scripts mixed, or foreign runs."""
    strange = [character > "\x7f" for character in word]
    if not any(strange):
        return 0
    cyrillic = ["а" <= character.lower() <= "ё" for character in word]
    if any(cyrillic):
        return int(not all(cyrillic) or (word[1:] != word[1:].lower() and word != word.upper()))
    if word[1:] != word[1:].lower() and word != word.upper():
        return 1
    return int(len(word) > 3 and sum(strange) > 0.7 * len(word))


def better(guess: str, declared: str, samples: Sequence[bytes]) -> bool:
    """Whether a guess makes clearly better letters than what a file declares; differences must be seen."""
    raw = b"\n".join(samples)
    if raw.decode(guess, errors="replace") == raw.decode(declared, errors="replace"):
        return False
    return _score(raw, guess) > _score(raw, declared) + 0.05
