"""A line for each changed column: what is said, and what is folded."""

from __future__ import annotations

from prefect_sluice.planning.column_reach import ChangeReach, ColumnReach, ReachedPlace, ReachingConsumer
from prefect_sluice.reporting.reach_words import reach_lines

LONG = "= CASE WHEN orders.status = 'open' THEN SUM(orders.amount) ELSE 0 END"
PLACES = (
    ReachedPlace("daily", "revenue", "= SUM(amount)", "values change in 3.0 % of the rows"),
    ReachedPlace("daily", "amount", "as it is", "dropped"),
    ReachedPlace("daily", "open", LONG, "retyped: BIGINT, was INTEGER, values change in 9.0 % of the rows"),
    ReachedPlace("big", "*", "decides which rows"),
    ReachedPlace("py", "?", "not known: python model"),
)
AMOUNT = ColumnReach(
    "orders",
    "amount",
    "values change in 3.0 % of the rows",
    PLACES,
    (ReachingConsumer("exposure.a", "Sales"),),
)
NOTE = ColumnReach("orders", "note", "dropped")


def test_a_line_says_what_is_made_of_it_how_and_who_reads_that() -> None:
    read_by = ColumnReach("orders", "id", "dropped", consumers=AMOUNT.consumers)
    assert [*reach_lines(ChangeReach((AMOUNT, NOTE, read_by)), 10)] == [
        "orders.amount (values change in 3.0 % of the rows) reaches daily.revenue (= SUM(amount)), daily.amount (dropped),"
        " daily.open (= CASE WHEN orders.status = 'open' THEN…, retyped: BIGINT, was INTEGER), the rows of big,"
        " py (not known: python model); read by Sales",
        "orders.id (dropped) reaches no other column; read by Sales",
        "nothing that is known reads orders.note (dropped)",
    ]


def test_what_is_too_much_is_counted() -> None:
    places = tuple(ReachedPlace("daily", f"c{number}", "as it is") for number in range(9))
    wide = ColumnReach("orders", "amount", "dropped", places)
    lines = [*reach_lines(ChangeReach((wide, *[AMOUNT] * 3, *[NOTE] * 8)), 2)]
    assert lines[0].endswith("daily.c4, daily.c5 and 3 more")
    assert lines[2] == "and 2 more columns reach something below"
    assert lines[3] == f"nothing that is known reads {', '.join(['orders.note (dropped)'] * 6)} and 2 more"


def test_why_it_is_not_known_is_said() -> None:
    assert [*reach_lines(ChangeReach(untold="prod.duckdb is busy"), 9)] == [
        "what the changed columns reach is not known: prod.duckdb is busy"
    ]
    assert [*reach_lines(ChangeReach(), 9)] == []
