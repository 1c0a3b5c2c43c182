"""A case as the cells of a form, and cells as the files that the loader reads: pure, of one row only.

What is written by hand is read by the same reader as a file, so that what it may say is said in one place,
and what an edit wrote can be put into the instance's folder as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layers import texts
from layers.catalog import Instance
from layers.sources import drafts
from layers.sources.rows import Row

WHOLE = "text"
"""The part of a text that stands before its first heading; all of it where the instance names no parts."""
UNDATED = "undated"
"""Stands in the place of a source's date where its page shows none."""
_COLUMNS = {"from": "period_from", "to": "period_to"}
_WHERE = ("place", "settlement", "municipality", "county", "lat", "lon", "precision", "areas")
_PLAIN = (
    *("theme", "outcome", "stage", "place", "settlement", "municipality", "county", "precision"),
    *("from", "to", "as_of", "valid_from", "valid_to"),
)
Cells = Mapping[str, str]


def columns(instance: Instance) -> tuple[str, ...]:
    """The fields of a case, in their order."""
    words = [name for language in instance.languages for name in words_of(instance, language)]
    return (
        *("theme", "outcome", *_WHERE, "from", "to", "parties", "bodies", "practices", *words),
        *("stage", "sources", "as_of", "as_of_inferred", "valid_from", "valid_to"),
    )


def words_of(instance: Instance, language: str) -> tuple[str, ...]:
    """The fields that a case has in one language."""
    parts = (f"part-{key}-{language}" for key in (*headings(instance, language), WHOLE))
    return (f"title-{language}", f"summary-{language}", *parts, f"adaptation-{language}")


def headings(instance: Instance, language: str) -> dict[str, str]:
    """The parts of a text by their keys; none in a language in which a case is not written in full."""
    parts = instance.sections.get("cases", {})
    is_full = all(language in words for words in parts.values())
    return {key: words[language] for key, words in parts.items()} if is_full else {}


def cells(instance: Instance, row: Row) -> dict[str, str]:
    """A row as the cells of a form, but for its point."""
    said, links = row.values, row.links
    found = {name: str(said.get(_COLUMNS.get(name, name)) or "") for name in _PLAIN}
    documented = sorted(links.get("practices", ()), key=lambda link: int(link["position"]))
    found |= {
        "parties": ";".join(_in_order(said["parties"], [*instance.codes.get("parties", {})])),
        "bodies": ";".join(sorted(link["body"] for link in links.get("bodies", ()))),
        "areas": ";".join(sorted(link["area"] for link in links.get("areas", ()))),
        "practices": ";".join(link["practice"] for link in documented),
        "sources": "\n".join("\t".join(_source(one)) for one in said["sources"]),
        "as_of_inferred": "yes" if said.get("as_of_inferred") else "",
    }
    for language in instance.languages:
        found[f"title-{language}"] = str(said["titles"].get(language, ""))
        found[f"summary-{language}"] = str(said["summaries"].get(language, ""))
        found |= _parts(instance, str(said["texts"].get(language, "")), language)
        adapted = ((link["practice"], link["adaptation"].get(language, "")) for link in documented)
        found[f"adaptation-{language}"] = "\n".join(f"{key}: {_line(text)}" for key, text in adapted if text)
    return found


def _in_order(codes: Sequence[str], order: Sequence[str]) -> list[str]:
    """Codes as a form with a tick for each sends them; what stands in no order comes last."""
    return sorted(codes, key=lambda code: order.index(code) if code in order else len(order))


def _source(one: Mapping[str, str]) -> tuple[str, str, str]:
    return _line(one.get("title", "")), _line(one.get("url", "")), one.get("date") or UNDATED


def _line(text: str) -> str:
    return " ".join(text.split())


def _parts(instance: Instance, text: str, language: str) -> dict[str, str]:
    there = texts.parts(text, instance.sections.get("cases", {}), language)
    wanted = headings(instance, language)
    found = {f"part-{key}-{language}": there[key].body if key in there else "" for key in wanted}
    first = min((section.line for section in texts.sections(text)), default=0) if wanted else 0
    opening = "\n".join(text.split("\n")[: first - 1]) if first else text
    return {**found, f"part-{WHOLE}-{language}": opening.strip()}


# --- What the lists in the cells hold


