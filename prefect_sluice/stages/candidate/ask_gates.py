"""How Test and Stage put the gates their question: what both know of a release, and one gate after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from prefect_sluice import gates
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.former_text import Former
from prefect_sluice.domain.release import Release
from prefect_sluice.domain.verdict import GateReport
from prefect_sluice.gates.base import DeclarationsView, Gate, PastMeasure, ReleaseView, Subject, ToolsView
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.gate_memory import remembering
from prefect_sluice.promotions.load_project import LoadedProject, checkout, included_files
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.allowed_variables import names_read, visible
from prefect_sluice.runtime.events import JUDGED, GateJudged
from prefect_sluice.stages.candidate import conditions
from prefect_sluice.stages.candidate.commit_expectations import commit_declarations
from prefect_sluice.workspace.former_files import FormerFiles, before
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore


def subject(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, release: Release, plan: Plan
) -> Subject:
    """Return what is known of a release before any of it is built."""
    warehouse, touched = workspace.warehouse(environment), _touched(workspace, release, plan)
    view = ReleaseView(
        project=loaded.folder,
        working_directory=loaded.working_directory,
        nodes=loaded.project.nodes,
        changed=plan.made,
        edited=plan.edited,
        catalog=warehouse.catalog,
        dialect=warehouse.dialect,
        touched=touched,
        rewritten=_rewritten(loaded, release, frozenset(touched)),
        former=_former(workspace, loaded, release, plan),
        environment=environment.name,
        cause=plan.cause,
        plan=plan,
        change=release.change,
    )
    declarations = DeclarationsView(
        now=_declared(workspace, environment, loaded, release),
        before=_before(workspace, environment, plan),
        expected=cache(lambda: commit_declarations(workspace, release, plan)),
    )
    tools = ToolsView(
        earlier=cache(lambda: _earlier(workspace, plan)),
        apart=cache(
            lambda: checkout(workspace, release, purpose="tests", anew=True) / release.change.project
        ),
        conditions=partial(conditions.proven, workspace, environment, loaded, release),
        variables=_variables(workspace, loaded),
        readable=included_files(workspace, release.change.project),
        must_isolate=environment.policy.isolation == "required",
        vars=workspace.settings.vars,
    )
    return Subject(view, declarations=declarations, tools=tools)


def ask(asked: Iterable[Gate], subject: Subject, workspace: Workspace) -> tuple[GateReport, ...]:
    """Have each gate answer: first those that run nothing of the change, then, if they let it run, all others."""
    reports: list[GateReport] = []
    policy = workspace.settings.gates
    for gate in gates.in_order(asked):
        tell(f"gate {gate.id}")
        memory = remembering(workspace, gate.id)
        history = _History(workspace.store, subject.release, gate.id)
        own = replace(subject, tools=replace(subject.tools, memory=memory, history=history))
        started = process.now()
        held_back = gates.held_back(gate, gates.refusals(reports, policy))
        reports.append(held_back or gates.run(gate, own, policy))
        JUDGED.tell(GateJudged(reports[-1], started, process.now(), _blocks(workspace, gate.id)))
    return tuple(reports)


def _blocks(workspace: Workspace, gate: str) -> bool:
    policy = workspace.settings.gates.get(gate)
    return policy is None or policy.on != "warn"


class _History:
    """What one gate measured of candidates that were served in an environment; what is changed is asked for at once."""

    def __init__(self, store: StateStore, release: ReleaseView, gate: str) -> None:
        self._store, self._environment, self._gate = store, release.environment, gate
        self._ahead = tuple(release.changed)
        self._former = release.plan.notes.former if release.plan else dict[str, tuple[str, ...]]()
        self._asked: set[str] = set()
        self._found: dict[tuple[str, str], Sequence[PastMeasure]] = {}

    def of(self, subject: str, metric: str) -> Sequence[PastMeasure]:
        if subject not in self._asked:
            self._ask(self._ahead if subject in self._ahead else (subject,))
        return self._found.get((subject, metric), ())

    def _ask(self, subjects: Sequence[str]) -> None:
        ids = {uid: (uid, *self._former.get(uid, ())) for uid in subjects}
        every = [each for own in ids.values() for each in own]
        found = self._store.measures(self._environment, self._gate, every)
        for uid, own in ids.items():
            for metric in {metric for each, metric in found if each in own}:
                values = [value for each in own for value in found.get((each, metric), ())]
                self._found[uid, metric] = [PastMeasure(*value) for value in values]
        self._asked |= set(subjects)


def _variables(workspace: Workspace, loaded: LoadedProject) -> Mapping[str, str]:
    """Return the environment variables that a process which runs code of the change may see."""
    profile = workspace.profile.file
    texts = (profile.read_text(encoding="utf-8", errors="replace"),) if profile.is_file() else ()
    read = loaded.dbt.facts.environment | names_read(texts)
    own = workspace.settings.gates.get("project_tests")
    return visible(workspace.environ, read, tuple(getattr(own, "env", ())))


def _touched(workspace: Workspace, release: Release, plan: Plan) -> tuple[str, ...]:
    """Return the paths of files that the release that serves has not, or not so: of all commits since, not of the last."""
    base = workspace.store.release(plan.base_release) if plan.base_release else None
    before: Mapping[str, str] = base.files if base else {}
    return tuple(sorted(path for path, entry in release.files.items() if before.get(path) != entry))


def _former(workspace: Workspace, loaded: LoadedProject, release: Release, plan: Plan) -> Former:
    """Return what tells of files what they were before; where nothing ever served, that is what they are now."""
    files = before(workspace, plan.base_release)
    return FormerFiles(
        workspace.bundles, release.files if files is None else files, release.change.root(loaded.folder)
    )


def _declared(
    workspace: Workspace, environment: Environment, loaded: LoadedProject, release: Release
) -> Declarations:
    """Return what the project declares, and remember it: the next release is compared with it."""
    nodes = loaded.project.nodes
    found = loaded.dbt.declared()
    described = {
        uid: replace(item, contract=nodes[uid].contract) if uid in nodes else item
        for uid, item in found.described.items()
    }
    found = replace(found, described=described)
    if workspace.store.declared(environment.name, release.id) is None:
        with workspace.store.transaction() as transaction:
            transaction.put_declared(environment.name, release.id, found)
    return found


def _before(workspace: Workspace, environment: Environment, plan: Plan) -> Declarations | None:
    if not plan.base_release:
        return None
    found = workspace.store.declared(environment.name, plan.base_release)
    return found.renamed(plan.notes.new_ids) if found is not None else None


def _rewritten(loaded: LoadedProject, release: Release, touched: Collection[str]) -> tuple[str, ...]:
    """Return the nodes whose file is touched, or is none of git's: nobody knows what that was before."""
    folder = PurePosixPath(release.change.project)
    # A package's paths are relative to its own folder, which git does not have.
    own = {
        uid: str(folder / node.path)
        for uid, node in loaded.project.nodes.items()
        if uid.split(".")[1] == loaded.project.name
    }
    return tuple(uid for uid, path in own.items() if path in touched or path not in release.files)


def _earlier(workspace: Workspace, plan: Plan) -> Path | None:
    release = workspace.store.release(plan.base_release) if plan.base_release else None
    return checkout(workspace, release, purpose="before") / release.change.project if release else None
