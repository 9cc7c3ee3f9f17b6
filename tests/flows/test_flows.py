"""The ways in, run as real Prefect flows against a real Prefect server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import duckdb
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput, Refused, Stopped
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision
from prefect_sluice.flows import run
from prefect_sluice.flows.collect import collect
from prefect_sluice.promotions.controls import lift
from prefect_sluice.promotions.request import (
    CheckRequest,
    PromoteRequest,
    ReleaseRequest,
    RollbackRequest,
    request_for,
)
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 1}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n",
    "models/schema.yml": "models: [{name: orders, columns: [{name: id, data_tests: [unique]}]}]\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with a small dbt project."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    commit(tmp_path, "first", start=True)
    return tmp_path


def commit(folder: Path, message: str, *, start: bool = False) -> None:
    """Commit everything there is."""
    for command in ([["init", "-q", "-b", "main"]] if start else []) + [
        ["add", "-A"],
        ["commit", "-qm", message],
    ]:
        subprocess.run(["git", *command], cwd=folder, check=True)


def commits(folder: Path) -> list[str]:
    """Return the short commits, oldest first."""
    told = subprocess.run(
        ["git", "log", "--reverse", "--format=%h", "--abbrev=7"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return told.stdout.split()


def ask(folder: Path, cause: Cause = Cause.RELEASE) -> Work:
    """Run a flow the way the command line does."""
    return run(request_for(cause, folder, "prod", actor="Ada"))


def released(folder: Path) -> Work:
    """Release, with the approval that production asks for."""
    waiting = ask(folder)
    assert waiting.promotion is not None
    record(Workspace.at(folder), waiting.promotion, Decision.APPROVE, by="Grace")
    return ask(folder)


def amounts(folder: Path) -> list[tuple[object, ...]]:
    """Return what a reader sees."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return connection.execute("select * from main.orders").fetchall()


def runs() -> list[tuple[str, str, str]]:
    """Return flow, state type and state name of every run, oldest first."""
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=None)))
    ordered = sorted(found, key=lambda item: item.created.timestamp() if item.created else 0)
    return [
        (item.name, item.state_type.value if item.state_type else "", item.state_name or "")
        for item in ordered
    ]


def test_a_release_waits_is_approved_serves_and_is_rolled_back(prefect_server: str, project: Path) -> None:
    """The whole story through Prefect: each way in ends in a state that says what happened."""
    waiting = ask(project)
    assert waiting.outcome is not None
    assert waiting.outcome.status is Status.WAITING
    assert not (project / "shop.duckdb").exists()
    checked = run(CheckRequest(project, "prod", actor="Ada", base="main"))
    assert checked.outcome is not None
    assert checked.base is not None
    assert (checked.base.commits.ref, len(checked.base.origins)) == ("main", 1)
    assert checked.outcome.status is Status.CHECKED
    assert not (project / "shop.duckdb").exists(), "a check publishes nothing, and what waits goes on waiting"
    own = ArtifactFilterKey(any_=["check-plan-prod", "check-report-prod"])
    with get_client(sync_client=True) as client:
        shown = client.read_artifacts(artifact_filter=ArtifactFilter(key=own))
    assert {artifact.key for artifact in shown} == set(own.any_ or ())
    assert all("lready on main, not served: 1" in str(artifact.data) for artifact in shown)
    assert waiting.promotion is not None
    record(Workspace.at(project), waiting.promotion, Decision.APPROVE, by="Grace")
    done = ask(project)
    assert done.generation is not None
    assert (done.generation.number, amounts(project)) == (1, [(1, 10)])

    (project / "models" / "orders.sql").write_text(
        FILES["models/orders.sql"].replace("10", "20"), encoding="utf-8"
    )
    commit(project, "second")
    released(project)
    assert amounts(project) == [(1, 20)]

    ask(project, Cause.ROLLBACK)
    assert amounts(project) == [(1, 10)]
    with pytest.raises(Stopped, match=r"prod is held by Ada.*rolled back from generation 2 by Ada"):
        ask(project, Cause.REFRESH)
    lift(Workspace.at(project), "prod", by="Grace", reason="seen")
    unchanged = ask(project, Cause.REFRESH)
    assert unchanged.outcome is not None
    assert unchanged.outcome.status is Status.UNCHANGED

    first, second = commits(project)
    names = [(name, state) for name, _, state in runs()]
    assert names[-8:] == [
        (f"release {first} → prod", "AwaitingApproval"),
        (f"check main {first} → prod", "Checked"),
        (f"release {first} → prod", "Released"),
        (f"release {second} → prod", "AwaitingApproval"),
        (f"release {second} → prod", "Released"),
        ("rollback to generation 1 → prod", "Released"),
        ("refresh prod", "Skipped"),
        (f"refresh {first} → prod", "Unchanged"),
    ]


