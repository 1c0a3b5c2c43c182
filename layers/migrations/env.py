"""Runs migrations on the connection that `layers.store` hands in; one set for both stores."""

from typing import Literal

from alembic import context

from layers.accounts import tables  # noqa: F401  its tables are part of the metadata
from layers.columns import Geom, Letters
from layers.model import Base


def _is_ours(name: str | None, type_: str, _parents: object) -> bool:
    """Hides the R*Tree beside each shape column and PostGIS's own tables."""
    if type_ != "table":
        return not (type_ == "index" and (name or "").startswith("idx_"))
    return name in Base.metadata.tables


def _spelled(type_: str, item: object, _context: object) -> str | Literal[False]:
    """How a new migration spells this house's own column types."""
    return f"{type(item).__name__}()" if isinstance(item, Geom | Letters) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=_is_ours,
    render_item=_spelled,
    render_as_batch=True,
)
context.run_migrations()
