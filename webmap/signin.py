"""Who asks: the session of this request, and what it takes to send a form.

A page that asks who is there becomes private and is kept by nobody; all others know no session and stay as
they were. The cookie holds a random token. Forms carry a seal that only this cookie's token can have made, so
no other site can send one; and whatever changes something must come from a page of this site in any case.

    @bp.route("/<language>/edit/…", methods=["GET", "POST"])
    @signin.required("steward")
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from werkzeug.exceptions import Forbidden

from layers import accounts, store
from layers.accounts import Account, sessions
from layers.accounts.sessions import Life, Stay
from layers.errors import N_, LayersError, NotAllowed, NotSignedIn, Unavailable
from webmap import db, i18n, params, protection, seals
from webmap.settings import Settings

Given = ParamSpec("Given")
View = TypeVar("View", bound=Callable[..., ResponseReturnValue])
_ROLE, _IS_PUBLIC, _IS_QUESTION = "signin_role", "signin_public_form", "signin_public_question"
_IS_BEFORE = "signin_before_second"
PROVED = timedelta(minutes=15)
"""How long one who signed in may change who may do what, before being asked again who it is."""
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
_FIELD, _HEADER = "csrf_token", "X-CSRF-Token"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# A path of ours in one language, and nothing by which a browser could take it for another host.
_NEXT = re.compile(r"/[a-z]{2}/[A-Za-z0-9_./?=&%,:+~-]{0,500}", re.ASCII)
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS": "Mac",
    "Linux": "Linux",
}


class OldForm(NotAllowed):
    text = N_("This form is too old or was not made for you. Go back, load the page anew and send it again.")


class NoSecond(NotAllowed):
    text = N_("Your role needs a second factor beside the password. Turn it on first.")


class NotProved(NotAllowed):
    text = N_("Prove once more who you are, and do it again.")


class Busy(Unavailable):
    text = N_("The store is busy just now. Try again in a moment.")


@dataclass(frozen=True)
class Desk:
    """What signing in needs of this installation; `clock` and `chance` are others in tests.

    `is_https`: visitors come over https even where the request does not show it. From the role `second_from`
    on a password needs a second factor; "" for nobody.
    """

    key_file: Path
    life: Life = field(default_factory=Life)
    is_https: bool = False
    address: str = ""
    second_from: str = ""
    clock: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    chance: Callable[[int], bytes] = secrets.token_bytes

    @classmethod
    def of(cls, settings: Settings) -> "Desk":
        life = Life.of(settings.session_idle_min, settings.session_most_h)
        https = settings.address.startswith("https://")
        return cls(settings.key_file(), life, https, settings.address, settings.second_factor)

    def digest(self, purpose: str, text: str) -> str:
        """What the store keeps of a name, an address or a person."""
        return seals.derived(seals.key(self.key_file), purpose, text)

    def seal(self, purpose: str, text: str) -> str:
        """A text with a seal that no browser can make."""
        return seals.sealed(seals.key(self.key_file), purpose, text)

    def opened(self, purpose: str, made: str) -> str | None:
        return seals.opened(seals.key(self.key_file), purpose, made)

    def lock(self, purpose: str, text: str) -> str:
        """A text that only this installation can read."""
        return seals.locked(seals.key(self.key_file), purpose, text)

    def unlock(self, purpose: str, made: str) -> str | None:
        return seals.unlocked(seals.key(self.key_file), purpose, made)

    def token(self) -> str:
        return sessions.token(self.chance(sessions.TOKEN_BYTES))


def init_app(app: Flask, desk: Desk) -> None:
    app.extensions["signin"] = desk
    app.before_request(_check_form)
    app.after_request(_finish)
    app.jinja_env.globals["csrf_token"] = csrf_token


def desk() -> Desk:
    return cast(Desk, current_app.extensions["signin"])


# --- Who is there


def account() -> Account | None:
    """Who asks; None when nobody is signed in. The answer becomes private."""
    found = _here()
    return found[0] if found else None


def asking() -> Account:
    """Who asks, in a view that demands a role.

    Raises:
        NotAllowed: nobody is signed in.
    """
    found = account()
    if found is None:
        raise NotAllowed
    return found


def stay() -> Stay | None:
    """The session of this request."""
    found = _here()
    return found[1] if found else None


def required(
    role: str,
) -> Callable[[Callable[Given, ResponseReturnValue]], Callable[Given, ResponseReturnValue]]:
    """A view for those who have this role or a higher one; others are asked to sign in, or refused."""

    def wrapped(view: Callable[Given, ResponseReturnValue]) -> Callable[Given, ResponseReturnValue]:
        @wraps(view)
        def checked(*args: Given.args, **kwargs: Given.kwargs) -> ResponseReturnValue:
            asking = account()
            if asking is None:
                return _to_sign_in()
            if not accounts.may(asking, role):
                current_app.logger.warning("account %d may not open %s", asking.id, request.endpoint)
                raise NotAllowed
            if lacks_second() and not getattr(view, _IS_BEFORE, False):
                return _to(NoSecond, "pages.account.second_factor")
            return view(*args, **kwargs)

        setattr(checked, _ROLE, role)
        return checked

    return wrapped


def before_second(view: View) -> View:
    """A view that is open also to who still has to turn a second factor on. Stands below `required`."""
    setattr(view, _IS_BEFORE, True)
    return view


def proved(view: Callable[Given, ResponseReturnValue]) -> Callable[Given, ResponseReturnValue]:
    """A view for who has lately proved who it is, by signing in or again. Stands below `required`.

    A form may take twice as long, so that it is not lost by being filled in.
    """

    @wraps(view)
    def checked(*args: Given.args, **kwargs: Given.kwargs) -> ResponseReturnValue:
        return ask_again() or view(*args, **kwargs)

    return checked


def ask_again() -> ResponseReturnValue | None:
    """Where one proves once more who one is; None for who has lately done so."""
    here = stay()
    age = desk().clock() - datetime.fromisoformat(here.began_at) if here else timedelta.max
    is_late = age > (PROVED if request.method in _SAFE else 2 * PROVED)
    return _to(NotProved, "pages.account.again") if is_late else None


def lacks_second() -> bool:
    """Whether who asks came with a password alone, and the role needs more."""
    asking, here, least = account(), stay(), desk().second_from
    if not (asking and here and least) or here.way != sessions.PASSWORD or asking.has_second:
        return False
    return accounts.may(asking, least)


def public_form(view: View) -> View:
    """A form that anybody may send from a page of this site, without a session and without a cookie."""
    setattr(view, _IS_PUBLIC, True)
    return view


def public_question(view: View) -> View:
    """A question that is sent as forms are and changes nothing: any program and any site may ask it."""
    setattr(view, _IS_QUESTION, True)
    return view


def role_of(view: object) -> str:
    """The role that a view demands; "" for none."""
    return str(getattr(view, _ROLE, ""))


def _here() -> tuple[Account, Stay] | None:
    g.is_private = True
    if "signed_in" not in g:
        g.signed_in = _find()
    return cast(tuple[Account, Stay] | None, g.signed_in)


def _find() -> tuple[Account, Stay] | None:
    token, here = _token(), desk()
    found = sessions.find(db.session(), token, life=here.life, now=here.clock()) if token else None
    if found is None:
        return None
    id, kept = found
    if sessions.is_stale(kept, life=here.life, now=here.clock()):
        # Where the store has no time for it, the next request will do.
        with suppress(Busy), writing() as session:
            sessions.see(session, kept.id, now=here.clock())
            session.commit()
    return accounts.one(db.session(), id), kept


def _to_sign_in() -> ResponseReturnValue:
    return _to(NotSignedIn, "pages.account.sign_in")


def _to(refused: type[LayersError], endpoint: str) -> ResponseReturnValue:
    """The page where one does first what is missing; a program is told so."""
    if request.path.startswith("/api/") or params.is_part(params.arguments()):
        raise refused
    back = request.full_path.rstrip("?") if request.method == "GET" else ""
    if not back and refused is NotProved:
        back = request.path
    onward = safe_next(back) or None
    return redirect(url_for(endpoint, language=i18n.language(), next=onward), 303)


def safe_next(path: str) -> str:
    """The path of ours that an address names to go on to; "" when it is none."""
    return path if _NEXT.fullmatch(path) and "//" not in path else ""


def whole(path: str) -> str:
    """A path of ours as somebody else has to write it."""
    return f"{desk().address or request.host_url.rstrip('/')}{path}"


# --- Coming and going


@contextmanager
def writing() -> Iterator[Session]:
    """A session for changes of accounts; the caller commits.

    Raises:
        Busy: another one has been writing for too long.
    """
    try:
        with store.writing(db.house().engine, srid=db.instance().metric_crs, turn=store.DOOR) as session:
            yield session
    except OperationalError as error:
        raise Busy from error


def begin(session: Session, id: int, *, way: str) -> None:
    """Signs this browser in with a new token; an older session of it ends."""
    here = desk()
    if old := stay():
        sessions.end(session, _here_id(), only=old.id)
    token, now = here.token(), here.clock()
    sessions.begin(session, id, token=token, way=way, device=device(), life=here.life, now=now)
    _give(token)


def renew(session: Session) -> None:
    """A new token for the session of this request, after what it may do has changed."""
    if found := _here():
        begin(session, found[0].id, way=found[1].way)


def leave() -> None:
    """Takes the cookie back."""
    _give("")


def address() -> str:
    """The keyed digest of where this request comes from."""
    return desk().digest("address", seals.network(request.remote_addr or ""))


def device() -> str:
    """In two words what one signs in with, so that its owner can tell one session from another."""
    said = request.user_agent.string
    browser = next((name for sign, name in _BROWSERS.items() if sign in said), "")
    system = next((name for sign, name in _SYSTEMS.items() if sign in said), "")
    return ", ".join(filter(None, (browser, system)))


def _here_id() -> int:
    found = _here()
    return found[0].id if found else 0


# --- Forms


def csrf_token() -> str:
    """The seal for a form of this browser, in a hidden field `csrf_token`; each time another text."""
    g.is_private = True
    return seals.sealed(browser_token(), "form", desk().chance(8).hex())


def browser_token() -> str:
    """What only this browser and we know; it is given one when it has none."""
    token = g.get("new_token") or _token()
    if not token:
        token = desk().token()
        _give(token)
    return str(token)


def _check_form() -> None:
    if request.method in _SAFE or request.endpoint is None:
        return
    view = current_app.view_functions.get(request.endpoint)
    if getattr(view, _IS_QUESTION, False):
        return
    refuse_strangers()
    if not getattr(view, _IS_PUBLIC, False):
        made = request.headers.get(_HEADER) or params.filled().get(_FIELD, "")
        if seals.opened(_token(), "form", made) is None:
            raise OldForm


def refuse_strangers() -> None:
    """Another site may link here, but it may not start work. Browsers say where a request comes from."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    own = (request.host_url.rstrip("/"), desk().address)
    if site not in ("same-origin", "none") if site else origin and origin not in own:
        raise Forbidden


# --- The cookie


def _is_https() -> bool:
    return desk().is_https or request.is_secure


def _cookie() -> str:
    """The prefix keeps what shares our domain from setting it; browsers grant it over https alone."""
    return "__Host-session" if _is_https() else "session"


def _token() -> str:
    token = request.cookies.get(_cookie(), "")
    return token if _TOKEN.fullmatch(token) else ""


def _give(token: str) -> None:
    g.new_token, g.is_private = token, True


def _finish(response: Response) -> Response:
    if "new_token" in g:
        if g.new_token:
            response.set_cookie(
                _cookie(), g.new_token, path="/", secure=_is_https(), httponly=True, samesite="Lax"
            )
        else:
            response.delete_cookie(_cookie(), path="/", secure=_is_https(), httponly=True, samesite="Lax")
    if g.get("is_private"):
        response.headers["Cache-Control"] = protection.PRIVATE
        response.vary.add("Cookie")
    return response
