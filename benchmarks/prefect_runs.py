"""What Prefect costs a run: a task run per dbt node beside a plain dbt invocation, and the seconds outside the stages.

Starts a Prefect server of its own (SQLite) and ends it. Nodes: dbt builds as many one-row tables in this process, plain, and
then they are shown; wall and processor time of this process, and the wall time until the server has them all. Start-up: a
refresh that finds nothing new, in a process of its own, as a worker starts it; the run's time as Prefect has it, less that
of its stages' task runs, and the processor seconds that its process spent outside them; beside it a flow with one empty
task, with Prefect's own heartbeat. On a busy machine only processor seconds mean anything. Compare within one file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import Any, cast

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.core.commands import Commands
from prefect_sluice.dbt.session import Session
from prefect_sluice.orchestration.shown.node_runs import show_nodes
from prefect_sluice.runtime.events import NodeDone
from prefect_sluice.stages.candidate.outcomes import nodes_done
from prefect_sluice.warehouse.candidate_place import CandidatePlace

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TOOLS = ("prefect-sluice", "prefect", "dbt-core", "dbt-duckdb", "duckdb")
MODEL = "{{{{ config(materialized='table') }}}}\nselect {place} as id\n"
PROFILE = "p: {target: prod, outputs: {prod: {type: duckdb, path: p.duckdb, schema: main, threads: 1}}}\n"
REFRESH = """
import json, time
from pathlib import Path
import prefect_sluice.flows.refresh
from prefect_sluice.flows import run
from prefect_sluice.promotions.request import RefreshRequest
from prefect_sluice.promotions.work import watching
inside = [0.0]
def around(stage):
    def timed(work):
        began = time.process_time()
        try:
            return stage(work)
        finally:
            inside[0] += time.process_time() - began
    timed.__name__ = stage.__name__
    return timed
began = time.process_time()
with watching(around):
    run(RefreshRequest(Path(), "prod"))
print(json.dumps(time.process_time() - began - inside[0]))
"""
COMMANDS = (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"])
GIT = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}


def main() -> int:
    """Measure both, print them, keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="10,500", help="numbers of nodes (default 10,500)")
    parser.add_argument("--repeat", type=int, default=3, help="runs for the start-up (default 3)")
    chosen = parser.parse_args()
    sizes = [int(size) for size in str(chosen.sizes).split(",")]
    os.environ.update(
        {"PREFECT_LOGGING_LEVEL": "ERROR", "GIT_CONFIG_GLOBAL": os.devnull, "DO_NOT_TRACK": "1", **GIT}
    )
    with (
        tempfile.TemporaryDirectory(prefix="sluice-runs-") as place,
        prefect_test_harness(server_startup_timeout=180),
    ):
        nodes = [shown(project(Path(place) / str(size), size)) for size in sizes]
        start_up = started(project(Path(place) / "start", 3), chosen.repeat)
    keep({"nodes": nodes, "start_up": start_up}, chosen.repeat)
    return 0


