"""The tables of those who may change something, and of what they did at the door.

They hold no personal data beyond the name with which one signs in. Of tokens only digests are kept, of
addresses and of a person's code at a provider only keyed ones: the key lies outside the store.
"""

from sqlalchemy import JSON, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from layers.columns import Letters
from layers.model import NOT_KEPT, Base


class AccountRow(Base):
    """Somebody who may sign in. `name` is never shown in public, `label` is.

    `password` is argon2's own text, "" where there is none; `subject` the keyed digest of a person's code at
    the provider, None where nobody is linked. `layers` and `areas` limit a role; empty means: all.

    `second` is the secret of the second factor, locked with the installation's key, "" where there is none;
    `second_step` the newest of its codes that was used, `second_codes` digests of recovery codes. Of an
    account that was erased nothing is left but the row, so that its number is never given again.
    """

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Letters, unique=True)
    label: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Letters)
    layers: Mapped[list[str]] = mapped_column(JSON)
    areas: Mapped[list[str]] = mapped_column(JSON)
    password: Mapped[str] = mapped_column(Text, default="")
    subject: Mapped[str | None] = mapped_column(Letters, unique=True)
    is_disabled: Mapped[bool] = mapped_column(default=False)
    made_at: Mapped[str] = mapped_column(Letters)
    second: Mapped[str] = mapped_column(Text, default="")
    second_step: Mapped[int] = mapped_column(Integer, default=0)
    second_codes: Mapped[list[str]] = mapped_column(JSON, default=list)
    erased_at: Mapped[str] = mapped_column(Letters, default="")


class SessionRow(Base):
    """One browser that is signed in; `device` tells its owner which, `way` is "password" or "provider"."""

    __tablename__ = "account_session"
    __table_args__ = {"info": NOT_KEPT}  # noqa: RUF012 (SQLAlchemy reads it)

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(Letters, unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    way: Mapped[str] = mapped_column(Letters)
    device: Mapped[str] = mapped_column(Text)
    began_at: Mapped[str] = mapped_column(Letters)
    seen_at: Mapped[str] = mapped_column(Letters)


class InvitationRow(Base):
    """A link with which its account chooses a password, once and until a moment. One for each account."""

    __tablename__ = "account_invitation"
    __table_args__ = {"info": NOT_KEPT}  # noqa: RUF012 (SQLAlchemy reads it)

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    token: Mapped[str] = mapped_column(Letters, unique=True)
    until: Mapped[str] = mapped_column(Letters)


class TryRow(Base):
    """How often somebody has tried in vain, by the keyed digest of a name or an address."""

    __tablename__ = "account_try"

    key: Mapped[str] = mapped_column(Letters, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    last_at: Mapped[str] = mapped_column(Letters, index=True)


class RecordRow(Base):
    """Something that happened at the door. `by` and `about` are accounts, 0 for nobody known here.

    They are no foreign keys: what happened is told also when an account is gone.
    """

    __tablename__ = "account_record"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(Letters, index=True)
    what: Mapped[str] = mapped_column(Letters)
    by: Mapped[int] = mapped_column(Integer, default=0)
    about: Mapped[int] = mapped_column(Integer, default=0, index=True)
    address: Mapped[str] = mapped_column(Letters, default="")
    detail: Mapped[str] = mapped_column(Text, default="")
