"""Holds, freezes and blocks; and what a rollback brings with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "sluice_control",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *_texts("kind", "target", "by", "reason", "at"),
        sa.Column("until", sa.Text),
        *_texts("promotion"),
        sa.Column("lifted_at", sa.Text),
        *_texts("lifted_by", "lifted_reason"),
    )
    op.create_index("sluice_control_by_target", "sluice_control", ["kind", "target"])
    op.create_table(
        "sluice_aftercare",
        sa.Column("promotion", sa.Text, primary_key=True),
        *_texts("hold"),
        sa.Column("catch_up", sa.Boolean, nullable=False),
        sa.Column("caught_up", sa.Boolean, nullable=False),
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]
