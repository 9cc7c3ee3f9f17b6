"""What is built and published, told as OpenLineage events to a receiver on this machine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from prefect_sluice.cli import main
from prefect_sluice.reporting.openlineage import send

Run = Callable[..., Any]
Commit = Callable[..., None]
MENDED = "select range as id, range * 11 as amount from range(30)\n"

pytestmark = pytest.mark.slow


@dataclass
class Receiver:
    """What came, and with which key; `status` is what it answers."""

    url: str = ""
    status: int = 201
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    keys: set[str | None] = field(default_factory=set[str | None])
    watch: Callable[[], None] = lambda: None

    def ends(self) -> dict[str, str]:
        """Return how each job's run ended, by its name."""
        return {event["job"]["name"]: event["eventType"] for event in self.events}


@contextmanager
def receiving() -> Generator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/api/v1/lineage"
            receiver.events.append(json.loads(body))
            receiver.watch()
            receiver.keys.add(self.headers.get("Authorization"))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


@pytest.fixture
def told_to(released: Path) -> Callable[[Receiver], Path]:
    """Return what has the project tell a receiver."""

    def write(receiver: Receiver) -> Path:
        with (released / "sluice.yml").open("a") as file:
            file.write(f"openlineage: {{url: '{receiver.url}', namespace: shop}}\n")
        return released

    return write


def test_builds_and_publishes_are_told(
    told_to: Callable[[Receiver], Path], run: Run, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "a-key-nobody-may-see")
    with receiving() as receiver:
        folder = told_to(receiver)
        commit(folder, "Broken", orders=MENDED.replace("as amount", "as amounts"))
        refused = run("release", "-C", folder, "--env", "dev", "--as", "Ada")
        assert refused.code == 1
        assert receiver.ends()["dev.release"] == "FAIL"
        end = receiver.events[-1]
        assert "stopped it in stage" in end["run"]["facets"]["errorMessage"]["message"]
        assert end["outputs"] == [], "what is refused is published to nobody"
        receiver.events.clear()

        commit(folder, "Mended", orders=MENDED)
        assert run("release", "-C", folder, "--env", "dev", "--as", "Ada").code == 0
        assert receiver.ends() == {
            "dev.release": "COMPLETE", "dev.model.shop.orders": "COMPLETE", "dev.model.shop.totals": "COMPLETE",
        }  # fmt: skip
        assert [event["eventType"] for event in receiver.events].count("START") == 3
        built = next(
            event for event in receiver.events if event["job"]["name"].endswith("totals") and event["inputs"]
        )
        assert [(one["namespace"], one["name"]) for one in built["inputs"]] == [
            ("duckdb://dev", "main.orders")
        ]
        end = receiver.events[-1]
        assert (
            built["run"]["facets"]["parent"]["run"]["runId"]
            == end["run"]["runId"]
            == receiver.events[0]["run"]["runId"]
        )
        published = {one["name"]: one["facets"] for one in end["outputs"]}
        assert published.keys() == {"main.orders", "main.totals"}
        assert [(one["name"], one["type"]) for one in published["main.orders"]["schema"]["fields"]] == [
            ("id", "BIGINT"), ("amount", "BIGINT"),
        ]  # fmt: skip
        assert published["main.orders"]["version"]["datasetVersion"] == "3"
        assert receiver.keys == {"Bearer a-key-nobody-may-see"}
        assert {event["producer"].rpartition(":")[0] for event in receiver.events} == {"urn:prefect-sluice"}

        receiver.events.clear()
        assert run("rollback", "-C", folder, "--env", "dev", "--as", "Ada").code == 0
        assert receiver.ends() == {"dev.rollback": "COMPLETE"}
        assert {one["name"] for one in receiver.events[-1]["outputs"]} == {
            "main.orders", "main.totals", "main.customers",
        }  # fmt: skip


def test_a_receiver_that_says_no_or_is_away_changes_nothing(
    told_to: Callable[[Receiver], Path], run: Run, commit: Commit
) -> None:
    with receiving() as receiver:
        folder = told_to(receiver)
        receiver.status = 403
        commit(folder, "Mended", orders=MENDED)
        answer = run("check", "-C", folder, "--env", "dev", "--as", "Ada")
        assert answer.code == 0
        problem = f"what was built could not be told to {receiver.url}: "
        assert problem in run("logs", "-C", folder, "--env", "dev").out
    again = run("release", "-C", folder, "--env", "dev", "--as", "Ada")
    assert again.code == 0
    assert problem in run("logs", "-C", folder, "--env", "dev").out


@pytest.mark.parametrize("command", ["release", "check"])
def test_nobody_waits_for_a_receiver(
    told_to: Callable[[Receiver], Path],
    run: Run,
    commit: Commit,
    capfd: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """The environment is free, and the answer is out, when the first event comes."""
    held: list[object] = []
    answers: list[str] = []
    with receiving() as receiver:
        folder = told_to(receiver)

        def look() -> None:
            with sqlite3.connect(f"file:{folder}/.sluice/state.db?mode=ro", uri=True) as state:
                held.extend(
                    state.execute(
                        "select environment from sluice_lease where expires_at is not null"
                    ).fetchall()
                )
            answers.append(capfd.readouterr().out)

        receiver.watch = look
        commit(folder, "Mended", orders=MENDED)
        assert main([command, "-C", str(folder), "--env", "dev", "--as", "Ada"]) == 0
    assert receiver.ends()[f"dev.{command}"] == "COMPLETE"
    assert held == []
    assert "orders" in answers[0], "the first event came before the answer"
    assert (
        f"INFO    {len(receiver.events)} events of OpenLineage sent"
        in run("logs", "-C", folder, "--env", "dev").out
    )


def test_a_slow_receiver_is_left(
    told_to: Callable[[Receiver], Path], run: Run, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send, "MOST_SECONDS", 0)
    with receiving() as receiver:
        folder = told_to(receiver)
        commit(folder, "Mended", orders=MENDED)
        assert run("release", "-C", folder, "--env", "dev", "--as", "Ada").code == 0
        assert not receiver.events
        problem = f"could not be told to {receiver.url}: it took 0 events in 0 seconds"
        assert problem in run("logs", "-C", folder, "--env", "dev").out


def test_nobody_is_told_anything_by_default(
    released: Path, run: Run, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the library's own variables name a receiver."""
    with receiving() as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
        commit(released, "Mended", orders=MENDED)
        assert run("release", "-C", released, "--env", "dev", "--as", "Ada").code == 0
        assert receiver.events == []
