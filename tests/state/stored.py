"""A value of every kind that is stored, with every field filled: what the golden files of the state store are made from."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from prefect_sluice.config import parse
from prefect_sluice.config.policy import Governance, policy_in_file
from prefect_sluice.diff.column_stats import ColumnStats, ColumnStatsPair
from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.domain.build_conditions import Conditions
from prefect_sluice.domain.controls import Control, RollbackExtras
from prefect_sluice.domain.declarations import Consumer, Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.generation import Cause, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.poll_rules import PollAttempt
from prefect_sluice.domain.promotion import Approval, ApprovalQuestion, Candidate, Promotion, Run
from prefect_sluice.domain.refresh_rules import RefreshAttempt
from prefect_sluice.domain.relation import Relation
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Verdict
from prefect_sluice.domain.worded import Worded
from prefect_sluice.planning.candidate import CandidateContents
from prefect_sluice.planning.plan import Plan, Step
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Because, Held, HeldBy, Noted
from prefect_sluice.promotions.evidence import evidence_document
from prefect_sluice.state.records import AlertRecord, CheckResult, Preview
from prefect_sluice.state.store import StateStore

AT = datetime(2026, 3, 4, 12, 30, 5, 123456, tzinfo=UTC)
Value = TypeVar("Value")
_NAMES = {"Sequence": Sequence, "Mapping": Mapping, "Json": Any}
"""What types name that are known to type checkers only."""


def filled(kind: type[Value], **given: object) -> Value:
    """Return a value of a dataclass with something in each field, of its type; `given` are those that are to be so."""
    hints = typing.get_type_hints(kind, localns=_NAMES)
    names = [item.name for item in fields(cast(Any, kind)) if item.init]
    return kind(**{name: given[name] if name in given else _of(hints[name], name) for name in names})


def _of(hint: Any, name: str) -> Any:
    """Return something of a type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _of(next(item for item in inner if item is not type(None)), name)
    if origin is tuple:
        return (_of(inner[0], name),) if inner[-1] is Ellipsis else tuple(_of(item, name) for item in inner)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {f"{name} key": _of(inner[1], name)}
    if origin is Worded:
        return Worded(list(inner[0])[-2], "orders")
    if isinstance(hint, type) and issubclass(hint, Enum):
        return list(hint)[-1]
    if is_dataclass(cast(object, hint)):
        return filled(cast("type[Any]", hint))
    return {str: f"{name} é", int: 7, float: 0.5, bool: True, datetime: AT}[hint]


CHANGE = filled(Change)
RELEASES = (filled(Release), Release(Change("c", "t", ".", "Ada", AT, "Plain"), {"a.sql": "644:0"}, {}))
FINDINGS = (
    filled(
        Finding, observed=3, limit=float("nan")
    ),  # a whole number stays one: the evidence's digest holds its text
    filled(Finding, observed=float("inf"), limit=0.25),
    Finding("rows", "count", Verdict.PASSED, "all there"),
)
REPORTS = (filled(GateReport, findings=FINDINGS), GateReport("empty"))
_MAPS: dict[str, Any] = {"arguments": {"n": [1, 2.5, None]}, "config": {"where": "a > 1"}}
DECLARED = Declarations(
    {"consumers key": filled(Consumer, unique_id="consumers key")},
    {"tests key": filled(DeclaredTest, unique_id="tests key", **_MAPS)},
    {"described key": filled(NodeDescription)},
)
STEPS = (
    filled(
        Step,
        name=Name("marts.eu", "orders"),
        pointer=filled(
            Pointer,
            name=Name("marts.eu", "orders"),
            node="node é",
            fingerprint="fingerprint é",
            inputs="inputs é",
        ),
        reason=Worded(Because.NEW_DATA, "raw.clicks"),
        note=Worded(Noted.GOES_ALONG, "main.orders"),
    ),
    filled(Step, pointer=None, note=None, reason=Worded(Because.UNCHANGED)),
)
NOTES = filled(NotesBefore)
PLANS = (
    filled(Plan, steps=STEPS, notes=NOTES, held={"model.shop.a": Held(HeldBy.READS, "orders")}),
    Plan("prod", Cause.RELEASE, "r", 0, "", (), (), (), NotesBefore({}, {})),
)
CONTENTS = (filled(CandidateContents), CandidateContents((), (), (), ""))
_RULES = policy_in_file(
    parse("gates:\n  diff: {on: warn}\nenvironments: {prod: {approvals: 1}}\n", "sluice.yml"), "prod"
)
assert _RULES is not None
POLICIES = (Governance(Cause.RELEASE, _RULES, _RULES), Governance(Cause.REFRESH, None, _RULES))
_STATS = ColumnStats(1, 2, True, "a", "b", 0.5)
_ENDLESS = replace(_STATS, mean=float("inf"))
_NUMBERS = (
    ColumnStatsPair("n", "DOUBLE", _STATS, _ENDLESS),
    ColumnStatsPair("m", "INTEGER", None, _STATS),
)
_SAMPLE = Evidence(("id", "name"), (("1", None),), 3)  # a sample has no more than this
DIFFS = (
    filled(RelationDiff, numbers=_NUMBERS, added=_SAMPLE, removed=None),
    RelationDiff("orders", 1, 2, rows_changed=None),
)


def documents() -> dict[str, Json]:
    """Return the documents of the bundle store, and differences as the cache has them, each with its digest, by kind."""
    found: dict[str, list[Json]] = {
        "plan": [item.document() for item in PLANS],
        "candidate": [item.document() for item in CONTENTS],
        "evidence": [evidence_document("0" * 64, REPORTS)],
        "policy": [item.document() for item in POLICIES],
        "difference": [item.as_json() for item in DIFFS],
        "release": [item.manifest() for item in RELEASES],
    }
    return {
        kind: [{"digest": digest(one), "document": one} for one in items] for kind, items in found.items()
    }


def fill(store: StateStore) -> None:
    """Put a value of each kind into a store."""
    with store.transaction() as transaction:
        for release in RELEASES:
            transaction.put_release(release)
        transaction.put_promotion(filled(Promotion, id="p1"))
        transaction.put_promotion(replace(filled(Promotion, id="p2"), generation=None, policy=""))
        transaction.put_reports("p1", "stage", REPORTS)
        transaction.put_candidate(filled(Candidate))
        transaction.put_relations(
            [filled(Relation), filled(Relation, address=Name("s", "plain"), rows=None, seconds=None)]
        )
        transaction.put_approval(filled(Approval))
        transaction.put_question(filled(ApprovalQuestion))
        transaction.put_control(filled(Control))
        transaction.put_aftercare(filled(RollbackExtras))
        transaction.take_lease("prod", "ada@host", now=AT, ttl=timedelta(minutes=1))
        transaction.put_declared("prod", "release é", DECLARED)
        transaction.put_conditions("p1", AT, filled(Conditions))
        transaction.put_refresh("prod", filled(RefreshAttempt))
        transaction.put_poll("prod", filled(PollAttempt))
        transaction.put_check(filled(CheckResult))
        transaction.put_preview(filled(Preview))
        transaction.put_alert("prod", filled(AlertRecord))
        transaction.add_timing("p1", filled(Run))
        transaction.put_sign(filled(SignOfLife))
        transaction.append("first", actor="ada", at=AT, environment="prod", facts={"n": 1, "x": [0.5, None]})
        transaction.append("second", actor="ada", at=AT)


def database(path: Path) -> str:
    """Return the URL of the store in a folder."""
    return f"sqlite:///{path}/state.db"
