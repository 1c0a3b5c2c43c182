"""A case as somebody has filled it in → the Markdown files for review, one a language."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layers import letters
from layers.geo import Place

_NO_KEY = re.compile(r"[^a-z0-9]+")
_LONGEST_KEY = 40


@dataclass(frozen=True)
class Wording:
    """A case in one language. `parts` are heading -> text; a part without a heading is the whole text.

    `adaptations` say what was done differently, one for each practice of the draft; each may be "".
    """

    title: str
    summary: str
    parts: Mapping[str, str]
    adaptations: Sequence[str] = ()


@dataclass(frozen=True)
class Draft:
    """One case in one language or several, of which the first carries the facts.

    `area` is kind:code or "". `practices` are keys. A source is `title`, `url` and `date`; one whose date is
    "" is written as undated. `place` is None where the gazetteer does not know the locality.
    """

    wordings: Mapping[str, Wording]
    theme: str
    outcome: str
    stage: str
    parties: Sequence[str]
    practices: Sequence[str]
    sources: Sequence[Mapping[str, str]]
    area: str = ""
    county: str = ""
    locality: str = ""
    settlement: str = ""
    precision: str = ""
    place: Place | None = None
    period_from: str = ""
    period_to: str = ""


def key(title: str, *, taken: Sequence[str] = ()) -> str:
    """A key made of the first letters of a title, unlike those that are taken."""
    plain = _NO_KEY.sub("-", letters.fold(title)).strip("-")[:_LONGEST_KEY].strip("-")
    first = plain or "case"
    if first in ("new", *taken):
        return next(f"{first}-{n}" for n in range(2, len(taken) + 4) if f"{first}-{n}" not in taken)
    return first


def written(draft: Draft) -> dict[str, str]:
    """The files by language: front matter, in the first one also the facts and `state: review`; the parts."""
    files: dict[str, str] = {}
    for language, wording in draft.wordings.items():
        front = {"title": wording.title, "summary": wording.summary}
        # JSON is YAML too, and leaves nothing to be guessed: a date stays text, a colon stays in its title.
        lines = [f"{name}: {_json(value)}" for name, value in front.items()]
        lines += [] if files else _facts(draft)
        parts = "\n\n".join(f"## {head}\n{said}" if head else said for head, said in wording.parts.items())
        files[language] = "\n".join(["---", *lines, "---", parts, ""])
    return files


def sheet(front: Mapping[str, Any], text: str) -> str:
    """One file: its front matter, every source on a line of its own, and its text."""
    lines = [f"{name}: {_json(value)}" for name, value in front.items() if name != "sources"]
    listed = [f"  - {_json(source)}" for source in front.get("sources", ())]
    return "\n".join(["---", *lines, *(["sources:", *listed] if listed else []), "---", text, ""])


def _facts(draft: Draft) -> list[str]:
    kind, _, code = draft.area.partition(":")
    facts: dict[str, Any] = {
        "state": "review",
        "theme": draft.theme,
        "outcome": draft.outcome,
        "stage": draft.stage,
        "place": draft.locality,
        "settlement": draft.settlement,
        "municipality": code if kind == "municipality" else "",
        "county": code if kind == "county" else draft.county,
        **_point(draft),
        "from": draft.period_from,
        "to": draft.period_to,
        "as_of": max((source["date"] for source in draft.sources), default=""),
        "parties": [*draft.parties],
        "practices": [
            {"key": practice, **({"adaptation": said} if (said := _adaptation(draft, at)) else {})}
            for at, practice in enumerate(draft.practices)
        ],
        "areas": [draft.area] if draft.area else [],
    }
    lines = [f"{name}: {_json(value)}" for name, value in facts.items() if value not in ("", None)]
    return [*lines, "sources:", *(f"  - {_json(_source(source))}" for source in draft.sources)]


def _adaptation(draft: Draft, at: int) -> dict[str, str]:
    """What was done differently of one practice, by language."""
    said = {language: one.adaptations[at : at + 1] for language, one in draft.wordings.items()}
    return {language: text for language, texts in said.items() for text in texts if text}


def _point(draft: Draft) -> dict[str, Any]:
    if draft.place is None:
        return {}
    at = draft.place
    return {"lat": round(at.lat, 5), "lon": round(at.lon, 5), "precision": draft.precision}


def _source(source: Mapping[str, str]) -> dict[str, Any]:
    found = {name: source[name] for name in ("title", "url", "date")}
    return found if found["date"] else {**found, "undated": True}


def _json(value: object) -> str:
    """A value as YAML: JSON, but for signs that cannot be seen; YAML takes some for an end of line."""
    said = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in said)
