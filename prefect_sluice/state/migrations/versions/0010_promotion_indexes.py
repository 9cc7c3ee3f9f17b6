"""Promotions are found by what asked for them, and by the generation that they wrote."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the indexes."""
    for column in ("cause", "generation"):
        op.create_index(f"sluice_promotion_by_{column}", "sluice_promotion", ["environment", column])
