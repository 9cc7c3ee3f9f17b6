"""Each decision of the plan with its reason, and what holds for any project and any change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, Node, NodeKind, descendants
from prefect_sluice.planning.make_plan import PlanInputs, make_plan
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Note, Noted
from prefect_sluice.planning.refresh_subset import source_texts
from prefect_sluice.planning.source_versions import by_content
from prefect_sluice.promotions.verify_reused import built_on

RAW = Name("raw", "orders")
ORDERS = {"raw.orders": "v1"}


def uid(name: str) -> str:
    return f"model.shop.{name}"


def node(name: str, *parents: str, code: str = "1", kind: NodeKind = NodeKind.TABLE, **more: object) -> Node:
    """Return a node; `code` stands for its text. Its fingerprint is left open: `project` fills it in."""
    draft = Node(
        uid(name),
        kind,
        Name("main", name),
        f"models/{name}.sql",
        "sql",
        ("shop", name),
        "",
        own=f"{name}:{code}",
    )
    return replace(draft, parents=tuple(uid(parent) for parent in parents), **more)  # pyright: ignore[reportArgumentType]  # the cases give the fields


def project(*nodes: Node) -> Mapping[str, Node]:
    """Return nodes in build order, fingerprinted as dbt's are: by their own text and their parents'."""
    done: dict[str, Node] = {}
    for item in nodes:
        above = [done[parent].fingerprint for parent in item.parents if parent in done]
        done[item.unique_id] = replace(item, fingerprint=digest([item.own, *above]))
    return done


@dataclass
class Environment:
    """An environment that is released to in memory: what a plan makes goes to an address of its own."""

    name: str = "prod"
    generations: list[Generation] = field(default_factory=list[Generation])
    notes: NotesBefore | None = None
    kept: tuple[Pointer, ...] = ()

    @property
    def live(self) -> Generation:
        return self.generations[-1] if self.generations else self.empty(0, ())

    def empty(self, number: int, pointers: tuple[Pointer, ...]) -> Generation:
        at = datetime(2026, 3, 1, tzinfo=UTC)
        return Generation(
            self.name, number, f"r{number}", f"p{number}", 1, Cause.RELEASE, number, at, pointers
        )

    def plan(
        self,
        nodes: Mapping[str, Node],
        *,
        versions: Mapping[str, str] | None = None,
        tests: Mapping[str, str] | None = None,
    ) -> Plan:
        return make_plan(self.inputs(nodes, versions=versions, tests=tests))

    def inputs(
        self,
        nodes: Mapping[str, Node],
        *,
        versions: Mapping[str, str] | None = None,
        tests: Mapping[str, str] | None = None,
    ) -> PlanInputs:
        return PlanInputs(
            self.name,
            Cause.RELEASE,
            "release",
            nodes,
            tests or {},
            ORDERS if versions is None else versions,
            self.live,
            by_content(self.kept),
            self.notes,
            last_generations={
                pointer.address: generation.number
                for generation in self.generations
                for pointer in generation.pointers
            },
        )

    def release(
        self,
        nodes: Mapping[str, Node],
        *,
        versions: Mapping[str, str] | None = None,
        extra: tuple[Pointer, ...] = (),
    ) -> Plan:
        """Plan, and serve what the plan says; `extra` are by-products of hooks."""
        plan = self.plan(nodes, versions=versions)
        number = self.live.number + 1
        pointers = tuple(
            serve(step, number)
            for step in plan.steps
            if step.action is not Action.REMOVE and not step.node.startswith("hook.")
        )
        self.generations.append(self.empty(number, (*pointers, *extra)))
        self.kept = (*self.kept, *pointers)
        self.notes = plan.notes
        return plan


def serve(step: Step, number: int) -> Pointer:
    if step.action is Action.REUSE:
        assert step.pointer is not None
        return step.pointer
    return Pointer(
        step.name,
        Name("store", f"{step.name.identifier}__{number}"),
        step.node,
        step.kind,
        step.fingerprint,
        step.inputs,
    )


def told(plan: Plan) -> dict[str, tuple[Action, str]]:
    """Return action and reason by short name."""
    return {step.node.removeprefix("model.shop."): (step.action, str(step.reason)) for step in plan.steps}


def actions(plan: Plan) -> dict[str, Action]:
    return {name: action for name, (action, _) in told(plan).items()}


# ---- every decision ------------------------------------------------------------------------------------

SHOP = (node("a", sources=(RAW,)), node("b", "a"), node("c"))


def after_first(*nodes: Node) -> Environment:
    environment = Environment()
    environment.release(project(*(nodes or SHOP)))
    return environment


def test_the_first_release_builds_everything() -> None:
    plan = Environment().plan(project(*SHOP))
    assert told(plan) == dict.fromkeys("abc", (Action.BUILD, "new"))
    assert plan.made == (uid("a"), uid("b"), uid("c"))
    assert plan.edited == plan.made
    assert (plan.base, plan.base_release, plan.changes_nothing) == (0, "r0", False)


def test_what_did_not_change_is_not_built() -> None:
    plan = after_first().plan(project(*SHOP))
    assert told(plan) == dict.fromkeys("abc", (Action.REUSE, "unchanged"))
    assert plan.changes_nothing
    assert (plan.made, plan.edited, plan.base) == ((), (), 1)


def test_a_changed_node_and_its_readers_are_built() -> None:
    plan = after_first().plan(project(node("a", code="2", sources=(RAW,)), *SHOP[1:]))
    assert told(plan) == {
        "a": (Action.BUILD, "its own code changed"),
        "b": (Action.BUILD, "reads a"),
        "c": (Action.REUSE, "unchanged"),
    }
    assert plan.edited == (uid("a"),)


def test_many_changed_parents_are_counted() -> None:
    parents = [node(name) for name in "abcd"]
    environment = after_first(*parents, node("e", *"abcd"))
    plan = environment.plan(project(*(node(name, code="2") for name in "abcd"), node("e", *"abcd")))
    assert told(plan)["e"] == (Action.BUILD, "reads a, b and 2 more")


def test_a_new_node_is_built_alone() -> None:
    plan = after_first().plan(project(*SHOP, node("d", "a")))
    assert told(plan)["d"] == (Action.BUILD, "new")
    assert plan.made == (uid("d"),)
    assert plan.edited == (uid("d"),)


def test_new_data_is_built_with_the_same_code() -> None:
    plan = after_first().plan(project(*SHOP), versions={"raw.orders": "v2"})
    assert told(plan) == {
        "a": (Action.BUILD, "new data in raw.orders"),
        "b": (Action.BUILD, "new data in a"),
        "c": (Action.REUSE, "unchanged"),
    }
    assert plan.edited == ()


def test_data_of_files_and_other_databases_counts() -> None:
    reads = node("a", files=("x.csv",), elsewhere=("other.t",))
    assert source_texts(reads) == ("file:x.csv", "at:other.t")
    environment = Environment()
    versions = {"file:x.csv": "1", "at:other.t": "1"}
    environment.release(project(reads), versions=versions)
    assert environment.plan(project(reads), versions=versions).changes_nothing
    plan = environment.plan(project(reads), versions={**versions, "file:x.csv": "2"})
    assert told(plan)["a"] == (Action.BUILD, "new data in x.csv, other.t")


def test_a_source_without_a_version_is_one_that_does_not_change() -> None:
    environment = Environment()
    environment.release(project(*SHOP), versions={})
    assert environment.plan(project(*SHOP), versions={}).changes_nothing
    assert actions(environment.plan(project(*SHOP)))["a"] is Action.BUILD


def test_what_was_built_before_and_is_kept_is_not_built_again() -> None:
    environment = after_first()
    first = environment.live
    environment.release(project(node("a", code="2", sources=(RAW,)), *SHOP[1:]))
    plan = environment.plan(project(*SHOP))
    kept = (Action.REUSE, "as it was in generation 1, which is kept")
    assert told(plan) == {"a": kept, "b": kept, "c": (Action.REUSE, "unchanged")}
    assert [step.pointer for step in plan.steps] == list(first.pointers)
    assert not plan.changes_nothing
    assert plan.edited == (uid("a"),), "its own text changed against what is live"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"code": "2"}, "its own code changed"),
        ({"code": "2", "the whole project": "2"}, "its own code changed"),
        ({"the whole project": "2"}, "dbt's graph changed, which it reads"),
        ({"the whole project": "2", "macro shop.all": "2"}, "macro shop.all, dbt's graph changed"),
        ({"var threshold": "2"}, "var threshold changed"),
        ({"config a": "2", "config b": "2", "config c": "2"}, "config a, config b and 1 more changed"),
        ({"seed": "2"}, "its file changed"),
    ],
)
def test_the_reason_is_what_changed(parts: Mapping[str, str], reason: str) -> None:
    then = {"code": "1", "the whole project": "1"}
    before, now = (
        replace(node("a", code=code), makeup=FingerprintParts(code, found))
        for code, found in (("1", then), ("2", {**then, **parts}))
    )
    assert told(after_first(before).plan(project(now)))["a"] == (Action.BUILD, reason)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ({"var days": "2"}, "var days changed"),
        ({"var days": "2", "inlined money": "2"}, "inlined money, var days changed"),
        ({"code": "2", "var days": "2"}, "its own code changed"),
        ({}, "its own code changed"),
    ],
)
def test_a_compiled_text_that_is_another_by_a_variable_alone_says_so(
    template: Mapping[str, str], reason: str
) -> None:
    then = {"code": "t", "var days": "1"}
    before, now = (
        replace(node("a", code=code), makeup=FingerprintParts(code, {"code": code}, compiled_from=made_from))
        for code, made_from in (("1", then), ("2", {**then, **template} if template else {}))
    )
    assert told(after_first(before).plan(project(now)))["a"] == (Action.BUILD, reason)


def test_a_view_is_linked_anew_when_what_it_reads_moves() -> None:
    """Its fingerprint may stay (it reads no column that changed), but its query holds the addresses of its first day."""
    a, b = node("a"), node("b", "a", kind=NodeKind.VIEW)
    environment = after_first(a, b, node("c", "b", kind=NodeKind.VIEW), node("d", "b"))
    nodes = dict(project(a, b, node("c", "b", kind=NodeKind.VIEW), node("d", "b")))
    nodes[uid("a")] = replace(nodes[uid("a")], own="a:2", fingerprint="another")
    assert told(environment.plan(nodes)) == {
        "a": (Action.BUILD, "its own code changed"),
        "b": (Action.BUILD, "linked to the new a"),
        "c": (Action.BUILD, "linked to the new b"),
        "d": (Action.REUSE, "unchanged"),
    }


def test_a_view_that_is_served_as_a_table_stays() -> None:
    shop = (node("a"), node("b", "a", kind=NodeKind.VIEW, reads_outside=True))
    environment = after_first(*shop)
    nodes = dict(project(*shop))
    nodes[uid("a")] = replace(nodes[uid("a")], fingerprint="another")
    assert told(environment.plan(nodes))["b"] == (Action.REUSE, "unchanged")


def test_a_view_that_was_built_before_is_linked_anew() -> None:
    """Nobody noted which addresses it read then, and the collector may have dropped them."""
    shop = (node("a", sources=(RAW,)), node("b", "a", kind=NodeKind.VIEW))
    environment = after_first(*shop)
    environment.release(project(node("a", code="2", sources=(RAW,)), shop[1]))
    plan = environment.plan(project(*shop))
    assert told(plan) == {
        "a": (Action.REUSE, "as it was in generation 1, which is kept"),
        "b": (Action.BUILD, "as it was in generation 1; a view is linked anew"),
    }


def test_a_view_over_what_goes_back_to_an_older_relation_is_linked_to_it() -> None:
    shop = (node("a"), node("b", kind=NodeKind.VIEW))
    environment = after_first(*shop)
    environment.release(project(node("a", code="2"), shop[1]))
    nodes = dict(project(*shop))
    # As if it reads nothing of `a` that changed in between.
    nodes[uid("b")] = replace(nodes[uid("b")], parents=(uid("a"),))
    live = environment.live.by_node()[uid("b")]
    inputs = environment.plan(nodes).steps[1].inputs
    environment.generations[-1] = replace(
        environment.live,
        pointers=(environment.live.pointers[0], replace(live, inputs=inputs)),
    )
    assert told(environment.plan(nodes))["b"] == (Action.BUILD, "linked to the new a")


def test_notes_are_read_as_they_were_written() -> None:
    makeup = FingerprintParts("12", {"code": "1"}, "r", {"id": "2"}, {uid("x"): None, uid("y"): ("id",)})
    notes = NotesBefore(
        {"a": "1"}, {"t": "2"}, {"raw.orders": "3"}, {"a": makeup, "b": FingerprintParts("34")}
    )
    assert NotesBefore.read(notes.document()) == notes
    assert NotesBefore.read({"nodes": {"a": "1"}, "tests": {}}) == NotesBefore({"a": "1"}, {})


def test_kept_is_used_for_old_data_too() -> None:
    environment = after_first()
    environment.release(project(*SHOP), versions={"raw.orders": "v2"})
    assert actions(environment.plan(project(*SHOP))) == dict.fromkeys("abc", Action.REUSE)


def test_what_left_the_project_is_removed() -> None:
    environment = after_first()
    plan = environment.plan(project(*SHOP[:2]))
    assert told(plan)["c"] == (Action.REMOVE, "no longer in the project")
    assert plan.of(Action.REMOVE)[0].pointer == environment.live.by_node()[uid("c")]
    assert not plan.changes_nothing
    assert plan.made == ()


def test_a_renamed_node_is_a_new_one_and_the_old_goes() -> None:
    plan = after_first().plan(project(*SHOP[:2], node("d")))
    assert told(plan)["c"] == (Action.REMOVE, "no longer in the project")
    assert told(plan)["d"] == (Action.BUILD, "new")


def test_a_node_under_another_public_name_is_built() -> None:
    moved = replace(node("c"), name=Name("mart", "c"))
    plan = after_first().plan(project(*SHOP[:2], moved))
    assert told(plan)["c"] == (Action.BUILD, "moved to another name")
    assert plan.of(Action.BUILD)[0].name == Name("mart", "c")


def test_a_view_over_a_source_says_that_it_becomes_a_table() -> None:
    plan = Environment().plan(
        project(node("a", kind=NodeKind.VIEW, reads_outside=True), node("b", kind=NodeKind.VIEW))
    )
    assert [step.note for step in plan.steps] == [Note(Noted.AS_TABLE), None]


# ---- what keeps history --------------------------------------------------------------------------------


def history(kind: NodeKind, code: str = "1") -> tuple[Node, ...]:
    return (node("h", code=code, kind=kind, sources=(RAW,)), node("r", "h"))


@pytest.mark.parametrize("kind", [NodeKind.INCREMENTAL, NodeKind.SNAPSHOT])
def test_new_data_is_added_to_what_keeps_history(kind: NodeKind) -> None:
    environment = after_first(*history(kind))
    plan = environment.plan(project(*history(kind)), versions={"raw.orders": "v2"})
    assert told(plan) == {"h": (Action.CARRY, "new data in raw.orders"), "r": (Action.BUILD, "new data in h")}
    assert plan.of(Action.CARRY)[0].pointer == environment.live.by_node()[uid("h")]
    assert plan.made == (uid("h"), uid("r"))


def test_new_code_builds_an_incremental_model_anew() -> None:
    plan = after_first(*history(NodeKind.INCREMENTAL)).plan(project(*history(NodeKind.INCREMENTAL, "2")))
    assert told(plan)["h"] == (Action.BUILD, "its own code changed")


def test_new_code_keeps_the_history_of_a_snapshot() -> None:
    environment = after_first(*history(NodeKind.SNAPSHOT))
    plan = environment.plan(project(*history(NodeKind.SNAPSHOT, "2")))
    assert told(plan)["h"] == (Action.CARRY, "its own code changed")
    assert plan.of(Action.CARRY)[0].pointer == environment.live.by_node()[uid("h")]


@pytest.mark.parametrize("kind", [NodeKind.INCREMENTAL, NodeKind.SNAPSHOT])
def test_the_first_build_of_what_keeps_history_carries_nothing(kind: NodeKind) -> None:
    assert actions(Environment().plan(project(*history(kind))))["h"] is Action.BUILD


@pytest.mark.parametrize("kind", [NodeKind.INCREMENTAL, NodeKind.SNAPSHOT])
def test_history_is_not_lost_when_a_source_is_again_as_it_was(kind: NodeKind) -> None:
    """v1, v2, v1: the relation of the first v1 does not hold what v2 added, nor do those that read it."""
    environment = after_first(*history(kind))
    environment.release(project(*history(kind)), versions={"raw.orders": "v2"})
    plan = environment.release(project(*history(kind)))
    assert actions(plan) == {"h": Action.CARRY, "r": Action.BUILD}
    assert plan.of(Action.CARRY)[0].pointer == environment.generations[1].by_node()[uid("h")]
    assert environment.plan(project(*history(kind))).changes_nothing


@pytest.mark.parametrize("kind", [NodeKind.INCREMENTAL, NodeKind.SNAPSHOT])
def test_after_a_rollback_the_same_history_is_there_still(kind: NodeKind) -> None:
    """Back to v1 and forward to v2 again: the relation that v2 made of v1 is what is wanted."""
    environment = after_first(*history(kind))
    environment.release(project(*history(kind)), versions={"raw.orders": "v2"})
    environment.generations.append(replace(environment.generations[0], number=3))
    assert environment.plan(project(*history(kind))).changes_nothing
    plan = environment.plan(project(*history(kind)), versions={"raw.orders": "v2"})
    assert actions(plan) == {"h": Action.REUSE, "r": Action.REUSE}


# ---- by-products, tests --------------------------------------------------------------------------------

LOG = Pointer(Name("audit", "runs"), Name("store", "runs__1"), "hook.audit.runs", NodeKind.TABLE, "x", "")


def test_what_hooks_write_to_is_carried_whenever_they_run() -> None:
    environment = Environment()
    environment.release(project(*SHOP), extra=(LOG,))
    still = environment.plan(project(*SHOP))
    assert (still.steps[-1].action, str(still.steps[-1].reason), still.changes_nothing) == (
        Action.REUSE,
        "unchanged",
        True,
    )
    moved = environment.plan(project(*SHOP), versions={"raw.orders": "v2"})
    assert (moved.steps[-1].action, str(moved.steps[-1].reason)) == (Action.CARRY, "hooks write to it")
    assert moved.steps[-1].pointer == LOG
    assert "hook.audit.runs" not in moved.made


def test_new_and_changed_tests_are_run() -> None:
    environment = after_first()
    environment.notes = NotesBefore(
        environment.notes.nodes if environment.notes else {}, {"t1": "1", "t2": "1", "gone": "1"}
    )
    plan = environment.plan(project(*SHOP), tests={"t1": "1", "t2": "2", "t3": "1"})
    assert plan.tests == ("t2", "t3")
    assert plan.notes.tests == {"t1": "1", "t2": "2", "t3": "1"}


def test_a_plan_does_not_depend_on_the_order_in_which_dbt_lists_tests() -> None:
    """An approval binds the plan's digest: parsed a second time, in part, the same release has to be the same plan."""
    tests = {"t1": "1", "t2": "2", "t3": "1"}
    plan = after_first().plan(project(*SHOP), tests=tests)
    again = after_first().plan(project(*SHOP), tests=dict(reversed(tests.items())))
    assert plan.tests == ("t1", "t2", "t3")
    assert plan.digest == again.digest


