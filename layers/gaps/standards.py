"""What counts as covered: who must reach whom, in what time, for what share, by class of density.

A standard is a file, `planning/standards/*.yaml` of an instance or one that a planner brings along;
data/README.md says how it is written. Everything that is wrong with it is told at once, each with its line
and the remedy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import inf, isfinite
from pathlib import Path
from typing import Any

import yaml

from layers import dates
from layers.catalog import Instance
from layers.errors import N_, BadDate, Invalid, Problem
from layers.gaps import mixes

Words = Mapping[str, str]
COUNTRY = "country"
FOLDER = Path("planning") / "standards"
_MOST_BYTES = 100_000
_MOST_RULES = 60
_MOST_MIN = 240.0
_MOST_KM = 100.0
_MOST_DEPTH = 9
_NEEDED = ("key", "version", "as_of", "title", "source", "rules")
_OPTIONAL = ("about", "differs", "source_url")


class BadStandard(Invalid):
    """A file that is no standard; `problems` names everything that is wrong with it."""

    text = N_("{count} problems in the standard “{name}”; it was not used.")

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(name=name, count=len(self.problems))


@dataclass(frozen=True)
class Rule:
    """One sentence of a standard: `depth` units of a role are in time for a `share` of the people.

    `role` is one role or several joined (`mixes`): each of them then needs `depth` units. It holds where
    `density_from` <= persons per km² < `density_to`; where the density is not known it holds
    when it holds for every density. Minutes count from the alarm when `with_turnout`, else from leaving;
    `within_km` alone asks for a straight distance. `forms` narrows who counts (state units, volunteers).
    """

    key: str
    label: Words = field(hash=False)
    role: str
    within_min: float | None = None
    within_km: float | None = None
    share: float = 1.0
    depth: int = 1
    crew: int | None = None
    forms: tuple[str, ...] = ()
    density_from: float = 0.0
    density_to: float = inf
    with_turnout: bool = True

    @property
    def is_of_a_class(self) -> bool:
        """Whether it asks only for people of some density."""
        return self.density_from > 0 or self.density_to < inf


@dataclass(frozen=True)
class Standard:
    """A planning standard with its source. `differs` says in what our reading is simpler than the text."""

    key: str
    version: str
    title: Words = field(hash=False)
    about: Words = field(hash=False)
    rules: tuple[Rule, ...]
    source: str
    source_url: str
    as_of: str
    differs: Words = field(hash=False)


def read(folder: Path, *, instance: Instance) -> tuple[Standard, ...]:
    """Every standard of a folder, by the names of its files; none where there is no such folder.

    Raises:
        BadStandard: with every problem of every file.
    """
    found: list[Standard] = []
    problems: list[Problem] = []
    for file in sorted(folder.glob("*.yaml")):
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"The file cannot be read: {error}."
            problems.append(Problem(file.name, 0, what, "Save it as text in UTF-8."))
            continue
        try:
            one = parse(text, file.name, instance=instance)
        except BadStandard as error:
            problems += error.problems
            continue
        if one.key in {other.key for other in found}:
            what = f"Another file has the key “{one.key}”, too."
            problems.append(Problem(file.name, 1, what, "Give each standard a key of its own."))
        found.append(one)
    if problems:
        raise BadStandard(str(folder.name), problems)
    return tuple(found)


def parse(text: str, name: str, *, instance: Instance) -> Standard:
    """The standard that a text in YAML writes down; `name` is what its problems call the file.

    Raises:
        BadStandard: with every problem, each with line, what and remedy.
    """
    reading = _Reading(name, instance)
    about = reading.mapping(text)
    found = reading.standard(about) if about is not None else None
    if found is None or reading.problems:
        raise BadStandard(name, sorted(reading.problems, key=lambda problem: problem.row))
    return found


class _Lined(dict[str, Any]):
    """A mapping that knows the line of each of its parts."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}

    def at(self, part: str) -> int:
        return self.lines.get(part, self.line)


