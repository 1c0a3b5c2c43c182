"""Partners propose edits, and stewards decide"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("table_name", "key", "layer")),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("label", "moment", "state")),
        sa.Column("reason", sa.Text(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("decided_by", "decided_at")),
        sa.Column("edition", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index(op.f("ix_proposal_table_name_key"), "proposal", ["table_name", "key"])
    op.create_index(op.f("ix_proposal_state"), "proposal", ["state"])


def downgrade() -> None:
    op.drop_table("proposal")
