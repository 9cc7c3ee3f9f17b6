"""What of a plan is of its branch, by two plans alone: also what moves only because something else does."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.release import KEPT_COMMITS, Commit
from prefect_sluice.planning.against_base import (
    KEPT_RELATIONS,
    AgainstBase,
    BaseCommits,
    Origin,
    Standing,
    origins,
)
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason

NODES = {
    uid: Node(uid, NodeKind.VIEW, Name("main", uid), "", "sql", (), "same", parents=parents)
    for uid, parents in {"table": (), "other": (), "view": ("table",)}.items()
}
SERVED = {
    uid: Pointer(Name("main", uid), Name("s", uid), uid, NodeKind.TABLE, "same", "in")
    for uid in (*NODES, "by-product log")
}


def step(
    uid: str, because: Because, action: Action = Action.BUILD, print: str = "same", inputs: str = "in"
) -> Step:
    return Step(action, uid, Name("main", uid), NodeKind.TABLE, Reason(because), print, inputs)


def plan(*steps: Step) -> Plan:
    return Plan("dev", Cause.RELEASE, "r", 1, "b", steps, (), (), NotesBefore({}, {}))


def of(mine: Plan, base: Plan) -> dict[str, Origin]:
    return {name.removeprefix("main."): origin for name, origin in origins(mine, base, NODES, SERVED).items()}


STAYS = step("view", Because.UNCHANGED, Action.REUSE)
LINKED = step("view", Because.LINKED_TO)
HOOKED = step("by-product log", Because.HOOKS, Action.CARRY)


def test_a_view_that_is_linked_anew_goes_with_what_it_reads() -> None:
    code, data = step("table", Because.OWN_CODE, print="new"), step("table", Because.NEW_DATA, inputs="new")
    same = step("table", Because.UNCHANGED, Action.REUSE)
    other = step("other", Because.OWN_CODE, print="new")
    assert of(plan(code, LINKED), plan(same, STAYS))["view"] is Origin.BRANCH
    assert of(plan(code, LINKED), plan(code, LINKED))["view"] is Origin.BASE
    assert of(plan(data, LINKED), plan(data, LINKED))["view"] is Origin.DATA
    assert of(plan(other, data, LINKED), plan(other, data, LINKED))["view"] is Origin.DATA


def test_a_table_of_a_hook_goes_with_whatever_is_built() -> None:
    code, data = step("table", Because.OWN_CODE, print="new"), step("other", Because.NEW_DATA, inputs="new")
    rests = step("by-product log", Because.UNCHANGED, Action.REUSE)
    assert of(plan(code, HOOKED), plan(rests))["by-product log"] is Origin.BRANCH
    assert of(plan(code, data, HOOKED), plan(data, HOOKED))["by-product log"] is Origin.DATA
    assert of(plan(code, HOOKED), plan(code, HOOKED))["by-product log"] is Origin.BASE


def test_new_data_is_that_whatever_else_changed_above_it() -> None:
    code, fresh = step("table", Because.OWN_CODE, print="new"), step("view", Because.NEW_DATA, inputs="new")
    assert of(plan(code, fresh), plan(code, fresh))["view"] is Origin.DATA


def test_what_goes_is_told_apart_too() -> None:
    gone = step("table", Because.GONE, Action.REMOVE)
    built = step("table", Because.OWN_CODE, print="new")
    assert of(plan(gone), plan())["table"] is Origin.BRANCH
    assert of(plan(gone), plan(built))["table"] is Origin.BRANCH
    assert of(plan(gone), plan(gone))["table"] is Origin.BASE
    assert of(plan(built), plan(gone))["table"] is Origin.BRANCH


def test_other_inputs_by_the_branch_are_no_new_data() -> None:
    mine = step("table", Because.NEW_DATA, inputs="of the branch")
    assert of(plan(mine), plan(step("table", Because.NEW_DATA, inputs="new")))["table"] is Origin.BRANCH


def test_a_document_keeps_the_counts_of_what_it_leaves_out() -> None:
    now = datetime(2026, 12, 2, tzinfo=UTC)
    own = tuple(Commit(f"{number:040}", "Ann <a@b>", "Why", now) for number in range(KEPT_COMMITS + 1))
    commits = BaseCommits("main", "a" * 40, "b" * 40, Standing.NEWER, own, (), len(own), 0, 2)
    small = AgainstBase.of(commits, {"main.a": Origin.BASE, "main.b": Origin.BRANCH})
    kept = AgainstBase.read(small.document())
    assert (kept.origins, kept.counts, kept.untold) == (small.origins, small.counts, "")
    assert (kept.commits.own, kept.commits.written) == (own[:KEPT_COMMITS], len(own))
    assert (kept.commits.standing, kept.commits.ahead) == (Standing.NEWER, 2)

    many = AgainstBase.of(commits, {f"main.t{number}": Origin.DATA for number in range(KEPT_RELATIONS + 1)})
    kept = AgainstBase.read(many.document())
    assert (len(kept.origins), kept.counts[Origin.DATA]) == (KEPT_RELATIONS, KEPT_RELATIONS + 1)
    assert len(AgainstBase.read(many.document(whole=True)).origins) == KEPT_RELATIONS + 1
