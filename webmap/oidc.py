"""Signing in through an OpenID Connect provider, as TARA is one; the only door to Authlib and joserfc.

The authorization code with PKCE, state and nonce. What is believed is the signed ID token alone, and of it
the subject alone: TARA's is a personal code, so it is digested with the installation's key before anything
else sees it, and name and day of birth, which come along, are not read. Nothing of an answer is logged.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, cast
from urllib.parse import urlsplit

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from flask import Flask, current_app
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from layers.errors import N_, NotAllowed, Unavailable
from webmap.settings import Settings

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_TIMEOUT_S = 5.0
_KEPT_S = 3600.0
_LEEWAY_S = 30
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_MOST_BYTES = 500_000


class ProviderAway(Unavailable):
    text = N_("The provider through which one signs in does not answer just now. Try again in a moment.")


class NotConfirmed(NotAllowed):
    text = N_("The provider did not confirm who you are. Begin again.")


class Provider:
    """One provider, as the settings name it; asks it only when somebody comes."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = monotonic) -> None:
        self.is_there = bool(settings.oidc_issuer)
        self.takes_passwords, self.makes_readers = settings.passwords, settings.oidc_readers
        self.host = urlsplit(settings.oidc_issuer).netloc
        self._settings, self._clock = settings, clock
        self._asking = threading.Lock()
        self._known: tuple[float, dict[str, Any]] | None = None

    def begin(self, back: str, *, state: str, nonce: str, verifier: str, language: str) -> str:
        """The provider's address for a browser that shall come to `back`.

        Raises:
            ProviderAway: it does not say where that is.
        """
        more: dict[str, str] = {"nonce": nonce, "ui_locales": language}
        if self._settings.oidc_acr:
            more["acr_values"] = self._settings.oidc_acr[0]
        with self._session(back) as session:
            where = self._about(session)["authorization_endpoint"]
            made = session.create_authorization_url(where, state=state, code_verifier=verifier, **more)
        return str(made[0])

    def finish(self, back: str, *, code: str, issuer: str, nonce: str, verifier: str, now: datetime) -> str:
        """The subject that a code stands for.

        Raises:
            NotConfirmed: what the provider says cannot be believed.
            ProviderAway: it does not answer.
        """
        if issuer and issuer != self._settings.oidc_issuer:
            raise NotConfirmed
        with self._session(back) as session:
            about = self._about(session)
            try:
                given = session.fetch_token(
                    about["token_endpoint"],
                    code=code,
                    code_verifier=verifier,
                    timeout=_TIMEOUT_S,
                    allow_redirects=False,
                )
                keys = KeySet.import_key_set(cast(Any, _asked(session, about["jwks_uri"])))
                return self._believed(given, keys, nonce=nonce, now=now)
            except (AuthlibBaseError, JoseError, ValueError, TypeError, KeyError) as error:
                raise NotConfirmed from error
            except OSError as error:  # What the network says is one, too.
                raise ProviderAway from error

    def person(self, subject: str, digest: Callable[[str, str], str]) -> str:
        """What is kept of a person: the keyed digest of issuer and subject."""
        return digest("subject", f"{self._settings.oidc_issuer}\0{subject.strip()}")

    def _believed(self, given: Any, keys: KeySet, *, nonce: str, now: datetime) -> str:
        read = jwt.decode(given["id_token"], keys, algorithms=_ALGORITHMS)
        options: dict[str, Any] = {
            "iss": {"essential": True, "value": self._settings.oidc_issuer},
            "aud": {"essential": True, "value": self._settings.oidc_client_id},
            "nonce": {"essential": True, "value": nonce},
        }
        if self._settings.oidc_acr:
            options["acr"] = {"essential": True, "values": [*self._settings.oidc_acr]}
        about = {
            "nonce": nonce,
            "client_id": self._settings.oidc_client_id,
            "access_token": given.get("access_token"),
        }
        claims = CodeIDToken(read.claims, read.header, options=options, params=about)
        claims.validate(now=int(now.timestamp()), leeway=_LEEWAY_S)
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject.strip():
            raise NotConfirmed
        return subject

    def _session(self, back: str) -> OAuth2Session:
        file = self._settings.oidc_secret_file
        try:
            secret = file.read_text(encoding="utf-8").strip() if file else ""
        except OSError as error:
            raise ProviderAway from error
        session = OAuth2Session(
            self._settings.oidc_client_id,
            secret,
            scope=self._settings.oidc_scope,
            redirect_uri=back,
            code_challenge_method="S256",
        )
        session.trust_env = False  # A .netrc would put its own name in the place of the client's.
        return session

    def _about(self, session: OAuth2Session) -> dict[str, Any]:
        """What the provider publishes about itself, asked once an hour."""
        with self._asking:
            if self._known is None or self._clock() > self._known[0] + _KEPT_S:
                self._known = self._clock(), self._discovered(session)
            return self._known[1]

    def _discovered(self, session: OAuth2Session) -> dict[str, Any]:
        issuer = self._settings.oidc_issuer
        try:
            found = _asked(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        except (OSError, ValueError) as error:
            raise ProviderAway from error
        is_whole = isinstance(found, dict) and all(isinstance(found.get(name), str) for name in _ENDPOINTS)
        scheme = urlsplit(issuer).scheme
        # Another one's word must not lead anybody elsewhere, nor in the clear.
        if (
            not is_whole
            or found.get("issuer") != issuer
            or any(urlsplit(found[name]).scheme not in ("https", scheme) for name in _ENDPOINTS)
        ):
            raise NotConfirmed
        return cast(dict[str, Any], found)


def _asked(session: OAuth2Session, address: str) -> Any:
    answer = session.get(address, withhold_token=True, timeout=_TIMEOUT_S, allow_redirects=False)
    if answer.status_code != 200 or len(answer.content) > _MOST_BYTES:
        raise OSError(address)
    return answer.json()


def init_app(app: Flask, provider: Provider) -> None:
    app.extensions["provider"] = provider


def provider() -> Provider:
    return cast(Provider, current_app.extensions["provider"])
