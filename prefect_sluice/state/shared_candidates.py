"""Where candidates are shared between machines: beside the bundles, behind the same fsspec URL, named by promotion and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

from prefect_sluice.domain.digests import digest_file
from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.state.bundles import BundleStore

_CHUNK = 1 << 20
_FOLDER = "candidates"


@dataclass(eq=False)
class SharedStoreAway(BadInput):
    """The shared store does not answer, or does not keep what it is given. It may pass by itself."""

    retry: ClassVar[bool] = True


class SharedCandidates:
    """Files at `<url>/candidates/<promotion>/<digest>`.

    Nothing here counts by being there: a file is what it should be only if its bytes have the digest of its name, and
    both who puts and who fetches it read them all. So half an upload, or a bit that flipped, is as good as no file.
    """

    def __init__(self, bundles: BundleStore) -> None:
        """Take the bundle store that they lie beside. Nothing is opened yet."""
        self._bundles = bundles
        self._url = bundles.url

    def put(self, promotion: str, file: Path, digest: str) -> None:
        """Copy a file there, in pieces, and read it back. Repeatable: what is there, whole, is not sent again.

        Raises SharedStoreAway when it cannot be written, or comes back with other bytes.
        """
        with self._answering() as (files, root):
            place = f"{root}/{_FOLDER}/{promotion}/{digest}"
            if _digest(files, place) == digest:
                return
            files.makedirs(place.rpartition("/")[0], exist_ok=True)
            with file.open("rb") as source, files.open(place, "wb") as target:
                while piece := source.read(_CHUNK):
                    target.write(piece)
                    reach(FaultPoint.STAGE_SHARING)
            if _digest(files, place) != digest:
                raise SharedStoreAway(
                    f"does not give back the candidate of promotion {promotion} as it was given",
                    self._url,
                    "run the command again; look at the store if it stays so",
                )

    def fetch(self, promotion: str, digest: str, place: Path) -> bool:
        """Put the file at `place`, whole or not at all; say whether it was there. Repeatable. Raises SharedStoreAway."""
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(prefix=".fetched.", dir=place.parent)) / place.name
        try:
            with self._answering() as (files, root):
                try:
                    source = files.open(f"{root}/{_FOLDER}/{promotion}/{digest}", "rb")
                except FileNotFoundError:
                    return False
                with source, fresh.open("wb") as target:
                    while piece := source.read(_CHUNK):
                        target.write(piece)
            if digest_file(fresh) != digest:
                return False
            fresh.replace(place)
            return True
        finally:
            fresh.unlink(missing_ok=True)
            fresh.parent.rmdir()

    def promotions(self) -> dict[str, int]:
        """Return the ids of the promotions of which anything is here, and the bytes of each. Raises SharedStoreAway."""
        with self._answering() as (files, root):
            try:
                files_of_store = files.find(f"{root}/{_FOLDER}", detail=True)
            except FileNotFoundError:
                return {}
            sizes: dict[str, int] = {}
            for name, about in files_of_store.items():
                promotion = str(name).rsplit("/", 2)[-2]
                sizes[promotion] = sizes.get(promotion, 0) + int(about.get("size") or 0)
            return sizes

    def drop(self, promotion: str) -> None:
        """Remove a promotion's files. Repeatable. Raises SharedStoreAway."""
        with self._answering() as (files, root):
            place = f"{root}/{_FOLDER}/{promotion}"
            if files.exists(place):
                files.rm(place, recursive=True)

    @contextmanager
    def _answering(self) -> Generator[tuple[Any, str]]:
        try:
            yield self._bundles.files()
        except SluiceError:
            raise
        except Exception as error:  # each file system has errors of its own
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise SharedStoreAway(
                f"the shared store failed: {first_line}", self._url, "run the command again"
            ) from error


def _digest(files: Any, place: str) -> str:
    """Return the SHA-256 of a file there, "" when there is none."""
    hasher = hashlib.sha256()
    try:
        with files.open(place, "rb") as stream:
            while piece := stream.read(_CHUNK):
                hasher.update(piece)
    except FileNotFoundError:
        return ""
    return hasher.hexdigest()
