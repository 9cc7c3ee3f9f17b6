"""The Prefect state that a run ends in: a gate's no is not a crash, a person's no is not a failure."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, assert_never

from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Completed, Failed

from prefect_sluice.domain.errors import BadInput, LeaseHeld, Refused, SluiceError, Stopped, WarehouseBusy
from prefect_sluice.domain.untrusted_text import path_fault
from prefect_sluice.orchestration.quiet_tracebacks import hide_engine_traceback
from prefect_sluice.orchestration.run_parameters import refuse_odd_parameters
from prefect_sluice.orchestration.shown.messages import error_with_forms, outcome_with_forms, speaking
from prefect_sluice.orchestration.stopped_runs import say_stopped
from prefect_sluice.promotions.work import Outcome, Status, Work
from prefect_sluice.runtime.cancellation import lost_its_worker


def ending(action: Callable[[], State[Any]]) -> State[Any]:
    """Return the state that `action` ends in; what is foreseen and stops it ends as Failed, with its one line in the log.

    What the run was given is looked at first.
    The error is the state's data, so that the command line, and who calls a flow, gets it as it is. What is not foreseen is
    raised: its traceback belongs in the log. Commands that it names are told as forms, where there are any.
    """
    with speaking():
        return _ending(action)


def _ending(action: Callable[[], State[Any]]) -> State[Any]:
    try:
        refuse_odd_parameters()
        ended = action()
    except SluiceError as error:
        ended = _failed(error)
    except (OSError, RuntimeError) as error:
        fault = path_fault(error)
        if fault is None:
            raise
        ended = _failed(fault)
    except TerminationSignal:
        say_stopped()
        raise
    except SystemExit as error:
        if not lost_its_worker(error):
            raise
        say_stopped()
        raise TerminationSignal(signal=signal.SIGTERM) from error  # what Prefect leaves the state of
    if not ended.is_completed():
        hide_engine_traceback()
    return ended


def _failed(error: SluiceError) -> State[Any]:
    get_run_logger().error(str(error))
    return Failed(name=name_of(error), message=error_with_forms(error), data=error)


def name_of(error: SluiceError) -> str:
    """Return what the state is called that a run ends in by an error: one word for the list of runs. Pure."""
    match error:
        case Stopped():
            return "Stopped"
        case Refused():
            return "Refused"
        case LeaseHeld() | WarehouseBusy():
            return "Busy"
        case BadInput():
            return "BadInput"
        case _:
            return "Failed"


def concluded(work: Work) -> State[Work]:
    """Return the state that a flow run ends in; the work is its data, but for a no, which has only its message."""
    outcome = work.outcome or Outcome(Status.DONE, "")
    message = outcome_with_forms(outcome)
    match outcome.status:
        case Status.DONE:
            return Completed(name="Released", message=outcome.message, data=work)
        case Status.CHECKED:
            return Completed(name="Checked", message=message, data=work)
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
