"""How fresh a fact is: when it was last confirmed, when to look again, and from when on it is not current.

Last confirmed is the later of the date that a fact speaks of and the newest confirmation of it. How long it
holds is data (`catalog.Lifetime`). Where an instance names no rule, facts age as `_USUAL` says and do not
expire. A fact without any date is never current: nobody knows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from layers import dates
from layers.catalog import Lifetime
from layers.places import Area, Body, Count
from layers.practices import Case, Practice

NEW, AGEING, OLD, EXPIRED, UNDATED = "new", "ageing", "old", "expired", "undated"
STATES = (NEW, AGEING, OLD, EXPIRED, UNDATED)
_CURRENT = (NEW, AGEING, OLD)
_USUAL = (24, 72)
Thing: TypeAlias = Body | Case | Practice | Count | Area


@dataclass(frozen=True)
class Age:
    """How fresh a fact is on a day. `last` and `confirmed` are partial dates, "" where there is none.

    `due` is the first day on which somebody should look again, `expires` the last on which it is current;
    None where there is none. `lifetime` is the rule that says so.
    """

    state: str
    last: str
    confirmed: str
    due: date | None
    expires: date | None
    lifetime: Lifetime

    @property
    def is_current(self) -> bool:
        """Whether it may be told as current: never after it has expired, never without a date."""
        return self.state in _CURRENT


def lifetime(
    rules: Iterable[Lifetime], *, of: str, layer: str = "", kind: str = "", form: str = ""
) -> Lifetime:
    """The rule that names most of a fact's kind, the last of several; the usual one where none does."""
    best = Lifetime(of, *_USUAL)
    most = 0
    for rule in rules:
        named = [(rule.layer, layer), (rule.kind, kind), (rule.form, form)]
        told = sum(bool(wanted) for wanted, _ in named)
        if rule.of == of and told >= most and all(wanted in ("", has) for wanted, has in named):
            best, most = rule, told
    return best


def age(as_of: str, confirmed: str, rule: Lifetime, *, today: date) -> Age:
    """How fresh a fact is that speaks of `as_of` and was last confirmed on `confirmed` (partial dates)."""
    last = max(as_of, confirmed, key=lambda text: dates.first_day(text) if text else date.min)
    if not last:
        return Age(UNDATED, "", confirmed, None, None, rule)
    due = dates.months_after(last, rule.old_months)
    ended = None if rule.expires_months is None else dates.months_after(last, rule.expires_months)
    if ended is not None and ended <= today:
        state = EXPIRED
    elif due <= today:
        state = OLD
    else:
        state = AGEING if dates.months_after(last, rule.ageing_months) <= today else NEW
    return Age(state, last, confirmed, due, ended and ended - timedelta(days=1), rule)


def of(thing: Thing, rules: Iterable[Lifetime], *, today: date) -> Age:
    """How fresh what a reader gave is."""
    rule = lifetime_of(thing, rules)
    if isinstance(thing, Case | Practice):
        return age(thing.as_of, thing.confirmed, rule, today=today)
    return age(thing.source.as_of, thing.source.confirmed, rule, today=today)


def lifetime_of(thing: Thing, rules: Iterable[Lifetime]) -> Lifetime:
    """The rule for what a reader gave."""
    if isinstance(thing, Body):
        return lifetime(rules, of="bodies", layer=thing.layer, form=thing.form)
    if isinstance(thing, Case):
        return lifetime(rules, of="cases")
    if isinstance(thing, Practice):
        return lifetime(rules, of="practices")
    if isinstance(thing, Count):
        return lifetime(rules, of="counts", layer=thing.layer)
    return lifetime(rules, of="areas", kind=thing.kind)
