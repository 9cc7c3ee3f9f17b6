"""The packages of a release: a local one is the release's own, an installed one is taken by content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import Refused
from prefect_sluice.source import dbt_packages
from prefect_sluice.source.git import TreeFile
from tests.repository import repository

FILES = {
    ".gitignore": "dbt_packages/\nown/vendored/\n",
    "packages.yml": "packages: [{package: a/hub, version: 1.0.0}, {local: lib}, {local: '{{ x }}'}]\n",
    "lib/dbt_project.yml": "name: lib_name\n",
    "lib/packages.yml": "packages: [{local: deep/er}]\n",
    "lib/macros/m.sql": "1",
    "deep/er/dbt_project.yml": "name: deeper\n",
}


def packed(folder: Path, files: Mapping[str, str] = FILES) -> dict[str, TreeFile]:
    return {file.path: file for file in dbt_packages.packed(folder, ".", files, files.get)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one package installed from the hub."""
    (tmp_path / "shop").mkdir()
    made = repository(tmp_path / "shop", FILES)
    for name, text in {
        "hub/dbt_project.yml": "name: hub\n", "hub/macros/h.sql": "2", "hub/target/manifest.json": "{}",
        "hub/.git/config": "x", "not_a_package/x.sql": "3", "package.tar.gz": "4",
    }.items():  # fmt: skip
        path = made / "dbt_packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return made


def test_a_local_package_is_a_link_inside_the_release_and_an_installed_one_its_bytes(folder: Path) -> None:
    (folder / "dbt_packages" / "lib_name").symlink_to(folder / "lib")
    found = packed(folder)
    assert found.keys() == {
        "dbt_packages/lib_name", "dbt_packages/deeper", "dbt_packages/hub/dbt_project.yml", "dbt_packages/hub/macros/h.sql",
    }  # fmt: skip
    assert found["dbt_packages/lib_name"] == TreeFile("dbt_packages/lib_name", "link", b"../lib")
    assert found["dbt_packages/deeper"].content == b"../deep/er"
    assert found["dbt_packages/hub/macros/h.sql"].content == b"2"


def test_a_link_that_dbt_made_leads_into_the_release_or_its_bytes_are_taken(
    folder: Path, tmp_path: Path
) -> None:
    for place in (folder / "own/vendored", folder / "new", tmp_path / "outside"):
        place.mkdir(parents=True)
        (place / "dbt_project.yml").write_text(f"name: {place.name}\n")
    (folder / "dbt_packages" / "tracked").symlink_to(folder / "lib")
    (folder / "dbt_packages" / "ignored").symlink_to(folder / "own/vendored")
    (folder / "dbt_packages" / "uncommitted").symlink_to(folder / "new")
    (folder / "dbt_packages" / "elsewhere").symlink_to(tmp_path / "outside")
    files = {path: text for path, text in FILES.items() if path != "packages.yml"}
    found = packed(folder, files)
    assert found["dbt_packages/tracked"].content == b"../lib"
    assert found["dbt_packages/ignored/dbt_project.yml"].content == b"name: vendored\n"
    assert found["dbt_packages/elsewhere/dbt_project.yml"].content == b"name: outside\n"
    assert not any("uncommitted" in path for path in found), "of another commit than this one"


def test_links_in_a_package_stay_in_it(folder: Path) -> None:
    hub = folder / "dbt_packages" / "hub"
    (hub / "docs").symlink_to("macros")
    assert packed(folder)["dbt_packages/hub/docs"] == TreeFile("dbt_packages/hub/docs", "link", b"macros")
    (hub / "away").symlink_to(folder / "lib")
    with pytest.raises(Refused, match="dbt_packages/hub/away leads out of its package"):
        packed(folder)


def test_packages_that_git_tracks_are_the_commits(folder: Path) -> None:
    assert packed(folder, {**FILES, "dbt_packages/hub/dbt_project.yml": "name: hub\n"}) == {}


def test_a_project_may_lie_in_a_folder_and_its_packages_beside_it(folder: Path) -> None:
    files = {"dbt/packages.yml": "packages: [{local: ../lib}]", "lib/dbt_project.yml": "name: lib"}
    found = list(dbt_packages.packed(folder, "dbt", files, files.get))
    assert found == [TreeFile("dbt/dbt_packages/lib", "link", b"../../lib")]


@pytest.mark.parametrize(
    ("text", "names"), [("packages: [{local: x}]", True), ("projects: []", False), ("a: [", False)]
)
def test_whether_a_project_names_packages(text: str, names: bool) -> None:
    files = {"p/dependencies.yml": text}
    assert dbt_packages.names_packages("p", files.get) is names
