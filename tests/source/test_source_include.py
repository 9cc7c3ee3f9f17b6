"""Files that git does not track are linked to where the checkout has them, wherever in the repository sluice.yml lies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.release import Change, Release
from prefect_sluice.promotions import load_project
from prefect_sluice.workspace.workspace import Workspace


@pytest.mark.parametrize(("folder", "named"), [(".", "data"), ("team/dbt", "data"), ("team/dbt", "../data")])
def test_an_included_path_is_written_from_where_sluice_yml_lies(
    tmp_path: Path, folder: str, named: str
) -> None:
    workspace = at(tmp_path / folder, named)
    (workspace.root / named).mkdir()
    checkout = load_project.checkout(workspace, release(folder))
    assert (checkout / folder / named).resolve() == (workspace.root / named).resolve()
    assert load_project.checkout(workspace, release(folder)) == checkout, "its own link alters nothing"


def test_an_included_path_out_of_the_repository_is_refused_by_name(tmp_path: Path) -> None:
    workspace = at(tmp_path / "repo/dbt", "../../data")
    with pytest.raises(BadInput, match=r"source.include: '../../data' leads out of the repository") as caught:
        load_project.checkout(workspace, release("dbt"))
    assert caught.value.where == str(workspace.file)


def at(folder: Path, included: str) -> Workspace:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sluice.yml").write_text(f"source: {{include: [{included}]}}\n")
    return Workspace.at(folder)


def release(project: str) -> Release:
    return Release(Change("c", "t", project, "Ada", datetime(2026, 1, 1, tzinfo=UTC), "s"), {}, {})
