"""The gate `contracts`, with pandera itself as the oracle."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import ibis  # pyright: ignore[reportMissingTypeStubs] -- it has none
import ibis.expr.datatypes as dt  # pyright: ignore[reportMissingTypeStubs] -- it has none
import pandera.ibis
import pytest
from pandera.errors import SchemaErrors

from prefect_sluice.contracts import ask
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.base import CandidateView, Gate, ReleaseView, Subject, ask_gate, views
from prefect_sluice.gates.contracts.gate import Contracts
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Reason
from tests.gates.duck import DuckReader
from tests.gates.keeping import Kept
from tests.gates.views import but

PASSED, WARNED, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.FAILED
INCONCLUSIVE, ERRORED = Verdict.INCONCLUSIVE, Verdict.ERRORED
HEAD = "from __future__ import annotations\nimport pandera.ibis as pa\nfrom pandera.ibis import Field\n"
ROWS = """
    SELECT * FROM (VALUES
        (1, 'AA', 0.5::DOUBLE, 10),
        (2, 'UA', 1.5::DOUBLE, NULL),
        (3, NULL, NULL, 30),
        (3, 'zz', 'nan'::DOUBLE, 40)
    ) AS t(id, carrier, share, delay)
"""


def project(folder: Path, body: str, *, name: str = "contracts/marts.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + body)
    return folder


def node(name: str = "punctuality", contract: str = "contracts.marts:M") -> Node:
    return Node(
        f"model.flights.{name}", NodeKind.TABLE, Name("main", name), "", "sql", (), "f1", contract=contract
    )


def reader(rows: str = ROWS, relation: str = "t") -> DuckReader:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE {relation} AS {rows}")
    return DuckReader(connection)


def judge(folder: Path, duck: DuckReader, *nodes: Node, relation: str = "t") -> GateReport:
    known = {each.unique_id: each for each in nodes or (node(),)}
    subject = Subject(
        ReleaseView(folder, known, tuple(known)),
        candidate=CandidateView(reader=duck, relations=dict.fromkeys(known, relation)),
    )
    return ask_gate(Contracts(), subject)


def only(report: GateReport, check: str) -> Finding:
    [finding] = [each for each in report.findings if each.check == check]
    return finding


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    before = (set(sys.path), list(sys.meta_path))
    yield
    assert (set(sys.path), list(sys.meta_path)) == before
    assert not [name for name in sys.modules if name.split(".")[0] == "contracts"]


def test_is_a_gate() -> None:
    gate: Gate = Contracts()
    assert (gate.id, views(gate)) == ("contracts", ("release", "candidate", "tools"))


# check body -> (finding.check, verdict, observed, a part of the summary)
CASES: dict[str, tuple[str, str, Verdict, float | None, str]] = {
    "range": (
        "share: float = Field(in_range={'min_value': 0, 'max_value': 1}, nullable=True)",
        "share in_range(0, 1)",
        FAILED,
        2,
        "2 of 4 rows: share not in [0, 1]",
    ),
    "range of nulls only ignored": (
        "delay: int = Field(ge=10, nullable=True)",
        "delay greater_than_or_equal_to(10)",
        PASSED,
        0,
        "4 rows",
    ),
    "NaN is in no range": (
        "share: float = Field(ge=0, nullable=True)",
        "share greater_than_or_equal_to(0)",
        FAILED,
        1,
        "1 of 4 rows: share below 0",
    ),
    "NULL and NaN": ("share: float", "share not null", FAILED, 2, "2 of 4 rows: share is NULL or NaN"),
    "NULL in text": ("carrier: str", "carrier not null", FAILED, 1, "1 of 4 rows: carrier is NULL"),
    "type": ("id: str", "id string", FAILED, None, "id is INTEGER (int32), the contract says string"),
    "right type": ("delay: pa.typing.dt.Int32", "delay int32", PASSED, None, "delay is INTEGER"),
    "missing": ("nowhere: int", "nowhere present", FAILED, None, "there is no column nowhere"),
    "isin": (
        "carrier: str = Field(isin=['AA', 'UA'], nullable=True)",
        "carrier isin(['AA', 'UA'])",
        FAILED,
        1,
        "1 of 4 rows: carrier not one of 'AA', 'UA'",
    ),
    "pattern": (
        "carrier: str = Field(str_matches='[A-Z]{2}$', nullable=True)",
        "carrier str_matches('[A-Z]{2}$')",
        FAILED,
        1,
        "carrier does not match '[A-Z]{2}$'",
    ),
    "unique column, which pandera.ibis ignores": (
        "id: int = Field(unique=True)",
        "id unique",
        FAILED,
        2,
        "2 of 4 rows: id not unique",
    ),
    "warning": ("id: int = Field(lt=3, raise_warning=True)", "id less_than(3)", WARNED, 2, "id not below 3"),
    "exact values": (
        "carrier: str = Field(unique_values_eq=['AA', 'UA', 'zz'], nullable=True)",
        "carrier unique_values_eq(['AA', 'UA', 'zz'])",
        PASSED,
        None,
        "is true",
    ),
    "not those values": (
        "carrier: str = Field(unique_values_eq=['AA', 'UA'], nullable=True)",
        "carrier unique_values_eq(['AA', 'UA'])",
        FAILED,
        None,
        "is false",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_field(case: str, tmp_path: Path) -> None:
    field, check, verdict, observed, summary = CASES[case]
    head = "import ibis.expr.datatypes as dt\npa.typing.dt = dt\n"
    folder = project(tmp_path, f"{head}class M(pa.DataFrameModel):\n    {field}\n")
    finding = only(judge(folder, reader()), check)
    assert (finding.verdict, finding.observed) == (verdict, observed), finding
    assert summary in finding.summary
    assert finding.subject == "model.flights.punctuality"


def test_types_of_all_kinds(tmp_path: Path) -> None:
    rows = """
        SELECT 1.5::DECIMAL(9, 2) AS price, [1] AS many, {'a': 1} AS both, DATE '2026-01-01' AS day,
               TIMESTAMP '2026-01-01' AS at, 'a'::ENUM('a') AS kind, 1::UHUGEINT AS big, '1'::BIT AS bits
    """
    body = (
        "import datetime\nimport ibis.expr.datatypes as dt\nM = pa.DataFrameSchema({\n"
        "    'price': pa.Column(dt.Decimal(9, 2), pa.Check.ge(1)), 'many': pa.Column(),\n"
        "    'both': pa.Column(), 'day': pa.Column(dt.date),\n"
        "    'at': pa.Column(dt.Timestamp(scale=6)), 'kind': pa.Column(str), 'big': pa.Column(int),\n"
        "    'bits': pa.Column()})\n"
    )
    report = judge(project(tmp_path, body), reader(rows))
    doubtful = [each for each in report.findings if each.verdict is not PASSED]
    assert [each.summary for each in doubtful] == ["big is UHUGEINT, a type that Ibis does not know"]


def test_times_with_a_zone(tmp_path: Path) -> None:
    rows = "SELECT TIMESTAMPTZ '2026-03-29 01:30:00+00' AS at UNION ALL SELECT NULL"
    body = (
        "import datetime\nimport ibis.expr.datatypes as dt\nUTC = datetime.timezone.utc\n"
        "M = pa.DataFrameSchema({'at': pa.Column(\n"
        "    dt.Timestamp(timezone='UTC', scale=6), nullable=True,\n"
        "    checks=pa.Check.lt(datetime.datetime(2026, 3, 29, 1, tzinfo=UTC)))})\n"
    )
    report = judge(project(tmp_path, body), reader(rows))
    assert [(each.verdict, each.observed) for each in report.findings] == [(PASSED, None), (FAILED, 1)]


def test_a_check_that_is_null_in_every_row_is_inconclusive(tmp_path: Path) -> None:
    body = (
        "class M(pa.DataFrameModel):\n    @pa.dataframe_check\n    def after(cls, data):\n"
        "        return data.table.delay > data.table.share\n"
    )
    rows = "SELECT 1 AS id, NULL::INTEGER AS delay, 1.5::DOUBLE AS share"
    assert only(judge(project(tmp_path, body), reader(rows)), "after").verdict is INCONCLUSIVE


OF_PANDAS = """
import pandera.pandas as pp
class M(pp.DataFrameModel):
    id: pp.typing.Series[int] = pp.Field(ge=2, coerce=True)
    carrier: pp.typing.Series[str] = pp.Field(isin=["AA", "UA"], nullable=True)
    share: float = pp.Field(nullable=True, le=1.5)
    delay: "int32" = pp.Field(nullable=True)
    @pp.check("carrier")
    def own(cls, series):
        return True