def test_without_notes_everything_counts_as_edited() -> None:
    environment = after_first()
    environment.notes = None
    plan = environment.plan(project(*SHOP), tests={"t": "1"})
    assert (plan.edited, plan.tests) == ((uid("a"), uid("b"), uid("c")), ("t",))
    assert plan.made == (), "what is live is still what would be built"


# ---- for any project -----------------------------------------------------------------------------------

LETTERS = "abcdefgh"


@st.composite
def projects(draw: st.DrawFn) -> tuple[Node, ...]:
    """A random graph: each node may read any before it, and one of two sources."""
    nodes: list[Node] = []
    for number, letter in enumerate(LETTERS[: draw(st.integers(1, len(LETTERS)))]):
        parents = draw(st.sets(st.sampled_from(LETTERS[:number]), max_size=3)) if number else set[str]()
        sources = draw(st.sets(st.sampled_from([RAW, Name("raw", "refunds")]), max_size=1))
        kind = draw(
            st.sampled_from(
                [NodeKind.TABLE, NodeKind.VIEW, NodeKind.INCREMENTAL, NodeKind.SNAPSHOT, NodeKind.SEED]
            )
        )
        nodes.append(node(letter, *sorted(parents), kind=kind, sources=tuple(sources)))
    return tuple(nodes)