def several(cell: str) -> list[str]:
    """The codes or keys of a cell."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def sources(cell: str) -> list[dict[str, str]]:
    """The sources of a cell: title, url and date, which is UNDATED or "" too."""
    rows = (line.split("\t") for line in cell.split("\n") if line.strip())
    return [dict(zip(("title", "url", "date"), (*row, "", "", ""), strict=False)) for row in rows]


def adaptations(cell: str) -> dict[str, str]:
    """What was done differently, by the key of the practice."""
    parted = (line.partition(":") for line in cell.split("\n") if line.strip())
    return {key.strip(): text.strip() for key, _, text in parted}


# --- As files


def languages(instance: Instance, wanted: Cells) -> list[str]:
    """The languages that have a file: the instance's own first, then each in which anything is told."""
    main = instance.default_language
    others = (one for one in instance.languages if one != main)
    told = (one for one in others if any(wanted.get(name) for name in words_of(instance, one)))
    return [main, *told]


def files(instance: Instance, key: str, wanted: Cells, *, base: Row | None = None) -> dict[str, str]:
    """The files of a case by name, `key.language.md`: what `base` tells already stays letter by letter.

    They carry no end of validity: a file that is there is shown.
    """
    main = instance.default_language
    found = {}
    for language in languages(instance, wanted):
        front: dict[str, Any] = {
            "title": wanted.get(f"title-{language}", ""),
            "summary": wanted.get(f"summary-{language}", ""),
        }
        front |= _facts(instance, wanted, base) if language == main else {}
        found[f"{key}.{language}.md"] = drafts.sheet(front, _text(instance, wanted, language, base))
    return found


def _text(instance: Instance, wanted: Cells, language: str, base: Row | None) -> str:
    before = str(base.values["texts"].get(language, "")) if base else ""
    told = _parts(instance, before, language)
    if all(wanted.get(name, "") == text for name, text in told.items()):
        return before
    opening = wanted.get(f"part-{WHOLE}-{language}", "").strip()
    bodies = (
        (heading, wanted.get(f"part-{key}-{language}", "").strip())
        for key, heading in headings(instance, language).items()
    )
    parts = [f"## {heading}\n{body}" for heading, body in bodies if body]
    return "\n\n".join([opening, *parts] if opening else parts)


def _facts(instance: Instance, wanted: Cells, base: Row | None) -> dict[str, Any]:
    plain = {name: wanted.get(name, "") for name in _PLAIN if not name.startswith("valid_")}
    facts: dict[str, Any] = {
        **plain,
        "lat": _number(wanted.get("lat", "")),
        "lon": _number(wanted.get("lon", "")),
        "as_of_inferred": True if wanted.get("as_of_inferred") else "",
        "parties": _in_order(several(wanted.get("parties", "")), base.values["parties"] if base else []),
        "practices": [*_documented(instance, wanted, base)],
        "bodies": several(wanted.get("bodies", "")),
        "areas": several(wanted.get("areas", "")),
        "sources": [_written(one) for one in sources(wanted.get("sources", ""))],
    }
    return {name: value for name, value in facts.items() if value not in ("", [])}


def _number(text: str) -> float | str:
    """A number as YAML writes it; what is none stays as it was typed, for the reader to refuse."""
    return float(text) if text.replace(".", "", 1).removeprefix("-").isdecimal() and text.isascii() else text


def _documented(instance: Instance, wanted: Cells, base: Row | None) -> Iterator[dict[str, Any]]:
    told: Sequence[Mapping[str, Any]] = base.links.get("practices", ()) if base else ()
    old = {link["practice"]: link["adaptation"] for link in told}
    said = {code: adaptations(wanted.get(f"adaptation-{code}", "")) for code in instance.languages}
    for key in several(wanted.get("practices", "")):
        before = old.get(key, {})
        now = {code: before.get(code, "") for code in before}
        for code, texts_ in said.items():
            text = texts_.get(key, "")
            now[code] = before[code] if code in before and _line(before[code]) == text else text
        adaptation = {code: text for code, text in now.items() if text}
        yield {"key": key, "adaptation": adaptation} if adaptation else {"key": key}


def _written(source: Mapping[str, str]) -> dict[str, Any]:
    if source["date"] != UNDATED:
        return dict(source)
    return {"title": source["title"], "url": source["url"], "date": "", "undated": True}
