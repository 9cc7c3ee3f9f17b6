"""Requests: one for each way in."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from prefect_sluice.domain.generation import Cause
from prefect_sluice.promotions.request import (
    PromoteRequest,
    RefreshRequest,
    ReleaseRequest,
    Request,
    RollbackRequest,
    expected,
    request_for,
)

HERE = Path("shop")


def test_each_cause_that_somebody_can_ask_for_has_one_request() -> None:
    causes = set(Cause) - {Cause.ADOPTION}
    made = {cause: request_for(cause, HERE, "prod", actor="Ada") for cause in causes}
    assert {type(request) for request in made.values()} == set(get_args(Request))
    for cause, request in made.items():
        assert request.cause is cause
        assert (request.folder, request.environment, request.actor) == (HERE, "prod", "Ada")
    with pytest.raises(ValueError, match="a first release does it"):
        request_for(Cause.ADOPTION, HERE, "prod")


@pytest.mark.parametrize(
    ("request_made", "what"),
    [
        (ReleaseRequest(HERE, "prod"), "HEAD"),
        (RefreshRequest(HERE, "prod", "tag:slow"), "tag:slow"),
        (PromoteRequest(HERE, "prod", "a1b", report="Sales"), "a1b Sales"),
        (PromoteRequest(HERE, "prod", select="orders"), "orders"),
        (RollbackRequest(HERE, "prod", "3"), "3"),
    ],
)
def test_a_request_says_what_was_named(request_made: Request, what: str) -> None:
    assert request_made.what == what


def test_only_a_refresh_belongs_to_a_rollback() -> None:
    """Its own hold does not stop it; it stops everything else."""
    assert RefreshRequest(HERE, "prod", past="p1").rolled_back == "p1"
    others = {ReleaseRequest(HERE, "prod"), PromoteRequest(HERE, "prod"), RollbackRequest(HERE, "prod")}
    assert {each.rolled_back for each in others} == {""}


def test_a_stage_is_not_for_another_request() -> None:
    assert expected(RollbackRequest(HERE, "prod", "3"), RollbackRequest).to == "3"
    with pytest.raises(TypeError, match="for a RollbackRequest, not for a RefreshRequest"):
        expected(RefreshRequest(HERE, "prod"), RollbackRequest)
