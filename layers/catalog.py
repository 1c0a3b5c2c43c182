"""What an instance is: its languages, layers, codes and their labels, all of it data.

A fifth layer is one entry under `layers` in `instance.yaml`, one table and its line in
`datapackage.json`. No code names a kind of organisation.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from layers import geo
from layers.errors import BadInstance, LayerNotFound, Problem

Words = Mapping[str, str]
"""Words by language."""

FILE = "instance.yaml"
PACKAGE = "datapackage.json"
KEY_FILE = "privacy.key"
EMERGENCY = "112"
"""What mobile phones of every country connect to help (3GPP TS 22.101); an instance may name its own."""
_SOS = "sos"
_EMERGENCY_SERVICE = re.compile(r"sos(\.[a-z][a-z-]*)*", re.ASCII)
_NEEDED = ("key", "name", "welcome", "languages", "default_language", "metric_crs", "bounds", "layers")
_KINDS = ("bodies", "cases", "areas")
_TEXTS = ("cases", "practices")
_SYMBOLS = ("square", "circle", "diamond", "triangle", "star", "hexagon", "cross", "line", "dashed", "dotted")
_CHOSEN = {"of": _KINDS, "symbol": _SYMBOLS}
_LIVING = ("bodies", "cases", "practices", "counts", "areas")
_MOST_MONTHS = 1200


@dataclass(frozen=True)
class Layer:
    """One layer of the map. `of` says what its rows are: bodies, cases or areas.

    A layer whose rows may be homes has a privacy policy: `finest` names the precisions that it may tell, each
    with the side in metres of the cells to which its points are blurred. Empty: no policy.
    """

    key: str
    of: str
    label: Words
    about: Words
    colour: str
    symbol: str
    shown: bool = True
    kind: str = ""
    finest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """A part that somebody plays for safety in every place.

    It is played by organisations of a `layer`, or only by those that can do one of `capabilities`; or by an
    area of a kind itself (`area`), as a municipality does. `guide` is the practice that says how to begin
    where nobody plays it; `above` are organisations to turn to meanwhile. `parties` are the codes by which
    cases name it, and `advice` says in plain words what to turn to it for. `caveat` says who of the role is
    missing in the data, beside every figure that counts them. A role `over_water` is no
    matter of roads: its units cross the sea.
    """

    key: str
    label: Words
    layer: str = ""
    area: str = ""
    capabilities: tuple[str, ...] = ()
    guide: str = ""
    above: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    advice: Words = field(default_factory=dict)
    caveat: Words = field(default_factory=dict)
    over_water: bool = False


@dataclass(frozen=True)
class Worry:
    """What troubles somebody in a place: the roles to turn to, in this order, and the guides for it."""

    key: str
    label: Words
    roles: tuple[str, ...]
    guides: tuple[str, ...]


@dataclass(frozen=True)
class Door:
    """A way in for one audience: the `parties` it speaks to, the `role` they play, the first guides."""

    key: str
    label: Words
    lead: Words
    parties: tuple[str, ...]
    guides: tuple[str, ...]
    role: str = ""


@dataclass(frozen=True)
class Level:
    """A level of society, from the street to the state: the `parties` that act on it."""

    key: str
    label: Words
    parties: tuple[str, ...]


@dataclass(frozen=True)
class Lifetime:
    """How long facts stay believable, in months after they were last confirmed.

    Until `ageing_months` a fact is new, until `old_months` it is ageing, then old: somebody should look. From
    `expires_months` on it is told as expired and never as current; None: it may only grow old. It holds for
    bodies, cases, practices, counts or areas (`of`), or only for those of a `layer`, `kind` of area or
    `form`: the rule that names most wins, the last of several. `importance` weighs the work that is overdue,
    and `why` says why so long.
    """

    of: str
    ageing_months: int
    old_months: int
    expires_months: int | None = None
    layer: str = ""
    kind: str = ""
    form: str = ""
    importance: float = 1
    why: Words = field(default_factory=dict)


@dataclass(frozen=True)
class Basemap:
    """An online basemap that a visitor may ask for."""

    key: str
    label: Words
    url: str
    attribution: str
    max_zoom: int = 18


@dataclass(frozen=True)
class Resource:
    """One table or folder of texts, as `datapackage.json` describes it."""

    name: str
    path: Path
    title: Words
    licence: str
    source: Words
    source_url: str
    as_of: str
    accuracy: Words = field(default_factory=dict)
    dataset: str = ""


@dataclass(frozen=True)
class Instance:
    """A territory and what is kept about it. `bounds` are west, south, east, north in degrees.

    `secret` keys the blur of layers with a privacy policy: what its file `privacy.key` holds, else its `key`,
    which everybody knows.
    `sections` are the parts that every text of a kind (cases, practices) has: part -> its heading by
    language. A language without headings needs a title and a summary only. `emergency` is the number to call
    in danger, `emergency_services` are those that it calls, as RFC 5031 names them; `borders` says why
    approximate borders are so.
    `place_kinds_of_themes` are the kinds of place that a theme names by itself.
    """

    key: str
    folder: Path
    names: Words
    welcome: Words
    languages: tuple[str, ...]
    default_language: str
    metric_crs: int
    bounds: tuple[float, float, float, float]
    layers: tuple[Layer, ...]
    basemaps: tuple[Basemap, ...]
    codes: Mapping[str, Mapping[str, Words]]
    resources: Mapping[str, Resource] = field(default_factory=dict)
    attributions: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    worries: tuple[Worry, ...] = ()
    doors: tuple[Door, ...] = ()
    levels: tuple[Level, ...] = ()
    secret: bytes = field(default=b"", repr=False)
    sections: Mapping[str, Mapping[str, Words]] = field(default_factory=dict)
    freshness: tuple[Lifetime, ...] = ()
    place_kinds_of_themes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    emergency: str = EMERGENCY
    emergency_services: tuple[str, ...] = (_SOS,)
    borders: Words = field(default_factory=dict)

    def layer(self, key: str) -> Layer:
        for layer in self.layers:
            if layer.key == key:
                return layer
        raise LayerNotFound(layer=key)

    def layers_of(self, of: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.of == of)

    def label(self, group: str, code: str, language: str) -> str:
        """The words for a code; the code itself where nobody has labelled it."""
        return said(self.codes.get(group, {}).get(code, {}), language, self.default_language) or code


def said(words: Words, language: str, fallback: str) -> str:
    """Words in a language, else in the fallback language, else in any."""
    return words.get(language) or words.get(fallback) or next(iter(words.values()), "")


def read_instance(folder: Path) -> Instance:
    """Reads `instance.yaml` and `datapackage.json` of an instance.

    Raises:
        BadInstance: with every problem, each naming the file and the remedy.
    """
    about = _mapping(folder / FILE, yaml.safe_load)
    package = _mapping(folder / PACKAGE, json.loads)
    try:
        if problems := [*_problems(about), *_package_problems(package, folder)]:
            raise BadInstance(problems)
        return _instance(folder, about, package)
    except (AttributeError, KeyError, TypeError, IndexError) as error:
        what = f"One of the two files has another form than expected ({error})."
        remedy = "Compare them with data/README.md and with data/ee."
        raise BadInstance([Problem(f"{FILE} or {PACKAGE}", 0, what, remedy)]) from error


def _instance(folder: Path, about: Mapping[str, Any], package: Mapping[str, Any]) -> Instance:
    return Instance(
        key=about["key"],
        folder=folder,
        names=about["name"],
        welcome=about["welcome"],
        languages=tuple(about["languages"]),
        default_language=about["default_language"],
        metric_crs=int(about["metric_crs"]),
        bounds=tuple(about["bounds"]),
        layers=tuple(Layer(**entry) for entry in about["layers"]),
        basemaps=tuple(Basemap(**entry) for entry in about.get("basemaps", ())),
        codes={
            name: group
            for name, group in about.items()
            if name not in (*_NEEDED, "sections", "borders", "place_kinds_of_themes") and _is_codes(group)
        },
        resources={entry["name"]: _resource(entry, folder) for entry in _entries(package)},
        attributions=tuple(package.get("attributions", ())),
        roles=_roles(about),
        worries=tuple(_worded(Worry, entry) for entry in about.get("worries", ())),
        doors=tuple(_worded(Door, entry) for entry in about.get("doors", ())),
        levels=tuple(_worded(Level, entry) for entry in about.get("levels", ())),
        secret=_secret(folder) or str(about["key"]).encode(),
        sections=about.get("sections") or {},
        freshness=tuple(Lifetime(**entry) for entry in about.get("freshness") or ()),
        place_kinds_of_themes={
            theme: tuple(kinds) for theme, kinds in (about.get("place_kinds_of_themes") or {}).items()
        },
        emergency=str(about.get("emergency") or EMERGENCY),
        emergency_services=tuple(about.get("emergency_services") or (_SOS,)),
        borders=about.get("borders") or {},
    )


def _secret(folder: Path) -> bytes:
    """What the key file holds; nothing where there is none."""
    file = folder / KEY_FILE
    return file.read_bytes().strip() if file.is_file() else b""


def _roles(about: Mapping[str, Any]) -> tuple[Role, ...]:
    """The roles of the instance; where it names none, every layer of organisations is one."""
    if about.get("roles"):
        return tuple(_worded(Role, entry) for entry in about["roles"])
    layers = (Layer(**entry) for entry in about["layers"])
    return tuple(Role(layer.key, layer.label, layer.key) for layer in layers if layer.of == "bodies")


def _worded(kind: type[Any], entry: Mapping[str, Any]) -> Any:
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})


def _mapping(file: Path, parse: Any) -> dict[str, Any]:
    try:
        found = parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInstance(
            [Problem(str(file), 0, "The file is missing.", "An instance needs it: see data/README.md.")]
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1 or getattr(error, "lineno", 0)
        what = f"The file cannot be read: {getattr(error, 'problem', None) or error}."
        raise BadInstance([Problem(file.name, line, what, "Mend the line and try again.")]) from error
    if not isinstance(found, dict):
        raise BadInstance([Problem(file.name, 0, "The file is empty or a list.", "See data/README.md.")])
    return found


def _problems(about: Mapping[str, Any]) -> list[Problem]:
    found = [
        Problem(FILE, 0, f"“{name}” is missing.", "Add it: data/README.md says how.")
        for name in _NEEDED
        if not about.get(name)
    ]
    for name, is_right, remedy in (
        ("bounds", _are_bounds, "Write [west, south, east, north] in degrees."),
        ("metric_crs", geo.is_metric, "Write the EPSG number of a system in metres, for example 3301."),
        ("languages", lambda value: isinstance(value, list), "Write a list, for example [et, en]."),
        ("emergency_services", _are_emergency_services, "Write a list, for example [sos, sos.police]."),
        (
            "default_language",
            lambda value: value in (about.get("languages") or [value]),
            "Name one of the languages.",
        ),
    ):
        if about.get(name) and not is_right(about[name]):
            found.append(Problem(FILE, 0, f"“{name}” cannot be {about[name]}.", remedy))
    for name, kind in (
        ("layers", Layer),
        ("basemaps", Basemap),
        ("roles", Role),
        ("worries", Worry),
        ("doors", Door),
        ("levels", Level),
    ):
        found += _entry_problems(about, name, kind)
    return [
        *found,
        *_place_kind_problems(about),
        *_role_problems(about),
        *_finest_problems(about),
        *_section_problems(about),
        *_lifetime_problems(about),
    ]


def _lifetime_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Rules of freshness that name what is not there, or whose steps do not follow one another."""
    entries = about.get("freshness") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        yield Problem(
            FILE, 0, "freshness is no list of rules.", "Write one line “- {of: bodies, …}” for each."
        )
        return
    layers = [entry for entry in about.get("layers") or () if isinstance(entry, dict)]
    known = {
        "of": _LIVING,
        "layer": [entry.get("key") for entry in layers],
        "kind": [entry.get("kind") for entry in layers],
        "form": about.get("forms") or {},
    }
    for number, entry in enumerate(entries, start=1):
        for what, remedy in _parts(entry, Lifetime, named={"of": _LIVING}):
            yield Problem(FILE, 0, f"freshness, rule {number}: {what}", remedy)
        for name in ("layer", "kind", "form"):
            if entry.get(name) and entry[name] not in known[name]:
                what = f"freshness, rule {number}: the {name} “{entry[name]}” is unknown."
                yield Problem(FILE, 0, what, "Correct it or add it to this file.")
        steps = [entry.get(name) for name in ("ageing_months", "old_months", "expires_months")]
        given = [step for step in steps if step is not None]
        if not all(isinstance(step, int) and not isinstance(step, bool) and step > 0 for step in given):
            what = f"freshness, rule {number}: its steps are no whole numbers of months."
            yield Problem(FILE, 0, what, "Write ageing_months: 24, old_months: 72, expires_months: 120.")
        elif given != sorted(given) or given[-1:] > [_MOST_MONTHS]:
            what = f"freshness, rule {number}: its steps do not follow one another."
            yield Problem(FILE, 0, what, f"Each is later than the one before, at most {_MOST_MONTHS} months.")
        importance = entry.get("importance", 1)
        if (
            isinstance(importance, bool)
            or not isinstance(importance, int | float)
            or not 0 < importance <= 100
        ):
            what = f"freshness, rule {number}: the importance “{importance}” is no number from 0 to 100."
            yield Problem(FILE, 0, what, "Write 1 for the usual, 2 for what matters twice as much.")


