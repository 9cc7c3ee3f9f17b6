"""A dbt data test as the warehouse is asked: its compiled SQL, and what its answer means."""

from __future__ import annotations

from dataclasses import dataclass


def counts_rows(fail_calc: str) -> bool:
    """Say whether a `fail_calc` counts the rows that break a test: it may make another number of them."""
    return "".join(fail_calc.lower().split()) == "count(*)"


@dataclass(frozen=True, slots=True)
class DataTest:
    """One data test. `sql` returns the rows that break it; of `fail_calc` over them, `warn_if` and `error_if` decide (each is
    the end of a comparison, as dbt has it: `!= 0`, `> 10`). `severity` is "error" or "warn", `limit` cuts the rows off
    before they are counted; `strict` says that dbt was told to make a failure of a warning.

    `parents` are unique ids of what it looks at, `path` is the file that declares it.
    """

    unique_id: str
    sql: str
    parents: tuple[str, ...] = ()
    path: str = ""
    severity: str = "error"
    warn_if: str = "!= 0"
    error_if: str = "!= 0"
    fail_calc: str = "count(*)"
    limit: int | None = None
    strict: bool = False

    @property
    def short(self) -> str:
        """The name that people use."""
        return self.unique_id.split(".")[2]
