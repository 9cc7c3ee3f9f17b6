"""What runs by itself, on a real Prefect server: polls, nights that were missed, and runs whose process is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from prefect.client.schemas.objects import StateType
from prefect.schedules import Cron, Interval
from prefect.states import Paused, Pending, Running, Scheduled

from prefect_sluice import pipeline
from prefect_sluice.domain.controls import ControlKind
from prefect_sluice.domain.generation import Cause
from prefect_sluice.flows import monitor as monitoring
from prefect_sluice.flows.check import check
from prefect_sluice.flows.controls import controls as on_call
from prefect_sluice.flows.monitor import monitor
from prefect_sluice.flows.refresh import refresh
from prefect_sluice.flows.release import release
from prefect_sluice.monitoring.run_signs import signs
from prefect_sluice.orchestration import missed_refreshes
from prefect_sluice.orchestration.dead_runs import begin_again, patience
from prefect_sluice.orchestration.ended_previews import end_previews
from prefect_sluice.promotions import controls
from prefect_sluice.promotions.refresh_history import last
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.reporting.gather_status import standing
from prefect_sluice.reporting.status_page import standing_markdown
from prefect_sluice.reporting.web_addresses import remember_forms
from prefect_sluice.runtime import process
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.workspace.workspace import Workspace
from tests.flows.scheduled import Deployed, client
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

FILES = {
    ".gitignore": "shop.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": "environments:\n  prod: {approvals: 0}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n",
    "models/schema.yml": "models: [{name: orders, columns: [{name: id, data_tests: [unique]}]}]\n",
}
DAY = timedelta(days=1)
DOUBLE = "select 1 as id, 10 as amount union all select 1, 30"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository with a small dbt project, released."""
    folder = repository(tmp_path_factory.mktemp("released") / "shop", FILES)
    pipeline.run(ReleaseRequest(folder, "prod", actor="Ada"))
    return folder


@pytest.fixture
def project(released: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(released, tmp_path / "shop", symlinks=True))


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_of_seven_late_nights_one_does_the_work_and_a_hold_is_said(
    prefect_server: str, project: Path
) -> None:
    nightly = Deployed.of(refresh, project, schedule=Cron("0 4 * * *", timezone="Europe/Berlin"))
    late = nightly.missed(timedelta(days=7), 7)
    assert len(late) == 7
    assert [nightly.execute(run).name for run in late[:3]] == ["Unchanged", "Skipped", "Skipped"]
    state = nightly.execute(late[3])
    assert state.type is StateType.CANCELLED
    assert state.message is not None
    assert state.message.startswith("skipped: the refresh that was due at")
    assert "was caught up by the refresh of" in state.message

    waited = late[4]
    with client() as prefect:
        for before in (Running(), Paused(name="Suspended"), Scheduled(name="Resuming")):
            prefect.set_flow_run_state(waited.id, before, force=True)
    assert nightly.execute(waited).name == "Unchanged", "what is resumed is not left out"

    workspace = Workspace.at(project)
    controls.place(workspace, ControlKind.HOLD, "prod", by="Grace", reason="close of books")
    remember_forms(workspace, {"controls": ("http://127.0.0.1/form", {})})
    state = nightly.execute(nightly.asked())
    assert (state.type, state.name) == (StateType.CANCELLED, "Skipped")
    assert "prod is held by Grace" in str(state.message)
    assert "form controls, http://127.0.0.1/form?" in str(state.message), "who reads it is in a browser"
    assert "sluice" not in str(state.message)
    entry = workspace.store.entries(environment="prod")[-1]
    assert (entry.event, "held by Grace" in str(entry.facts["why"])) == ("refresh.skipped", True)
    found = last(workspace.store, "prod")
    assert found is not None
    assert found.status == "skipped"
    controls.lift(workspace, "prod", by="Grace", reason="closed")

    with hold_lease(workspace.store, "prod", this_process("Bo")):
        state = nightly.execute(nightly.asked(wait_seconds=0))
    assert (state.name, "is being worked on by Bo" in str(state.message)) == ("Skipped", True)


