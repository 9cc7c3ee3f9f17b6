"""What code of a change may do while it runs, and how much of that this machine's kernel holds it to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process and its children may use: `seconds` of processor time, `memory` in bytes of each process's own data,
    `processes` and threads at one time, `file_size` in bytes of one file, `open_files` of one process; of all of them together
    `memory_together` and `disk` in bytes, and how many `files` more there may be. None: as much as the account may."""

    seconds: int | None = None
    memory: int | None = None
    processes: int | None = None
    file_size: int | None = None
    open_files: int | None = 16_384
    memory_together: int | None = None
    disk: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What may be done: `read` and `write` are files and folders with all below them, `network` whether other processes of
    this machine or of another may be reached. `required`: what cannot be isolated is not run."""

    read: tuple[Path, ...]
    write: tuple[Path, ...]
    network: bool = False
    required: bool = False
    limits: Limits = field(default_factory=Limits)

    def document(self) -> dict[str, Any]:
        """Return it as JSON, for the process that enters it."""
        return {
            "read": [str(path) for path in self.read],
            "write": [str(path) for path in self.write],
            "network": self.network,
            "required": self.required,
            "limits": asdict(self.limits),
        }

    @staticmethod
    def of(document: dict[str, Any]) -> Sandbox:
        """Return what `document` made JSON of."""
        return Sandbox(
            tuple(map(Path, document["read"])),
            tuple(map(Path, document["write"])),
            document["network"],
            document["required"],
            Limits(**document["limits"]),
        )


@dataclass(frozen=True, slots=True)
class Rights:
    """What code of a change is given that answers questions: the files and folders of `read` beside what Python needs, those of
    `write` beside a folder of its own, the environment `variables`, so much time (processor time too; None: as long as it
    takes), the `network` or none, files up to `file_size` bytes. `required`: without isolation it is not run."""

    read: tuple[Path, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    write: tuple[Path, ...] = ()
    timeout: timedelta | None = timedelta(minutes=10)
    network: bool = False
    required: bool = False
    file_size: int | None = 100_000_000

    def within(self, timeout: timedelta | None) -> Rights:
        """Return the same with this time; None: with the time that they have."""
        return replace(self, timeout=timeout) if timeout else self


@dataclass(frozen=True, slots=True)
class Protection:
    """What the kernel holds the code to: `files` outside are kept from it, the `network`, the `signals` to processes outside,
    the `sockets` that lie in the file system, and the `modes`, owners and times of files. `why` says what is missing, "" for
    nothing."""

    files: bool = False
    network: bool = False
    signals: bool = False
    sockets: bool = False
    modes: bool = False
    why: str = ""

    @property
    def is_isolated(self) -> bool:
        """Say whether the tier is `isolated`: neither files nor services outside can be changed."""
        return self.files and self.network

    @property
    def tier(self) -> str:
        """The tier's name: `isolated`, or `as the deployer`."""
        return "isolated" if self.is_isolated else "as the deployer"

    @property
    def description(self) -> str:
        """The tier in a line: what code of the change runs with, and what is missing."""
        if self.is_isolated:
            return f"code of the change runs isolated{f'; {self.why}' if self.why else ''}"
        return f"code of the change runs with the rights of the deployer, since this machine does not isolate it: {self.why}"
