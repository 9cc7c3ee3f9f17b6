"""Data tests asked by the gate against dbt's own `dbt test`: on the demo's relations, and on 10 million rows with 20 tests.

Both judge the same tests of the same database, one after the other in this process, dbt warm; seconds of wall time and of
processor time, the least of `--repeat` runs. What the gate does is compile (dbt's own compiler) and ask. The verdicts are
compared, and must be the same. Compare within one file: the ratio counts. Numbers are kept in benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import duckdb
import yaml

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.core.commands import Commands
from prefect_sluice.dbt.core.data_tests import asked_as_dbt_does, data_test
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.gates.base import BuildOutcome, CandidateView, ReleaseView, Subject, ask_gate
from prefect_sluice.gates.data_tests.gate import DataTests, verdict_of
from prefect_sluice.sql.countable_tests import counted
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.duckdb.reader import DuckReader

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TOOLS = ("prefect-sluice", "dbt-core", "dbt-duckdb", "duckdb")

WIDE = (
    "create table wide as select range as id, range % 1000 as day, range % 7 as kind, chr(97 + (range % 5)::int) as status, "
    "(range * 7919 % 100003) / 100.0 as amount, case when range % 100 > 0 then range % 50000 end as parent, "
    "'c' || range % 50000 as code, range % 24 as hour, range % 2 = 0 as flag, (range * 31 % 1009)::double as score "
    "from range({rows})"
)
JOINED = (
    "alter table wide rename to base; create view wide as select base.* replace (base.amount + 0 as amount) "
    "from base left join parents on base.parent = parents.id"
)
COLUMNS = ("id", "day", "kind", "status", "amount", "code", "hour", "flag", "score")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one way to judge the tests."""

    wall: float
    cpu: float


def main() -> int:
    """Measure both, print them, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each (default 1)")
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="of the generated relation (default 10000000)"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-tests-") as folder:
        measured = {
            "demo": compared(demo(Path(folder) / "demo"), chosen.repeat),
            f"{chosen.rows} rows": compared(wide(Path(folder) / "wide", chosen.rows), chosen.repeat),
            f"a view over {chosen.rows} rows": compared(
                wide(Path(folder) / "view", chosen.rows, of=JOINED), chosen.repeat, views=("wide",)
            ),
        }
    keep(measured, chosen.repeat)
    return 0


def demo(folder: Path) -> Commands:
    """Build the demo project's relations with January's flights, and return dbt for it."""
    shutil.copytree(ROOT / "dbt_project", folder)
    load = [sys.executable, "etl/load.py", "--through", "2013-01-31"]
    subprocess.run(load, cwd=folder, check=True, capture_output=True)
    commands = started(folder, "prod")
    commands.build(commands.parse(), "--exclude-resource-type", "test", "unit_test")
    return commands


def wide(folder: Path, rows: int, of: str = "") -> Commands:
    """Write a project with one source of very many rows, and 20 tests on it; `of` makes something else of it."""
    tests: dict[str, list[Any]] = {name: ["not_null"] for name in COLUMNS}
    tests["id"] += ["unique", within(0, rows)]
    tests["parent"] = [{"relationships": {"arguments": {"to": "source('raw', 'parents')", "field": "id"}}}]
    tests["status"].append({"accepted_values": {"arguments": {"values": list("abcde")}}})
    tests["kind"].append({"accepted_values": {"arguments": {"values": list(range(7)), "quote": False}}})
    for name, most in (("day", 999), ("amount", 1000.03), ("hour", 23), ("score", 1008), ("kind", 6)):
        tests[name].append(within(0, most))
    tests["code"].append({"not_null": {"name": "code_of_flagged", "config": {"where": "flag"}}})
    columns = [{"name": name, "data_tests": each} for name, each in tests.items()]
    tables = [{"name": "wide", "columns": columns}, {"name": "parents"}]
    files = {
        "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\nflags: {require_generic_test_arguments_property: true}\n",
        "profiles.yml": "p: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, schema: main, threads: 2}}}\n",
        "models/s.yml": yaml.safe_dump({"sources": [{"name": "raw", "schema": "main", "tables": tables}]}),
        "macros/within.sql": "{% test within(model, column_name, least, most) %}select * from {{ model }} "
        "where {{ column_name }} not between {{ least }} and {{ most }}{% endtest %}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        connection.execute(WIDE.format(rows=rows))
        connection.execute(f"create table parents as select range as id from range(50000); {of}")
    return started(folder, "dev")


def within(least: float, most: float) -> Mapping[str, Any]:
    """Return a range test of the project's own."""
    return {"within": {"arguments": {"least": least, "most": most}}}


