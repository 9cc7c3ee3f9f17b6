"""Previews: what a check built, under public names of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sluice_preview",
        sa.Column("name", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("like", "branch", "commit", "promotion", "by")
        ),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("beside", "number")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("at", "until")),
        sa.Column("ended", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
    )
