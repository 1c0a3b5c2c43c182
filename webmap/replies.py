"""The answer for a place in words: one shape for the page, the panel, JSON and plain text.

What is said of an organisation, area or case is the same in every answer in one language: it is put into
words once and kept in its `Voice`, so that an answer adds only why somebody matched and the way. Nothing is
kept elsewhere: what was said of an earlier state of the store must not hold its snapshot in memory.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from flask import request, url_for
from flask_babel import gettext

from layers import answers, contacts, freshness, places, practices, snapshot
from layers.answers import Answer, CaseMatch, Match, RoleAnswer, Way
from layers.catalog import Role, Worry
from layers.errors import N_, Invalid, NotFound
from layers.geo import Place
from layers.places import Body
from layers.practices import Case
from layers.snapshot import Sized, Snapshot
from webmap import advice, big, context, db, exactness, hits, i18n, meters, names, params
from webmap.db import House, Revisions
from webmap.hits import Found

Shape = dict[str, Any]
_REASONS = {
    answers.INSIDE: N_("Responsible for {area}, in which the place lies."),
    answers.SERVES: N_("Responsible for {area}."),
    answers.INHERITED: N_("Responsible for the whole of {area}."),
    answers.NEAREST: N_("Among the nearest by straight line."),
}
# Of the nearest land, for a place in no area: at sea or in a hole, abroad, or less than 100 m away.
_SHORE_REASONS = {
    "sea": N_("Responsible for {area}, the nearest land, {way}."),
    "abroad": N_("Responsible for {area}, across the border, {way}."),
    "beside": N_("Responsible for {area}, whose drawn border is right beside this place."),
}
_SHORE_AREAS = {
    "sea": N_("The nearest land, {way}."),
    "abroad": N_("Across the border, {way}."),
    "beside": N_("Its drawn border is right beside this place."),
}
_NOBODY = N_("No public source names anybody who is responsible for this here.")
_ASHORE = {
    "sea": N_("No area of this map reaches here; turn to those of the nearest land."),
    "abroad": N_("Abroad others are responsible, whom this map does not know; these are across the border."),
}
_UNKNOWN = N_("This map does not know this place.")
_BESIDE_M = 100
_CASE_SHARES = N_("A case of {area}.")
_CASE_NEAR = N_("The nearest case.")
_NOTES = (
    N_("Distances are straight lines to the point of the settlement, not to a house."),
    N_("Borders are approximate: near one, look at the neighbour too."),
    N_(
        "A place without a partner is not proof that nobody is there:"
        " only what a public source tells is shown."
    ),
    N_("In an emergency call {number}."),
)


_Days = tuple[tuple[str, str], ...]
_Matched = tuple[int, str, str, tuple[str, ...]]
_Going = tuple[float, str, int | None]
"""How far, in which unit, and to which of the eight directions."""
_Asked = ParamSpec("_Asked")
_Said = TypeVar("_Said")
# Far more than Estonia needs; some hundred MB at most in all voices, where there are a million areas.
_MOST_KEPT = 32_768


@dataclass(frozen=True, eq=False)
class Voice:
    """How a request is answered, and what has been put into words for it.

    Organisations and cases are kept by their identity, which lasts as long as `known` holds them: of one
    key there may be several states; the rest by who made it and of what. Nothing that is kept may be changed
    by those who get it: a match is copied, and only its way is put in. `unheld` are the kinds of area that
    `known` does not hold.
    """

    known: Snapshot
    today: date
    unheld: frozenset[str] = frozenset()
    bodies: dict[int, tuple[Shape, Shape]] = field(default_factory=dict)
    matches: dict[_Matched, Shape] = field(default_factory=dict)
    cases: dict[int, tuple[Shape, list[Shape]]] = field(default_factory=dict)
    roles: dict[str, Shape] = field(default_factory=dict)
    ways: dict[_Going, str] = field(default_factory=dict)
    rest: dict[tuple[object, ...], Any] = field(default_factory=dict)


def _kept(
    make: Callable[Concatenate[Voice, _Asked], _Said],
) -> Callable[Concatenate[Voice, _Asked], _Said]:
    """Lets a voice keep what is made for it. Only for what the store and the catalogue name: never for what
    a visitor may invent, which has no end.
    """

    @wraps(make)
    def kept(voice: Voice, /, *asked: _Asked.args, **named: _Asked.kwargs) -> _Said:
        key = (make, *asked)
        try:
            return cast(_Said, voice.rest[key])
        except KeyError:
            if len(voice.rest) >= _MOST_KEPT:
                voice.rest.clear()  # The store may name a million areas that the snapshot does not hold.
            return cast(_Said, voice.rest.setdefault(key, make(voice, *asked, **named)))

    return kept


def _voice(today: date) -> Voice:
    days = tuple(context.when().items())
    return _voices(known(), today, i18n.language(), days, request.script_root)


# The language, the days and the root stand in the words and addresses that are kept.
@lru_cache(maxsize=6)
def _voices(known: Snapshot, today: date, _language: str, _days: _Days, _root: str) -> Voice:
    return Voice(known, today, frozenset(_kinds(big.huge())))


def known() -> Snapshot:
    """What the store knows, in memory, as this request may see it."""
    return _taken(db.house(), db.revisions())


@lru_cache(maxsize=3)
def _taken(house: House, _revisions: Revisions) -> Snapshot:
    # Hundreds of thousands of areas would fill the memory of every process: `_more` asks the store for them.
    kinds = _kinds(layer.key for layer in house.instance.layers_of("areas"))
    _voices.cache_clear()  # They would hold snapshots of which this has let go,
    advice.forget()  # and so would this.
    taken = snapshot.take(db.session(), {*kinds, "neighbour"} - _kinds(big.huge()))
    if db.LOOKS_BACK not in dict(_revisions):
        meters.here().snapshot(db.state_of(_revisions))
    return taken


def _kinds(layers: Iterable[str]) -> set[str]:
    return {db.instance().layer(key).kind for key in layers}


def _more(voice: Voice, place: Place, as_of: date) -> list[Sized]:
    """The areas at a place that are too many to be held, from the store."""
    if not voice.unheld:
        return []
    return places.areas_with_sizes_at(db.session(), place, as_of=as_of, kinds=voice.unheld)


def answered(place: Place, *, as_of: date, today: date) -> Answer:
    """The answer before it is put into words."""
    return _answered(_voice(today), place, as_of)


def _answered(voice: Voice, place: Place, as_of: date) -> Answer:
    return answers.answer(
        voice.known, db.instance(), place=place, as_of=as_of, more=_more(voice, place, as_of)
    )


def reply(place: Place, *, as_of: date, today: date, name: str = "", worry: Worry | None = None) -> Shape:
    """The answer in this request's language. `today` is the day against which ages are told."""
    voice = _voice(today)
    found = _answered(voice, place, as_of)
    shore = _shore(voice, found)
    best = _best(voice, _compared(found), as_of)
    roles = [_role(voice, one, shore, best.get(one.role.key)) for one in found.roles]
    if worry:
        roles = [role for key in worry.roles for role in roles if role["key"] == key]
    return {
        "place": {"lat": place.lat, "lon": place.lon, "name": name},
        "as_of": as_of.isoformat(),
        "language": i18n.language(),
        "worry": _worry(voice, worry) if worry else None,
        "setting": shore.setting,
        "where": _where(voice, found),
        "shore": {**_named(voice, found.shore[0].key), **_going(voice, found.shore[1])}
        if found.shore
        else None,
        "areas": [_area(voice, area.key, area.accuracy) for area in found.areas],
        "roles": roles,
        "cases": [_case(voice, case) for case in found.cases],
        "notes": _notes(voice),
    }


