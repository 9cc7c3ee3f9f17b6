"""The tables of the state store. A change here needs a migration; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Double, Index, Integer, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()

VERSION_TABLE = "sluice_version"
"""Alembic's own table. Not its usual name: a team may keep Prefect's tables in the same database."""


class UtcTime(TypeDecorator[datetime]):
    """A time as UTC ISO text of fixed width, which sorts as times do. A time without a zone is refused."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text. Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the time, in UTC."""
        return None if value is None else datetime.fromisoformat(value)


def _text(name: str, *, primary_key: bool = False, unique: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=primary_key, unique=unique, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, UtcTime, nullable=nullable)


def _order() -> Column[int]:
    """Return the column that keeps the order of insertion."""
    return Column("seq", Integer, primary_key=True)


RELEASE = Table(
    "sluice_release",
    METADATA,
    _order(),
    _text("id", unique=True),
    _text("commit"),
    _text("author"),
    _text("document"),
)

PROMOTION = Table(
    "sluice_promotion",
    METADATA,
    _order(),
    _text("id", unique=True),
    _text("environment"),
    _text("release"),
    _text("cause"),
    Column("base", Integer, nullable=False),
    _text("base_release"),
    _text("state"),
    _text("actor"),
    _time("created_at"),
    _time("updated_at"),
    _text("plan"),
    _text("evidence"),
    Column("generation", Integer),
    _text("message"),
    Column[str]("policy", Text, nullable=False, server_default=""),
    Index("sluice_promotion_by_environment", "environment", "created_at"),
    Index("sluice_promotion_by_state", "environment", "state"),
    Index("sluice_promotion_by_cause", "environment", "cause"),
    Index("sluice_promotion_by_generation", "environment", "generation"),
    Index("sluice_promotion_by_release", "release"),
)

REPORT = Table(
    "sluice_report",
    METADATA,
    _order(),
    _text("promotion"),
    _text("stage"),
    _text("gate"),
    _text("verdict"),
    _text("document"),
    Index("sluice_report_by_promotion", "promotion", "stage"),
)

MEASURE = Table(
    "sluice_measure",
    METADATA,
    _text("promotion", primary_key=True),
    _text("gate", primary_key=True),
    _text("subject", primary_key=True),
    _text("metric", primary_key=True),
    Column[float]("value", Double, nullable=False),
    Index("sluice_measure_by_subject", "subject", "metric"),
)

CANDIDATE = Table(
    "sluice_candidate",
    METADATA,
    _text("promotion", primary_key=True),
    _text("path"),
    _text("digest"),
    _time("created_at"),
)

RELATION = Table(
    "sluice_relation",
    METADATA,
    _text("schema", primary_key=True),
    _text("identifier", primary_key=True),
    _text("node"),
    _text("kind"),
    _text("fingerprint"),
    _text("inputs"),
    _text("promotion"),
    _text("state"),
    Column("rows", BigInteger),
    Column[float]("seconds", Double),
    _time("at"),
    Index("sluice_relation_by_promotion", "promotion"),
)

APPROVAL = Table(
    "sluice_approval",
    METADATA,
    _order(),
    _text("id", unique=True),
    _text("promotion"),
    _text("binding"),
    _text("decision"),
    _text("by"),
    _text("comment"),
    _time("at"),
    _time("expires_at"),
    _time("used_at", nullable=True),
    _text("signature"),
    Index("sluice_approval_by_promotion", "promotion"),
)

QUESTION = Table(
    "sluice_question",
    METADATA,
    _text("run", primary_key=True),
    _text("promotion"),
    _text("binding"),
    Column("attempt", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    _time("at"),
    Index("sluice_question_by_promotion", "promotion"),
)

LEASE = Table(
    "sluice_lease",
    METADATA,
    _text("environment", primary_key=True),
    Column("token", Integer, nullable=False),
    _text("holder"),
    _time("acquired_at", nullable=True),
    _time("expires_at", nullable=True),
)

CONTROL = Table(
    "sluice_control",
    METADATA,
    _order(),
    _text("id", unique=True),
    _text("kind"),
    _text("target"),
    _text("by"),
    _text("reason"),
    _time("at"),
    _time("until", nullable=True),
    _text("promotion"),
    _time("lifted_at", nullable=True),
    _text("lifted_by"),
    _text("lifted_reason"),
    Index("sluice_control_by_target", "kind", "target"),
)

AFTERCARE = Table(
    "sluice_aftercare",
    METADATA,
    _text("promotion", primary_key=True),
    _text("hold"),
    Column("catch_up", Boolean, nullable=False),
    Column("caught_up", Boolean, nullable=False),
)

LEDGER = Table(
    "sluice_ledger",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    _text("at"),  # not UtcTime: one that cannot be read is LedgerBroken, which the codec raises
    _text("event"),
    _text("environment"),
    _text("actor"),
    _text("facts"),
    _text("before"),
    _text("digest"),
    Index("sluice_ledger_by_environment", "environment", "number"),
    Index("sluice_ledger_by_event", "environment", "event", "number"),
)
BY_PROMOTION = "sluice_ledger_by_promotion"
"""The index of the ledger's entries by the promotion that they are about. The migration alone has it: it is over an expression
(see `entry_facts`), which no database describes as it was written."""

DECLARED = Table(
    "sluice_declared",
    METADATA,
    _text("environment", primary_key=True),
    _text("release", primary_key=True),
    _text("document"),
)

CONDITIONS = Table(
    "sluice_conditions",
    METADATA,
    _text("promotion", primary_key=True),
    _time("at"),
    _text("document"),
)

REFRESH = Table(
    "sluice_refresh",
    METADATA,
    _text("environment", primary_key=True),
    _time("at"),
    _time("ended", nullable=True),
    _text("status"),
    _text("message"),
    _text("by"),
)

CHECK = Table(
    "sluice_check",
    METADATA,
    _text("environment", primary_key=True),
    _text("commit", primary_key=True),
    _text("ref"),
    _text("by"),
    _time("at"),
    _time("ended", nullable=True),
    _text("status"),
    _text("message"),
    _text("promotion"),
    Column("findings", Integer, nullable=False),
)

PREVIEW = Table(
    "sluice_preview",
    METADATA,
    _text("name", primary_key=True),
    _text("like"),
    _text("branch"),
    _text("commit"),
    _text("promotion"),
    _text("by"),
    Column("beside", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    _time("at"),
    _time("until"),
    _time("ended", nullable=True),
    _text("reason"),
)

POLL = Table(
    "sluice_poll",
    METADATA,
    _text("environment", primary_key=True),
    _text("commit"),
    Column("generation", Integer, nullable=False),
    _text("release"),
    _text("message"),
)

ALERT = Table(
    "sluice_alert",
    METADATA,
    _text("scope", primary_key=True),
    _text("problems"),
    _time("at"),
)

TIMING = Table(
    "sluice_timing",
    METADATA,
    _order(),
    _text("promotion"),
    _time("at"),
    _text("took"),
    Index("sluice_timing_by_promotion", "promotion"),
)

SIGN = Table(
    "sluice_sign",
    METADATA,
    _text("run", primary_key=True),
    _text("holder"),
    _time("seen"),
)

CACHE = Table(
    "sluice_cache",
    METADATA,
    _text("kind", primary_key=True),
    _text("key", primary_key=True),
    _text("value"),
    Column("used_at", UtcTime, nullable=False, server_default=""),
)
"""What can be derived again, and nothing else: emptying it costs time, and changes no answer."""
