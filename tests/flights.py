"""The demo's project, released once, for tests that change copies of it through the command line."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import duckdb

from prefect_sluice.cli import main

PROJECT = Path(__file__).resolve().parents[1] / "dbt_project"
WHOLE_SUITE, QUICK_SUITE = (
    "testpaths = tests/python\n",
    "testpaths = tests/python/test_aircraft_utilisation.py\n",
)
"""What the gate `project_tests` runs: nine seconds of processor, or one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered. By gate that applied: `verdicts` the worst verdict, `found` the verdicts of all findings,
    `said` each finding that did not pass, as `check: summary`."""

    code: int
    status: str
    message: str
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    found: Mapping[str, set[str]] = field(default_factory=dict[str, set[str]])
    said: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    text: str = ""


@dataclass(frozen=True, slots=True)
class Flights:
    """A git repository of the project, in `folder`."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *, through: str) -> Flights:
        """Copy the project, load what had arrived by a day into dev and prod, write sluice.yml and commit it."""
        ignored = shutil.ignore_patterns("warehouse", "target", "logs", "__pycache__")
        shutil.copytree(PROJECT, folder, ignore=ignored)
        found = cls(folder)
        found.git("init", "-q", "-b", "main")
        found.load(through)
        shutil.copy(found.warehouse, found.production)
        assert found.run("init").code == 0
        found.commit("New York flights, as delivered")
        return found

    def copied(self, folder: Path) -> Flights:
        """Return a copy, with its warehouse and its state. Nothing in it knows where it stood before."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Flights(folder)

    def load(self, through: str) -> None:
        """Have the ETL job load what arrives until a day, into dev: in this process, since its imports take seconds."""
        words = ["--through", through, "--warehouse", str(self.warehouse)]
        with self._own_modules(), redirect_stdout(io.StringIO()):
            assert import_module("etl.load").main(words) == 0

    @contextmanager
    def _own_modules(self) -> Generator[None]:
        """Have the project's modules found, without warnings of what they import, and forget them afterwards: the next project
        has its own."""
        path, inside = list(sys.path), f"{self.folder}{os.sep}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                sys.path.insert(0, str(self.folder))
                yield
        finally:
            sys.path[:] = path
            for name, module in tuple(sys.modules.items()):
                if (getattr(module, "__file__", None) or "").startswith(inside):
                    del sys.modules[name]

    @property
    def warehouse(self) -> Path:
        """Dev's warehouse."""
        return self.folder / "warehouse" / "dev" / "nyc_flights.duckdb"

    @property
    def production(self) -> Path:
        """Production's warehouse."""
        return self.folder / "warehouse" / "nyc_flights.duckdb"

    @staticmethod
    def sql(file: Path, statement: str) -> None:
        """Have a statement done in a warehouse."""
        with duckdb.connect(str(file)) as connection:
            connection.execute(statement)

    def forget(self, table: str) -> None:
        """Delete all that a table of the state store holds."""
        with closing(sqlite3.connect(self.folder / ".sluice" / "state.db")) as connection, connection:
            connection.execute(f"delete from {table}")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace the one place in a file that reads `old`."""
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def write(self, name: str, text: str) -> None:
        """Write a file, or add to `sluice.yml`."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit all there is."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def git(self, *arguments: str) -> None:
        """Run git."""
        subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True)

    def run(self, *arguments: str) -> Answer:
        """Run a command in this process, and read its JSON."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*arguments, "-C", str(self.folder), "--json"])
        text = out.getvalue()
        told = cast(dict[str, Any], json.loads(text)) if text.startswith("{") else {}
        reports = [report for report in told.get("reports", ()) if not report["not_applicable"]]
        said = {
            report["gate"]: [
                f"{item['check']}: {item['summary']}"
                for item in report["findings"]
                if item["verdict"] != "PASSED"
            ]
            for report in reports
        }
        verdicts = {report["gate"]: report["verdict"] for report in reports}
        found = {report["gate"]: {item["verdict"] for item in report["findings"]} for report in reports}
        status, message = told.get("status", ""), told.get("message", err.getvalue())
        return Answer(code, status, message, verdicts, found, said, text + err.getvalue())
