"""What a command costs in a project of great age, beside the same project when young.

The old one has the records of three years with hourly refreshes and twenty releases a day. To live them would take weeks, so the
rows that one real release and one real refresh leave in the state store, the bundle store and the warehouse are written again and
again, with new ids and times, the ledger chained as it would be; all those generations are marked as collected. Then both
projects go on with real commands, in this process and in turn. Compared are medians of seconds (wall), of statements to the state
store, and of ledger entries read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
from years import IDENTITY, RESULTS, ROOT, TOOLS, Life, medians

from prefect_sluice.domain.digests import canonical
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.state import codec

Record = dict[str, Any]
"""A row of a table of the state store, by column."""
Template = Mapping[str, list[Record]]
"""What one promotion left, by table."""
LOOKS = ("plan", "status", "show", "history", "doctor", "collect")
COPIED = ("sluice_report", "sluice_measure", "sluice_candidate", "sluice_relation")
"""The tables of which a served promotion's rows stay after a collection, by the column `promotion`."""
SETTINGS = (
    "environments: {dev: {}}\n"
    "gates: {lint: {on: off}, project_tests: {on: off}, anomalies: {on: warn}}\n"  # a past of one refresh has no variety
)
COLLECTED = (
    "create table sluice.collected (environment varchar, number bigint, run varchar, collected_at timestamp)"
)


