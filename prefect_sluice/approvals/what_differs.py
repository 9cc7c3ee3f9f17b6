"""The differences between two attempts at one change, of which the first was approved: what is new, or worse, in the second.
Pure.

A yes is to the change: where it goes, the release, the policy, what becomes of which relation because of its code, and what the
gates found. New data under it changes counts and rows, and these are no part of it, within the bounds that stand here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Promotion
from prefect_sluice.domain.verdict import Finding, GateReport, Likeness, Verdict
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.reasons import HeldBy

GROWTH = 1.5
"""A number that a finding counts may be so many times what it was when somebody said yes."""
SHARE = 0.01
"""A share of rows (0 to 1) may be greater by this, too: a twentieth of a percent is not to be asked about again."""
_SHARES = "diff"
"""The gate whose numbers are shares of rows. What it says of a relation counts also where it lets it through."""


@dataclass(frozen=True, slots=True)
class JudgedAttempt:
    """One attempt as it was judged: the promotion, its plan, and the reports that its evidence is made of."""

    promotion: Promotion
    plan: Plan
    reports: tuple[GateReport, ...]


def differences(then: JudgedAttempt, now: JudgedAttempt, served: Mapping[Name, str]) -> tuple[str, ...]:
    """Return what is new or worse in an attempt beside the one that was approved, a line each; () if nothing is.

    `served` are the fingerprints of the code that serves where `now` goes on from, by folded public name. Where they are not
    attempts at one change, that is the only line.
    """
    other = _other_change(then.promotion, now.promotion)
    if other:
        return (other,)
    caused = {_change(step) for step in then.plan.steps if step.moves}
    return (*_steps(caused, then.plan, now.plan, served), *_findings(then, now))


def _other_change(then: Promotion, now: Promotion) -> str:
    pairs = {
        "the environment": (then.environment, now.environment),
        "the release": (then.release, now.release),
        "the release that serves": (then.base_release, now.base_release),
        "the cause": (then.cause, now.cause),
        "the policy that judges it": (then.policy, now.policy),
    }
    return next((f"{name} is another one" for name, (old, new) in pairs.items() if old != new), "")


def _change(step: Step) -> tuple[object, ...]:
    """Return what a step does, without why and from which data."""
    return (step.action, step.node, step.name, step.kind, step.fingerprint, step.note)


def _steps(
    caused: set[tuple[object, ...]], then: Plan, now: Plan, served: Mapping[Name, str]
) -> Iterator[str]:
    for step in now.steps:
        # What serves, built anew from new data by the same code, is what each refresh does.
        renewed = (
            step.action in {Action.BUILD, Action.CARRY} and served.get(step.name.folded) == step.fingerprint
        )
        if step.moves and not (renewed and not step.loses_history) and _change(step) not in caused:
            yield f"{step.name}: {step.action.value}, which was not in the plan then"
    if (then.edited, then.tests, then.select, then.instead) != (
        now.edited,
        now.tests,
        now.select,
        now.instead,
    ):
        yield "the nodes or tests that change are others"
    if _held_back(then) != _held_back(now):
        yield "the nodes that keep what is live are others"
    if then.adopted != now.adopted:
        yield "what it adopts is another thing"
    if {name.name for name in then.old_names} != {name.name for name in now.old_names}:
        yield "the old names that stay are others"


def _held_back(plan: Plan) -> set[str]:
    """Return the nodes that keep what is live, without those that do for their data alone: a refresh renews these."""
    return {uid for uid, why in plan.held.items() if why.kind is not HeldBy.NO_PART}


def _findings(then: JudgedAttempt, now: JudgedAttempt) -> Iterator[str]:
    before = _by_check(then.reports)
    both = _moving(then.plan) & _moving(now.plan)
    for key, after in _by_check(now.reports).items():
        old = before.get(key)
        if old is None:
            if after.verdict is not Verdict.PASSED:
                yield f"new: {after.summary}"
        elif after.verdict > old.verdict:
            yield f"worse: {after.summary} (when it was approved: {old.summary})"
        elif _counts(after, both) and _grown(old, after):
            yield f"more: {after.summary} (when it was approved: {old.summary})"


def _moving(plan: Plan) -> set[str]:
    return {step.node for step in plan.steps if step.moves}


def _by_check(reports: Iterable[GateReport]) -> Mapping[tuple[object, ...], Finding]:
    """Return the worst finding of each check of each thing it speaks of."""
    worst: dict[tuple[object, ...], Finding] = {}
    for report in reports:
        for finding in report.findings:
            key = (finding.gate, finding.check, finding.subjects, finding.location.partition(":")[0])
            if key not in worst or worst[key].verdict < finding.verdict:
                worst[key] = finding
    return worst


def _counts(finding: Finding, moving: set[str]) -> bool:
    """Say whether the number of a finding is part of what was approved: of what a gate warns of, and of rows that change."""
    if finding.observed is None:
        return False
    changes = finding.gate == _SHARES and finding.likeness is Likeness.UNSAID
    return finding.verdict is not Verdict.PASSED or (changes and not moving.isdisjoint(finding.subjects))


def _grown(old: Finding, new: Finding) -> bool:
    before, after = old.observed or 0.0, new.observed or 0.0
    least = SHARE if new.gate == _SHARES else 0.0
    return after > max(before * GROWTH, before + least)
