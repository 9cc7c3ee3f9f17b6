"""The report as JSON: what it tells, and under it all that it was made from, whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting import json_documents
from prefect_sluice.reporting.report.model import GateRow, ReleaseRecord, Report
from prefect_sluice.reporting.terminal.policy import policy_document


def dossier_document(found: ReleaseRecord) -> dict[str, Json]:
    """Return what is recorded."""
    return {
        "release": json_documents.release(found.release) if found.release else None,
        "promotion": json_documents.promotion(found.promotion) if found.promotion else None,
        "plan": json_documents.plan(found.plan) if found.plan else None,
        "policy": policy_document(found.policy),
        "reports": json_documents.reports(found.reports),
        "approvals": [json_documents.approval(item) for item in found.approvals],
        "generations": [json_documents.generation(item) for item in found.generations],
        "other_promotions": [json_documents.promotion(item) for item in found.others],
        "blocks": [json_documents.control(item) for item in found.blocks],
        "ledger": [json_documents.entry(item) for item in found.entries],
    }


def report_document(report: Report) -> dict[str, Json]:
    """Return the report, in its own order, and what is recorded as `recorded`."""
    head = report.head
    return {
        "title": head.title,
        "verdict": head.word,
        "sentence": head.sentence,
        "next": [{"text": item.text, "command": item.command} for item in head.advice],
        "points": [{"about": item.about, "text": item.text} for item in report.points],
        "consumers": [
            {
                "consumer": one.consumer.unique_id,
                "name": one.consumer.label or one.consumer.name,
                "kind": one.consumer.kind,
                "owner": one.consumer.owner,
                "url": one.consumer.url,
                "through": list(one.through),
                "findings": [json_documents.finding(item) for item in one.findings],
            }
            for one in report.reached
        ],
        "changed": [
            {
                "relation": one.name,
                "node": one.finding.subject,
                "told": one.told,
                "about": one.about,
                "readers": list(one.readers),
            }
            for one in report.changed
        ],
        "same": report.same,
        "new": list(report.new),
        "gone": list(report.gone),
        "old_names": [item.document() for item in report.old_names],
        "displaced": [item.document() for item in report.dossier.displaced],
        "findings": [{"gate": item.gate, **json_documents.finding(item)} for item in report.findings],
        "gates": [_gate(gate) for gate in report.gates],
        "lineage": _lineage(report),
        "stages": [
            {"stage": lap.stage, "seconds": lap.seconds, "state": lap.state, "told": lap.told}
            for lap in report.laps
        ],
        "waited_seconds": report.waited.total_seconds() if report.waited else None,
        "publish": report.publish,
        "made_at": report.dossier.at.isoformat(),
        "recorded": dossier_document(report.dossier),
    }


def _gate(gate: GateRow) -> dict[str, Json]:
    return {
        "gate": gate.gate,
        "stage": gate.stage,
        "verdict": gate.verdict.name if gate.verdict is not None else None,
        "told": gate.told,
        "seconds": gate.seconds,
        "findings": {verdict.name: number for verdict, number in gate.counts.items()},
        "only_warns": gate.only_warns,
        "page": gate.page,
    }


def _lineage(report: Report) -> Json:
    known = report.lineage
    nodes: list[Any] = [
        {**asdict(dot), "verdict": dot.verdict.name if dot.verdict is not None else None}
        for dot in known.dots
    ]
    return {"nodes": nodes, "edges": [list(edge) for edge in known.edges], "drawn_together": known.left_out}
