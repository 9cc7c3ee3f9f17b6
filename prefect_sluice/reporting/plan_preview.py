"""Preview of a plan: made without a lease, with how it would be published, and the reasons of its steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from prefect_sluice.approvals.ended_by_publish import EndedByPublish, ended_by_publish
from prefect_sluice.config.policy import Governance
from prefect_sluice.dbt import implementation
from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.domain.release import CommitRange, Release
from prefect_sluice.isolation.sandbox import Protection
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.costs import ExpectedCosts
from prefect_sluice.planning.dashboards import called, find_consumer, picked
from prefect_sluice.planning.expectations import ExpectedEdit
from prefect_sluice.planning.explain import StepReasons, why
from prefect_sluice.planning.impact import ImpactInputs, ReachedConsumer, reached, without
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.commits import commit_range
from prefect_sluice.promotions.load_project import LoadedProject, load
from prefect_sluice.promotions.lookups import displaced
from prefect_sluice.promotions.publish_forecast import forecast
from prefect_sluice.promotions.records import OutOfOrder, open_promotions
from prefect_sluice.promotions.request import PromoteRequest, ReleaseRequest, Request
from prefect_sluice.promotions.take_release import chosen
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.branch_check import BranchCheck, branch_check
from prefect_sluice.reporting.terminal.dashboard import DashboardStory, story
from prefect_sluice.runtime import process
from prefect_sluice.stages.adopt import TakenNames, taken_names
from prefect_sluice.stages.candidate import pace
from prefect_sluice.stages.candidate.commit_expectations import edited
from prefect_sluice.stages.compare_with_base import against_base, refuse_no_base
from prefect_sluice.stages.plan_release import before, pack, plan_for
from prefect_sluice.stages.source import source
from prefect_sluice.state.records import CheckResult
from prefect_sluice.warehouse.publishing import Forecast
from prefect_sluice.workspace.policy_in_force import governance, governed, refuse_uncommitted
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """A plan, the release it is for, how its publish would go, why the nodes asked for are in it as they are, which
    consumers it reaches, what it changes for the dashboard whose promotion it is (None: it is no such promotion), which policy
    judges it, which public names do not show what was published (it would be refused), what the build is expected to
    cost, which edits of published rows its commits declare, what code of the change is held to while it runs (None: nobody
    asked for isolation), which commits come and go, what the last check of its commit came to there (None: it was not
    checked), which promotions that wait its publish would end, what of it is of its branch (None: nobody asked), and which public
    names a release would be refused for (None: all are free, or taken over)."""

    plan: Plan
    release: Release
    expected: Forecast
    reasons: tuple[StepReasons, ...]
    reached: tuple[ReachedConsumer, ...] = ()
    given_up: tuple[ReachedConsumer, ...] = ()
    """What would break consumers if they were still declared as the served release declares them."""
    story: DashboardStory | None = None
    policy: Governance | None = None
    displaced: tuple[Displaced, ...] = ()
    costs: ExpectedCosts | None = None
    edited: tuple[ExpectedEdit, ...] = ()
    protection: Protection | None = None
    commits: CommitRange | None = None
    checked: CheckResult | None = None
    ends: tuple[EndedByPublish, ...] = ()
    base: AgainstBase | None = None
    taken: TakenNames | None = None
    branch: BranchCheck | None = None
    """The check of the branch that a merge commit brings, where the commit was not checked itself."""


def planned(
    request: Request, named: tuple[str, ...] = (), opened: Workspace | None = None, *, base: str = ""
) -> PlanPreview:
    """Return the plan of a request. Nothing that runs is disturbed. Raises BadInput for a name that no node bears.

    `opened` is the project's workspace where it is open already; `base` the branch at whose merge base the plan is looked at
    from ("": none).
    """
    process.disable_telemetry()
    if base and isinstance(request, ReleaseRequest):
        refuse_no_base(opened or Workspace.at(request.folder), request.ref, base)
    workspace = (opened or Workspace.at(request.folder)).beside(".plan")
    environment = workspace.environment(request.environment or None)
    implementation.get_ready(environment.policy.isolation)
    release = _release(workspace, environment, request)
    policy = governance(workspace, environment.name, release, request.cause)
    refuse_uncommitted(workspace, policy, release)
    workspace = governed(workspace, release, policy.counting)
    environment = workspace.environment(environment.name)
    made = plan_for(request, workspace, environment, release)
    live = workspace.warehouse(environment).generation(environment.name)
    notes = before(workspace, live, made.ids)
    loaded = load(workspace, environment, release)
    nodes = loaded.project.nodes
    reasons = tuple(why(made, notes, nodes, _meant(nodes, text)) for text in named)
    impact_inputs = ImpactInputs(made, made.base_of(live).by_node(), notes)
    declared = tuple(_consumers(loaded))
    consumers = reached(impact_inputs, declared)
    commits = commit_range(workspace, made, release)
    own = None if release.composed else workspace.store.check(environment.name, release.change.commit)
    return PlanPreview(
        made,
        release,
        forecast(workspace, environment, made),
        reasons,
        consumers,
        without(reached(impact_inputs, _declared_before(workspace, environment, made)), consumers),
        _story(request, release, declared, impact_inputs),
        policy,
        displaced(workspace, environment),
        pace.expected(workspace.store, made),
        edited(workspace, release, made),
        loaded.dbt.protection,
        commits,
        own,
        () if made.changes_nothing else _ends(workspace, made),
        against_base(workspace, environment, release, made, base, request.actor) if base else None,
        taken_names(workspace, environment, made),
        branch_check(workspace, environment.name, release, commits) if own is None else None,
    )


def _ends(workspace: Workspace, plan: Plan) -> tuple[EndedByPublish, ...]:
    own = {
        promotion.id
        for promotion in open_promotions(workspace, plan.environment)
        if promotion.plan == plan.digest
    }
    waiting = ended_by_publish(workspace, plan.environment)
    return tuple(other for other in waiting if other.promotion not in own)


def _story(
    request: Request, release: Release, declared: tuple[Consumer, ...], impact_inputs: ImpactInputs
) -> DashboardStory | None:
    made = release.composed
    if isinstance(request, PromoteRequest) and request.report:
        consumer = find_consumer(declared, request.report, f"release {release.short}")
    else:
        consumer = called(declared, picked(request.part) or (picked(made.select) if made else ""))
    return story(consumer, declared, impact_inputs.plan, impact_inputs=impact_inputs) if consumer else None


def _declared_before(workspace: Workspace, environment: Environment, plan: Plan) -> Iterable[Consumer]:
    declarations = (
        workspace.store.declared(environment.name, plan.base_release) if plan.base_release else None
    )
    return declarations.renamed(plan.notes.new_ids).consumers.values() if declarations else ()


def _consumers(loaded: LoadedProject) -> Iterable[Consumer]:
    return loaded.dbt.facts.consumers.values()


def _release(workspace: Workspace, environment: Environment, request: Request) -> Release:
    if isinstance(request, PromoteRequest):
        return chosen(workspace, environment, request)
    now = process.now()
    nobody = Lease(environment.name, 0, "", now, now)
    named_request = replace(request, environment=environment.name)
    change = source(Work(named_request, nobody, workspace=workspace)).change
    if change is None:
        raise OutOfOrder()
    return pack(workspace, environment, change, request.actor)


def _meant(nodes: Mapping[str, Node], text: str) -> str:
    """Return the unique id of the node with that name. Raises BadInput when there is none, or several."""
    uids = [uid for uid, node in nodes.items() if text.lower() in _called(node)]
    if len(uids) == 1:
        return uids[0]
    if uids:
        raise BadInput(f"{text!r} is any of {', '.join(uids)}", fix="name one of them")
    meant = did_you_mean(text, [node.short for node in nodes.values()], 3)
    hint = f" ({meant})" if meant else ""
    raise BadInput(
        f"there is no node {text!r}{hint}", fix="name a model, seed or snapshot: sluice plan --why NODE"
    )


def _called(node: Node) -> set[str]:
    return {node.unique_id.lower(), node.short.lower(), str(node.name).lower()}