def project(folder: Path, models: int) -> Path:
    """Write a git repository of a dbt project with so many tables of one row."""
    files = {
        ".gitignore": "*.duckdb*\nstate\n",
        "dbt_project.yml": "name: p\nprofile: p\nversion: '1.0'\n",
        "profiles.yml": PROFILE,
        "sluice.yml": "environments:\n  prod: {approvals: 0}\n",
        **{f"models/m{place}.sql": MODEL.format(place=place) for place in range(models)},
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for command in COMMANDS:
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def shown(folder: Path) -> dict[str, Any]:
    """Build with plain dbt, show its nodes in a flow run, and return what each took."""
    target = profile.load(folder, dict(os.environ)).target("prod")
    place = CandidatePlace(str(target.path), target.path)
    commands = Commands(
        Session(target, folder, folder, folder / "state", place, {}, live=folder / "none.duckdb")
    )
    manifest = commands.parse()
    wall, cpu = perf_counter(), process_time()
    results = commands.build(manifest)
    plain = perf_counter() - wall, process_time() - cpu
    done = nodes_done(results, {result.unique_id: 1 for result in results}, datetime.now(UTC))
    in_a_run(done[:1])  # the connection that events go by is opened with the first one, as any run has it
    cost = in_a_run(done)
    told = {
        "nodes": len(done),
        "plain dbt build": pair(*plain),
        "handed over": pair(*cost["handed"]),
        "sent": pair(*cost["sent"]),
        "seen on the server after": round(cost["seen"], 3),
        "handed over, ms per node": round(1000 * cost["handed"][0] / len(done), 2),
        "processor ms per node": round(1000 * cost["sent"][1] / len(done), 2),
        "processor time, of plain dbt": round(cost["sent"][1] / plain[1], 4),
        "wall time that the run waits, of plain dbt": round(cost["handed"][0] / plain[0], 4),
    }
    print(json.dumps(told, indent=2))
    return told


def in_a_run(done: Sequence[NodeDone]) -> dict[str, Any]:
    """Show nodes in a flow run of their own; return wall and processor seconds until they are handed over, and until they are
    sent, and the wall seconds until the server has them."""
    found: dict[str, Any] = {}

    @task(name="Stage")
    def stage() -> None:
        wall, cpu = perf_counter(), process_time()
        show_nodes(done)
        found["handed"] = perf_counter() - wall, process_time() - cpu
        EventsWorker.drain_all(timeout=120, at_exit=False)
        found["sent"] = perf_counter() - wall, process_time() - cpu
        found["at"] = wall

    @flow
    def release() -> str:
        stage()
        context = FlowRunContext.get()
        return str(context.flow_run.id) if context is not None and context.flow_run is not None else ""

    of = release()
    wanted = len(done) + 1
    until(lambda: count(of) >= wanted)
    found["seen"] = perf_counter() - found["at"]
    return found


def started(folder: Path, repeat: int) -> dict[str, Any]:
    """Refresh what has nothing new, each time in a fresh process; return the seconds that each run spent outside its stages."""
    environ = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    first = [sys.executable, "-P", "-m", "prefect_sluice.cli", "release", "--via", "local"]
    subprocess.run(first, cwd=folder, check=True, capture_output=True, env=environ)
    runs = [outside(folder, environ) for _ in range(repeat)]

    @task
    def nothing() -> None: ...

    @flow
    def plain() -> None:
        nothing()

    plain()
    wall = perf_counter()
    plain()
    told = {
        "outside the stages, wall and processor": runs,
        "least": [min(wall for wall, _ in runs), min(cpu for _, cpu in runs)],
        "an empty flow with Prefect's heartbeat": round(perf_counter() - wall, 3),
    }
    print(json.dumps(told, indent=2))
    return told


def outside(folder: Path, environ: Mapping[str, str]) -> list[float]:
    """Return the wall seconds of a run, as Prefect has them, that none of its task runs took, and the processor seconds of its
    process outside the stages."""
    program = [sys.executable, "-P", "-c", REFRESH]
    done = subprocess.run(program, cwd=folder, check=True, capture_output=True, text=True, env=environ)
    with get_client(sync_client=True) as client:
        run = client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]
    until(lambda: len(ended(run)) >= 2)
    inside = sum(item.total_run_time.total_seconds() for item in ended(run))
    return pair(run.total_run_time.total_seconds() - inside, json.loads(done.stdout.splitlines()[-1]))


def ended(run: FlowRun) -> list[Any]:
    """Return the task runs of a run that have ended."""
    with get_client(sync_client=True) as client:
        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    return [item for item in found if item.end_time]


def count(of: str) -> int:
    """Return how many task runs a run has."""
    with get_client(sync_client=True) as client:
        asked = {"flow_runs": {"id": {"any_": [of]}}}
        return int(cast(Any, client).request("POST", "/task_runs/count", json=asked).json())


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something to be true, or end the benchmark."""
    deadline = monotonic() + seconds
    while not true():
        if monotonic() > deadline:
            sys.exit("bench: the server has not got all task runs")
        sleep(0.05)


def pair(wall: float, cpu: float) -> list[float]:
    """Return seconds as they are kept: wall, processor."""
    return [round(wall, 3), round(cpu, 3)]


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
    path = RESULTS / f"prefect-runs-{at:%Y-%m-%d}.json"
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
