"""What becomes of each built relation, and the document that an approval binds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from prefect_sluice.domain.digests import canonical, digest
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.candidate import CandidateContents, address, link, pointers, stays_a_view
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.warehouse.base import IncomingTable, LinkedView
from prefect_sluice.warehouse.duckdb.linker import DuckLinker

LINKER = DuckLinker("shop")
LOG = Pointer(Name("audit", "runs"), Name("store", "runs__0"), "hook.audit.runs", NodeKind.TABLE, "x", "")


def uid(name: str) -> str:
    return f"model.shop.{name.lower()}"


def node(name: str, kind: NodeKind = NodeKind.TABLE, *, outside: bool = False) -> Node:
    return Node(
        uid(name),
        kind,
        Name("main", name),
        f"{name}.sql",
        "sql",
        ("shop", name),
        f"print of {name}",
        reads_outside=outside,
    )


def plan(nodes: Mapping[str, Node], live: Mapping[str, Pointer], extra: tuple[Step, ...] = ()) -> Plan:
    """Return the plan that reuses what is in `live` and builds the rest."""
    steps = [
        Step(
            Action.REUSE if name in live else Action.BUILD,
            name, item.name, item.kind, Reason(Because.NEW), item.fingerprint, "data", live.get(name),
        )
        for name, item in nodes.items()
    ]  # fmt: skip
    return Plan("prod", Cause.RELEASE, "r", 1, "r0", (*steps, *extra), (), (), NotesBefore({}, {}))


def served(item: Node) -> Pointer:
    return Pointer(
        item.name,
        Name("store", f"{item.name.identifier}__old"),
        item.unique_id,
        item.kind,
        item.fingerprint,
        "data",
    )


def test_an_address_says_name_fingerprint_and_run() -> None:
    found = address("store", Name("mart", "orders"), "0123456789abcdef", "run001")
    assert found == Name("store", "orders__0123456789ab_run001")


def test_pointers_of_a_plan() -> None:
    nodes = {item.unique_id: item for item in (node("a"), node("b"))}
    live = {uid("a"): served(nodes[uid("a")])}
    hook = Step(Action.CARRY, LOG.node, LOG.name, LOG.kind, Reason(Because.HOOKS), pointer=LOG)
    found = pointers(plan(nodes, live, (hook,)), "store", "run001")
    made = Pointer(
        Name("main", "b"),
        Name("store", "b__print of b_run001"),
        uid("b"),
        NodeKind.TABLE,
        "print of b",
        "data",
    )
    assert found == (live[uid("a")], made)


def test_what_is_removed_has_no_pointer() -> None:
    gone = served(node("gone"))
    step = Step(Action.REMOVE, gone.node, gone.name, gone.kind, Reason(Because.GONE), pointer=gone)
    assert pointers(plan({}, {}, (step,)), "store", "run001") == ()


@pytest.mark.parametrize(
    ("kind", "outside", "view"),
    [(NodeKind.VIEW, False, True), (NodeKind.VIEW, True, False)]
    + [(kind, False, False) for kind in NodeKind if kind is not NodeKind.VIEW],
)
def test_only_a_view_over_our_own_relations_stays_one(kind: NodeKind, outside: bool, view: bool) -> None:
    assert stays_a_view(node("a", kind, outside=outside)) is view


def linked(
    compiled: Mapping[str, str], *nodes: Node, live: Mapping[str, Pointer] | None = None
) -> tuple[set[str], dict[str, str]]:
    """Return which nodes become tables, and the SQL of those that become views."""
    project = {item.unique_id: item for item in nodes}
    the_plan = plan(project, live or {})
    all_pointers = pointers(the_plan, "store", "run001")
    links = link(the_plan, project, all_pointers, compiled, LINKER)
    by_address = {pointer.address: pointer.node for pointer in all_pointers}
    assert all(item.source == project[by_address[item.address]].name for item in links.tables)
    assert all(name == project[by_address[view.address]].name for view, name in links.views)
    assert set(links.live) == {pointer.address for pointer in (live or {}).values()}
    return {by_address[item.address] for item in links.tables}, {
        by_address[view.address]: view.sql for view, _ in links.views
    }


def test_a_view_reads_physical_addresses() -> None:
    tables, views = linked({uid("v"): "select * from shop.main.a"}, node("a"), node("v", NodeKind.VIEW))
    assert tables == {uid("a")}
    assert views == {uid("v"): 'select * from "store"."a__print of a_run001" as "a"'}


def test_a_view_reads_what_is_reused_where_it_is() -> None:
    old = node("a")
    _, views = linked(
        {uid("v"): "select * from main.a"}, old, node("v", NodeKind.VIEW), live={uid("a"): served(old)}
    )
    assert views == {uid("v"): 'select * from "store"."a__old" as "a"'}


def test_names_are_found_in_any_spelling() -> None:
    _, views = linked({uid("v"): "select * from MAIN.Orders"}, node("ORDERS"), node("v", NodeKind.VIEW))
    assert views == {uid("v"): 'select * from "store"."ORDERS__print of ORD_run001" as "Orders"'}


def test_a_view_over_a_view() -> None:
    compiled = {uid("v"): "select * from main.a", uid("w"): "select * from main.v"}
    _, views = linked(compiled, node("a"), node("v", NodeKind.VIEW), node("w", NodeKind.VIEW))
    assert views[uid("w")] == 'select * from "store"."v__print of v_run001" as "v"'


@pytest.mark.parametrize(
    "sql",
    [
        "select * from main.a, raw.orders",
        "from 'x.csv'",
        "pivot main.a on v using sum(w)",
        "from other.main.a",
        "no sql",
    ],
)
def test_a_view_that_reads_anything_else_becomes_a_table(sql: str) -> None:
    tables, views = linked({uid("v"): sql}, node("a"), node("v", NodeKind.VIEW))
    assert (tables, views) == ({uid("a"), uid("v")}, {})


def test_a_view_over_a_source_becomes_a_table_whatever_it_says() -> None:
    tables, _ = linked({uid("v"): "select * from main.a"}, node("a"), node("v", NodeKind.VIEW, outside=True))
    assert uid("v") in tables


def test_a_view_whose_text_nobody_has_becomes_a_table() -> None:
    assert linked({}, node("v", NodeKind.VIEW))[0] == {uid("v")}


CONTENTS = CandidateContents(
    (
        IncomingTable(Name("main", "a"), Name("store", "a__1")),
        IncomingTable(Name("main", 'o"d.d'), Name("store", "ü__1")),
    ),
    (LinkedView(Name("store", "v__1"), "select\n'ü'"),),
    (LOG, served(node("a", NodeKind.SNAPSHOT))),
    "0" * 64,
)


def test_a_document_can_be_read_back() -> None:
    assert CandidateContents.read(CONTENTS.document()) == CONTENTS
    assert CandidateContents.read(json.loads(canonical(CONTENTS.document()))) == CONTENTS
    empty = CandidateContents((), (), (), "")
    assert CandidateContents.read(empty.document()) == empty


def test_the_document_says_everything() -> None:
    others = (
        replace(CONTENTS, tables=CONTENTS.tables[:1]),
        replace(CONTENTS, tables=(IncomingTable(Name("main", "a"), Name("store", "a__2")), CONTENTS.tables[1])),
        replace(CONTENTS, views=()),
        replace(CONTENTS, views=(LinkedView(Name("store", "v__1"), "select 'ü'"),)),
        replace(CONTENTS, pointers=CONTENTS.pointers[::-1]),
        replace(CONTENTS, file="1" * 64),
        *(
            replace(CONTENTS, pointers=(replace(LOG, **change), CONTENTS.pointers[1]))  # pyright: ignore[reportArgumentType]  # the cases give the fields
            for change in (
                {"name": Name("main", "x")}, {"address": Name("store", "x")}, {"node": "x"}, {"kind": NodeKind.VIEW},
                {"fingerprint": "y"}, {"inputs": "y"},
            )
        ),
    )  # fmt: skip
    digests = [digest(item.document()) for item in (CONTENTS, *others)]
    assert len(set(digests)) == len(digests)
