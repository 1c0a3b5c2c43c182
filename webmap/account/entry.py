"""The way in: by a name and a password, by an invitation, or through the provider; and the way out."""

from collections.abc import Mapping

from flask import Response, g, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from layers import accounts
from layers.accounts import Account, factors, passwords, records, sessions, tries
from layers.errors import N_, Invalid, LayersError, Unavailable
from webmap import context, db, i18n, oidc, params, seals, signin
from webmap.account.frame import bp, page
from webmap.oidc import Provider

_STATE_S = 600
_HALF_S = 300


class NotKnown(Invalid):
    text = N_("The name or the password is wrong.")


class WrongCode(Invalid):
    text = N_("This code is wrong, has been used, or is over. Wait for the next one in the app.")


class LockedAway(Unavailable):
    text = N_(
        "The second factor cannot be checked: the key of this installation is another one. An admin can turn "
        "the second factor off on the server."
    )


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
        half = enter(name, password)
    except Wait as problem:
        return _later(_form(onward, name=name, problem=problem, status=429), problem)
    except NotKnown as problem:
        return _form(onward, name=name, problem=problem)
    return page("second", half=_half(half), onward=onward) if half else _go_on(onward)


def enter(name: str, password: str) -> int:
    """Signs in, and says the same in the same time whether there is no such account or another password.

    Returns:
        0, or the account that has still to give a code of its second factor: it is not signed in yet.

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
            is_half = bool(factors.kept(session, id))
            if not is_half:
                _begin(session, id)
        else:
            is_locked = any(tries.left_s(session, key, rule, now=now) for key, rule in _counted(name))
            what = "locked" if is_locked else "failed"
            records.note(session, what, now=now, about=id, address=signin.address())
        session.commit()
    if not is_right:
        raise NotKnown
    return id if is_half else 0


def _begin(session: Session, id: int) -> None:
    now = signin.desk().clock()
    signin.begin(session, id, way=sessions.PASSWORD)
    records.note(session, "signed_in", now=now, by=id, about=id, address=signin.address())
    records.forget_old(session, now=now)
    tries.forget_old(session, now=now)


def _later(response: Response, problem: Wait) -> Response:
    response.headers["Retry-After"] = str(problem.wait_s)
    return response


# --- The second factor


@bp.post("/<language>/account/second")
def second() -> ResponseReturnValue:
    """The code that follows a right password; what was right of it comes along in the form, sealed."""
    sent = params.filled()
    onward, half = signin.safe_next(sent.get("next", "")), sent.get("half", "")
    id = _whose_half(half)
    try:
        give_code(id, sent.get("code", ""))
    except Wait as problem:
        return _later(page("second", half=half, onward=onward, problem=problem, status=429), problem)
    except WrongCode as problem:
        return page("second", half=half, onward=onward, problem=problem)
    with signin.writing() as session:
        _begin(session, id)
        session.commit()
    return _go_on(onward)


def _half(id: int) -> str:
    begun = int(signin.desk().clock().timestamp())
    return signin.desk().seal(f"half {signin.browser_token()}", f"{id}.{begun}")


def _whose_half(half: str) -> int:
    """The account whose password was right in this browser a moment ago."""
    text = signin.desk().opened(f"half {signin.browser_token()}", half)
    if text is None:
        raise BeginAgain
    id, _, begun = text.partition(".")
    if not 0 <= signin.desk().clock().timestamp() - int(begun) < _HALF_S:
        raise BeginAgain
    return int(id)


def give_code(id: int, code: str) -> None:
    """Uses up a code of an account's second factor, or one of its recovery codes.

    Tries are counted apart from those of the password, or whoever knows it could begin anew with each.

    Raises:
        WrongCode, Wait.
        LockedAway: the secret was locked with another key.
    """
    now, counted = signin.desk().clock(), ((second_key(id), tries.OF_NAME), _of_address())
    with signin.writing() as session:
        _count(session, *counted)
        locked = factors.kept(session, id)
        session.commit()
    secret = signin.desk().unlock(locked_for(id), locked) if locked else ""
    if secret is None:
        raise LockedAway
    step = factors.step(secret, code, now=now) if secret else 0
    with signin.writing() as session:
        is_right = factors.use(session, id, step) or factors.use_recovery(session, id, code, now=now)
        if is_right:
            tries.forget(session, second_key(id))
            tries.take_back(session, _of_address()[0])
        else:
            records.note(session, "second_failed", now=now, about=id, address=signin.address())
        session.commit()
    if not is_right:
        raise WrongCode


def second_key(id: int) -> str:
    """Under which the tries of an account's second factor are counted."""
    return f"second:{signin.desk().digest('second', str(id))}"


def locked_for(id: int) -> str:
    """For what an account's secret is locked: it opens for no other account."""
    return f"second factor of {id}"


@bp.route("/<language>/account/again", methods=["GET", "POST"])
@signin.required("reader")
@signin.before_second
def again() -> ResponseReturnValue:
    """Who changes what others may do proves once more who it is, if signing in was a while ago."""
    asking, sent = signin.asking(), params.filled()
    onward = signin.safe_next(sent.get("next", "") or params.arguments().get("next", ""))
    offered = oidc.provider()
    if not sent:
        return page("again", onward=onward, provider=offered)
    try:
        prove(asking, sent)
    except Wait as problem:
        return _later(page("again", onward=onward, provider=offered, problem=problem, status=429), problem)
    except Invalid as problem:
        return page("again", onward=onward, provider=offered, problem=problem)
    with signin.writing() as session:
        signin.renew(session)
        records.note(session, "again", now=signin.desk().clock(), by=asking.id, about=asking.id)
        session.commit()
    return _go_on(onward)


def prove(asking: Account, sent: Mapping[str, str]) -> None:
    """That it is still the owner who sits there: by the password, and a code where there is a second factor.

    Raises:
        NotKnown, WrongCode, Wait.
    """
    _id, kept = reserve(asking.name)
    if not passwords.matches(kept, sent.get("password", "")):
        raise NotKnown
    with signin.writing() as session:
        succeed(session, asking.name)
        session.commit()
    if asking.has_second:
        give_code(asking.id, sent.get("code", ""))


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
        if not asked.has_second:
            signin.begin(session, asked.id, way=sessions.PASSWORD)
        session.commit()
    # A forgotten password is no way around the second factor.
    return redirect(context.page("account.sign_in" if asked.has_second else "account.home"), 303)


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
