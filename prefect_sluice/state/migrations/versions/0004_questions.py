"""Which run of a scheduler waits for the answer to which promotion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "sluice_question",
        sa.Column("run", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("promotion", "binding")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempt", "number")),
        sa.Column("at", sa.Text, nullable=False),
    )
    op.create_index("sluice_question_by_promotion", "sluice_question", ["promotion"])
