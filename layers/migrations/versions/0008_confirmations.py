"""Facts are confirmed without being changed, readers suggest what is out of date, sources are looked at"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "confirmation",
        sa.Column("id", sa.Integer(), nullable=False),
        *(
            sa.Column(name, Letters(), nullable=False)
            for name in ("table_name", "key", "digest", "day", "by", "label", "moment")
        ),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("link", Letters(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation")),
    )
    op.create_index(op.f("ix_confirmation_table_name_key"), "confirmation", ["table_name", "key"])
    op.create_index(op.f("ix_confirmation_link"), "confirmation", ["link"])
    op.create_index(op.f("ix_confirmation_moment"), "confirmation", ["moment"])
    op.create_table(
        "suggestion",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("kind", "key", "field")),
        sa.Column("text", sa.Text(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("moment", "state")),
        sa.Column("reason", sa.Text(), nullable=False),
        *(
            sa.Column(name, Letters(), nullable=False)
            for name in ("decided_by", "decided_at", "link", "sender")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestion")),
    )
    op.create_index(op.f("ix_suggestion_kind_key"), "suggestion", ["kind", "key"])
    op.create_index(op.f("ix_suggestion_link"), "suggestion", ["link"])
    op.create_index(op.f("ix_suggestion_moment"), "suggestion", ["moment"])
    op.create_index(op.f("ix_suggestion_state"), "suggestion", ["state"])
    op.create_table(
        "link_check",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("checked_at", Letters(), nullable=False),
        sa.Column("outcome", Letters(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("moved_to", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_link_check")),
    )


def downgrade() -> None:
    for table in ("link_check", "suggestion", "confirmation"):
        op.drop_table(table)
