"""What each machine stops and what it does not: the table of SECURITY.md, cell by cell, seen from outside as well."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.isolation.shut_in import needs_landlock, pretend, run

TRIES = """
import os, pathlib, socket
outside = pathlib.Path(OUTSIDE)

def attempt(name, act):
    try:
        act()
    except OSError as error:
        print(name, "denied", type(error).__name__)
    else:
        print(name, "worked")

def connect(kind, address):
    with socket.socket(kind) as client:
        client.connect(address)

def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", UDP))

attempt("write", lambda: outside.write_text("changed"))
attempt("remove", outside.unlink)
attempt("rename", lambda: outside.rename(outside.with_name("other")))
attempt("make", lambda: outside.with_name("new").write_text("x"))
attempt("list", lambda: os.listdir(outside.parent))
attempt("mode", lambda: outside.chmod(0o600))
attempt("time", lambda: os.utime(outside, (1, 1)))
attempt("shared memory", lambda: pathlib.Path(SHARED).read_text())
attempt("abstract socket", lambda: connect(socket.AF_UNIX, ABSTRACT))
attempt("socket file", lambda: connect(socket.AF_UNIX, SOCKET))
attempt("TCP", lambda: connect(socket.AF_INET, ("127.0.0.1", TCP)))
attempt("signal to the launcher", lambda: os.kill(os.getppid(), 0))
attempt("signal to Sluice", lambda: os.kill(SLUICE, 0))
attempt("variables of Sluice", lambda: pathlib.Path(f"/proc/{SLUICE}/environ").read_bytes())
attempt("memory of the launcher", lambda: open(f"/proc/{os.getppid()}/mem", "rb").read(1))
send()
"""
SIGNALS = {"signal to the launcher", "signal to Sluice"}
NO_NAMESPACES = {"mode", "time", "shared memory", "socket file"}
WORKS = {
    "this": set[str](),
    "no namespaces": {*NO_NAMESPACES, "UDP"},
    "6.2": SIGNALS,
    "6.2, no namespaces": {*NO_NAMESPACES, *SIGNALS, "abstract socket", "TCP", "UDP"},
}
"""All else is denied."""


@dataclass(frozen=True)
class Outside:
    """A file, shared memory and servers of this process."""

    file: Path
    shared: str
    abstract: socket.socket
    in_file: socket.socket
    tcp: socket.socket
    udp: socket.socket

    @property
    def names(self) -> str:
        """The attacker knows where everything is."""
        names = {
            "OUTSIDE": str(self.file),
            "SHARED": self.shared,
            "ABSTRACT": "\0" + self.abstract.getsockname()[1:].decode(),
            "SOCKET": self.in_file.getsockname(),
            "TCP": self.tcp.getsockname()[1],
            "UDP": self.udp.getsockname()[1],
            "SLUICE": os.getpid(),
        }
        return "".join(f"{name} = {value!r}\n" for name, value in names.items())

    def was_sent(self) -> bool:
        """Whether something came by UDP: whoever sends does not hear whether it came."""
        try:
            return bool(self.udp.recv(1))
        except BlockingIOError:
            return False


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    file = tmp_path / "outside/served.duckdb"
    file.parent.mkdir()
    file.write_text("as it was", encoding="utf-8")
    file.chmod(0o644)
    with ExitStack() as stack:
        shared = stack.enter_context(tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="sluice-test-"))
        short = stack.enter_context(tempfile.TemporaryDirectory())
        unix = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        unix[0].bind(f"\0sluice-{os.getpid()}")
        unix[1].bind(f"{short}/s")
        for server in unix:
            server.listen()
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        yield Outside(file, shared.name, unix[0], unix[1], tcp, udp)


@needs_landlock
@pytest.mark.parametrize("kernel", WORKS)
def test_what_lies_outside(
    kernel: str, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(kernel, monkeypatch)
    ended, printed = run(tmp_path / "own", outside.names + TRIES)
    assert ended.code == 0, printed
    tried = [line.rpartition(" denied ")[0] or line for line in printed.splitlines()]
    assert len(tried) == 15
    worked = {name.removesuffix(" worked") for name in tried if name.endswith(" worked")}
    assert worked | ({"UDP"} if outside.was_sent() else set()) == WORKS[kernel], printed
    assert [path.name for path in outside.file.parent.iterdir()] == ["served.duckdb"]
    assert outside.file.read_text(encoding="utf-8") == "as it was"
    found = outside.file.stat()
    assert (found.st_mode & 0o777 == 0o600, found.st_mtime == 1) == ("mode" in worked, "time" in worked)
    assert ended.protection.modes == ("mode" not in worked)
    assert bool(worked) == bool(ended.protection.why)
