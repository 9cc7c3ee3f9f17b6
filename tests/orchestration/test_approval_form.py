"""A run that waits for a yes: suspended, and gone on with after whatever answer came first. Real flows, a real server."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort
from prefect.flow_runs import resume_flow_run
from prefect.states import Cancelled, Crashed, Scheduled

from prefect_sluice import pipeline
from prefect_sluice.cli import main
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.flows.answer import answer
from prefect_sluice.flows.controls import controls
from prefect_sluice.flows.plan import plan, refuse_what_it_would_ignore
from prefect_sluice.flows.promote import promote
from prefect_sluice.orchestration.wake_runs import wake
from prefect_sluice.planning.choices import asked_for
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.reporting.web_addresses import remember_forms
from prefect_sluice.reporting.write_pages import INDEX, path_of
from prefect_sluice.stages.approve import record
from prefect_sluice.state.exported import IMPORTED, Export
from prefect_sluice.workspace.workspace import Workspace
from tests.flows.deployed import Deployed
from tests.policies import judge_by
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]

ORDERS = "{{ config(materialized='table') }}\nselect 1 as id, 10 as amount\n"
SETTINGS = "environments:\n  prod: {approvals: 1}\napprovals: {folder: yes, ref: refs/sluice/approvals}\n"
FILES = {
    ".gitignore": "shop.duckdb*\nyes/\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": SETTINGS,
    "models/orders.sql": ORDERS,
}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first release, of Ada's commit, is staged and waits for a yes."""
    folder = repository(tmp_path_factory.mktemp("staged") / "shop", FILES)
    pipeline.run(ReleaseRequest(folder, "prod", actor="Ada"))
    return folder


