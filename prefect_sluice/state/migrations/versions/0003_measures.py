"""The numbers that gates keep, to compare later ones with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sluice_measure",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("promotion", "gate", "subject", "metric")),
        sa.Column[float]("value", sa.Double, nullable=False),
    )
    op.create_index("sluice_measure_by_subject", "sluice_measure", ["subject", "metric"])
