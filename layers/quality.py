"""How good the account of a case is, by the four least criteria of the European Crime Prevention Network.

EUCPN asks of a good practice that the problem is described, that it can be understood why the answer should
work, that the result was looked at, and that there is enough detail to do it again. Each criterion is a few
conditions that a text meets or not; a criterion is met when all of them hold and partly met when some do.
The measure speaks of the account, never of the people: a case that failed and says why is as good as one
that lasted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from layers import texts
from layers.errors import N_

TITLES = {
    "problem": N_("The problem is described"),
    "mechanism": N_("One can see why it should work"),
    "evaluated": N_("The result has been looked at"),
    "replicable": N_("There is enough to do it again"),
}
REASONS = {
    "problem": N_("The background is told with a number, and the place and the beginning are named."),
    "mechanism": N_("What was done, by whom and where the levels met can be followed."),
    "evaluated": N_("The result, how it is known and dated sources are there."),
    "replicable": N_("Who did what, why it lasted or ended and what to take over are told."),
}
"""Why a criterion is met; why it is not, its conditions say."""
NOT, PARTLY, MET = "not", "partly", "met"
_SHORT, _FULL = 8, 25  # Words: a sentence, and three of them.


@dataclass(frozen=True)
class Account:
    """What is known of a case. `parts` are its texts by the key of the part; a source may have a `date`."""

    parts: Mapping[str, str]
    parties: Sequence[str] = ()
    practices: Sequence[str] = ()
    outcome: str = ""
    stage: str = ""
    period_from: str = ""
    area: str = ""
    sources: Sequence[Mapping[str, str]] = ()

    def has(self, part: str, least: int) -> bool:
        """Whether a part has at least so many words."""
        return texts.reading(self.parts.get(part, "")).words >= least


@dataclass(frozen=True)
class Criterion:
    """One criterion: `state` is not, partly or met; `lacking` are whole sentences on what would help."""

    key: str
    state: str
    lacking: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES[self.key]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is met, or what would help."""
        return self.lacking or (REASONS[self.key],)


def criteria(account: Account) -> tuple[Criterion, ...]:
    """The four criteria in their order."""
    return tuple(_judged(key, conditions) for key, conditions in _conditions(account).items())


def score(found: Iterable[Criterion]) -> float:
    """From 0 to 4: one for each criterion that is met, a half for each that is partly met."""
    return sum({NOT: 0.0, PARTLY: 0.5, MET: 1.0}[one.state] for one in found)


def _judged(key: str, conditions: Sequence[tuple[bool, str]]) -> Criterion:
    lacking = tuple(sentence for holds, sentence in conditions if not holds)
    state = MET if not lacking else NOT if len(lacking) == len(conditions) else PARTLY
    return Criterion(key, state, lacking)


def _conditions(account: Account) -> dict[str, list[tuple[bool, str]]]:
    dated = [source for source in account.sources if source.get("date")]
    return {
        "problem": [
            (
                account.has("context", _FULL),
                N_("Describe the problem in three sentences or more: what happened, to whom, how often."),
            ),
            (
                any(sign.isdigit() for sign in account.parts.get("context", "")),
                N_("Give a number or a year in the background, so that the problem can be weighed."),
            ),
            (bool(account.area), N_("Say in which municipality or county it was.")),
            (bool(account.period_from), N_("Say when it began.")),
        ],
        "mechanism": [
            (
                account.has("done", _FULL),
                N_("Tell in three sentences or more what was done, step by step."),
            ),
            (
                account.has("roles", _SHORT) and len(account.parties) > 1,
                N_("Name at least two parties and what each of them did."),
            ),
            (
                account.has("contact", _SHORT),
                N_("Tell where the levels met: a round table, a patrol, a house."),
            ),
            (bool(account.practices), N_("Choose the practice that the case shows.")),
        ],
        "evaluated": [
            (account.has("results", _SHORT), N_("Tell what came of it, also where it was nothing.")),
            (account.has("evidence", _SHORT), N_("Say how the result is known, and what is not known.")),
            (
                len(dated) > 1 or (bool(dated) and account.stage not in ("", "described")),
                N_("Name two dated sources, or one and a study."),
            ),
            (account.outcome not in ("", "unclear"), N_("Say how it came out: whether it lasted or ended.")),
        ],
        "replicable": [
            (account.has("lasting", _SHORT), N_("Tell why it lasted or why it ended.")),
            (
                account.has("carry", _SHORT),
                N_("Tell what another place can take over, and what it must change."),
            ),
            (
                account.has("done", _FULL) and account.has("roles", _SHORT),
                N_("Say who did what, so that others can do it again."),
            ),
        ],
    }
