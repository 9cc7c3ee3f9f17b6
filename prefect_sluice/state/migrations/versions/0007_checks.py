"""What checks of commits came to, by environment and commit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sluice_check",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("environment", "commit")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("ref", "by", "at")),
        sa.Column("ended", sa.Text),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("status", "message", "promotion")),
        sa.Column("findings", sa.Integer, nullable=False),
    )
