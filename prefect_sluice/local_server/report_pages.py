"""The folder of HTML reports as read-only web pages, for this machine only."""

from __future__ import annotations

import functools
import http.server
import threading
from os import PathLike
from pathlib import Path

from prefect_sluice.local_server.prefect_server import HOST, is_this_machine

_INDEX = "index.html"
"""The page that says what serves, waits and is held, once there is one."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Gives files; lists no folder, follows nothing out of it, and logs nothing."""

    def list_directory(self, path: str | PathLike[str]) -> None:
        """Refuse: which reports there are is the UI's to say."""
        self.send_error(404)

    def send_head(self):  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType]
        """Give a file only if it lies in the folder, links followed; and only to who means this machine by its name."""
        if not is_this_machine(self.headers.get("Host", "").lower()):
            self.send_error(403)
            return None
        try:
            path = Path(self.translate_path(self.path)).resolve()
            if self.path in {"", "/"}:
                self.path = f"/{_INDEX}"
                path = Path(self.directory).resolve() / _INDEX
            inside = path.is_relative_to(Path(self.directory).resolve()) and path.is_file()
        except (OSError, ValueError, RuntimeError):  # a NUL, a name too long, a link that leads to itself
            inside = False
        if not inside:
            self.send_error(404)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Let no page of another origin read or frame a report."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Frame-Options", "DENY")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Pages:
    """Serves a folder from a thread, until it is closed."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        """Begin to serve; port 0 is any free one."""
        folder.mkdir(parents=True, exist_ok=True)
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer((HOST, port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="reports", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the folder is served."""
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stop. Safe to repeat."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
