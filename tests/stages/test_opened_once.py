"""What one command opens: sluice.yml, profiles.yml, the state store and DuckDB, counted for a project of two models."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from prefect_sluice.cli import main
from prefect_sluice.config import yaml_file
from prefect_sluice.dbt import profile
from prefect_sluice.state import migrate
from tests.repository import repository

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": (
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: dev.duckdb}\n"
        "    prod: {type: duckdb, path: prod.duckdb}\n"
    ),
    "sluice.yml": "environments:\n  dev:\n  prod: {approvals: 0}\n",
    "models/orders.sql": "select range as id, range * 10 as amount from range(3)\n",
    "models/totals.sql": "select sum(amount) as amount from {{ ref('orders') }}\n",
}
SETTINGS, PROFILES, STORE, WAREHOUSE = "sluice.yml", "profiles.yml", "state store", "DuckDB"

MOST = {
    "first release": {SETTINGS: 2, PROFILES: 1, STORE: 1, WAREHOUSE: 9},
    "release of nothing new": {SETTINGS: 2, PROFILES: 1, STORE: 1, WAREHOUSE: 1},
    "promote": {SETTINGS: 2, PROFILES: 1, STORE: 1, WAREHOUSE: 10},
    "release of a leaf": {SETTINGS: 4, PROFILES: 1, STORE: 1, WAREHOUSE: 8},
    "refresh of nothing new": {SETTINGS: 2, PROFILES: 1, STORE: 1, WAREHOUSE: 1},
    "rollback": {SETTINGS: 1, PROFILES: 1, STORE: 1, WAREHOUSE: 3},
}
"""How often each command may, at most. A number here goes down, and never up.

sluice.yml is read where it lies, and as the release has it; a rollback needs the first alone. Where rows changed, gate `diff`
reads what the file expects after the commit, and before it.
"""


def _ours() -> bool:
    """Say whether the warehouse room is among those who called."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # the only way to see who calls
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("prefect_sluice.warehouse"):
            return True
        frame = frame.f_back
    return False


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each was opened since it was last cleared."""
    counted: Counter[str] = Counter()

    def counting(room: Any, name: str, what: Callable[..., str]) -> None:
        real = getattr(room, name)

        def called(*arguments: Any, **named: Any) -> Any:
            counted[what(*arguments, **named)] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(room, name, called)

    def database(path: object = ":memory:", *_: Any, **__: Any) -> str:
        return WAREHOUSE if str(path) != ":memory:" and _ours() else "other DuckDB"

    counting(yaml_file, "read", lambda *_: SETTINGS)
    counting(profile, "load", lambda *_, **__: PROFILES)
    counting(migrate, "bring_up", lambda *_: STORE)
    counting(duckdb, "connect", database)
    return counted


def test_a_command_opens_each_thing_once(
    opened: Counter[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = repository(tmp_path, FILES)

    def figures(*command: str) -> dict[str, int]:
        opened.clear()
        assert main([*command, "-C", str(folder), "--quiet"]) == 0, capsys.readouterr()
        return {name: opened[name] for name in (SETTINGS, PROFILES, STORE, WAREHOUSE)}

    found = {"first release": figures("release", "--as", "Ada")}
    found["release of nothing new"] = figures("release", "--as", "Ada")
    found["promote"] = figures("promote", "--to", "prod", "--as", "Ada")
    (folder / "models" / "totals.sql").write_text(
        "select sum(amount) + 1 as amount from {{ ref('orders') }}\n"
    )
    subprocess.run(["git", "commit", "-qam", "second"], cwd=folder, check=True)
    found["release of a leaf"] = figures("release", "--as", "Ada")
    found["refresh of nothing new"] = figures("refresh", "--env", "dev", "--as", "Ada")
    found["rollback"] = figures("rollback", "--env", "dev", "--as", "Ada", "--reason", "tried")

    with capsys.disabled():
        for command, counts in found.items():
            sys.stdout.write(
                f"\n{command}: " + ", ".join(f"{name} {count}" for name, count in counts.items())
            )
        sys.stdout.write("\n")
    above = {
        command: {name: count for name, count in counts.items() if count > MOST[command][name]}
        for command, counts in found.items()
    }
    assert not any(above.values()), above