def test_a_refused_release_fails_its_run_and_changes_nothing(prefect_server: str, project: Path) -> None:
    """A gate's no is a state with its reason, not a traceback."""
    released(project)
    (project / "models" / "orders.sql").write_text(
        "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount union all select 1, 30\n",
        encoding="utf-8",
    )
    commit(project, "twice")
    work = ask(project)
    assert work.outcome is not None
    assert work.outcome.status is Status.REFUSED
    assert runs()[-1] == (f"release {commits(project)[-1]} → prod", "FAILED", "Refused")
    assert amounts(project) == [(1, 10)]


def test_a_rejected_release_is_cancelled_not_failed(prefect_server: str, project: Path) -> None:
    """A person's no neither crashes nor fails the run."""
    waiting = ask(project)
    assert waiting.promotion is not None
    record(Workspace.at(project), waiting.promotion, Decision.REJECT, by="Grace", comment="not on a Friday")
    work = ask(project)
    assert work.outcome is not None
    assert work.outcome.message == "rejected by Grace (unauthenticated): not on a Friday"
    assert runs()[-1] == (f"release {commits(project)[-1]} → prod", "CANCELLED", "Rejected")


def test_errors_come_back_as_what_they_are(prefect_server: str, project: Path) -> None:
    """Prefect stands between, and the command line still gets its one line."""
    with pytest.raises(BadInput, match="'nowhere' is not a commit"):
        run(ReleaseRequest(project, "prod", "nowhere"))
    with pytest.raises(Refused, match="nothing is served"):
        run(RollbackRequest(project, "prod"))
    state = collect(environment="pr\0od", folder=str(project), return_state=True)
    assert (state.name, state.message) == (
        "BadInput",
        r"environment: is no UTF-8 text: pr\x00od; give it anew",
    )


def test_a_promotion_goes_on_through_prefect(prefect_server: str, project: Path) -> None:
    """What dev serves becomes current in prod, after the yes."""
    outputs = "dev: {type: duckdb, path: dev/shop.duckdb, schema: main}, prod:"
    profile = FILES["profiles.yml"].replace("prod: {type", f"{outputs} {{type")
    (project / "profiles.yml").write_text(profile, encoding="utf-8")
    (project / "sluice.yml").write_text("environments:\n  dev:\n  prod: {approvals: 1}\n", encoding="utf-8")
    (project / ".gitignore").write_text("*.duckdb*\n", encoding="utf-8")
    (project / "dev").mkdir()
    commit(project, "two environments")
    pipeline.run(ReleaseRequest(project, "dev", actor="Ada"))
    request = PromoteRequest(project, "prod", actor="Ada", origin="dev")
    waiting = run(request)
    assert waiting.promotion is not None
    record(Workspace.at(project), waiting.promotion, Decision.APPROVE, by="Grace")
    done = run(request)
    assert done.generation is not None
    assert (done.generation.cause, amounts(project)) == (Cause.PROMOTION, [(1, 10)])
    served = commits(project)[-1]
    assert [(name, state) for name, _, state in runs()][-2:] == [
        (f"promote {served} → prod", "AwaitingApproval"),
        (f"promote {served} → prod", "Released"),
    ]


def test_a_collection_is_a_flow_of_one_task(prefect_server: str, project: Path) -> None:
    """For a schedule: the state says whether anything went."""
    from prefect_sluice.flows.collect import collect

    released(project)
    (project / "sluice.yml").write_text(
        "environments:\n  prod: {approvals: 1, keep: {generations: 1, age: 0s}}\n", encoding="utf-8"
    )
    for amount in ("20", "30"):
        text = FILES["models/orders.sql"].replace("10", amount)
        (project / "models" / "orders.sql").write_text(text, encoding="utf-8")
        commit(project, amount)
        released(project)
    for name in ("Collected", "Unchanged"):
        state = collect(environment="prod", folder=str(project), actor="nightly", return_state=True)
        assert (state.name, state.type.value) == (name, "COMPLETED"), state.message
    assert amounts(project) == [(1, 30)]