class _Loader(yaml.SafeLoader):
    """Reads plain YAML: a part named twice or borrowed from elsewhere (& and *) is refused."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="“&” and “*” are not used here", problem_mark=event.start_mark)
        found: yaml.Node | None = super().compose_node(parent, index)
        return found


def _lined(loader: _Loader, node: yaml.MappingNode, deep: bool = True) -> _Lined:
    found = _Lined(node.start_mark.line + 1)
    for name_node, value_node in node.value:
        name = str(loader.construct_object(name_node, deep=True))
        if name in found:
            raise yaml.MarkedYAMLError(
                problem=f"“{name}” stands there twice", problem_mark=name_node.start_mark
            )
        found[name] = loader.construct_object(value_node, deep=True)
        found.lines[name] = name_node.start_mark.line + 1
    return found


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _lined)


class _Reading:
    """Reads one text; what is wrong is gathered in `problems`."""

    def __init__(self, name: str, instance: Instance) -> None:
        self.name, self.problems = name, list[Problem]()
        self.roles = [role.key for role in instance.roles if role.layer]
        self.forms = instance.codes.get("forms", {})

    def wrong(self, line: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.name, line, what, remedy))

    def mapping(self, text: str) -> _Lined | None:
        if len(text.encode()) > _MOST_BYTES:
            self.wrong(0, "The file is larger than 100 kB.", "A standard is a page of text.")
            return None
        try:
            found = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that also knows lines
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
            what = getattr(error, "problem", None) or "it is no YAML"
            self.wrong(line, f"The file cannot be read: {what}.", "Mend the line and try again.")
            return None
        if not isinstance(found, _Lined):
            self.wrong(1, "The file is empty or a list.", "Begin with “key:”; data/README.md has an example.")
            return None
        return found

    def standard(self, about: _Lined) -> Standard:
        self._names(about, _NEEDED, _OPTIONAL, "the standard")
        rules = about.get("rules") or []
        if not isinstance(rules, list):
            self.wrong(about.at("rules"), "“rules” is no list.", "Begin each rule with “- key:”.")
            rules = []
        if len(rules) > _MOST_RULES:
            self.wrong(about.at("rules"), f"More than {_MOST_RULES} rules.", "Split the standard.")
        found = [self._rule(rule, about.at("rules")) for rule in rules[:_MOST_RULES]]
        self._classes(found)
        as_of = str(about.get("as_of") or "")
        try:
            dates.partial(as_of or "2000")
        except BadDate:
            self.wrong(about.at("as_of"), f"“as_of” is no date: {as_of}.", "Write 2011 or 2011-12-31.")
        url = str(about.get("source_url") or "")
        if url and not url.startswith(("https://", "http://")):
            self.wrong(about.at("source_url"), "“source_url” is no address.", "Begin it with https://.")
        return Standard(
            key=self._key(about),
            version=str(about.get("version") or ""),
            title=self._words(about, "title"),
            about=self._words(about, "about"),
            rules=tuple(rule for rule, _ in found),
            source=str(about.get("source") or ""),
            source_url=url,
            as_of=as_of,
            differs=self._words(about, "differs"),
        )

    def _names(self, about: _Lined, needed: Sequence[str], optional: Sequence[str], where: str) -> None:
        for name in needed:
            if about.get(name) in (None, "", [], {}):
                self.wrong(about.at(name), f"“{name}” is missing in {where}.", "Add it.")
        for name in about:
            if name not in (*needed, *optional):
                parts = ", ".join((*needed, *optional))
                self.wrong(about.at(name), f"{where} has an unknown part “{name}”.", f"Use one of: {parts}.")

    def _key(self, about: _Lined) -> str:
        key = str(about.get("key") or "")
        if key and not all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in key):
            self.wrong(about.at("key"), f"The key “{key}” is not plain.", "Use a-z, 0-9 and hyphens.")
        return key

    def _words(self, about: _Lined, name: str) -> Words:
        said = about.get(name)
        if not said:
            return {}
        if not isinstance(said, dict) or not all(isinstance(text, str) and text for text in said.values()):
            remedy = "Write {et: …, en: …, ru: …}, at least one of them."
            self.wrong(about.at(name), f"“{name}” has no words by language.", remedy)
            return {}
        return dict(said)

    def _rule(self, about: Any, line: int) -> tuple[Rule, int]:
        if not isinstance(about, _Lined):
            self.wrong(line, "A rule is no mapping.", "Begin it with “- key:”.")
            return Rule("", {}, ""), line
        where = f"the rule “{about.get('key') or '?'}”"
        needed = ("key", "label", "role")
        self._names(about, needed, [part.name for part in fields(Rule) if part.name not in needed], where)
        within_min = self._number(about, "within_min", None, 0, _MOST_MIN, "minutes, above 0")
        within_km = self._number(about, "within_km", None, 0, _MOST_KM, "kilometres, above 0")
        if about.get("within_min") is None and about.get("within_km") is None:
            remedy = "Add “within_min” or “within_km”."
            self.wrong(about.line, f"{where} says neither in what time nor how near.", remedy)
        depth = self._number(about, "depth", 1, 0, _MOST_DEPTH, "a whole number from 1 on", whole=True)
        crew = self._number(about, "crew", None, 0, 1000, "a whole number from 1 on", whole=True)
        begins = self._number(about, "density_from", 0.0, None, 1e6, "persons per km², from 0 on")
        ends = self._number(about, "density_to", inf, 0, 1e6, "persons per km², above 0")
        if begins is not None and ends is not None and begins >= ends:
            remedy = "Let “density_from” be less than “density_to”."
            self.wrong(about.at("density_from"), f"{where} is for no density at all.", remedy)
        with_turnout = about.get("with_turnout", True)
        if not isinstance(with_turnout, bool):
            self.wrong(about.at("with_turnout"), "“with_turnout” is neither true nor false.", "Write one.")
        rule = Rule(
            key=self._key(about),
            label=self._words(about, "label"),
            role=self._role(about),
            within_min=within_min,
            within_km=within_km,
            share=self._number(about, "share", 1.0, 0, 1, "a share above 0 and up to 1 (0.9 for 90 %)") or 1,
            depth=int(depth or 1),
            crew=None if crew is None else int(crew),
            forms=self._forms(about),
            density_from=begins or 0.0,
            density_to=inf if ends is None else ends,
            with_turnout=bool(with_turnout),
        )
        return rule, about.line

    def _number(
        self,
        about: _Lined,
        name: str,
        default: float | None,
        above: float | None,
        most: float,
        wanted: str,
        whole: bool = False,
    ) -> float | None:
        value = about.get(name)
        if value is None:
            return default
        fits = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        if (
            not fits
            or value > most
            or (value < 0 if above is None else value <= above)
            or (whole and value != int(value))
        ):
            self.wrong(about.at(name), f"“{name}” cannot be {value}.", f"Write {wanted}, at most {most:g}.")
            return default
        return float(value)

    def _role(self, about: _Lined) -> str:
        role = about.get("role")
        if role is None or role == "":
            return ""
        try:
            mixes.mix(str(role), roles=self.roles)
        except (mixes.BadMix, mixes.NoSuchRole) as error:
            remedy = f"Name roles of instance.yaml that organisations play: {', '.join(self.roles)}."
            self.wrong(about.at("role"), str(error), remedy)
        return str(role)

    def _forms(self, about: _Lined) -> tuple[str, ...]:
        forms = about.get("forms") or []
        if not isinstance(forms, list):
            self.wrong(about.at("forms"), "“forms” is no list.", "Write [state] or [state, volunteer].")
            return ()
        for form in forms:
            if form not in self.forms:
                remedy = f"Use forms of instance.yaml: {', '.join(self.forms)}."
                self.wrong(about.at("forms"), f"The form “{form}” is unknown.", remedy)
        return tuple(str(form) for form in forms)

    def _classes(self, found: Sequence[tuple[Rule, int]]) -> None:
        """Keys that stand there twice; classes of density that overlap or leave somebody out."""
        seen: set[str] = set()
        groups: dict[tuple[str, tuple[str, ...]], list[tuple[Rule, int]]] = {}
        for rule, line in found:
            if rule.key and rule.key in seen:
                self.wrong(line, f"Two rules have the key “{rule.key}”.", "Give one of them another key.")
            seen.add(rule.key)
            if rule.is_of_a_class:
                groups.setdefault((rule.role, rule.forms), []).append((rule, line))
        for group in groups.values():
            for line, what, remedy in _gaps_between(sorted(group, key=lambda pair: pair[0].density_from)):
                self.wrong(line, what, remedy)


def _gaps_between(classes: Sequence[tuple[Rule, int]]) -> Iterator[tuple[int, str, str]]:
    """What is wrong between classes in the order of their beginnings, from 0 to any density."""
    remedy = "Let each class begin where the one before it ends, from 0 on; leave the last one open."
    reached, before = 0.0, ""
    for rule, line in classes:
        if rule.density_from > reached:
            yield line, _nobody_asks(reached, rule.density_from), remedy
        if rule.density_from < reached:
            yield line, f"The classes of “{before}” and “{rule.key}” overlap.", remedy
        reached, before = max(reached, rule.density_to), rule.key
    if reached < inf:
        yield classes[-1][1], _nobody_asks(reached, inf), remedy


def _nobody_asks(begins: float, ends: float) -> str:
    upto = f"{begins:g} to {ends:g}" if ends < inf else f"{begins:g} and more"
    return f"No class holds for {upto} persons per km²."