@pytest.fixture
def project(staged: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return shutil.copytree(staged, tmp_path / "shop", symlinks=True)


@pytest.fixture
def waiting(prefect_server: str, project: Path) -> Deployed:
    """A run of a Prefect deployment that waits for a yes to it."""
    found = Deployed.waiting(project)
    assert found.name == "Suspended"
    return found


def commit(project: Path, amount: int) -> None:
    """Commit another amount."""
    (project / "models" / "orders.sql").write_text(ORDERS.replace("10", str(amount)), encoding="utf-8")
    subprocess.run(["git", "commit", "-qam", f"amount {amount}"], cwd=project, check=True)


def amount(project: Path) -> int | None:
    """Return what a reader sees."""
    if not (project / "shop.duckdb").exists():
        return None
    with duckdb.connect(str(project / "shop.duckdb"), read_only=True) as connection:
        found = connection.execute("select amount from main.orders").fetchone()
    return found[0] if found else None


def promotion(project: Path) -> Promotion:
    """Return the newest promotion."""
    return Workspace.at(project).store.promotions(limit=1)[0]


def channels(project: Path) -> list[object]:
    """Return by which ways a yes or no came."""
    entries = Workspace.at(project).store.entries()
    return [entry.facts["channel"] for entry in entries if entry.event == "approval.given"]


def test_the_form_approves_and_nothing_secret_stays(prefect_server: str, project: Path) -> None:
    """From the first stage on: the run waits, goes on, publishes what was asked for; the ledger says by which way it came."""
    waiting = Deployed.made(project)
    assert waiting.name == "Suspended"
    asked = promotion(project)
    assert asked.id in waiting.form
    assert "sluice" not in waiting.form
    # The state says who is asked for what, and how to answer; the run's page does, too.
    assert str(waiting.state.message).startswith(
        "Anybody but Ada: may 'first' go to prod? What changes in prod: "
    )
    assert "Answer: ⋮ → Resume here" in str(waiting.state.message)
    assert f"/v2/runs/flow-run/{waiting.id}" in path_of(Workspace.at(project), asked.id).read_text(
        encoding="utf-8"
    )
    waiting.answer(decision="approve", name="Grace", comment="seen")
    assert (waiting.name, amount(project)) == ("Released", 10)
    assert channels(project) == ["form"]
    assert promotion(project).message == "approved by Grace (unauthenticated)"
    answers = [json.loads(text) for key, text in waiting.inputs.items() if key.endswith("response")]
    assert answers == [{"decision": "approve", "name": "Grace", "comment": "seen"}]
    schema = next(json.loads(text) for key, text in waiting.inputs.items() if key.endswith("schema"))
    assert (set(schema["properties"]), set(schema["required"])) == (
        {"decision", "name", "comment"},
        {"decision", "name"},
    )
    assert Workspace.at(project).store.questions() == ()


def test_the_form_rejects_and_a_retry_asks_anew(waiting: Deployed, project: Path) -> None:
    """A no cancels, with who and why. Tried again by force, the run does not take the old answer, whatever it was."""
    waiting.answer(decision="reject", name="Grace", comment="not on a Friday")
    end = waiting.state
    assert (end.type.value, end.name, end.message) == (
        "CANCELLED",
        "Rejected",
        "rejected by Grace (unauthenticated): not on a Friday",
    )
    first = promotion(project)
    waiting.put(Scheduled(name="AwaitingRetry"), force=True).start()
    again = promotion(project)
    assert waiting.name == "Suspended"
    assert again.id != first.id
    assert Workspace.at(project).store.approvals(again.id) == ()
    # A retry while it waits: the same promotion, and another question still.
    key = waiting.state.state_details.pause_key
    waiting.put(Scheduled(name="AwaitingRetry"), force=True).start()
    assert waiting.state.state_details.pause_key != key
    waiting.answer(decision="approve", name="Grace")
    assert (waiting.name, amount(project)) == ("Released", 10)


def test_an_answer_to_an_earlier_start_is_none_and_that_is_said(waiting: Deployed, project: Path) -> None:
    """Answered, then broken off before the answer was read, and tried again: the form says why it asks once more."""
    resume_flow_run(waiting.id, run_input={"decision": "approve", "name": "Grace"})
    waiting.put(Crashed(), force=True).put(Scheduled(name="AwaitingRetry"), force=True).start()
    assert waiting.name == "Suspended"
    assert "Grace answered an earlier start of this run" in waiting.form
    assert amount(project) is None


def test_a_run_that_goes_on_keeps_its_name(waiting: Deployed, project: Path) -> None:
    """It is called by its commit; started again, it is not called by its branch once more, which is elsewhere perhaps."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_name(waiting.id, "release a1b2c3d → prod")
        waiting.put(Scheduled()).start()
        assert client.read_flow_run(waiting.id).name == "release a1b2c3d → prod"


def test_an_answer_is_a_claim_until_the_policy_takes_it(waiting: Deployed, project: Path) -> None:
    """Who is unknown, or wrote the change, leaves the run waiting, and the form says why."""
    judge_by(project, SETTINGS.replace("approvals: 1}", "approvals: 1, approvers: [Grace, ada@example.com]}"))
    waiting.answer(decision="approve", name="Grace")
    assert "another plan or other evidence" in waiting.form, "it was asked under another policy"
    waiting.answer(decision="approve", name="Mallory")
    assert waiting.name == "Suspended"
    assert "Mallory is not one of the approvers of prod" in waiting.form
    waiting.answer(decision="approve", name="ADA@example.com")
    assert waiting.name == "Suspended"
    assert "ADA@example.com is an author of the change" in waiting.form
    assert (amount(project), channels(project)) == (None, [])
    waiting.answer(decision="approve", name=" grace ")
    assert (waiting.name, amount(project)) == ("Released", 10)


def test_a_run_that_is_merely_started_again_is_not_approved(waiting: Deployed, project: Path) -> None:
    """Scheduling it by hand gives no answer, so it waits again, and says so."""
    waiting.put(Scheduled()).start()
    assert waiting.name == "Suspended"
    assert "without an answer" in waiting.form
    assert amount(project) is None


def test_the_command_line_approves_and_the_run_goes_on(
    waiting: Deployed, project: Path, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sluice approve` wakes the run. The author is refused there, too."""
    assert main(["approve", "--as", "Ada", "-C", str(project), "--json"]) == 1
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    out = io.StringIO()
    with redirect_stdout(out):
        assert main(["approve", "--as", "Grace", "-C", str(project), "--json"]) == 0
    assert json.loads(out.getvalue())["told"] == [
        f"promotion {promotion(project).id} was decided: its run goes on"
    ]
    assert waiting.name == "Resuming"
    waiting.start()
    assert (waiting.name, amount(project), channels(project)) == ("Released", 10, ["cli"])


def test_a_file_approves(waiting: Deployed, project: Path) -> None:
    """What `--write` writes counts where it is read; one of another plan does not."""
    (project / "yes").mkdir()
    carried = project / "yes" / f"{promotion(project).id}.yml"
    assert main(["approve", "--as", "Grace", "--write", str(project / "yes"), "-C", str(project)]) == 0
    text = carried.read_text(encoding="utf-8")
    carried.write_text(text.replace(promotion(project).binding, "a" * 64), encoding="utf-8")
    assert "another plan" in "".join(wake(Workspace.at(project)))
    assert waiting.name == "Suspended"
    carried.write_text(text, encoding="utf-8")
    assert f"yes/{carried.name}: approve by Grace (unauthenticated)" in wake(Workspace.at(project))
    assert waiting.start().name == "Released"
    assert (amount(project), channels(project)) == (10, ["file"])


def test_a_git_ref_rejects(waiting: Deployed, project: Path) -> None:
    """A commit under the ref says itself who wrote it."""
    asked = promotion(project)
    told = f"decision: reject\nbinding: '{asked.binding[:12]}'\ncomment: too early\n"
    author = ["-c", "user.name=Lin", "-c", "user.email=lin@example.com"]
    made = subprocess.run(
        ["git", *author, "commit-tree", "HEAD^{tree}", "-m", told],
        cwd=project, check=True, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "GIT_AUTHOR_NAME": "Lin", "GIT_AUTHOR_EMAIL": "lin@example.com"},
    )  # fmt: skip
    subprocess.run(
        ["git", "update-ref", f"refs/sluice/approvals/{asked.id}", made.stdout.strip()],
        cwd=project,
        check=True,
    )
    assert f"refs/sluice/approvals/{asked.id}: reject by Lin <lin@example.com> (unauthenticated)" in wake(
        Workspace.at(project)
    )
    waiting.start()
    assert (waiting.name, waiting.state.message) == (
        "Rejected",
        "rejected by Lin <lin@example.com> (unauthenticated): too early",
    )
    assert channels(project) == ["ref"]