@_kept
def _notes(voice: Voice) -> list[str]:
    """What holds for the data that are loaded."""
    untrue = {
        _NOTES[0]: not exactness.points_are_coarse(),
        _NOTES[1]: not exactness.borders_are_rough(),
    }
    said = [_sentence(voice, note) for note in _NOTES if not untrue.get(note)]
    return [sentence.format(number=db.instance().emergency) for sentence in said]


@dataclass(frozen=True)
class Shore:
    """How a place lies to the areas of the map, and for one in none the way to the nearest in words."""

    setting: str
    step: str
    way: str


SETTINGS = ("land", "sea", "abroad", "unknown")


def _shore(voice: Voice, found: Answer) -> Shore:
    if found.areas:
        return Shore("land", "", "")
    if found.is_unknown:
        return Shore("unknown", "", "")
    setting = "abroad" if found.abroad else "sea"
    if found.shore is None:
        return Shore(setting, "", "")
    way = found.shore[1]
    is_beside = way.distance_m < _BESIDE_M
    return Shore(setting, "beside" if is_beside else setting, _way(voice, way))


def _compared(found: Answer) -> str:
    """The key of the area whose profile tells what fits the place: the smallest that has one."""
    if not found.areas and found.abroad:
        return ""
    seats = [area.key for area in found.areas or found.ashore if area.kind in contacts.SEATS]
    return seats[-1] if seats else ""