@given(projects(), st.data())
def test_exactly_what_is_downstream_of_a_change_is_made(nodes: tuple[Node, ...], data: st.DataObject) -> None:
    environment = after_first(*nodes)
    edited = data.draw(st.sets(st.sampled_from([item.unique_id for item in nodes])))
    fresh = data.draw(st.sets(st.sampled_from(["raw.orders", "raw.refunds"])))
    after = project(
        *(replace(item, own=item.own + "!") if item.unique_id in edited else item for item in nodes)
    )
    plan = environment.plan(after, versions={**ORDERS, **dict.fromkeys(fresh, "v2")})
    touched = edited | {item.unique_id for item in nodes if fresh & set(source_texts(item))}
    assert set(plan.made) == touched | descendants(after, touched)
    assert {step.node for step in plan.of(Action.REUSE)} == set(after) - set(plan.made)
    assert set(plan.edited) == edited


@given(projects(), st.data())
def test_steps_are_in_build_order_and_the_plan_is_deterministic(
    nodes: tuple[Node, ...], data: st.DataObject
) -> None:
    environment = after_first(*nodes)
    edited = data.draw(st.sets(st.sampled_from([item.unique_id for item in nodes])))
    after = project(
        *(replace(item, own=item.own + "!") if item.unique_id in edited else item for item in nodes)
    )
    plan = environment.plan(after)
    assert plan == environment.plan(dict(after))
    assert plan.digest == environment.plan(dict(after)).digest
    place = {step.node: number for number, step in enumerate(plan.steps)}
    assert all(place[parent] < place[item.unique_id] for item in nodes for parent in item.parents)