class Past:
    """Writes `days` of a life's past, from the rows of its last release and its last refresh."""

    def __init__(self, life: Life, days: int, releases: int, refreshes: int) -> None:
        self._life, self._days, self._chance = life, days, random.Random(1)
        self._store = sqlite3.connect(life.folder / ".sluice/state.db")
        self._store.row_factory = sqlite3.Row
        self._templates = {cause: self._template(cause) for cause in ("release", "refresh")}
        self._release = self._rows("sluice_release")[-1]
        last = self._rows("sluice_ledger")[-1]
        self._number, self._digest = int(last["number"]), str(last["digest"])
        self._generation = max(int(row["generation"]) for row in self._rows("sluice_promotion"))
        self._at = datetime.fromisoformat(last["at"])
        self._causes = ["release"] * releases + ["refresh"] * refreshes
        self._generations: list[tuple[Any, ...]] = []
        self._pointers: list[tuple[Any, ...]] = []
        self._open: dict[str, tuple[Any, ...]] = {}

    def write(self) -> int:
        """Write it all and set the life's clock to its end; return how many generations there are then."""
        began, step = self._at, timedelta(days=1) / len(self._causes)
        for _ in range(self._days):
            for cause in self._chance.sample(self._causes, len(self._causes)):
                self._at += step
                self._generation += 1
                self._promotion(cause)
        self._store.execute("update sluice_lease set token = ?", [self._generation + 1])
        self._store.commit()
        self._store.close()
        self._write_warehouse()
        self._life.ahead += self._at - began
        return self._generation

    def _promotion(self, cause: str) -> None:
        template = self._templates[cause]
        old = template["sluice_promotion"][0]
        changes = {old["id"]: f"{self._chance.getrandbits(40):010x}"}
        changes |= {
            row["identifier"]: f"{row['identifier']}_{self._generation}"
            for row in template["sluice_relation"]
        }
        if cause == "release":
            changes |= self._new_release()
        for document in ("plan", "evidence"):
            changes[old[document]] = self._document(old[document], changes)
        for table in ("sluice_promotion", *COPIED):
            for row in template[table]:
                self._put(table, self._again(row, changes))
        for row in template["sluice_ledger"]:
            self._ledger(self._again(row, changes))
        self._serve(template, changes, cause)

    def _new_release(self) -> Mapping[str, str]:
        """Write a release like the last real one, and return how its id and its commit differ."""
        like = codec.release(self._release)
        commit = f"{self._chance.getrandbits(160):040x}"
        release = replace(like, change=replace(like.change, commit=commit, at=self._at))
        self._put("sluice_release", codec.release_row(release))
        return {like.id: release.id, like.change.commit: commit}

    def _again(self, row: Record, changes: Mapping[str, str]) -> Record:
        """Return a row as the same of the present promotion."""
        at = self._at.isoformat(timespec="microseconds")
        times = {name: at for name in ("at", "created_at", "updated_at") if name in row}
        own = {"generation": self._generation, "base": self._generation - 1} if "base" in row else {}
        texts = {name: replaced(value, changes) for name, value in row.items() if isinstance(value, str)}
        return {name: value for name, value in (row | texts | times | own).items() if name != "seq"}

    def _document(self, digest: str, changes: Mapping[str, str]) -> str:
        """Write a document of the bundle store as the same of the present promotion; return its digest."""
        bundles = self._life.folder / ".sluice/bundles"
        document = json.loads(replaced((bundles / digest[:2] / digest).read_text(encoding="utf-8"), changes))
        if "base" in document:
            document["base"] = self._generation - 1
        if "contents" in document:
            document["contents"] = self._document(document["contents"], changes)
        content = canonical(document)
        name = hashlib.sha256(content).hexdigest()
        (bundles / name[:2]).mkdir(exist_ok=True)
        (bundles / name[:2] / name).write_bytes(content)
        return name

    def _ledger(self, row: Record) -> None:
        self._number += 1
        facts = json.loads(row["facts"])
        own = {"generation": self._generation, "origin": self._generation, "from": self._generation - 1}
        facts |= {name: value for name, value in own.items() if name in facts}
        entry = LedgerEntry(
            self._number, self._at, row["event"], row["environment"], row["actor"], facts, self._digest
        )
        self._digest = entry.digest
        self._put("sluice_ledger", codec.entry_row(entry))

    def _serve(self, template: Template, changes: Mapping[str, str], cause: str) -> None:
        old, number, at = template["sluice_promotion"][0], self._generation, self._at.replace(tzinfo=None)
        release = changes.get(old["release"], old["release"])
        head = (self._number, self._digest)
        self._generations.append(
            ("dev", number, release, changes[old["id"]], number, cause, number, at, *head)
        )
        for row in template["sluice_relation"]:
            name = str(row["node"]).rpartition(".")[2]
            self._close(name)
            address = (row["schema"], changes[row["identifier"]])
            values = (row["node"], row["kind"], row["fingerprint"], row["inputs"])
            self._open[name] = ("dev", "main", name, *address, *values, number)

    def _close(self, name: str) -> None:
        if name in self._open:
            self._pointers.append((*self._open.pop(name), self._generation))

    def _write_warehouse(self) -> None:
        """Write the generations and their pointers. The last one serves what the last real one did: its relations are there."""
        first, last = self._generations[0][1], self._generation
        with duckdb.connect(str(self._life.folder / "w.duckdb")) as connection:
            names = list(self._open)
            for name in names:
                self._close(name)
            marks = ", ".join("?" * len(names))
            real = f"from sluice.pointer where until is null and identifier in ({marks})"
            again = connection.execute(f"select * {real}", names).fetchall()
            connection.execute(
                f"update sluice.pointer set until = {first} where until is null and identifier in ({marks})",
                names,
            )
            write_rows(
                connection, "sluice.pointer", [*self._pointers, *((*row[:-2], last, None) for row in again)]
            )
            write_rows(connection, "sluice.generation", self._generations)
            connection.execute(COLLECTED)
            marked = "select environment, number, 'aged', written_at + interval 31 day from sluice.generation"
            connection.execute(
                f"insert into sluice.collected {marked} where number >= {first} and number < {last}"
            )

    def _template(self, cause: str) -> Template:
        promotion = self._rows("sluice_promotion", "cause = ?", cause)[-1]
        copied = {table: self._rows(table, "promotion = ?", promotion["id"]) for table in COPIED}
        events = [row for row in self._rows("sluice_ledger") if promotion["id"] in row["facts"]]
        return {"sluice_promotion": [promotion], "sluice_ledger": events, **copied}

    def _rows(self, table: str, where: str = "1 = 1", *values: str) -> list[Record]:
        return [dict(row) for row in self._store.execute(f"select * from {table} where {where}", values)]

    def _put(self, table: str, row: Record) -> None:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        self._store.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Return a text with each key of `changes` in it replaced by its value."""
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def write_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows into a table of a warehouse, all columns in order."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps([None if value is None else str(value) for value in row]) + "\n")
        file.flush()
        columns = ", ".join(f"json->>{place}" for place in range(len(rows[0])))
        source = "read_json(?, format = 'newline_delimited', records = false, columns = {json: 'json'})"
        connection.execute(f"insert into {table} select {columns} from {source}", [file.name])


def started(folder: Path) -> Life:
    """Return a project with two releases and two refreshes, the clock a day on after each."""
    life = Life(folder)
    (folder / "sluice.yml").write_text(SETTINGS, encoding="utf-8")
    for number in (1, 2):
        life.commit(number)
        life.command("release")
        life.ahead += timedelta(days=1)
        life.load(f"insert into raw.orders values ({1000 + number})")
        life.command("refresh")
        life.ahead += timedelta(days=1)
    return life


def go_on(life: Life, number: int) -> None:
    """Let one day pass: a release, a refresh, each look at it, a rollback."""
    life.go_on()
    life.commit(10 + number)
    life.command("release")
    life.ahead += timedelta(hours=12)
    life.load(f"insert into raw.orders values ({2000 + number})")
    life.command("refresh")
    for look in LOOKS:
        life.command(look)
    life.command("rollback", "--no-hold")
    life.ahead += timedelta(hours=12)


def compared(young: Mapping[str, Mapping[str, float]], old: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a line for each measure and command: young, old, and how many times that is."""
    return [
        f"{measure:<12}{name:<12}{value:>10}{old[measure][name]:>10}  {old[measure][name] / (value or 1):.2f}"
        for measure, values in young.items()
        for name, value in values.items()
    ]


