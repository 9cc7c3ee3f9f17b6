"""What sluice.yml lets a gate pass for a while."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.config import Exemption
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.gates.exceptions import excepted

TODAY = date(2026, 12, 24)


def finding(*subjects: str, verdict: Verdict = Verdict.FAILED, location: str = "") -> Finding:
    return Finding(
        "data_tests",
        "not_null_orders_id",
        verdict,
        "2 rows break it",
        subjects or ("model.shop.orders",),
        location=location,
    )


def exemption(node: str, check: str = "*", until: date = TODAY) -> Exemption:
    return Exemption(node=node, check=check, reason="ticket 7", until=until)


def judged(item: Finding, *exemptions: Exemption) -> Finding:
    (found,) = excepted(GateReport("data_tests", (item,)), exemptions, TODAY).findings
    return found


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.ERRORED, Verdict.FAILED])
@pytest.mark.parametrize("node", ["orders", "model.shop.orders", "ord*", "models/orders.sql", "*"])
def test_on_its_last_day_an_exception_makes_a_no_a_warning(node: str, verdict: Verdict) -> None:
    found = judged(finding(verdict=verdict, location="models/orders.sql:3"), exemption(node, "not_null_*"))
    assert found.verdict is Verdict.WARNED
    assert found.summary == "2 rows break it (let pass until 2026-12-24: ticket 7)"


def test_the_day_after_it_blocks_again_and_says_so() -> None:
    found = judged(finding(), exemption("orders", until=date(2026, 12, 23)))
    assert found.verdict is Verdict.FAILED
    assert found.summary == "2 rows break it (its exception ended on 2026-12-23: ticket 7)"
    assert found.fix == "mend it, or give the exception in sluice.yml another last day"


def test_a_newer_exception_takes_the_place_of_an_old_one() -> None:
    old = exemption("orders", until=date(2026, 1, 1))
    assert judged(finding(), old, exemption("orders")).verdict is Verdict.WARNED


@pytest.mark.parametrize("item", [exemption("order"), exemption("orders", "unique_*"), exemption("shop")])
def test_it_is_for_what_it_names_only(item: Exemption) -> None:
    assert judged(finding(), item) == finding()


def test_a_finding_about_two_nodes_needs_an_exception_for_both() -> None:
    both = finding("model.shop.orders", "model.shop.lines")
    assert judged(both, exemption("orders")) == both
    assert judged(both, exemption("*")).verdict is Verdict.WARNED


@given(
    st.sampled_from(list(Verdict)),
    st.lists(st.builds(exemption, st.sampled_from(["orders", "x", "*"]), st.just("*"), st.dates())),
)
def test_no_exception_makes_a_yes_of_a_no(verdict: Verdict, items: list[Exemption]) -> None:
    found = judged(finding(verdict=verdict), *items).verdict
    assert found is verdict or found is Verdict.WARNED
    assert verdict is not Verdict.PASSED or found is Verdict.PASSED
