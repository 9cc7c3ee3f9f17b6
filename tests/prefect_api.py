"""A Prefect server's API for tests that ask it as a page does: with the token that it wants for whatever changes something."""

from __future__ import annotations

import threading

import httpx

CLIENT = "tests"


class _Patient(httpx.HTTPTransport):
    """Asks again while the server says that its SQLite is busy (503), as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(20):
            answer = super().handle_request(request)
            if answer.status_code != 503:
                return answer
            answer.close()
            threading.Event().wait(0.5)
        return super().handle_request(request)


def client(api: str) -> httpx.Client:
    """Return a client with the server's token, if it has any to give."""
    answer = httpx.get(f"{api}/csrf-token", params={"client": CLIENT}, timeout=60)
    token = (
        {"Prefect-Csrf-Token": answer.json()["token"], "Prefect-Csrf-Client": CLIENT}
        if answer.is_success
        else {}
    )
    return httpx.Client(base_url=api, headers=token, timeout=60, transport=_Patient())