def _finest_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Privacy policies that name no precision of the instance, or no cell in metres."""
    for entry in about.get("layers") or ():
        finest = entry.get("finest") if isinstance(entry, dict) else None
        if finest is None:
            continue
        if not isinstance(finest, dict) or not finest:
            what = f"layers, “{entry.get('key')}”: finest names no precision."
            yield Problem(FILE, 0, what, "Write {settlement: 1000}: the side of a cell in metres.")
            continue
        for code, cell_m in finest.items():
            if code not in (about.get("precision") or {}):
                what = f"layers, “{entry.get('key')}”: the precision “{code}” is unknown."
                yield Problem(FILE, 0, what, "Correct it or add it to this file.")
            if isinstance(cell_m, bool) or not isinstance(cell_m, int | float) or not 0 < cell_m < 100_000:
                what = f"layers, “{entry.get('key')}”: “{cell_m}” is no side of a cell."
                yield Problem(FILE, 0, what, "Write it in metres: settlement: 1000.")


def _place_kind_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Themes that are none and kinds of place that have no label."""
    for theme, kinds in (about.get("place_kinds_of_themes") or {}).items():
        unknown = [("theme", theme)] if theme not in (about.get("themes") or {}) else []
        unknown += [("kind of place", one) for one in kinds if one not in (about.get("place_kinds") or {})]
        for what, one in unknown:
            told = f"place_kinds_of_themes, “{theme}”: the {what} “{one}” is unknown."
            yield Problem(FILE, 0, told, "Correct it or add it to this file.")


