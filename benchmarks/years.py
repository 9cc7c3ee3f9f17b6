"""What three years of a project's life leave: commands and files by quarter, on a clock that moves.

Each week an engineer's release, two refreshes with new data and a collection; each other week a rollback as well. All commands
run in this process, one after the other, on a project of five nodes, so that what grows is what Sluice keeps, not the data.
Medians of a quarter's wall seconds, and of statements to the state store and ledger entries read, which a busy machine does not
change; bytes at its end. Compare the ratios of the last quarter to the second, in which collections have begun.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
from sqlalchemy import event
from sqlalchemy.engine import Engine

from prefect_sluice.cli import main as sluice
from prefect_sluice.runtime import process
from prefect_sluice.state import codec

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TOOLS = ("prefect-sluice", "dbt-core", "dbt-duckdb", "duckdb")
NOW = process.now
WEEKS = 13
"""Weeks of a quarter."""
BASE = 1
"""The quarter that others are compared with: the second, where collections have begun to take something."""
SNAPSHOT = (
    "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols=['id'], target_schema='main') }}"
    "select id from {{ source('raw', 'orders') }}{% endsnapshot %}\n"
)
FILES = {
    ".gitignore": "w.duckdb*\n.sluice\n",
    "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\nmodels: {+materialized: table}\n",
    "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 1}}}\n",
    "sluice.yml": "environments: {dev: {}}\ngates: {lint: {on: off}, project_tests: {on: off}}\n",
    "models/sources.yml": "sources: [{name: raw, schema: raw, tables: [{name: orders}]}]\n",
    "models/orders.sql": "select id, id % 7 as customer from {{ source('raw', 'orders') }}\n",
    "models/customers.sql": "select customer, count(*) as orders from {{ ref('orders') }} group by customer\n",
    "models/version.sql": "select 0 as version\n",
    "models/tests.yml": "models: [{name: orders, columns: [{name: id, data_tests: [unique, not_null]}]}]\n",
    "snapshots/kept.sql": SNAPSHOT,
}
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}
Figures = dict[str, dict[str, float]]
"""Of a quarter: by measure (seconds, statements, entries, bytes) what it is of a command, or of a kind of files."""
LOOKS = ("plan", "status", "history", "show", "doctor")


class Life:
    """The project, its clock, and what each command took. `ahead` is how far the clock is before the machine's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ahead = folder, timedelta()
        self.costs: dict[str, list[Mapping[str, float]]] = {}
        self._counts = counted()
        self.go_on()
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        self._git("init", "-q", "-b", "main")
        self.load("create schema raw; create table raw.orders as select range as id from range(100)")

    def go_on(self) -> None:
        """Let this life's clock be the one that commands look at."""
        process.now = lambda: NOW() + self.ahead

    def command(self, *words: str) -> None:
        """Run a command and note what it took. Raises RuntimeError with what it says where it does not end well."""
        said = io.StringIO()
        self._counts.clear()
        began = perf_counter()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = sluice([*words, "-C", str(self.folder)])
        took = {"seconds": perf_counter() - began, **self._counts}
        self.costs.setdefault(words[0], []).append(took)
        if code:
            raise RuntimeError(f"sluice {' '.join(words)} ended with {code}:\n{said.getvalue()}")

    def commit(self, version: int) -> None:
        """Commit another version of a model."""
        (self.folder / "models/version.sql").write_text(f"select {version} as version\n", encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "-qm", f"Version {version}")

    def load(self, sql: str) -> None:
        """Change the raw data, as an ETL job does."""
        with duckdb.connect(str(self.folder / "w.duckdb")) as connection:
            connection.execute(sql)

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.folder, check=True)


def counted() -> Counter[str]:
    """Return a counter of the statements sent to state stores, and of ledger entries read from them, from now on."""
    counts: Counter[str] = Counter()
    read = codec.entry

    def entry(row: Any) -> Any:
        counts["entries"] += 1
        return read(row)

    def statement(*_: object) -> None:
        counts["statements"] += 1

    codec.entry = entry
    event.listen(Engine, "before_cursor_execute", statement)
    return counts


def medians(costs: Mapping[str, list[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the medians of what each command took: by measure and command."""
    return {
        measure: {
            name: round(statistics.median(one.get(measure, 0) for one in times), 3)
            for name, times in costs.items()
        }
        for measure in ("seconds", "statements", "entries")
    }


def week(life: Life, number: int) -> None:
    """Live one week; `number` counts from 1."""
    life.commit(number)
    life.command("release")
    for night in (1, 2):
        life.ahead += timedelta(days=1)
        life.load(f"insert into raw.orders values ({1000 + 10 * number + night})")
        life.command("refresh")
    if number % 2:
        life.command("rollback", "--no-hold")
    for look in LOOKS:
        life.command(look)
    life.ahead += timedelta(days=5)
    life.command("collect")


def files_of(folder: Path) -> Mapping[str, int]:
    """Return the bytes of what Sluice keeps: the state store, the bundles, the pages, and the warehouse beside them."""
    own = folder / ".sluice"
    state = sum(path.stat().st_size for path in own.glob("state.db*"))
    below = {
        path.name: sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
        for path in sorted(own.iterdir())
        if path.is_dir()
    }
    return {"state.db": state, **below, "warehouse": (folder / "w.duckdb").stat().st_size}


def main() -> int:
    """Live, print a line for each quarter, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quarters", type=int, default=12, help="how many quarters to live (default 12)")
    chosen = parser.parse_args()
    os.environ.update(
        {"GIT_CONFIG_GLOBAL": os.devnull, "DO_NOT_TRACK": "1", "SLUICE_ACTOR": "Ada", **IDENTITY}
    )
    quarters: list[Figures] = []
    with tempfile.TemporaryDirectory(prefix="sluice-years-") as place:
        life = Life(Path(place))
        for quarter in range(int(chosen.quarters)):
            life.costs.clear()
            for number in range(1, WEEKS + 1):
                week(life, quarter * WEEKS + number)
            quarters.append({**medians(life.costs), "bytes": dict(files_of(life.folder))})
            print(f"quarter {quarter + 1}: {json.dumps(quarters[-1])}", flush=True)
    show(quarters)
    keep(quarters)
    return 0


def show(quarters: list[Figures]) -> None:
    """Print how many times the second quarter's figures the last ones are."""
    if len(quarters) <= BASE:
        return
    for measure, last in quarters[-1].items():
        early = quarters[BASE][measure]
        for name in last:
            if early.get(name):
                ratio = last[name] / early[name]
                print(f"{measure:<12}{name:<12}{early[name]:>12}{last[name]:>12}  {ratio:.2f}")


def keep(quarters: list[Figures]) -> None:
    """Keep the numbers, and what they were taken on."""
    at = datetime.now(UTC)
    kept = {
        "at": at.isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "python": platform.python_version(),
        "tools": {name: version(name) for name in TOOLS},
        "quarters": quarters,
    }
    path = RESULTS / f"years-{at:%Y-%m-%d}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
