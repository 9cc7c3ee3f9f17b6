"""Care of one environment between two releases: settles what a dead process left, and checks what is served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.displaced_names import TAKE_BACK
from prefect_sluice.domain.errors import LeaseHeld, SluiceError, WarehouseBusy
from prefect_sluice.domain.promotion import State
from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.promotions import reread
from prefect_sluice.runtime import process
from prefect_sluice.stages.deploy import settle
from prefect_sluice.stages.monitor import NAMES, STAGE, look_again
from prefect_sluice.state.lease import hold_lease, this_process
from prefect_sluice.state.records import AlertRecord
from prefect_sluice.workspace.workspace import Environment, Workspace

AGAIN = timedelta(hours=1)
"""How long a problem that was told and is still there is not told again."""


@dataclass(frozen=True, slots=True)
class Health:
    """The health of an environment: one line for the log, what is wrong ("" if nothing), and what was done ("" if nothing)."""

    environment: str
    line: str
    problem: str = ""
    done: str = ""


def care_for(workspace: Workspace, environment: Environment, actor: str) -> Health:
    """Settle what a dead process left, if the lease is free, then check what is served. Never waits. Repeatable."""
    try:
        done = _settled(workspace, environment, actor)
        line, problem = _served(workspace, environment)
    except WarehouseBusy as busy:
        return Health(
            environment.name,
            f"{environment.name}: not looked at, {busy.path} is held by {busy.holder or 'another process'}",
        )
    except SluiceError as error:
        return Health(environment.name, f"{environment.name}: {error}", str(error))
    return Health(environment.name, f"{line}; {done}" if done else line, problem, done)


def _settled(workspace: Workspace, environment: Environment, actor: str) -> str:
    """Write the outcome of what a dead process had begun to publish. The lease is asked for only if there is such a thing."""
    begun = _deploying(workspace, environment)
    if not begun:
        return ""
    try:
        with hold_lease(workspace.store, environment.name, this_process(actor)) as lease:
            settle(workspace.under(lease.lease), environment)
    except LeaseHeld:
        return ""  # it is at work, and not dead
    ended = sorted(begun - _deploying(workspace, environment))
    return f"settled what a dead process left: promotion {', '.join(ended)}" if ended else ""


def _deploying(workspace: Workspace, environment: Environment) -> set[str]:
    return {
        promotion.id
        for promotion in workspace.store.promotions(environment=environment.name, states=(State.DEPLOYING,))
    }


def _served(workspace: Workspace, environment: Environment) -> tuple[str, str]:
    """Return the line about what is served, and what is wrong with it."""
    recorded = [
        promotion.generation
        for promotion in workspace.store.promotions(
            environment=environment.name, states=(State.STABLE, State.DEPLOYED)
        )
        if promotion.generation is not None
    ]
    if not environment.database.exists():
        if not recorded:
            return f"{environment.name}: nothing is served yet", ""
        gone = f"{environment.name} served generation {max(recorded)}, and its warehouse file is gone"
        return f"{environment.name}: the warehouse file is gone", gone
    with workspace.warehouse(environment).reader() as reader:
        served = reader.generation(environment.name)
        if not served.number:
            return f"{environment.name}: nothing is served yet", ""
        findings = look_again(reader, served).findings
        if reread.is_due(workspace, environment):
            findings = (*findings, *reread.reread(workspace, environment, STAGE, served.pointers, reader))
    bad = [finding for finding in findings if finding.verdict is not Verdict.PASSED]
    head = f"{environment.name}: generation {served.number}, {count(len(served.relations), 'relation')}"
    if not bad:
        return f"{head}, in place", ""
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    taken = [finding for finding in bad if finding.check == NAMES]
    if taken:
        lost = f"{environment.name} does not serve what was published: {bad[0].summary}{more}; take the names back: {TAKE_BACK}"
        return f"{head}, {count(len(taken), 'name does', 'names do')} not show what was published", lost
    if bad[0].check == "content":
        return (
            f"{head}, {len(bad)} edited",
            f"{environment.name} serves what was not published: {bad[0].summary}{more}",
        )
    return (
        f"{head}, {count(len(bad), 'does', 'do')} not answer",
        f"{environment.name} does not answer: {bad[0].summary}{more}",
    )


def is_news(workspace: Workspace, scope: str, problems: tuple[str, ...]) -> bool:
    """Say whether these problems are news: other ones than last time, or told last an hour ago. Records it.

    `scope` is what was checked. Not repeatable: the second time they are no news.
    """
    now = process.now()
    before = workspace.store.alert(scope)
    same = before is not None and before.problems == problems
    if before is not None and same and now - before.at < AGAIN:
        return False
    if not problems and (same or before is None):
        return False
    with workspace.store.transaction() as transaction:
        transaction.put_alert(scope, AlertRecord(problems, now))
    return bool(problems)
