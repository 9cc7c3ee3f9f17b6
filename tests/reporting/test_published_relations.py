"""What a generation serves anew, as a catalogue of data is told."""

from __future__ import annotations

from datetime import UTC, datetime

from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from prefect_sluice.reporting.published_relations import asset_key, described

AT = datetime(2026, 11, 23, tzinfo=UTC)


def test_a_key_holds_no_letter_that_it_may_not() -> None:
    assert asset_key("duckdb", "prod", Name("Sales & Co", "größe?")) == "duckdb://prod/Sales___Co/gr__e_"


def test_what_is_made_or_linked_anew_is_told_with_what_it_reads() -> None:
    """What stays as it is was told when it was published."""
    reasons = {
        "a": (Action.BUILD, Because.NEW),
        "b": (Action.REUSE, Because.KEPT),
        "c": (Action.REUSE, Because.UNCHANGED),
        "v": (Action.BUILD, Because.LINKED_ANEW),
    }
    uid = {name: f"model.p.{name}" for name in reasons}
    names = {name: Name("main", name) for name in reasons}
    pointers = {
        name: Pointer(names[name], Name("store", f"{name}__1"), uid[name], NodeKind.TABLE, "f", "i")
        for name in reasons
    }
    raw = Name("raw", "orders")
    nodes = {
        uid["a"]: Node(uid["a"], NodeKind.TABLE, names["a"], "", "sql", (), "f", sources=(raw,), description="All"),
        uid["v"]: Node(uid["v"], NodeKind.VIEW, names["v"], "", "sql", (), "f", parents=(uid["a"], "source.p.raw.orders")),
    }  # fmt: skip
    steps = tuple(
        Step(action, uid[name], names[name], NodeKind.TABLE, Reason(why), pointer=pointers[name])
        for name, (action, why) in reasons.items()
    )
    plan = Plan("prod", Cause.RELEASE, "r", 0, "", steps, (), (), NotesBefore({}, {}))
    generation = Generation("prod", 1, "r", "p", 1, Cause.RELEASE, 1, AT, tuple(pointers.values()))
    told = described(plan, generation, nodes, {uid["a"]: ("Grace",)}, "duckdb")
    assert [(item.key, item.reads, item.owners, item.description, item.why) for item in told] == [
        ("duckdb://prod/main/a", ("duckdb://prod/raw/orders",), ("Grace",), "All", "new"),
        ("duckdb://prod/main/b", (), (), "", "built before, and kept"),
        ("duckdb://prod/main/v", ("duckdb://prod/main/a",), (), "", "built before; a view is linked anew"),
    ]