def started(folder: Path, target: str) -> Commands:
    """Return dbt for a project, building where the target says."""
    found = profile.load(folder, dict(os.environ)).target(target)
    place = CandidatePlace(str(found.path), found.path)
    session = Session(found, folder, folder, folder / "state", place, {}, live=folder / "none.duckdb")
    return Commands(session)


def compared(commands: Commands, repeat: int, views: Sequence[str] = ()) -> dict[str, Any]:
    """Judge all data tests in both ways; return what each took."""
    manifest = commands.parse()
    nodes = {
        uid: Node(uid, NodeKind.VIEW, Name(str(node.schema), str(node.alias)), "", "sql", (), "")
        for uid, node in manifest.nodes.items()
        if str(node.config.materialized) == "view"
    } | {name: Node(name, NodeKind.VIEW, Name("main", name), "", "sql", (), "") for name in views}
    uids = [uid for uid, node in manifest.nodes.items() if node.resource_type.value == "test"]
    told: dict[str, str] = {}
    ours: dict[str, str] = {}

    def by_dbt() -> None:
        results = commands.run_data_tests(manifest, "*")
        told.update({result.short: verdict_of(result).name for result in results})

    def compiled() -> Mapping[str, str]:
        with asked_as_dbt_does(manifest, whole_rows=uids):
            return commands.compile(manifest, ["fqn:" + ".".join(manifest.nodes[uid].fqn) for uid in uids])

    def asked() -> None:
        tests = tuple(data_test(manifest, uid, texts[uid], ()) for uid in uids)
        with duckdb.connect(str(commands.session.side), read_only=True) as connection:
            subject = Subject(
                ReleaseView(Path(), nodes, ()),
                candidate=CandidateView(reader=DuckReader(connection), built=BuildOutcome(tests=tests)),
            )
            findings = ask_gate(DataTests(), subject).findings
        ours.update({finding.check: finding.verdict.name for finding in findings})

    texts = compiled()
    costs = {
        "dbt test": least(repeat, by_dbt),
        "compile": least(repeat, compiled),
        "ask": least(repeat, asked),
    }
    if ours != told:
        sys.exit(f"bench: the verdicts differ: {set(ours.items()) ^ set(told.items())}")
    gate = costs["compile"].wall + costs["ask"].wall
    shared = sum(counted(texts[uid], "duckdb") is not None for uid in uids)
    print(
        f"{len(uids)} tests, {shared} of them in shared queries; the gate takes {gate / costs['dbt test'].wall:.2f} of dbt test"
    )
    for name, cost in costs.items():
        print(f"  {name:10} {cost.wall:7.2f} s  ({cost.cpu:.2f} s of processor)")
    return {
        "tests": len(uids),
        "in_shared_queries": shared,
        "seconds": {name: [round(cost.wall, 3), round(cost.cpu, 3)] for name, cost in costs.items()},
        "compile and ask, of dbt test": round(gate / costs["dbt test"].wall, 3),
        "ask, of dbt test": round(costs["ask"].wall / costs["dbt test"].wall, 3),
    }  # fmt: skip


def least(repeat: int, action: Callable[[], object]) -> Cost:
    """Return the least seconds of several runs."""
    found: list[Cost] = []
    for _ in range(repeat):
        wall, cpu = perf_counter(), process_time()
        action()
        found.append(Cost(perf_counter() - wall, process_time() - cpu))
    return min(found, key=lambda cost: cost.wall)


def keep(measured: Mapping[str, Any], repeat: int) -> None:
    """Keep the numbers, and what they were taken on."""
    at = datetime.now(UTC)
    kept = {
        "at": at.isoformat(timespec="seconds"),
        "repeat": repeat,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "python": platform.python_version(),
        "tools": {name: version(name) for name in TOOLS},
        "measured": measured,
    }
    path = RESULTS / f"data-tests-{at:%Y-%m-%d}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
