"""Editions know their dataset and who brought them, and a fact may be hidden by a stronger one"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_FACTS = (
    "area",
    "body",
    "case_study",
    "cell",
    "count",
    "event",
    "journal",
    "page",
    "practice",
    "settlement",
)


def upgrade() -> None:
    for name in ("dataset", "account"):
        op.add_column("edition", sa.Column(name, Letters(), nullable=False, server_default=""))
    op.add_column("edition", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("edition", sa.Column("undoes", sa.Integer(), nullable=True))
    for table in _FACTS:
        op.add_column(table, sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for table in _FACTS:
        op.drop_column(table, "hidden")
    for name in ("undoes", "note", "account", "dataset"):
        op.drop_column("edition", name)
