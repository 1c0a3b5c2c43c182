"""A cell as people write it → the text that the instance's own files would hold, and what was done to it."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from layers import letters
from layers.errors import N_, Sentence

_DMS = re.compile(
    r"""(?P<before>[NSEW])?\s*(?P<d>\d{1,3})\s*[°º]\s*(?:(?P<m>\d{1,2}(?:[.,]\d+)?)\s*['′’]\s*)?"""
    r"""(?:(?P<s>\d{1,2}(?:[.,]\d+)?)\s*["″”]\s*)?(?P<after>[NSEW])?""",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d{3,}(?:\.\d+)?)\s*[-–]\s*(\d{3,}(?:\.\d+)?)")
_DAY_FIRST = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})(?:[ T].*)?")
_MONTH_FIRST = re.compile(r"(\d{1,2})[./](\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[./-](\d{1,2})(?:[./-](\d{1,2}))?(?:[ T].*)?")
# What spreadsheets and old databases write where no date is known.
_NO_DAY = ("1899-12-30", "1899-12-31", "1900-01-00", "1900-01-01", "0000-00-00", "9999-12-31")
# The day 0 of a spreadsheet, whose numbers of days reach so far for the years 1950 to 2100.
_DAY_0, _DAYS = date(1899, 12, 30), (18264, 73415)


@dataclass(frozen=True)
class Read:
    """A cell as the instance's files would hold it; `told` says what was done, None where nothing was."""

    text: str
    told: Sentence | None = None


def number(text: str) -> Read:
    """A number or an angle with a decimal point; the text itself where it is none."""
    plain = text.replace("\u00a0", " ").replace("−", "-").strip()
    if found := _RANGE.fullmatch(plain):
        low, high = (float(part) for part in found.groups())
        if low < high:
            middle = f"{(low + high) / 2:g}" if high < 1e6 else f"{(low + high) / 2:.1f}"
            said = Sentence("“{text}” is a span: its middle {value} is used.", text=text, value=middle)
            return Read(middle, said)
    if (found := _DMS.fullmatch(plain)) and "°" in plain.replace("º", "°"):
        degrees = _degrees(found.groupdict())
        return Read(degrees, Sentence("“{text}” was read as {value} degrees.", text=text, value=degrees))
    bare = plain.replace(" ", "").replace("'", "")
    if re.fullmatch(r"[-+]?\d+,\d+", bare):
        value = bare.replace(",", ".")
        return Read(value, Sentence("“{text}” has a decimal comma: read as {value}.", text=text, value=value))
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    return Read(bare if re.fullmatch(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", bare) else text)


def _degrees(found: Mapping[str, str | None]) -> str:
    parts = [float((found[name] or "0").replace(",", ".")) for name in ("d", "m", "s")]
    degrees = parts[0] + parts[1] / 60 + parts[2] / 3600
    side = (found["before"] or found["after"] or "").upper()
    return f"{-degrees if side in ('S', 'W') else degrees:.6f}".rstrip("0").rstrip(".")


def day(text: str) -> Read:
    """A partial date as 2018-05-29; the text itself where it is none."""
    value = text.strip()
    if value[:10] in _NO_DAY:
        said = Sentence("“{text}” is what programs write where no date is known: left blank.", text=text)
        return Read("", said)
    if value.isascii() and value.isdigit() and _DAYS[0] <= int(value) <= _DAYS[1]:
        told = (_DAY_0 + timedelta(days=int(value))).isoformat()
        return Read(
            told, Sentence("“{text}” is a spreadsheet's day: read as {value}.", text=text, value=told)
        )
    told = _told_day(value)
    if told and told != value.partition("T")[0].partition(" ")[0]:
        return Read(told, Sentence("“{text}” was read as the date {value}.", text=text, value=told))
    return Read(told or text)


def _told_day(value: str) -> str:
    if found := _DAY_FIRST.fullmatch(value):
        return f"{found[3]}-{int(found[2]):02}-{int(found[1]):02}"
    if found := _MONTH_FIRST.fullmatch(value):
        return f"{found[2]}-{int(found[1]):02}"
    if found := _YEAR_FIRST.fullmatch(value):
        return "-".join([found[1], *(f"{int(part):02}" for part in found.groups()[1:] if part)])
    return ""


def code(text: str, codes: Mapping[str, Any]) -> Read:
    """A code of the instance from itself or its label in any language; the text itself where it is none."""
    if not text or text in codes:
        return Read(text)
    wanted = letters.fold(text)
    fitting = [
        key
        for key, words in codes.items()
        if wanted in {letters.fold(key), *(letters.fold(str(word)) for word in _labels(words))}
    ]
    if len(fitting) != 1:
        return Read(text)
    return Read(fitting[0], Sentence("“{text}” was read as the code {value}.", text=text, value=fitting[0]))


def _labels(words: Any) -> Iterable[Any]:
    return words.values() if isinstance(words, Mapping) else (words,)


def codes_of(text: str, codes: Mapping[str, Any]) -> Read:
    """Several codes, parted by a semicolon, a comma or a line."""
    parts = [code(part.strip(), codes) for part in re.split(r"[;,|\n]", text) if part.strip()]
    told = next((part.told for part in parts if part.told), None)
    joined = ";".join(dict.fromkeys(part.text for part in parts))
    if told is None and joined != text:
        told = Sentence("“{text}” was read as the codes {value}.", text=text, value=joined)
    return Read(joined, told)


def web(text: str) -> Read:
    """A web address with its scheme."""
    if re.fullmatch(r"(www\.)[\w.-]+\.\w{2,}(/\S*)?", text):
        value = f"https://{text}"
        return Read(value, Sentence("“{text}” was read as the address {value}.", text=text, value=value))
    return Read(text)


def is_blank(text: str, blanks: Collection[str]) -> bool:
    """Whether a cell says that nothing is known."""
    return text.casefold().strip() in blanks or not text.strip(" \t-–—.?/")


def key_of(words: Sequence[str]) -> str:
    """A key made of words: small letters, digits and hyphens; "" where none has a letter or digit."""
    folded = letters.fold(" ".join(words)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:80].strip("-")


ROLES = {"valid_from": day, "valid_to": day, "as_of": day, "source_url": web, "lat": number, "lon": number}
UNNAMED = N_("A name is missing, and no key can be made.")
