"""One generated history: what is done, step by step, and after each step the comparison with plain dbt."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import duckdb

from prefect_sluice.domain.node import Name
from prefect_sluice.runtime.faults import FaultPoint
from prefect_sluice.workspace.workspace import Workspace
from tests.oracle.blueprint import RAW, Blueprint
from tests.oracle.moves import any_move, start
from tests.oracle.served import Content, broken, differences, number, old_names, relations
from tests.warm import python_path

HISTORY = ("incremental", "snapshot")
ACTIONS = {"commit": 10, "load": 4, "rollback": 2, "nothing": 1}
_LOSES = re.compile(
    r"stage/history \S+: (\S+): \d+ of \d+ rows go from what keeps history, and no commit says so"
)
"""What Stage says of a model whose rows would go; dbt asks nobody, so the player says yes."""


class Wrong(AssertionError):
    """What is served is not what it should be; the message says how, and the steps that led there."""


@dataclass(frozen=True, slots=True)
class Player:
    """The process that forks a child for each command. `planted` is the name of the one of `planted.FAULTS` that the children
    have, if any."""

    process: subprocess.Popen[str]
    planted: str = ""

    @classmethod
    def started(cls, planted: str = "") -> Player:
        """Start the process, which is warm after some ten seconds."""
        environ = {**os.environ, "PYTHONPATH": python_path()}
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("player.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # Python complains of semaphores that a killed child left
            text=True,
            env=environ,
        )
        return cls(process, planted)

    def sluice(self, folder: Path, cause: str, fault: str = "") -> dict[str, str]:
        """Run a command of ours in `folder`; it may die at a fault point."""
        return self._ask({"who": "sluice", "folder": str(folder), "cause": cause, "fault": fault})

    def dbt(self, folder: Path, file: Path, *words: str) -> dict[str, str]:
        """Run plain dbt in `folder`, on a file of its own."""
        return self._ask({"who": "dbt", "folder": str(folder), "file": str(file), "words": words})

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, asked: Mapping[str, object]) -> dict[str, str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**asked, "planted": self.planted}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the player ended with {self.process.wait()}: run tests/oracle/player.py by hand"
        return cast("dict[str, str]", json.loads(answer))


@dataclass
class History:
    """A repository and its warehouse, driven by a seed. `say` hears each step."""

    folder: Path
    seed: int
    player: Player
    say: Callable[[str], None] = lambda line: None
    steps: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.project, self.scratch = self.folder / "project", self.folder / "scratch"
        self.file = self.project / "w.duckdb"
        self.blueprint = start(self.dice)
        self.good = self.blueprint
        self.rows = 0
        self.immutable: dict[str, str] = {}
        self.served: dict[int, Mapping[str, Content]] = {0: {}}
        self.declared: set[str] = set()
        self.project.mkdir(parents=True)
        self._git("init", "-q", "-b", "main")
        self._load(grow=True)

    def play(self, steps: int) -> None:
        """Make the first release and so many steps. Raises Wrong."""
        self._commit("start", self.blueprint)
        self._run("release")
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        """Do one thing that may happen to a project. Raises Wrong."""
        action = self.dice.choices(list(ACTIONS), weights=list(ACTIONS.values()))[0]
        if action == "commit":
            self._change()
            if self.dice.random() < 0.15:
                self._load(grow=self.dice.random() < 0.7)
            self._run("release")
        elif action == "load":
            before = self._relations()
            self._load(grow=self.dice.random() < 0.7)
            self._same(before, "new raw rows are seen before a gate saw them")
            self._run("refresh")
        else:
            self._run("rollback" if action == "rollback" else self.dice.choice(("release", "refresh")))

    def _change(self) -> None:
        """Commit one to three moves; after a refusal mostly go back to what was good."""
        after, names = self.blueprint, list[str]()
        if self.blueprint is not self.good and self.dice.random() < 0.7:
            after, names = self.good, ["back to what was good"]
        else:
            for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
                name, after = any_move(self.dice, after)
                names.append(name)
        self._commit(", ".join(names), after)

    def _run(self, cause: str) -> None:
        """Run one command, maybe killed at some point and then run again, and compare."""
        fault = self.dice.choice(list(FaultPoint)).value if self.dice.random() < 0.25 else ""
        abandoned = bool(fault) and self.dice.random() < 0.3
        before, served = number(self.file), self._relations()
        if fault:
            self._note(f"{cause}, killed at {fault}" + (" and left so" if abandoned else ""))
            told = self.player.sluice(self.project, cause, fault)
            now = number(self.file)
            if now == before:
                self._same(served, "a killed command changed what is served")
            if told["status"] != "killed":
                self._judge(cause, told, before, served)
                return
            if abandoned:
                if now != before and cause != "rollback":
                    self._compare(now)
                elif now != before:
                    self.served[now] = self._relations()
                return
        else:
            self._note(cause)
        self._judge(cause, self.player.sluice(self.project, cause), before, served)

    def _judge(self, cause: str, told: Mapping[str, str], before: int, served: Mapping[str, Content]) -> None:
        self._note(f"  -> {told['status']}: {told['message'][:300]}")
        now = number(self.file)
        if told["status"] in {"crashed", "killed"}:
            raise self._wrong(f"{cause} ended with {told['message']}")
        if told["status"] == "error" and not (cause != "release" and "nothing" in told["message"]):
            raise self._wrong(f"{cause} could not be done: {told['message']}")
        if told["status"] == "refused":
            self._refused(cause, told["message"], before, served)
        elif cause == "rollback" and told["status"] in {"done", "unchanged"}:
            self._rolled_back(now)  # asked again, it is no change, whatever raw data there is by now
        elif told["status"] in {"done", "unchanged"}:
            self._compare(now)
        if now:
            self._holds()

    def _refused(self, cause: str, message: str, before: int, served: Mapping[str, Content]) -> None:
        """A refusal changes nothing. It is right where plain dbt fails, too, or where rows go: a commit then says they may."""
        if number(self.file) != before:
            raise self._wrong("a refused command wrote a generation")
        self._same(served, "a refused command changed what is served")
        lost = set(_LOSES.findall(message))
        if lost and cause == "release":
            self._declare(lost, message)
            return
        workspace = Workspace.at(self.project)
        promotion = workspace.store.promotions(environment="dev", limit=1)[0]
        workspace.store.close()
        if not self._plain(promotion.plan, promotion.release):
            raise self._wrong(f"{cause} was refused ({promotion.message}), and plain dbt builds it")

    def _declare(self, lost: set[str], message: str) -> None:
        """Commit that rows of these models go, and release again."""
        if lost <= self.declared:
            raise self._wrong(f"a commit declares what is lost, and it is refused: {message}")
        self.declared |= lost
        words = "\n".join(f"Expect: {name} rows" for name in sorted(lost))
        self._commit(f"rows go\n\n{words}", self.blueprint)
        self._run("release")

    def _rolled_back(self, now: int) -> None:
        origin = self._origin(now)
        self._same(self.served[origin], f"generation {now} is not what generation {origin} was")
        self.served[now] = self.served[origin]

    def _compare(self, now: int) -> None:
        """Raise Wrong unless what is served is what plain dbt gives for the release that is served, on these inputs."""
        workspace = Workspace.at(self.project)
        current = workspace.warehouse(workspace.environment("dev")).generation("dev")
        promotion = workspace.store.promotion(current.promotion)
        workspace.store.close()
        if promotion is None:
            raise self._wrong(f"generation {now} has no promotion")
        found = self._relations()
        again = now in self.served
        if again:
            self._same(self.served[now], f"generation {now} is not what it was")
        # Where nothing was written, nothing may be new: plain dbt adds to every history once more, and gets the same.
        failed = self._plain("" if again else promotion.plan, promotion.release)
        if failed:
            raise self._wrong(f"it was published, and plain dbt fails: {failed}")
        old = old_names(self.file)
        told = differences(
            relations(self._plain_file), {key: it for key, it in found.items() if key not in old}
        )
        told += [f"{key} is not {new}" for key, new in old.items() if found.get(key) != found.get(new)]
        if told:
            raise self._wrong("\n  ".join(told))
        self.served[now] = found
        self.good = self.blueprint
        self.declared = set()

    @property
    def _plain_file(self) -> Path:
        return self.scratch / "w.duckdb"

    def _plain(self, plan: str, release: str) -> str:
        """Build a release with plain dbt, each relation with the history that the plan gives it; return what failed."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        workspace = Workspace.at(self.project)
        document = (
            cast("dict[str, Any]", workspace.bundles.get_document(plan))
            if plan
            else self._as_it_is(workspace)
        )
        packed = workspace.store.release(release)
        workspace.store.close()
        assert packed is not None
        archive = self._git("archive", packed.change.commit)
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extractall(self.scratch, filter="data")
        left_out = self._lay(document)
        words = ("--exclude", *left_out) if left_out else ()
        told = self.player.dbt(self.scratch, self._plain_file, "build", *words)
        return told["message"] if told["status"] != "done" else ""

    def _as_it_is(self, workspace: Workspace) -> dict[str, Any]:
        """Return a plan that carries over every history that is served."""
        pointers = workspace.warehouse(workspace.environment("dev")).generation("dev").pointers
        steps = [
            {
                "action": "carry over",
                "node": item.node,
                "kind": item.kind.value,
                "name": str(item.name),
                "address": str(item.address),
            }
            for item in pointers
        ]
        return {"steps": steps}

    def _lay(self, document: Mapping[str, Any]) -> list[str]:
        """Put raw data and histories into the scratch file; return the names of what is there already as it shall be."""
        reused: list[str] = []
        with duckdb.connect(str(self._plain_file)) as connection:
            connection.execute(f"attach '{self.file}' as served (read_only)")
            connection.execute("create schema raw")
            for table in RAW:
                connection.execute(f"create table raw.{table} as select * from served.raw.{table}")
            for step in document["steps"]:
                if step["kind"] in HISTORY and step["action"] in {"reuse", "carry over"}:
                    name, address = Name.parse(step["name"]), Name.parse(step["address"])
                    connection.execute(f'create schema if not exists "{name.schema}"')
                    connection.execute(
                        f'create table "{name.schema}"."{name.identifier}" as '
                        f'select * from served."{address.schema}"."{address.identifier}"'
                    )
                    if step["action"] == "reuse":
                        reused.append(step["node"].split(".")[-1])
        return reused

    def _origin(self, now: int) -> int:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            sql = f"select origin from sluice.generation where number = {now}"
            return int(connection.execute(sql).fetchall()[0][0])

    def _holds(self) -> None:
        told = broken(self.project, self.file, self.immutable)
        if told:
            raise self._wrong("; ".join(told))

    def _same(self, before: Mapping[str, Content], what: str) -> None:
        told = differences(before, self._relations())
        if told:
            raise self._wrong(f"{what}: " + "\n  ".join(told))

    def _relations(self) -> Mapping[str, Content]:
        return relations(self.file) if self.file.exists() else {}

    def _commit(self, message: str, after: Blueprint) -> None:
        old, new = self.blueprint.files(), after.files()
        for path in old.keys() - new.keys():
            (self.project / path).unlink()
        for path, text in new.items():
            place = self.project / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        self.blueprint = after
        self._git("add", "-A")
        self._git("commit", "-qm", message, "--allow-empty")
        self._note(f"commit: {message}")

    def _load(self, *, grow: bool) -> None:
        """Change raw data: new rows, or other values, or fewer rows."""
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("create schema if not exists raw")
            for table in RAW:
                connection.execute(
                    f"create table if not exists raw.{table} (id integer, v integer, note varchar)"
                )
            table = self.dice.choice(RAW)
            if grow:
                first, count = self.rows + 1, self.dice.randint(1, 4)
                self.rows += count
                for each in RAW if first == 1 else (table,):
                    connection.execute(
                        f"insert into raw.{each} select i, i * {self.dice.randint(1, 9)}, 'n' || i"
                        f" from range({first}, {first + count}) t(i)"
                    )
            elif self.dice.random() < 0.7:
                connection.execute(
                    f"update raw.{table} set v = v + 1 where id % 2 = {self.dice.randint(0, 1)}"
                )
            else:
                connection.execute(f"delete from raw.{table} where id = (select min(id) from raw.{table})")
        self._note(f"load: {'more rows' if grow else 'other rows'}")

    def _git(self, *words: str) -> bytes:
        identity = (
            "-c",
            "user.name=oracle",
            "-c",
            "user.email=oracle@example.org",
            "-c",
            "commit.gpgsign=false",
        )
        return subprocess.run(
            ["git", *identity, *words], cwd=self.project, check=True, capture_output=True
        ).stdout

    def _note(self, line: str) -> None:
        self.steps.append(line)
        self.say(line)

    def _wrong(self, what: str) -> Wrong:
        return Wrong(f"{what}\n  seed {self.seed}, after:\n    " + "\n    ".join(self.steps))
