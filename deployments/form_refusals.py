"""A refusal of a form in the words of the form: `Why is missing`, where Prefect names the parameter, `'reason' is a required
property`. Only what the server answers to a form is looked at, and nothing but these words is changed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from prefect_sluice.deployments.forms import TITLES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FORMS = ("/ui/schemas/validate", "/create_flow_run", "/resume")
_MISSING = re.compile(r"'(\w+)' is a required property")
_OF_ANSWER = {"name": "Your name"}


def in_words(text: str) -> str:
    """Return what a server says of a form, with fields called by their titles. Pure."""
    return _MISSING.sub(lambda match: f"{_title(match[1])} is missing", text)


def _title(name: str) -> str:
    return {**TITLES, **_OF_ANSWER}.get(name, name)


class FormWording:
    """Passes everything on; rewrites refusals of forms in the words of the form."""

    def __init__(self, app: App) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI has it."""
        is_form = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].endswith(_FORMS)
        await self._app(scope, receive, _Rewritten(send) if is_form else send)


class _Rewritten:
    """Keeps an answer until it is whole, since its length changes with its words."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        headers = list(self._start["headers"])
        if not any(name.lower() == b"content-encoding" for name, _ in headers):
            self._body = in_words(self._body.decode(errors="surrogateescape")).encode(
                errors="surrogateescape"
            )
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
            headers.append((b"content-length", str(len(self._body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": self._body})
