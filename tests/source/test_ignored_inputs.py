"""Files that git does not track, and that a release reads: told before anything is built, with the line to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.domain.errors import BadInput, DbtFailed
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.source import ignored_inputs


def node(name: str, *files: str) -> Node:
    return Node(
        unique_id=f"model.p.{name}",
        kind=NodeKind.TABLE,
        name=Name("main", name),
        path=f"models/{name}.sql",
        language="sql",
        fqn=("p", name),
        fingerprint="",
        parents=(),
        files=files,
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A checkout, and a working tree that has more."""
    release, tree = tmp_path / "release", tmp_path / "tree"
    for path in ("data/big/x.csv", "data/small.csv", "lone/y[1].csv", "seeds/rates.csv"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("a\n1\n")
    (release / "data").mkdir(parents=True)
    (release / "data/small.csv").write_text("a\n1\n")
    return release, tree


def refuse(folders: tuple[Path, Path], *nodes: Node, project: str = ".", made: tuple[str, ...] = ()) -> None:
    ignored_inputs.refuse({one.unique_id: one for one in nodes}, *folders, project, ["old"], made)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("data/big/x.csv", "source: {include: [old, data/big]}"),
        ("data/*/x.csv", "source: {include: [old, data]}"),
        ("lone/y[1].csv", "source: {include: [old, lone]}"),
        ("./lone/y[1].csv", "source: {include: [old, lone]}"),
    ],
)
def test_a_file_that_git_does_not_track_is_told_with_the_line_to_write(
    folders: tuple[Path, Path], path: str, line: str
) -> None:
    with pytest.raises(BadInput) as caught:
        refuse(folders, node("a", path))
    assert caught.value.what == f"a reads {path}, which is not in the release: git does not track it"
    assert (caught.value.where, caught.value.fix) == (
        "models/a.sql",
        f"commit it, or write in sluice.yml: {line}",
    )


def test_all_that_is_missing_is_in_one_line(folders: tuple[Path, Path]) -> None:
    with pytest.raises(BadInput, match=r"\(and 1 more file is read that is not there\)") as caught:
        refuse(folders, node("a", "lone/y[1].csv"), node("b", "data/big/x.csv"), project="dbt")
    assert "include: [old, dbt/data/big, dbt/lone]" in caught.value.fix


@pytest.mark.parametrize(
    ("project", "line"), [(".", "../x/y.csv"), ("dbt", "x/y.csv"), ("a/dbt", "a/x/y.csv")]
)
def test_a_file_beside_the_project_is_named_from_where_sluice_yml_lies(
    folders: tuple[Path, Path], project: str, line: str
) -> None:
    release, tree = folders[0] / "dbt", folders[1] / "dbt"
    for folder in (release, tree, folders[0] / "x", folders[1] / "x"):
        folder.mkdir()
    (folders[1] / "x/y.csv").write_text("a\n1\n")
    with pytest.raises(BadInput) as caught:
        refuse((release, tree), node("a", "../x/y.csv"), project=project)
    assert caught.value.fix.endswith(f"source: {{include: [old, {line}]}}")


def test_what_is_there_or_nowhere_or_made_by_the_project_is_no_fault(folders: tuple[Path, Path]) -> None:
    there = ("data/small.csv", "data/*.csv", "nowhere.csv", "s3://b/x.csv", str(folders[1] / "lone/y[1].csv"))
    refuse(folders, node("a", *there))
    refuse(folders, node("a", "lone/y[1].csv"), made=("lone/y[1].csv",))


def test_a_seed_that_git_does_not_track_explains_dbts_error(folders: tuple[Path, Path]) -> None:
    error = DbtFailed(
        "dbt parse: Model 'm' depends on a node named 'rates' which was not found", "", "mend it"
    )
    told = ignored_inputs.explained(error, *folders, ".", [])
    assert told.what.endswith("(seeds/rates.csv is not in the release: git does not track it)")
    assert told.fix == "commit it, or write in sluice.yml: source: {include: [seeds]}"
    other = DbtFailed("dbt parse: something else")
    assert ignored_inputs.explained(other, *folders, ".", []) is other
