"""One's own account: who one is here, where one is signed in, and another password."""

from flask import redirect
from flask.typing import ResponseReturnValue

from layers import accounts
from layers.accounts import passwords, sessions
from layers.errors import Invalid
from webmap import context, db, oidc, params, signin
from webmap.account import entry, frame
from webmap.account.frame import bp, page


@bp.route("/<language>/account", methods=["GET", "POST"])
@signin.required("reader")
def home() -> ResponseReturnValue:
    """`end` in the form names a session, "others" or "all"."""
    asking, here, desk = frame.asking(), signin.stay(), signin.desk()
    what = params.filled().get("end", "")
    if what and here:
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
def password() -> ResponseReturnValue:
    """Another password; whoever does not know the present one is slowed down as at the door."""
    asking, sent, now = frame.asking(), params.filled(), signin.desk().clock()
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
