"""Shows a writer how the texts of an instance read, and what the loader would refuse.

For every case and practice and every language written in full: words, sentences, the share of long words,
and LIX (C.-H. Björnsson's readability index: words in a sentence, plus long words in a hundred; a word is
long with more than six letters). 30 is light, 40 usual, 50 official, 60 heavy; Estonian lies higher than
English for the same thing, so a text is only compared with others of its language. Told apart are those that
lie more than --far points above their median, the ones to read again first.

Exits with 1 when the loader would refuse something; heavy reading alone is advice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from layers import catalog, texts  # noqa: E402
from layers.errors import BadInstance  # noqa: E402
from layers.sources import instance as sources  # noqa: E402
from layers.texts import Reading  # noqa: E402


@dataclass(frozen=True)
class Text:
    """One text in one language."""

    kind: str
    key: str
    language: str
    reading: Reading

    @property
    def said(self) -> str:
        found = self.reading
        share = 100 * found.long_words / max(found.words, 1)
        return f"{found.lix:5.1f}  {found.words:5d} words  {found.sentences:4d} sentences  {share:3.0f}% long"


def read(folder: Path) -> list[Text]:
    """Every text of the instance.

    Raises:
        BadInstance: the loader refuses something.
    """
    found = sources.read(catalog.read_instance(folder), today=datetime.now(UTC).date())
    return [
        Text(source.resource.name, row.key, language, texts.reading(text))
        for source in found
        if source.table in ("case_study", "practice")
        for row in source.rows
        for language, text in sorted(row.values["texts"].items())
    ]


def report(found: Iterable[Text], *, far: float, everything: bool) -> str:
    """Median and outliers of each kind and language, in lines."""
    groups: dict[tuple[str, str], list[Text]] = {}
    for text in found:
        groups.setdefault((text.kind, text.language), []).append(text)
    lines = []
    for (kind, language), group in groups.items():
        middle = median(text.reading.lix for text in group)
        words = median(text.reading.words for text in group)
        lines.append(
            f"{kind}, {language}: {len(group)} texts, median LIX {middle:.0f}, median {words:.0f} words"
        )
        for text in sorted(group, key=lambda text: -text.reading.lix):
            is_heavy = text.reading.lix > middle + far
            if everything or is_heavy:
                lines.append(f"  {text.said}  {text.key}{'  heavy' if is_heavy else ''}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Shows how the texts of an instance read.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "data" / "ee")
    parser.add_argument("--far", type=float, default=8.0, help="LIX points above the median that are heavy")
    parser.add_argument("--all", action="store_true", help="show every text, not only the heavy ones")
    chosen = parser.parse_args(arguments)
    try:
        found = read(chosen.folder)
    except BadInstance as refused:
        print("\n".join(str(problem) for problem in refused.problems))
        print(refused)
        return 1
    print(report(found, far=chosen.far, everything=chosen.all))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
