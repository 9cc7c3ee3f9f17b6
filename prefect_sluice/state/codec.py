"""How values are written into rows and documents, and read back as they were."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from math import isfinite
from typing import Any, cast

from prefect_sluice.domain.controls import Control, RollbackExtras
from prefect_sluice.domain.controls import ControlKind as ControlKind
from prefect_sluice.domain.digests import Json, canonical
from prefect_sluice.domain.errors import BadInput, LedgerBroken
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.node import Name, NodeKind
from prefect_sluice.domain.promotion import (
    Approval,
    ApprovalQuestion,
    Candidate,
    Decision,
    Lease,
    Promotion,
    State,
)
from prefect_sluice.domain.relation import Relation, RelationState
from prefect_sluice.domain.release import Change, Commit, Composed, Release
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Verdict, subjects_of

Columns = Mapping[Any, Any]
"""A row by column name; Any, because that is what a database gives."""


@contextmanager
def readable(what: str, place: str) -> Generator[None]:
    """Turn what goes wrong while stored text is read inside the block into BadInput."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        fix = "restore the state store from a backup"
        raise BadInput(f"{what} is not what was written", where=place, fix=fix) from error


def _only(kind: type, row: Columns, /, **changed: Any) -> dict[str, Any]:
    return {field.name: row[field.name] for field in fields(kind) if field.name not in changed} | changed


def release_row(release: Release) -> dict[str, Any]:
    """Return the columns of a release; the manifest is the document, with the commit's message beside it."""
    change = release.change
    manifest = cast(dict[str, Json], release.manifest())
    document = canonical({**manifest, "message": change.message} if change.message else manifest).decode()
    return {"id": release.id, "commit": change.commit, "author": change.author, "document": document}


def release(row: Columns) -> Release:
    """Return the release. Raises ValueError when it is not the one that its id says."""
    manifest = json.loads(row["document"])
    change = Change(
        commit=manifest["commit"],
        tree=manifest["tree"],
        project=manifest["project"],
        author=manifest["author"],
        at=datetime.fromisoformat(manifest["at"]),
        subject=manifest["subject"],
        parents=tuple(manifest["parents"]),
        files=tuple(manifest["changed"]),
        message=manifest.get("message", ""),
    )
    composed = _composed(manifest["composed"]) if "composed" in manifest else None
    found = Release(
        change,
        files=manifest["files"],
        tools=manifest["tools"],
        composed=composed,
        packages=manifest.get("packages", {}),
    )
    if found.id != row["id"]:
        raise ValueError(f"the manifest has the id {found.id}")
    return found


def _composed(document: Mapping[str, Any]) -> Composed:
    commits = tuple(
        Commit(item["id"], item["author"], item["subject"], datetime.fromisoformat(item["at"]))
        for item in document.get("commits", ())
    )
    return Composed(document["environment"], document["of"], document["onto"], document["select"], commits)


def promotion_row(promotion: Promotion) -> dict[str, Any]:
    """Return the columns of a promotion."""
    return {**asdict(promotion), "cause": promotion.cause.value, "state": promotion.state.value}


def promotion(row: Columns) -> Promotion:
    """Return the promotion."""
    return Promotion(**_only(Promotion, row, cause=Cause(row["cause"]), state=State(row["state"])))


def candidate(row: Columns) -> Candidate:
    """Return the candidate."""
    return Candidate(**_only(Candidate, row))


def relation_row(relation: Relation) -> dict[str, Any]:
    """Return the columns of a relation; the address takes two of them."""
    row = asdict(relation)
    del row["address"]
    place = {"schema": relation.address.schema, "identifier": relation.address.identifier}
    return {**row, **place, "kind": relation.kind.value, "state": relation.state.value}


def relation(row: Columns) -> Relation:
    """Return the relation."""
    address = Name(row["schema"], row["identifier"])
    kind, state = NodeKind(row["kind"]), RelationState(row["state"])
    return Relation(**_only(Relation, row, address=address, kind=kind, state=state))


def approval_row(approval: Approval) -> dict[str, Any]:
    """Return the columns of an approval."""
    return {**asdict(approval), "decision": approval.decision.value}


def approval(row: Columns) -> Approval:
    """Return the approval."""
    return Approval(**_only(Approval, row, decision=Decision(row["decision"])))


