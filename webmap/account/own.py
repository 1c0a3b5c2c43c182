"""One's own account: who one is here, where one is signed in, and another password."""

from collections.abc import Mapping

from flask import Response, redirect
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.exceptions import NotFound

from layers import accounts
from layers.accounts import factors, passwords, sessions
from layers.errors import Invalid
from webmap import context, db, i18n, oidc, params, sharing, signin
from webmap.account import entry, frame
from webmap.account.frame import bp, page


@bp.route("/<language>/account", methods=["GET", "POST"])
@signin.required("reader")
@signin.before_second
def home() -> ResponseReturnValue:
    """`end` in the form names a session, "others" or "all"."""
    asking, here, desk = signin.asking(), signin.stay(), signin.desk()
    what = params.filled().get("end", "")
    if what and here:
        if late := signin.ask_again():
            return late
        with signin.writing() as session:
            if what == "all":
                accounts.end_sessions(session, asking.id, now=desk.clock(), by=asking.id)
                signin.leave()
            elif what == "others":
                accounts.end_sessions(session, asking.id, now=desk.clock(), by=asking.id, but=here.id)
            elif what.isascii() and what.isdigit() and len(what) < 10:
                only = int(what)
                accounts.end_sessions(session, asking.id, now=desk.clock(), by=asking.id, only=only)
            session.commit()
        return redirect(context.page("account.sign_in" if what == "all" else "account.home"), 303)
    found = sessions.of(db.session(), asking.id, life=desk.life, now=desk.clock())
    return page(
        "home",
        sessions=found,
        here=here,
        ways=frame.ways(),
        scope=frame.scope(asking),
        takes_passwords=oidc.provider().takes_passwords,
    )


@bp.route("/<language>/account/password", methods=["GET", "POST"])
@signin.required("reader")
@signin.before_second
def password() -> ResponseReturnValue:
    """Another password; whoever does not know the present one is slowed down as at the door."""
    asking, sent, now = signin.asking(), params.filled(), signin.desk().clock()
    if not sent:
        return page("password")
    try:
        new = entry.chosen(sent.get("new", ""), sent.get("again", ""), name=asking.name)
        # The present one is asked for, so a computer left open does not give the account away.
        id, kept = entry.reserve(asking.name)
        if not passwords.matches(kept, sent.get("password", "")):
            raise entry.NotKnown
    except Invalid as problem:
        return page("password", problem=problem)
    with signin.writing() as session:
        entry.succeed(session, asking.name)
        accounts.set_password(session, id, new, now=now, by=asking.id)
        signin.renew(session)
        session.commit()
    return redirect(context.page("account.home"), 303)


@bp.route("/<language>/account/second-factor", methods=["GET", "POST"])
@signin.required("reader")
@signin.before_second
def second_factor() -> ResponseReturnValue:
    """Turns the second factor on, off, or makes new recovery codes; each asks for the password first."""
    asking, sent = signin.asking(), params.filled()
    if not (asking.has_password and oidc.provider().takes_passwords):
        raise NotFound
    if not sent:
        return _second()
    try:
        entry.prove(asking, sent)
        return _turned_on(sent) if not asking.has_second else _changed(sent.get("do", ""))
    except entry.Wait as problem:
        response = _second(problem, status=429)
        response.headers["Retry-After"] = str(problem.wait_s)
        return response
    except Invalid as problem:
        return _second(problem)


def _second(problem: Invalid | None = None, status: int = 200) -> Response:
    """The state of the second factor; where there is none, with a new secret that the form brings back."""
    asking, desk = signin.asking(), signin.desk()
    if asking.has_second:
        left = factors.left(db.session(), asking.id)
        return page("second_factor", problem=problem, status=status, left=left)
    made = desk.unlock(_offer(asking.id), params.filled().get("offer", ""))
    secret = made or factors.secret(desk.chance(factors.SECRET_BYTES))
    address = factors.address(secret, name=asking.name, issuer=i18n.plain(db.instance().names))
    return page(
        "second_factor",
        problem=problem,
        status=status,
        offer=desk.lock(_offer(asking.id), secret),
        code=sharing.qr(address, gettext("The secret as a QR code for an app")),
        typed=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        is_needed=signin.lacks_second(),
    )


def _turned_on(sent: Mapping[str, str]) -> ResponseReturnValue:
    """Keeps the secret once a code shows that the app has it; what else was signed in is not any more."""
    asking, desk = signin.asking(), signin.desk()
    secret = desk.unlock(_offer(asking.id), sent.get("offer", ""))
    if secret is None:
        raise entry.BeginAgain
    step = factors.step(secret, sent.get("code", ""), now=desk.clock())
    if not step:
        raise entry.WrongCode
    codes = factors.recovery_codes(desk.chance)
    with signin.writing() as session:
        locked = desk.lock(entry.locked_for(asking.id), secret)
        factors.turn_on(
            session, asking.id, locked=locked, step=step, codes=codes, now=desk.clock(), by=asking.id
        )
        signin.renew(session)
        session.commit()
    return page("second_codes", codes=codes)


def _changed(what: str) -> ResponseReturnValue:
    asking, desk = signin.asking(), signin.desk()
    codes = factors.recovery_codes(desk.chance)
    with signin.writing() as session:
        if what == "off":
            factors.turn_off(session, asking.id, now=desk.clock(), by=asking.id)
        else:
            factors.renew_codes(session, asking.id, codes, now=desk.clock(), by=asking.id)
        signin.renew(session)
        session.commit()
    return redirect(context.page("account.home"), 303) if what == "off" else page("second_codes", codes=codes)


def _offer(id: int) -> str:
    return f"offer of a second factor to {id}"
