"""What dbt answered for one node or test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of one node or test in an invocation. `kind` and `status` are dbt's words, `seconds` its own time.

    `relation` holds a test's failing rows (quoted SQL, "" if none), `compiled` the SQL that ran, `started` and `ended` when
    dbt worked on it (UTC; None for what it did not). `fail_calc` is what a test's `failures` are a number of.
    """

    unique_id: str
    kind: str
    status: str
    message: str
    failures: int | None
    seconds: float
    relation: str
    parents: tuple[str, ...]
    path: str
    compiled: str
    severity: str
    started: datetime | None = None
    ended: datetime | None = None
    fail_calc: str = "count(*)"

    @property
    def ok(self) -> bool:
        """Say whether dbt calls it a success (a warning is one)."""
        return self.status in {"success", "pass", "warn"}

    @property
    def short(self) -> str:
        """The name that people use."""
        return (
            ".".join(self.unique_id.split(".")[2:])
            if self.kind not in {"test", "operation"}
            else self.unique_id.split(".")[2]
        )
