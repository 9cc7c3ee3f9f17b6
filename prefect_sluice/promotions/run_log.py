"""The log of an environment's runs, kept on the machine that ran them: what the stages told, when, and what broke."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import BinaryIO

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.promotions.request import Request
from prefect_sluice.promotions.work import Work, following, listening
from prefect_sluice.runtime import process
from prefect_sluice.runtime.events import (
    JUDGED,
    NODES,
    NOTICES,
    GateJudged,
    Level,
    NodeDone,
    NodeFate,
    Notice,
)
from prefect_sluice.runtime.redaction import concealer
from prefect_sluice.workspace.workspace import Workspace

FOLDER = "logs"
_BIGGEST = 4 * 2**20
"""Bytes of a file; then it becomes `<environment>.log.1`, in the place of the one before, and a new one begins."""
_PARTS = 4
"""Of a line: the time, the run, the level, the text."""
BEGINS, OF_PROMOTION, ENDED = "begins: ", "promotion ", "ended: "
_LEVELS = {Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}
_FATES = {NodeFate.FAILED: logging.ERROR, NodeFate.WARNED: logging.WARNING}


def files_of(workspace: Workspace, environment: str) -> tuple[Path, ...]:
    """Return the files that hold an environment's log on this machine, oldest first; one or both may not exist."""
    return _files(workspace, f"{environment}.log")


def files_of_checks(workspace: Workspace, environment: str) -> tuple[Path, ...]:
    """Return the files that hold the log of an environment's checks, as `files_of`: a check may run beside a release."""
    return _files(workspace, f"{environment}.check.log")


def _files(workspace: Workspace, name: str) -> tuple[Path, ...]:
    path = workspace.folder / FOLDER / name
    return path.with_name(f"{path.name}.1"), path


@contextmanager
def logged(workspace: Workspace, request: Request) -> Generator[RunLogger]:
    """Write down what the stages of a run tell while the block runs, and what breaks it; who keeps the logger adds lines of the
    run later. Call it under the lease: one run at a time writes a file. A log that cannot be written stops nothing."""
    files = files_of if request.cause.publishes else files_of_checks
    handler = _handler(files(workspace, request.environment)[-1])
    log = RunLogger(_logger(handler))
    try:
        with ExitStack() as stack:
            stack.enter_context(listening(log.progress))
            stack.enter_context(following(log.stage))
            stack.enter_context(NOTICES.heard_by(log.notice))
            stack.enter_context(NODES.heard_by(log.nodes))
            stack.enter_context(JUDGED.heard_by(log.judged))
            log.begins(request)
            yield log
    except BaseException as error:
        log.broke(error)
        raise
    finally:
        handler.close()


def _handler(path: Path) -> logging.Handler:
    with suppress(OSError):  # the handler says nothing of it, either
        path.parent.mkdir(exist_ok=True)
    handler = _Handler(path, maxBytes=_BIGGEST, backupCount=1, encoding="utf-8", errors="replace", delay=True)
    handler.setFormatter(_Formatter(secrets.token_hex(4)))
    return handler


def _logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger(__name__)  # not by `getLogger`: it is this run's alone, and none of Prefect's
    logger.addHandler(handler)
    return logger


class _Handler(RotatingFileHandler):
    """Holds its file open while a run is at work; a line that comes later opens it for itself."""

    over = False

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if self.over:
            self.close()

    def close(self) -> None:
        self.over = True
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # the library's name
        """Leave the line out: a disk that is full is no reason to end a release."""


