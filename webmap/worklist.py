"""What should be checked, worst first: counts for everybody, and for stewards one click to confirm."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from flask import Blueprint, make_response, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from layers import confirmations, freshness, linkcheck, worklist
from layers.errors import N_
from layers.worklist import Item
from webmap import ages, context, db, i18n, names, params, shading, signin, stewards
from webmap.db import House, Revisions
from webmap.planning import tables

bp = Blueprint("worklist", __name__)
_A_PAGE = 100
_PAGES = {"body": "body", "case_study": "case", "practice": "practice"}
_GROUPS = {"body": "forms", "area": "area_kinds", "case_study": "themes"}
_LINKS = {
    linkcheck.GONE: N_("The source is gone from its address."),
    linkcheck.SOFT: N_("The source's address shows another page."),
    linkcheck.BAD: N_("The source's address is no web address."),
    linkcheck.FAILING: N_("The source did not answer at the last check."),
    linkcheck.MOVED: N_("The source has moved to another address."),
}


@dataclass(frozen=True)
class Asked:
    """What a visitor wants to see of the list: a layer, a county, a kind, and from which line on."""

    layer: str
    county: str
    kind: str
    start: int


@bp.get("/<language>/freshness")
def work() -> ResponseReturnValue:
    every, asked = _every(), _asked()
    found = _wanted(every, asked)
    page = make_response(
        render_template(
            "pages/worklist.html",
            shade=next((key for key, one in reversed(shading.offered().items()) if one.is_of_age), ""),
            found=found[asked.start : asked.start + _A_PAGE],
            total=len(found),
            asked_for=asked,
            a_page=_A_PAGE,
            by_layer=worklist.tally(every, "layer"),
            by_county=[row for row in worklist.tally(every, "county") if row.key],
            layer_name=_layer_name,
            states=ages.TITLES,
            kinds=_kinds(every),
            title=_title,
            kind_name=_kind_name,
            address=_address,
            why=_why,
            reason=_reason,
            link_words=lambda outcome: str(gettext(_LINKS[outcome])) if outcome in _LINKS else "",
            may_confirm=stewards.may_confirm(),
            may=_may,
            hidden=stewards.hidden(),
        )
    )
    return page


@bp.get("/<language>/freshness.csv")
def file() -> ResponseReturnValue:
    """The same list, whole, for a spreadsheet."""
    return tables.csv([_row(one) for one in _wanted(_every(), _asked())], name="freshness")


@bp.post("/<language>/freshness/confirm")
@signin.required(stewards.ROLE)
def confirm() -> ResponseReturnValue:
    """One click: this was still right today."""
    sent, now = params.filled(), datetime.now(tz=UTC)
    about = sent.get("table", ""), sent.get("key", "")
    # By the list of today, whatever day the address names: what is on none is nobody's to confirm.
    every = _items(db.house(), db.revisions(), params.today(), ages.today(), _looked_at())
    found = next((one for one in every if (one.table, one.key) == about), None)
    if found is None:
        raise confirmations.FactNotFound(table=about[0], key=about[1])
    stewards.check(**_scope(found))
    with db.writing() as session:
        confirmations.confirm(
            session,
            sent.get("table", ""),
            sent.get("key", ""),
            day=now.date(),
            by=confirmations.ACCOUNT,
            label=stewards.ROLE,
            now=now,
        )
        session.commit()
    back = {name: sent[name] for name in ("layer", "county", "kind", "from") if sent.get(name)}
    return redirect(context.page("worklist.work", as_of=None, known=None, **back), 303)


def _scope(one: Item) -> dict[str, str]:
    """Where a fact lies, as accounts are limited."""
    return {"layer": one.layer, "area": f"county:{one.county}" if one.county else ""}


def _may(one: Item) -> bool:
    return stewards.may_confirm(**_scope(one))


def _every() -> tuple[Item, ...]:
    as_of = params.as_of(params.arguments())
    return _items(db.house(), db.revisions(), as_of, ages.today(), _looked_at())


@lru_cache(maxsize=8)
def _items(
    house: House, _revisions: Revisions, as_of: date, today: date, _looked_at: str
) -> tuple[Item, ...]:
    """Every fact, kept. The arguments are all that it depends on."""
    return tuple(worklist.items(db.session(), house.instance, as_of=as_of, today=today))


def _looked_at() -> str:
    """When a source was last looked at: no revision rises with that."""
    return linkcheck.newest(db.session())


def _asked() -> Asked:
    args, instance = params.arguments(), db.instance()
    layers = {layer.key for layer in instance.layers} | {worklist.PRACTICES, worklist.COUNTS}
    known = {code for group in _GROUPS.values() for code in instance.codes.get(group, {})}
    return Asked(
        layer=params.one_of(args, "layer", sorted(layers)),
        county=params.one_of(args, "county", names.codes("county")) if args.get("county") else "",
        kind=params.one_of(args, "kind", sorted(known)) if args.get("kind") else "",
        start=params.whole(args, "from") or 0,
    )


def _wanted(every: Iterable[Item], asked: Asked) -> list[Item]:
    return [
        one
        for one in every
        if one.is_work
        and asked.layer in ("", one.layer)
        and asked.county in ("", one.county)
        and asked.kind in ("", one.kind)
    ]


def _kinds(every: Iterable[Item]) -> dict[str, str]:
    """The kinds that have work, with their words, by their words."""
    found = {one.kind: _kind_name(one) for one in every if one.is_work and one.kind}
    return dict(sorted(found.items(), key=lambda one: one[1].casefold()))


def _kind_name(one: Item) -> str:
    return i18n.label(_GROUPS[one.table], one.kind) if one.kind else ""


def _layer_name(key: str) -> str:
    if key == worklist.PRACTICES:
        return str(gettext(N_("Practices")))
    if key == worklist.COUNTS:
        return str(gettext(N_("Counts")))
    return i18n.plain(db.instance().layer(key).label)


def _title(one: Item) -> str:
    return i18n.plain(one.names)


def _address(one: Item) -> str:
    """The page of a fact; a count's is that of its layer."""
    if one.table in _PAGES:
        return context.page(_PAGES[one.table], key=one.key)
    if one.table == "area":
        kind, _, code = one.key.partition(":")
        return context.page("area", kind=kind, code=code)
    return context.page("layer", key=one.layer) if one.layer != worklist.COUNTS else ""


