"""What runs inside of the boundary: it imports a contract of the change, and says what that promises or asks, as JSON.

It is not given any data: what it asks of the warehouse, it writes as text.
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from prefect_sluice.contracts.compile import compile_contract
from prefect_sluice.contracts.describe import describe
from prefect_sluice.contracts.load import blame, import_from, load_schema, ready
from prefect_sluice.contracts.promise import ContractInvalid, SettledCheck, Unaskable
from prefect_sluice.contracts.questions import Questions
from prefect_sluice.contracts.weakened import losses
from prefect_sluice.contracts.wording import first_line
from prefect_sluice.domain.digests import Json
from prefect_sluice.warehouse.base import Column
from prefect_sluice.warehouse.engines import ASSUMED


def prepare() -> None:
    """Load what every contract needs. What is not installed is said when it is asked for."""
    if ready():
        return
    # What the libraries load when it is first used, each child would load again.
    pandera: Any = importlib.import_module("pandera.ibis")
    checks = [pandera.Check.ge(0), pandera.Check.isin([1]), pandera.Check(_any)]
    schema = pandera.DataFrameSchema({"a": pandera.Column(int, checks, unique=True)}, unique=["a"])
    describe(schema)
    queries = Questions(compile_contract(schema, [Column("a", "BIGINT")], ASSUMED), ASSUMED)
    queries.count(range(len(queries.measures)))
    queries.rows(0)


def _any(data: Any) -> Any:
    return data.table.a > 0


def answer(question: Any) -> Json:
    """Return an answer for each of what is `wanted`, in order: what a contract promises (`describe`), what it asks of a relation
    (`compile`), or one query of that in more detail (`query`). `compared` are two promises: what of the first the second does not
    keep. That imports nothing of a project, but matches the patterns that stand in them."""
    if "compared" in question:
        return {"losses": [asdict(loss) for loss in losses(*question["compared"])]}
    missing = ready()
    if missing:
        return {"answers": [{"what": missing, "where": "", "fix": ""} for _ in question["wanted"]]}
    root = Path(question["root"])
    warnings.simplefilter("ignore")  # pandera warns of types that it merely does not list
    import_from(root, [wish["reference"].partition(":")[0] for wish in question["wanted"]])
    return {"answers": [_answer(root, wish) for wish in question["wanted"]]}


def _answer(root: Path, wish: Any) -> Json:
    try:
        schema = load_schema(root, wish["reference"])
        if wish["kind"] == "describe":
            return {"document": _described(schema)}
        columns = [Column(name, kind) for name, kind in wish["columns"]]
        compiled = compile_contract(schema, columns, wish["dialect"], partial(blame, root=root))
    except ContractInvalid as error:
        return {"what": error.what, "where": error.where, "fix": error.fix}
    queries = Questions(compiled, wish["dialect"])
    if wish["kind"] == "query":
        return _query(queries, wish["which"], wish["of"])
    every = range(len(queries.measures))
    return {
        "settled": [_settled(one) for one in compiled.settled],
        "measures": [_measure(one) for one in queries.measures],
        "count": _query(queries, "count", every)["sql"] if queries.measures else "",
    }


def _described(schema: Any) -> Json:
    try:
        return describe(schema)
    except Exception as error:
        raise ContractInvalid(f"cannot be described: {first_line(error)}") from error


def _query(queries: Questions, which: str, of: Any) -> dict[str, Json]:
    try:
        sql = getattr(queries, which)(of)
    except Unaskable as error:
        return {"sql": "", "why": str(error), "is_known": error.is_known}
    return {"sql": sql, "why": "", "is_known": False}


def _settled(settled: SettledCheck) -> Json:
    return {
        "check": settled.check,
        "verdict": settled.verdict.name,
        "summary": settled.summary,
        "where": settled.where,
    }


def _measure(measure: Any) -> Json:
    return {
        "check": measure.check,
        "complaint": measure.complaint,
        "shape": measure.shape.value,
        "failing": measure.failing.name,
        "surplus_only": measure.surplus_only,
    }
