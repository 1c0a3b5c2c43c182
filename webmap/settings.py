"""What may differ between two installations: one frozen dataclass, read from WEBMAP_* once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Settings:
    """`database_url` empty means: an SQLite file of the instance's name in `state`."""

    instance: Path = _ROOT / "data" / "ee"
    database_url: str = ""
    state: Path = _ROOT / ".turvakaart"
    online_basemaps: bool = True
    tiles_from: int = 2000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        return cls(
            instance=Path(environment.get("WEBMAP_INSTANCE", cls.instance)),
            database_url=environment.get("WEBMAP_DATABASE_URL", ""),
            state=Path(environment.get("WEBMAP_STATE", cls.state)),
            online_basemaps=environment.get("WEBMAP_ONLINE_BASEMAPS", "yes") != "no",
            tiles_from=_whole(environment.get("WEBMAP_TILES_FROM", ""), cls.tiles_from),
        )

    def store_url(self, key: str) -> str:
        return self.database_url or f"sqlite:///{(self.state / key).resolve()}.sqlite"

    def tiles(self, key: str) -> Path:
        """The folder of an instance's tile archives."""
        return self.state / "tiles" / key


def _whole(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default
