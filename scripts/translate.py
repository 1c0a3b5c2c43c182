"""Brings the interface's languages up to date: sentences out of the code, into each catalogue, compiled.

Run it after changing a sentence, write the missing translations into messages.po, run it again.
`--check` writes nothing and fails when a sentence is missing or a compiled catalogue is stale.
"""

from __future__ import annotations

import argparse
import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = ROOT / "webmap" / "translations"
METHODS = [("**/templates/**.html", "jinja2"), ("**/templates/**.txt", "jinja2"), ("**.py", "python")]
KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "Sentence": None}


def sentences() -> Catalog:
    """Every sentence of layers and webmap that a person may read."""
    found = Catalog()
    for room in ("layers", "webmap"):
        # In an order of its own: folders are walked as the disk has them.
        for _, _, text, _, _ in sorted(
            extract_from_dir(ROOT / room, METHODS, keywords=KEYWORDS), key=lambda one: one[:2]
        ):
            found.add(text)
    return found


def merged(language: str, wanted: Catalog) -> Catalog:
    """The language's catalogue with exactly the wanted sentences; what is new has no translation yet."""
    file = CATALOGUES / language / "LC_MESSAGES" / "messages.po"
    known = read_po(io.BytesIO(file.read_bytes()), locale=language) if file.exists() else Catalog(language)
    comment = f"# What the interface says: {language}."
    catalogue = Catalog(language, project="Turvakaart", fuzzy=False, header_comment=comment)
    for message in wanted:
        if message.id:
            there = known.get(message.id)
            catalogue.add(message.id, there.string if there else None, flags=message.flags)
    return catalogue


def missing(catalogue: Catalog) -> list[str]:
    def is_said(string: object) -> bool:
        return all(string) if isinstance(string, tuple) else bool(string)

    return [str(message.id) for message in catalogue if message.id and not is_said(message.string)]


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue for the machine: the same bytes for the same words, whatever the hour."""
    catalogue.creation_date = catalogue.revision_date = datetime(2015, 12, 1, tzinfo=UTC)
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


def written(catalogue: Catalog) -> bytes:
    stream = io.BytesIO()
    write_po(stream, catalogue, width=100, omit_header=True)
    header = f'{catalogue.header_comment}\nmsgid ""\nmsgstr ""\n'
    kept = ("Language", "Plural-Forms", "Content-Type")
    header += "".join(f'"{k}: {v}\\n"\n' for k, v in catalogue.mime_headers if k in kept)
    return header.encode() + b"\n" + stream.getvalue()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Brings the interface's languages up to date.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is missing")
    check = parser.parse_args(arguments).check
    wanted, failed = sentences(), False
    for folder in sorted(CATALOGUES.iterdir()):
        catalogue = merged(folder.name, wanted)
        lacking = missing(catalogue)
        print(f"{folder.name}: {len(catalogue)} sentences, {len(lacking)} without a translation")
        print("".join(f"  {text}\n" for text in lacking), end="")
        target = folder / "LC_MESSAGES"
        po, mo = written(catalogue), compiled(read_po(io.BytesIO(written(catalogue)), locale=folder.name))
        if check:
            stale = (target / "messages.mo").read_bytes() != mo or (target / "messages.po").read_bytes() != po
            print("  The catalogue is stale: run scripts/translate.py\n" if stale else "", end="")
            failed = failed or stale or bool(lacking)
        else:
            (target / "messages.po").write_bytes(po)
            (target / "messages.mo").write_bytes(mo)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
