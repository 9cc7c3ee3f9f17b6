"""Connections kept as blocks on the Prefect server, and lent to a run."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from pathlib import Path

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.types import SecretDict
from pydantic import SecretStr

from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.flows.release import release
from prefect_sluice.orchestration.blocks import (
    BLOCKS,
    SluiceBundleStore,
    SluiceStateStore,
    SluiceWarehouse,
    register,
)
from prefect_sluice.orchestration.connections import connected
from prefect_sluice.runtime import process
from tests.repository import repository

FILES = {
    ".gitignore": "*.duckdb*\n",
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: \"{{ env_var('SLUICE_WAREHOUSE') }}\"}}}\n",
    "sluice.yml": "environments: {dev: {approvals: 0}}\n",
    "models/orders.sql": "{{ config(materialized='table') }}\nselect 1 as id\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository whose profile says nothing about where the warehouse is."""
    return repository(tmp_path / "shop", FILES)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.xdist_group("prefect")
def test_a_run_gets_its_connections_from_the_blocks_of_one_name(
    prefect_server: str, project: Path, tmp_path: Path
) -> None:
    register()
    register()  # again is no change
    SluiceWarehouse(
        path=str(tmp_path / "elsewhere.duckdb"),
        variables={"SHOP_REGION": "eu"},
        secrets=SecretDict({"DBT_ENV_SECRET_SHOP": "canary-in-block"}),
    ).save("team")
    SluiceStateStore(url=SecretStr(str(tmp_path / "team.db"))).save("team")
    SluiceBundleStore(url=(tmp_path / "bundles").as_uri()).save("team")

    state = release(folder=str(project), connections="team", return_state=True)

    assert state.name == "Released", state.message
    assert (tmp_path / "elsewhere.duckdb").is_file()
    assert any((tmp_path / "bundles").iterdir())
    with sqlite3.connect(tmp_path / "team.db") as store:
        assert store.execute("select count(*) from sluice_promotion").fetchall() == [(1,)]
    store.close()
    assert not (project / ".sluice" / "state.db").exists()
    assert not {"SLUICE_STATE", "SLUICE_BUNDLES", "SLUICE_WAREHOUSE", "SHOP_REGION"} & set(os.environ)

    wrong = release(folder=str(project), connections="tema", return_state=True)
    # The server is shared by all tests here, and so are its blocks.
    assert re.search(r"there are no connections 'tema' \(there are: .*\bteam\b.*\)", str(wrong.message))

    loaded = Block.load("sluice-warehouse/team")  # by the entry point, and as it was saved
    assert isinstance(loaded, SluiceWarehouse)
    with get_client(sync_client=True) as client:
        shown = client.read_block_document_by_name("team", "sluice-warehouse", include_secrets=False)
    assert "canary-in-block" not in str(shown.data)


def test_variables_are_lent_for_a_while_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LENT", "mine")
    monkeypatch.delenv("SLUICE_NEW", raising=False)
    with process.temporary_variables("team", {"SLUICE_LENT": "theirs", "SLUICE_NEW": "new"}, {"hush-hush"}):
        assert (os.environ["SLUICE_LENT"], os.environ["SLUICE_NEW"]) == ("theirs", "new")
        assert process.temporary_secrets() == {"hush-hush"}
    assert os.environ["SLUICE_LENT"] == "mine"
    assert "SLUICE_NEW" not in os.environ
    assert process.temporary_secrets() == frozenset()


def test_two_runs_of_one_process_share_connections_or_do_not_run_together() -> None:
    refused: list[Exception] = []

    def another(name: str) -> None:
        try:
            with process.temporary_variables(name, {}):
                pass
        except Refused as error:
            refused.append(error)

    with process.temporary_variables("team", {"SLUICE_LENT": "theirs"}):
        for name in ("team", "", "other"):
            thread = threading.Thread(target=another, args=(name,))
            thread.start()
            thread.join()
        assert os.environ["SLUICE_LENT"] == "theirs"  # the end of the one that shared it took nothing away
    assert [str(error).partition(", this")[2].partition(";")[0] for error in refused] == [
        " one names ''",
        " one names 'other'",
    ]
    assert "SLUICE_LENT" not in os.environ


def test_no_connections_is_what_the_process_has() -> None:
    with connected(""):  # and no server is asked
        pass


@pytest.mark.parametrize("name", ["1ST", "A B", "A=B", ""])
def test_a_name_that_no_variable_can_have_is_refused_without_its_value(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits and _ only") as caught:
        SluiceWarehouse(secrets=SecretDict({name: "hush-hush"})).environment()
    assert "hush-hush" not in str(caught.value)
    with pytest.raises(ValueError, match="letters, digits and _ only"):
        SluiceWarehouse(variables={name: "x"})


def test_what_the_blocks_give_a_run() -> None:
    store = SluiceBundleStore(
        url="s3://shop/bundles", options=SecretDict({"secret": "hush-hush", "anon": False})
    )
    assert store.environment() == {
        "SLUICE_BUNDLES": "s3://shop/bundles",
        "SLUICE_BUNDLES_OPTIONS": '{"secret": "hush-hush", "anon": false}',
    }
    assert store.confidential() == {"secret": "hush-hush"}
    assert SluiceStateStore(url=SecretStr("postgresql://u:p@h/d")).environment() == {
        "SLUICE_STATE": "postgresql://u:p@h/d"
    }


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_form_explains_every_field(kind: type[Block]) -> None:
    fields = kind.model_json_schema()["properties"]
    assert [
        name for name, field in fields.items() if not field.get("description") or not field.get("title")
    ] == []
    assert kind.get_description()


def test_an_unknown_option_is_said_without_its_value(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect_sluice.workspace.workspace import Workspace

    monkeypatch.setenv("SLUICE_BUNDLES_OPTIONS", "hush-hush")
    with pytest.raises(BadInput, match="SLUICE_BUNDLES_OPTIONS: is not JSON") as caught:
        _ = Workspace.at(project).bundles
    assert "hush-hush" not in str(caught.value)
