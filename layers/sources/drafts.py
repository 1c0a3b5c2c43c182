"""A case as somebody has filled it in → the Markdown file that the instance takes for review."""

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
class Draft:
    """One case in one language. `parts` are heading -> text; a part without a heading is the whole text.

    `area` is kind:code or "". `practices` are keys, each with what was done differently, which may be "". A
    source is `title`, `url` and `date`; one whose date is "" is written as undated. `place` is None where
    the gazetteer does not know the locality.
    """

    language: str
    title: str
    summary: str
    theme: str
    outcome: str
    stage: str
    parties: Sequence[str]
    practices: Sequence[tuple[str, str]]
    sources: Sequence[Mapping[str, str]]
    parts: Mapping[str, str]
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


def written(draft: Draft) -> str:
    """The whole file: front matter with `state: review`, and the parts under their headings."""
    kind, _, code = draft.area.partition(":")
    facts: dict[str, Any] = {
        "title": draft.title,
        "summary": draft.summary,
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
            {"key": practice, **({"adaptation": {draft.language: said}} if said else {})}
            for practice, said in draft.practices
        ],
        "areas": [draft.area] if draft.area else [],
    }
    # JSON is YAML too, and leaves nothing to be guessed: a date stays text, a colon stays in its title.
    lines = [f"{name}: {_json(value)}" for name, value in facts.items() if value not in ("", None)]
    lines += ["sources:", *(f"  - {_json(_source(source))}" for source in draft.sources)]
    parts = "\n\n".join(f"## {head}\n{said}" if head else said for head, said in draft.parts.items())
    return "\n".join(["---", *lines, "---", parts, ""])


def _point(draft: Draft) -> dict[str, Any]:
    if draft.place is None:
        return {}
    at = draft.place
    return {"lat": round(at.lat, 5), "lon": round(at.lon, 5), "precision": draft.precision}


def _source(source: Mapping[str, str]) -> dict[str, Any]:
    found = {name: source[name] for name in ("title", "url", "date")}
    return found if found["date"] else {**found, "undated": True}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
