"""Accounts may have a second factor, and may have been erased"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("account", sa.Column("second", sa.Text(), nullable=False, server_default=""))
    op.add_column("account", sa.Column("second_step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("account", sa.Column("second_codes", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("account", sa.Column("erased_at", Letters(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("erased_at", "second_codes", "second_step", "second"):
        op.drop_column("account", name)