def test_what_waits_too_long_expires(waiting: Deployed, project: Path) -> None:
    """The run ends as what happened to it, and a yes that comes then is refused."""
    settings = SETTINGS.replace("approvals: 1}", "approvals: 1, waits: 0s}")
    judge_by(project, settings)
    assert main(["approve", "--as", "Grace", "-C", str(project)]) == 1
    wake(Workspace.at(project))
    assert (waiting.state.type.value, waiting.name) == ("CANCELLED", "Expired")
    assert promotion(project).state is State.EXPIRED
    assert wake(Workspace.at(project)) == ()


def test_what_is_overtaken_ends_as_superseded(waiting: Deployed, project: Path) -> None:
    """A newer commit is published another way: the run that waits ends, and says what took its place."""
    commit(project, 20)
    overtaking = pipeline.run(ReleaseRequest(project, "prod", actor="Ada")).promotion
    assert overtaking is not None
    record(Workspace.at(project), overtaking, Decision.APPROVE, by="Grace")
    pipeline.run(ReleaseRequest(project, "prod", actor="Ada"))
    wake(Workspace.at(project))
    assert (waiting.state.type.value, waiting.name) == ("CANCELLED", "Superseded")
    assert "prod moved on from generation 0 to 1 (a release)" in str(waiting.state.message)
    assert amount(project) == 20


def test_a_branch_that_moved_is_not_what_was_approved(waiting: Deployed, project: Path) -> None:
    """HEAD is another commit by the time of the yes: what is published is what was asked about."""
    commit(project, 20)
    waiting.answer(decision="approve", name="Grace")
    assert (waiting.name, amount(project)) == ("Released", 10)


