"""What a run leaves behind in Prefect: names, task runs of nodes, a log at the right levels, assets; on a real server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar, cast

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.flow_engine import run_flow
from prefect.logging.handlers import APILogWorker
from prefect.logging.loggers import flow_run_logger
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.flows import run
from prefect_sluice.flows.release import release
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT, beating
from prefect_sluice.promotions.request import RefreshRequest, ReleaseRequest
from prefect_sluice.promotions.work import Status
from tests.flows.test_flows import FILES, commit, commits

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

T = TypeVar("T")
MODELS = {
    "models/orders.sql": "{{ config(materialized='table', meta={'owner': 'Grace'}) }}\nselect 1 as id, 10 as amount\n",
    "models/doubled.sql": "select id, amount * 2 as twice from {{ ref('orders') }}\n",
    "models/schema.yml": "models: [{name: orders, description: All orders, columns: [{name: id, data_tests: [unique]}]}]\n",
    "dbt_project.yml": FILES["dbt_project.yml"] + "models: {shop: {nowhere: {+materialized: table}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 0}\n",
}
BROKEN = "{{ config(materialized='table') }}\nselect nothere as id from (select 1 as id)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository whose releases need no approval, with a table, a view over it, a test, and a warning of dbt's."""
    for name, text in {**FILES, **MODELS}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    commit(tmp_path, "first", start=True)
    return tmp_path


def until(look: Callable[[], T], enough: Callable[[T], bool], seconds: float = 60) -> T:
    """Look until it is enough: what runs tell reaches the server late. What was seen last is returned, enough or not."""
    deadline = monotonic() + seconds
    while not enough(seen := look()) and monotonic() < deadline:
        sleep(0.05)
    return seen


def newest() -> FlowRun:
    """The run that began last."""
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(sort=FlowRunSort.START_TIME_DESC, limit=1)[0]


def tasks(of: FlowRun, count: int) -> dict[str, TaskRun]:
    """The task runs of a run by name, once there are as many and all have ended."""

    def look() -> list[TaskRun]:
        with get_client(sync_client=True) as client:
            return client.read_task_runs(
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[of.id])),
                task_run_filter=TaskRunFilter(flow_run_id=TaskRunFilterFlowRunId(any_=[of.id])),
            )

    found = until(look, lambda seen: len([item for item in seen if item.end_time]) >= count)
    return {item.name: item for item in found}


def told(item: TaskRun) -> tuple[str, str, str]:
    """What the Task Runs tab and the task's page show of it."""
    assert item.state is not None
    return item.state.type.value, item.state.name or "", item.state.message or ""


@contextmanager
def logged() -> Generator[list[tuple[int, str]]]:
    """Send logs to the server for the time of the block, and read those of the newest run at its end."""
    found: list[tuple[int, str]] = []
    with temporary_settings(cast(dict[Any, Any], {PREFECT_LOGGING_TO_API_ENABLED: True})):
        yield found
        APILogWorker.drain_all(timeout=30, at_exit=False)
    of = newest()

    def look() -> list[tuple[int, str]]:
        with get_client(sync_client=True) as client:
            logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[of.id])))
        return [(item.level, item.message) for item in logs]

    found += until(look, lambda seen: any(line.startswith("Finished in state") for _, line in seen[-3:]))


def assets(of: FlowRun) -> list[dict[str, Any]]:
    """The events of assets that a run materialized."""
    with get_client(sync_client=True) as client:
        asked = {"filter": {"event": {"prefix": ["prefect.asset.materialization"]}}, "limit": 50}
        answer = cast(Any, client).request("POST", "/events/filter", json=asked)
    found = cast(list[dict[str, Any]], answer.json()["events"])
    return [event for event in found if f"prefect.flow-run.{of.id}" in related(event, "flow-run")]


def related(event: dict[str, Any], role: str) -> list[str]:
    """The ids of an event's related things in a role."""
    return [item["prefect.resource.id"] for item in event["related"] if item["prefect.resource.role"] == role]


def as_a_worker_runs_it(parameters: dict[str, Any]) -> None:
    """Run a release as the process does that a worker starts."""
    with get_client(sync_client=True) as client:
        created = client.create_flow_run(release, parameters=parameters)
    run_flow(release, flow_run=created, error_logger=cast(Any, flow_run_logger(created)))


