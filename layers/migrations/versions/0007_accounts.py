"""Accounts, their sessions and invitations, tries in vain, and what happened at the door"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", Letters(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("role", Letters(), nullable=False),
        sa.Column("layers", sa.JSON(), nullable=False),
        sa.Column("areas", sa.JSON(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("subject", Letters(), nullable=True),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("made_at", Letters(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sa.UniqueConstraint("subject", name=op.f("uq_account_subject")),
    )
    op.create_table(
        "account_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", Letters(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("way", Letters(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("began_at", Letters(), nullable=False),
        sa.Column("seen_at", Letters(), nullable=False),
        _of_account("account_session"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_session")),
        sa.UniqueConstraint("token", name=op.f("uq_account_session_token")),
    )
    op.create_index(op.f("ix_account_session_account_id"), "account_session", ["account_id"])
    op.create_table(
        "account_invitation",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("token", Letters(), nullable=False),
        sa.Column("until", Letters(), nullable=False),
        _of_account("account_invitation"),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_invitation")),
        sa.UniqueConstraint("token", name=op.f("uq_account_invitation_token")),
    )
    op.create_table(
        "account_try",
        sa.Column("key", Letters(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last_at", Letters(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_account_try")),
    )
    op.create_index(op.f("ix_account_try_last_at"), "account_try", ["last_at"])
    op.create_table(
        "account_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", Letters(), nullable=False),
        sa.Column("what", Letters(), nullable=False),
        sa.Column("by", sa.Integer(), nullable=False),
        sa.Column("about", sa.Integer(), nullable=False),
        sa.Column("address", Letters(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_record")),
    )
    for column in ("about", "at"):
        op.create_index(op.f(f"ix_account_record_{column}"), "account_record", [column])


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_account_id")
    return sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in ("account_record", "account_try", "account_invitation", "account_session", "account"):
        op.drop_table(table)
