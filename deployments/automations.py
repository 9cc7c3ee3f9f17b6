"""Automations of a Prefect server for our deployments: notify of failed and late runs and of questions; release and check pushes.

Prefect's own automation for runs that give no sign of life is not among them: it ends every run that is suspended for an
approval. `prefect_sluice.orchestration.dead_runs` does that, by our own signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import RunDeployment, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.orchestration.this_run import ENTRYPOINTS, deployments

BAD = (
    "Failed", "Crashed", "TimedOut", "Refused", "Stopped", "Busy", "BadInput", "Partial", "Unhealthy"
)  # fmt: skip
"""The states that somebody is to hear of. The names of events follow a state's name, not its type."""
PUSHED = "git.pushed"
"""The event that starts a release, or a check: resource `git.<repository>` with the label `git.branch`, payload `commit`."""
_BY_CLOCK = (f"{ENTRYPOINTS}refresh.refresh", f"{ENTRYPOINTS}collect.collect")
"""What is late when it is late: a look each minute that comes a minute later is no news."""
_RELEASE = f"{ENTRYPOINTS}release.release"
_CHECK = f"{ENTRYPOINTS}check.check"
_SUBJECT = "{{ flow_run.name }}: {{ flow_run.state.name }}"
_ASKED_SUBJECT = "{{ flow_run.name }} waits for a yes"
_ASKED_BODY = "{{ flow_run.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
_BODY = (
    "{{ flow_run.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
)


def apply(
    *, notify: str = "", folder: str | None = None, branch: str = "main", checks: bool = False
) -> tuple[str, ...]:
    """Give the server the automations for our Prefect deployments, and return their names. Repeatable: they are renewed.

    `notify` is a notification block as type/name ("": nobody is told, and what told somebody before is taken away). `folder` is
    the parameter by which Prefect deployments name a project (None: all of ours). Pushes to `branch` are released, and those to
    every branch checked where there are `checks`: the run knows which branches are meant.
    Raises BadInput when there is no such block, or it cannot notify.
    """
    with get_client(sync_client=True) as client:
        prefect_deployments = tuple(deployments(client, folder))
        block = _block(client, notify) if notify else None
        wanted = planned(prefect_deployments, block, folder or "", branch, checks=checks)
        for automation in wanted:
            _save_automation(client, automation)
        for name in _NAMES:
            if _automation_name(name, folder or "") not in {automation.name for automation in wanted}:
                _drop(client, _automation_name(name, folder or ""))
    return tuple(automation.name for automation in wanted)


_FAILED, _LATE, _ASKED, _PUSHED = "a run failed", "a run is late", "a yes is asked for", "git was pushed"
_PUSHED_CHECK = "git was pushed: check"
_NAMES = (_FAILED, _LATE, _ASKED, _PUSHED, _PUSHED_CHECK)


def planned(
    prefect_deployments: Sequence[DeploymentResponse],
    block: UUID | None,
    folder: str,
    branch: str,
    *,
    checks: bool = False,
) -> tuple[AutomationCore, ...]:
    """Return the automations for these Prefect deployments. Touches nothing."""
    wanted: list[AutomationCore] = []
    if block is not None and prefect_deployments:
        wanted.append(_telling(_automation_name(_FAILED, folder), BAD, prefect_deployments, block))
        question = (_ASKED_SUBJECT, _ASKED_BODY)
        wanted.append(
            _telling(_automation_name(_ASKED, folder), ("Suspended",), prefect_deployments, block, question)
        )
        late = [deployment for deployment in prefect_deployments if deployment.entrypoint in _BY_CLOCK]
        wanted += [_telling(_automation_name(_LATE, folder), ("Late",), late, block)] if late else []
    by_entrypoint = {deployment.entrypoint: deployment for deployment in prefect_deployments}
    if _RELEASE in by_entrypoint:
        what = f"Releases the commit of an event {PUSHED} on {branch}."
        wanted.append(
            _starting(
                _automation_name(_PUSHED, folder), what, by_entrypoint[_RELEASE], {"git.branch": branch}
            )
        )
    if checks and _CHECK in by_entrypoint:
        what = f"Checks the commit of an event {PUSHED}, where schedules.check names its branch."
        found = {"branch": "{{ event.resource['git.branch'] }}"}
        wanted.append(
            _starting(_automation_name(_PUSHED_CHECK, folder), what, by_entrypoint[_CHECK], {}, found)
        )
    return tuple(wanted)


def _automation_name(name: str, folder: str) -> str:
    return f"sluice: {name} ({folder})" if folder not in {"", "."} else f"sluice: {name}"


def _telling(
    name: str,
    states: Sequence[str],
    prefect_deployments: Sequence[DeploymentResponse],
    block: UUID,
    words: tuple[str, str] = (_SUBJECT, _BODY),
) -> AutomationCore:
    theirs = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{deployment.id}" for deployment in prefect_deployments],
    }
    trigger = EventTrigger(
        expect={f"prefect.flow-run.{state}" for state in states},
        match=ResourceSpecification.model_validate({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification.model_validate(theirs),
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
    )
    notification = SendNotification(block_document_id=block, subject=words[0], body=words[1])
    return AutomationCore(
        name=name,
        description="Made by Sluice; the next `sluice up` writes it anew.",
        trigger=trigger,
        actions=[notification],
    )


def _starting(
    name: str,
    what: str,
    started_deployment: DeploymentResponse,
    labels: Mapping[str, str],
    parameters: Mapping[str, str] | None = None,
) -> AutomationCore:
    trigger = EventTrigger(
        expect={PUSHED},
        match=ResourceSpecification.model_validate({"prefect.resource.id": "git.*", **labels}),
        posture=Posture.Reactive,
        threshold=1,
    )
    started = RunDeployment(
        source="selected",
        deployment_id=started_deployment.id,
        parameters={"ref": "{{ event.payload.commit }}", **(parameters or {})},
        job_variables=None,
    )
    return AutomationCore(
        name=name,
        description=f"{what} Made by Sluice.",
        trigger=trigger,
        actions=[started],
    )


def _block(client: SyncPrefectClient, notify: str) -> UUID:
    kind, _, name = notify.partition("/")
    fix = "name a notification block that the server has, as type/name: slack-webhook/oncall"
    try:
        document = client.read_block_document_by_name(name, kind)
    except ObjectNotFound as error:
        raise BadInput(f"there is no Prefect block {notify!r}", "notify", fix) from error
    capabilities = document.block_schema.capabilities if document.block_schema else []
    if "notify" not in capabilities:
        raise BadInput(f"the Prefect block {notify!r} cannot notify anybody", "notify", fix)
    return document.id


def _save_automation(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    first, *more = client.read_automations_by_name(wanted.name) or [None]
    if first is None:
        client.create_automation(wanted)
        return
    client.update_automation(first.id, wanted)
    for automation in more:
        if automation is not None:
            client.delete_automation(automation.id)


def _drop(client: SyncPrefectClient, name: str) -> None:
    for automation in client.read_automations_by_name(name):
        client.delete_automation(automation.id)
