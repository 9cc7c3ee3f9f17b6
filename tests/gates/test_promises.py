"""The gate `promises`: whose a contract is, whether it loads, and whether it promises less than before."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.contracts.dependencies import ModuleTexts
from prefect_sluice.contracts.find import bind, bound, find, snake
from prefect_sluice.contracts.weakened import narrower
from prefect_sluice.domain.declarations import Consumer, Declarations, NodeDescription
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import DeclarationsView, Gate, ReleaseView, Subject, ToolsView, ask_gate, views
from prefect_sluice.gates.dbt_contracts import Mismatch, mismatches
from prefect_sluice.gates.promises.gate import Promises
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from tests.gates.keeping import Kept
from tests.gates.views import but

PASSED, WARNED, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED
INCONCLUSIVE, ERRORED = Verdict.INCONCLUSIVE, Verdict.ERRORED
HEAD = "import datetime\nimport pandera.ibis as pa\nfrom pandera.ibis import Field\nimport ibis.expr.datatypes as dt\n"
UID = "model.shop.orders"


def write(folder: Path, body: str, name: str = "contracts/marts.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + body, encoding="utf-8")
    return folder


def node(name: str = "orders", contract: str = "", **other: object) -> Node:
    made = Node(
        f"model.shop.{name}", NodeKind.TABLE, Name("main", name), f"models/{name}.sql", "sql", (), "f1"
    )
    return replace(made, contract=contract, **other)  # pyright: ignore[reportArgumentType]


def plan(release: str = "now", base: str = "then") -> Plan:
    return Plan("dev", Cause.RELEASE, release, 1, base, (), (), (), NotesBefore({}, {}))


def subject(folder: Path, *nodes: Node, **other: object) -> Subject:
    """Return a release after one that declared nothing; given a checkout of that one, all is to be found there."""
    known = bound(folder, {each.unique_id: each for each in nodes or (node(),)})
    before = None if "earlier" in other else Declarations()
    made = Subject(
        ReleaseView(folder, known, (), plan=plan()),
        declarations=DeclarationsView(before=before),
        tools=ToolsView(memory=Kept()),
    )
    return but(made, **other)


def ask(asked: Subject) -> GateReport:
    return ask_gate(Promises(), asked)


def told(report: GateReport, *verdicts: Verdict) -> list[str]:
    return [each.summary for each in report.findings if each.verdict in (verdicts or (WARNED, FAILED))]


def only(report: GateReport, check: str) -> Finding:
    [found] = [each for each in report.findings if each.check == check]
    return found


def test_is_a_gate() -> None:
    gate: Gate = Promises()
    assert (gate.id, views(gate)) == ("promises", ("release", "declarations", "tools"))


# --- whose a contract is ---


@pytest.mark.parametrize(
    ("name", "claimed"),
    [
        ("Orders", "orders"),
        ("FctFlights", "fct_flights"),
        ("FctFlightsContract", "fct_flights"),
        ("OrdersSchema", "orders"),
        ("SLAReport", "sla_report"),
        ("Größe", "größe"),
    ],
)
def test_a_class_claims_the_model_of_its_name(name: str, claimed: str) -> None:
    assert snake(name) == claimed


FOUND: dict[str, tuple[str, str]] = {
    "the class's name": ("class Orders(pa.DataFrameModel):\n    id: int\n", "contracts.marts:Orders"),
    "said in it": (
        "class Whatever(pa.DataFrameModel):\n    id: int\n    class Config:\n        name = 'orders'\n",
        "contracts.marts:Whatever",
    ),
    "said beats called so": (
        "class Orders(pa.DataFrameModel):\n    id: int\n"
        "class New(Orders):\n    id: int\n    class Config:\n        name = 'orders'\n",
        "contracts.marts:New",
    ),
    "over a base of the project": (
        "class Base(pa.DataFrameModel):\n    id: int\nclass OrdersContract(Base):\n    more: int\n",
        "contracts.marts:OrdersContract",
    ),
    "a schema by its variable": (
        "orders = pa.DataFrameSchema({'id': pa.Column(int)})\n",
        "contracts.marts:orders",
    ),
    "a schema by its name": ("X = pa.DataFrameSchema({}, name='orders')\n", "contracts.marts:X"),
    "nobody's": ("class _Orders(pa.DataFrameModel):\n    id: int\n", ""),
    "not a contract": ("class Orders:\n    id: int\n", ""),
    "no Python": ("class Orders(\n", ""),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_contract_beside_the_models(case: str, tmp_path: Path) -> None:
    body, reference = FOUND[case]
    nodes = bound(write(tmp_path, body), {UID: node()})
    assert nodes[UID].contract == reference


def test_finding_contracts_imports_nothing(tmp_path: Path) -> None:
    write(tmp_path, "raise RuntimeError\nclass Orders(pa.DataFrameModel):\n    id: int\n")
    assert bound(tmp_path, {UID: node()})[UID].contract == "contracts.marts:Orders"
    assert "contracts" not in sys.modules


def test_what_the_properties_name_comes_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        "class Orders(pa.DataFrameModel):\n    id: int\nclass Other(pa.DataFrameModel):\n    id: int\n",
    )
    report = ask(subject(tmp_path, node(contract="contracts.marts:Other")))
    assert told(report, WARNED) == [
        "contracts.marts:Orders is held against nothing: not asked: orders has the contract contracts.marts:Other"
    ]
    assert not told(report, FAILED)


def test_two_contracts_for_one_model_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, "class Orders(pa.DataFrameModel):\n    id: int\n")
    write(tmp_path, "class OrdersContract(pa.DataFrameModel):\n    id: int\n", "contracts/again.py")
    report = ask(subject(tmp_path))
    assert [each.location for each in report.findings] == ["contracts/again.py:5", "contracts/marts.py:5"]
    assert {each.verdict for each in report.findings} == {FAILED}
    assert (
        "several contracts for one model: contracts.again:OrdersContract, contracts.marts:Orders"
        in told(report)[0]
    )


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("class Gone(pa.DataFrameModel):\n    id: int\n", WARNED),
        ("class X(pa.DataFrameModel):\n    id: int\n    class Config:\n        name = 'gone'\n", FAILED),
    ],
)
def test_a_contract_of_no_model(body: str, verdict: Verdict, tmp_path: Path) -> None:
    [found] = ask(subject(write(tmp_path, body))).findings
    assert (found.verdict, found.location) == (verdict, "contracts/marts.py:5")
    assert "there is no model 'gone'" in found.summary


def test_a_contract_of_a_raw_table_is_held_by_who_loads_it(tmp_path: Path) -> None:
    write(tmp_path, "class RawPlanes(pa.DataFrameModel):\n    id: int\n")
    reads = node(sources=(Name("raw", "planes"),))
    assert ask(subject(tmp_path, reads)).not_applicable == "no model has a contract"


def test_a_name_of_two_models(tmp_path: Path) -> None:
    write(tmp_path, "class Orders(pa.DataFrameModel):\n    id: int\n")
    other = replace(node(), unique_id="model.other.orders")
    [found] = ask(subject(tmp_path, node(), other)).findings
    assert (found.verdict, found.subject) == (FAILED, "model.shop.orders, model.other.orders")


def test_a_project_without_contracts_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts/rates.py").write_text("class Rates:\n    eur = 1\n")
    assert ask(subject(tmp_path)).not_applicable == "no model has a contract"


# --- whether it loads ---


def test_a_contract_that_does_not_import(tmp_path: Path) -> None:
    write(tmp_path, "import nowhere_at_all\nclass Orders(pa.DataFrameModel):\n    id: int\n")
    [found] = [each for each in ask(subject(tmp_path)).findings if each.check == "loads"]
    assert (found.verdict, found.location) == (ERRORED, "contracts/marts.py:5")
    assert "ModuleNotFoundError" in found.summary


def test_what_is_known_is_not_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "class Orders(pa.DataFrameModel):\n    id: int\n")
    first = subject(tmp_path, plan=plan(base=""))
    assert ask(first).verdict is PASSED
    monkeypatch.setattr("prefect_sluice.contracts.ask.CHILD", "tests.gates.without_pandera")
    assert told(ask(first), PASSED) == ["1 contract"]
    [found] = ask(but(first, memory=Kept())).findings
    assert found.verdict is ERRORED
    assert "pip install" in found.summary


def test_the_text_is_that_of_all_it_imports(tmp_path: Path) -> None:
    write(tmp_path, "from contracts import common\nfrom .deeper.limits import LIMIT\n")
    write(tmp_path, "LIMIT = 1\n", "contracts/deeper/limits.py")
    write(tmp_path, "", "contracts/unread.py")
    seen = {ModuleTexts(tmp_path).digest("contracts.marts:M")}
    write(tmp_path, "LIMIT = 2\n", "contracts/deeper/limits.py")
    seen.add(ModuleTexts(tmp_path).digest("contracts.marts:M"))
    write(tmp_path, "import json\n", "contracts/common.py")
    seen.add(ModuleTexts(tmp_path).digest("contracts.marts:M"))
    assert len(seen) == 3
    write(tmp_path, "import os\n", "contracts/unread.py")
    assert ModuleTexts(tmp_path).digest("contracts.marts:M") in seen


# --- whether it promises less ---

# former field, present field -> what is lost ("" nothing), and how sure
WEAKER: dict[str, tuple[str, str, str]] = {
    "the same": ("id: int = Field(ge=0)", "id: int = Field(ge=0)", ""),
    "written in another way": (
        "id: int = Field(ge=0, le=9)",
        "id: int = Field(in_range={'min_value': 0, 'max_value': 9})",
        "",
    ),
    "tighter": ("id: int = Field(ge=0, nullable=True)", "id: int = Field(gt=0, lt=5, unique=True)", ""),
    "gone": ("id: int\n    more: int", "id: int", "more is promised no longer"),
    "now a pattern": ("id: int", "id: int = Field(alias='^i.$', regex=True)", "id may be missing now"),
    "now a pattern for it alone": ("id: int", "id: int = Field(alias='^id$', regex=True)", ""),
    "a list that a limit cut": (
        "id: int = Field(isin=[1, 2, 3], gt=1)",
        "id: int = Field(isin=[1, 2, 3])",
        "id may be 1, too, now",
    ),
    "a list without what was forbidden": (
        "id: int = Field(isin=[1, 2, 3], notin=[1])",
        "id: int = Field(isin=[1, 2, 3])",
        "id may be 1, too, now",
    ),
    "a list that a pattern cut": (
        "s: str = Field(isin=['ab', 'b'], str_matches='a')",
        "s: str = Field(isin=['ab', 'b'])",
        "s may be 'b', too, now",
    ),
    "a list instead of a pattern": ("s: str = Field(str_matches='a')", "s: str = Field(isin=['ab', 'a'])", ""),
    "a list that a limit cuts now": ("id: int = Field(isin=[2, 3])", "id: int = Field(isin=[1, 2, 3], gt=1)", ""),
    "a limit without its end": ("id: int = Field(gt=1)", "id: int = Field(ge=1, ne=1)", ""),
    "NULL, by another check": (
        "id: int = Field(nullable=True, ge=1, ignore_na=False)",
        "id: int = Field(nullable=True, isin=[1, 2])",
        "id greater_than_or_equal_to lets NULL pass now",
    ),
    "times of another zone": (
        "at: dt.Timestamp = Field(ge=datetime.datetime.fromisoformat('2026-03-29T11:00:00+00:00'))",
        "at: dt.Timestamp = Field(ge=datetime.datetime.fromisoformat('2026-03-29T12:00:00+02:00'))",
        "at may be below 2026-03-29T11:00:00+00:00 now, to 2026-03-29T12:00:00+02:00",
    ),
    "another order": (
        "id: int\n    s: str\n    class Config:\n        ordered = True",
        "s: str\n    id: int\n    class Config:\n        ordered = True",
        "has another order now: columns may change places",
    ),
    "strict, but for a pattern": (
        "id: int\n    class Config:\n        strict = True",
        "id: int\n    more: int = Field(alias='^x', regex=True)\n    class Config:\n        strict = True",
        "may have another column ^x now",
    ),
    "strict, with a column more": (
        "id: int\n    class Config:\n        strict = True",
        "id: int\n    more: int\n    class Config:\n        strict = True",
        "",
    ),
    "nullable": ("id: int", "id: int = Field(nullable=True)", "id may be NULL now"),
    "wider": ("id: dt.Int32", "id: int", "id was int32, is int64"),
    "narrower": ("id: int", "id: dt.Int32", ""),
    "another type": ("id: int", "id: str", "id was int64, is string"),
    "not required": ("id: int", "id: __import__('typing').Optional[int]", "id may be missing now"),
    "lower": ("id: int = Field(ge=0)", "id: int = Field(ge=-1)", "id may be below 0 now, to -1"),
    "open": ("id: int = Field(gt=0)", "id: int = Field(ge=0)", "id may be below 0 (excluded) now, to 0"),
    "higher": ("id: float = Field(lt=1.5)", "id: float", "id may be above 1.5 (excluded) now"),
    "a list inside of a range": ("id: int = Field(ge=0)", "id: int = Field(isin=[1, 2])", ""),
    "a list beyond a range": ("id: int = Field(ge=0)", "id: int = Field(isin=[1, -2])", "id may be -2 now"),
    "one more value": (
        "s: str = Field(isin=['a', 'b'])",
        "s: str = Field(isin=['a', 'b', 'ü'])",
        "s may be 'ü', too, now",
    ),
    "no list": ("s: str = Field(isin=['a'])", "s: str", "s may be something else than 'a' now"),
    "one value": ("s: str = Field(isin=['a', 'b'])", "s: str = Field(eq='a')", ""),
    "forbidden no longer": ("s: str = Field(notin=['a', 'b'])", "s: str = Field(ne='a')", "s may be 'b' now"),
    "forbidden otherwise": ("s: str = Field(ne='a')", "s: str = Field(isin=['b'])", ""),
    "shorter": (
        "s: str = Field(str_length={'min_value': 2, 'max_value': 3})",
        "s: str = Field(str_length={'min_value': 1, 'max_value': 3})",
        "s may be shorter than 2 characters now",
    ),
    "pattern": ("s: str = Field(str_matches='^a')", "s: str", "s str_matches('^a') is not asked now"),
    "any pattern": (
        "s: str = Field(str_matches='^a')",
        "s: str = Field(str_matches='.*')",
        "s str_matches('^a') is not asked now",
    ),
    "another pattern": (
        "s: str = Field(str_matches='^a')",
        "s: str = Field(str_matches='^b')",
        "s str_matches('^a') was rewritten: it may ask for less now",
    ),
    "only warns": (
        "id: int = Field(ge=0)",
        "id: int = Field(ge=0, raise_warning=True)",
        "id may be below 0 now",
    ),
    "only warned": ("id: int = Field(ge=0, raise_warning=True)", "id: int", ""),
    "times": (
        "at: dt.Date = Field(ge=datetime.date(2020, 1, 1))",
        "at: dt.Date = Field(ge=datetime.date(2019, 1, 1))",
        "at may be below 2020-01-01 now, to 2019-01-01",
    ),
    "limits that do not compare": (
        "id: int = Field(ge=0)",
        "id: int = Field(ge='a')",
        "id may be below 0 now, to a",
    ),
    "unique": ("id: int = Field(unique=True)", "id: int", "id need not be unique now"),
    "unique, otherwise": (
        "id: int\n    class Config:\n        unique = ['id']",
        "id: int = Field(unique=True)",
        "",
    ),
    "unique together": (
        "id: int = Field(unique=True)\n    s: str",
        "id: int\n    s: str\n    class Config:\n        unique = ['id', 's']",
        "id need not be unique now",
    ),
    "strict": (
        "id: int\n    class Config:\n        strict = True\n        ordered = True",
        "id: int\n    class Config:\n        ordered = True",
        "is not strict now: other columns may come",
    ),
    "ordered": (
        "id: int\n    class Config:\n        ordered = True",
        "id: int",
        "is not ordered now: columns may change places",
    ),
    "own check gone": (
        "id: int\n    @pa.check('id')\n    def even(cls, data):\n        return data.table.id % 2 == 0",
        "id: int",
        "id even is not asked now",
    ),
    "own check, other words": (
        "id: int\n    @pa.check('id')\n    def even(cls, data):\n        return data.table.id % 2 == 0",
        "id: int\n    @pa.check('id')\n    def even(cls, data):\n        '''Say so.'''\n"
        "        # really\n        return (data.table.id % 2) == 0",
        "",
    ),
    "own check, another": (
        "id: int\n    @pa.dataframe_check\n    def full(cls, data):\n        return data.table.count() > 9",
        "id: int\n    @pa.dataframe_check\n    def full(cls, data):\n        return data.table.count() > 0",
        "full was rewritten: it may ask for less now",
    ),
    "NULL": (
        "id: int = Field(nullable=True)\n    @pa.check('id', ignore_na=False)\n    def even(cls, data):\n        return True",
        "id: int = Field(nullable=True)\n    @pa.check('id')\n    def even(cls, data):\n        return True",
        "id even lets NULL pass now",
    ),
}  # fmt: skip


def release(folder: Path, name: str, field: str) -> Path:
    return write(folder / name, f"class Orders(pa.DataFrameModel):\n    {field}\n")


@pytest.mark.parametrize("case", WEAKER)
def test_what_is_promised_no_longer(case: str, tmp_path: Path) -> None:
    before, now, lost = WEAKER[case]
    then = release(tmp_path, "then", before)
    report = ask(subject(release(tmp_path, "now", now), earlier=lambda: then))
    summaries = [each.replace(": breaking for consumers", "") for each in told(report)]
    named = f"orders {lost}" if lost.split(" ")[0] in {"is", "full", "has", "may"} else f"orders.{lost}"
    if "unique" in lost:
        named = f"orders {lost}"
    assert summaries == ([named] if lost else [])
    verdicts = [each.verdict for each in report.findings if each.summary in told(report)]
    assert verdicts == ([WARNED if "rewritten" in lost else FAILED] if lost else [])
    assert not [name for name in sys.modules if name.split(".")[0] == "contracts"]


def test_a_constant_of_the_module_is_part_of_a_check(tmp_path: Path) -> None:
    field = "id: int\n    @pa.check('id')\n    def small(cls, data):\n        return data.table.id < LIMIT\nLIMIT = {}"
    then = release(tmp_path, "then", field.format(3))
    report = ask(subject(release(tmp_path, "now", field.format(9)), earlier=lambda: then))
    assert told(report) == ["orders.id small was rewritten: it may ask for less now"]


def test_a_contract_that_is_gone_is_a_promise_broken(tmp_path: Path) -> None:
    then = release(tmp_path, "then", "id: int")
    before = Declarations(described={UID: NodeDescription(contract="contracts.marts:Orders")})
    (tmp_path / "now").mkdir()
    [found] = ask(subject(tmp_path / "now", earlier=lambda: then, before=before)).findings
    assert found.verdict is FAILED
    assert found.summary == (
        "orders has no contract now; it had contracts.marts:Orders: breaking for consumers"
    )


def test_it_names_who_reads_it(tmp_path: Path) -> None:
    then = release(tmp_path, "then", "id: int\n    more: int")
    consumers = {
        "a": Consumer("a", "finance", parents=(UID,), columns={UID: ("more",)}),
        "b": Consumer("b", "dashboard", parents=(UID,)),
        "c": Consumer("c", "ids", parents=(UID,), columns={UID: ("id",)}),
        "d": Consumer("d", "elsewhere", parents=("model.shop.other",)),
    }
    asked = subject(release(tmp_path, "now", "id: int"), earlier=lambda: then)
    report = ask(but(asked, now=Declarations(consumers=consumers)))
    assert told(report) == ["orders.more is promised no longer: breaking for consumers (dashboard, finance)"]


def test_what_served_is_remembered_and_not_checked_out(tmp_path: Path) -> None:
    kept = Kept()
    then = release(tmp_path, "then", "id: int")
    assert ask(subject(then, plan=plan("then", ""), memory=kept)).verdict is PASSED

    def never() -> Path:
        raise AssertionError

    now = release(tmp_path, "now", "id: int = Field(nullable=True)")
    report = ask(subject(now, plan=plan("now", "then"), memory=kept, earlier=never))
    assert told(report) == ["orders.id may be NULL now: breaking for consumers"]
    assert (
        only(ask(subject(then, plan=plan("again", "then"), memory=kept, earlier=never)), "no weaker").verdict
        is PASSED
    )


def test_a_former_contract_that_cannot_be_had_is_inconclusive(tmp_path: Path) -> None:
    now = release(tmp_path, "now", "id: int")
    broken = write(
        tmp_path / "then", "import nowhere_at_all\nclass Orders(pa.DataFrameModel):\n    id: int\n"
    )
    found = only(ask(subject(now, earlier=lambda: broken)), "no weaker")
    assert found.verdict is INCONCLUSIVE
    assert "ModuleNotFoundError" in found.summary
    before = Declarations(described={UID: NodeDescription(contract="contracts.marts:Orders")})
    assert only(ask(subject(now, before=before)), "no weaker").verdict is INCONCLUSIVE
    first = replace(before, described={UID: NodeDescription()})
    assert ask(subject(now, before=first)).verdict is PASSED


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("int64", "int32", True),
        ("int32", "int64", False),
        ("uint8", "int8", False),
        ("float64", "int64", False),
        ("decimal(9, 2)", "decimal(8, 2)", True),
        ("decimal(9, 2)", "decimal(9, 3)", False),
        ("timestamp(6)", "timestamp('UTC', 6)", False),
        ("array<int64>", "array<int64>", True),
        ("int64", "", False),
    ],
)
def test_a_narrower_type_keeps_the_promise(old: str, new: str, holds: bool) -> None:
    assert narrower(old, new) is holds


# --- dbt's own ---

MESSAGE = """Compilation Error in model orders (models/orders.sql)
  This model has an enforced contract that failed.
  Please ensure the name, data_type, and number of columns in your contract match the columns in your model's definition.

  | column_name | definition_type | contract_type | mismatch_reason       |
  | ----------- | --------------- | ------------- | --------------------- |
  | a | größe   |                 | DECIMAL(9,2)  | missing in definition |
  | id          | BIGINT          | VARCHAR       | data type mismatch    |
  | more        | DATE            |               | missing in contract   |


  > in macro assert_columns_equivalent (macros/relations/column/columns_spec_ddl.sql)
