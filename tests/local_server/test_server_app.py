"""Whom the server of `sluice up` lets in: this machine's programs and its own pages, and no other page in a browser."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prefect_sluice.local_server import prefect_server
from prefect_sluice.local_server.server_app import OriginGuard
from tests.machines.servers import free_port, wait_until
from tests.prefect_api import client

OWN = "http://127.0.0.1:4200"
ORIGINS = (OWN, "http://localhost:4200")


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


def answer(guard: OriginGuard, kind: str = "http", **headers: str) -> dict[str, Any]:
    """Return the first message that a request or web socket gets."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(guard({"type": kind, "headers": given}, receive, send))
    return sent[0]


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:4200", "", 200),
        ("localhost:4200", OWN, 200),
        ("127.0.0.1:4200", "http://localhost:4200", 200),
        ("localhost:4300", "http://localhost:4300", 200),  # forwarded to another port
        ("[::1]:4200", "", 200),
        ("127.0.0.1:4200", "https://evil.example", 403),
        ("127.0.0.1:4200", "http://localhost:3000", 403),  # somebody else's page on this machine
        ("127.0.0.1:4200", "null", 403),
        ("evil.example:4200", "", 403),  # a name that was made to lead here
        ("evil.example:4200", "http://evil.example:4200", 403),
        ("127.0.0.1.evil.example:4200", "", 403),
        ("", "", 403),
    ],
)
def test_host_and_origin(host: str, origin: str, status: int) -> None:
    headers = {"host": host, **({"origin": origin} if origin else {})}
    assert answer(OriginGuard(_app, ORIGINS), **headers)["status"] == status
    opened = answer(OriginGuard(_app, ORIGINS), "websocket", **headers)
    assert (opened["type"] == "websocket.close") is (status == 403)


def test_more_origins_are_the_users_to_name() -> None:
    """Behind a proxy the server has the proxy's name; "*" is for who wants it so."""
    assert (
        answer(
            OriginGuard(_app, ("https://flows.example",)),
            host="flows.example",
            origin="https://flows.example",
        )["status"]
        == 200
    )
    assert answer(OriginGuard(_app, ("*",)), host="x", origin="http://y")["status"] == 200


def test_what_is_set_already_stays_as_it_is(tmp_path: Path) -> None:
    made = prefect_server.variables({}, tmp_path, prefect_server.api_of(4200))
    assert made["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == ",".join(ORIGINS)
    assert made["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    own = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "https://flows.example"}
    assert prefect_server.variables(own, tmp_path, prefect_server.api_of(4200)).items() >= own.items()


@pytest.fixture
def server(tmp_path: Path) -> Generator[str]:
    """The API of a server as `sluice up` starts it."""
    port = free_port()
    api = prefect_server.api_of(port)
    environ = prefect_server.variables({**os.environ, "PREFECT_HOME": str(tmp_path)}, tmp_path, api)
    with subprocess.Popen(prefect_server.server_command(port), env=environ, cwd=tmp_path) as process:
        try:
            wait_until(
                lambda: process.poll() is not None or prefect_server.answers(api),
                "the server answers",
                seconds=180,
            )
            assert process.poll() is None
            yield api
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_foreign_page_starts_or_reads_anything(server: str) -> None:
    """The real server: a page of another origin, a form without a token, a name that leads here; then its own page."""
    evil, asked = {"Origin": "https://evil.example"}, {"name": "evil"}
    plain = httpx.Client(base_url=server, timeout=60)
    assert plain.get("/flows/count", headers=evil).status_code in {403, 405}
    assert plain.post("/flows/", json=asked, headers=evil).status_code == 403
    assert plain.post("/flows/", json=asked).json() == {"detail": "Missing CSRF token."}
    named = {"Host": f"evil.example:{httpx.URL(server).port}"}
    assert plain.get("/csrf-token", params={"client": "x"}, headers=named).status_code == 403
    asks = {**evil, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in plain.options("/flows/", headers=asks).headers

    own = {"Origin": prefect_server.ui_of(server)}
    with client(server) as page:
        assert page.post("/flows/", json={"name": "ours"}, headers=own).status_code == 201
        assert page.post("/flows/count", json={}, headers=own).json() == 1