def test_a_form_that_was_filled_in_to_wake_a_run_is_no_approval(waiting: Deployed, project: Path) -> None:
    """Should the decision not count any more by then, the run asks again: nobody typed what stands there."""
    record(Workspace.at(project), promotion(project), Decision.APPROVE, by="Grace")
    wake(Workspace.at(project))
    before = promotion(project)
    judge_by(project, SETTINGS.replace("approvals: 1}", "approvals: 1, approvers: [Lin]}"))
    waiting.start()
    assert (waiting.name, amount(project)) == ("Suspended", None)
    with Workspace.at(project).store.transaction() as transaction:
        transaction.put_promotion(before)
    wake(Workspace.at(project))
    assert waiting.start().name == "Released"


def test_an_answer_about_another_plan_is_none(waiting: Deployed, project: Path) -> None:
    """It was staged again while somebody looked at the form: the run asks about what there is now."""
    asked, store = promotion(project), Workspace.at(project).store
    with store.transaction() as transaction:
        transaction.put_promotion(replace(asked, evidence="f" * 64))
    waiting.answer(decision="approve", name="Grace")
    assert waiting.name == "Suspended"
    assert "another plan or other evidence" in waiting.form
    assert (channels(project), store.questions()[0].binding) == ([], promotion(project).binding)


def test_a_form_of_its_own_answers_and_the_run_goes_on(waiting: Deployed, project: Path) -> None:
    """What the policy does not take is refused there, too; and a yes to what has moved since the page that led there."""
    refused: Any = answer("approve", folder=str(project), actor="Ada", return_state=True)
    assert (refused.name, "Ada is an author of the change" in refused.message) == ("Refused", True)
    asked = promotion(project)
    remember_forms(Workspace.at(project), {"answer": ("http://127.0.0.1/form", {})})
    old = asked_for(asked.id, "0" * 64, "first → prod")
    moved: Any = answer("approve", old, folder=str(project), actor="Grace", return_state=True)
    assert (moved.name, "has moved since the page that led here" in moved.message) == ("Refused", True)
    assert ("form answer, http://127.0.0.1/form?" in moved.message, "sluice" in moved.message) == (
        True,
        False,
    )
    now = asked_for(asked.id, asked.binding, "first → prod")
    said: Any = answer("approve", now, folder=str(project), actor="Grace", return_state=True)
    assert (said.name, said.message) == ("Answered", "approve by Grace: the run that asked goes on")
    assert waiting.name == "Resuming"
    waiting.start()
    assert (waiting.name, amount(project), channels(project)) == ("Released", 10, ["form"])


def test_a_cancelled_run_says_that_its_promotion_waits_and_it_is_answered_all_the_same(
    waiting: Deployed, project: Path
) -> None:
    """The answer's own run does the work then: the candidate is there, nothing is built again."""
    form, asked = "http://127.0.0.1/v2/deployments/deployment/1/run", promotion(project)
    remember_forms(Workspace.at(project), {"answer": (form, {"folder": str(project)})})
    waiting.put(Cancelled(), force=True)
    [line] = wake(Workspace.at(project))
    assert waiting.state.message == line
    assert f"promotion {asked.id} still waits for a yes" in line
    filled = [parse_qs(urlsplit(word).query)["parameters"][0] for word in line.split() if "http" in word]
    what = f"{asked.id} as {asked.binding[:8]}: first → prod"
    assert [json.loads(text) for text in filled] == [
        {"folder": str(project), "promotion": what, "decision": decision}
        for decision in ("reject", "approve")
    ]
    assert wake(Workspace.at(project)) == ()
    shown = path_of(Workspace.at(project), INDEX)
    said: Any = answer("approve", asked.id[:6], folder=str(project), actor="Grace", return_state=True)
    assert (said.name, amount(project)) == ("Released", 10)
    assert "serves generation <strong>1</strong>" in shown.read_text(encoding="utf-8")


def test_where_the_run_that_asked_crashed_the_answer_does_its_work(waiting: Deployed, project: Path) -> None:
    waiting.put(Crashed(), force=True)
    said: Any = answer("approve", folder=str(project), actor="Grace", return_state=True)
    assert (said.name, amount(project)) == ("Released", 10)
    assert Workspace.at(project).store.questions() == ()


