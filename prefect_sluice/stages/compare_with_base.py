"""Compare a plan with that of its base, the commit at which its branch left the main line. Told, and nothing hangs on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prefect_sluice.domain.errors import Refused, SluiceError
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.domain.untrusted_text import one_line
from prefect_sluice.planning.against_base import AgainstBase, BaseCommits, Standing, origins
from prefect_sluice.planning.make_plan import make_plan
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.commits import missing, whole
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.work import tell
from prefect_sluice.source import git
from prefect_sluice.source.divergence import ancestry, diverged
from prefect_sluice.source.fork_point import ForkPoint, fork_point
from prefect_sluice.stages.plan_release import pack, question
from prefect_sluice.workspace.policy_in_force import governed
from prefect_sluice.workspace.workspace import Environment, Workspace


def against_base(
    workspace: Workspace, environment: Environment, release: Release, plan: Plan, ref: str, actor: str
) -> AgainstBase:
    """Return what of the plan of a release is of its branch, and what is on the branch `ref` already where it left that.

    The base is parsed and planned on the data that `plan` saw, in folders of its own: nothing of it is built, and what is loaded
    of the release stays loaded. A base that cannot be planned is told as such. Raises BadInput as `fork_point`. Repeatable.
    """
    tip = _tip(workspace, release)
    fork = fork_point(workspace.repository, ref, tip)
    commits = _commits(workspace, plan, fork, tip)
    try:
        return AgainstBase.of(
            commits, origins(plan, *_planned(workspace, environment, release, fork, plan, actor))
        )
    except SluiceError as error:
        why = one_line(error.problem)
        return AgainstBase(commits, untold=f"{ref} at {fork.commit[:7]} cannot be planned: {why}")


def refuse_no_base(workspace: Workspace, commit_ref: str, ref: str) -> None:
    """Raise BadInput where git cannot tell where `commit_ref` left the branch `ref`: before anything is done for nothing."""
    commit = git.resolve(workspace.repository, commit_ref, "").commit
    fork_point(workspace.repository, ref, commit)


def _tip(workspace: Workspace, release: Release) -> str:
    """Return the commit of a release; that of HEAD for a working tree."""
    if release.change.commit == DIRTY:
        return git.resolve(workspace.repository, "HEAD", release.change.project).commit
    return release.change.commit


def _planned(
    workspace: Workspace, environment: Environment, release: Release, fork: ForkPoint, plan: Plan, actor: str
) -> tuple[Plan, Mapping[str, Node], Mapping[str, Pointer]]:
    """Return the plan of the base, its nodes, and what serves by unique id."""
    base, apart = release, workspace
    if fork.commit != release.change.commit:
        tell(f"parsing the base: {fork.ref} at {fork.commit[:7]}")
        change = git.resolve(workspace.repository, fork.commit, release.change.project)
        base = pack(workspace, environment, change, actor)
        apart = governed(workspace, base, workspace.judged_by).beside(f"{workspace.apart}.base")
        apart = replace(apart, once=workspace.once.without("project"))
    place = apart.environment(environment.name)
    loaded = load(apart, place, base)
    if loaded.withheld:
        raise Refused(
            f"none of its code may run ({', '.join(loaded.withheld)})",
            f"see what of it may not: sluice plan {fork.commit[:7]}",
        )
    asked = question(apart, place, base, plan.cause, adopt=bool(plan.adopted))
    if apart is not workspace:
        loaded.dbt.close()
    # The same data, the same day: what cannot be told apart by a version would be another one for each release.
    seen = {text: version for text, version in plan.notes.versions.items() if text in asked.versions}
    asked = replace(asked, versions={**asked.versions, **seen})
    return make_plan(asked), asked.nodes, asked.live.by_node()


def _commits(workspace: Workspace, plan: Plan, fork: ForkPoint, tip: str) -> BaseCommits:
    repository = workspace.repository
    own, ahead = diverged(repository, fork.head, tip).comes, len(ancestry(repository, fork.head, tip))
    lines = BaseCommits(
        fork.ref, fork.commit, fork.head, own=own, written=len(own), ahead=ahead, others=fork.others
    )
    base = workspace.store.release(plan.base_release) if plan.base_release else None
    if base is None:
        return replace(lines, standing=Standing.UNKNOWN if plan.base else Standing.NEWER)
    served = whole(workspace, base).change.commit
    if (
        served == DIRTY
        or missing(repository, served, fork.commit)
        or missing(repository, fork.commit, served)
    ):
        return lines
    waiting = diverged(repository, served, fork.commit).comes
    standing = _standing(served, fork.commit, git.merge_base(repository, served, fork.commit))
    if base.composed is not None and standing is not Standing.OLDER:
        standing = Standing.APART  # its parts are of other commits
    return replace(lines, standing=standing, waiting=waiting, unserved=len(waiting))


def _standing(served: str, base: str, common: str) -> Standing:
    if served == base:
        return Standing.SAME
    if common == served:
        return Standing.NEWER
    return Standing.OLDER if common == base else Standing.APART
