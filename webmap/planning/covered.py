"""Whole sentences about cover: the same on the page, on the map and in the list."""

from math import ceil, inf, isfinite

from flask_babel import gettext, ngettext

from layers import geo
from layers.errors import N_
from layers.gaps import mixes
from layers.gaps.cover import Finding, Near, Row
from layers.gaps.mixes import ALL, Mix
from layers.gaps.service import Service
from layers.gaps.standards import Rule
from webmap import db, i18n, names
from webmap.planning import world
from webmap.planning.world import World

_HAIR = 1e-6


def people(count: float) -> str:
    """Persons as a whole number."""
    return i18n.number(round(count))


def percent(share: float) -> str:
    """A share in percent to the tenth, never rounded up to all or down to none."""
    told = round(100 * share, 1)
    if share < 1 and told == 100:
        told = 99.9
    if share > 0 and told == 0:
        told = 0.1
    return i18n.number(told)


def minutes(value: float) -> str:
    """Minutes as one would say them: whole ones, begun ones counted, so that 15.04 is not 15."""
    if not isfinite(value):
        return str(gettext("not within an hour"))
    return str(gettext("%(minutes)s min", minutes=i18n.number(ceil(value - _HAIR))))


def at_most(value: float) -> str:
    """A time within which a share of people is reached; a dash where so many never are."""
    return minutes(value) if isfinite(value) else "–"


def km(value: float) -> str:
    return i18n.measure(round(value, 1 if value < 10 else None), "kilometer")


def area(kind: str, code: str) -> str:
    """The name of a zone; people who are in none have their own row."""
    return names.area(f"{kind}:{code}") if code else str(gettext("Area not known"))


def place(county: str) -> str:
    return names.area(f"county:{county}") if county else str(gettext("The whole territory"))


def who(text: str) -> str:
    """Roles as they are joined: police and (village association or watch)."""
    labels = {role.key: i18n.plain(role.label) for role in world.roles()}
    return _joined(mixes.mix(text, roles=labels), labels, outer=True)


def bounds(known: World, county: str) -> str:
    """The frame of a county as the map takes it: west,south,east,north; "" for the whole territory."""
    if not county:
        return ""
    inside = known.people.within("county", county)
    spots = geo.degrees_of(known.people.points[inside], srid=db.instance().metric_crs)
    return ",".join(f"{value:.4f}" for value in (*spots.min(axis=0), *spots.max(axis=0)))


_HOW = {
    "straight_line": N_("Estimate: straight lines with a detour; the roads were not asked."),
    "network": N_("Estimate: the quickest way along the roads that were given, without traffic."),
    "matrix": N_("Estimate: times of the way from a table that was given."),
}


def how(known: World, *keys: str) -> str:
    """How the way of these roles was found, in a sentence each."""
    engines = dict.fromkeys(known.travels[key].engine for key in keys if key in known.travels)
    return " ".join(str(gettext(_HOW[engine])) for engine in engines)


def caveats(*keys: str) -> list[str]:
    """Who of these roles is missing in the data, as the instance says."""
    return [said for role in world.roles() if role.key in keys and (said := i18n.plain(role.caveat))]


def _joined(part: str | Mix, labels: dict[str, str], *, outer: bool) -> str:
    if isinstance(part, str):
        return labels[part]
    told = [_joined(one, labels, outer=False) for one in part.parts]
    told = [told[0], *(i18n.lowered(one) for one in told[1:])]
    found = i18n.listed(told) if part.of == ALL else i18n.either(told)
    return found if outer or len(told) == 1 else f"({found[:1].lower()}{found[1:]})"


def wanted(rule: Rule) -> str:
    """Who counts under a rule: roles, and forms where only some of their units do."""
    if not rule.forms:
        return who(rule.role)
    forms = i18n.either(i18n.lowered(i18n.label("forms", form)) for form in rule.forms)
    return str(gettext("%(who)s (only: %(forms)s)", who=who(rule.role), forms=forms))


def asks(rule: Rule) -> str:
    """What a rule asks of time and distance, in words."""
    if rule.within_min is None:
        return str(gettext("within %(km)s in a straight line", km=km(rule.within_km or 0)))
    if rule.within_km is not None:
        return str(
            gettext(
                "within %(minutes)s and %(km)s in a straight line",
                minutes=minutes(rule.within_min),
                km=km(rule.within_km),
            )
        )
    if not rule.with_turnout:
        return str(gettext("within %(minutes)s of leaving", minutes=minutes(rule.within_min)))
    return str(gettext("within %(minutes)s of the alarm", minutes=minutes(rule.within_min)))


def answer(row: Row, rule: Rule, county: str) -> str:
    """The sentence for a council."""
    return str(
        gettext(
            "%(place)s: %(uncovered)s of %(people)s people (%(share)s %%) live further than %(asked)s"
            " from: %(who)s.",
            place=place(county),
            uncovered=people(row.uncovered),
            people=people(row.people),
            share=percent(row.uncovered / row.people),
            asked=limit(rule),
            who=i18n.lowered(wanted(rule)),
        )
    )


def limit(rule: Rule) -> str:
    """The time or the distance itself."""
    if rule.within_min is None:
        return km(rule.within_km or 0)
    return minutes(rule.within_min)


def verdict(one: Finding) -> str:
    """Whether a rule is kept, and how many are short."""
    if one.passes is None:
        return str(gettext("asks for nobody here"))
    if one.passes:
        return str(gettext("kept"))
    short = max(1, round(one.short))
    return str(
        ngettext(
            "not kept: %(people)s person short",
            "not kept: %(people)s people short",
            short,
            people=people(short),
        )
    )


def state(asked: Service, row: int) -> str:
    return str(gettext("in time") if asked.covered[row] else gettext("not in time"))


def living(count: float, estimated: bool) -> str:
    told = max(1, round(count))
    if estimated:
        return str(
            ngettext(
                "about %(people)s person (estimate)",
                "about %(people)s people (estimate)",
                told,
                people=people(told),
            )
        )
    return str(ngettext("%(people)s person", "%(people)s people", told, people=people(told)))


def nearest(known: World, asked: Service, row: int) -> str:
    """Who comes first to a place, in estimated minutes and straight kilometres; "" for nobody."""
    if asked.unit[row] < 0:
        return ""
    units = known.units[asked.roles[asked.role[row]]]
    return near(units.names[asked.unit[row]], asked.minutes[row], asked.metres[row] / 1000)


def near(name: str, taking_min: float, away_km: float) -> str:
    if taking_min == inf:
        return str(gettext("%(unit)s: no way known, %(km)s in a straight line", unit=name, km=km(away_km)))
    return str(
        gettext(
            "%(unit)s: %(minutes)s (estimate), %(km)s in a straight line",
            unit=name,
            minutes=minutes(taking_min),
            km=km(away_km),
        )
    )


def other(known: World, one: Near) -> str:
    units = known.units[one.role]
    return near(units.names[one.unit], one.minutes, one.km)