def test_what_a_rollback_or_a_person_holds_is_lifted_by_a_form(project: Path, prefect_server: str) -> None:
    """And the standing status says both: as an artifact, once for each change, and as the page of the reports' server."""

    def asked(act: str, **fields: str) -> Any:
        return controls(act, folder=str(project), actor="Olga", return_state=True, **fields)  # pyright: ignore[reportCallIssue, reportArgumentType]

    def status() -> list[str]:
        with get_client(sync_client=True) as client:
            wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["status"]))
            found = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.ID_DESC)
        mark = digest(str(project))[:8]
        return [str(item.data) for item in found if mark in str(item.data)]

    remember_forms(Workspace.at(project), {"controls": ("http://127.0.0.1/form", {})})
    held = asked("hold", environment="prod", reason="look first")
    assert (held.name, held.message.startswith("prod is held by Olga since ")) == ("InForce", True)
    assert asked("hold", environment="prod", reason="look first").message.endswith("it was so already")
    assert len(status()) == 1
    assert "waits for a yes of Anybody but Ada" in status()[0]
    lift = "http://127.0.0.1/form?parameters=%7B%22act%22%3A%22lift%20the%20hold%22%2C%22environment%22%3A%22prod%22%7D"
    assert f"look first — [lift it]({lift})" in status()[0]
    page = path_of(Workspace.at(project), INDEX)
    assert "look first" in page.read_text(encoding="utf-8")
    assert asked("lift the hold", environment="prod", reason="seen").name == "Lifted"
    assert "look first" not in page.read_text(encoding="utf-8")
    again = asked("lift the hold", environment="prod", reason="seen")
    assert (again.name, "there is nothing to lift" in again.message) == ("Refused", True)
    wrong = asked("block", release="none", reason="bad")
    assert (wrong.name, "there is no release 'none'" in wrong.message) == ("BadInput", True)


def test_the_status_artifact_and_its_page_say_that_an_environment_is_a_copy(
    project: Path, prefect_server: str
) -> None:
    workspace = Workspace.at(project)
    copied = Export("prod", 12, "5732e66" + "0" * 57, datetime(2026, 12, 3, 4, 10, tzinfo=UTC), {})
    with workspace.store.transaction() as transaction:
        transaction.append(IMPORTED, environment="prod", actor="Ada", at=copied.at, facts=copied.document())
    held: Any = controls("hold", environment="prod", reason="look", folder=str(project), return_state=True)  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert held.name == "InForce", "each answer of that form shows the status"
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["status"]))
        found = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.ID_DESC)
    mark = digest(str(project))[:8]
    [text] = [str(artifact.data) for artifact in found if mark in str(artifact.data)]
    line = "a copy of what served in prod as of 2026-12-03 04:10 UTC: generation 12, release 5732e66"
    assert f"* {line}\n" in text
    assert f"<li>{line}</li>" in path_of(workspace, INDEX).read_text(encoding="utf-8")


def test_a_plan_is_seen_and_nothing_is_changed(project: Path, prefect_server: str) -> None:
    before = len(Workspace.at(project).store.entries())
    commit(project, 20)
    seen: Any = plan("release", "prod", folder=str(project), actor="Ada", return_state=True)
    assert (seen.name, seen.message) == (
        "Planned",
        "prod would have 1 built, 0 reused, 0 removed. Nothing was changed",
    )
    entries = Workspace.at(project).store.entries()[before:]
    assert {entry.event for entry in entries} <= {"release.packed"}


def test_a_plan_names_what_stands_under_the_public_names_and_how_to_take_them_over(
    project: Path, prefect_server: str
) -> None:
    """In the artifact of the form's run, as the terminal does; with --adopt nothing is said of it."""
    with duckdb.connect(str(project / "shop.duckdb")) as connection:
        connection.execute("create table Orders as select 7 as id")

    def page(**fields: Any) -> str:
        seen: Any = plan("release", "prod", folder=str(project), return_state=True, **fields)
        assert seen.name == "Planned", seen.message
        own = ArtifactFilter(
            key=ArtifactFilterKey(any_=["plan-prod"]),
            flow_run_id=ArtifactFilterFlowRunId(any_=[seen.state_details.flow_run_id]),
        )
        with get_client(sync_client=True) as client:
            [artifact] = client.read_artifacts(artifact_filter=own)
        return str(artifact.data)

    text = page()
    assert "these public names hold relations that Sluice did not make:\n\n* main.Orders\n" in text
    assert (
        "\n\ntake them over: sluice release --adopt --env prod (it moves them into the store, and a rollback"
        in text
    )
    assert "A release is refused" not in page(adopt=True)


