"""Paper: a card of one A4 page, documents of many and slides, set by Typst.

Typst is one wheel without system libraries (WeasyPrint needs Pango), writes tagged PDF/UA in the language of
the page (ReportLab and fpdf2 do not), measures what it sets, and reads texts as data, never as markup. Equal
words give equal bytes: it reads no clock, and its identifiers are hashes of the content.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst

_HERE = Path(__file__).parent
_SHEETS = {name: _HERE / "templates" / f"{name}.typ" for name in ("card", "document", "slides")}
_FONTS = _HERE / "static" / "vendor" / "inter"


SMALLEST = 7


def size(words: Mapping[str, Any], *, smallest: int = SMALLEST) -> int | None:
    """Which size of the sheet holds the words on one page, 0 the largest; None where none does."""
    answer = _compiler(words, smallest=str(smallest)).query("<fits>", field="value", one=True)
    found: int | None = json.loads(answer)
    return found


def pdf(words: Mapping[str, Any], *, sheet: str = "card") -> bytes:
    """The card, or a document, as PDF/UA-1; plain tagged PDF where a name has letters that the font lacks."""
    compiler = _compiler(words, sheet=sheet)
    try:
        made = compiler.compile(format="pdf", pdf_standards="ua-1")
    except typst.TypstError:
        made = compiler.compile(format="pdf")
    if not isinstance(made, bytes):
        raise TypeError("One sheet makes one file.")
    return made


def _compiler(words: Mapping[str, Any], *, sheet: str = "card", **more: str) -> typst.Compiler:
    """A new one each time: one alone keeps its words between calls, and threads share the rest anyway."""
    said = {sheet: json.dumps(words, ensure_ascii=False, sort_keys=True), **more}
    file = _SHEETS[sheet]
    return typst.Compiler(file, root=file.parent, font_paths=_fonts(), sys_inputs=said)


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FONTS)])
