"""The accounts of all, for admins: who there is, what each may do, and what happened at the door."""

from pathlib import Path

from flask import current_app, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from layers import accounts, store
from layers.accounts import Account, NoAccount, factors, records, tries
from layers.errors import N_, Invalid, NotScrubbed
from webmap import context, db, erasing, i18n, oidc, params, signin
from webmap.account import entry, frame
from webmap.account.frame import bp, page


class NotTyped(Invalid):
    text = N_("Type the name of the account that is to be erased, so that it is not another one.")


@bp.route("/<language>/account/all", methods=["GET", "POST"])
@signin.required("admin")
@signin.proved
def everybody() -> ResponseReturnValue:
    """Every account, and a form for one more, which is told its invitation once."""
    sent = params.filled()
    if not sent:
        return _list(sent)
    try:
        with signin.writing() as session:
            made = accounts.add(
                session,
                name=sent.get("name", ""),
                label=sent.get("label", ""),
                role=sent.get("role", ""),
                layers=sent.getlist("layer"),
                areas=sent.get("areas", "").replace(",", " ").split(),
                now=signin.desk().clock(),
                by=signin.asking().id,
            )
            link = _invite(session, made)
            session.commit()
    except Invalid as problem:
        return _list(sent, problem)
    return page("invited", about=made, link=link)


@bp.route("/<language>/account/all/<int:id>", methods=["GET", "POST"])
@signin.required("admin")
@signin.proved
def somebody(id: int) -> ResponseReturnValue:
    sent, about = params.filled(), accounts.one(db.session(), id)
    if about.erased_at:
        raise NoAccount
    if not sent:
        return _one(about)
    try:
        if sent.get("do") == "erase":
            return _erased(about, sent)
        with signin.writing() as session:
            link = _do(session, about, sent)
            session.commit()
    except Invalid as problem:
        return _one(about, problem)
    if link:
        return page("invited", about=about, link=link)
    return redirect(context.page("account.somebody", id=id), 303)


@bp.get("/<language>/account/record")
@signin.required("admin")
def record() -> ResponseReturnValue:
    return page("record", records=records.latest(db.session(), most=200), what=records.WHAT)


def _do(session: Session, about: Account, sent: MultiDict[str, str]) -> str:
    """What the form asks for; returns the link of an invitation, else ""."""
    now, by, what = signin.desk().clock(), signin.asking().id, sent.get("do", "")
    if what == "change":
        accounts.set_label(session, about.id, sent.get("label", ""), now=now, by=by)
        accounts.set_role(session, about.id, sent.get("role", ""), now=now, by=by)
        areas = sent.get("areas", "").replace(",", " ").split()
        chosen = sent.getlist("layer")
        accounts.set_scope(session, about.id, layers=chosen, areas=areas, now=now, by=by)
    elif what == "invite":
        return _invite(session, about)
    elif what == "end":
        accounts.end_sessions(session, about.id, now=now, by=by)
    elif what == "unlock":
        accounts.unlock(session, about.id, entry.name_key(about.name), now=now, by=by)
        tries.forget(session, entry.second_key(about.id))
    elif what == "unsecond":
        factors.turn_off(session, about.id, now=now, by=by)
    elif what == "disable":
        accounts.disable(session, about.id, now=now, by=by)
    elif what == "enable":
        accounts.enable(session, about.id, now=now, by=by)
    elif what in ("link", "unlink") and oidc.provider().is_there:
        subject = sent.get("subject", "").strip() if what == "link" else ""
        if what == "unlink" or subject:
            person = oidc.provider().person(subject, signin.desk().digest) if subject else ""
            accounts.link(session, about.id, person, now=now, by=by)
    return ""


def _erased(about: Account, sent: MultiDict[str, str]) -> ResponseReturnValue:
    """Forgets an account whose name was typed; whoever is erased herself is signed out with it."""
    if accounts.folded(sent.get("name", "")) != about.name:
        raise NotTyped
    house, desk, asking = db.house(), signin.desk(), signin.asking()
    where = erasing.House(
        house.engine, house.instance.metric_crs, Path(current_app.config["STATE"]), desk.key_file
    )
    db.close()  # A question that stands open would keep the file from being written anew.
    also = [" ".join(line.split()) for line in sent.get("also", "").splitlines() if line.strip()]
    gone = erasing.erase(where, about.id, now=desk.clock(), by=asking.id, also=also)
    problem = None
    try:
        store.scrub(house.engine)
    except NotScrubbed as error:
        problem = error
    if asking.id == about.id:
        signin.leave()
        return redirect(context.page("account.sign_in"), 303)
    return page("erased", gone=gone, problem=problem)


def _invite(session: Session, about: Account) -> str:
    """A new link for an account; the store keeps the digest alone, so it can be shown only now."""
    desk = signin.desk()
    token = desk.token()
    accounts.invite(session, about.id, token=token, now=desk.clock(), by=signin.asking().id)
    return signin.whole(url_for("pages.account.invitation", language=i18n.language(), token=token))


def _list(sent: MultiDict[str, str], problem: Invalid | None = None) -> ResponseReturnValue:
    found = accounts.every(db.session())
    scopes = {one.id: frame.scope(one) for one in found}
    return page("all", problem=problem, accounts=found, scopes=scopes, sent=sent)


def _one(about: Account, problem: Invalid | None = None) -> ResponseReturnValue:
    return page(
        "one",
        problem=problem,
        about=about,
        provider=oidc.provider(),
        records=records.latest(db.session(), about=about.id, most=20),
        what=records.WHAT,
    )
