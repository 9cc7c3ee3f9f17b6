"""The baseline: the code that serves on the inputs of now, for what a release changes while its sources moved.

Built in a process of its own, since dbt keeps state, and in folders of its own: nothing of it is ever served.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.node import Name, ancestors
from prefect_sluice.gates.build.gate import first_line
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.promotions.load_project import load, side
from prefect_sluice.promotions.work import tell
from prefect_sluice.stages.candidate import make
from prefect_sluice.stages.plan_release import plan_release
from prefect_sluice.stages.source import serving
from prefect_sluice.warehouse.base import IncomingTable, SideLinks
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.workspace.workspace import Environment, Workspace


@dataclass(frozen=True, slots=True)
class BaselineDatabase:
    """Where a baseline is, and what it holds: the name of each relation in it, by unique id. `why`
    says what kept it from being made."""

    place: CandidatePlace | None = None
    relations: Mapping[str, Name] = field(default_factory=dict[str, Name])
    why: str = ""


def build(
    workspace: Workspace,
    environment: Environment,
    wanted: Collection[str],
    then: Mapping[str, str] | None = None,
) -> BaselineDatabase:
    """Build what serves now anew, from the inputs of now: `wanted` and what it reads. Changes nothing that anybody reads.

    `then` are the unique ids that the code that serves knows some of them by.
    """
    if not wanted:
        return BaselineDatabase()
    tell(f"baseline: {count(len(wanted), 'relation')} by the code that serves")
    ids = {(then or {}).get(uid, uid): uid for uid in wanted}
    command = [sys.executable, "-P", "-m", __name__, str(workspace.root), environment.name, *sorted(ids)]
    done = subprocess.run(
        command, cwd=workspace.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return BaselineDatabase(why=f"the code that serves could not be run on the new data: {said}")
    told = cast("dict[str, Any]", json.loads(lines[-1]))
    relations = {ids[uid]: Name(*name) for uid, name in told["relations"].items()}
    why = "; ".join(f"the code that serves fails on today's data: {said}" for said in told["failed"][:1])
    return BaselineDatabase(
        side(_Apart(workspace.file, workspace.settings, once=workspace.once), environment), relations, why
    )


@dataclass(frozen=True)
class _Apart(Workspace):
    """The same, with other folders for dbt to work in."""

    def work(self, environment: Environment) -> Path:
        """See Workspace."""
        return self.folder / "work" / f"{environment.name}-baseline"


def _built(
    workspace: Workspace, environment: Environment, wanted: Sequence[str]
) -> tuple[Mapping[str, Name], Sequence[str]]:
    """Build; return where each relation lies in the side database, and what was said of those that failed."""
    release = serving(workspace, environment)
    whole = plan_release(workspace, environment, release, Cause.REFRESH)
    loaded = load(workspace, environment, release)
    warehouse = workspace.warehouse(environment, loaded.session)
    live = warehouse.generation(environment.name)
    plan = only(whole, {*ancestors(loaded.project.nodes, wanted), *wanted}, live)
    results = make.apart(warehouse, loaded, live, plan)
    bad = [f"{result.short}: {first_line(result.message)}" for result in results if result.status == "error"]
    made = {result.unique_id for result in results if result.ok}
    names = {uid: loaded.project.nodes[uid].name for uid in wanted if uid in made}
    store = workspace.settings.warehouse.store
    at = {uid: Name(store, f"baseline_{number}") for number, uid in enumerate(names)}
    tables = tuple(IncomingTable(name, at[uid]) for uid, name in names.items())
    sealed = warehouse.seal(loaded.session.place, SideLinks(tables, (), ()))
    found = {uid: at[uid] if at[uid] in sealed.pinned else name for uid, name in names.items()}
    bad += [
        f"{loaded.project.nodes[uid].short}: {sealed.unread[at[uid]]}"
        for uid in names
        if at[uid] in sealed.unread
    ]
    return {uid: name for uid, name in found.items() if at[uid] not in sealed.unread}, bad


def only(plan: Plan, wanted: Collection[str], live: Generation) -> Plan:
    """Return the plan that makes no more than `wanted`; all else stays as it serves. Pure."""
    served = live.by_node()

    def kept(step: Step) -> Step:
        return replace(step, action=Action.REUSE, pointer=served[step.node], note="")

    steps = [
        step if not step.action.makes or step.node in wanted else kept(step)
        for step in plan.steps
        if not step.action.makes or step.node in wanted or step.node in served
    ]
    return replace(plan, steps=tuple(steps))


def main(arguments: Sequence[str]) -> None:
    """Build in this process; say as JSON where it is, or why it cannot be built."""
    folder, environment, *wanted = arguments
    workspace = _Apart.at(Path(folder))
    try:
        found, failed = _built(workspace, workspace.environment(environment), wanted)
    except SluiceError as error:
        found, failed = dict[str, Name](), [str(error).splitlines()[0]]
    relations = {uid: [name.schema, name.identifier] for uid, name in found.items()}
    sys.stdout.write(f"{json.dumps({'relations': relations, 'failed': failed})}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
