"""The events of a running stage, in the log of the run and as task runs."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, assert_never

from prefect import get_run_logger

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.orchestration.shown.node_runs import show_nodes
from prefect_sluice.promotions.work import Outcome, Status, listening
from prefect_sluice.runtime.events import JUDGED, NODES, NOTICES, GateJudged, Level, Notice
from prefect_sluice.runtime.redaction import concealed

MOST = 50
"""How many warnings, and how many findings of one gate, are logged one by one."""
_LEVELS = {Level.WARNING: logging.WARNING, Level.ERROR: logging.ERROR}


@contextmanager
def telling() -> Generator[None]:
    """Log the events of this thread's stages while the block runs, each once and at its level, and show their nodes."""
    log = _Log(get_run_logger())
    with ExitStack() as stack:
        stack.enter_context(listening(log.progress))
        stack.enter_context(NOTICES.heard_by(log.notice))
        stack.enter_context(JUDGED.heard_by(log.judged))
        stack.enter_context(NODES.heard_by(show_nodes))
        yield
    log.sum_up()


def log_outcome(outcome: Outcome) -> None:
    """Log how the work ended: a gate's no as an error, a person's as a warning."""
    get_run_logger().log(_level(outcome.status), concealed(outcome.message))


def _level(status: Status) -> int:
    match status:
        case Status.DONE | Status.UNCHANGED | Status.WAITING | Status.CHECKED:
            return logging.INFO
        case Status.REJECTED:
            return logging.WARNING
        case Status.PARTIAL | Status.REFUSED | Status.SUPERSEDED | Status.EXPIRED:
            return logging.ERROR
        case _ as other:
            assert_never(other)


class _Log:
    """One stage's log. dbt repeats its warnings with each command, and a gate what dbt said of a node: each is logged once."""

    def __init__(self, logger: Any) -> None:
        self._logger = logger
        self._said: set[str] = set()
        self._failed: set[str] = set()
        self._left_out = 0

    def progress(self, line: str) -> None:
        self._logger.info(concealed(line))

    def notice(self, notice: Notice) -> None:
        if notice.about:
            self._failed.add(notice.about)
        if notice.text in self._said:
            return
        self._said.add(notice.text)
        if notice.level is Level.WARNING and len(self._said) > MOST:
            self._left_out += 1
            return
        self._logger.log(_LEVELS[notice.level], concealed(notice.text))

    def judged(self, judged: GateJudged) -> None:
        bad = [finding for finding in judged.report.findings if self._is_news(finding)]
        for finding in sorted(bad, key=lambda finding: -finding.verdict)[:MOST]:
            level = logging.ERROR if judged.blocks and not finding.verdict.lets_through else logging.WARNING
            self._logger.log(level, concealed(finding_line(finding)))
        if len(bad) > MOST:
            self._logger.warning(f"gate {judged.report.gate}: and {count(len(bad) - MOST, 'more finding')}")

    def sum_up(self) -> None:
        if self._left_out:
            self._logger.warning(f"and {count(self._left_out, 'more warning')}")

    def _is_news(self, finding: Finding) -> bool:
        # Of a node that failed, dbt's own message is in the log already.
        return finding.verdict is not Verdict.PASSED and not (
            finding.gate == "build" and finding.subject in self._failed
        )


def finding_line(finding: Finding) -> str:
    """Return a finding as one line: which gate and check, of what, and what to do. Without the rows behind it. Pure."""
    where = " ".join(
        part for part in (finding.subject, f"({finding.location})" if finding.location else "") if part
    )
    line = f"gate {finding.gate}: {finding.check}: {finding.summary}"
    return "; ".join(part for part in (f"{line}, {where}" if where else line, finding.fix) if part)
