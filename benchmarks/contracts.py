"""What it costs to hold a relation to a contract: our one query beside pandera's own Ibis backend, in one run on one machine.

A contract of nine checks, types, NULLs and a key, on a made-up table, once with no row that fails and once with fifteen.
Processor seconds, medians of `--repeat` runs. Compare ratios within one file, never seconds between files.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import duckdb
import ibis  # pyright: ignore[reportMissingTypeStubs]  # it has none
import pandera.ibis as pa
from pandera.backends.ibis.register import register_ibis_backends
from pandera.errors import SchemaErrors

from prefect_sluice.contracts.compile import compile_contract
from prefect_sluice.contracts.measure import count, failing_rows
from prefect_sluice.contracts.questions import Questions
from prefect_sluice.warehouse.base import Column, Rows

RESULTS = Path(__file__).parent / "results"
TABLE = """
create table t as select range as id, range % 977 as customer, (range % 1000) / 10.0 as share,
    ['new', 'paid', 'sent'][1 + range % 3] as state, printf('%c%c', 65 + range % 26, 65 + range % 7) as code,
    case when range % 10 > 0 then range % 500 end as delay, date '2026-01-01' + (range % 300)::int as day
from range({rows})
"""
BAD = """
update t set share = -1 where id in (17, 1017, 2017, 3017, 4017); update t set state = 'lost' where id in (5, 6, 7, 8, 9);
update t set code = 'a' where id in (100, 101, 102, 103, 104)
"""


class Duck:
    """Reads through one connection, and counts the queries."""

    dialect = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.asked = 0

    def query(self, sql: str) -> Rows:
        self.asked += 1
        cursor = self.connection.execute(sql)
        rows = tuple(cursor.fetchall())
        return Rows(tuple(column[0] for column in cursor.description or ()), rows)

    def columns(self, relation: str) -> tuple[Column, ...]:
        rows = self.connection.execute(f"describe {relation}").fetchall()
        return tuple(Column(name, kind) for name, kind, *_ in rows)


def contract() -> Any:
    """Return a schema with one of each of the usual checks."""
    check: Any = pa.Check
    return pa.DataFrameSchema(
        {
            "id": pa.Column(int, check.ge(0)),
            "customer": pa.Column(int, check.lt(1000)),
            "share": pa.Column(checks=[check.in_range(0, 100), check.ge(0)]),
            "state": pa.Column(str, check.isin(["new", "paid", "sent"])),
            "code": pa.Column(str, [check.str_matches("^[A-Z]{2}$"), check.str_length(2, 2)]),
            "delay": pa.Column(int, check.le(500), nullable=True),
        },
        unique=["id"],
    )


def ours(duck: Duck) -> None:
    """Ask one query, and one for the rows if any fail, as the gate does."""
    compiled = compile_contract(contract(), duck.columns("t"), "duckdb")
    asked = Questions(compiled, "duckdb")
    failing_rows(asked, list(count(asked, duck, "t")), duck, "t")


def theirs(duck: Duck) -> None:
    """Ask pandera's own backend for everything that is wrong."""
    with suppress(SchemaErrors):
        contract().validate(ibis.duckdb.from_connection(duck.connection).table("t"), lazy=True)


def in_turn(repeat: int, *acts: Callable[[], object]) -> list[float]:
    """Return the median of the processor seconds of each act, run one after the other, all threads together."""
    taken: list[list[float]] = [[] for _ in acts]
    for _ in range(repeat):
        for act, times in zip(acts, taken, strict=True):
            started = process_time()
            act()
            times.append(process_time() - started)
    return [round(statistics.median(times), 3) for times in taken]


def main() -> int:
    """Measure, print, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=3_000_000, help="rows of the table (default 3 million)")
    parser.add_argument("--repeat", type=int, default=3, help="how often each is run (default 3)")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    register_ibis_backends()
    duck, found = Duck(duckdb.connect()), dict[str, dict[str, float]]()
    duck.connection.execute(TABLE.format(rows=chosen.rows))
    for case, change in (("all rows pass", ""), ("fifteen rows fail", BAD)):
        if change:
            duck.connection.execute(change)
        duck.asked = 0
        ours(duck)
        queries = duck.asked
        seconds = in_turn(chosen.repeat, lambda: ours(duck), lambda: theirs(duck))
        found[case] = {
            "ours": seconds[0],
            "pandera": seconds[1],
            "ratio": round(seconds[1] / seconds[0], 1),
            "our queries": queries,
        }
        print(f"{case}: {found[case]}")
    kept = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": chosen.rows,
        "repeat": chosen.repeat,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "tools": {name: version(name) for name in ("duckdb", "pandera", "ibis-framework")},
        "processor_seconds": found,
    }
    file = RESULTS / f"contracts-{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {file.relative_to(RESULTS.parent.parent)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
