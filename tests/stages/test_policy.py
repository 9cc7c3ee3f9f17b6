"""The policy that counts is that of what serves: not the caller's files, and not the change that is judged by it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from prefect_sluice import pipeline
from prefect_sluice.domain.errors import BadInput, ConfigInvalid, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, Promotion, State
from prefect_sluice.promotions.request import ReleaseRequest, request_for
from prefect_sluice.promotions.work import Status, Work
from prefect_sluice.reporting.gather_report import dossier
from prefect_sluice.reporting.plan_preview import planned
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.terminal.policy import policy_document, policy_sentence
from prefect_sluice.stages.approve import record
from prefect_sluice.workspace import policy_in_force
from prefect_sluice.workspace.workspace import Workspace
from tests.outcomes import status
from tests.policies import forget_policies
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("policy")]

GATES = "gates:\n  lint: {on: off}\n  project_tests: {on: off}\n  secrets: {on: off}\n"
SETTINGS = f"environments:\n  prod: {{approvals: 1}}\n{GATES}"
ALONE = SETTINGS.replace("approvals: 1", "approvals: 0, self_approval: allow")
FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": SETTINGS,
    "models/orders.sql": "select 1 as id\n",
    "models/models.yml": "models: [{name: orders, columns: [{name: id, data_tests: [not_null]}]}]\n",
}


def commit(folder: Path, files: Mapping[str, str], message: str = "change") -> None:
    """Write files and commit them."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-qm", message]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def run(folder: Path, cause: Cause = Cause.RELEASE) -> Work:
    """Run the stages, as Ada."""
    return pipeline.run(request_for(cause, folder, "prod", actor="Ada"))


def say(folder: Path, work: Work, by: str) -> None:
    """Say yes to what waits."""
    record(Workspace.at(folder), waiting(folder, work), Decision.APPROVE, by=by)


def waiting(folder: Path, work: Work) -> Promotion:
    """Return the promotion as it stands now."""
    assert work.promotion is not None
    found = Workspace.at(folder).store.promotion(work.promotion.id)
    assert found is not None
    return found


def release(folder: Path) -> Work:
    """Release HEAD, with the yes of Grace."""
    work = run(folder)
    assert status(work) is Status.WAITING
    say(folder, work, "Grace")
    return run(folder)


def asked_by_what_serves(folder: Path) -> int | None:
    """Return how many approvals the policy in force asks for."""
    found = policy_in_force.in_force(Workspace.at(folder), "prod")
    assert found is not None
    return found.own.approvals


