"""What it costs to compare two tables: ours beside a plain full outer join that counts what differs per column, in one run.

With the tolerance for floats, and exact. Seconds are processor seconds of all threads; wall seconds stand beside them. The
plain join is told nothing: it does not look whether the key is one, shows no rows and no numbers. Compare within one file.
Numbers are kept in benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time

import duckdb

from prefect_sluice.diff.compare import compare
from prefect_sluice.domain.digests import Json
from prefect_sluice.warehouse.duckdb.reader import DuckReader

RESULTS = Path(__file__).resolve().parent / "results"
BEFORE = """select range as id, 'carrier ' || range % 1000 as a, (range * 1.5)::double as b, range % 7 as c,
    'text ' || range as d, date '2020-01-01' + (range % 1000)::int as e, range % 2 = 0 as f,
    (range * 0.01)::decimal(12, 2) as g, hash(range) as h, if(range % 3 = 0, null, range) as i"""
CASES = {
    "nothing changed": "select * from before order by id desc",
    "two columns changed in 6 % of the rows": "select * replace (if(id % 50 = 0, b + 1, b) as b,"
    " if(id % 20 = 0, 'x' || d, d) as d) from before",
    "and 0.1 % of the rows went": "select * replace (if(id % 50 = 0, b + 1, b) as b,"
    " if(id % 20 = 0, 'x' || d, d) as d) from before where id % 1000 <> 7",
    "6 % of the rows differ in the last digit": "select * replace (if(id % 17 = 0, b * (1 + 1e-15), b) as b)"
    " from before",
    "every row changed": "select * replace (g + 1 as g) from before",
}


class Kept(dict[str, Json]):
    """A memory."""

    recall = dict[str, Json].get

    def keep(self, key: str, value: Json) -> None:
        """Keep it."""
        self[key] = value


def main() -> int:
    """Measure each case, print a table, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=3_000_000, help="rows of ten columns (default 3,000,000)")
    rows = parser.parse_args().rows
    connection, load = duckdb.connect(), os.getloadavg()[0]
    connection.execute(f"create table before as {BEFORE} from range({rows})")
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for case, query in CASES.items():
        connection.execute(f"create or replace table after as {query}")
        found[case] = _case(connection)
        print(
            case,
            *(f"  {what}: {cpu} s, wall {wall} s" for what, (cpu, wall) in found[case].items()),
            sep="\n",
        )
    _keep(rows, load, found)
    return 0


def _case(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[float, float]]:
    reader, memory = DuckReader(connection), Kept()
    return {
        "plain full outer join": _timed(lambda: _plain(connection)),
        "by key": _timed(lambda: compare(reader, "before", "after", ("id",), "t", memory)),
        "by key, exact": _timed(lambda: compare(reader, "before", "after", ("id",), "t", tolerance=_exactly)),
        "by key, known": _timed(lambda: compare(reader, "before", "after", ("id",), "t", memory)),
        "without a key": _timed(lambda: compare(reader, "before", "after", (), "t")),
        "without a key, exact": _timed(
            lambda: compare(reader, "before", "after", (), "t", tolerance=_exactly)
        ),
    }


def _exactly(_column: str) -> float:
    """Return the tolerance with which floats are compared to their last digit."""
    return 0.0


def _plain(connection: duckdb.DuckDBPyConnection) -> None:
    counts = (f"count(*) filter (where b.{name} is distinct from a.{name})" for name in "abcdefghi")
    connection.execute(
        f"select {', '.join(counts)} from before b full join after a on a.id = b.id"
    ).fetchall()


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    cpu, wall = process_time(), perf_counter()
    work()
    return round(process_time() - cpu, 2), round(perf_counter() - wall, 2)


def _keep(rows: int, load: float, found: dict[str, dict[str, tuple[float, float]]]) -> None:
    at = datetime.now(UTC)
    document = {
        "at": at.isoformat(timespec="seconds"),
        "rows": rows,
        "cores": os.cpu_count(),
        "load_before": load,
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "processor_and_wall_seconds": found,
    }
    path = RESULTS / f"diff-{at.date()}.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"\nkept: {path}")


if __name__ == "__main__":
    raise SystemExit(main())