def _where(voice: Voice, found: Answer) -> str:
    """In which areas the place lies, the smallest first; or how far it is from the nearest."""
    if found.areas:
        return ", ".join(_area_name(voice, area.key) for area in reversed(found.areas))
    told = []
    if found.abroad:
        sentence = str(gettext(N_("This place is abroad, in {country}.")))
        told.append(sentence.format(country=i18n.plain(found.abroad.names)))
    if found.is_unknown:
        reach = i18n.measure(answers.REACH_M / 1000, "kilometer")
        sentence = N_("This map does not know this place: it tells of nothing within {reach} of here.")
        told.append(str(gettext(sentence)).format(reach=reach))
    elif found.shore:
        area, way = found.shore
        sentence = (
            N_("The drawn border of {area} is right beside this place.")
            if way.distance_m < _BESIDE_M
            else N_("Across the border the nearest is {area}, {way}.")
            if found.abroad
            else N_(
                "This place lies in no known area, most likely on water. The nearest land is {area}, {way}."
            )
        )
        said = _sentence(voice, sentence).format(area=_area_name(voice, area.key), way=_way(voice, way))
        told.append(said)
    elif not found.abroad:
        told.append(_sentence(voice, N_("This place lies in no known area.")))
    return " ".join(told)


def _worry(voice: Voice, worry: Worry) -> Shape:
    return {
        "key": worry.key,
        "label": i18n.plain(worry.label),
        "guides": [guide for key in worry.guides if (guide := _guide(voice, key))],
    }


def _role(voice: Voice, found: RoleAnswer, shore: Shore, best: Shape | None) -> Shape:
    role, is_played = found.role, found.is_played
    return {
        **(voice.roles.get(role.key) or _told_role(voice, role)),
        "played": is_played,
        "areas": [_area(voice, area.key, area.accuracy) for area in found.areas],
        "ashore": [
            {
                **_area(voice, area.key, area.accuracy),
                "reason": _of_shore(voice, _SHORE_AREAS, shore, area.key),
            }
            for area in found.ashore
        ],
        "matches": [_match(voice, match, shore) for match in found.matches],
        "if_none": None
        if is_played
        else _if_none(voice, role.guide, role.above, shore.setting, found.has_ashore),
        "best": best,
    }


def _told_role(voice: Voice, role: Role) -> Shape:
    what = {"key": role.key, "label": i18n.plain(role.label), "advice": i18n.plain(role.advice)}
    return voice.roles.setdefault(role.key, what)


@_kept
def _if_none(voice: Voice, guide: str, keys_above: tuple[str, ...], setting: str, has_ashore: bool) -> Shape:
    """What to do where nobody is responsible; how to begin is told on land only, where people live."""
    above = [body for body in voice.known.bodies if body.key in keys_above]
    sentence = _UNKNOWN if setting == "unknown" else _ASHORE[setting] if has_ashore else _NOBODY
    return {
        "sentence": _sentence(voice, sentence),
        "guide": _guide(voice, guide) if setting == "land" else None,
        "above": [{"name": names.body(body), "url": _url("body", key=body.key)} for body in above],
    }


@_kept
def _guide(_voice: Voice, key: str) -> Shape | None:
    title = _guides(db.house(), db.revisions()).get(key)
    return {"key": key, "title": i18n.plain(title), "url": _url("practice", key=key)} if title else None