"""


def test_a_contract_for_pandas_is_asked_in_the_warehouse(tmp_path: Path) -> None:
    duck = reader()
    report = judge(project(tmp_path, OF_PANDAS.replace('"int32"', "pp.typing.Series[pp.Int32]")), duck)
    assert {each.check: (each.verdict, each.observed) for each in report.findings} == {
        "id present": (PASSED, None),
        "id not null": (PASSED, 0),
        "id greater_than_or_equal_to(2)": (FAILED, 1),
        "carrier string": (PASSED, None),
        "carrier isin(['AA', 'UA'])": (FAILED, 1),
        "carrier own": (ERRORED, None),
        "share float64": (PASSED, None),
        "share less_than_or_equal_to(1.5)": (FAILED, 1),
        "delay int32": (PASSED, None),
    }
    assert "it is written for pandas" in only(report, "carrier own").summary
    assert len(duck.asked) == 2, "one for the counts, one for the rows of all that fail"


def test_a_contract_that_changed_is_held_against_what_stays(tmp_path: Path) -> None:
    kept, duck = Kept(), reader()
    step = Step(
        Action.REUSE, node().unique_id, node().name, node().kind, Reason(Because.UNCHANGED), "f1", "i1"
    )
    plan = Plan("dev", Cause.RELEASE, "r2", 1, "r1", (step,), (), (), NotesBefore({}, {}))

    def ask(limit: int) -> GateReport:
        project(tmp_path, f"class M(pa.DataFrameModel):\n    id: pa.typing.dt.Int32 = Field(le={limit})\n".replace(
            "pa.typing.dt.Int32", "__import__('ibis').dtype('int32')"))  # fmt: skip
        standing = {node().unique_id: "t"}
        subject = Subject(
            ReleaseView(tmp_path, {node().unique_id: node()}, (), plan=plan),
            candidate=CandidateView(reader=duck, standing=standing),
        )
        return ask_gate(Contracts(), but(subject, memory=kept))

    assert ask(3).verdict is PASSED
    assert ask(3).not_applicable == "no changed model has a contract, and no contract changed"
    assert ask(2).verdict is FAILED
    assert ask(2).verdict is FAILED, "what failed is asked again"


def test_a_failure_shows_whole_rows_as_text(tmp_path: Path) -> None:
    folder = project(tmp_path, "class M(pa.DataFrameModel):\n    share: float = Field(le=1, nullable=True)\n")
    evidence = only(judge(folder, reader()), "share less_than_or_equal_to(1)").evidence
    assert evidence is not None
    assert evidence.columns == ("id", "carrier", "share", "delay")
    assert sorted(evidence.rows) == [("2", "UA", "1.5", None), ("3", "zz", "nan", "40")]
    assert evidence.total == 2


def test_evidence_is_bounded_and_the_count_is_not(tmp_path: Path) -> None:
    folder = project(tmp_path, "class M(pa.DataFrameModel):\n    id: int = Field(lt=0)\n")
    finding = only(judge(folder, reader("SELECT range AS id FROM range(250)")), "id less_than(0)")
    assert finding.evidence is not None
    assert (len(finding.evidence.rows), finding.evidence.total, finding.observed) == (100, 250, 250)


def test_all_checks_are_one_query(tmp_path: Path) -> None:
    body = (
        "class M(pa.DataFrameModel):\n    id: int = Field(ge=0, unique=True)\n    carrier: str\n"
        "    class Config:\n        unique = ['id', 'carrier']\n"
    )
    duck = reader("SELECT range AS id, 'AA' AS carrier FROM range(10)")
    assert judge(project(tmp_path, body), duck).verdict is PASSED
    assert len(duck.asked) == 1


CUSTOM = """
import ibis
class M(pa.DataFrameModel):
    id: int
    share: float = Field(nullable=True)
    @pa.check("id")
    def below_the_mean(cls, data):
        return data.table[data.key] <= data.table[data.key].mean()
    @pa.check("id")
    def mostly_small(cls, data):
        return (data.table[data.key] < 3).mean() >= 0.5
    @pa.check("id", element_wise=True)
    def in_python(cls, value):
        return value > 0
    @pa.check("id")
    def broken(cls, data):
        return data.table.nowhere > 0
    @pa.check("id")
    def raises(cls, data):
        raise RuntimeError("no network\\nsecond line")
    @pa.check("id")
    def answers_text(cls, data):
        return "yes"
    @pa.check("id")
    def own_query(cls, data):
        return data.table.count().execute() > 0
    @pa.check("id")
    def refused(cls, data):
        return data.table[data.key].cast("string").cast("date") > ibis.date(2020, 1, 1)
    @pa.check("share", ignore_na=False)
    def nulls_count(cls, data):
        return data.table[data.key] >= 0
    @pa.dataframe_check
    def share_over_id(cls, data):
        return data.table.share < data.table.id
    @pa.dataframe_check
    def several(cls, data):
        return {"a": data.table.id > 0, "b": data.table.id < 3}
    @pa.dataframe_check
    def has_rows(cls, data):
        return data.table.count() >= 4
    @pa.dataframe_check
    def undecided(cls, data):
        return data.table.share.mean(where=data.table.id > 9) > 0
