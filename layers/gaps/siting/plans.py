"""What a question of siting gets: a plan with its proof and its check, or a sentence that says why not."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from layers.errors import N_, Invalid, Unavailable

MCLP, LSCP, P_MEDIAN, P_CENTER = "mclp", "lscp", "p_median", "p_center"
MODELS = (MCLP, LSCP, P_MEDIAN, P_CENTER)

PROVEN, QUICK, TIME_LIMIT, TOO_LARGE = "proven", "quick", "time_limit", "too_large"
ENDINGS = {
    PROVEN: N_("No better plan exists; this is proven."),
    QUICK: N_("A quick answer. Whether a better plan exists has not been looked into."),
    TIME_LIMIT: N_(
        "Time ran out. This is the best plan found; a better one may exist, within the bound shown."
    ),
    TOO_LARGE: N_(
        "The question is too large for a proof. This is the best plan found; a better one may exist."
    ),
}
"""How the search ended, and the sentence for it."""

READY = "ready"
Reporter = Callable[[str, "Plan"], None]
"""Told a phase (`quick`, `bound`, `proof`) and the best plan so far, which is checked."""


@dataclass(frozen=True)
class Advice:
    """The smallest change that helps where places stay out of reach.

    `within` is the least radius at which every place is reached that any site reaches at all (None where
    that changes nothing); `never` are the places that no site reaches at whatever cost.
    """

    within: float | None
    never: tuple[int, ...]


@dataclass(frozen=True)
class Verification:
    """What the independent check worked out again from the raw table: names of checks passed, and numbers."""

    checks: tuple[str, ...] = ()
    objective: float | None = None
    served: float | None = None

    @property
    def is_done(self) -> bool:
        return bool(self.checks)


@dataclass(frozen=True)
class Plan:
    """Where to open sites, whom each serves, how good that is, and how good it could be.

    Positions are those of the rows (demand) and columns (sites) of the table that was asked about.
    `sites` are the new ones, most helpful first, and `gains` what each adds to those before it:
        mclp, lscp, p_center: weight newly within the radius (of p_center: within the objective);
        p_median: weighted cost saved, where demand not served yet counts at its dearest site;
        with capacities: the weight that is assigned to the site.
    `assignment` has a site or -1 for each demand.
    `objective` is the weight covered (mclp), the number of new sites (lscp), the sum of weight times cost
    (p_median), the greatest cost (p_center); what open sites do counts in, and `unreachable` demand does not.
    `bound` is proven: no plan covers more (mclp), or costs less (the others); None is no bound.
    `short` is demand that fewer sites reach than the backup asked for.
    """

    model: str
    sites: tuple[int, ...]
    gains: tuple[float, ...]
    fixed: tuple[int, ...]
    assignment: tuple[int, ...]
    objective: float
    bound: float | None
    ended: str
    seconds: float
    unreachable: tuple[int, ...] = ()
    short: tuple[int, ...] = ()
    advice: Advice | None = None
    verification: Verification = field(default=Verification())

    @property
    def gap(self) -> float | None:
        """How far the bound is from the objective, as a share of the larger one; None without a bound."""
        if self.bound is None:
            return None
        size = max(abs(self.objective), abs(self.bound))
        return abs(self.objective - self.bound) / size if size else 0.0

    @property
    def proven(self) -> bool:
        return self.gap == 0


def as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as plain values, for a JSON file."""
    return asdict(plan)


def from_dict(facts: dict[str, Any]) -> Plan:
    """The plan that `as_dict` wrote.

    Raises:
        TypeError, KeyError: the values are not those of a plan.
    """
    advice, check = facts["advice"], facts["verification"]
    lists = ("sites", "gains", "fixed", "assignment", "unreachable", "short")
    return Plan(
        **{
            **facts,
            **{name: tuple(facts[name]) for name in lists},
            "advice": advice and Advice(advice["within"], tuple(advice["never"])),
            "verification": Verification(tuple(check["checks"]), check["objective"], check["served"]),
        }
    )


# --- Why not


class BadTable(Invalid):
    text = N_("The costs must be a table of numbers with a row for each place and a column for each site.")


class NegativeCost(Invalid):
    text = N_(
        "A cost cannot be negative; the one of place {place} and site {site} is. Positions count from 0."
    )


class NoDemand(Invalid):
    text = N_("There are no places to serve. Choose an area with people, or load a population layer.")


class NoSites(Invalid):
    text = N_("There are no sites to choose from. Choose candidate sites first.")


class WrongLength(Invalid):
    text = N_("“{name}” has {given} values; {needed} are needed, one for each row or column of the table.")


class NotNumbers(Invalid):
    text = N_("“{name}” must be a list of numbers.")


class BadWeight(Invalid):
    text = N_(
        "A weight must be a number and not negative; the one of place {place} is not. Positions count from 0."
    )


class BadCapacity(Invalid):
    text = N_(
        "A capacity must not be negative; the one of site {site} is. Leave it out where none is known. "
        "Positions count from 0."
    )


class BadRadius(Invalid):
    text = N_("The radius must be a number that is not negative; {value} is not.")


class BadTimeLimit(Invalid):
    text = N_("The time limit must be a number of seconds above zero; {value} is not.")


class BadNumber(Invalid):
    text = N_("“{name}” must be a whole number, {low} or more; {value} is not.")


class UnknownSite(Invalid):
    text = N_("There is no site at position {site}; positions run from 0 to {last}.")


class TooManySites(Invalid):
    text = N_(
        "{p} new sites were asked for, but there are only {count} to choose from. Ask for at most {count}."
    )


class TooFewSites(Invalid):
    text = N_(
        "No plan was found that reaches every place with {p} new sites; {needed} are enough. "
        "Ask for more sites."
    )


class TooFewSitesWithin(Invalid):
    text = N_(
        "No plan was found that reaches every place within {within} with {p} new sites; {needed} are enough, "
        "or {p} within {enough}."
    )


class TooLittleCapacity(Invalid):
    text = N_(
        "The places weigh {weight} together, and {p} new sites with what is open hold at most {room}. "
        "Ask for at least {needed} new sites or raise capacities."
    )


class TooLittleCapacityAtAll(Invalid):
    text = N_(
        "The places weigh {weight} together, and all sites hold only {room}. "
        "Raise capacities or add candidate sites."
    )


class TooHeavy(Invalid):
    text = N_(
        "Place {place} weighs {weight}, which is more than any site in its reach can hold ({room}). "
        "Divide it, or raise a capacity. Positions count from 0."
    )


class NoPacking(Invalid):
    text = N_(
        "The capacities cannot hold every place with {p} new sites. Ask for more sites or raise capacities."
    )


class NoPackingFound(Invalid):
    text = N_(
        "No plan with {p} new sites was found in which the capacities hold every place. "
        "Give it more time, ask for more sites or raise capacities."
    )


class PlanRefused(Unavailable):
    """A plan failed the independent check: a fault of the program, never of the question.

    `reason` is for the log and the report of the fault; the visitor sees the sentence alone.
    """

    text = N_(
        "A plan was found, but it failed its own check and is not shown. The fault is ours; please tell us."
    )

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason
        self.args = (f"{self.text} {reason}",)
