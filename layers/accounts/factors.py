"""The second factor: six digits that change every 30 seconds, and codes for when the phone is lost.

It is the only door to pyotp. The store keeps the secret as the caller has locked it, and of recovery codes
their digests alone: each has 120 random bits, so that nobody finds one by trying.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime

import pyotp
from sqlalchemy import update
from sqlalchemy.orm import Session

from layers.accounts import records, sessions
from layers.accounts.tables import AccountRow

SECRET_BYTES, CODE_BYTES, CODES = 20, 15, 8
_PERIOD_S = 30
_BEFORE = 1
"""How many codes back are still taken: one who types at the end of 30 seconds sends after them."""
_GROUP = 4


def secret(chance: bytes) -> str:
    """`SECRET_BYTES` random bytes as people type them into an app."""
    return base64.b32encode(chance).decode()


def address(secret: str, *, name: str, issuer: str) -> str:
    """What the QR code for an app holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def step(secret: str, code: str, *, now: datetime) -> int:
    """Which 30 seconds since 1970 a code is of, if it is one of now or just before; else 0."""
    typed = re.sub(r"\s", "", code)
    if not re.fullmatch(r"\d{6}", typed, re.ASCII):
        return 0
    present = int(now.timestamp()) // _PERIOD_S
    made = pyotp.TOTP(secret, interval=_PERIOD_S)
    found = [one for one in range(present - _BEFORE, present + 1) if _is_code(made, one, typed)]
    return found[-1] if found else 0


def _is_code(made: pyotp.TOTP, step: int, typed: str) -> bool:
    return pyotp.utils.strings_equal(made.generate_otp(step), typed)


def recovery_codes(chance: Callable[[int], bytes]) -> list[str]:
    """New codes as they are shown once: ABCD-EFGH-…, 24 letters."""
    made = [base64.b32encode(chance(CODE_BYTES)).decode() for _ in range(CODES)]
    return ["-".join(one[at : at + _GROUP] for at in range(0, len(one), _GROUP)) for one in made]


def digest(code: str) -> str:
    """What the store keeps of a recovery code, however it was typed."""
    return hashlib.sha256(re.sub(r"[^A-Z2-7]", "", code.upper()).encode()).hexdigest()


# --- What the store keeps of an account's second factor


def kept(session: Session, id: int) -> str:
    """The secret as it was locked; "" where there is no second factor."""
    return (session.get(AccountRow, id) or AccountRow(second="")).second


def left(session: Session, id: int) -> int:
    """How many recovery codes have not been used."""
    row = session.get(AccountRow, id)
    return len(row.second_codes) if row else 0


def turn_on(
    session: Session, id: int, *, locked: str, step: int, codes: list[str], now: datetime, by: int
) -> None:
    """Keeps a secret of which one code, that of `step`, has been used, and the digests of recovery codes.

    Every session of the account ends.
    """
    _set(session, id, second=locked, second_step=step, second_codes=[digest(one) for one in codes])
    sessions.end(session, id)
    records.note(session, "second_on", now=now, by=by, about=id)


def renew_codes(session: Session, id: int, codes: list[str], *, now: datetime, by: int) -> None:
    """Other recovery codes; those before work no more."""
    _set(session, id, second_codes=[digest(one) for one in codes])
    records.note(session, "second_codes", now=now, by=by, about=id)


def turn_off(session: Session, id: int, *, now: datetime, by: int = 0) -> None:
    """Takes the second factor away; every session of the account ends."""
    _set(session, id, second="", second_step=0, second_codes=[])
    sessions.end(session, id)
    records.note(session, "second_off", now=now, by=by, about=id)


def use(session: Session, id: int, step: int) -> bool:
    """Whether the code of a step has not been used: it counts once, and none before it counts any more."""
    query = update(AccountRow).where(AccountRow.id == id, AccountRow.second != "")
    used = query.where(AccountRow.second_step < step).values(second_step=step).returning(AccountRow.id)
    return bool(step) and session.scalar(used) is not None


def use_recovery(session: Session, id: int, code: str, *, now: datetime) -> bool:
    """Whether this is a recovery code that has not been used; it is used up with it."""
    row = session.get(AccountRow, id, with_for_update=True, populate_existing=True)
    if row is None or not row.second or digest(code) not in row.second_codes:
        return False
    row.second_codes = [one for one in row.second_codes if one != digest(code)]
    session.flush()
    records.note(session, "recovered", now=now, by=id, about=id)
    return True


def _set(session: Session, id: int, **values: object) -> None:
    session.execute(update(AccountRow).where(AccountRow.id == id).values(**values))
    session.expire_all()