"""


def test_the_columns_of_dbts_message() -> None:
    assert mismatches(MESSAGE) == (
        Mismatch("a | größe", "", "DECIMAL(9,2)"),
        Mismatch("id", "BIGINT", "VARCHAR"),
        Mismatch("more", "DATE", ""),
    )
    assert mismatches("Runtime Error in model orders") == ()


def dbt(folder: Path, result: NodeResult | None, before: NodeDescription | None = None) -> GateReport:
    def without_rows(wanted: Sequence[str]) -> Sequence[NodeResult]:
        return [result] if result and result.unique_id in wanted else []

    now = Declarations(
        described={UID: NodeDescription(types={"id": "bigint"}, rules=("id: not_null",), enforced=True)}
    )
    former = Declarations(described={UID: before} if before else {})
    asked = subject(folder, changed=(UID,), without_rows=without_rows, now=now, before=former)
    return ask(asked)


def answer(status: str, message: str = "") -> NodeResult:
    return NodeResult(UID, "model", status, message, None, 0.1, "", (), "models/orders.sql", "", "")


def test_dbts_contracts_are_asked_before_anything_is_built(tmp_path: Path) -> None:
    assert told(dbt(tmp_path, answer("success")), PASSED) == ["1 column is as dbt's contract says"]
    report = dbt(tmp_path, answer("error", MESSAGE))
    assert told(report, FAILED) == [
        "orders: a | größe is not in the model, the contract says DECIMAL(9,2)",
        "orders: id is BIGINT, the contract says VARCHAR",
        "orders: more (DATE) is not in the contract",
    ]
    evidence = report.findings[0].evidence
    assert evidence is not None
    assert (evidence.rows[1], evidence.total) == (("id", "BIGINT", "VARCHAR"), 3)


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (answer("error", "Compilation Error\n  Contracted models require data_type to be defined"), FAILED),
        (answer("error", "Runtime Error\n  division by zero"), WARNED),
        (answer("skipped"), WARNED),
        (None, WARNED),
    ],
)
def test_what_dbt_cannot_tell_without_rows_it_tells_at_the_build(
    result: NodeResult | None, verdict: Verdict, tmp_path: Path
) -> None:
    [found] = dbt(tmp_path, result).findings
    assert found.verdict is verdict


def test_dbts_contract_got_weaker(tmp_path: Path) -> None:
    before = NodeDescription(
        types={"id": "INT8", "more": "text"}, rules=("id: not_null", "id: unique"), enforced=True
    )
    assert told(dbt(tmp_path, answer("success"), before), FAILED) == [
        "orders.more is promised no longer: breaking for consumers",
        "orders.id its constraint unique is gone: breaking for consumers",
    ]
    wider = replace(before, types={"id": "integer"}, rules=())
    assert told(dbt(tmp_path, answer("success"), wider), FAILED) == [
        "orders.id was integer, is bigint: breaking for consumers"
    ]
    declared = Declarations(described={UID: NodeDescription(types={"id": "bigint"})})
    off = subject(tmp_path, now=declared, before=Declarations(described={UID: before}))
    assert told(ask(off), FAILED) == ["orders dbt does not enforce its contract now: breaking for consumers"]
    assert ask(but(off, before=declared)).not_applicable


def test_what_serves_and_is_not_known_promised_nobody_knows_what(tmp_path: Path) -> None:
    """A first release stays what it is: there is nothing to compare with."""
    [found] = ask(subject(tmp_path, before=None)).findings
    assert (found.verdict, found.check) == (INCONCLUSIVE, "before")
    assert found.summary == (
        "nothing is known of what release then, which serves, declared: "
        "whether dbt's contracts promise less than before cannot be told"
    )
    assert found.fix == "for this one release: gates: {promises: {on: warn}}"
    assert ask(subject(tmp_path, before=None, plan=plan("now", ""))).not_applicable


def test_found_is_sorted_and_repeatable(tmp_path: Path) -> None:
    write(tmp_path, "class B(pa.DataFrameModel):\n    x: int\nclass A(pa.DataFrameModel):\n    x: int\n")
    found = find(tmp_path)
    assert [each.claims for each in found] == ["b", "a"]
    assert bind(found, {UID: node()}) == bind(found, {UID: node()})
