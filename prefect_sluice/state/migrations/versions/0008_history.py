"""Indexes by which a part of the history is found, so that no command reads all of it."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

_PROMOTION = {
    "sqlite": "(CASE WHEN json_valid(facts) THEN json_extract(facts, '$.promotion') END)",
    "postgresql": """(substring(facts from '"promotion":"([^"]*)"'))""",
}


def upgrade() -> None:
    """Create the indexes. No row is changed: those of the ledger cannot be."""
    op.create_index("sluice_ledger_by_event", "sluice_ledger", ["environment", "event", "number"])
    fact = _PROMOTION[op.get_bind().dialect.name]
    op.execute(f"CREATE INDEX sluice_ledger_by_promotion ON sluice_ledger ({fact})")
    op.create_index("sluice_promotion_by_state", "sluice_promotion", ["environment", "state"])
    op.create_index("sluice_promotion_by_release", "sluice_promotion", ["release"])
