"""People are counted by squares of a grid, where an instance has one"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from layers.columns import Geom, Letters

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cell",
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("size_m", sa.Integer(), nullable=False),
        sa.Column("geom", Geom(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", Letters(), nullable=False),
        sa.Column("digest", Letters(), nullable=False),
        sa.Column("valid_from", Letters(), nullable=False),
        sa.Column("valid_to", Letters(), nullable=False),
        sa.Column("as_of", Letters(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("retired_in", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name=op.f("fk_cell_edition_id")),
        sa.ForeignKeyConstraint(["retired_in"], ["edition.id"], name=op.f("fk_cell_retired_in")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cell")),
    )
    with op.batch_alter_table("cell", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cell_edition_id"), ["edition_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_cell_key_valid_from_retired_in"), ["key", "valid_from", "retired_in"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_cell_retired_in"), ["retired_in"], unique=False)


def downgrade() -> None:
    op.drop_table("cell")
