"""Values as JSON documents, for --json: one spelling of each, whichever command shows it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from prefect_sluice.domain.controls import Control, ControlKind
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.promotion import Approval, Promotion
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.work import Work
from prefect_sluice.workspace.previews import preview_schema

if TYPE_CHECKING:  # the store brings SQLAlchemy with it
    from prefect_sluice.state.records import Preview

Object: TypeAlias = dict[str, Json]


def change(value: Change) -> Object:
    """Return a commit."""
    return {
        "commit": value.commit,
        "author": value.author,
        "at": value.at.isoformat(),
        "subject": value.subject,
        "files": list(value.files),
    }


def release(value: Release) -> Object:
    """Return a release, its commit within."""
    composed = value.composed.document() if value.composed else None
    return {"id": value.id, "change": change(value.change), "tools": dict(value.tools), "composed": composed}


def plan(value: Plan) -> Object:
    """Return a plan's own document, and the digest of it."""
    document = value.document()
    assert isinstance(document, dict)
    return {**document, "digest": value.digest}


def promotion(value: Promotion) -> Object:
    """Return a promotion."""
    return {
        "id": value.id,
        "environment": value.environment,
        "release": value.release,
        "cause": value.cause.value,
        "base": value.base,
        "base_release": value.base_release,
        "state": value.state.value,
        "actor": value.actor,
        "created_at": value.created_at.isoformat(),
        "updated_at": value.updated_at.isoformat(),
        "plan": value.plan,
        "evidence": value.evidence,
        "policy": value.policy,
        "binding": value.binding,
        "generation": value.generation,
        "message": value.message,
    }


def approval(value: Approval) -> Object:
    """Return an approval or rejection."""
    return {
        "id": value.id,
        "promotion": value.promotion,
        "binding": value.binding,
        "decision": value.decision.value,
        "by": value.by,
        "authenticated": value.authenticated,
        "comment": value.comment,
        "at": value.at.isoformat(),
        "expires_at": value.expires_at.isoformat(),
        "used_at": value.used_at.isoformat() if value.used_at else None,
    }


def control(value: Control) -> Object:
    """Return a hold, freeze or block."""
    return {
        "id": value.id,
        "kind": value.kind.value,
        "environment": None if value.kind is ControlKind.BLOCK else value.target or "*",
        "release": value.target if value.kind is ControlKind.BLOCK else None,
        "by": value.by,
        "reason": value.reason,
        "at": value.at.isoformat(),
        "until": value.until.isoformat() if value.until else None,
        "promotion": value.promotion or None,
        "lifted": {"at": value.lifted_at.isoformat(), "by": value.lifted_by, "reason": value.lifted_reason}
        if value.lifted_at
        else None,
        "lift": value.lift,
    }


def generation(value: Generation) -> Object:
    """Return a generation; of its pointers, how many."""
    return {
        "environment": value.environment,
        "number": value.number,
        "release": value.release,
        "promotion": value.promotion,
        "cause": value.cause.value,
        "origin": value.origin,
        "at": value.at.isoformat(),
        "relations": len(value.relations),
        "collected_at": value.collected_at.isoformat() if value.collected_at else None,
    }


def entry(value: LedgerEntry) -> Object:
    """Return a ledger entry with its digest."""
    return {
        "number": value.number,
        "at": value.at.isoformat(),
        "event": value.event,
        "environment": value.environment,
        "actor": value.actor,
        "facts": dict(value.facts),
        "digest": value.digest,
    }


def reports(values: Iterable[GateReport]) -> list[Json]:
    """Return gate reports with all their findings and rows."""
    return [
        {
            "gate": value.gate,
            "verdict": "not applicable" if value.not_applicable else value.verdict.name,
            "not_applicable": value.not_applicable,
            "seconds": round(value.seconds, 3),
            "findings": [finding(report_finding) for report_finding in value.findings],
        }
        for value in values
    ]


def finding(value: Finding) -> Object:
    """Return a finding, with all rows that were kept."""
    return {
        "check": value.check,
        "verdict": value.verdict.name,
        "summary": value.summary,
        "subject": value.subject,
        "location": value.location,
        "observed": _number(value.observed),
        "limit": _number(value.limit),
        "evidence": _evidence(value.evidence) if value.evidence else None,
        "more": [_evidence(table) for table in value.more],
        "fix": value.fix,
    }


def _evidence(value: Evidence) -> Json:
    return {
        "columns": list(value.columns),
        "rows": [list(row) for row in value.rows],
        "total": value.total,
        "title": value.title,
    }


def _number(value: float | None) -> Json:
    # JSON has no word for NaN and the infinities.
    return value if value is None or isfinite(value) else str(value)


def work(value: Work, exit_code: int) -> Object:
    """Return how a run of the stages ended, with all that came of it."""
    outcome = value.outcome
    return {
        "status": outcome.status.value if outcome else "",
        "message": outcome.message if outcome else "",
        "next": outcome.advice if outcome else "",
        "exit_code": exit_code,
        "environment": value.request.environment,
        "release": release(value.release) if value.release else None,
        "plan": plan(value.plan) if value.plan else None,
        "commits": value.commits.document() if value.commits else None,
        **({"against_base": value.base.document(whole=True)} if value.base else {}),
        "promotion": promotion(value.promotion) if value.promotion else None,
        "reports": reports(value.reports),
        "generation": generation(value.generation) if value.generation else None,
        "publish": value.published.facts() if value.published else None,
        **({"preview": preview(value.preview)} if value.preview else {}),
    }


def preview(value: Preview) -> Object:
    """Return a preview."""
    return {
        "name": value.name,
        "like": value.like,
        "beside": value.beside,
        "schema": preview_schema(value.name),
        "branch": value.branch,
        "commit": value.commit,
        "promotion": value.promotion or None,
        "generation": value.number,
        "by": value.by,
        "at": value.at.isoformat(),
        "until": value.until.isoformat(),
        "ended": value.ended.isoformat() if value.ended else None,
        "reason": value.reason,
    }
