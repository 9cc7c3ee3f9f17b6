"""`make bench`: what a release of the demo project costs, beside a plain `dbt build` of it, in one run on one machine.

Wall times of whole commands, imports included; medians of `--repeat` runs where a command can be repeated. The numbers
are kept in benchmarks/results, with what they were taken on. Compare ratios within one file, never seconds between files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MART = Path("models/marts/carrier_punctuality.sql")
OLD = "count(*) filter (where is_on_time) as on_time_flights"
NEW = "count(*) filter (where arrival_delay_minutes < {minutes}) as on_time_flights"
SLUICE = [sys.executable, "-m", "prefect_sluice.cli"]
TOOLS = ("prefect-sluice", "dbt-core", "dbt-duckdb", "duckdb")


def main() -> int:
    """Measure, print a table, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeat", type=int, default=3, help="how often a repeatable command is run (default 3)"
    )
    parser.add_argument("--through", default="2013-01-31", help="the last day of flights to load")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        times = measured(Path(folder), chosen.repeat, chosen.through)
    show(times)
    keep(times, chosen.repeat, chosen.through)
    return 0


def measured(folder: Path, repeat: int, through: str) -> dict[str, float]:
    """Return seconds by what was done."""
    plain, project = folder / "plain", folder / "nyc_flights"
    times: dict[str, float] = {}
    for copy in (plain, project):
        shutil.copytree(ROOT / "dbt_project", copy)
        run(sys.executable, "etl/load.py", "--through", through, cwd=copy)
    times["dbt build, cold"] = timed(lambda: dbt_build(plain))
    times["dbt build, warm"] = median(repeat, lambda: dbt_build(plain))

    (project / "sluice.yml").write_text(
        "default_environment: prod\nenvironments:\n  prod: {approvals: 0}\n", encoding="utf-8"
    )
    commit(project, "first", start=True)
    times["sluice release, first"] = timed(lambda: sluice(project, "release"))
    times["sluice release, nothing changed"] = median(repeat, lambda: sluice(project, "release"))
    times["sluice plan, nothing changed"] = median(repeat, lambda: sluice(project, "plan"))
    marts = [one_mart(project, step) for step in range(repeat)]
    times["sluice release, one mart changed"] = statistics.median(seconds for seconds, _ in marts)
    for gate in marts[-1][1]:
        times[f"  of it gate {gate}"] = statistics.median(gates.get(gate, 0.0) for _, gates in marts)
    times["sluice rollback"] = median(
        repeat, lambda: sluice(project, "rollback", "--no-hold"), before=lambda: sluice(project, "release")
    )
    times["sluice status"] = median(repeat, lambda: sluice(project, "status"))
    times["sluice --help"] = median(repeat, lambda: sluice(project, "--help"))
    return times


def one_mart(project: Path, step: int) -> tuple[float, dict[str, float]]:
    """Commit a change to one mart; return the seconds of its release, and of each gate that had something to look at."""
    text = (ROOT / "dbt_project" / MART).read_text(encoding="utf-8")
    (project / MART).write_text(text.replace(OLD, NEW.format(minutes=10 + step)), encoding="utf-8")
    commit(project, f"below {10 + step} minutes")
    said: list[str] = []
    seconds = timed(lambda: said.append(sluice(project, "release", "--json")))
    reports = json.loads(said[0])["reports"]
    return seconds, {one["gate"]: one["seconds"] for one in reports if not one["not_applicable"]}


def dbt_build(project: Path) -> None:
    """Run a plain `dbt build` of production, as its users would."""
    run(str(Path(sys.executable).parent / "dbt"), "--quiet", "build", "--target", "prod", cwd=project)


def sluice(project: Path, *arguments: str) -> str:
    """Run a command of ours; return what it printed."""
    return run(*SLUICE, *arguments, cwd=project)


def commit(project: Path, message: str, *, start: bool = False) -> None:
    """Commit everything."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false")
    for command in ((("init", "-q"),) if start else ()) + (("add", "-A"), ("commit", "-qm", message)):
        run("git", *identity, *command, cwd=project)


def run(*command: str, cwd: Path) -> str:
    """Run a command, and return what it printed; end with what it said if it failed."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "SLUICE_"))
    }
    environ.update(DO_NOT_TRACK="1", DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def timed(action: Callable[[], object]) -> float:
    """Return the seconds of one run."""
    started = perf_counter()
    action()
    return perf_counter() - started


def median(repeat: int, action: Callable[[], object], *, before: Callable[[], object] | None = None) -> float:
    """Return the median seconds of several runs; `before` each, something that is not timed."""
    found: list[float] = []
    for _ in range(repeat):
        if before is not None:
            before()
        found.append(timed(action))
    return statistics.median(found)


def show(times: dict[str, float]) -> None:
    """Print the table; the ratio is to a warm plain build."""
    base = times["dbt build, warm"]
    for name, seconds in times.items():
        print(f"{name:34} {seconds:7.2f} s  {seconds / base:6.2f} x dbt build")


def keep(times: dict[str, float], repeat: int, through: str) -> None:
    """Keep the numbers, and what they were taken on."""
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    kept = {
        "at": at.isoformat(timespec="seconds"),
        "flights_through": through,
        "repeat": repeat,
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "python": platform.python_version(),
        "tools": {name: version(name) for name in TOOLS},
        "seconds": {name: round(seconds, 3) for name, seconds in times.items()},
    }
    path = RESULTS / f"demo-{at:%Y-%m-%d}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
