"""Which yes counts: for this exact promotion, in time, once; and one no is enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_sluice.approvals.approval_policy import (
    ApprovalPolicy,
    aliases,
    co_authors,
    known_as,
    objection,
    overdue,
    rule,
    void,
)
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROMOTION = Promotion(
    id="p1", environment="prod", release="r2", cause=Cause.RELEASE, base=1, base_release="r1", state=State.STAGED,
    actor="ada", created_at=NOW, updated_at=NOW, plan="plan", evidence="evidence",
)  # fmt: skip


def approval(name: str = "yes", decision: Decision = Decision.APPROVE, minutes: int = 0) -> Approval:
    at = NOW - timedelta(minutes=60 - minutes)
    return Approval(name, "p1", PROMOTION.binding, decision, "grace", "", at, at + timedelta(hours=72))


def test_nothing_said_is_no_ruling() -> None:
    assert rule(PROMOTION, (), NOW).by is None


def test_a_yes_that_counts_decides() -> None:
    assert rule(PROMOTION, [approval()], NOW).by == approval()


def test_of_several_the_first_decides() -> None:
    early, late = approval("early", minutes=1), approval("late", minutes=2)
    assert rule(PROMOTION, [late, early], NOW).by == early


def test_a_no_outweighs_every_yes() -> None:
    no = approval("no", Decision.REJECT, minutes=30)
    assert rule(PROMOTION, [approval("early"), no, approval("late", minutes=40)], NOW).by == no


VOID = [
    (replace(approval(), binding="other"), "it is for another plan or other evidence"),
    (replace(approval(), expires_at=NOW), "it expired at 2026-03-01 12:00 UTC"),
    (replace(approval(), expires_at=NOW - timedelta(days=1)), "it expired at 2026-02-28 12:00 UTC"),
    (replace(approval(), used_at=NOW), "it was used"),
]


@pytest.mark.parametrize(("given", "why"), VOID, ids=[why for _, why in VOID])
def test_what_does_not_count_and_why(given: Approval, why: str) -> None:
    assert void(PROMOTION, given, NOW) == why
    ruling = rule(PROMOTION, [given], NOW)
    assert ruling.by is None
    assert ruling.ignored == (f"approve by grace (unauthenticated) does not count: {why}",)


def test_a_no_that_expired_stops_nobody() -> None:
    no = replace(approval("no", Decision.REJECT), expires_at=NOW)
    ruling = rule(PROMOTION, [no, approval()], NOW)
    assert ruling.by == approval()
    assert ruling.ignored[0].startswith("reject by grace (unauthenticated) does not count: it expired")


def test_a_yes_is_good_until_the_moment_it_expires() -> None:
    assert void(PROMOTION, replace(approval(), expires_at=NOW + timedelta(microseconds=1)), NOW) == ""


@pytest.mark.parametrize(
    "moved",
    [
        {"environment": "staging"},
        {"base": 2},
        {"base_release": "r0"},
        {"release": "r3"},
        {"plan": "other"},
        {"evidence": "other"},
    ],
)
def test_any_change_of_what_was_approved_voids_the_yes(moved: dict[str, object]) -> None:
    changed = replace(PROMOTION, **moved)  # pyright: ignore[reportArgumentType]  # the cases give the fields
    assert rule(changed, [approval()], NOW).by is None


@pytest.mark.parametrize(
    "same", [{"state": State.APPROVED}, {"actor": "bob"}, {"message": "x"}, {"updated_at": NOW}]
)
def test_what_is_not_approved_does_not_void_it(same: dict[str, object]) -> None:
    changed = replace(PROMOTION, **same)  # pyright: ignore[reportArgumentType]  # the cases give the fields
    assert rule(changed, [approval()], NOW).by == approval()


@st.composite
def approvals(draw: st.DrawFn) -> Approval:
    """An approval at some minute, which may be void in any way."""
    return replace(
        approval(f"a{draw(st.integers(0, 9))}", draw(st.sampled_from(Decision)), draw(st.integers(0, 59))),
        used_at=draw(st.sampled_from([None, NOW])),
        binding=draw(st.sampled_from([PROMOTION.binding, "other"])),
        expires_at=NOW + timedelta(minutes=draw(st.integers(-9, 9))),
    )


@given(st.lists(approvals()))
def test_the_order_in_which_they_are_read_does_not_count(given: list[Approval]) -> None:
    ruling = rule(PROMOTION, given, NOW)
    counting = [item for item in given if not void(PROMOTION, item, NOW)]
    assert len(ruling.ignored) == len(given) - len(counting)
    assert (ruling.by is None) == (not counting)
    if any(item.decision is Decision.REJECT for item in counting):
        assert ruling.by is not None
        assert ruling.by.decision is Decision.REJECT
    again = rule(PROMOTION, reversed(given), NOW)
    assert (again.by and (again.by.at, again.by.decision)) == (
        ruling.by and (ruling.by.at, ruling.by.decision)
    )


# ---- whose word is taken -------------------------------------------------------------------------------

GRACE, ADA = "Grace Hopper <grace@example.com>", "Ada <ada@example.com>"
WHOSE = [
    (ApprovalPolicy("prod"), "Grace", ""),
    (ApprovalPolicy("prod"), "  ", "needs a name"),
    (ApprovalPolicy("prod"), "\u200b", "needs a name"),
    (ApprovalPolicy("prod", authors=(ADA,)), "Grace", ""),
    (ApprovalPolicy("prod", authors=(ADA,)), " ADA ", "an author"),
    (ApprovalPolicy("prod", authors=(ADA,)), "Ada\u200b", "an author"),
    (ApprovalPolicy("prod", authors=(ADA,)), "ada@example.com", "an author"),
    (ApprovalPolicy("prod", authors=(ADA,)), "A. L. <Ada@Example.com>", "an author"),
    (ApprovalPolicy("prod", (GRACE,)), "grace hopper", ""),
    (ApprovalPolicy("prod", (GRACE,)), "grace@example.com", ""),
    (ApprovalPolicy("prod", (GRACE,)), "Grace", "not one of the approvers of prod"),
    # Where nobody can tell who all the authors are, only who is listed, and none of those that are known.
    (
        ApprovalPolicy("prod", untold="commit 1 is not here"),
        "Grace",
        "the authors of the change cannot be told",
    ),
    (ApprovalPolicy("prod", (GRACE,), (ADA,), "commit 1 is not here"), "Grace Hopper", ""),
    (ApprovalPolicy("prod", (GRACE, ADA), (ADA,), "commit 1 is not here"), "Ada", "an author"),
    # Known by both, whichever was typed and whichever git has.
    (ApprovalPolicy("prod", (GRACE,), ("G <grace@example.com>",)), "Grace Hopper", "an author"),
]


@pytest.mark.parametrize(("policy", "by", "why"), WHOSE)
def test_whose_yes_is_taken(policy: ApprovalPolicy, by: str, why: str) -> None:
    found = objection(policy, Decision.APPROVE, by)
    assert why in found.why if found and why else found is None


@pytest.mark.parametrize("policy", [ApprovalPolicy("prod", (GRACE,), (ADA,)), ApprovalPolicy("prod")])
def test_a_no_needs_a_name_only(policy: ApprovalPolicy) -> None:
    assert objection(policy, Decision.REJECT, "Ada") is None
    assert objection(policy, Decision.REJECT, " ") is not None


def test_whom_the_policy_does_not_take_any_more_has_said_nothing() -> None:
    ruling = rule(PROMOTION, [approval()], NOW, lambda item: f"{item.by} left")
    assert ruling.by is None
    assert ruling.ignored == ("approve by grace (unauthenticated) does not count: grace left",)


def test_co_authors_are_authors() -> None:
    message = "Add rows\n\nCo-authored-by: Lin <lin@example.com>\nco-authored-by:  Bo \nNo-authored-by: Eve\n"
    assert co_authors(message) == ("Lin <lin@example.com>", "Bo")


def test_what_is_staged_is_overdue_in_the_end() -> None:
    assert overdue(PROMOTION, NOW, timedelta(days=7), NOW + timedelta(days=7))
    assert not overdue(PROMOTION, NOW, timedelta(days=7), NOW + timedelta(days=7, seconds=-1))
    assert not overdue(replace(PROMOTION, state=State.APPROVED), NOW, timedelta(0), NOW)


MAILMAP = """
# who is who
Grace Hopper <grace@example.com> <gh@old.example.com>
Grace Hopper <grace@example.com> G. <root@localhost>
Ada <ada@example.com> A. <root@localhost>
Kim <kim@example.com>
<ada@example.com> <ada@home.example.com>
no mail map
"""
ALIASES = [
    ("gh <gh@old.example.com>", {"grace hopper", "grace@example.com"}),
    ("Grace Hopper <grace@example.com>", {"gh@old.example.com"}),
    ("G. <root@localhost>", {"grace hopper", "grace@example.com", "gh@old.example.com"}),
    # Several people write under it: without its name nobody knows who.
    ("root <root@localhost>", set[str]()),
    ("k <kim@example.com>", {"kim"}),
    ("x <ada@home.example.com>", {"ada@example.com", "ada"}),
]


@pytest.mark.parametrize(("person", "also"), ALIASES)
def test_a_mailmap_says_what_else_somebody_goes_by(person: str, also: set[str]) -> None:
    known = {part for item in aliases(person, MAILMAP) for part in known_as(item)}
    assert known - known_as(person) == also
    assert aliases(person, "") == ()


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.text("<>#@ab é\n\t\0\x1b", max_size=12), st.text("<>#@ab é\n\t\0\x1b", max_size=80))
def test_any_mailmap_names_people_or_nobody_and_never_takes_one_away(person: str, mailmap: str) -> None:
    found = aliases(person, mailmap)
    assert all(isinstance(name, str) for name in found)
    more = {part for item in aliases(person, f"{mailmap}\nx <x@y>") for part in known_as(item)}
    assert {part for item in found for part in known_as(item)} <= more
