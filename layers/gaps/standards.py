"""What counts as covered: who must reach whom, in what time, for what share, by class of density."""

from collections.abc import Mapping
from dataclasses import dataclass

Words = Mapping[str, str]
COUNTRY = "country"


@dataclass(frozen=True)
class Rule:
    """One sentence of a standard: `depth` units of a role are in time for a `share` of the people.

    It holds where `density_from` <= persons per km² < `density_to`; where the density is not known it holds
    when it holds for every density. Minutes count from the alarm when `with_turnout`, else from leaving;
    `within_km` alone asks for a straight distance. `forms` narrows who counts (state units, volunteers).
    """

    key: str
    label: Words
    role: str
    within_min: float | None = None
    within_km: float | None = None
    share: float = 1.0
    depth: int = 1
    crew: int | None = None
    forms: tuple[str, ...] = ()
    density_from: float = 0.0
    density_to: float = float("inf")
    with_turnout: bool = True


@dataclass(frozen=True)
class Standard:
    """A planning standard with its source. `differs` says in what our reading is simpler than the text."""

    key: str
    version: str
    title: Words
    about: Words
    rules: tuple[Rule, ...]
    source: str
    source_url: str
    as_of: str
    differs: Words
