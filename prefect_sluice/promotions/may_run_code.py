"""Whether any of a release's code may run: what the gates say that judge it by its text alone, and run nothing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prefect_sluice import gates
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.release import Release
from prefect_sluice.gates.base import DeclarationsView, ReleaseView, Subject, ToolsView
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.promotions.gate_memory import remembering
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prefect_sluice.dbt.port import DbtProject
    from prefect_sluice.dbt.project import Project


def refusing(
    workspace: Workspace,
    environment: Environment,
    release: Release,
    folder: Path,
    working_directory: Path,
    dbt: DbtProject,
    project: Callable[[], Project],
) -> tuple[str, ...]:
    """Return the ids of the gates that let nothing of a release run in an environment; none if it may. Repeatable.

    What serves there was let through when it came. `folder` is the project in a checkout, `working_directory` where dbt is
    called there. `project` needs no fact of a compiled text.
    """
    code = dbt.declared()
    if not dbt.facts.has_python and not any(item.runs for item in code.code):
        return ()
    warehouse = workspace.warehouse(environment)
    current = warehouse.generation(environment.name)
    if current.release == release.id:
        return ()
    base = current.release if current.number else ""
    plan = Plan(
        environment.name, Cause.RELEASE, release.id, current.number, base, (), (), (), NotesBefore({}, {})
    )
    view = ReleaseView(
        folder,
        project().nodes,
        (),
        catalog=warehouse.catalog,
        dialect=warehouse.dialect,
        environment=environment.name,
        plan=plan,
        change=release.change,
        working_directory=working_directory,
    )
    subject = Subject(view, declarations=DeclarationsView(code))
    policy = workspace.settings.gates
    judging = [gate for gate in gates.make_gates(policy, of_candidate=False) if gate.id in gates.PERMIT]
    reports = [
        gates.run(gate, replace(subject, tools=ToolsView(memory=remembering(workspace, gate.id))), policy)
        for gate in judging
    ]
    return gates.refusals(reports, policy)
