"""Prefect's server for `sluice up`: it answers pages and programs of this machine, and no web page from elsewhere.

It listens on 127.0.0.1, where every page in a browser of this machine can send to. So a request counts only if it names this
machine as its host (a name that was made to lead here names another), and comes from no page, or from one of the server's own.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from prefect_sluice.deployments.form_refusals import FormWording
from prefect_sluice.local_server.prefect_server import HOST, is_this_machine

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_FORBIDDEN = 403
_POLICY_VIOLATION = 1008


class OriginGuard:
    """Lets requests and web sockets through that are meant for this server, and refuses all others before Prefect sees them.

    `origins` are the addresses of pages that may use it, as in a browser's `Origin`; "*" lets every page.
    """

    def __init__(self, app: App, origins: Iterable[str]) -> None:
        """Stand before `app`."""
        self._app = app
        self._origins = frozenset(origin.strip().rstrip("/") for origin in origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI has it."""
        if scope["type"] == "lifespan" or self._is_meant(dict(scope["headers"])):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            body = b"refused: this server is for pages and programs of this machine (docs/prefect/start.md)\n"
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def _is_meant(self, headers: Mapping[bytes, bytes]) -> bool:
        if "*" in self._origins:
            return True
        host = headers.get(b"host", b"").decode("latin-1").lower()
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        return (is_this_machine(host) or host in self._hosts) and (
            not origin or origin in self._origins or origin == f"http://{host}"
        )


def main(arguments: Sequence[str]) -> None:
    """Serve on the port that is given, until told to stop: `prefect server start`, with the guard before its app."""
    import runpy

    from prefect.server.api import server
    from prefect.settings import get_current_settings

    (port,) = arguments
    origins = get_current_settings().server.api.cors_allowed_origins.split(",")
    create = server.create_app

    def guarded(*args: Any, **kwargs: Any) -> Any:
        app = create(*args, **kwargs)
        app.add_middleware(FormWording)
        app.add_middleware(OriginGuard, origins=origins)
        return app

    server.create_app = guarded
    sys.argv = ["prefect", "server", "start", "--host", HOST, "--port", port]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
