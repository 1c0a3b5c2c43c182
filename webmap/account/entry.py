"""The way in: by a name and a password, by an invitation, or through the provider; and the way out."""

from flask import Response, g, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from layers import accounts
from layers.accounts import passwords, records, sessions, tries
from layers.errors import N_, Invalid, LayersError
from webmap import context, db, i18n, oidc, params, seals, signin
from webmap.account.frame import bp, page
from webmap.oidc import Provider

_STATE_S = 600


class NotKnown(Invalid):
    text = N_("The name or the password is wrong.")


class Wait(Invalid):
    text = N_("Too many tries in vain. The next one is possible in {minutes} min.")

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(minutes=-(-wait_s // 60))


class NotEqual(Invalid):
    text = N_("The two passwords are not the same.")


class NoLink(Invalid):
    text = N_("The provider knows you, but no account here is linked with you. Ask an admin of this map.")


class BeginAgain(Invalid):
    text = N_("This way in is too old or was begun in another browser. Begin again.")


# --- By name and password


@bp.route("/<language>/account/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    sent = params.filled()
    onward = signin.safe_next(sent.get("next", "") or params.arguments().get("next", ""))
    if not sent:
        return _go_on(onward) if signin.account() else _form(onward)
    if not oidc.provider().takes_passwords:
        raise NotFound
    name, password = sent.get("name", ""), sent.get("password", "")
    try:
        enter(name, password)
    except Wait as problem:
        response = _form(onward, name=name, problem=problem, status=429)
        response.headers["Retry-After"] = str(problem.wait_s)
        return response
    except NotKnown as problem:
        return _form(onward, name=name, problem=problem)
    return _go_on(onward)


def enter(name: str, password: str) -> None:
    """Signs in, and says the same in the same time whether there is no such account or another password.

    Raises:
        NotKnown: no account has this name and password.
        Wait: there have been too many tries, of this name or from this address.
    """
    id, kept = reserve(name)
    now, is_right = signin.desk().clock(), passwords.matches(kept, password)
    with signin.writing() as session:
        # It may have been disabled or changed while argon2 was at work.
        is_right = is_right and accounts.kept_password(session, name) == (id, kept)
        if is_right:
            succeed(session, name)
            if passwords.is_outdated(kept):
                salt = signin.desk().chance(16)
                accounts.renew_password(session, id, passwords.hashed(password, salt=salt))
            signin.begin(session, id, way=sessions.PASSWORD)
            records.note(session, "signed_in", now=now, by=id, about=id, address=signin.address())
            records.forget_old(session, now=now)
            tries.forget_old(session, now=now)
        else:
            is_locked = any(tries.left_s(session, key, rule, now=now) for key, rule in _counted(name))
            what = "locked" if is_locked else "failed"
            records.note(session, what, now=now, about=id, address=signin.address())
        session.commit()
    if not is_right:
        raise NotKnown


def reserve(name: str) -> tuple[int, str]:
    """Counts a try before it is made; returns the account's id and password as it is kept.

    Raises:
        Wait: there have been too many.
    """
    with signin.writing() as session:
        _count(session, *_counted(name))
        found = accounts.kept_password(session, name)
        session.commit()
    return found


def _count(session: Session, *counted: tuple[str, tries.Rule]) -> None:
    now = signin.desk().clock()
    wait_s = max(tries.left_s(session, key, rule, now=now) for key, rule in counted)
    if wait_s:
        raise Wait(wait_s)
    for key, _rule in counted:
        tries.count(session, key, now=now)


def succeed(session: Session, name: str) -> None:
    """Those of the name are forgotten; the address has only this one less, or a guest could clear it."""
    (of_name, _), (of_address, _) = _counted(name)
    tries.forget(session, of_name)
    tries.take_back(session, of_address)


def _counted(name: str) -> tuple[tuple[str, tries.Rule], ...]:
    return (name_key(name), tries.OF_NAME), _of_address()


def _of_address() -> tuple[str, tries.Rule]:
    return f"address:{signin.address()}", tries.OF_ADDRESS


def name_key(name: str) -> str:
    """Under which the tries of a name are counted."""
    return f"name:{signin.desk().digest('name', accounts.folded(name))}"


def _form(onward: str, *, name: str = "", problem: LayersError | None = None, status: int = 200) -> Response:
    offered = oidc.provider()
    return page("sign_in", problem=problem, status=status, name=name[:100], onward=onward, provider=offered)


def _go_on(onward: str) -> ResponseReturnValue:
    return redirect(onward or context.page("account.home"), 303)


@bp.post("/<language>/account/sign-out")
def sign_out() -> ResponseReturnValue:
    asking, here = signin.account(), signin.stay()
    if asking and here:
        with signin.writing() as session:
            sessions.end(session, asking.id, only=here.id)
            records.note(session, "signed_out", now=signin.desk().clock(), by=asking.id, about=asking.id)
            session.commit()
    signin.leave()
    return redirect(context.page("account.sign_in"), 303)


# --- By an invitation


@bp.route("/<language>/account/invitation/<token>", methods=["GET", "POST"])
def invitation(token: str) -> ResponseReturnValue:
    """Whoever was invited chooses a password; the link is used up with it, and not by looking at it."""
    sent, now = params.filled(), signin.desk().clock()
    asked = accounts.invited(db.session(), token, now=now)
    if not sent:
        return page("invitation", invited=asked, token=token)
    try:
        kept = chosen(sent.get("new", ""), sent.get("again", ""), name=asked.name)
    except Invalid as problem:
        return page("invitation", invited=asked, token=token, problem=problem)
    with signin.writing() as session:
        accounts.invited(session, token, now=now)
        accounts.set_password(session, asked.id, kept, now=now, by=asked.id)
        signin.begin(session, asked.id, way=sessions.PASSWORD)
        session.commit()
    return redirect(context.page("account.home"), 303)


def chosen(new: str, again: str, *, name: str) -> str:
    """A new password as it is kept.

    Raises:
        Invalid: it will not do.
    """
    if new != again:
        raise NotEqual
    return passwords.hashed(passwords.checked(new, name=name), salt=signin.desk().chance(16))


# --- Through the provider


@bp.get("/<language>/account/provider")
def provider() -> ResponseReturnValue:
    """Sends the browser to the provider, with what only this browser can bring back."""
    signin.refuse_strangers()
    asked = _offered()
    desk, browser = signin.desk(), signin.browser_token()
    onward = signin.safe_next(params.arguments().get("next", ""))
    begun = int(desk.clock().timestamp())
    text = f"{begun}.{desk.chance(16).hex()}.{i18n.language()}.{onward.encode().hex()}"
    state = seals.sealed(browser, "state", text)
    return redirect(
        asked.begin(
            _back(),
            state=state,
            nonce=seals.derived(browser, "nonce", state),
            verifier=seals.derived(browser, "verifier", state),
            language=i18n.language(),
        ),
        303,
    )


@bp.get("/account/provider/back")
def provider_back() -> ResponseReturnValue:
    """Where the provider sends the browser back to: one address for all languages, to be registered there."""
    asked, args = _offered(), params.arguments()
    browser, state = signin.browser_token(), args.get("state", "")
    language, onward = _begun(browser, state)
    g.language = language
    if args.get("error") or not args.get("code"):
        raise oidc.NotConfirmed
    with signin.writing() as session:
        # So that nobody lets us ask the provider again and again.
        _count(session, _of_address())
        session.commit()
    subject = asked.finish(
        _back(),
        code=args["code"],
        issuer=args.get("iss", ""),
        nonce=seals.derived(browser, "nonce", state),
        verifier=seals.derived(browser, "verifier", state),
        now=signin.desk().clock(),
    )
    try:
        _enter_as(asked.person(subject, signin.desk().digest))
    except NoLink as problem:
        return _form(onward, problem=problem, status=403)
    return _go_on(onward)


def _begun(browser: str, state: str) -> tuple[str, str]:
    """The language and the path to go on to, as a state of this browser keeps them."""
    text = seals.opened(browser, "state", state)
    if text is None:
        raise BeginAgain
    begun, _chance, language, onward = text.split(".")
    if not 0 <= signin.desk().clock().timestamp() - int(begun) < _STATE_S:
        raise BeginAgain
    return language, bytes.fromhex(onward).decode()


def _enter_as(person: str) -> None:
    """Signs in whoever is linked with a person at the provider, by the keyed digest."""
    now = signin.desk().clock()
    with signin.writing() as session:
        account = accounts.by_subject(session, person)
        if (
            account is None
            and oidc.provider().makes_readers
            and not accounts.is_known_subject(session, person)
        ):
            label = gettext("Reader")
            account = accounts.add(
                session, name=f"provider-{person[:12]}", label=label, role="reader", now=now
            )
            accounts.link(session, account.id, person, now=now)
        if account is None:
            records.note(session, "stranger", now=now, address=signin.address())
        else:
            tries.take_back(session, _of_address()[0])
            signin.begin(session, account.id, way=sessions.PROVIDER)
            records.note(
                session, "signed_in", now=now, by=account.id, about=account.id, address=signin.address()
            )
        session.commit()
    if account is None:
        raise NoLink


def _offered() -> Provider:
    found = oidc.provider()
    if not found.is_there:
        raise NotFound
    return found


def _back() -> str:
    return signin.whole(url_for("pages.account.provider_back"))
