"""What a written text is made of: its sections, the links in it, its contacts, and how hard it reads.

A text is Markdown. Its parts are told by their headings of the second level, which the instance names for
each kind of text and language: that is how people write anyway, a heading cannot come loose from what it
heads, and a reader of the bare file sees what a reader of the page sees.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layers.catalog import Words

Headings = Mapping[str, Words]
"""The parts of one kind of text in their order: key -> the heading by language."""

LINK = re.compile(r"\]\((case|practice|body):([a-z0-9-]+)\)")
"""A link inside the house: what it points to, and the key."""

_HEADING = re.compile(r"## +(.+?) *")
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.\w+|\btel\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.,/+-])\+?\d(?:[ -]?\d)+(?![\w/-]|[.,]\d)")
_ADDRESS = re.compile(r"\((?:https?://|case:|practice:|body:)[^)]*\)")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")
_DAY = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15  # Of a telephone number; E.164 allows no more.
_MARKUP = re.compile(r"[*_`#>|]|^\s*(?:[-+]|\d+\.)\s+", re.MULTILINE)
_WORD = re.compile(r"\w+(?:[-’'.,]\w+)*")
_END = re.compile(r"[.!?:]+(?=[”»\")]*\s+[„“«(]*[A-ZÀ-ÖØ-ÞŠŽА-Я\d])")
_LONG = 6


@dataclass(frozen=True)
class Section:
    """One part of a text. `line` counts from the text's first line, which is 1."""

    heading: str
    line: int
    body: str


@dataclass(frozen=True)
class Mention:
    """A link inside the house: the kind of thing, its key, and the line of the text."""

    kind: str
    key: str
    line: int


@dataclass(frozen=True)
class Reading:
    """How hard a text reads. `lix` is 0 where there is no word."""

    words: int
    sentences: int
    long_words: int

    @property
    def lix(self) -> float:
        """Words in a sentence, and long words in a hundred: 30 is light, 40 usual, 50 official, 60 heavy.

        C.-H. Björnsson's *läsbarhetsindex* of 1968: words / sentences + 100 · long words / words, where a
        word is long with more than six letters. It counts no syllables, so it serves languages for which no
        such count is made; but a language of long words scores higher than one of short words for the same
        thing (Estonian some ten points above English). Compare texts of one language only.
        """
        if not self.words:
            return 0.0
        return self.words / max(self.sentences, 1) + 100 * self.long_words / self.words


def sections(text: str) -> list[Section]:
    """The parts of a text by their headings of the second level; what stands before the first is left out."""
    lines = text.split("\n")
    starts = [at for at, line in enumerate(lines) if _HEADING.fullmatch(line)]
    return [
        Section(_title(lines[at]), at + 1, "\n".join(lines[at + 1 : end]).strip())
        for at, end in zip(starts, [*starts, len(lines)][1:], strict=True)
    ]


def _title(line: str) -> str:
    found = _HEADING.fullmatch(line)
    return found[1] if found else ""


def parts(text: str, headings: Headings, language: str) -> dict[str, Section]:
    """The parts that the instance knows, by their key and in the instance's order."""
    there = {section.heading: section for section in sections(text)}
    wanted = {key: words.get(language, "") for key, words in headings.items()}
    return {key: there[heading] for key, heading in wanted.items() if heading in there}


def mentions(text: str) -> list[Mention]:
    """Every link inside the house, in the order of the text."""
    return [
        Mention(found[1], found[2], number)
        for number, line in enumerate(text.split("\n"), start=1)
        for found in LINK.finditer(line)
    ]


def contacts(text: str) -> Iterator[tuple[int, str]]:
    """What looks like an e-mail address or a telephone number, or announces one (tel), each with its line.

    A number of seven to fifteen digits counts, unless it is a great number in groups of three, a day, or a
    row of years. Numbers inside the addresses of links are none of ours.
    """
    for number, line in enumerate(_ADDRESS.sub("", text).split("\n"), start=1):
        yield from ((number, found[0]) for found in _MAIL.finditer(line))
        yield from ((number, found[0]) for found in _NUMBER.finditer(line) if _is_telephone(found[0]))


def _is_telephone(number: str) -> bool:
    first, *others = re.split("[ -]", number.removeprefix("+"))
    if not _FEWEST_DIGITS <= sum(len(group) for group in (first, *others)) <= _MOST_DIGITS:
        return False
    if number.startswith("+"):
        return True
    is_grouped = bool(others) and len(first) <= 3 and all(len(group) == 3 for group in others)
    are_years = all(_YEAR.fullmatch(group) for group in (first, *others))
    return not (is_grouped or are_years or _DAY.fullmatch(number))


def reading(text: str) -> Reading:
    """What a reader meets: headings are left out, and a line that stands for itself is a sentence."""
    said = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    plain = _MARKUP.sub(" ", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", said))
    lines = [line for line in plain.split("\n") if _WORD.search(line)]
    words = [word for line in lines for word in _WORD.findall(line)]
    return Reading(
        words=len(words),
        sentences=sum(1 + len(_END.findall(line)) for line in lines),
        long_words=sum(sum(map(str.isalpha, word)) > _LONG for word in words),
    )
