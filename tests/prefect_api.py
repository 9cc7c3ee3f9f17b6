"""A Prefect server's API for tests that ask it as a page does: with the token that it wants for whatever changes something."""

from __future__ import annotations

import httpx

CLIENT = "tests"


def client(api: str) -> httpx.Client:
    """Return a client with the server's token, if it has any to give."""
    answer = httpx.get(f"{api}/csrf-token", params={"client": CLIENT}, timeout=60)
    token = (
        {"Prefect-Csrf-Token": answer.json()["token"], "Prefect-Csrf-Client": CLIENT}
        if answer.is_success
        else {}
    )
    return httpx.Client(base_url=api, headers=token, timeout=60)
