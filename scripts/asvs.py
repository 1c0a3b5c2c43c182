"""Writes what the application security standard asks, and what of it holds, into SECURITY.md."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE, PAGE = ROOT / "data" / "security" / "asvs.csv", ROOT / "SECURITY.md"
STATES = ("holds", "not applicable", "lacking")
CHAPTERS = {
    1: "Encoding and sanitisation",
    2: "Validation and business logic",
    3: "Web frontend",
    4: "API and web service",
    5: "Files",
    6: "Authentication",
    7: "Sessions",
    8: "Authorisation",
    9: "Self-contained tokens",
    10: "OAuth and OIDC",
    11: "Cryptography",
    12: "Secure communication",
    13: "Configuration",
    14: "Data protection",
    15: "Secure coding and architecture",
    16: "Logging and errors",
    17: "WebRTC",
}
_BETWEEN = re.compile(r"(?<=<!-- asvs -->\n).*(?=<!-- /asvs -->)", re.DOTALL)


def rows() -> list[dict[str, str]]:
    """Every item, in the standard's order."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def told(found: list[dict[str, str]]) -> str:
    """The summary by chapter, what is lacking, and the whole table, as Markdown."""
    counted = Counter((int(row["id"].split(".")[0]), row["state"]) for row in found)
    lines = ["", "| chapter | holds | not applicable | lacking |", "| --- | ---: | ---: | ---: |"]
    for number, name in CHAPTERS.items():
        cells = " | ".join(str(counted[number, state]) for state in STATES)
        lines.append(f"| V{number} {name} | {cells} |")
    totals = Counter(row["state"] for row in found)
    lines.append(f"| **all {len(found)}** | {' | '.join(str(totals[state]) for state in STATES)} |")
    lines += ["", "### What is lacking", "", "| | what is asked | why, and what stands instead |"]
    lines += ["| --- | --- | --- |"]
    lines += [
        f"| {row['id']} | {row['requirement']} | {row['remark']} |"
        for row in found
        if row["state"] == STATES[2]
    ]
    lines += ["", "### All items", "", "| | level | what is asked | state | proof or reason |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    lines += [_line(row) for row in found]
    return "\n".join([*lines, "", ""])


def _line(row: dict[str, str]) -> str:
    proofs = [f"`{one}`" for one in row["proof"].split("; ") if one]
    why = " ".join([", ".join(proofs), row["remark"]]).strip()
    return f"| {row['id']} | {row['level']} | {row['requirement']} | {row['state']} | {why} |"


def renewed(page: str) -> str:
    """The page with the table as it is now."""
    return _BETWEEN.sub(lambda _: told(rows()), page)


def main() -> int:
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
