"""The policy of an environment as a value: what sluice.yml makes of it, what changes, and which one judges."""

from __future__ import annotations

import pytest

from prefect_sluice import config
from prefect_sluice.config.policy import Governance, ReleaseRules, changes, policy_in_file
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.generation import Cause

BASE = """
environments:
  dev:
  prod: {approvals: 1, approvers: [Grace]}
gates:
  diff: {max_removed_share: 0.1}
"""


def rules(text: str = BASE, environment: str = "prod") -> ReleaseRules:
    """Return the policy of an environment in a sluice.yml."""
    found = policy_in_file(config.parse(text, "sluice.yml"), environment)
    assert found is not None
    return found


def test_what_it_defaults_to_is_written_down() -> None:
    """So that another environment in somebody's file changes neither the order nor the number."""
    assert (rules().own.after, rules().own.approvals) == ("dev", 1)
    assert (rules(environment="dev").own.after, rules(environment="dev").own.approvals) == (None, 0)
    assert rules("", "production").own.approvals == 1
    assert policy_in_file(config.parse(BASE, "sluice.yml"), "live") is None


def test_a_document_reads_back() -> None:
    assert ReleaseRules.read(rules().document()) == rules()
    governance = Governance(Cause.RELEASE, None, rules())
    assert Governance.read(governance.document()) == governance
    empty: dict[str, Json] = {}
    wrong: list[Json] = [
        empty,
        {"version": 2},
        {"version": 1, "cause": "release", "served": None, "proposed": empty},
        [],
    ]
    for document in wrong:
        with pytest.raises(BadInput):
            Governance.read(document)


WEAKER = {
    "approvals: 0, approvers: [Grace]": ("approvals: 1 → 0 (weaker)",),
    "approvals: 1": ("approvers: Grace → - (weaker)",),
    "approvals: 1, approvers: [Grace, Ada]": ("approvers: Grace → Grace, Ada (weaker)",),
    "approvals: 1, approvers: [Grace], self_approval: allow": ("self_approval: deny → allow (weaker)",),
    "approvals: 1, approvers: [Grace], isolation: required": ("isolation: preferred → required",),
    "approvals: 1, approvers: [Grace], isolation: preferred": (),
    "approvals: 1, approvers: [Grace], isolation: 'off'": ("isolation: preferred → off (weaker)",),
    "approvals: 1, approvers: [Grace], after: any": ("after: dev → any (weaker)",),
    "approvals: 1, approvers: [Grace], direct: deny": ("direct: allow → deny",),
    "approvals: 1, approvers: [Grace], keep: {generations: 2}": ("keep.generations: 10 → 2 (weaker)",),
    "approvals: 1, approvers: [Grace], keep: {age: 30d}": ("keep.age: 604800s → 2592000s",),
    "approvals: 1, approvers: [Grace], approval_expires: 90d": (
        "approval_expires: 259200s → 7776000s (weaker)",
    ),
    "approvals: 1, approvers: [Grace], target: other": (),
}


@pytest.mark.parametrize(("prod", "told"), WEAKER.items())
def test_each_change_is_told_and_weaker_ones_marked(prod: str, told: tuple[str, ...]) -> None:
    after = rules(BASE.replace("approvals: 1, approvers: [Grace]", prod))
    assert tuple(item.text for item in changes(rules(), after)) == told


GATES = {
    "diff: {max_removed_share: 0.5}": ("gates.diff.max_removed_share: 0.1 → 0.5 (weaker)",),
    "diff: {max_removed_share: 0.05}": ("gates.diff.max_removed_share: 0.1 → 0.05",),
    "lint: {}": ("gates.diff.max_removed_share: 0.1 → - (weaker)",),
    "diff: {max_removed_share: 0.1, on: warn}": ("gates.diff.on: - → warn (weaker)",),
    "diff: {max_removed_share: 0.1, except: [{node: a, reason: r, until: 2030-01-01}]}": (
        'gates.diff.except: - → {"node":"a","reason":"r","until":"2030-01-01"} (weaker)',
    ),
}


@pytest.mark.parametrize(("gates", "told"), GATES.items())
def test_so_are_those_of_gates(gates: str, told: tuple[str, ...]) -> None:
    after = rules(BASE.replace("diff: {max_removed_share: 0.1}", gates))
    assert tuple(item.text for item in changes(rules(), after)) == told


def test_who_asks_somebody_judges_its_own_change() -> None:
    none = rules(BASE.replace("approvals: 1", "approvals: 0"))
    assert Governance(Cause.RELEASE, rules(), none).counting == rules()
    assert Governance(Cause.RELEASE, rules(), none).waits
    assert Governance(Cause.RELEASE, none, rules()).counting == rules()
    assert not Governance(Cause.RELEASE, none, rules()).waits
    assert Governance(Cause.RELEASE, None, none).counting == none
    assert not Governance(Cause.RELEASE, rules(), rules()).changes
