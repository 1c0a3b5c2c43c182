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
    op.add_column("edition", sa.Column("how", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("edition", sa.Column("undoes", sa.Integer(), nullable=True))
    for table in _FACTS:
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("hidden_in", sa.Integer(), nullable=True))
            batch_op.create_foreign_key(batch_op.f(f"fk_{table}_hidden_in"), "edition", ["hidden_in"], ["id"])
            batch_op.create_index(batch_op.f(f"ix_{table}_hidden_in"), ["hidden_in"], unique=False)


def downgrade() -> None:
    for table in _FACTS:
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_index(batch_op.f(f"ix_{table}_hidden_in"))
            batch_op.drop_constraint(batch_op.f(f"fk_{table}_hidden_in"), type_="foreignkey")
            batch_op.drop_column("hidden_in")
    for name in ("undoes", "how", "note", "account", "dataset"):
        op.drop_column("edition", name)