def test_a_release_shows_its_nodes_its_log_and_its_assets(prefect_server: str, project: Path) -> None:
    """Who was not there reads in the run what was built, how long it took, how many rows it has, and what came of it."""
    with logged() as log:
        done = run(ReleaseRequest(project, "prod", actor="Ada"))
    assert done.generation is not None
    of = newest()
    assert of.name == f"release {commits(project)[0]} → prod"
    assert of.state is not None
    assert (of.state.name, of.state.message) == ("Released", done.outcome.message if done.outcome else "")

    shown = tasks(of, 10)
    assert {name: told(shown[name])[:2] for name in ("Stage", "model orders", "model doubled", "test unique_orders_id")} == {
        "Stage": ("COMPLETED", "Completed"),
        "model orders": ("COMPLETED", "Built"),
        "model doubled": ("COMPLETED", "Built"),
        "test unique_orders_id": ("COMPLETED", "Passed"),
    }  # fmt: skip
    assert told(shown["model orders"])[2].startswith("1 row in 0.")
    stage, orders, doubled = shown["Stage"], shown["model orders"], shown["model doubled"]
    times = [stage.start_time, orders.start_time, orders.end_time, doubled.start_time, stage.end_time]
    assert times == sorted(at for at in times if at is not None)
    assert [item.id for item in cast(Any, doubled.task_inputs["reads"])] == [orders.id]

    lines = {line: level for level, line in log}
    assert lines["building 2 relations"] == logging.INFO
    warned = [line for line, level in lines.items() if level == logging.WARNING]
    assert any(line.startswith("dbt: ") and "nowhere" in line for line in warned), lines
    assert logging.ERROR not in lines.values()

    told_of = until(lambda: assets(of), lambda seen: len(seen) >= 2)
    made = {event["resource"]["prefect.resource.id"]: event for event in told_of}
    orders_asset = made["duckdb://prod/main/orders"]
    assert orders_asset["resource"]["prefect.asset.description"] == "All orders"
    assert orders_asset["resource"]["prefect.asset.owners"] == '["Grace"]'
    assert orders_asset["payload"]["generation"] == done.generation.number
    assert related(made["duckdb://prod/main/doubled"], "asset") == ["duckdb://prod/main/orders"]

    again = run(RefreshRequest(project, "prod", actor="Ada"))
    assert again.outcome is not None
    assert again.outcome.status is Status.UNCHANGED
    assert newest().name == f"refresh {commits(project)[0]} → prod"


def test_a_node_that_fails_is_red_with_dbts_own_words(prefect_server: str, project: Path) -> None:
    """Not a traceback, not twice; what reads it is shown as left out, and the stage as the one that said no."""
    (project / "models" / "orders.sql").write_text(BROKEN, encoding="utf-8")
    commit(project, "broken")
    with logged() as log:
        work = run(ReleaseRequest(project, "prod", actor="Ada"))
    assert work.outcome is not None
    assert work.outcome.status is Status.REFUSED
    shown = tasks(newest(), 7)
    kind, name, message = told(shown["model orders"])
    assert (kind, name) == ("FAILED", "Failed")
    assert 'Referenced column "nothere" not found' in message
    assert told(shown["model doubled"]) == (
        "CANCELLED",
        "Skipped",
        "not built, because something it reads failed",
    )
    assert told(shown["Stage"])[:2] == ("FAILED", "Refused")
    errors = [line for level, line in log if level >= logging.ERROR]
    assert len([line for line in errors if "nothere" in line]) == 1
    assert not any("Traceback" in line for _, line in log)


def test_what_cannot_be_done_is_one_line_and_no_traceback(prefect_server: str, project: Path) -> None:
    """The state has a word for it and the next command; who calls the flow still gets the error itself."""
    with logged() as log:
        state = release(environment="prod", ref="nowhere", folder=str(project), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "BadInput")
    assert "'nowhere' is not a commit, branch or tag; see which there are" in (state.message or "")
    assert any(level == logging.ERROR and line == state.message for level, line in log)
    assert not any("Traceback" in line for _, line in log)
    assert newest().name == "release nowhere → prod"
    with logged() as log, pytest.raises(BadInput, match="is not a commit"):
        as_a_worker_runs_it({"environment": "prod", "ref": "nowhere", "folder": str(project)})
    assert any(level == logging.ERROR for level, _ in log)
    assert not any("Traceback" in line for _, line in log)
    with pytest.raises(BadInput, match="there is no environment 'nirvana'"):
        release(environment="nirvana", folder=str(project))


def test_the_heart_of_a_run_beats_without_prefects_thread(prefect_server: str) -> None:
    """Prefect's is switched off for this flow alone: its thread would hold up the end of each run by a second."""

    @flow(task_runner=OWN_HEARTBEAT)
    def watched() -> str:
        with beating():
            context = FlowRunContext.get()
            assert context is not None
            assert context.flow_run is not None
            assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None
            return str(context.flow_run.id)

    with temporary_settings(cast(dict[Any, Any], {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 60})):
        of = watched()
        assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() == 60

    def beats() -> int:
        with get_client(sync_client=True) as client:
            asked = {
                "event": {"prefix": ["prefect.flow-run.heartbeat"]},
                "resource": {"id": [f"prefect.flow-run.{of}"]},
            }
            answer = cast(Any, client).request("POST", "/events/filter", json={"filter": asked})
        return int(answer.json()["total"])

    assert until(beats, bool) == 1