def _section_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Parts of texts for a kind that has none, in a language that is none, or with one heading for two."""
    for kind, headings in (about.get("sections") or {}).items():
        if kind not in _TEXTS:
            what = f"sections: there are no texts “{kind}”."
            yield Problem(FILE, 0, what, f"Use one of: {', '.join(_TEXTS)}.")
        for language in sorted({code for words in headings.values() for code in words}):
            said = [words.get(language, "") for words in headings.values()]
            if language not in about.get("languages", ()):
                what = f"sections, {kind}: “{language}” is not a language of this instance."
                yield Problem(FILE, 0, what, "Remove it, or add it to the languages.")
            if not all(said) or len({*said}) < len(said):
                what = f"sections, {kind}: a heading in “{language}” is missing or stands there twice."
                yield Problem(
                    FILE, 0, what, "Give every part a heading of its own, or none in this language."
                )


def _role_problems(about: Mapping[str, Any]) -> Iterator[Problem]:
    """Roles and worries that name what is not there."""
    layers = {entry.get("key") for entry in about.get("layers") or () if isinstance(entry, dict)}
    roles = [entry for entry in about.get("roles") or () if isinstance(entry, dict)]
    for role in roles:
        key = role.get("key")
        if bool(role.get("layer")) == bool(role.get("area")):
            yield Problem(FILE, 0, f"roles, “{key}”: it needs a layer or an area.", "Give it one of the two.")
        for name, value, known in (
            ("layer", [role["layer"]] if role.get("layer") else [], layers),
            ("capability", role.get("capabilities") or [], about.get("capabilities") or {}),
            ("party", role.get("parties") or [], about.get("parties") or {}),
        ):
            for one in value:
                if one not in known:
                    what = f"roles, “{key}”: the {name} “{one}” is unknown."
                    yield Problem(FILE, 0, what, "Correct it or add it to this file.")
    for door in about.get("doors") or ():
        named = door if isinstance(door, dict) else {}
        for name, value, known in (
            ("role", [named["role"]] if named.get("role") else [], {role.get("key") for role in roles}),
            ("party", named.get("parties") or [], about.get("parties") or {}),
        ):
            for one in value:
                if one not in known:
                    what = f"doors, “{named.get('key')}”: the {name} “{one}” is unknown."
                    yield Problem(FILE, 0, what, "Correct it or add it to this file.")
    for level in about.get("levels") or ():
        for one in (level.get("parties") or ()) if isinstance(level, dict) else ():
            if one not in (about.get("parties") or {}):
                what = f"levels, “{level.get('key')}”: the party “{one}” is unknown."
                yield Problem(FILE, 0, what, "Correct it or add it to this file.")
    for worry in about.get("worries") or ():
        for one in (worry.get("roles") or ()) if isinstance(worry, dict) else ():
            if one not in {role.get("key") for role in roles}:
                what = f"worries, “{worry.get('key')}”: the role “{one}” is unknown."
                yield Problem(FILE, 0, what, "Name one of the roles of this file.")


def _are_emergency_services(value: Any) -> bool:
    return isinstance(value, list) and all(_EMERGENCY_SERVICE.fullmatch(str(one)) for one in value)


def _are_bounds(value: Any) -> bool:
    try:
        west, south, east, north = value
        return bool(-180 <= west < east <= 180 and -90 <= south < north <= 90)
    except (TypeError, ValueError):
        return False


def _entry_problems(about: Mapping[str, Any], name: str, kind: type[Any]) -> list[Problem]:
    """What is wrong with the layers or basemaps: unknown, missing and repeated parts."""
    found: list[Problem] = []
    seen: set[str] = set()
    for number, entry in enumerate(about.get(name) or (), start=1):
        key = entry.get("key") if isinstance(entry, dict) else None
        if not key:
            found.append(Problem(FILE, 0, f"Entry {number} of {name} has no key.", "Give it one."))
            continue
        if key in seen:
            found.append(Problem(FILE, 0, f"{name}: “{key}” stands there twice.", "Give it another key."))
        seen.add(key)
        found += [Problem(FILE, 0, f"{name}, “{key}”: {what}", then) for what, then in _parts(entry, kind)]
    return found


def _parts(
    entry: Mapping[str, Any], kind: type[Any], named: Mapping[str, Sequence[str]] = _CHOSEN
) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry; `named` are the parts that are chosen from a list."""
    for part in fields(kind):
        needed = part.default is MISSING and part.default_factory is MISSING
        if needed and not entry.get(part.name):
            yield f"{part.name} is missing.", "Add it."
    for name in entry.keys() - {part.name for part in fields(kind)}:
        yield f"the part “{name}” is unknown.", "Correct its name or remove it."
    for name, allowed in named.items():
        if entry.get(name) and entry[name] not in allowed:
            yield f"the {name} “{entry[name]}” is unknown.", f"Use one of: {', '.join(allowed)}."


