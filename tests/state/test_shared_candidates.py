"""The place where machines share candidates: what comes back is what was put, or nothing."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from prefect_sluice.domain.digests import digest_file
from prefect_sluice.state.bundles import BundleStore
from prefect_sluice.state.shared_candidates import SharedCandidates, SharedStoreAway


@pytest.fixture(params=["file", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> SharedCandidates:
    return SharedCandidates(
        BundleStore(f"file://{tmp_path}/a%20shelf" if request.param == "file" else f"memory://{uuid4()}")
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "here" / "shop.duckdb"
    path.parent.mkdir()
    path.write_bytes(b"rows" * 700_000)  # several pieces
    return path


def test_what_was_put_comes_back_elsewhere(shelf: SharedCandidates, file: Path, tmp_path: Path) -> None:
    digest, there = digest_file(file), tmp_path / "there" / "shop.duckdb"
    assert shelf.promotions() == {}
    assert not shelf.fetch("p1", digest, there)
    for _ in range(2):
        shelf.put("p1", file, digest)
    for _ in range(2):
        assert shelf.fetch("p1", digest, there)
    assert there.read_bytes() == file.read_bytes()
    assert [path.name for path in there.parent.iterdir()] == ["shop.duckdb"]
    assert shelf.promotions() == {"p1": file.stat().st_size}
    for _ in range(2):
        shelf.drop("p1")
    assert shelf.promotions() == {}
    assert not shelf.fetch("p1", digest, there)


def test_half_an_upload_is_no_file_and_is_put_again(file: Path, tmp_path: Path) -> None:
    shelf, digest = SharedCandidates(BundleStore(f"file://{tmp_path}/shelf")), digest_file(file)
    shelf.put("p1", file, digest)
    stored = tmp_path / "shelf" / "candidates" / "p1" / digest
    stored.write_bytes(stored.read_bytes()[:1000])
    there = tmp_path / "there" / "shop.duckdb"
    assert not shelf.fetch("p1", digest, there)
    assert list(there.parent.iterdir()) == []
    shelf.put("p1", file, digest)
    assert shelf.fetch("p1", digest, there)


def test_a_store_that_cannot_be_written_is_named(file: Path, tmp_path: Path) -> None:
    (tmp_path / "shelf").write_text("a file, where a folder should be")
    with pytest.raises(SharedStoreAway, match=r"shelf: the shared store failed: .*; run the command again"):
        SharedCandidates(BundleStore(f"file://{tmp_path}/shelf")).put("p1", file, digest_file(file))
