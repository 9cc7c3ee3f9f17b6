"""What dbt answered for one node or test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from prefect_sluice.domain.node import Name

DROPPED = "dropped"
"""A status of ours, beside dbt's words: built, and then dropped by a hook."""
_LONG = 90


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


def dropped(result: NodeResult, name: Name, hooks: Sequence[str], *, is_served: bool) -> NodeResult:
    """Return the result of a node whose relation is gone once everything was built; `hooks` are its own post-hooks. Pure.

    Where people read the name today it is an error: a hook takes nothing away that a plan did not say it would.
    """
    who = f"its own post-hook dropped it: {_cut(hooks[0])}" if hooks else "a hook or a macro dropped it again"
    if is_served:
        message = f"Runtime Error\n  {name} is served, and {who}; remove the node, or the hook"
        return replace(result, status="error", message=message)
    return replace(result, status=DROPPED, message=f"built, and not served: {who}")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONG else f"{line[:_LONG]}…"
