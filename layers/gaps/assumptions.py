"""What has to be assumed about ways and turnout, as data with sources: `planning/travel.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Span:
    """A figure that nobody knows exactly: the least and the most that are likely, and the usual one."""

    low: float
    usual: float
    high: float
    source: str = ""
    source_url: str = ""


@dataclass(frozen=True)
class Class:
    """A class of density, persons per km² from `density_from` (inclusive) on, with its ways."""

    key: str
    label: Mapping[str, str]
    density_from: float
    detour: Span
    speed_kmh: Span


@dataclass(frozen=True)
class Causeway:
    """A road that joins two pieces of land which water parts: a point in degrees on each."""

    name: str
    ends: tuple[tuple[float, float], tuple[float, float]]
    source: str = ""
    source_url: str = ""


@dataclass(frozen=True)
class Assumptions:
    """Classes from the least dense on; minutes until a unit leaves, by form and by readiness."""

    classes: tuple[Class, ...]
    turnout_by_form: Mapping[str, Span] = field(default_factory=dict)
    turnout_by_readiness: Mapping[str, Span] = field(default_factory=dict)
    turnout_otherwise: Span = Span(5, 5, 5)
    causeways: tuple[Causeway, ...] = ()

    def turnout(self, form: str, readiness: str) -> Span:
        """Minutes until a unit leaves: what is said of its readiness, else of its form, else of any."""
        by_readiness = self.turnout_by_readiness.get(readiness)
        return by_readiness or self.turnout_by_form.get(form) or self.turnout_otherwise
