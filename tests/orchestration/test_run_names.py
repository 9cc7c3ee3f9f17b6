"""What runs are called, worked out without a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import (
    BadInput,
    BundleDamaged,
    LeaseHeld,
    Refused,
    SluiceError,
    Stopped,
    WarehouseBusy,
)
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.domain.release import Change, Composed, Release
from prefect_sluice.orchestration.final_states import name_of as state_name
from prefect_sluice.orchestration.run_names import begun, called, name_of
from prefect_sluice.planning.choices import report_called
from prefect_sluice.promotions.request import (
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    Request,
    RollbackRequest,
)
from prefect_sluice.promotions.work import Work
from tests.reporting.reported import NOWHERE

AT = datetime(2026, 11, 23, tzinfo=UTC)
COMMIT = "a1b2c3d" + "0" * 33
CHANGE = Change(COMMIT, "tree", "Ada", "ada@example.com", AT, "subject", ())
LEASE = Lease("prod", 1, "me", AT, AT + timedelta(minutes=1))
GENERATION = Generation("prod", 5, "r", "p", 1, Cause.ROLLBACK, 3, AT, ())


@pytest.mark.parametrize(
    ("request_made", "known", "name"),
    [
        (ReleaseRequest(Path(), "prod"), False, "release HEAD → prod"),
        (ReleaseRequest(Path(), "prod", COMMIT), False, "release a1b2c3d → prod"),
        (ReleaseRequest(Path(), "prod"), True, "release a1b2c3d → prod"),
        (RefreshRequest(Path(), "prod"), False, "refresh prod"),
        (RefreshRequest(Path(), "prod", "orders"), True, "refresh a1b2c3d → prod"),
        (PromoteRequest(Path(), "prod", "a1b"), True, "promote a1b2c3d → prod"),
        (RollbackRequest(Path(), "prod"), False, "rollback prod"),
    ],
)
def test_a_run_is_called_by_what_goes_where(request_made: Request, known: bool, name: str) -> None:
    work = Work(request_made, LEASE, workspace=NOWHERE)
    assert name_of(replace(work, change=CHANGE) if known else work) == name


def test_a_part_is_called_by_what_it_is() -> None:
    """No commit's name: of none it is the whole."""
    part = replace(CHANGE, subject="Sales dashboard")
    release = Release(part, {}, {}, Composed("prod", "of", "onto", "+exposure:sales"))
    work = Work(PromoteRequest(Path(), "prod", "r"), LEASE, change=part, release=release, workspace=NOWHERE)
    assert name_of(work) == "promote Sales dashboard → prod"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("Sales (dashboard), Sales team [sales_board]", "Sales dashboard"),
        ("Sales board (notebook) [sales]", "Sales board notebook"),
        ("Revenue dashboard (dashboard)", "Revenue dashboard"),
        ("sales_board", "sales_board"),
    ],
)
def test_a_dashboard_is_called_as_in_the_list(line: str, name: str) -> None:
    assert report_called(line) == name


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("release a1b2c3d → prod", "release a1b2c3d → prod"),
        ("Tasty-Flea", "release main → prod"),
        ("release", "release main → prod"),
    ],
)
def test_a_run_that_goes_on_keeps_its_name(before: str, name: str) -> None:
    assert begun("release", before, "main", "prod") == name


def test_a_rollback_is_called_by_the_generation_it_goes_back_to() -> None:
    work = Work(RollbackRequest(Path(), "prod"), LEASE, generation=GENERATION, workspace=NOWHERE)
    assert name_of(work) == "rollback to generation 3 → prod"


def test_a_working_tree_has_no_commit() -> None:
    work = Work(
        ReleaseRequest(Path(), "dev"), LEASE, change=replace(CHANGE, commit="dirty"), workspace=NOWHERE
    )
    assert name_of(work) == "release working tree → dev"


def test_without_an_environment_the_name_ends_before_it() -> None:
    assert [called("collect", "", ""), called("release", "main", "")] == ["collect", "release main"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Stopped("held", "lift it"), "Stopped"),
        (Refused("no"), "Refused"),
        (LeaseHeld("prod", "Ada", "now"), "Busy"),
        (WarehouseBusy("w.duckdb"), "Busy"),
        (BadInput("wrong"), "BadInput"),
        (BundleDamaged("d", "p"), "Failed"),
    ],
)
def test_the_state_of_a_run_that_could_not_go_on_is_one_word(error: SluiceError, name: str) -> None:
    assert state_name(error) == name
