"""Paper: one A4 page set by Typst, and QR codes as shapes.

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
_SHEET = _HERE / "templates" / "card.typ"
_FONTS = _HERE / "static" / "vendor" / "inter"


SMALLEST = 7


def size(words: Mapping[str, Any], *, smallest: int = SMALLEST) -> int | None:
    """Which size of the sheet holds the words on one page, 0 the largest; None where none does."""
    answer = _compiler(words, smallest=str(smallest)).query("<fits>", field="value", one=True)
    found: int | None = json.loads(answer)
    return found


def pdf(words: Mapping[str, Any]) -> bytes:
    """The sheet as PDF/UA-1; plain tagged PDF where a name has letters that the font does not have."""
    compiler = _compiler(words)
    try:
        made = compiler.compile(format="pdf", pdf_standards="ua-1")
    except typst.TypstError:
        made = compiler.compile(format="pdf")
    if not isinstance(made, bytes):
        raise TypeError("One sheet makes one file.")
    return made


def _compiler(words: Mapping[str, Any], **more: str) -> typst.Compiler:
    """A new one each time: one alone keeps its words between calls, and threads share the rest anyway."""
    sheet = {"card": json.dumps(words, ensure_ascii=False, sort_keys=True), **more}
    return typst.Compiler(_SHEET, root=_SHEET.parent, font_paths=_fonts(), sys_inputs=sheet)


@lru_cache(maxsize=1)
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FONTS)])
