"""Two texts → what of each differs, word by word, so that one changed sentence does not strike out a page."""

import re
from difflib import SequenceMatcher

Pieces = list[tuple[str, bool]]
"""Parts of a text in their order, each with whether it differs from the other text."""
_WORDS = re.compile(r"\s+|\S+")
_SHORT = 80  # Letters: a name or a title is read faster whole.
_MOST = 4_000  # Words: to compare more takes longer than to read it.
_ALIKE = 0.5


def pieces(before: str, after: str) -> tuple[Pieces, Pieces]:
    """The texts apart; whole where they are short, very long, or less than half the same."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    whole = [(before, True)] if before else [], [(after, True)] if after else []
    if min(len(before), len(after)) < _SHORT or max(len(old), len(new)) > _MOST:
        return whole
    compared = SequenceMatcher(None, old, new, autojunk=False)
    if compared.ratio() < _ALIKE:
        return whole
    told: tuple[Pieces, Pieces] = [], []
    for what, start, end, other, last in compared.get_opcodes():
        for words, found in ((old[start:end], told[0]), (new[other:last], told[1])):
            if words:
                found.append(("".join(words), what != "equal"))
    return told
