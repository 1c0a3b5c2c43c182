"""An edition tells the moment at which it was loaded, not the day alone"""

from collections.abc import Sequence

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("ALTER TABLE edition RENAME COLUMN loaded_on TO loaded_at")
    op.execute("UPDATE edition SET loaded_at = loaded_at || 'T00:00:00Z'")


def downgrade() -> None:
    op.execute("UPDATE edition SET loaded_at = substr(loaded_at, 1, 10)")
    op.execute("ALTER TABLE edition RENAME COLUMN loaded_at TO loaded_on")
