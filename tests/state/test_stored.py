"""What is stored, to the byte: no approval, release or plan changes its id because the code that writes it does.

SLUICE_TEST_UPDATE_GOLDEN=1 writes the files anew. A line that changes there is a store that an older Sluice cannot have written.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from prefect_sluice.config.policy import Governance
from prefect_sluice.diff import remembered
from prefect_sluice.domain.build_conditions import Conditions
from prefect_sluice.domain.controls import Control, RollbackExtras
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.poll_rules import PollAttempt
from prefect_sluice.domain.promotion import Approval, ApprovalQuestion, Candidate, Promotion, Run
from prefect_sluice.domain.refresh_rules import RefreshAttempt
from prefect_sluice.domain.relation import Relation
from prefect_sluice.domain.run_signs import SignOfLife
from prefect_sluice.planning.candidate import CandidateContents
from prefect_sluice.promotions.stored_plan import stored_plan
from prefect_sluice.state.bundles import BundleStore
from prefect_sluice.state.records import AlertRecord
from prefect_sluice.state.store import StateStore
from tests.state import stored
from tests.state.stored import AT, filled

GOLDEN = Path(__file__).parent / "golden"


class Bundles:
    """A workspace of which only the bundle store is asked."""

    def __init__(self, folder: Path) -> None:
        self.bundles = BundleStore(str(folder))


def pinned(name: str, found: Json) -> None:
    """Compare with a golden file, or write it."""
    path, text = GOLDEN / name, json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("SLUICE_TEST_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_each_row_is_written_as_ever(tmp_path: Path) -> None:
    with StateStore.open(stored.database(tmp_path)) as store:
        stored.fill(store)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "select name from sqlite_master where type = 'table' order by 1"
            )
            if name.startswith("sluice_") and name not in {"sluice_cache", "sluice_version"}
        ]
        rows: dict[str, Any] = {}
        for table in tables:
            cursor = connection.execute(f"select * from {table} order by 1, 2")
            names = [column[0] for column in cursor.description]
            rows[table] = [dict(zip(names, row, strict=True)) for row in cursor]
    assert all(rows.values()), [name for name, found in rows.items() if not found]
    pinned("rows.json", rows)


def test_each_row_is_read_as_it_was(tmp_path: Path) -> None:
    with StateStore.open(stored.database(tmp_path)) as store:
        stored.fill(store)
        assert store.releases() == stored.RELEASES[::-1]
        assert store.promotion("p1") == filled(Promotion, id="p1")
        assert [repr(report) for _, report in store.reports("p1")] == [
            repr(report) for report in _without_measures()
        ]
        assert store.candidate(filled(Candidate).promotion) == filled(Candidate)
        assert filled(Relation) in store.relations()
        assert filled(Relation, address=Name("s", "plain"), rows=None, seconds=None) in store.relations()
        assert store.approvals() == (filled(Approval),)
        assert store.questions() == (filled(ApprovalQuestion),)
        assert store.controls(lifted=True) == (filled(Control),)
        assert store.aftercare(filled(RollbackExtras).promotion) == filled(RollbackExtras)
        assert store.declared("prod", "release é") == stored.DECLARED
        assert store.conditions("p1") == (AT, filled(Conditions))
        assert store.refresh("prod") == filled(RefreshAttempt)
        assert store.alert("prod") == filled(AlertRecord)
        assert store.timings("p1") == (filled(Run),)
        assert store.signs() == (filled(SignOfLife),)
        attempt = store.poll("prod")
        assert attempt is not None
        assert attempt.base == filled(PollAttempt).base
        assert [item.facts for item in store.entries()] == [{"n": 1, "x": [0.5, None]}, {}]


def _without_measures() -> list[Any]:
    return [replace(report, measures=()) for report in stored.REPORTS]


def test_each_document_is_written_as_ever() -> None:
    pinned("documents.json", stored.documents())


def test_each_document_is_read_as_it_was(tmp_path: Path) -> None:
    golden: Any = json.loads((GOLDEN / "documents.json").read_text(encoding="utf-8"))
    written = {kind: [one["document"] for one in items] for kind, items in golden.items()}
    workspace = cast(Any, Bundles(tmp_path))
    plans = [stored_plan(workspace, workspace.bundles.put_document(one)) for one in written["plan"]]
    assert plans == [*stored.PLANS]
    assert [item.digest for item in plans] == [one["digest"] for one in golden["plan"]]
    assert [CandidateContents.read(one) for one in written["candidate"]] == [*stored.CONTENTS]
    assert [Governance.read(one) for one in written["policy"]] == [*stored.POLICIES]
    assert [remembered.read(one) for one in written["difference"]] == [*stored.DIFFS]


OLD: dict[str, dict[str, Any]] = {
    "plan": {
        "environment": "prod", "cause": "release", "release": "r", "base": 0, "base_release": "", "edited": ["a"], "tests": [],
        "notes": {"nodes": {"a": "1"}, "tests": {}},
        "steps": [{
            "action": "build", "node": "a", "name": "main.a", "kind": "table", "reason": "because it was so in 2025",
            "fingerprint": "f", "inputs": "", "address": "", "note": "",
        }],
    },
    "candidate": {"file": "", "tables": [["main.a", "s.a"]], "views": [], "pointers": []},
}  # fmt: skip
"""Documents as an older Sluice wrote them, which had fewer keys."""


def test_documents_of_an_older_sluice_are_read(tmp_path: Path) -> None:
    workspace = cast(Any, Bundles(tmp_path))
    plan = stored_plan(workspace, workspace.bundles.put_document(OLD["plan"]))
    assert (plan.select, plan.held, plan.adopted, plan.old_names, plan.instead) == ((), {}, (), (), "")
    assert str(plan.steps[0].reason) == "because it was so in 2025"
    assert (plan.notes.versions, plan.notes.makeup, plan.notes.former) == ({}, {}, {})
    assert CandidateContents.read(OLD["candidate"]).held == ()


def test_rows_of_an_older_sluice_are_read(tmp_path: Path) -> None:
    with StateStore.open(stored.database(tmp_path)) as store:
        stored.fill(store)
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        rows: list[tuple[int, str]] = connection.execute("select seq, document from sluice_report").fetchall()
        for number, document in rows:
            raw: Any = json.loads(document)
            for finding in raw["findings"]:
                del finding["more"], finding["fix"]
                for gone in ("title", "bars", "numbers"):
                    for table in filter(None, [finding["evidence"]]):
                        table.pop(gone, None)
            connection.execute(
                "update sluice_report set document = ? where seq = ?", (json.dumps(raw), number)
            )
    with StateStore.open(stored.database(tmp_path)) as store:
        report = store.reports("p1")[0][1]
        assert [(finding.more, finding.fix) for finding in report.findings] == [((), "")] * 3
        assert report.findings[0].evidence is not None
        assert (report.findings[0].evidence.title, report.findings[0].evidence.bars) == ("", ())


@pytest.mark.parametrize("kind", ["plan", "candidate", "policy", "release"])
def test_the_digest_is_that_of_the_document(kind: str) -> None:
    golden: Any = json.loads((GOLDEN / "documents.json").read_text(encoding="utf-8"))
    assert all(digest(one["document"]) == one["digest"] for one in golden[kind])