def main() -> int:
    """Make both projects, let them live the same days in turn, print and keep the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=1096, help="how old the old one is (default 1096)")
    parser.add_argument("--releases", type=int, default=20, help="releases a day (default 20)")
    parser.add_argument("--refreshes", type=int, default=24, help="refreshes a day (default 24)")
    parser.add_argument("--rounds", type=int, default=5, help="days that both live then (default 5)")
    parser.add_argument("--keep", action="store_true", help="keep the numbers in benchmarks/results")
    chosen = parser.parse_args()
    os.environ.update(
        {"GIT_CONFIG_GLOBAL": os.devnull, "DO_NOT_TRACK": "1", "SLUICE_ACTOR": "Ada", **IDENTITY}
    )
    with tempfile.TemporaryDirectory(prefix="sluice-aged-") as place:
        young, old = (started(Path(place) / name) for name in ("young", "old"))
        began = perf_counter()
        generations = Past(old, chosen.days, chosen.releases, chosen.refreshes).write()
        print(f"{generations} generations, written in {perf_counter() - began:.0f} s", flush=True)
        for life in (young, old):
            life.go_on()
            life.command("collect")  # the first one finds more to do than any other
            life.costs.clear()
        for number in range(chosen.rounds):
            for life in (young, old):
                go_on(life, number)
        figures = {"young": medians(young.costs), "old": medians(old.costs)}
    print("\n".join(compared(figures["young"], figures["old"])))
    if chosen.keep:
        keep(generations, figures)
    return 0


def keep(generations: int, figures: Mapping[str, Any]) -> None:
    """Keep the numbers, and what they were taken on."""
    at = datetime.now(UTC)
    machine = {
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[2],
        "python": platform.python_version(),
    }
    tools = {name: version(name) for name in TOOLS}
    path = RESULTS / f"aged-{at:%Y-%m-%d}.json"
    numbers = {
        "at": at.isoformat(timespec="seconds"),
        **machine,
        "tools": tools,
        "generations": generations,
        **figures,
    }
    path.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    print(f"kept in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
