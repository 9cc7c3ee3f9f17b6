"""The first tables, and the triggers that keep the ledger append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SQLITE_TRIGGERS = tuple(
    f"CREATE TRIGGER sluice_ledger_no_{verb} BEFORE {verb} ON sluice_ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
    for verb in ("update", "delete")
)
_POSTGRES_TRIGGERS = (
    "CREATE FUNCTION sluice_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$",
    "CREATE TRIGGER sluice_ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sluice_ledger"
    " FOR EACH STATEMENT EXECUTE FUNCTION sluice_ledger_refuse()",
)


def upgrade() -> None:
    """Create everything."""
    _releases()
    _promotions()
    _approvals()
    _relations()
    _leases()
    _ledger()
    op.create_table("sluice_cache", *_keys("kind", "key"), *_texts("value"))


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _keys(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, primary_key=True) for name in names]


def _numbered() -> list[sa.Column[int] | sa.Column[str]]:
    return [
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
    ]


def _releases() -> None:
    op.create_table("sluice_release", *_numbered(), *_texts("commit", "author", "document"))


def _promotions() -> None:
    op.create_table(
        "sluice_promotion",
        *_numbered(),
        *_texts("environment", "release", "cause"),
        sa.Column("base", sa.Integer, nullable=False),
        *_texts("base_release", "state", "actor", "created_at", "updated_at", "plan", "evidence"),
        sa.Column("generation", sa.Integer),
        *_texts("message"),
    )
    op.create_index("sluice_promotion_by_environment", "sluice_promotion", ["environment", "created_at"])
    op.create_table(
        "sluice_report",
        sa.Column("seq", sa.Integer, primary_key=True),
        *_texts("promotion", "stage", "gate", "verdict", "document"),
    )
    op.create_index("sluice_report_by_promotion", "sluice_report", ["promotion", "stage"])


def _approvals() -> None:
    op.create_table(
        "sluice_approval",
        *_numbered(),
        *_texts("promotion", "binding", "decision", "by", "comment", "at", "expires_at"),
        sa.Column("used_at", sa.Text),
        *_texts("signature"),
    )
    op.create_index("sluice_approval_by_promotion", "sluice_approval", ["promotion"])


def _relations() -> None:
    op.create_table("sluice_candidate", *_keys("promotion"), *_texts("path", "digest", "created_at"))
    op.create_table(
        "sluice_relation",
        *_keys("schema", "identifier"),
        *_texts("node", "kind", "fingerprint", "inputs", "promotion", "state"),
        sa.Column("rows", sa.BigInteger),
        sa.Column[float]("seconds", sa.Double),
        *_texts("at"),
    )
    op.create_index("sluice_relation_by_promotion", "sluice_relation", ["promotion"])


def _leases() -> None:
    op.create_table(
        "sluice_lease",
        *_keys("environment"),
        sa.Column("token", sa.Integer, nullable=False),
        *_texts("holder"),
        sa.Column("acquired_at", sa.Text),
        sa.Column("expires_at", sa.Text),
    )


def _ledger() -> None:
    op.create_table(
        "sluice_ledger",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("at", "event", "environment", "actor", "facts", "before", "digest"),
    )
    op.create_index("sluice_ledger_by_environment", "sluice_ledger", ["environment", "number"])
    postgres = op.get_bind().dialect.name == "postgresql"
    for trigger in _POSTGRES_TRIGGERS if postgres else _SQLITE_TRIGGERS:
        op.execute(trigger)
