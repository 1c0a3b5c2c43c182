"""A steward's work on pages that are for everybody: who sees its buttons, and what their forms must bring.

Pages for stewards alone demand the role themselves (`webmap.signin.required`), and every form that is not
public brings its browser's seal, which is checked before any view is asked.
"""

from collections.abc import Collection, Mapping

from layers import accounts
from layers.errors import NotAllowed
from webmap import signin

ROLE = "steward"
"""What is written down of who decided: the role, never a person."""


def may_confirm(*, layer: str = "", area: str = "", within: Collection[str] = ()) -> bool:
    """Whether this request's visitor may confirm facts and decide on suggestions, of a layer and an area."""
    return accounts.may(signin.account(), ROLE, layer=layer, area=area, within=within)


def check(*, layer: str = "", area: str = "") -> None:
    """Lets only those change a thing whose account is for its layer and area.

    Raises:
        NotAllowed: it is for others.
    """
    if not may_confirm(layer=layer, area=area):
        raise NotAllowed


def hidden() -> Mapping[str, str]:
    """Hidden fields that a steward's form must send back; none for everybody else."""
    return {"csrf_token": signin.csrf_token()} if may_confirm() else {}