@lru_cache(maxsize=3)
def _guides(_house: House, _revisions: Revisions) -> dict[str, Mapping[str, str]]:
    return {found.key: found.titles for found in practices.practices(db.session(), as_of=date.max)}


def _best(voice: Voice, area: str, as_of: date) -> Mapping[str, Shape]:
    """By role, the practice and the case that fit the area best, and why."""
    return _said_best(voice, area, advice.epoch(voice.known, as_of)) if area else {}


@_kept
def _said_best(voice: Voice, area: str, epoch: date) -> Mapping[str, Shape]:
    return {
        role: {
            "compared": _named(voice, area),
            "practice": _guide(voice, found.practice),
            "case": (voice.cases.get(id(found.suggestion.case)) or _told_case(voice, found.suggestion.case))[
                0
            ],
            "score": found.suggestion.score,
            "points": {part.key: part.points for part in found.suggestion.parts},
            "reason": advice.why(found.suggestion),
        }
        for role, found in advice.best(voice.known, area, as_of=epoch).items()
    }


def _of_shore(voice: Voice, sentences: Mapping[str, str], shore: Shore, area: str) -> str:
    return _sentence(voice, sentences[shore.step]).format(area=_area_name(voice, area), way=shore.way)


def _match(voice: Voice, match: Match, shore: Shore) -> Shape:
    asked = id(match.body), match.why, match.area, match.across
    told = (voice.matches.get(asked) or _told_match(voice, match, asked)).copy()
    if match.why == answers.SHORE:
        told["reason"] = _of_shore(voice, _SHORE_REASONS, shore, match.area)
    if match.way:
        told["distance_m"], told["bearing"] = match.way.distance_m, match.way.bearing
        told["way"] = _way(voice, match.way)
    return told


def _told_match(voice: Voice, match: Match, asked: _Matched) -> Shape:
    """What is the same about an organisation that matches for one reason: all but the way."""
    if len(voice.matches) >= _MOST_KEPT:
        voice.matches.clear()
    who, whence = voice.bodies.get(id(match.body)) or _told(voice, match.body)
    told = {
        **who,
        "why": match.why,
        "reason": "" if match.why == answers.SHORE else _reason(voice, match.why, match.area),
        "area": match.area,
        **_going(voice, None),
        "across": [_named(voice, key) for key in match.across],
        **whence,
    }
    return voice.matches.setdefault(asked, told)


def _told(voice: Voice, body: Body) -> tuple[Shape, Shape]:
    """What is the same about an organisation in every answer: who it is, and where that is known from."""
    who = {
        "key": body.key,
        "name": names.body(body),
        "url": _url("body", key=body.key),
        "form": i18n.label("forms", body.form),
        "capabilities": [i18n.label("capabilities", code) for code in body.capabilities],
        "readiness": i18n.label("readiness", body.readiness) if body.readiness else "",
    }
    whence = {"place": _place(body), "source": _source(body, voice.today)}
    return voice.bodies.setdefault(id(body), (who, whence))


@_kept
def _reason(voice: Voice, why: str, area: str) -> str:
    return str(gettext(_REASONS[why])).format(area=_area_name(voice, area))


@_kept
def _sentence(_voice: Voice, text: str) -> str:
    return str(gettext(text))


def _place(body: Body) -> Shape | None:
    """Where the organisation's point is, and how exact that is."""
    if body.place is None:
        return None
    precision = i18n.label("precision", body.precision)
    return {"lat": body.place.lat, "lon": body.place.lon, "name": body.locality, "precision": precision}


def _source(body: Body, today: date) -> Shape:
    source, age = body.source, freshness.of(body, db.instance().freshness, today=today)
    return {
        "title": source.title,
        "url": source.url,
        "as_of": source.as_of,
        "inferred": source.inferred,
        "freshness": age.state,
        "confirmed": age.confirmed,
        "expires": age.expires.isoformat() if age.expires else "",
        "current": age.is_current,
    }


def _case(voice: Voice, found: CaseMatch) -> Shape:
    what, guides = voice.cases.get(id(found.case)) or _told_case(voice, found.case)
    return {
        **what,
        "reason": _case_reason(voice, found.area),
        "area": found.area,
        **_going(voice, found.way),
        "practices": guides,
    }


