"""What has been erased is remembered by its digest"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("kind", "key", "digest")),
        sa.Column("words", sa.Integer(), nullable=False),
        *(sa.Column(name, Letters(), nullable=False) for name in ("moment", "by")),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )


def downgrade() -> None:
    op.drop_table("erasure")
