"""What changed columns reach: which have a line of their own, in what order, and what is left to nobody's knowledge."""

from __future__ import annotations

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.node import Name
from prefect_sluice.planning.column_reach import ChangeReach, ColumnChange, below, change_reach, of_the_code
from prefect_sluice.planning.lineage_graph import LineageGraph, LineageRelation
from prefect_sluice.planning.plan import Action
from prefect_sluice.sql.column_lineage import QueryLineage
from tests.reporting.reported import plan, step, uid

PLAN = plan(
    (
        step("orders", Action.BUILD, "its own code changed"),
        step("events", Action.BUILD, "new data in raw.events"),
        step("daily", Action.BUILD, "reads orders"),
        step("hourly", Action.BUILD, "reads events"),
        step("names", Action.REUSE, "unchanged"),
        step("own", Action.BUILD, "its own code changed"),
        step("py", Action.BUILD, "reads orders"),
    ),
    {
        "orders": (),
        "events": (),
        "daily": ("orders",),
        "hourly": ("events",),
        "names": ("orders",),
        "own": ("daily",),
        "py": ("own",),
    },
)


def name(relation: str) -> Name:
    return Name("marts", relation)


def relation(short: str, columns: tuple[str, ...], made: QueryLineage | None = None) -> LineageRelation:
    return LineageRelation(name(short), uid(short), "table", columns, made)


DAILY = QueryLineage(
    {"revenue": ((name("orders"), "amount"),)},
    ((name("orders"), "*"), (name("orders"), "status")),
    texts={"revenue": "SUM(amount)"},
)
OWN = QueryLineage({"twice": ((name("daily"), "revenue"),)}, ((name("daily"), "*"),))
BOARD = Consumer("exposure.shop.board", "board", label="Board", owner="Ada")
GRAPH = LineageGraph(
    {
        name("orders"): relation("orders", ("amount", "status", "note")),
        name("daily"): relation("daily", ("Revenue",), DAILY),
        name("own"): relation("own", ("twice",), OWN),
        name("py"): LineageRelation(
            name("py"), uid("py"), "table", ("x",), why="python model", parents=(name("own"),)
        ),
    },
    ((BOARD, {name("daily"): frozenset({"revenue"})}),),
)


def change(relation: str, column: str, words: str = "values change") -> ColumnChange:
    return ColumnChange(uid(relation), name(relation), column, words)


def told(reach: ChangeReach) -> dict[str, tuple[list[str], list[str]]]:
    """Return what each line reaches, and who reads that."""
    return {
        line.name: (
            [f"{place.relation}.{place.column} {place.how}" for place in line.places],
            [consumer.name for consumer in line.consumers],
        )
        for line in reach.columns
    }


def test_a_column_is_followed_to_the_end_and_to_who_reads_it() -> None:
    reach = change_reach(GRAPH, [change("orders", "amount"), change("orders", "note", "dropped")], PLAN)
    assert told(reach) == {
        "orders.amount": (
            ["daily.Revenue = SUM(amount)", "own.twice renamed", "py.? not known: python model"],
            ["Board"],
        ),
        "orders.note": ([], []),
    }
    assert ChangeReach.read(reach.document()) == reach
    assert ChangeReach.read(ChangeReach(untold="busy").document()) == ChangeReach(untold="busy")


def test_a_column_that_another_one_reaches_has_no_line_unless_its_own_code_changed() -> None:
    columns = [
        change("orders", "amount"),
        change("daily", "Revenue"),
        change("own", "twice"),
        change("py", "x"),
    ]
    reach = change_reach(GRAPH, columns, PLAN)
    assert [*told(reach)] == ["orders.amount", "own.twice"]
    assert [place.change for place in reach.columns[0].places] == ["values change", "values change", ""]
    alone = change_reach(GRAPH, columns[1:], PLAN)
    assert [*told(alone)] == ["daily.Revenue", "own.twice"]


def test_what_decides_rows_reaches_the_rows_below() -> None:
    reach = change_reach(GRAPH, [change("orders", "status"), change("daily", "Revenue")], PLAN)
    assert told(reach) == {
        "orders.status": (
            ["daily.* decides which rows", "own.* decides which rows", "py.? not known: python model"],
            ["Board"],
        )
    }


def test_only_what_the_code_moves_is_looked_at() -> None:
    assert of_the_code(PLAN) == {uid("orders"), uid("daily"), uid("own"), uid("py")}
    assert below(PLAN, {uid("orders")}) == (uid("daily"), uid("own"), uid("py"))
    assert below(PLAN, {uid("events")}) == (uid("hourly"),)