def _package_problems(package: Mapping[str, Any], folder: Path) -> list[Problem]:
    found = []
    names = [entry.get("name", "?") for entry in _entries(package)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(Problem(PACKAGE, 0, f"Resource “{name}” stands there twice.", "Remove one."))
    for entry in _entries(package):
        name = entry.get("name", "?")
        for needed, part in (("name", None), ("path", None), ("licenses", "name"), ("sources", "title")):
            value = entry.get(needed)
            if not value or (part and not value[0].get(part)):
                what = f"Resource “{name}” has no {needed}{f' with a {part}' if part else ''}."
                found.append(Problem(PACKAGE, 0, what, "Add it."))
        if entry.get("path") and not (folder / entry["path"]).exists():
            what = f"Resource “{name}” points to {entry['path']}, which is not there."
            found.append(Problem(PACKAGE, 0, what, "Add the file or remove the resource."))
    return found


def _entries(package: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*(package.get("resources") or ()), *(package.get("texts") or ())]


def _resource(entry: Mapping[str, Any], folder: Path) -> Resource:
    source = entry["sources"][0]
    title = entry.get("titles") or {"en": entry.get("title", entry["name"])}
    return Resource(
        name=entry["name"],
        path=folder / entry["path"],
        title=title,
        licence=entry["licenses"][0]["name"],
        source=source.get("titles") or {"en": source["title"]},
        source_url=source.get("path", ""),
        as_of=entry.get("as_of", ""),
        accuracy=entry.get("accuracy", {}),
    )


def _is_codes(group: Any) -> bool:
    return isinstance(group, dict) and all(isinstance(words, dict) for words in group.values())
