"""Starts suspended runs again whose promotion was decided elsewhere, and ends those whose promotion has ended."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import NotPausedError, ObjectNotFound
from prefect.flow_runs import resume_flow_run
from prefect.settings import PREFECT_CLIENT_RETRY_EXTRA_CODES, temporary_settings
from prefect.states import Cancelled

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.approvals.expire import expire, overdue
from prefect_sluice.domain.errors import LeaseHeld, SluiceError
from prefect_sluice.domain.promotion import ENDED, ApprovalQuestion, Decision, Promotion
from prefect_sluice.domain.promotion import State as Standing
from prefect_sluice.orchestration.final_states import concluded
from prefect_sluice.promotions.hold_lease import holding
from prefect_sluice.promotions.request import request_for
from prefect_sluice.reporting.web_addresses import way_of
from prefect_sluice.stages.approve import take_carried
from prefect_sluice.stages.plan_again import overtaken
from prefect_sluice.stages.resume import ended, forget, is_decided, no_answer, recorded_work
from prefect_sluice.workspace.policy_in_force import needed
from prefect_sluice.workspace.workspace import Workspace

_LOCKED = "500"
"""What a Prefect server on SQLite answers when its database is locked; nothing is lost, and the next try does it."""


@contextmanager
def _client() -> Generator[SyncPrefectClient]:
    with (
        temporary_settings(cast(dict[Any, Any], {PREFECT_CLIENT_RETRY_EXTRA_CODES: _LOCKED})),
        get_client(sync_client=True) as client,
    ):
        yield client


def wake(workspace: Workspace) -> tuple[str, ...]:
    """Look at every promotion that waits for an approval, and return what was done, a line each. Repeatable; made to be
    done each minute.

    Files and refs that say yes or no are read, what waited too long expires, suspended runs whose promotion is decided are
    started again, those whose promotion has ended end in the state of that name, and what ended is forgotten. Raises what
    the state store and Prefect's client raise; what only one run does not allow is a line.
    """
    lines = [*_carried(workspace), *_expired(workspace)]
    questions = workspace.store.questions()
    if not questions:
        return tuple(lines)
    with _client() as client:
        for question in questions:
            lines += _woken(client, workspace, question)
    return tuple(lines)


def wake_quietly(workspace: Workspace) -> None:
    """Do so at the end of a flow, and log what was done; what goes wrong is logged, since the flow's own work is done."""
    try:
        for line in wake(workspace):
            get_run_logger().info(line)
    except Exception as error:  # whatever it was: the monitor does it again within a minute
        get_run_logger().warning(f"the runs that wait were not looked at: {error}")


def has_a_run(workspace: Workspace, promotion: Promotion) -> bool:
    """Say whether a run that asked about a promotion goes on with it, now that it is decided. Repeatable.

    What a run asked that failed, crashed or is gone is forgotten: who tries it again finds the promotion where it stands.
    """
    questions = [question for question in workspace.store.questions() if question.promotion == promotion.id]
    if not questions:
        return False
    with _client() as client:
        over = [question for question in questions if _has_ended(client, question)]
    for question in over:
        forget(workspace, question.run)
    return len(over) < len(questions)


def _has_ended(client: SyncPrefectClient, question: ApprovalQuestion) -> bool:
    state = _state(client, question)
    return state is None or state.is_final()


def _state(client: SyncPrefectClient, question: ApprovalQuestion) -> State | None:
    """Return the state of the run that asked; None where the server has no such run."""
    try:
        return client.read_flow_run(UUID(question.run)).state
    except ObjectNotFound:
        return None


def _carried(workspace: Workspace) -> list[str]:
    staged = workspace.store.promotions(states=(Standing.STAGED,))
    promotions = [promotion for promotion in staged if promotion.environment in workspace.environments]
    waiting = [promotion for promotion in promotions if needed(workspace, promotion)]
    return [line for promotion in waiting for line in take_carried(workspace, promotion)]


def _expired(workspace: Workspace) -> list[str]:
    lines: list[str] = []
    for environment in workspace.environments.values():
        if not overdue(workspace, environment):
            continue
        try:
            with holding(workspace, environment, "monitor") as ours:
                lines += [
                    f"promotion {promotion.id} has expired: {promotion.message}"
                    for promotion in expire(ours, environment)
                ]
        except LeaseHeld:
            pass  # somebody works there, and looks for himself
    return lines


def _woken(client: SyncPrefectClient, workspace: Workspace, question: ApprovalQuestion) -> list[str]:
    promotion = workspace.store.promotion(question.promotion)
    state = _state(client, question)
    if promotion is None or state is None or (state.is_final() and _is_over(state, promotion)):
        forget(workspace, question.run)
        return _left_waiting(client, workspace, question, promotion, state)
    if not state.is_paused():
        return []  # it is on its way, or failed and may be tried again
    try:
        return _moved(client, workspace, question, promotion)
    except (
        SluiceError,
        RuntimeError,
    ) as error:  # Prefect's word for a run that cannot be resumed is the latter
        return [f"the run that waits for promotion {promotion.id} was left as it is: {error}"]


def _left_waiting(
    client: SyncPrefectClient,
    workspace: Workspace,
    question: ApprovalQuestion,
    promotion: Promotion | None,
    state: State | None,
) -> list[str]:
    """Have a run that somebody cancelled say that its promotion waits on, and where it is ended or approved all the same."""
    if promotion is None or promotion.state is not Standing.STAGED:
        return []
    way = way_of(workspace, promotion)
    where = f"end it: {way.no} or say yes all the same: {way.yes}" if way.yes else "end it: the form answer"
    message = f"the run is over, and promotion {promotion.id} still waits for a yes; {where}"
    if state is not None and state.is_cancelled():
        client.set_flow_run_state(UUID(question.run), Cancelled(message=message), force=True)
    return [message]


def _is_over(state: State, promotion: Promotion) -> bool:
    """Say whether an ended run will not go on. A failed one whose promotion is open does, when it is tried again."""
    return promotion.state in ENDED or not (state.is_failed() or state.is_crashed())


def _moved(
    client: SyncPrefectClient, workspace: Workspace, question: ApprovalQuestion, promotion: Promotion
) -> list[str]:
    run = UUID(question.run)
    if promotion.state is Standing.SUPERSEDED and promotion in overtaken(workspace, promotion.environment):
        return []  # the refresh that moved the environment on plans it again, or the next one does
    if promotion.state in ENDED:
        request = request_for(promotion.cause, workspace.root, promotion.environment)
        end = concluded(ended(recorded_work(workspace, request, promotion), promotion))
        client.set_flow_run_state(run, State(type=end.type, name=end.name, message=end.message), force=True)
        forget(workspace, question.run)
        return [f"the run that waited for promotion {promotion.id} ends: {end.name}, {end.message}"]
    decided = is_decided(workspace, promotion)
    if not decided and question.binding == promotion.binding:
        return []
    approval = ruling(workspace, promotion).by
    no_answer(workspace, question)  # what stands in the form from here on is for those who look at the run
    filled = {
        "decision": approval.decision.value if approval else Decision.APPROVE.value,
        "name": approval.by if approval else "sluice",
        "comment": "said another way, and recorded there" if decided else "no answer: it is asked anew",
    }
    # Not by setting a state: another one may be first, and a run that is at work must not be started again.
    with suppress(NotPausedError):
        resume_flow_run(run, run_input=filled)
    if not decided:
        return [f"promotion {promotion.id} was planned again: its run asks anew"]
    return [f"promotion {promotion.id} was decided: its run goes on"]
