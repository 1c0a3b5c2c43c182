"""Letters as a search compares them: small, without marks, and in Latin script.

Russian names of Estonian places follow the ear: ы is õ, я after a consonant is ä, ю is ü, й within a word
is i. Since marks are folded away afterwards, the table names the bare letters.
"""

import re
import unicodedata

_RUSSIAN = str.maketrans(
    {
        **dict(zip("абвгдежзийклмнопрстуфхыэ", "abvgdezsiiklmnoprstufhoe", strict=True)),
        **{"ц": "ts", "ч": "ts", "ш": "s", "щ": "sts", "ъ": "", "ь": "", "ё": "o", "ю": "u", "я": "a"},
    }
)
_CONSONANT = "бвгджзклмнпрстфхцчшщ"
# Elsewhere than after a consonant these begin with a j: Ярве is Järve, Вильянди is Viljandi.
_WITH_J = re.compile(f"(?<![{_CONSONANT}])(?=[ёюя])|(?<=[ьъ])(?=[еи])")
_SHORT_I = re.compile(r"\bй|й(?=ы)")


def fold(text: str) -> str:
    """Small letters without their marks, words parted by one space: Põhja-Sakala is pohja sakala.

    Cyrillic is written in Latin letters: Хаапсалу is haapsalu. A y becomes u, as ü does: Tyri is how one
    writes Türi where a keyboard has no ü.
    """
    small = unicodedata.normalize("NFKC", text).casefold()
    latin = _from_cyrillic(unicodedata.normalize("NFKC", small))
    plain = unicodedata.normalize("NFKD", latin)
    letters = "".join(mark if mark.isalnum() else " " for mark in plain if not unicodedata.combining(mark))
    return " ".join(letters.replace("y", "u").split())


def _from_cyrillic(text: str) -> str:
    if text.isascii():
        return text
    return _WITH_J.sub("j", _SHORT_I.sub("j", text)).translate(_RUSSIAN)
