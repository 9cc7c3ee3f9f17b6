"""The report as JSON, with the whole record that it was made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect_sluice.domain.digests import Json
from prefect_sluice.reporting import json_documents
from prefect_sluice.reporting.report.model import GateRow, ReleaseRecord, Report
from prefect_sluice.reporting.terminal.policy import policy_document


def dossier_document(record: ReleaseRecord) -> dict[str, Json]:
    """Return the record of a promotion as JSON."""
    return {
        "release": json_documents.release(record.release) if record.release else None,
        "promotion": json_documents.promotion(record.promotion) if record.promotion else None,
        "plan": json_documents.plan(record.plan) if record.plan else None,
        "commits": record.commits.document() if record.commits else None,
        **({"against_base": record.base.document()} if record.base else {}),
        "policy": policy_document(record.policy),
        "reports": json_documents.reports(record.reports),
        "approvals": [json_documents.approval(approval) for approval in record.approvals],
        "generations": [json_documents.generation(generation) for generation in record.generations],
        "other_promotions": [json_documents.promotion(promotion) for promotion in record.others],
        "blocks": [json_documents.control(control) for control in record.blocks],
        "ledger": [json_documents.entry(entry) for entry in record.entries],
    }


def report_document(report: Report) -> dict[str, Json]:
    """Return the report, in its own order, and the record under `recorded`."""
    head = report.head
    return {
        "title": head.title,
        "verdict": head.word,
        "sentence": head.sentence,
        "next": [{"text": advice.text, "command": advice.command} for advice in head.advice],
        "points": [{"about": point.about, "text": point.text} for point in report.points],
        "consumers": [
            {
                "consumer": one.consumer.unique_id,
                "name": one.consumer.label or one.consumer.name,
                "kind": one.consumer.kind,
                "owner": one.consumer.owner,
                "url": one.consumer.url,
                "through": list(one.through),
                "findings": [json_documents.finding(finding) for finding in one.findings],
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
        "column_reach": report.dossier.reach.document() if report.dossier.reach else None,
        "same": report.same,
        "new": list(report.new),
        "gone": list(report.gone),
        "old_names": [old_name.document() for old_name in report.old_names],
        "displaced": [displaced.document() for displaced in report.dossier.displaced],
        "findings": [
            {"gate": finding.gate, **json_documents.finding(finding)} for finding in report.findings
        ],
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
    lineage = report.lineage
    nodes: list[Any] = [
        {**asdict(dot), "verdict": dot.verdict.name if dot.verdict is not None else None}
        for dot in lineage.dots
    ]
    return {
        "nodes": nodes,
        "edges": [list(edge) for edge in lineage.edges],
        "drawn_together": lineage.left_out,
    }
