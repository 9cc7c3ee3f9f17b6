"""Two processes at one kept yes at the same time: it is used once or not at all, and nothing is published without it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Decision, State
from prefect_sluice.promotions.work import Status
from prefect_sluice.stages.approve import is_approved
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.conftest import DEARER, WaitingShop
from tests.outcomes import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("kept-yes")]

ROUNDS = 2
# Each imports what it needs before it is let go, so that both are at the store within milliseconds.
ACTOR = (
    "import sys; from prefect_sluice.cli import main; import prefect_sluice.pipeline; "
    "print('ready', flush=True); sys.stdin.readline(); sys.exit(main())"
)
RELEASE = ("release", "--env", "prod", "--as", "Ada")
RIVALS = {
    "uses it, too": RELEASE,
    "keeps it for the next night": ("refresh", "--env", "prod", "--as", "night"),
    "says no": ("reject", "--as", "Lin"),
    "rolls back": ("rollback", "--env", "prod", "--as", "Lin"),
}


@pytest.fixture(scope="module")
def morning(serving: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in which a promotion waits with a yes that a night kept, and newer data has come since."""
    folder = tmp_path_factory.mktemp("morning") / "shop"
    shop = WaitingShop(shutil.copytree(serving, folder, symlinks=True))
    shop.commit(DEARER, "dearer")
    shop.yes(shop.release())
    assert status(shop.night("insert into raw.orders values (100, 1000)")) is Status.DONE
    shop.load("insert into raw.orders values (101, 7)")
    return folder


@pytest.mark.parametrize("rival", RIVALS.values(), ids=RIVALS)
def test_exactly_one_thing_becomes_of_a_kept_yes(
    morning: Path, tmp_path: Path, rival: tuple[str, ...]
) -> None:
    for number in range(ROUNDS):
        shop = WaitingShop(shutil.copytree(morning, tmp_path / str(number) / "shop", symlinks=True))
        outcome = _raced(shop.folder, RELEASE, rival)
        _judge(shop, outcome)


def _raced(folder: Path, *commands: tuple[str, ...]) -> str:
    """Let the commands go at one moment, and return all they wrote."""
    actors = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", ACTOR, *command, "-C", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for command in commands
    ]  # fmt: skip
    for actor in actors:
        assert actor.stdout is not None
        assert actor.stdout.readline() == "ready\n"
    for actor in actors:
        assert actor.stdin is not None
        actor.stdin.write("\n")
        actor.stdin.flush()
    return "\n".join(
        f"exit code {actor.returncode}: {text}" for actor in actors for text in [actor.communicate()[0]]
    )


def _judge(shop: WaitingShop, outcome: str) -> None:
    """Whatever came first: at most one publish, by a yes that lives, and no yes that was used twice."""
    workspace = Workspace.at(shop.folder)
    assert "Traceback" not in outcome
    store = workspace.store
    history = workspace.warehouse(workspace.environment("prod")).history("prod")
    published = [one for one in history if one.cause is Cause.RELEASE and one.number > 2]
    assert len(published) <= 1, outcome
    attempts = [
        one for one in store.promotions(environment="prod") if one.cause is Cause.RELEASE and one.base > 0
    ]
    used = [
        approval
        for attempt in attempts
        for approval in store.approvals(attempt.id)
        if approval.decision is Decision.APPROVE and approval.used_at is not None
    ]
    assert len(used) == len(published), outcome
    for generation in published:
        promotion = store.promotion(generation.promotion)
        assert promotion is not None
        assert promotion.state in {State.DEPLOYED, State.STABLE}, outcome
        assert is_approved(workspace, promotion), outcome
        answers = {approval.decision for approval in store.approvals(promotion.id)}
        assert answers == {Decision.APPROVE}, f"a no that was taken is no publish: {outcome}"
    serving = shop.read("select amount from orders where id = 1")
    now = workspace.warehouse(workspace.environment("prod")).generation("prod")
    dearer = any(one.release == now.release for one in published)
    assert serving == [(11,)] if dearer else serving == [(10,)], outcome
