"""The project tells of itself: a journal, trainings, and pages about it"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from layers.columns import Letters

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    _create(
        "journal",
        sa.Column("titles", sa.JSON(), nullable=False),
        sa.Column("summaries", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
    )
    _create(
        "page",
        sa.Column("titles", sa.JSON(), nullable=False),
        sa.Column("summaries", sa.JSON(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
    )
    _create(
        "event",
        sa.Column("titles", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("begins", Letters(), nullable=False),
        sa.Column("ends", Letters(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("parties", sa.JSON(), nullable=False),
        sa.Column("practices", sa.JSON(), nullable=False),
        sa.Column("materials", sa.JSON(), nullable=False),
        sa.Column("status", Letters(), nullable=False),
    )


def _create(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        name,
        *columns,
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
        sa.ForeignKeyConstraint(["edition_id"], ["edition.id"], name=op.f(f"fk_{name}_edition_id")),
        sa.ForeignKeyConstraint(["retired_in"], ["edition.id"], name=op.f(f"fk_{name}_retired_in")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    with op.batch_alter_table(name, schema=None) as batch_op:
        batch_op.create_index(batch_op.f(f"ix_{name}_edition_id"), ["edition_id"], unique=False)
        columns_ = ["key", "valid_from", "retired_in"]
        batch_op.create_index(batch_op.f(f"ix_{name}_key_valid_from_retired_in"), columns_, unique=False)
        batch_op.create_index(batch_op.f(f"ix_{name}_retired_in"), ["retired_in"], unique=False)


def downgrade() -> None:
    for name in ("event", "page", "journal"):
        op.drop_table(name)
