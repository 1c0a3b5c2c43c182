"""What may differ between two installations: one frozen dataclass, read from WEBMAP_* once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.errors import Invalid

_ROOT = Path(__file__).parent.parent
_ORIGIN = re.compile(
    r"https?://([a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(:\d{1,5})?", re.ASCII | re.IGNORECASE
)
_HOST = re.compile(r"[^\s/@]+:\d{1,5}", re.ASCII)
# Without encryption a provider is believed on this computer alone, for trying it out.
_PROVIDER = re.compile(r"https://[^/\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/|$)")


class BadNumber(Invalid):
    text = "{setting} holds “{value}”, which is not a whole number."


class BadOrigin(Invalid):
    text = (
        "{setting} holds “{value}”, which is not the origin of a site. Write it as https://example.org, "
        "without a path."
    )


class BadHost(Invalid):
    text = "WEBMAP_FETCH_HOSTS holds “{value}”, which is not a host with its port, as geo.example:443."


class BadProvider(Invalid):
    text = (
        "WEBMAP_OIDC_ISSUER holds “{value}”. Write the provider's https:// address, and with it "
        "WEBMAP_OIDC_CLIENT_ID and WEBMAP_OIDC_SECRET_FILE."
    )


class BadSecond(Invalid):
    text = "WEBMAP_SECOND_FACTOR holds “{value}”. Write reader, partner, steward or admin, or leave it out."


class TooFew(Invalid):
    text = "{setting} holds {value}, and has to be 1 at least."


class BadLog(Invalid):
    text = "WEBMAP_LOG holds “{value}”. Write requests, errors or plain."


class BadLimits(Invalid):
    text = (
        "WEBMAP_LIMITS holds “{value}”. Write no for no limits at all, or names with numbers, as in "
        "every=1800/minute search=no; the names are {names}."
    )


class BadCorrections(Invalid):
    text = "WEBMAP_CORRECTIONS holds “{value}”. Write https://… or mailto:…"


_BUDGET = re.compile(r"([a-z]+)=(no|[1-9]\d{0,6}/(?:second|minute|hour|day))", re.ASCII)
BUDGETS = {
    "every": "1800/minute",
    "search": "240/minute",
    "gaps": "120/minute",
    "files": "60/minute",
    "import": "600/hour",
    "send": "60/minute",
    "account": "600/minute",
}
"""How often one address may ask for what, and one account for anything; “no” is: as often as it likes."""


@dataclass(frozen=True)
class Settings:
    """`database_url` empty means: an SQLite file of the instance's name in `state`.

    `address_search` is the address of a gazetteer that speaks as In-ADS does; empty means: none is asked.
    `embed_origins` are the sites that may show the embedded map, ("*",) for all. `address` is the origin
    that a printed link names; empty means: the one that the request names. `planning` is a planner's own
    folder, with standards, roads or a matrix of times beside those of the instance. `corrections` is where
    readers write to when something is wrong, a web address or mailto:; empty means: the page names none.

    `proxies` is how many proxies of one's own stand before this server; what they say of the visitor is
    believed. `secret_file` holds the key of this installation; None means: a file in `state`, made when it is
    needed. `upload_mb` is the most that anybody may send in one form, or that is fetched from one address;
    `fetch` False fetches nothing that a steward names, and `fetch_hosts` (host:port) are asked although they
    lie in a private network. A session ends after `session_idle_min`
    without a request, at the latest after `session_most_h`. `passwords` False leaves the provider as the only
    way in; with `second_factor` accounts of this role and those above need a second factor beside a password.
    `oidc_issuer` empty means: there is no provider; `oidc_acr` are the levels of assurance that are
    enough, () for any; with `oidc_readers` a person whom nobody has linked becomes a reader.

    Of each process: `at_once` requests are in work, `waiting` more wait, each `patience_s` at most. `limits`
    changes BUDGETS; they are counted in `limits_store`, empty for the memory of each process. `log` is what
    is written on standard error. Without `metrics_token_file` nobody is told how the server is doing.

    Raises:
        BadLimits: `limits` cannot be understood.
        BadLog: there is no such log.
        TooFew: nothing could be answered at all.
        BadOrigin: one of these is no origin.
        BadHost: one of `fetch_hosts` is no host with its port.
        BadCorrections: `corrections` is no such address.
        BadSecond: `second_factor` is no role.
        BadProvider: the provider's address is none, or is not whole.
    """

    instance: Path = _ROOT / "data" / "ee"
    database_url: str = ""
    state: Path = _ROOT / ".turvakaart"
    online_basemaps: bool = True
    offline: bool = True
    address_search: str = ""
    embed_origins: tuple[str, ...] = ()
    address: str = ""
    corrections: str = ""
    tiles_from: int = 2000
    planning: Path | None = None
    proxies: int = 0
    secret_file: Path | None = None
    upload_mb: int = 50
    fetch: bool = True
    fetch_hosts: tuple[str, ...] = ()
    session_idle_min: int = 60
    session_most_h: int = 12
    passwords: bool = True
    second_factor: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_secret_file: Path | None = None
    oidc_scope: str = "openid"
    oidc_acr: tuple[str, ...] = ()
    oidc_readers: bool = False
    at_once: int = 4
    waiting: int = 32
    patience_s: int = 3
    limits: str = ""
    limits_store: str = ""
    log: str = "errors"
    metrics_token_file: Path | None = None

    def __post_init__(self) -> None:
        if self.embed_origins != ("*",):
            _check_origins("WEBMAP_EMBED_ORIGINS", self.embed_origins)
        _check_origins("WEBMAP_ADDRESS", (self.address,) if self.address else ())
        if self.corrections and not self.corrections.startswith(("https://", "http://", "mailto:")):
            raise BadCorrections(value=self.corrections)
        if self.second_factor not in ("", "reader", "partner", "steward", "admin"):
            raise BadSecond(value=self.second_factor)
        if self.oidc_issuer and not (
            _PROVIDER.match(self.oidc_issuer) and self.oidc_client_id and self.oidc_secret_file
        ):
            raise BadProvider(value=self.oidc_issuer)
        for host in self.fetch_hosts:
            if not _HOST.fullmatch(host):
                raise BadHost(value=host)
        if self.at_once < 1:
            raise TooFew(setting="WEBMAP_AT_ONCE", value=self.at_once)
        if self.log not in ("requests", "errors", "plain"):
            raise BadLog(value=self.log)
        self.budgets()

    def budgets(self) -> dict[str, str]:
        """How often what may be asked, as "240/minute"; those that `limits` takes away are left out.

        Raises:
            BadLimits: `limits` cannot be understood.
        """
        if self.limits == "no":
            return {}
        found = dict(BUDGETS)
        for part in self.limits.split():
            told = _BUDGET.fullmatch(part)
            if told is None or told[1] not in BUDGETS:
                raise BadLimits(value=self.limits, names=", ".join(BUDGETS))
            found[told[1]] = told[2]
        return {name: rate for name, rate in found.items() if rate != "no"}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        return cls(
            instance=Path(environment.get("WEBMAP_INSTANCE", cls.instance)),
            database_url=environment.get("WEBMAP_DATABASE_URL", ""),
            state=Path(environment.get("WEBMAP_STATE", cls.state)),
            online_basemaps=environment.get("WEBMAP_ONLINE_BASEMAPS", "yes") != "no",
            offline=environment.get("WEBMAP_OFFLINE", "yes") != "no",
            address_search=environment.get("WEBMAP_ADDRESS_SEARCH", "").strip(),
            embed_origins=tuple(environment.get("WEBMAP_EMBED_ORIGINS", "").split()),
            address=environment.get("WEBMAP_ADDRESS", "").strip().rstrip("/"),
            planning=Path(own) if (own := environment.get("WEBMAP_PLANNING", "").strip()) else None,
            corrections=environment.get("WEBMAP_CORRECTIONS", "").strip(),
            tiles_from=_whole(
                "WEBMAP_TILES_FROM", environment.get("WEBMAP_TILES_FROM", "").strip(), cls.tiles_from
            ),
            proxies=_whole("WEBMAP_PROXIES", environment.get("WEBMAP_PROXIES", "").strip(), cls.proxies),
            secret_file=Path(own) if (own := environment.get("WEBMAP_SECRET_FILE", "").strip()) else None,
            upload_mb=_whole(
                "WEBMAP_UPLOAD_MB", environment.get("WEBMAP_UPLOAD_MB", "").strip(), cls.upload_mb
            ),
            fetch=environment.get("WEBMAP_FETCH", "yes").strip() != "no",
            fetch_hosts=tuple(environment.get("WEBMAP_FETCH_HOSTS", "").split()),
            session_idle_min=_whole(
                "WEBMAP_SESSION_IDLE_MIN",
                environment.get("WEBMAP_SESSION_IDLE_MIN", "").strip(),
                cls.session_idle_min,
            ),
            session_most_h=_whole(
                "WEBMAP_SESSION_MOST_H",
                environment.get("WEBMAP_SESSION_MOST_H", "").strip(),
                cls.session_most_h,
            ),
            passwords=environment.get("WEBMAP_PASSWORDS", "yes") != "no",
            second_factor=environment.get("WEBMAP_SECOND_FACTOR", "").strip(),
            oidc_issuer=environment.get("WEBMAP_OIDC_ISSUER", "").strip(),
            oidc_client_id=environment.get("WEBMAP_OIDC_CLIENT_ID", "").strip(),
            oidc_secret_file=Path(own)
            if (own := environment.get("WEBMAP_OIDC_SECRET_FILE", "").strip())
            else None,
            oidc_scope=environment.get("WEBMAP_OIDC_SCOPE", "").strip() or cls.oidc_scope,
            oidc_acr=tuple(environment.get("WEBMAP_OIDC_ACR", "").split()),
            oidc_readers=environment.get("WEBMAP_OIDC_READERS", "no") == "yes",
            at_once=_whole("WEBMAP_AT_ONCE", environment.get("WEBMAP_AT_ONCE", "").strip(), cls.at_once),
            waiting=_whole("WEBMAP_WAITING", environment.get("WEBMAP_WAITING", "").strip(), cls.waiting),
            patience_s=_whole(
                "WEBMAP_PATIENCE_S", environment.get("WEBMAP_PATIENCE_S", "").strip(), cls.patience_s
            ),
            limits=environment.get("WEBMAP_LIMITS", "").strip(),
            limits_store=environment.get("WEBMAP_LIMITS_STORE", "").strip(),
            log=environment.get("WEBMAP_LOG", "").strip() or cls.log,
            metrics_token_file=Path(own)
            if (own := environment.get("WEBMAP_METRICS_TOKEN_FILE", "").strip())
            else None,
        )

    def store_url(self, key: str) -> str:
        return self.database_url or f"sqlite:///{(self.state / key).resolve()}.sqlite"

    def key_file(self) -> Path:
        """Where the key of this installation lies."""
        return self.secret_file or self.state / "secret.key"

    def erasures(self, key: str) -> Path:
        """Where the ledger of erasures lies beside an instance's store, for the day when that is lost."""
        return self.state / f"{key}-erasures.jsonl"

    def tiles(self, key: str) -> Path:
        """The folder of an instance's tile archives."""
        return self.state / "tiles" / key


def _check_origins(setting: str, origins: tuple[str, ...]) -> None:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise BadOrigin(setting=setting, value=origin)


def _whole(setting: str, text: str, default: int) -> int:
    if text and not (text.isascii() and text.isdigit()):
        raise BadNumber(setting=setting, value=text)
    return int(text) if text else default
