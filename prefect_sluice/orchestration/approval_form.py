"""The form of an approval: a run that waits for a yes is suspended with it, and goes on once somebody has decided, anywhere.

Question and answer are in our own state store. Prefect only waits, and hands over an answer, which the policy judges.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal, cast
from uuid import UUID

from prefect import flow_runs, get_run_logger, suspend_flow_run
from prefect.client.orchestration import get_client
from prefect.input import RunInput, read_flow_run_input
from prefect.input.run_input import keyset_from_base_key
from pydantic import Field, ValidationError

from prefect_sluice.approvals.decide import ruling
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.promotion import AnswerChannel, ApprovalQuestion, Decision, Promotion, State
from prefect_sluice.orchestration.shown.approval_text import asked_text, request_text
from prefect_sluice.orchestration.shown.links import run_url
from prefect_sluice.orchestration.shown.status_artifact import show_status
from prefect_sluice.orchestration.this_run import run_name, this_run
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.web_addresses import remember_run
from prefect_sluice.runtime import process
from prefect_sluice.stages.approve import record
from prefect_sluice.stages.resume import ask
from prefect_sluice.workspace.policy_in_force import rules_of
from prefect_sluice.workspace.workspace import Workspace

_LONGER = timedelta(days=1)
"""How much longer than a promotion Prefect lets a run wait: the monitor ends it first, under its true name."""


@dataclass(frozen=True, slots=True)
class SuspendableRun:
    """A flow run that can be suspended: its id, and how often it was started."""

    id: str
    attempt: int


class Answer(RunInput):
    """The form. Only what JSON Schema can say is checked before it is sent; the policy has the last word."""

    decision: Literal["approve", "reject"] = Field(
        title="Decision", description="approve publishes exactly this; reject ends it, and nothing changes"
    )
    name: str = Field(
        title="Your name",
        description="As the project knows you. It is recorded as you type it, and shown as unauthenticated.",
        pattern=r"\S",
        max_length=200,
    )
    comment: str = Field(default="", title="Comment", description="Why; kept in the ledger.", max_length=2000)


def suspendable() -> SuspendableRun | None:
    """Return this run, if it belongs to a Prefect deployment and is no subflow; else None."""
    run = this_run()
    if run is None or run.deployment_id is None or run.parent_task_run_id is not None:
        return None
    with get_client(sync_client=True) as client:
        # Asked for: what the context knows is from before this start was counted, or not, as it was picked up.
        return SuspendableRun(str(run.id), client.read_flow_run(run.id).run_count)


def record_form_answer(
    workspace: Workspace, run: SuspendableRun, question: ApprovalQuestion, promotion: Promotion
) -> str:
    """Record the answer to the question, if there is one and the policy takes it. Return why it was not, or "".

    Whatever was decided another way meanwhile comes first, and an answer to an earlier start of the run is none.
    """
    if promotion.state is not State.STAGED or ruling(workspace, promotion).by is not None:
        return ""
    given = _answer(run, question)
    if question.attempt != run.attempt:
        if (
            isinstance(given, str) or not question.attempt
        ):  # at attempt 0 Sluice filled the form in, to start the run
            return ""
        return (
            f"{given.name} answered an earlier start of this run, which counts no more; please say it again"
        )
    if isinstance(given, str):
        return given
    if question.binding != promotion.binding:
        return f"{given.name} answered about another plan or other evidence; this is how it stands now"
    try:
        record(
            workspace, promotion, Decision(given.decision), by=given.name, comment=given.comment,
            channel=AnswerChannel.FORM,
        )  # fmt: skip
    except (BadInput, Refused) as error:
        return f"the answer of {given.name} was not taken: {error}"
    return ""


def _answer(run: SuspendableRun, question: ApprovalQuestion) -> Answer | str:
    key = keyset_from_base_key(f"suspended-{question.key}")["response"]
    given = cast(Any, read_flow_run_input)(key, flow_run_id=UUID(run.id))
    if not given:
        return "the run was started again without an answer, which is no approval"
    try:
        return Answer.model_validate(given)
    except ValidationError:
        return "the answer could not be read"


def suspend(workspace: Workspace, run: SuspendableRun, work: Work, note: str = "") -> None:
    """Suspend this run until somebody decides; it ends here, and is started again from the top. Returns only if it cannot be.

    `note` says why an answer before was not taken; it stands above the form, and in the log.
    """
    promotion = work.promotion
    if promotion is None:
        return
    question = ask(workspace, run.id, run.attempt, promotion)
    remember_run(workspace, promotion.id, run.id, run_url(run.id), run_name(), resumes=True)
    if note:
        get_run_logger().warning(note)
    question_text = asked_text(work)
    get_run_logger().info(question_text)
    show_status(workspace)
    form = Answer.with_initial_data(description=request_text(work, " ".join(note.split())))
    with _saying(question_text):
        suspend_flow_run(wait_for_input=form, key=question.key, timeout=_patience(workspace, promotion))


@contextmanager
def _saying(message: str) -> Generator[None]:
    """Have the state that a run is suspended in say who is asked for what. Prefect's function takes no message for it, and a
    state that is put in its place afterwards could undo an answer that was given meanwhile."""
    engine = cast(Any, flow_runs)
    plain = engine.Suspended
    engine.Suspended = partial(plain, message=message)
    try:
        yield
    finally:
        engine.Suspended = plain


def _patience(workspace: Workspace, promotion: Promotion) -> int:
    """Return for how many seconds Prefect lets the run wait."""
    end = promotion.updated_at + rules_of(workspace, promotion).own.waits + _LONGER
    return max(int((end - process.now()).total_seconds()), 60)
