"""How a run ends in Prefect's words: a gate's no is not a crash, a person's no is not a failure."""

from __future__ import annotations

from typing import assert_never

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from prefect_sluice.stages.work import Outcome, Status, Work


def concluded(work: Work) -> State[Work]:
    """Return the state that a flow run ends in; the work is its data, but for a no, which has only its message."""
    outcome = work.outcome or Outcome(Status.DONE, "")
    message = f"{outcome.message}; {outcome.next}" if outcome.next else outcome.message
    match outcome.status:
        case Status.DONE:
            return Completed(name="Released", message=message, data=work)
        case Status.PARTIAL:
            return Failed(name="Partial", message=message)
        case Status.UNCHANGED:
            return Completed(name="Unchanged", message=message, data=work)
        case Status.WAITING:
            return Completed(name="AwaitingApproval", message=message, data=work)
        case Status.REFUSED:
            return Failed(name="Refused", message=message)
        case Status.REJECTED:
            return Cancelled(name="Rejected", message=message)
        case Status.SUPERSEDED:
            return Cancelled(name="Superseded", message=message)
        case Status.EXPIRED:
            return Cancelled(name="Expired", message=message)
    assert_never(outcome.status)