def test_a_plan_says_why_of_what_it_is_asked_by_name(project: Path, prefect_server: str) -> None:
    seen: Any = plan("release", "prod", why=" orders ", folder=str(project), return_state=True)
    assert seen.name == "Planned", seen.message
    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(
            key=ArtifactFilterKey(any_=["plan-prod"]),
            flow_run_id=ArtifactFilterFlowRunId(any_=[seen.state_details.flow_run_id]),
        )
        [page] = client.read_artifacts(artifact_filter=wanted)
    assert re.search(r"^```text\nmain\.orders  build: .*\n  .+\n```$", str(page.data), re.MULTILINE), (
        page.data
    )
    for field, value in {"why": "order", "origin": "nowhere"}.items():
        way = "release" if field == "why" else "promote"
        wrong: Any = plan(way, "prod", folder=str(project), return_state=True, **{field: value})
        assert (wrong.name, repr(value) in wrong.message) == ("BadInput", True), wrong.message
    no: Any = plan("release", "prod", report="sales", folder=str(project), return_state=True)
    assert (no.name, no.message) == (
        "BadInput",
        "form plan: a plan of a release takes no report; leave that empty, or choose way promote",
    )


@pytest.mark.parametrize(
    ("way", "given", "told"),
    [
        ("release", {"select": "a"}, "takes no select; leave that empty, or choose way promote or refresh"),
        ("release", {"report": "a", "origin": "dev"}, "takes no report and no origin; leave that empty, or"),
        ("promote", {"base": "main"}, "takes no base; leave that empty, or choose way release"),
        ("promote", {"adopt": True}, "takes no adopt; leave that empty, or choose way release"),
        (
            "refresh",
            {"ref": "main", "origin": "dev"},
            "takes no ref and no origin; leave that empty, or choose way promote",
        ),
        (
            "refresh",
            {"ref": "main", "select": "a", "adopt": True},
            "takes no ref and no adopt; leave that empty",
        ),
        (
            "release",
            {"origin": "dev", "adopt": True},
            "takes no origin; leave that empty",
        ),
    ],
)
def test_a_plan_refuses_what_it_would_ignore(way: str, given: dict[str, str | bool], told: str) -> None:
    with pytest.raises(BadInput) as refused:
        refuse_what_it_would_ignore(way, given)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("way", "given"),
    [("release", {"ref": "main", "adopt": True, "origin": ""}), ("promote", {"ref": "a", "report": "b", "origin": "c"}),
     ("refresh", {"select": "a", "ref": "", "adopt": False})],
)  # fmt: skip
def test_a_plan_takes_what_says_it(way: str, given: dict[str, str | bool]) -> None:
    refuse_what_it_would_ignore(way, given)


def test_a_dashboard_in_the_form_of_promotions_is_a_part_of_the_release(
    tmp_path: Path, prefect_server: str
) -> None:
    outputs = ", ".join(
        f"{name}: {{type: duckdb, path: {name}.duckdb, schema: main}}" for name in ("dev", "prod")
    )
    exposure = "{name: sales, label: Sales, type: dashboard, owner: {name: Ops}, depends_on: [ref('orders')]}"
    files = FILES | {
        ".gitignore": "*.duckdb*\n",
        "profiles.yml": f"shop: {{target: dev, outputs: {{{outputs}}}}}\n",
        "sluice.yml": "environments:\n  dev: {approvals: 0}\n  prod: {approvals: 0}\n",
        "models/exposures.yml": f"exposures: [{exposure}]\n",
    }
    folder = repository(tmp_path / "shop", files)
    pipeline.run(ReleaseRequest(folder, "dev", actor="Ada"))
    line = "Sales (dashboard), Ops [sales]"
    seen: Any = plan("promote", "prod", report=line, origin="dev", folder=str(folder), return_state=True)
    done: Any = promote("prod", report=line, folder=str(folder), actor="Ada", return_state=True)
    for state in (seen, done):
        assert (state.name, "that a part could be put on" in state.message) == ("Refused", True), (
            state.message
        )
