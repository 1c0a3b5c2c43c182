"""What may differ between two installations: one frozen dataclass, read from WEBMAP_* once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Settings:
    """`database_url` empty means: an SQLite file of the instance's name in `state`.

    `address_search` is the address of a gazetteer that speaks as In-ADS does; empty means: none is asked.
    """

    instance: Path = _ROOT / "data" / "ee"
    database_url: str = ""
    state: Path = _ROOT / ".turvakaart"
    online_basemaps: bool = True
    offline: bool = True
    address_search: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        return cls(
            instance=Path(environment.get("WEBMAP_INSTANCE", cls.instance)),
            database_url=environment.get("WEBMAP_DATABASE_URL", ""),
            state=Path(environment.get("WEBMAP_STATE", cls.state)),
            online_basemaps=environment.get("WEBMAP_ONLINE_BASEMAPS", "yes") != "no",
            offline=environment.get("WEBMAP_OFFLINE", "yes") != "no",
            address_search=environment.get("WEBMAP_ADDRESS_SEARCH", "").strip(),
        )

    def store_url(self, key: str) -> str:
        return self.database_url or f"sqlite:///{(self.state / key).resolve()}.sqlite"
