"""Several promotions wait side by side: what is asked for ends none of them, what is published does, and says so."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from prefect_sluice.domain.promotion import State
from prefect_sluice.orchestration.shown.approval_text import asked_text, request_text
from prefect_sluice.promotions.request import ReleaseRequest
from prefect_sluice.promotions.work import Status, Work, listening
from prefect_sluice.reporting.gather_status import standing
from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.reporting.plan_preview import planned
from prefect_sluice.reporting.status_page import standing_markdown, standing_page
from prefect_sluice.runtime import process
from prefect_sluice.workspace.workspace import Workspace
from tests.approvals.conftest import DEARER, WaitingShop
from tests.outcomes import status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("kept-yes")]

CLICKS = {"models/clicks.sql": "select id, 'web' as origin from {{ source('raw', 'clicks') }}\n"}


def test_two_releases_wait_and_the_first_that_is_published_ends_the_other(shop: WaitingShop) -> None:
    shop.branch("dearer")
    shop.commit(DEARER, "dearer")
    dearer = shop.release()
    shop.branch("clicks")
    shop.commit(CLICKS, "clicks by origin")
    lines: list[str] = []
    with listening(lines.append):
        clicks = shop.release()
    assert [status(work) for work in (dearer, clicks)] == [Status.WAITING, Status.WAITING]
    assert shop.promotion(dearer).state is State.STAGED, "what is asked for ends nothing"
    assert dearer.promotion is not None
    own = f"promotion {dearer.promotion.id} (release {dearer.promotion.release[:7]} “dearer”, by Ada)"
    assert f"publishing this one ends {own}" in lines

    shop.yes(dearer)
    preview = planned(ReleaseRequest(shop.folder, "prod", ref="clicks"))
    assert [str(waiting) for waiting in preview.ends] == [f"{own}, with the yes of Grace (unauthenticated)"]
    _every_place_says_what_ends(shop, clicks, f"{own}, with the yes of Grace (unauthenticated)")
    shop.yes(clicks)
    lines.clear()
    with listening(lines.append):
        assert status(shop.release()) is Status.DONE
    assert f"generation 2 ends {own}, with the yes of Grace (unauthenticated)" in lines
    assert shop.promotion(dearer).state is State.SUPERSEDED
    assert "prod moved on from generation 1 to 2 (a release)" in shop.promotion(dearer).message

    again = shop.release("dearer")
    assert status(again) is Status.REFUSED, "it would take “clicks by origin” back, and no yes was to that"


def _every_place_says_what_ends(shop: WaitingShop, clicks: Work, sentence: str) -> None:
    """What publishing `clicks` would end is said where people look before they say yes to it."""
    workspace, identifier = Workspace.at(shop.folder), shop.promotion(clicks).id
    [card] = [card for card in standing(workspace) if card.environment == "prod"]
    assert {waiting.promotion: waiting.ends for waiting in card.waits}[identifier] == (sentence,)
    assert f"its publish ends {escaped(sentence)}" in standing_markdown([card])
    assert f"its publish ends {sentence}" in unescape(standing_page([card], process.now()))

    assert f"its publish ends {sentence}" in " ".join(sluice(shop, "status").split())
    [prod] = json.loads(sluice(shop, "status", "--json"))["environments"]
    [ended] = {attempt["id"]: attempt["ends"] for attempt in prod["open"]}[identifier]
    assert ended["yes"] == "Grace (unauthenticated)"

    assert f"Ends when it is published: {sentence}." in asked_text(clicks)
    assert f"**Ends when this is published:**\n\n* {escaped(sentence)}" in request_text(clicks)


def sluice(shop: WaitingShop, *arguments: str) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "prefect_sluice.cli", *arguments, "-C", str(shop.folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_rollback_that_is_refused_ends_nothing_and_one_that_serves_does(shop: WaitingShop) -> None:
    shop.commit({"models/totals.sql": "select 1 as n\n"})
    shop.yes(shop.release())
    assert status(shop.release()) is Status.DONE
    shop.commit(DEARER, "dearer")
    waiting = shop.release()
    shop.yes(waiting)
    shop.back()
    assert shop.promotion(waiting).state is State.SUPERSEDED
    assert "(a rollback)" in shop.promotion(waiting).message


def test_the_same_release_planned_again_takes_the_place_of_its_own_attempt_alone(shop: WaitingShop) -> None:
    shop.branch("dearer")
    shop.commit(DEARER, "dearer")
    dearer = shop.release()
    shop.branch("clicks")
    shop.commit(CLICKS, "clicks by origin")
    clicks = shop.release()
    shop.load("insert into raw.orders values (100, 1000)")
    again = shop.release("dearer")
    assert again.promotion is not None
    assert dearer.promotion is not None
    assert again.promotion.id != dearer.promotion.id
    assert shop.promotion(dearer).message == f"planned again as promotion {again.promotion.id}"
    assert shop.promotion(clicks).state is State.STAGED


def test_of_two_intents_that_died_one_was_carried_out(shop: WaitingShop) -> None:
    """A process died after it had published, another one before: what is recorded of the first ends the second."""
    with Workspace.at(shop.folder).store.transaction() as transaction:
        (served,) = transaction.promotions(environment="prod")
        carried_out = replace(served, state=State.DEPLOYING, generation=None)
        other = replace(carried_out, id="f" * 10, created_at=served.created_at - timedelta(hours=1))
        for intent in (other, carried_out):
            transaction.put_promotion(intent)
            facts = {"promotion": intent.id, "release": intent.release, "plan": intent.plan}
            transaction.append(
                "promotion.deploying", environment="prod", actor="Ada", facts=facts, at=process.now()
            )
    assert status(shop.release()) is Status.DONE, "its process died before Monitor, which looks at it now"
    assert [shop.promotion(intent).state for intent in (other, carried_out)] == [
        State.SUPERSEDED,
        State.STABLE,
    ]