def _told_case(voice: Voice, case: Case) -> tuple[Shape, list[Shape]]:
    what = {
        "key": case.key,
        "title": i18n.plain(case.titles),
        "url": _url("case", key=case.key),
        "outcome": case.outcome,
        "freshness": freshness.of(case, db.instance().freshness, today=voice.today).state,
    }
    guides = [guide for link in case.practices if (guide := _guide(voice, link.practice))]
    return voice.cases.setdefault(id(case), (what, guides))


@_kept
def _case_reason(voice: Voice, area: str) -> str:
    if not area:
        return str(gettext(_CASE_NEAR))
    return str(gettext(_CASE_SHARES)).format(area=_area_name(voice, area))


def _going(voice: Voice, way: Way | None) -> Shape:
    return {
        "distance_m": way.distance_m if way else None,
        "bearing": way.bearing if way else None,
        "way": _way(voice, way) if way else "",
    }


def _way(voice: Voice, way: Way) -> str:
    """A way as one would say it: 12 km to the north."""
    far_m, bearing = way
    going = *context.rounded(far_m), None if bearing is None or far_m < 100 else round(bearing / 45) % 8
    return voice.ways.get(going) or _told_way(voice, going)


def _told_way(voice: Voice, going: _Going) -> str:
    amount, unit, eighth = going
    said = context.measured(amount, unit)
    told = said if eighth is None else f"{said} {context.direction(45 * eighth)}"
    return voice.ways.setdefault(going, told)


@_kept
def _area(voice: Voice, key: str, accuracy: str) -> Shape:
    kind = key.partition(":")[0]
    return {
        **_named(voice, key),
        "kind": kind,
        "kind_label": i18n.label("area_kinds", kind),
        "accuracy": accuracy,
    }


@_kept
def _named(voice: Voice, key: str) -> Shape:
    kind, _, code = key.partition(":")
    return {"key": key, "name": _area_name(voice, key), "url": _url("area", kind=kind, code=code)}


@_kept
def _area_name(voice: Voice, key: str) -> str:
    # Of 20,000 areas nearly every place names one for the first time: the store would be asked for each.
    known = voice.known
    states = known.area_states.get(key)
    return i18n.plain(known.areas[states[-1]].names) or key if states else names.area(key)


def _url(endpoint: str, **values: Any) -> str:
    return context.page(endpoint, **values)


class NameNotFound(NotFound):
    text = N_("No settlement is called “{name}”. Try the search, or coordinates.")


class ManyHaveThisName(Invalid):
    """`choices` are the places, to be asked back."""

    text = N_("{count} places are called “{name}”. Choose one, or add its municipality after a comma.")

    def __init__(self, name: str, found: Sequence[Found]) -> None:
        super().__init__(name=name, count=len(found))
        self.choices = [_choice(one) for one in found if one.place]


def _choice(found: Found) -> Shape:
    lat, lon = (found.place.lat, found.place.lon) if found.place else (None, None)
    return {
        "name": found.name,
        "municipality": found.municipality,
        "county": found.county,
        "lat": lat,
        "lon": lon,
        "url": url_for("api.answer", lang=i18n.language(), lat=lat, lon=lon),
    }


def asked(args: Mapping[str, str]) -> Shape:
    """The answer that a query string asks for, by `lat` and `lon` or by `place`.

    Raises:
        NameNotFound: no settlement has this name.
        ManyHaveThisName: several have it.
    """
    worries = {worry.key: worry for worry in db.instance().worries}
    worry = worries.get(params.one_of(args, "worry", worries))
    as_of, name = params.as_of(args), params.words(args, "place")
    place = _named_place(name, as_of) if name else params.place(args)
    return reply(place, as_of=as_of, today=params.knowledge_day(args), name=name, worry=worry)


def _named_place(name: str, as_of: date) -> Place:
    found = [one for one in hits.settlements(name, as_of=as_of) if one.place]
    if not found:
        raise NameNotFound(name=name)
    if len(found) > 1:
        raise ManyHaveThisName(name, found)
    return cast(Place, found[0].place)