"""
ANSWERS: dict[str, tuple[Verdict, float | None, str]] = {
    "id below_the_mean": (FAILED, 2, "2 of 4 rows: id below_the_mean does not hold"),
    "id mostly_small": (PASSED, None, "4 rows: id mostly_small is true"),
    "id in_python": (INCONCLUSIVE, None, "element-wise"),
    "id broken": (ERRORED, None, "AttributeError"),
    "id raises": (ERRORED, None, "the check raised RuntimeError: no network"),
    "id answers_text": (ERRORED, None, "it answered str"),
    "id own_query": (INCONCLUSIVE, None, "a query of its own"),
    "id refused": (ERRORED, None, "Conversion Error"),
    "share nulls_count": (FAILED, 1, "1 of 4 rows"),
    "share_over_id": (FAILED, 1, "1 of 4 rows"),
    "several": (FAILED, 2, "2 of 4 rows"),
    "has_rows": (PASSED, None, "is true"),
    "undecided": (INCONCLUSIVE, None, "NULL"),
}


@pytest.mark.parametrize("check", ANSWERS)
def test_a_check_of_its_own(check: str, tmp_path: Path) -> None:
    verdict, observed, summary = ANSWERS[check]
    finding = only(judge(project(tmp_path, CUSTOM), reader()), check)
    assert (finding.verdict, finding.observed) == (verdict, observed), finding
    assert summary in finding.summary
    assert "\n" not in finding.summary


def test_a_check_that_raises_is_located(tmp_path: Path) -> None:
    finding = only(judge(project(tmp_path, CUSTOM), reader()), "id raises")
    text = (tmp_path / "contracts/marts.py").read_text().splitlines()
    file, _, line = finding.location.partition(":")
    assert file == "contracts/marts.py"
    assert "RuntimeError" in text[int(line) - 1]


def test_zero_rows_prove_nothing(tmp_path: Path) -> None:
    body = (
        "class M(pa.DataFrameModel):\n    id: int = Field(unique=True, ge=0)\n"
        "    @pa.dataframe_check\n    def has_rows(cls, data):\n        return data.table.count() > 0\n"
    )
    report = judge(project(tmp_path, body), reader("SELECT 1::BIGINT AS id LIMIT 0"))
    found = {each.check: each.verdict for each in report.findings}
    assert found == {
        "id int64": PASSED,
        "id not null": INCONCLUSIVE,
        "id unique": INCONCLUSIVE,
        "id greater_than_or_equal_to(0)": INCONCLUSIVE,
        "has_rows": FAILED,
    }


@pytest.mark.parametrize(
    ("config", "check", "verdict"),
    [
        ("strict = True", "strict", FAILED),
        ("strict = 'filter'", "strict", None),
        ("ordered = True", "ordered", FAILED),
        ("unique = ['id']", "id unique", FAILED),
        ("unique = ['id', 'share']", "unique(id, share)", PASSED),
        ("unique = [['id'], ['carrier', 'id']]", "unique(carrier, id)", PASSED),
        ("unique = ['id', 'gone']", "unique(id, gone)", FAILED),
    ],
)
def test_the_whole_schema(config: str, check: str, verdict: Verdict | None, tmp_path: Path) -> None:
    body = (
        "import ibis.expr.datatypes as dt\nclass M(pa.DataFrameModel):\n"
        "    share: float = Field(nullable=True)\n"
        f"    id: dt.Int32\n    class Config:\n        {config}\n"
    )
    report = judge(project(tmp_path, body), reader())
    assert [each.verdict for each in report.findings if each.check == check] == (
        [] if verdict is None else [verdict]
    )


def test_a_pattern_of_columns(tmp_path: Path) -> None:
    body = (
        "class M(pa.DataFrameModel):\n"
        "    some: float = Field(alias='^sh.*', regex=True, le=1, nullable=True)\n"
        "    none: float = Field(alias='^zz.*', regex=True)\n"
    )
    report = judge(project(tmp_path, body), reader())
    assert only(report, "share less_than_or_equal_to(1)").verdict is FAILED
    assert "no column matches" in only(report, "^zz.* present").summary


def test_repeated_checks_keep_apart(tmp_path: Path) -> None:
    body = (
        "M = pa.DataFrameSchema({'id': pa.Column(nullable=True, checks=[\n"
        "    pa.Check(lambda d: d.table[d.key] > 0), pa.Check(lambda d: d.table[d.key] > 1)])})\n"
    )
    report = judge(project(tmp_path, body), reader())
    assert {each.check: each.verdict for each in report.findings} == {
        "id present": PASSED,
        "id check": PASSED,
        "id check #2": FAILED,
    }


def test_names_that_need_quotes(tmp_path: Path) -> None:
    duck = reader('SELECT 1::BIGINT AS "a ""b", 2::BIGINT AS "größe" UNION ALL SELECT NULL, 3', '"o t"')
    body = (
        "M = pa.DataFrameSchema({'a \"b': pa.Column(int), 'größe': pa.Column(int, pa.Check.le(2))},\n"
        "    unique=['a \"b', 'größe'])\n"
    )
    report = judge(project(tmp_path, body), duck, relation='"memory"."main"."o t"')
    assert {each.check: (each.verdict, each.observed) for each in report.findings} == {
        'unique(a "b, größe)': (PASSED, 0),
        'a "b int64': (PASSED, None),
        'a "b not null': (FAILED, 1),
        "größe int64": (PASSED, None),
        "größe not null": (PASSED, 0),
        "größe less_than_or_equal_to(2)": (FAILED, 1),
    }


BROKEN: dict[str, tuple[str, str, str]] = {
    "syntax": ("class M(\n", "contracts.marts:M", "contracts/marts.py:4: SyntaxError"),
    "import": ("import nowhere_at_all\n", "contracts.marts:M", "contracts/marts.py:4: ModuleNotFoundError"),
    "exit": ("raise SystemExit(3)\n", "contracts.marts:M", "contracts/marts.py:4: SystemExit: 3"),
    "no file": ("", "contracts.none:M", "contracts/none.py: there is no such file in the project"),
    "no class": ("", "contracts.marts:M", "contracts/marts.py: there is no class 'M' in it"),
    "no schema": ("M = 3\n", "contracts.marts:M", "M is a builtins.int, not a pandera.ibis schema"),
    "no table": (
        "import pandera.pandas as pp\nM = pp.SeriesSchema(int)\n",
        "contracts.marts:M",
        "not a pandera.ibis schema; derive it from pandera.ibis.DataFrameModel",
    ),
    "an index of pandas": (
        "import pandera.pandas as pp\nM = pp.DataFrameSchema({}, index=pp.Index(int))\n",
        "contracts.marts:M",
        "M is a contract for pandas: it has an index, and a relation has none",
    ),
    "a type of pandas": (
        "import pandera.pandas as pp\nM = pp.DataFrameSchema({'id': pp.Column('category')})\n",
        "contracts.marts:M",
        "column id is category for pandas, which no warehouse has",
    ),
    "no reference": ("", "contracts.marts", "write it as module:Class"),
    "not the project's": ("", "json:JSONDecoder", "json.py: there is no such file in the project"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_contract_that_cannot_be_had(case: str, tmp_path: Path) -> None:
    body, reference, summary = BROKEN[case]
    [finding] = judge(project(tmp_path, body), reader(), node(contract=reference)).findings
    assert finding.verdict is ERRORED
    assert summary in finding.summary
    assert "\n" not in finding.summary


def test_without_pandera_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "CHILD", "tests.gates.without_pandera")
    [finding] = judge(tmp_path, reader()).findings
    assert finding.verdict is ERRORED
    assert "pip install 'prefect-sluice[contracts]'" in finding.summary


def test_one_broken_contract_does_not_hide_another(tmp_path: Path) -> None:
    project(tmp_path, "raise ValueError('no')\n", name="contracts/bad.py")
    project(
        tmp_path,
        "class M(pa.DataFrameModel):\n    id: int = Field(lt=3)\n    class Config:\n        coerce = True\n",
    )
    report = judge(tmp_path, reader(), node("a", "contracts.bad:M"), node("b"))
    assert {each.subject for each in report.findings} == {"model.flights.a", "model.flights.b"}
    assert only(report, "id less_than(3)").verdict is FAILED


def test_nodes_without_a_contract_are_none_of_its_business(tmp_path: Path) -> None:
    report = judge(tmp_path, reader(), node(contract=""))
    assert report.not_applicable == "no model has a contract"


def test_a_relation_that_cannot_be_read(tmp_path: Path) -> None:
    folder = project(tmp_path, "class M(pa.DataFrameModel):\n    id: int\n")
    [finding] = judge(folder, reader(), relation="nowhere").findings
    assert finding.verdict is ERRORED
    assert "cannot be read" in finding.summary
    subject = Subject(
        ReleaseView(folder, {node().unique_id: node()}, (node().unique_id,)),
        candidate=CandidateView(reader=reader()),
    )
    assert ask_gate(Contracts(), subject).verdict is ERRORED


def test_an_empty_contract_is_inconclusive(tmp_path: Path) -> None:
    assert judge(project(tmp_path, "M = pa.DataFrameSchema()\n"), reader()).verdict is INCONCLUSIVE


def test_two_checkouts_never_mix(tmp_path: Path) -> None:
    for name, limit in (("one", 3), ("two", 9)):
        project(tmp_path / name, f"LIMIT = {limit}\n", name="contracts/common.py")
        project(tmp_path / name, "", name="contracts/__init__.py")
        project(
            tmp_path / name,
            "from contracts.common import LIMIT\nclass M(pa.DataFrameModel):\n"
            "    @pa.dataframe_check\n    def small(cls, data):\n"
            "        from contracts.common import LIMIT as late\n"
            "        return data.table.id < late if late == LIMIT else False\n",
        )
    verdicts = [only(judge(tmp_path / name, reader()), "small").verdict for name in ("one", "two", "one")]
    assert verdicts == [FAILED, PASSED, FAILED]
    assert not list(tmp_path.rglob("__pycache__"))


def test_nothing_of_the_project_comes_into_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project(
        tmp_path,
        "import sys\nsys.path.insert(0, 'x')\nsys.modules['duckdb'] = None\n"
        "class M(pa.DataFrameModel):\n    id: int\n    class Config:\n        coerce = True\n",
    )
    foreign, path = type(sys)("contracts"), list(sys.path)
    monkeypatch.setitem(sys.modules, "contracts", foreign)
    assert only(judge(folder, reader()), "id not null").verdict is PASSED
    assert sys.modules.pop("contracts") is foreign
    assert (sys.path, sys.modules["duckdb"]) == (path, duckdb)


def test_a_folder_does_not_hide_an_installed_package(tmp_path: Path) -> None:
    project(tmp_path, "", name="duckdb/queries.py")
    project(tmp_path, "import duckdb\nassert duckdb.connect\nM = pa.DataFrameSchema({'id': pa.Column()})\n")
    assert only(judge(tmp_path, reader()), "id not null").verdict is PASSED


# --- pandera as the oracle ---

ORACLES: dict[str, str] = {
    "carrier isin": '{"carrier": pa.Column(str, pa.Check.isin(["AA", "UA"]), nullable=True)}',
    "carrier notin": '{"carrier": pa.Column(str, pa.Check.notin(["AA"]), nullable=True)}',
    "carrier length": '{"carrier": pa.Column(str, pa.Check.str_length(1, 2), nullable=True)}',
    "carrier matches": '{"carrier": pa.Column(str, pa.Check.str_matches("A|U"), nullable=True)}',
    "carrier ends": '{"carrier": pa.Column(str, pa.Check.str_endswith("A"))}',
    "id range": '{"id": pa.Column(int, pa.Check.in_range(1, 3, include_max=False))}',
    "id two": '{"id": pa.Column(int, [pa.Check.gt(0), pa.Check.ne(2)], nullable=True)}',
    "id type": '{"id": pa.Column(dt.int32, nullable=True)}',
    "share range": '{"share": pa.Column(float, pa.Check.in_range(0, 1), nullable=True)}',
    "share le": '{"share": pa.Column(float, pa.Check.le(0.5))}',
    "missing": '{"gone": pa.Column(float), "also": pa.Column(float, required=False)}',
}
MADE: list[list[tuple[int | None, str | None, float | None]]] = [
    [(1, "AA", 0.5)],
    [(None, None, None)],
    [(1, "AA", 0.5), (2, "UA", 1.5), (2, "zz", float("nan")), (None, "A", -1.0)],
    [(n % 7, "AUz"[n % 3] * (n % 4), n / 10) for n in range(30)],
    [(3, "AA", 1.0), (3, "AA", 1.0), (None, None, 0.0), (None, None, 0.0)],
]


def _pandera(schema: Any, duck: DuckReader) -> dict[str, int | None]:
    """Return what pandera finds wrong: check -> number of failing rows (None where it counts none)."""
    table = ibis.duckdb.from_connection(duck.connection).table("t")
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        return dict(_told(error) for error in errors.schema_errors)
    return {}


def _told(error: Any) -> tuple[str, int | None]:
    cases = error.failure_cases
    rows = None if isinstance(cases, str) else len(cases.execute() if hasattr(cases, "execute") else cases)
    reason = str(error.reason_code.name)
    column = str(cases) if reason == "COLUMN_NOT_IN_DATAFRAME" else str(error.schema.name)
    match reason:
        case "COLUMN_NOT_IN_DATAFRAME":
            return f"{column} present", None
        case "WRONG_DATATYPE":
            return f"{column} {error.schema.dtype}", None
        case "SERIES_CONTAINS_NULLS":
            return f"{column} not null", rows
        case "DUPLICATES":
            return "unique", rows
        case _:
            return f"{column} {error.check.error}", rows


def _ours(report: GateReport) -> dict[str, int | None]:
    wrong = [each for each in report.findings if each.verdict > WARNED]
    return {
        "unique" if "unique" in each.check else each.check: None
        if each.observed is None
        else int(each.observed)
        for each in wrong
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ibis 12 calls what DuckDB 1.5 is to drop
@pytest.mark.parametrize("rows", MADE, ids=range(len(MADE)))
@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("unique", [None, ["id"], ["id", "carrier"]])
def test_pandera_says_the_same(
    oracle: str, rows: list[Any], unique: list[str] | None, tmp_path: Path
) -> None:
    duck = reader("SELECT 1::BIGINT AS id, ''::VARCHAR AS carrier, 0::DOUBLE AS share LIMIT 0")
    duck.connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    text = f"pa.DataFrameSchema({ORACLES[oracle]}, unique={unique!r})"
    folder = project(tmp_path, f"import ibis.expr.datatypes as dt\nM = {text}\n")
    schema = eval(text, {"pa": pandera.ibis, "dt": dt})
    assert _ours(judge(folder, duck)) == _pandera(schema, duck)
