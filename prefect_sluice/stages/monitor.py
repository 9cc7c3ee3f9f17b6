"""Monitor: reads what is served, as a reader would, and closes the promotion as stable."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.displaced_names import TAKE_BACK, Displaced
from prefect_sluice.domain.errors import BadInput, QueryFailed
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import DIRTY
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.promotions.environment_order import behind
from prefect_sluice.promotions.records import OutOfOrder, advance, keep_reports, opened, promotion_of
from prefect_sluice.promotions.reread import reread
from prefect_sluice.promotions.work import Status, Work, tell
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.stages.candidate.without_failed import held_back
from prefect_sluice.stages.candidate.without_failed import held_line as partly
from prefect_sluice.warehouse.base import Reader, ServedReader
from prefect_sluice.warehouse.served import Served
from prefect_sluice.workspace.workspace import Environment, Workspace

STAGE = "monitor"
NAMES = "names"
"""The check that public names show what was published."""
_SOME = 10
"""How many relations a later look reads, of those that are in place."""


def monitor(work: Work) -> Work:
    """Return the work, ended: stable, or failed with the next command. A failure rolls nothing back by itself yet."""
    workspace, place = opened(work)
    promotion, generation = promotion_of(work), work.generation
    if generation is None:
        raise OutOfOrder()
    tell("reading what is served")
    with workspace.warehouse(place).reader() as reader:
        report = _look(reader, place.name, generation, promotion.base)
        old = _reused(reader, generation, promotion.base)
        report = replace(report, findings=(*report.findings, *reread(workspace, place, STAGE, old, reader)))
    keep_reports(workspace, promotion, STAGE, (report,))
    reach(FaultPoint.MONITOR_JUDGED)
    told = replace(work, reports=(*work.reports, report))
    if not report.verdict.lets_through:
        bad = next(item for item in report.findings if not item.verdict.lets_through)
        failed = advance(workspace, promotion, State.FAILED, actor=work.request.actor, message=bad.summary)
        return replace(told, promotion=failed).ends(
            Status.REFUSED,
            f"what is served is not right: {bad.summary}",
            # Older generations may lead to the same relation.
            f"sluice doctor --deep --env {place.name}"
            if bad.check == "content"
            else bad.fix
            or NextStep.of(
                Command.of("rollback", "--env", place.name, "--from", str(generation.number)),
            ),
        )
    stable = advance(workspace, promotion, State.STABLE, actor=work.request.actor, message=promotion.message)
    reach(FaultPoint.MONITOR_CLOSED)
    message = f"{place.name} serves generation {generation.number}, release {generation.release[:7]}"
    held = held_back(workspace, stable)
    if held:
        return replace(told, promotion=stable).ends(
            Status.PARTIAL,
            f"{message}; {partly(held)}",
            NextStep.of(
                "mend what failed (",
                Command.of("show", stable.id),
                "), then: ",
                Command.of("refresh", "--env", place.name),
            ),
        )
    return replace(told, promotion=stable).ends(Status.DONE, message, _following(workspace, place, stable))


def _following(workspace: Workspace, environment: Environment, promotion: Promotion) -> NextStep:
    """Return the command that one would give after this: on to the next environment, if there is one and it is a commit."""
    release = workspace.store.release(promotion.release)
    forward = promotion.cause.takes_new_code and release is not None and release.change.commit != DIRTY
    further = behind(environment, workspace.environments) if forward else ""
    forward_to = Command.of("promote", "--to", further)
    return NextStep.of(forward_to if further else Command.of("status", "--env", environment.name))


def _look(reader: ServedReader, environment: str, expected: Generation, base: int) -> GateReport:
    served = reader.generation(environment)
    same = served.number == expected.number
    told = (
        f"generation {served.number} is served"
        if same
        else f"generation {served.number} is served, not {expected.number}"
    )
    findings = [
        Finding(
            STAGE,
            "generation",
            Verdict.PASSED if same else Verdict.INCONCLUSIVE,
            told,
            observed=served.number,
            limit=expected.number,
        )
    ]
    if expected.pointers:
        taken = reader.displaced(environment) if same else ()
        doubtful = _doubtful(reader, environment, expected, base)
        bad = _bad(reader, doubtful, taken)
        total = len(expected.pointers)
        rest = total - len(doubtful)
        told = count(len(doubtful), "public relation answers", "public relations answer") + (
            f", {count(rest, 'unchanged is', 'unchanged are')} in place" if rest else ""
        )
        findings += bad or [
            Finding(STAGE, "readable", Verdict.PASSED, told, observed=total - len(bad), limit=total)
        ]
    return GateReport(STAGE, tuple(findings))


def _reused(served: Served, generation: Generation, base: int) -> tuple[Pointer, ...]:
    """Return the pointers to relations that were there before this generation: what is new was read when it was sealed."""
    if not base:
        return ()
    with contextlib.suppress(BadInput):  # the generation before is no longer known
        before = {pointer.address for pointer in served.generation(generation.environment, base).pointers}
        return tuple(pointer for pointer in generation.pointers if pointer.address in before)
    return generation.pointers


def look_again(reader: ServedReader, served: Generation) -> GateReport:
    """Look at a generation that answered when it was new: does every name show its relation, and do the first few answer?

    Repeatable, and records nothing. Costs the same for ten relations and for thousands.
    """
    missing = _doubtful(reader, served.environment, served, served.number)
    some = [pointer for pointer in served.pointers if pointer not in missing][:_SOME]
    bad = tuple(_bad(reader, (*missing, *some), reader.displaced(served.environment)))
    told = count(len(served.pointers), "public relation is in place", "public relations are in place")
    return GateReport(STAGE, bad or (Finding(STAGE, "readable", Verdict.PASSED, told),))


def _doubtful(served: Served, environment: str, expected: Generation, base: int) -> tuple[Pointer, ...]:
    """Return the pointers to read: all but those of the generation before whose view and relation are there.

    A relation never changes, and what it reads is served with it: that one answered when it was new.
    """
    before = frozenset[Pointer]()
    if base:
        with contextlib.suppress(BadInput):  # it is no longer known: then all are read
            before = frozenset(served.generation(environment, base).pointers)
    public = {item.name.folded for item in served.relations()}
    physical = {pointer.address for pointer in served.kept(environment)}
    return tuple(
        pointer
        for pointer in expected.pointers
        if pointer not in before or pointer.name.folded not in public or pointer.address not in physical
    )


def _bad(reader: Reader, pointers: Iterable[Pointer], taken: Sequence[Displaced]) -> list[Finding]:
    """Return a finding for each name under which something else stands, and for each other pointer that does not answer."""
    names = {item.name for item in taken}
    found = [Finding(STAGE, NAMES, Verdict.FAILED, str(item), fix=TAKE_BACK) for item in taken]
    read = (_unreadable(reader, pointer) for pointer in pointers if pointer.name not in names)
    return found + [finding for finding in read if finding]


def _unreadable(reader: Reader, pointer: Pointer) -> Finding | None:
    try:
        reader.query(f"select * from {reader.at(pointer.name)} limit 1")
    except QueryFailed as error:
        return Finding(STAGE, "readable", Verdict.FAILED, f"{pointer.name}: {error}", (pointer.node,))
    return None
