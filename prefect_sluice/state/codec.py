"""How values are written into rows and documents, and read back as they were."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, TypeVar, cast, get_type_hints

from prefect_sluice.domain.controls import ControlKind as ControlKind
from prefect_sluice.domain.digests import Json, canonical
from prefect_sluice.domain.errors import BadInput, LedgerBroken
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import (
    Lease,
)
from prefect_sluice.domain.relation import Relation
from prefect_sluice.domain.release import Change, Commit, Composed, Release
from prefect_sluice.domain.verdict import (
    SWITCHED_OFF,
    Evidence,
    Finding,
    GateReport,
    Likeness,
    Verdict,
    WayPast,
    subjects_of,
)

Columns = Mapping[Any, Any]
"""A row by column name; Any, because that is what a database gives."""
_Value = TypeVar("_Value")
_JSON = {"Json": object, "Sequence": Sequence}
"""What a type names that holds JSON, and need not be told apart here."""


@contextmanager
def readable(what: str, place: str) -> Generator[None]:
    """Turn what goes wrong while stored text is read inside the block into BadInput."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        fix = "restore the state store from a backup"
        raise BadInput(f"{what} is not what was written", where=place, fix=fix) from error


def columns(value: Any) -> dict[str, Any]:
    """Return the columns of a value: its fields by name, of an enum the text."""
    named = asdict(value)
    return {
        name: value_of_field.value if isinstance(value_of_field, Enum) else value_of_field
        for name, value_of_field in named.items()
    }


def of(kind: type[_Value], row: Columns) -> _Value:
    """Return the value that `columns` wrote. Not by a TypeAdapter: to make one takes longer than a quick command reads."""
    return kind(**{name: make(row[name]) for name, make in _fields(kind)})


@cache
def _fields(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Return the fields of a dataclass, and what makes a value of a column: the enum's class, else nothing."""
    hints = get_type_hints(kind, localns=_JSON)
    enums = {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Enum)}
    return tuple((field.name, enums.get(field.name, _as_it_is)) for field in fields(kind))


def _as_it_is(value: Any) -> Any:
    return value


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
    read_release = Release(
        change,
        files=manifest["files"],
        tools=manifest["tools"],
        composed=composed,
        packages=manifest.get("packages", {}),
    )
    if read_release.id != row["id"]:
        raise ValueError(f"the manifest has the id {read_release.id}")
    return read_release


def _composed(document: Mapping[str, Any]) -> Composed:
    commits = tuple(
        Commit(commit["id"], commit["author"], commit["subject"], datetime.fromisoformat(commit["at"]))
        for commit in document.get("commits", ())
    )
    return Composed(document["environment"], document["of"], document["onto"], document["select"], commits)


def relation_row(relation: Relation) -> dict[str, Any]:
    """Return the columns of a relation; the address takes two of them."""
    row = columns(relation)
    del row["address"]
    return {**row, "schema": relation.address.schema, "identifier": relation.address.identifier}


def relation(row: Columns) -> Relation:
    """Return the relation."""
    return of(Relation, {**row, "address": Name(row["schema"], row["identifier"])})


def lease(row: Columns) -> Lease | None:
    """Return the lease, or None when nobody holds it."""
    return of(Lease, row) if row["expires_at"] else None


def entry_row(entry: LedgerEntry) -> dict[str, Any]:
    """Return the columns of a ledger entry, its digest among them."""
    at = entry.at.isoformat(timespec="microseconds")
    return {**asdict(entry), "at": at, "facts": canonical(entry.facts).decode(), "digest": entry.digest}


def entry(row: Columns) -> LedgerEntry:
    """Return the ledger entry. Raises LedgerBroken when it is not, to the byte, what was written."""
    try:
        at, facts = datetime.fromisoformat(row["at"]), json.loads(row["facts"])
        read_entry = of(LedgerEntry, {**row, "at": at, "facts": facts})
        same = entry_row(read_entry) == dict(row)
    except (ValueError, TypeError) as error:
        raise LedgerBroken(row["number"], "it cannot be read") from error
    if not same:
        raise LedgerBroken(row["number"], "its digest is another one")
    return read_entry


def report_row(report: GateReport) -> dict[str, Any]:
    """Return the columns of a gate report; all of it is in the document."""
    document: Json = {
        "gate": report.gate,
        "findings": [_finding_document(finding) for finding in report.findings],
        "not_applicable": report.not_applicable,
        "seconds": _number(report.seconds),
        **({"switched_off": True} if report.switched_off else {}),
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
        switched_off=document.get("switched_off", document["not_applicable"] == SWITCHED_OFF),
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
        # Only where there is one, as the numbers of a table.
        **({"way_past": finding.way_past.value} if finding.way_past else {}),
        **({"likeness": finding.likeness.value} if finding.likeness else {}),
    }


def _table(evidence: Evidence) -> dict[str, Any]:
    document = asdict(evidence)
    if not evidence.numbers:  # so that the digest of what an older Sluice wrote stays what was approved
        del document["numbers"]
    return document


def _finding(document: dict[str, Any]) -> Finding:
    evidence = document["evidence"]
    return of(
        Finding,
        {
            **document,
            "subjects": subjects_of(document["subject"]),
            "verdict": Verdict[document["verdict"]],
            "observed": _float(document["observed"]),
            "limit": _float(document["limit"]),
            "evidence": _evidence(evidence) if evidence else None,
            # Reports that an older Sluice wrote have neither.
            "more": tuple(_evidence(table) for table in document.get("more", ())),
            "fix": document.get("fix", ""),
            "way_past": WayPast(document.get("way_past", "")),
            "likeness": Likeness(document.get("likeness", _former_likeness(document))),
        },
    )


def _former_likeness(document: Mapping[str, Any]) -> Likeness:
    """Return what an older Sluice said of a relation's likeness, in its sentence alone."""
    summary = document["summary"]
    if document["gate"] != "diff" or ": identical, " not in summary:
        return Likeness.UNSAID
    return Likeness.CLOSE if "; " in summary else Likeness.SAME


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
