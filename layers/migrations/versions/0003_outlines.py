"""Outlines of small area layers are prepared at import, by zoom step"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "outline",
        sa.Column("area_id", sa.Integer(), nullable=False),
        sa.Column("step", Letters(), nullable=False),
        sa.Column("since", Letters(), nullable=False),
        sa.Column("until", Letters(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["area_id"], ["area.id"], name=op.f("fk_outline_area_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("area_id", "step", "since", name=op.f("pk_outline")),
    )


def downgrade() -> None:
    op.drop_table("outline")
