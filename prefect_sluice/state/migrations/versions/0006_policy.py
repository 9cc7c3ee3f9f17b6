"""Which policy a promotion is judged by, and which it brings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column. What was begun before has no document of its policy; it is read from its release when asked for."""
    op.add_column("sluice_promotion", sa.Column("policy", sa.Text, nullable=False, server_default=""))