def question(row: Columns) -> ApprovalQuestion:
    """Return what a run asks."""
    return ApprovalQuestion(**_only(ApprovalQuestion, row))


def control_row(control: Control) -> dict[str, Any]:
    """Return the columns of a hold, freeze or block."""
    return {**asdict(control), "kind": control.kind.value}


def control(row: Columns) -> Control:
    """Return the hold, freeze or block."""
    return Control(**_only(Control, row, kind=ControlKind(row["kind"])))


def aftercare(row: Columns) -> RollbackExtras:
    """Return what a rollback brings with it."""
    return RollbackExtras(**_only(RollbackExtras, row))


def lease(row: Columns) -> Lease | None:
    """Return the lease, or None when nobody holds it."""
    return Lease(**_only(Lease, row)) if row["expires_at"] else None


def entry_row(entry: LedgerEntry) -> dict[str, Any]:
    """Return the columns of a ledger entry, its digest among them."""
    at = entry.at.isoformat(timespec="microseconds")
    return {**asdict(entry), "at": at, "facts": canonical(entry.facts).decode(), "digest": entry.digest}


def entry(row: Columns) -> LedgerEntry:
    """Return the ledger entry. Raises LedgerBroken when it is not, to the byte, what was written."""
    try:
        found = LedgerEntry(
            **_only(LedgerEntry, row, at=datetime.fromisoformat(row["at"]), facts=json.loads(row["facts"]))
        )
        same = entry_row(found) == dict(row)
    except (ValueError, TypeError) as error:
        raise LedgerBroken(row["number"], "it cannot be read") from error
    if not same:
        raise LedgerBroken(row["number"], "its digest is another one")
    return found


def report_row(report: GateReport) -> dict[str, Any]:
    """Return the columns of a gate report; all of it is in the document."""
    document: Json = {
        "gate": report.gate,
        "findings": [_finding_document(finding) for finding in report.findings],
        "not_applicable": report.not_applicable,
        "seconds": _number(report.seconds),
    }
    verdict = "not applicable" if report.not_applicable else report.verdict.name.lower()
    return {"gate": report.gate, "verdict": verdict, "document": canonical(document).decode()}


def report(row: Columns) -> GateReport:
    """Return the gate report, exactly as it was given; but of a file whose name holds a comma, two subjects come of one."""
    document = json.loads(row["document"])
    return GateReport(
        gate=document["gate"],
        findings=tuple(_finding(finding) for finding in document["findings"]),
        not_applicable=document["not_applicable"],
        seconds=float(document["seconds"]),
    )


def _finding_document(finding: Finding) -> Json:
    evidence = finding.evidence
    return {
        "gate": finding.gate,
        "check": finding.check,
        "verdict": finding.verdict.name,
        "summary": finding.summary,
        "subject": finding.subject,
        "observed": _number(finding.observed),
        "limit": _number(finding.limit),
        "location": finding.location,
        "evidence": _table(evidence) if evidence else None,
        "more": [_table(table) for table in finding.more],
        "fix": finding.fix,
    }


def _table(evidence: Evidence) -> dict[str, Any]:
    document = asdict(evidence)
    if not evidence.numbers:  # so that the digest of what an older Sluice wrote stays what was approved
        del document["numbers"]
    return document


def _finding(document: dict[str, Any]) -> Finding:
    evidence = document["evidence"]
    return Finding(
        **_only(
            Finding,
            document,
            subjects=subjects_of(document["subject"]),
            verdict=Verdict[document["verdict"]],
            observed=_float(document["observed"]),
            limit=_float(document["limit"]),
            evidence=_evidence(evidence) if evidence else None,
            # Reports that an older Sluice wrote have neither.
            more=tuple(_evidence(table) for table in document.get("more", ())),
            fix=document.get("fix", ""),
        )
    )


def _evidence(document: dict[str, Any]) -> Evidence:
    rows = tuple(tuple(row) for row in document["rows"])
    columns, bars = tuple(document["columns"]), tuple(document.get("bars", ()))
    numbers = tuple(document.get("numbers", ()))
    return Evidence(columns, rows, document["total"], document.get("title", ""), bars, numbers)


def _number(value: float | None) -> float | str | None:
    # JSON has no word for NaN and the infinities, and a check may well have measured one.
    return value if value is None or isfinite(value) else str(value)


def _float(value: float | str | None) -> float | None:
    return float(value) if isinstance(value, str) else value