def served(folder: Path) -> list[tuple[int]]:
    """Return what a reader sees."""
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return connection.execute("select * from main.orders").fetchall()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose production asks for a yes, and serves."""
    folder = repository(tmp_path_factory.mktemp("shop"), FILES)
    # What lies here and is not committed counts for nothing, at the first release, too.
    (folder / "sluice.yml").write_text(ALONE, encoding="utf-8")
    with pytest.raises(Refused, match="takes commits only"):
        pipeline.run(ReleaseRequest(folder, "prod", dirty=True, actor="Ada"))
    assert status(release(folder)) is Status.DONE
    (folder / "sluice.yml").write_text(SETTINGS, encoding="utf-8")
    return folder


@pytest.fixture
def shop(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(once, tmp_path / "shop", symlinks=True)


def test_what_is_not_committed_is_no_policy(shop: Path) -> None:
    """Neither for the release, nor for who says yes, nor for a store that does not know what serves."""
    commit(shop, {"models/orders.sql": "select 2 as id\n"})
    (shop / "sluice.yml").write_text(f"{ALONE}  data_tests: {{on: off}}\n", encoding="utf-8")
    work = run(shop)
    assert status(work) is Status.WAITING
    assert "not_null_orders_id" in str(work.reports)
    with pytest.raises(Refused, match="Ada is an author of the change"):
        say(shop, work, "Ada")
    (shop / "sluice.yml").write_text(f"{ALONE}state: other.db\n", encoding="utf-8")
    with pytest.raises(Refused, match="this state store knows nothing"):
        run(shop)
    (shop / "sluice.yml").write_text(f"{ALONE}bundles: other\n", encoding="utf-8")
    with pytest.raises(BadInput, match="missing"):
        run(shop)
    assert served(shop) == [(1,)]


def test_a_change_of_it_is_approved_by_the_one_that_serves(shop: Path) -> None:
    """It is shown before the yes, bound by it, and counts after it: for whoever comes next."""
    commit(shop, {"sluice.yml": ALONE, "models/orders.sql": "select 2 as id\n"})
    shown = planned(ReleaseRequest(shop, "prod", actor="Ada"))
    assert policy_document(shown.policy) == {
        "first": False,
        "judged_by": "served",
        "approvals": 1,
        "changes": [
            {"key": "approvals", "before": "1", "after": "0", "weaker": True},
            {"key": "self_approval", "before": "deny", "after": "allow", "weaker": True},
        ],
    }
    work = run(shop)
    assert status(work) is Status.WAITING
    with pytest.raises(Refused, match="Ada is an author of the change"):
        say(shop, work, "Ada")
    workspace, asked = Workspace.at(shop), waiting(shop, work)
    told = report(dossier(workspace, asked))
    assert "approvals: 1 → 0 (weaker); self_approval: deny → allow (weaker)" in told.points[0].text
    assert "the policy that serves judges it" in policy_sentence(told.dossier.policy)
    assert asked.policy
    begun = [item for item in workspace.store.entries() if item.event == "promotion.started"][-1]
    assert (begun.facts["policy_digest"], len(str(begun.facts["policy_changes"])) > 0) == (asked.policy, True)
    say(shop, work, "Grace")
    assert status(run(shop)) is Status.DONE
    commit(shop, {"models/orders.sql": "select 3 as id\n"})
    assert status(run(shop)) is Status.DONE
    assert served(shop) == [(3,)]
    # What is served again is older, and the policy is not: nobody can go back to one that asks for less, or for more.
    assert status(run(shop, Cause.ROLLBACK)) is Status.DONE
    assert asked_by_what_serves(shop) == 0


def test_a_change_of_nothing_else_is_a_release(shop: Path) -> None:
    """And what asks nobody takes a stricter one at once."""
    commit(shop, {"sluice.yml": ALONE})
    assert status(release(shop)) is Status.DONE
    assert served(shop) == [(1,)]
    assert asked_by_what_serves(shop) == 0
    commit(shop, {"sluice.yml": SETTINGS})
    work = run(shop)
    assert status(work) is Status.WAITING
    found = policy_in_force.recorded(Workspace.at(shop), waiting(shop, work))
    assert "it counts at once" in policy_sentence(found)
    assert [item.text for item in found.changes] == ["approvals: 0 → 1", "self_approval: allow → deny"]


def test_a_gate_of_the_one_that_serves_says_no_and_how_to_go_on(shop: Path) -> None:
    """A refresh, too, is judged by it, whatever lies here."""
    settings = f"{SETTINGS}  data_tests: {{on: off}}\n"
    commit(shop, {"sluice.yml": settings, "models/orders.sql": "select null::int as id\n"})
    work = run(shop)
    assert status(work) is Status.REFUSED
    assert work.outcome is not None
    assert "what this commit's sluice.yml changes of data_tests counts once it is approved" in (
        work.outcome.message
    )
    commit(shop, {"models/orders.sql": "select 1 as id\n"}, "the policy alone")
    assert status(release(shop)) is Status.DONE
    commit(shop, {"models/orders.sql": "select null::int as id\n"})
    assert status(release(shop)) is Status.DONE
    assert served(shop) == [(None,)]


def test_the_owners_file_goes_before_and_its_change_is_approved(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.yml"
    monkeypatch.setenv(policy_in_force.POLICY, str(file))
    file.write_text(f"environments: {{prod: {{approvals: 0}}}}\n{GATES}", encoding="utf-8")
    work = run(shop)
    assert status(work) is Status.WAITING, "a file that somebody names is no policy yet"
    say(shop, work, "Grace")
    assert status(run(shop)) is Status.DONE
    commit(shop, {"sluice.yml": SETTINGS.replace("approvals: 1", "approvals: 1, waits: 1h")})
    assert status(run(shop)) is Status.DONE, "the project's own file counts no more"
    assert asked_by_what_serves(shop) == 0
    file.write_text("environments: {prod: }\nvars: {a: 1}\n", encoding="utf-8")
    commit(shop, {"models/orders.sql": "select 2 as id\n"})
    with pytest.raises(ConfigInvalid, match="'vars' is no part of a policy"):
        run(shop)


def test_what_an_older_sluice_began_keeps_its_binding(shop: Path) -> None:
    """Its policy is that of the release that serves, and the yes that was said to it counts."""
    commit(shop, {"models/orders.sql": "select 2 as id\n", "sluice.yml": ALONE})
    work = run(shop)
    # As it was recorded before there was a policy in it.
    forget_policies(shop)
    with pytest.raises(Refused, match="Ada is an author of the change"):
        say(shop, work, "Ada")
    say(shop, work, "Grace")
    assert status(run(shop)) is Status.DONE
    assert waiting(shop, work).state is State.STABLE
    assert asked_by_what_serves(shop) == 0
