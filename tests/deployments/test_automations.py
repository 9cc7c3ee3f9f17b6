"""Automations and work queues of a real Prefect server: who hears of what, and who waits for whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.blocks.system import Secret
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.states import Completed, Failed, Paused, Pending, Scheduled
from pydantic import SecretStr

from prefect_sluice.deployments import automations, limits
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.flows.check import check
from prefect_sluice.flows.refresh import refresh
from prefect_sluice.flows.release import release
from tests.flows.scheduled import Deployed, client, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("prefect")]


@contextmanager
def receiver(heard: list[dict[str, str]]) -> Generator[str]:
    """Give the URL of a web server that hears webhooks."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            heard.append(cast(dict[str, str], json.loads(self.rfile.read(size))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_that_failed_or_is_late_is_told_and_a_push_is_released(
    prefect_server: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    nightly, poll, checks = (Deployed.of(flow, folder) for flow in (refresh, release, check))
    heard: list[dict[str, str]] = []
    with receiver(heard) as url, client() as prefect:
        block = CustomWebhookNotificationBlock(
            name="on call",
            url=url,
            headers={},
            cookies={},
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
        )
        block.save("oncall", overwrite=True)
        automations.apply(notify="custom-webhook/oncall", folder=str(folder))
        made = automations.apply(notify="custom-webhook/oncall", folder=str(folder), checks=True)  # renews
        assert [name.partition(" (")[0] for name in made] == [
            "sluice: a run failed", "sluice: a yes is asked for", "sluice: a run is late", "sluice: git was pushed",
            "sluice: git was pushed: check",
        ]  # fmt: skip
        assert all(len(prefect.read_automations_by_name(name)) == 1 for name in made)

        bad, good, late, late_poll = nightly.asked(), nightly.asked(), nightly.asked(), poll.asked()
        waits = poll.asked()
        prefect.set_flow_run_state(
            waits.id, Paused(name="Suspended", message="Grace: may it go?"), force=True
        )
        prefect.set_flow_run_state(good.id, Completed(name="Unchanged"), force=True)
        prefect.set_flow_run_state(late_poll.id, Scheduled(name="Late"), force=True)
        prefect.set_flow_run_state(late.id, Scheduled(name="Late"), force=True)
        prefect.set_flow_run_state(
            bad.id, Failed(name="Refused", message="1 finding of data_tests"), force=True
        )
        emit_event(
            "git.pushed",
            resource={"prefect.resource.id": "git.shop", "git.branch": "main"},
            payload={"commit": "a1b2c3d"},
        )
        emit_event(
            "git.pushed",
            resource={"prefect.resource.id": "git.shop", "git.branch": "other"},
            payload={"commit": "fffffff"},
        )
        EventsWorker.drain_all(timeout=10, at_exit=False)
        until(lambda: len(heard) >= 3 and len(poll.runs()) >= 3 and len(checks.runs()) >= 2)
        pushed = {(run.parameters["ref"], run.parameters["branch"]) for run in checks.runs()}
        assert pushed == {("a1b2c3d", "main"), ("fffffff", "other")}
        asked = [item for item in heard if item["subject"].endswith(" waits for a yes")]
        assert ["Grace: may it go?" in item["body"] for item in asked] == [True]
        told = sorted(item["subject"].rpartition(": ")[2] for item in heard if item not in asked)
        assert told == ["Late", "Refused"]
        (refused,) = [item for item in heard if item["subject"].endswith("Refused")]
        assert "1 finding of data_tests" in refused["body"]
        started = [run for run in poll.runs() if run.id not in {late_poll.id, waits.id}]
        assert [run.parameters["ref"] for run in started] == ["a1b2c3d"]

        kept = automations.apply(folder=str(folder))
        assert [name.partition(" (")[0] for name in kept] == ["sluice: git was pushed"]
        assert prefect.read_automations_by_name(made[0]) == []


def test_a_block_that_is_none_is_said(prefect_server: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no Prefect block 'slack-webhook/nobody'"):
        automations.apply(notify="slack-webhook/nobody", folder=str(tmp_path))
    Secret(value=SecretStr("x")).save("not-a-notifier", overwrite=True)
    with pytest.raises(BadInput, match="cannot notify anybody"):
        automations.apply(notify="secret/not-a-notifier", folder=str(tmp_path))


def test_runs_of_one_environment_keep_their_order_and_a_rollback_waits_for_none(
    prefect_server: str, tmp_path: Path
) -> None:
    with client() as prefect:
        prefect.create_work_pool(WorkPoolCreate(name="limits", type="process"), overwrite=True)
        for _ in range(2):
            assert limits.apply("limits", ["dev", "prod"]) == (
                "on-call",
                "changes-dev",
                "changes-prod",
                "care",
                "checks",
            )
        nightly = Deployed.of(
            refresh, tmp_path / "shop", pool="limits", queue=limits.queue_of("refresh", "prod")
        )
        back = Deployed.of(
            release, tmp_path / "shop", pool="limits", queue=limits.queue_of("rollback", "prod")
        )
        runs = [nightly.asked() for _ in range(3)]
        urgent = back.asked()

        def next_ones() -> list[Any]:
            found = prefect.get_scheduled_flow_runs_for_work_pool("limits")
            return [item.flow_run.id for item in found]

        assert next_ones() == [urgent.id, runs[0].id]
        prefect.set_flow_run_state(runs[0].id, Pending(), force=True)
        assert next_ones() == [urgent.id]
        prefect.set_flow_run_state(runs[0].id, Paused(name="Suspended"), force=True)
        assert next_ones() == [urgent.id, runs[1].id], "who waits for an approval keeps nobody out"
        prefect.set_flow_run_state(runs[0].id, Scheduled(name="Resuming"), force=True)
        assert len(next_ones()) == 2
        prefect.set_flow_run_state(runs[1].id, Completed(), force=True)


def test_which_queue() -> None:
    assert limits.queue_of("check", "prod") == "checks"
    assert limits.queue_of("rollback", "prod") == "on-call"
    assert limits.queue_of("monitor", "") == limits.queue_of("collect", "") == "care"
    assert limits.queue_of("promote", "prod") == limits.queue_of("refresh", "prod") == "changes-prod"
