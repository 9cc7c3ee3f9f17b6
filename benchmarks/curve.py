"""`make bench`: cost against project size. The same commands on generated projects of 100, 1,000 (and 5,000) models.

Seconds of processor time of the whole command, imports and children included, and wall seconds beside them; the least of
`--repeat` runs where a command can be repeated. Compare within one file: ratios are to what dbt itself needs to start and
load its partial parse, on the same project in the same run. Numbers are kept in benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from generate import Synthetic, commit, generate

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SLUICE = (sys.executable, "-P", "-m", "prefect_sluice.cli")
DBT = (sys.executable, "-P", "-m", "dbt.cli.main", "--quiet")
PARSE = "dbt: start and load its partial parse"
TOOLS = ("prefect-sluice", "dbt-core", "dbt-duckdb", "duckdb")
QUIET = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "SLUICE_ACTOR": "bench"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command took, in seconds: processor time of it and its children, and wall time."""

    cpu: float
    wall: float


def main() -> int:
    """Measure each size, print a table, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="100,1000", help="models, with commas (default 100,1000)")
    parser.add_argument("--repeat", type=int, default=2, help="runs of what can be repeated (default 2)")
    parser.add_argument("--seed", type=int, default=0, help="of the generated projects (default 0)")
    chosen = parser.parse_args()
    found: dict[int, dict[str, Cost]] = {}
    for size in (int(each) for each in chosen.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="sluice-curve-") as folder:
            found[size] = Measured(Path(folder), size, chosen.repeat, chosen.seed).all()
    print("\n" + table(found))
    keep(found, chosen.repeat, chosen.seed)
    return 0


class Measured:
    """One size: a project for Sluice, and a copy of it for plain dbt."""

    def __init__(self, folder: Path, size: int, repeat: int, seed: int) -> None:
        """Generate both."""
        say(f"{size} models: generating")
        self.project: Synthetic = generate(folder / "released", models=size, seed=seed)
        self.plain = folder / "plain"
        shutil.copytree(self.project.folder, self.plain)
        self.size, self.repeat, self.step = size, repeat, 0
        self.found: dict[str, Cost] = {}

    def all(self) -> dict[str, Cost]:
        """Return the cost of each command, by what it does."""
        leaf = self.project.leaf.stem
        self.take("dbt build, everything", lambda: self.dbt("build"))
        self.take(PARSE, lambda: self.dbt("parse", "--no-write-json"), self.repeat)
        self.take("dbt build, one leaf", lambda: self.dbt("build", "--select", leaf), self.repeat)
        self.take("sluice release, first", lambda: self.sluice("release"))
        self.sluice("plan")  # its own parse state is made once
        self.take("sluice plan, nothing changed", lambda: self.sluice("plan"), self.repeat)
        self.take("sluice release, nothing changed", lambda: self.sluice("release"), self.repeat)
        self.take("sluice refresh, nothing new", lambda: self.sluice("refresh"), self.repeat)
        self.changed("sluice release, one leaf changed", self.project.leaf, self.repeat)
        self.changed("sluice release, changed near the root", self.project.root, 1)
        self.take("sluice rollback", lambda: self.sluice("rollback"))
        self.take("sluice status", lambda: self.sluice("status"), self.repeat)
        return self.found

    def changed(self, name: str, path: Path, repeat: int) -> None:
        """Measure releases of a commit that changes one model."""
        costs: list[Cost] = []
        for _ in range(repeat):
            self.step += 1
            text = path.read_text(encoding="utf-8")
            changed = re.sub(r"select t0\.id, \d+ \*", f"select t0.id, {100 + self.step} *", text)
            path.write_text(changed, encoding="utf-8")
            commit(self.project.folder, f"change {self.step}")
            costs.append(self.sluice("release"))
        self.found[name] = min(costs, key=lambda cost: cost.cpu)
        say(f"{self.size} models: {name}: {self.found[name].cpu:.1f} s")

    def take(self, name: str, action: Callable[[], Cost], repeat: int = 1) -> None:
        """Measure something that can be repeated."""
        self.found[name] = min((action() for _ in range(repeat)), key=lambda cost: cost.cpu)
        say(f"{self.size} models: {name}: {self.found[name].cpu:.1f} s")

    def dbt(self, *arguments: str) -> Cost:
        """Run plain dbt."""
        return run(*DBT, *arguments, cwd=self.plain)

    def sluice(self, *arguments: str) -> Cost:
        """Run a command of ours."""
        return run(*SLUICE, *arguments, cwd=self.project.folder)


def run(*command: str, cwd: Path) -> Cost:
    """Run a command and return its cost; end with what it said if it failed."""
    own = ("PREFECT_", "SLUICE_", "DBT_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)} | QUIET
    started = perf_counter()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        ) as process,
    ):
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            told = said.read().decode(errors="replace")
            sys.exit(f"curve: {' '.join(command)} ended with {process.returncode}\n{told}")
    return Cost(used.ru_utime + used.ru_stime, perf_counter() - started)


def table(found: Mapping[int, Mapping[str, Cost]]) -> str:
    """Return the numbers as a Markdown table: processor seconds, and in brackets the ratio to dbt's own start."""
    lines = [
        "| processor seconds (ratio) | " + " | ".join(f"{size:,} models" for size in found) + " |",
        "|---|" + "---:|" * len(found),
    ]
    for name in next(iter(found.values())):
        cells = [
            f"{costs[name].cpu:.1f} ({costs[name].cpu / costs[PARSE].cpu:.1f})" for costs in found.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    beyond = [
        f"{costs['sluice plan, nothing changed'].cpu - costs[PARSE].cpu:.1f}" for costs in found.values()
    ]
    return "\n".join([*lines, "| plan beyond dbt's own start | " + " | ".join(beyond) + " |"])


def keep(found: Mapping[int, Mapping[str, Cost]], repeat: int, seed: int) -> None:
    """Keep the numbers, and what they were taken on."""
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    kept = {
        "at": at.isoformat(timespec="seconds"),
        "repeat": repeat,
        "seed": seed,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "python": platform.python_version(),
        "tools": {name: version(name) for name in TOOLS},
        "seconds": {
            str(size): {
                name: {key: round(value, 2) for key, value in asdict(cost).items()}
                for name, cost in costs.items()
            }
            for size, costs in found.items()
        },
    }
    path = RESULTS / f"curve-{at:%Y-%m-%d}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"\nkept in {path.relative_to(ROOT)}")


def say(line: str) -> None:
    """Show progress, on stderr: what is printed is the table."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
