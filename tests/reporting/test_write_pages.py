"""The pages of reports that a web server shows: written, renewed, beside a remote bundle store, and never in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from prefect_sluice.cli import main
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.promotions.work import listening
from prefect_sluice.reporting.write_pages import (
    address_of,
    index_renewed,
    path_of,
    renew_after_answer,
    renewed,
)
from prefect_sluice.runtime.after_answer import answering
from prefect_sluice.workspace.workspace import Workspace
from tests.reporting.reported import PROMOTION, RELEASE


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\nversion: '1.0'\n", encoding="utf-8")
    outputs = "prod: {type: duckdb, path: shop.duckdb}"
    (tmp_path / "profiles.yml").write_text(
        f"shop: {{target: prod, outputs: {{{outputs}}}}}\n", encoding="utf-8"
    )
    (tmp_path / "sluice.yml").write_text(f"bundles: memory://{uuid4().hex}\n", encoding="utf-8")
    return Workspace.at(tmp_path)


def kept(workspace: Workspace, promotion: Promotion) -> Promotion:
    with workspace.store.transaction() as transaction:
        transaction.put_release(RELEASE)
        transaction.put_promotion(replace(promotion, plan=""))
    return promotion


def page(workspace: Workspace, promotion: Promotion) -> str:
    return path_of(workspace, promotion.id).read_text(encoding="utf-8")


def test_a_page_is_there_as_soon_as_there_is_something_to_read(workspace: Workspace) -> None:
    begun = kept(workspace, replace(PROMOTION, state=State.STARTED, evidence=""))
    renewed(workspace, begun)
    assert not path_of(workspace, begun.id).exists()
    renewed(workspace, kept(workspace, PROMOTION))
    assert ">WAITING<" in page(workspace, PROMOTION)


def test_a_page_is_written_anew_when_its_promotion_moved_on(workspace: Workspace) -> None:
    old = kept(workspace, replace(PROMOTION, id="0" * 10))
    renewed(workspace, old)
    other = kept(workspace, replace(PROMOTION, id="1" * 10))
    kept(workspace, replace(old, state=State.SUPERSEDED, updated_at=old.updated_at + timedelta(days=9_999)))
    renewed(workspace, other)
    assert ">SUPERSEDED<" in page(workspace, old)


def test_what_nobody_moved_is_left_alone(workspace: Workspace) -> None:
    old = kept(workspace, replace(PROMOTION, id="0" * 10))
    renewed(workspace, old)
    as_it_was = "as it was" + page(workspace, old)[-90:]  # with the mark of the state that it was written of
    path_of(workspace, old.id).write_text(as_it_was, encoding="utf-8")
    renewed(workspace, kept(workspace, replace(PROMOTION, id="1" * 10)))
    renewed(workspace, old)
    assert page(workspace, old) == as_it_was
    kept(workspace, replace(old, state=State.SUPERSEDED))
    renewed(workspace, kept(workspace, replace(PROMOTION, id="1" * 10)))
    assert ">SUPERSEDED<" in page(workspace, old)


def test_what_a_process_that_died_did_not_write_the_next_one_does(workspace: Workspace) -> None:
    died = kept(workspace, replace(PROMOTION, id="0" * 10))
    renewed(workspace, kept(workspace, replace(PROMOTION, id="1" * 10)))
    assert ">WAITING<" in page(workspace, died)


def test_pages_are_written_once_the_answer_is_out_and_each_once(workspace: Workspace) -> None:
    promotion = kept(workspace, PROMOTION)
    with answering():
        renew_after_answer(workspace, promotion)
        renew_after_answer(workspace, promotion)
        assert not path_of(workspace, promotion.id).exists()
    assert path_of(workspace, promotion.id).exists()


def test_what_is_placed_or_lifted_stands_on_the_pages_of_every_environment(workspace: Workspace) -> None:
    waiting = kept(workspace, PROMOTION)
    renewed(workspace, waiting)
    folder, reason = ("-C", str(workspace.root)), "wrong prices"
    said = ("--reason", reason, *folder, "--as", "Ada")
    assert main(["block", RELEASE.id, *said]) == 0
    assert reason in page(workspace, waiting)
    assert main(["unblock", RELEASE.id, "--reason", "right", *folder, "--as", "Ada"]) == 0
    assert "Blocked" not in page(workspace, waiting)
    assert main(["freeze", "--all", *said]) == 0
    assert reason in path_of(workspace, "index").read_text(encoding="utf-8")
    assert main(["unfreeze", "--all", "--reason", "over", *folder, "--as", "Ada"]) == 0
    assert reason not in path_of(workspace, "index").read_text(encoding="utf-8")


def test_the_page_of_what_serves_is_written_when_it_says_something_else(workspace: Workspace) -> None:
    index_renewed(workspace)
    written = path_of(workspace, "index").stat().st_ino
    index_renewed(workspace)
    assert path_of(workspace, "index").stat().st_ino == written
    kept(workspace, PROMOTION)
    index_renewed(workspace)
    assert path_of(workspace, "index").stat().st_ino != written


def test_any_machine_finds_it_beside_a_remote_bundle_store(workspace: Workspace) -> None:
    renewed(workspace, kept(workspace, PROMOTION))
    fsspec: Any = import_module("fsspec")  # it has no types
    file = fsspec.open(f"{workspace.settings.bundles}/reports/{PROMOTION.id}.html")
    with file as opened:
        assert opened.read().decode() == page(workspace, PROMOTION)


def test_its_address_is_where_the_web_server_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed(workspace, kept(workspace, PROMOTION))
    assert address_of(workspace, PROMOTION.id) == ""
    monkeypatch.setenv("SLUICE_REPORTS_URL", "https://data.example.com/reports/")
    assert address_of(workspace, PROMOTION.id) == f"https://data.example.com/reports/{PROMOTION.id}.html"
    assert address_of(workspace, "never-there") == ""


def test_a_page_that_cannot_be_written_is_told_and_stops_nothing(workspace: Workspace) -> None:
    (workspace.folder / "reports").write_text("a file in its place", encoding="utf-8")
    told: list[str] = []
    with listening(told.append):
        renewed(workspace, kept(workspace, PROMOTION))
    assert [line.partition(":")[0] for line in told] == [
        f"the page of promotion {PROMOTION.id} could not be written"
    ]


def test_another_user_s_web_server_may_read_it(workspace: Workspace) -> None:
    renewed(workspace, kept(workspace, PROMOTION))
    assert path_of(workspace, PROMOTION.id).stat().st_mode & 0o777 == 0o644
