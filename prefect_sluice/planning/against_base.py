"""A plan beside that of its base, the commit at which a branch left its main line: what is of the branch, what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.release import KEPT_COMMITS, Commit
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.runtime import documents

KEPT_RELATIONS = 200
"""So many relations of each origin are kept in a document; how many there are is told beside them."""


class Origin(StrEnum):
    """What a relation gets another pointer because of."""

    BRANCH = "branch"
    """The branch: with the base in its place, another relation would come of it, or none."""
    BASE = "base"
    """The base: it serves as other code, or not at all."""
    DATA = "data"
    """New data alone."""


class Standing(StrEnum):
    """How the base stands to the commit that serves."""

    SAME = "same"
    NEWER = "newer"
    """It has what serves, and more."""
    OLDER = "older"
    """What serves has it, and more."""
    APART = "apart"
    """Each has what the other has not."""
    UNKNOWN = "unknown"
    """Nothing serves, or git cannot tell."""


@dataclass(frozen=True, slots=True)
class BaseCommits:
    """Where a branch left its main line `ref`, and what lies between, in commits, each newest first.

    `commit` is the base, `head` the commit that `ref` is at, as whole object names. `own` are the commits of the branch,
    `waiting` those that the base has and what serves has not; `written` and `unserved` count them, also where a document kept no
    more than `KEPT_COMMITS`. `ahead` counts the commits of `ref` that the branch does not have. `others` are further bases, where
    branch and main line were merged both ways: what they brought is not told from the branch's own.
    """

    ref: str
    commit: str
    head: str
    standing: Standing = Standing.UNKNOWN
    own: tuple[Commit, ...] = ()
    waiting: tuple[Commit, ...] = ()
    written: int = 0
    unserved: int = 0
    ahead: int = 0
    others: tuple[str, ...] = ()

    def document(self) -> dict[str, Json]:
        """Return it as JSON, of each list the newest commits."""
        return {
            "ref": self.ref,
            "commit": self.commit,
            "head": self.head,
            "standing": self.standing.value,
            "own": [commit.document() for commit in self.own[:KEPT_COMMITS]],
            "waiting": [commit.document() for commit in self.waiting[:KEPT_COMMITS]],
            "written": self.written,
            "unserved": self.unserved,
            "ahead": self.ahead,
            "others": list(self.others),
        }


@dataclass(frozen=True, slots=True)
class AgainstBase:
    """What of a plan is of the branch, what of its base, and what new data alone: told, and nothing hangs on it.

    `origins` are those of the steps that move, by public name; `counts` how many there are of each, also where a document kept
    no more than `KEPT_RELATIONS`. `untold` says why the base could not be planned ("": it was); there are no origins then.
    """

    commits: BaseCommits
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    counts: Mapping[Origin, int] = field(default_factory=dict[Origin, int])
    untold: str = ""

    @classmethod
    def of(cls, commits: BaseCommits, origins: Mapping[str, Origin]) -> AgainstBase:
        """Return what is told of these origins, counted."""
        every = list(origins.values())
        return cls(commits, origins, {origin: every.count(origin) for origin in Origin})

    def of_step(self, step: Step) -> Origin | None:
        """Return what a step moves because of; None where that is not known."""
        return self.origins.get(str(step.name))

    def in_order(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """Return steps with those of the branch first, then those of the base, new data, and what is not known."""
        order = [*Origin, None]
        return tuple(sorted(steps, key=lambda step: order.index(self.of_step(step))))

    def document(self, *, whole: bool = False) -> dict[str, Json]:
        """Return it as JSON, of each origin the first relations, or the `whole` of them."""
        most = None if whole else KEPT_RELATIONS
        by_origin = {
            origin.value: [name for name, other in self.origins.items() if other is origin][:most]
            for origin in Origin
        }
        counts = {origin.value: number for origin, number in self.counts.items()}
        return {
            "commits": self.commits.document(),
            "relations": {**by_origin},
            "counts": {**counts},
            "untold": self.untold,
        }

    @classmethod
    def read(cls, document: Any) -> AgainstBase:
        """Read what `document` wrote."""
        origins = {name: Origin(origin) for origin, names in document["relations"].items() for name in names}
        counts = {Origin(origin): int(number) for origin, number in document["counts"].items()}
        return cls(documents.read(BaseCommits, document["commits"]), origins, counts, document["untold"])


def origins(
    plan: Plan, base: Plan, nodes: Mapping[str, Node], served: Mapping[str, Pointer]
) -> Mapping[str, Origin]:
    """Return the origin of each step that moves, by public name. `base` is the plan of the base for the same environment, on the
    same data; `nodes` are the base's, `served` what serves by unique id.

    What the base would do in the same way, to the fingerprint and the inputs, is not of the branch.
    """
    then = _of_base(base, nodes, served)
    alike = {_outcome(step) for step in base.steps if step.moves}
    return {
        str(step.name): then[str(step.name)] if _outcome(step) in alike else Origin.BRANCH
        for step in plan.steps
        if step.moves
    }


def _outcome(step: Step) -> tuple[str, bool, str, str]:
    """Return what a step makes of its name, whatever it does for that."""
    return str(step.name), step.action is Action.REMOVE, step.fingerprint, step.inputs


def _of_base(base: Plan, nodes: Mapping[str, Node], served: Mapping[str, Pointer]) -> Mapping[str, Origin]:
    """Return of each step of the base's plan that moves whether code moves it or new data alone."""
    by_node: dict[str, Origin] = {}
    for step in base.steps:
        if step.moves:
            # It is as it serves, and moves because something else does: a view's parents, a by-product's builds.
            along = nodes[step.node].parents if step.node in nodes else tuple(by_node)
            by_node[step.node] = _moved_by(
                step, served.get(step.node), [by_node[uid] for uid in along if uid in by_node]
            )
    return {str(step.name): by_node[step.node] for step in base.steps if step.node in by_node}


def _moved_by(step: Step, live: Pointer | None, along: Sequence[Origin]) -> Origin:
    if step.action is Action.REMOVE or live is None:
        return Origin.BASE
    if (live.fingerprint, live.name) != (step.fingerprint, step.name):
        return Origin.BASE
    if live.inputs != step.inputs:
        return Origin.DATA
    return Origin.BASE if Origin.BASE in along else Origin.DATA
