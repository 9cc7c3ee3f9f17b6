"""A plan, as a Prefect flow: what a release, promotion or refresh would do. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.orchestration.conduct import RunContext, prepared
from prefect_sluice.orchestration.final_states import ending
from prefect_sluice.orchestration.heartbeat import OWN_HEARTBEAT
from prefect_sluice.orchestration.run_names import run_name_maker
from prefect_sluice.orchestration.shown.messages import name_forms
from prefect_sluice.planning.choices import chosen
from prefect_sluice.promotions.request import PromoteRequest, RefreshRequest, ReleaseRequest
from prefect_sluice.tasks.plan import plan as look

_TAKES = {
    "release": frozenset({"ref", "adopt", "base"}),
    "promote": frozenset({"ref", "report", "select", "origin"}),
    "refresh": frozenset({"select"}),
}
"""By what is to be done: the fields that say it, beside where to."""


@flow(name="plan", flow_run_name=run_name_maker("plan"), task_runner=OWN_HEARTBEAT, persist_result=False)
def plan(
    way: Literal["release", "promote", "refresh"] = "release",
    environment: str = "",
    ref: str = "",
    report: str = "",
    select: str = "",
    origin: str = "",
    adopt: bool = False,
    why: str = "",
    base: str = "",
    folder: str = ".",
    actor: str = "prefect",
    connections: str = "",
) -> State[Any]:
    """Say what would be built, reused and removed, and who would see it. Nothing is built or published, nobody is asked.

    Args:
        way: A commit into an environment, what serves in one into the next, or new source data.
        environment: Where to.
        ref: Of a release the commit, branch or tag, of a promotion the release; empty is what is checked out, or what serves
            in the environment before.
        report: Of a promotion: only this dashboard.
        select: Of a promotion or refresh: only a part, by dbt's selector.
        origin: Of a promotion: what this environment serves; empty is the one before.
        adopt: Of a first release: take over what stands under the project's names.
        why: Names of models, seeds or snapshots, with blanks between them: say why each is built or reused.
        base: Of a release: the branch that its own was made from; what is of its own is told apart. Empty is none.
        folder: The folder that holds sluice.yml, or the git URL of a repository that has it at its top.
        actor: Who asks for it, for the ledger.
        connections: The name of the blocks that say where warehouse, state store and bundles are; empty is what the worker has.
    """
    given = {"ref": ref, "report": report, "select": select, "origin": origin, "adopt": adopt, "base": base}
    wanted: ReleaseRequest | PromoteRequest | RefreshRequest
    match way:
        case "release":
            wanted = ReleaseRequest(Path(), environment, ref.strip() or "HEAD", adopt=adopt, actor=actor)
        case "promote":
            part = (select, chosen(report))
            wanted = PromoteRequest(Path(), environment, ref.strip(), origin, *part, actor=actor)
        case "refresh":
            wanted = RefreshRequest(Path(), environment, select, actor=actor)

    def looked() -> State[Any]:
        refuse_what_it_would_ignore(way, given)
        with prepared(wanted, RunContext(folder, connections)) as (workspace, request):
            return Completed(
                name="Planned", message=name_forms(look(request, tuple(why.split()), workspace, base))
            )

    return ending(looked)


def refuse_what_it_would_ignore(way: str, given: Mapping[str, str | bool]) -> None:
    """Raise BadInput for fields that are filled in and say nothing of what is to be done: the plan would be of something else."""
    filled = [name for name, value in given.items() if value]
    ignored = [name for name in filled if name not in _TAKES[way]]
    if ignored:
        others = [other for other, taken in _TAKES.items() if taken.issuperset(filled)]
        instead = f", or choose way {' or '.join(others)}" if others else ""
        raise BadInput(
            f"a plan of a {way} takes no {' and no '.join(ignored)}",
            "form plan",
            f"leave that empty{instead}",
        )
