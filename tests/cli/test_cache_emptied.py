"""What the state store's cache holds can be derived again: a whole story, with the cache emptied before every command."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXPOSURE = "exposures:\n- name: board\n  type: dashboard\n  owner: {name: Ada}\n  depends_on: [ref('totals'), ref('orders')]\n"
DEARER = "select range as id, range * 10 + (range < 3)::int as amount from range(30)\n"


def emptied(folder: Path) -> int:
    """Empty the cache, and return how many rows it had."""
    with closing(sqlite3.connect(folder / ".sluice" / "state.db")) as connection, connection:
        return connection.execute("delete from sluice_cache").rowcount


def test_a_story_goes_on_whatever_is_emptied(run: Run, project: Path, commit: Callable[..., None]) -> None:
    (project / "models" / "exposures.yml").write_text(EXPOSURE)
    commit(project, "A dashboard")
    rows: list[int] = []

    def told(code: int, *arguments: str) -> dict[str, Any]:
        if (project / ".sluice" / "state.db").exists():
            rows.append(emptied(project))
        answer = run(*arguments, "-C", project, "--json")
        assert answer.code == code, (arguments, answer.err, answer.out[-3000:])
        return json.loads(answer.out) if answer.out else {}

    told(0, "release", "--as", "Ada")
    told(3, "promote", "--to", "prod", "--as", "Ada")
    told(0, "approve", "--as", "Grace", "--deploy")
    commit(project, "Dearer", orders=DEARER)
    told(0, "plan")
    work = told(0, "release", "--as", "Ada")
    verdicts = {report["gate"]: report["verdict"] for report in work["reports"]}
    assert verdicts["coverage"] == "PASSED"
    assert verdicts["impact"] in {"PASSED", "WARNED"}
    told(0, "promote", "--to", "prod", "--report", "board", "--plan")
    told(3, "promote", "--to", "prod", "--as", "Ada")
    told(0, "approve", "--as", "Grace", "--deploy")
    told(0, "refresh", "--env", "prod", "--as", "night")
    told(0, "doctor")
    for looks in ("status", "history", "show", "report", "diff", "coverage"):
        told(0, looks)
    told(0, "rollback", "--env", "prod", "--as", "on call", "--reason", "too dear")
    told(0, "collect", "--dry-run")
    told(0, "collect")
    told(0, "doctor")
    told(0, "unhold", "prod", "--as", "on call", "--reason", "agreed with Grace")
    told(3, "promote", "--to", "prod", "--as", "Ada")
    told(0, "approve", "--as", "Grace", "--deploy")
    told(0, "doctor")
    assert sum(bool(count) for count in rows) > 4  # there was something to empty