def test_a_poll_releases_what_is_new_once_and_leaves_no_heap_of_runs(
    prefect_server: str, project: Path
) -> None:
    origin = project.parent / "origin.git"
    git(project, "init", "-q", "--bare", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    git(project, "push", "-q", "origin", "main")
    poll = Deployed.of(release, project, schedule=Interval(timedelta(minutes=1)), ref="main")

    first = poll.tick()
    assert (first.name, first.type) == ("Unchanged", StateType.COMPLETED)
    assert "was released here before" in str(first.message)
    past = [
        run for run in poll.runs() if run.expected_start_time and run.expected_start_time <= datetime.now(UTC)
    ]
    assert len(past) < 3, "the late ones went with it"

    orders = project / "models" / "orders.sql"
    orders.write_text(FILES["models/orders.sql"].replace("10", "20"), encoding="utf-8")
    git(project, "commit", "-qam", "dearer")
    assert poll.tick().name == "Unchanged", "it is not pushed yet"
    git(project, "push", "-q", "origin", "main")
    assert poll.tick().name == "Released"
    assert poll.tick().name == "Unchanged"

    orders.write_text("select nonsense from nowhere(\n", encoding="utf-8")
    git(project, "commit", "-qam", "broken")
    git(project, "push", "-q", "origin", "main")
    assert poll.tick().type is StateType.FAILED
    again = poll.tick()
    assert again.name == "Unchanged", "what broke is not tried again each minute"
    assert sorted(poll.ended())[1:] == ["Released", "Unchanged"]
    assert len(poll.ended()) == 3


def test_each_new_commit_of_a_branch_is_checked_once_and_the_newest_first(
    prefect_server: str, project: Path
) -> None:
    settings = f"{FILES['sluice.yml']}schedules: {{check: {{every: 60s, branches: ['feature/*']}}}}\n"
    (project / "sluice.yml").write_text(settings, encoding="utf-8")
    git(project, "commit", "-qam", "check branches")
    poll = Deployed.of(check, project, schedule=Interval(timedelta(minutes=1)))
    assert poll.tick().name == "Unchanged", "main is none of them"

    orders = project / "models" / "orders.sql"
    for branch, sql in (("feature/dearer", "select 1 as id, 20 as amount"), ("feature/double", DOUBLE)):
        git(project, "checkout", "-q", "-b", branch, "main")
        for text in ("select superseded", sql):
            orders.write_text(f"{{{{ config(materialized='table') }}}}\n{text}\n", encoding="utf-8")
            git(project, "commit", "-qam", f"{branch}: {text}")
    for branch, hours in (("feature/dearer", 2), ("feature/double", 1)):
        git(project, "checkout", "-q", branch)
        amend(project, datetime.now(UTC) - timedelta(hours=hours))
    assert [poll.tick().name for _ in range(3)] == ["Refused", "Checked", "Unchanged"]
    results = Workspace.at(project).store.checks("prod")
    assert {(result.ref, result.status) for result in results} == {
        ("feature/double", "refused"), ("feature/dearer", "checked"),
    }  # fmt: skip
    pushed = poll.execute(poll.asked(ref="main", branch="main"))
    assert (pushed.name, "branch main is not among those" in str(pushed.message)) == ("Unchanged", True)
    assert poll.execute(poll.asked(ref="feature/dearer")).name == "Checked", "whoever asks is answered"


def test_a_branch_is_shown_by_the_poll_and_goes_with_its_time_its_branch_or_by_hand(
    prefect_server: str, project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three branches, three previews, three ends: by the monitor, by the poll, and by whoever clicks on `end it`."""
    environments = "environments:\n  prod: {approvals: 0}\n  'pr-*': {like: prod, ttl: 2d}\n"
    polled = "schedules: {check: {every: 60s, branches: ['feature/*'], previews: true}}\n"
    (project / "sluice.yml").write_text(environments + polled, encoding="utf-8")
    git(project, "commit", "-qam", "show branches")
    poll = Deployed.of(check, project, schedule=Interval(timedelta(minutes=1)))
    for price, branch in enumerate(("first", "second", "third"), start=20):
        git(project, "checkout", "-q", "-b", f"feature/{branch}", "main")
        sql = f"{{{{ config(materialized='table') }}}}\nselect 1 as id, {price} as amount\n"
        (project / "models" / "orders.sql").write_text(sql, encoding="utf-8")
        git(project, "commit", "-qam", branch)
    git(project, "checkout", "-q", "main")
    assert [poll.tick().name for _ in range(4)] == ["Checked", "Checked", "Checked", "Unchanged"]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [], "all went well"
    assert shown(project) == {"pr_feature_first": 20, "pr_feature_second": 21, "pr_feature_third": 22}
    workspace = Workspace.at(project)
    remember_forms(workspace, {"controls": ("http://127.0.0.1/form", {})})
    page = standing_markdown(standing(workspace))
    assert "preview **pr-feature-first** of " in page
    assert "schema `pr_feature_first`, until " in page
    fields = '{"act":"end a preview","preview":"pr-feature-third"}'
    assert f"[end it](http://127.0.0.1/form?parameters={quote(fields, safe='')})" in page

    def asked(preview: str) -> Any:
        return on_call("end a preview", preview=preview, folder=str(project), actor="Olga", return_state=True)

    assert (asked("pr-feature-third").name, asked("pr-feature-third").name) == ("Ended", "Ended")
    wrong = [asked(name) for name in ("", "pr-none")]
    assert [state.name for state in wrong] == ["BadInput", "BadInput"]
    assert "there are: pr-feature-first, pr-feature-second" in wrong[1].message
    git(project, "branch", "-qD", "feature/second")
    assert poll.tick().name == "Unchanged"
    assert shown(project) == {"pr_feature_first": 20}
    later = datetime.now(UTC) + timedelta(days=2, minutes=1)
    assert end_previews(workspace) == ()
    monkeypatch.setattr(process, "now", lambda: later)
    [line] = end_previews(workspace)
    assert line.startswith("preview pr-feature-first has ended: its time was over on ")
    assert shown(project) == {}
    reasons = [entry.facts["reason"] for entry in workspace.store.entries() if entry.event == "preview.ended"]
    assert reasons[:2] == ["Olga ended it", "branch feature/second is gone"]
    assert "preview **" not in standing_markdown(standing(workspace))


def shown(folder: Path) -> dict[str, int]:
    """Return what a reader of each preview sees."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as reader:
        schemas = reader.execute(
            "select schema_name from information_schema.schemata where schema_name like 'pr_f%' order by 1"
        ).fetchall()
        amounts = {
            name: reader.execute(f"select amount from {name}.orders").fetchall() for (name,) in schemas
        }
    return {name: rows[0][0] for name, rows in amounts.items()}


def amend(folder: Path, at: datetime) -> None:
    """Have the last commit be of another time."""
    environ = {**os.environ, "GIT_COMMITTER_DATE": at.isoformat()}
    subprocess.run(["git", "commit", "-q", "--amend", "--no-edit"], cwd=folder, env=environ, check=True)


def test_the_monitor_looks_settles_and_starts_one_run_for_the_nights_without_a_server(
    prefect_server: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    five_ago = now - timedelta(minutes=5)
    nightly = Deployed.of(refresh, project, schedule=Cron(f"{five_ago.minute} {five_ago.hour} * * *"))
    each = Deployed.of(monitor, project)
    healthy = each.execute(each.asked())
    assert (healthy.name, healthy.type) == ("Healthy", StateType.COMPLETED), (
        "the server did not know of it then"
    )
    assert "generation 1, 1 relation, in place" in str(healthy.message)

    # The Prefect deployment is two days old, and Prefect has no run of this day.
    def two_days_ago(found: object) -> datetime:
        return now - 2 * DAY

    monkeypatch.setattr(missed_refreshes, "known_since", two_days_ago)
    caught = each.execute(each.asked())
    assert caught.name == "Attended", caught.message
    assert "was missed; started" in str(caught.message)
    assert each.execute(each.asked()).name == "Healthy", "one, not one a minute"
    (started,) = [run for run in nightly.runs() if not run.auto_scheduled]
    assert nightly.execute(started).name == "Unchanged"
    assert each.execute(each.asked()).name == "Healthy"


def test_the_monitor_says_once_that_what_is_served_is_gone(prefect_server: str, project: Path) -> None:
    each = Deployed.of(monitor, project)
    (project / "shop.duckdb").rename(project / "elsewhere")
    lost = each.execute(each.asked())
    assert (lost.name, lost.type) == ("Unhealthy", StateType.FAILED)
    assert "its warehouse file is gone" in str(lost.message)
    assert each.execute(each.asked()).name == "StillUnhealthy"
    (project / "elsewhere").rename(project / "shop.duckdb")
    assert each.execute(each.asked()).name == "Healthy"


def test_what_else_is_cared_for_has_its_turn_whatever_breaks(
    prefect_server: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(workspace: Workspace) -> tuple[str, ...]:
        raise OSError("no route to host")

    def wakes(workspace: Workspace) -> tuple[str, ...]:
        return (f"woke somebody in {workspace.root.name}",)

    monkeypatch.setattr(monitoring, "CARE", (wakes,))
    state: Any = monitor(environment="prod", folder=str(project), return_state=True)
    assert (state.name, state.message) == ("Attended", "woke somebody in shop")
    monkeypatch.setattr(monitoring, "CARE", (breaks, wakes))
    state = monitor(environment="prod", folder=str(project), return_state=True)
    assert (state.name, state.type) == ("Unhealthy", StateType.FAILED)
    assert state.message == "breaks could not be looked after: no route to host"


DIES = """
import os, sys
from pathlib import Path
from prefect_sluice.monitoring.run_signs import signed
from prefect_sluice.workspace.workspace import Workspace
store = Workspace.at(Path(sys.argv[1])).store
kept = [signed(store, run, "Ada") for run in sys.argv[2:]]
for block in kept:
    block.__enter__()
os._exit(9)
"""


def test_a_run_whose_process_is_gone_is_ended_and_a_suspended_one_is_not(
    prefect_server: str, project: Path
) -> None:
    nightly = Deployed.of(refresh, project)
    running, waiting = nightly.asked(), nightly.asked()
    with client() as prefect:
        prefect.set_flow_run_state(running.id, Running(), force=True)
        prefect.set_flow_run_state(waiting.id, Paused(name="Suspended"), force=True)
    program = [sys.executable, "-c", DIES, str(project), str(running.id), str(waiting.id)]
    subprocess.run(program, check=False)
    store = Workspace.at(project).store
    assert {sign.run for sign in signs(store)} == {str(running.id), str(waiting.id)}
    state: Any = monitor(environment="prod", folder=str(project), return_state=True)
    assert state.name == "Attended"
    with client() as prefect:
        ended, left = prefect.read_flow_run(running.id).state, prefect.read_flow_run(waiting.id).state
    assert ended is not None
    assert left is not None
    told = "The run's process was killed. Nothing is half done. Run it again: it goes on. (Ada on host"
    assert (ended.type, str(ended.message).startswith(told)) == (StateType.CRASHED, True)
    assert left.name == "Suspended"
    assert signs(store) == ()


def test_a_run_that_a_worker_took_and_never_began_is_put_back(
    prefect_server: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker died in between: it holds up its environment's queue, and would for ever. One that is new is left alone."""
    taken = Deployed.of(refresh, project).asked()
    with client() as prefect:
        prefect.set_flow_run_state(taken.id, Pending(), force=True)

        def state() -> Any:
            return prefect.read_flow_run(taken.id).state

        assert begin_again(str(project)) == ()
        monkeypatch.setattr(process, "now", lambda: datetime.now(UTC) + timedelta(minutes=5))
        assert begin_again("/elsewhere") == ()
        assert state().type is StateType.PENDING
        (line,) = begin_again(str(project))
        assert "never began it; it is to begin again" in line
        assert state().type is StateType.SCHEDULED
        assert begin_again(str(project)) == ()


def test_how_long_a_run_may_take_to_begin() -> None:
    assert patience("") == patience("process") < patience("kubernetes")


def test_a_run_at_work_gives_signs_and_takes_them_back(prefect_server: str, project: Path) -> None:
    seen: list[int] = []
    store = Workspace.at(project).store
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "disable_telemetry", lambda: seen.append(len(signs(store))))
        refresh(environment="prod", folder=str(project), return_state=True)
    assert seen[-1] == 1
    assert signs(store) == ()
    assert Workspace.at(project).store.promotions(environment="prod")[0].cause is Cause.RELEASE