class _Formatter(logging.Formatter):
    """`2026-12-01T02:41:03Z 4f2a91c3 WARNING text`: the time (UTC), the run, the level; further lines are indented."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run
        self._without_secrets: Callable[[str], str] = concealer()

    def format(self, record: logging.LogRecord) -> str:
        told = self._without_secrets(super().format(record)).strip() or "-"
        at = f"{process.now():%Y-%m-%dT%H:%M:%SZ}"
        return f"{at} {self._run} {record.levelname:<7} " + "\n  ".join(told.splitlines())


@dataclass
class RunLogger:
    """One run's lines. dbt repeats its warnings with each command: each is written once."""

    logger: logging.Logger
    promotion: str = ""
    said: set[str] = field(default_factory=set[str])

    def begins(self, request: Request) -> None:
        what = f" of {request.what}" if request.what else ""
        way = "to" if request.cause.publishes else "for"
        asked = f"{request.cause.value}{what} {way} {request.environment}, asked for by {request.actor}"
        self.logger.info(f"{BEGINS}{asked}")

    def progress(self, line: str) -> None:
        self.logger.info(line)

    def stage(self, work: Work) -> None:
        if work.promotion is not None and work.promotion.id != self.promotion:
            self.promotion = work.promotion.id
            self.logger.info(f"{OF_PROMOTION}{self.promotion}")
        if work.outcome is not None:
            self.logger.info(f"{ENDED}{work.outcome.status.value}: {work.outcome.message}")

    def notice(self, notice: Notice) -> None:
        if notice.text not in self.said:
            self.said.add(notice.text)
            self.logger.log(_LEVELS[notice.level], notice.text)

    def nodes(self, nodes: tuple[NodeDone, ...]) -> None:
        for node in nodes:
            took = (node.ended - node.started).total_seconds()
            text = f"{node.kind} {node.name}: {node.fate.value} in {took:.2f} s"
            rows = "" if node.rows is None else f", {count(node.rows, 'row')}"
            message = f": {node.message}" if node.fate is NodeFate.FAILED and node.message else ""
            self.logger.log(_FATES.get(node.fate, logging.INFO), text + rows + message)

    def judged(self, judged: GateJudged) -> None:
        report = judged.report
        if report.not_applicable:
            self.logger.info(f"gate {report.gate} was not asked: {report.not_applicable}")
            return
        took = (judged.ended - judged.started).total_seconds()
        said_no = not report.verdict.lets_through
        level = (logging.ERROR if judged.blocks else logging.WARNING) if said_no else logging.INFO
        self.logger.log(level, f"gate {report.gate}: {report.verdict.name} in {took:.2f} s")
        for item in (one for one in report.findings if not one.verdict.lets_through):
            told = (f"{item.check}: {item.summary}", item.subject, item.location, item.fix)
            self.logger.log(level, "; ".join(part for part in told if part))

    def broke(self, error: BaseException) -> None:
        """Write what broke it: what we raise ourselves in a line, all else with where it came from."""
        known = isinstance(error, SluiceError | KeyboardInterrupt)
        self.logger.error(
            f"{ENDED}failed: {type(error).__name__}: {error}", exc_info=None if known else error
        )


@dataclass(frozen=True, slots=True)
class RunLog:
    """One run's lines as they were written: its `id`, the promotion that it came to ("" for none), whether it `ended`."""

    id: str
    lines: tuple[str, ...] = ()
    promotion: str = ""
    ended: bool = False

    @property
    def began(self) -> str:
        """When its first line was written, as it stands there: "" for none. It sorts as times do."""
        return next((parts[0] for line in self.lines if (parts := parted(line))), "")


def runs(text: str) -> tuple[RunLog, ...]:
    """Return the runs that a log holds, oldest first; of the first one, the beginning may be missing. Pure."""
    lines: dict[str, list[str]] = {}
    last = ""
    for written in text.splitlines():
        parts = parted(written)
        last = parts[1] if parts else last
        if last:
            lines.setdefault(last, []).append(written)
    return tuple(_run(id, found) for id, found in lines.items())


def parted(line: str) -> tuple[str, str, str, str] | None:
    """Return the time, the run, the level and the text of a line; None for one that goes on with the text before it. Pure."""
    parts = line.split(maxsplit=3)
    if line.startswith(" ") or len(parts) != _PARTS:
        return None
    at, run, level, text = parts
    return at, run, level, text


class Tail:
    """Reads on in a file that grows: each time the whole lines that came since. One that was begun anew, or cut short, is
    read on from its beginning; what was written to the file before it got another name is not lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def more(self) -> list[str]:
        """Return the lines that came since the last call, without their ends; none where there is no file yet."""
        found = self._read()
        if not self._is_current():
            self._open()
            found += self._read()
        *lines, self._rest = (self._rest + found).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        if os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._file.seek(0)
        return self._file.read()

    def _is_current(self) -> bool:
        try:
            there = self._path.stat()
        except OSError:
            return True
        return self._file is not None and os.path.samestat(there, os.fstat(self._file.fileno()))

    def _open(self) -> None:
        self.close()
        with suppress(OSError):
            self._file = self._path.open("rb")

    def close(self) -> None:
        """Close the file. Repeatable."""
        if self._file is not None:
            self._file.close()
        self._file = None


def ends(line: str) -> bool:
    """Say whether it is the line with which a run ends. Pure."""
    return (parts := parted(line)) is not None and parts[3].startswith(ENDED)


def _run(id: str, lines: Sequence[str]) -> RunLog:
    told = [parts[3] for parts in map(parted, lines) if parts]
    promotions = [text.removeprefix(OF_PROMOTION) for text in told if text.startswith(OF_PROMOTION)]
    ended = any(map(ends, lines))
    return RunLog(id, tuple(lines), promotions[-1] if promotions else "", ended)