@given(projects())
def test_a_release_again_changes_nothing(nodes: tuple[Node, ...]) -> None:
    environment = after_first(*nodes)
    assert environment.plan(project(*nodes)).changes_nothing


def test_the_digest_changes_with_everything_that_the_document_says() -> None:
    plan = after_first().plan(project(node("a", code="2", sources=(RAW,)), *SHOP[1:]), tests={"t": "1"})
    step = plan.steps[0]
    pointer = Pointer(step.name, Name("store", "x"), step.node, step.kind, "f", "i")
    others = (
        replace(plan, environment="staging"),
        replace(plan, cause=Cause.REFRESH),
        replace(plan, release="other"),
        replace(plan, base=7),
        replace(plan, base_release="other"),
        replace(plan, steps=plan.steps[::-1]),
        replace(plan, edited=()),
        replace(plan, tests=()),
        replace(plan, notes=NotesBefore({}, {})),
        *(
            replace(plan, steps=(changed, *plan.steps[1:]))
            for changed in (
                replace(step, action=Action.CARRY),
                replace(step, node="model.shop.z"),
                replace(step, name=Name("main", "z")),
                replace(step, kind=NodeKind.VIEW),
                replace(step, reason="other"),
                replace(step, fingerprint="other"),
                replace(step, inputs="other"),
                replace(step, pointer=pointer),
                replace(step, note="other"),
            )
        ),
    )
    digests = [plan.digest, *(other.digest for other in others)]
    assert len(set(digests)) == len(digests)
    assert all(
        one != other for one, other in pairwise([plan.document(), *(other.document() for other in others)])
    )
    assert replace(plan).digest == plan.digest


def test_what_is_built_on_is_the_direct_parents_through_views_and_history_but_not_what_lies_behind_a_table() -> (
    None
):
    def models(code: str) -> tuple[Node, ...]:
        return (
            node("far"),
            node("table", "far"),
            node("base"),
            node("view", "base", kind=NodeKind.VIEW),
            node("other"),
            node("grows", "other", kind=NodeKind.INCREMENTAL, forward_only=True, code=code),
            node("mart", "table", "view", code=code),
        )

    environment = after_first(*models("1"))
    plan = environment.plan(project(*models("2")))
    assert actions(plan)["grows"] is Action.CARRY
    names = {pointer.name.identifier for pointer in built_on(plan, project(*models("2"))).values()}
    assert names == {"table", "view", "base", "other", "grows"}
    assert not built_on(environment.plan(project(*models("1"))), project(*models("1")))
