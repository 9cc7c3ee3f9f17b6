"""The message of a run whose process ended in the middle: what it was at, that nothing is half done, and what to do."""

from __future__ import annotations

from prefect_sluice.domain.promotion import State
from prefect_sluice.reporting.web_addresses import promotion_of_run
from prefect_sluice.workspace.workspace import Workspace

_AT = {
    State.STARTED: "while building",
    State.STAGED: "while it waited for a yes",
    State.APPROVED: "before it published",
    State.DEPLOYING: "while publishing",
    State.DEPLOYED: "while it looked at what it had published",
}
_AGAIN = "Run it again: it goes on."


def cut_off(workspace: Workspace | None, run: str, how: str) -> str:
    """Return the message in a few sentences; `how` is who ended the run: `The worker was killed`. Without a workspace,
    or where the run had no promotion yet, it says less. Changes nothing."""
    promotion = promotion_of_run(workspace, run) if workspace is not None else None
    if workspace is None or promotion is None:
        return f"{how}. Nothing is half done. {_AGAIN}"
    present = workspace.store.serves(promotion.environment)
    serves = f"generation {present['generation']}" if present else "nothing yet"
    at = _AT.get(promotion.state, "")
    return f"{f'{how} {at}'.strip()}. Nothing is half done; {promotion.environment} serves {serves}. {_AGAIN}"
