"""The bundle store: what goes in comes out, or nothing does."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from prefect_sluice.domain.digests import digest_bytes
from prefect_sluice.domain.errors import BadInput, BundleDamaged
from prefect_sluice.state.bundles import BundleStore

CONTENT = b"select 1 as one\n"
KEY = digest_bytes(CONTENT)


@pytest.fixture(params=["folder", "file", "memory"])
def bundles(request: pytest.FixtureRequest, tmp_path: Path) -> BundleStore:
    urls = {
        "folder": str(tmp_path / "a bundle%20store"),
        "file": f"file://{tmp_path}/files",
        "memory": f"memory://{uuid4()}",
    }
    return BundleStore(urls[request.param])


@pytest.fixture
def local(tmp_path: Path) -> BundleStore:
    return BundleStore(str(tmp_path / "bundles"))


def only_file(folder: Path) -> Path:
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


def test_content_comes_back_by_its_digest(bundles: BundleStore) -> None:
    assert not bundles.has(KEY)
    assert bundles.put(CONTENT) == KEY
    assert bundles.put(CONTENT) == KEY
    assert bundles.has(KEY)
    assert bundles.get(KEY) == CONTENT
    assert bundles.get(bundles.put(b"")) == b""


def test_a_document_comes_back_as_a_value(bundles: BundleStore) -> None:
    value = {"b": [1, 2.5, None, True], "a": {"ü": "x"}}
    key = bundles.put_document(value)
    assert bundles.get_document(key) == value
    assert bundles.put_document({"a": {"ü": "x"}, "b": (1, 2.5, None, True)}) == key


def test_what_is_missing_is_bad_input(bundles: BundleStore) -> None:
    with pytest.raises(BadInput, match="is missing"):
        bundles.get(KEY)


@pytest.mark.parametrize("key", ["", "abc", "../../etc/passwd", "A" * 64, f"../{'a' * 61}"])
def test_what_is_no_digest_never_becomes_a_path(bundles: BundleStore, key: str) -> None:
    with pytest.raises(BadInput, match="not a digest"):
        bundles.get(key)
    with pytest.raises(BadInput, match="not a digest"):
        bundles.has(key)


def test_text_that_is_no_document_is_bad_input(bundles: BundleStore) -> None:
    with pytest.raises(BadInput, match="not a document"):
        bundles.get_document(bundles.put(CONTENT))


def test_a_store_that_cannot_be_opened_is_bad_input() -> None:
    with pytest.raises(BadInput, match="cannot be opened"):
        BundleStore("nosuch://bucket").put(CONTENT)


def test_files_are_read_only_and_named_by_digest(local: BundleStore, tmp_path: Path) -> None:
    local.put(CONTENT)
    path = only_file(tmp_path)
    assert path == tmp_path / "bundles" / KEY[:2] / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o400  # the folder is made by the first put, and private


def test_changed_bytes_are_found(local: BundleStore, tmp_path: Path) -> None:
    local.put(CONTENT)
    path = only_file(tmp_path)
    path.chmod(0o644)
    path.write_bytes(CONTENT.replace(b"1", b"2"))
    with pytest.raises(BundleDamaged) as caught:
        local.get(KEY)
    assert caught.value.digest == KEY
    assert str(path) in str(caught.value)


def test_a_file_cut_short_is_found_and_written_anew(local: BundleStore, tmp_path: Path) -> None:
    local.put(CONTENT)
    path = only_file(tmp_path)
    path.chmod(0o644)
    path.write_bytes(b"")
    with pytest.raises(BundleDamaged):
        local.get(KEY)
    local.put(CONTENT)
    assert local.get(KEY) == CONTENT


def test_a_thousand_files_come_back_as_they_were(local: BundleStore, tmp_path: Path) -> None:
    files = {f"models/m{n}.sql": f"644:{local.put(b'select %d' % n)}" for n in range(1000)}
    local.checkout(files, tmp_path / "checkout")
    found = {path.name: path.read_bytes() for path in (tmp_path / "checkout" / "models").iterdir()}
    assert found == {f"m{n}.sql": b"select %d" % n for n in range(1000)}


def release(bundles: BundleStore) -> dict[str, str]:
    return {
        "dbt_project.yml": f"644:{bundles.put(b'name: flights')}",
        "models/one.sql": f"644:{bundles.put(CONTENT)}",
        "bin/run": f"755:{bundles.put(b'#!/bin/sh')}",
        "models/same.sql": f"link:{bundles.put(b'one.sql')}",
        "models/deep/up": f"link:{bundles.put(b'../../bin')}",
    }


def test_a_checkout_has_the_files_modes_and_links(bundles: BundleStore, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "release"
    bundles.checkout(release(bundles), folder)
    assert (folder / "models/one.sql").read_bytes() == CONTENT
    assert (folder / "models/same.sql").read_bytes() == CONTENT
    assert (folder / "models/deep/up/run").read_bytes() == b"#!/bin/sh"
    assert stat.S_IMODE((folder / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "models/one.sql").stat().st_mode) == 0o644
    assert sorted(path.name for path in folder.parent.iterdir()) == ["release", "release.complete"]


def test_a_complete_checkout_is_reused(local: BundleStore, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    local.checkout(release(local), folder)
    (folder / "target").mkdir()
    local.checkout(release(local), folder)
    assert (folder / "target").is_dir()


def test_a_forgotten_checkout_is_replaced_whatever_it_holds(local: BundleStore, tmp_path: Path) -> None:
    """As after code of a change that could write to it: a folder became a link, another may not be looked into."""
    folder, elsewhere = tmp_path / "release", tmp_path / "elsewhere"
    files = {"models/a.sql": f"644:{local.put(b'select 1')}"}
    local.checkout(files, folder)
    elsewhere.mkdir()
    shutil.rmtree(folder / "models")
    (folder / "models").symlink_to(elsewhere)
    (folder / "locked").mkdir(mode=0)
    local.forget_checkout(folder)
    local.checkout(files, folder)
    assert [path.name for path in folder.iterdir()] == ["models"]
    assert not (folder / "models").is_symlink()
    assert (folder / "models/a.sql").read_bytes() == b"select 1"
    assert list(elsewhere.iterdir()) == []


def test_other_files_replace_a_checkout(local: BundleStore, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    local.checkout(release(local), folder)
    local.checkout({"only.sql": f"644:{local.put(CONTENT)}"}, folder)
    assert [path.name for path in folder.iterdir()] == ["only.sql"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundles", "release", "release.complete"]


@pytest.mark.parametrize("marker", ["", "half"])
def test_a_folder_without_its_marker_is_replaced(local: BundleStore, tmp_path: Path, marker: str) -> None:
    folder = tmp_path / "release"
    (folder / "left-over").mkdir(parents=True)
    if marker:
        (tmp_path / "release.complete").write_text(marker)
    local.checkout(release(local), folder)
    assert not (folder / "left-over").exists()
    assert (folder / "bin/run").exists()


def test_one_damaged_file_leaves_no_checkout(local: BundleStore, tmp_path: Path) -> None:
    files = release(local)
    path = tmp_path / "bundles" / KEY[:2] / KEY
    path.chmod(0o644)
    path.write_bytes(b"select 2 as two\n")
    with pytest.raises(BundleDamaged):
        local.checkout(files, tmp_path / "release")
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "a/../x", "", ".", "./x", "a//x", "x\0y", "models/../../x"]
)
def test_a_path_that_leaves_the_folder_is_refused(local: BundleStore, tmp_path: Path, path: str) -> None:
    key = local.put(CONTENT)
    with pytest.raises(BundleDamaged) as caught:
        local.checkout({"ok.sql": f"644:{key}", path: f"644:{key}"}, tmp_path / "release")
    assert caught.value.digest == key
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


@pytest.mark.parametrize(
    "links",
    [
        {"a": "../x"},
        {"a": "/etc/passwd"},
        {"a/b": "../../x"},
        {"a": "b/..", "b": "c", "c": ".."},
        {"deep/a": "../b/../..", "b": "deep"},
        {"a": ""},
        {"a": "x\0y"},
    ],
)
def test_a_link_that_leaves_the_folder_is_refused(
    local: BundleStore, tmp_path: Path, links: dict[str, str]
) -> None:
    files = {path: f"link:{local.put(target.encode())}" for path, target in links.items()}
    with pytest.raises(BundleDamaged):
        local.checkout(files, tmp_path / "release")
    assert [path.name for path in tmp_path.iterdir()] == ["bundles"]


def test_nothing_is_written_through_a_link(local: BundleStore, tmp_path: Path) -> None:
    files = {"a": f"link:{local.put(os.fsencode(tmp_path))}", "a/x": f"644:{local.put(CONTENT)}"}
    with pytest.raises(BundleDamaged, match="inside another file"):
        local.checkout(files, tmp_path / "release")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("content", ["", "644", "600:{key}", "644:abc", "link"])
def test_a_file_without_mode_or_digest_is_refused(local: BundleStore, tmp_path: Path, content: str) -> None:
    with pytest.raises((BundleDamaged, BadInput)):
        local.checkout({"x": content.format(key=local.put(CONTENT))}, tmp_path / "release")
    assert not (tmp_path / "release").exists()


def test_links_in_a_circle_stay_inside_and_are_kept(local: BundleStore, tmp_path: Path) -> None:
    files = {"a": f"link:{local.put(b'b')}", "b": f"link:{local.put(b'a')}"}
    local.checkout(files, tmp_path / "release")
    assert str((tmp_path / "release" / "a").readlink()) == "b"