def _why(one: Item) -> str:
    """Why it is on the list, as a sentence."""
    if one.age.state == freshness.UNDATED:
        told = str(gettext(N_("The source has no date, and nobody has confirmed it.")))
    elif one.age.state == freshness.EXPIRED and one.age.expires:
        day = i18n.day(one.age.expires.isoformat())
        told = str(gettext(N_("Expired: it was current until {day}."))).format(day=day)
    elif one.is_due:
        months = one.age.lifetime.old_months
        told = str(
            ngettext("Unchecked for over %(num)d month.", "Unchecked for over %(num)d months.", months)
        )
    else:
        return ""
    return told


def _reason(one: Item) -> str:
    """Why such facts hold no longer than they do, as the instance says."""
    return i18n.plain(one.age.lifetime.why) if one.is_due else ""


def _row(one: Item) -> dict[str, Any]:
    age = one.age
    return {
        "table": one.table,
        "key": one.key,
        "name": _title(one),
        "layer": one.layer,
        "kind": _kind_name(one),
        "county": names.county(one.county),
        "freshness": age.state,
        "last_confirmed": age.last,
        "due": age.due.isoformat() if age.due else "",
        "expires": age.expires.isoformat() if age.expires else "",
        "overdue_days": one.overdue_days,
        "why": f"{_why(one)} {_reason(one)}".strip(),
        "source": one.source,
        "source_url": one.source_url,
        "link": one.link,
    }
