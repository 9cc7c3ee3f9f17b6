"""Files as they were and as they are now, for gates that tell by lines what a change brings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect_sluice.state.bundles import BundleStore
from prefect_sluice.workspace.former_files import FormerFiles


def changed(folder: Path, was: Mapping[str, str | bytes], now: Mapping[str, str | bytes]) -> FormerFiles:
    """Pack what files were, write what they are now below `folder`, and return what tells the one from the other."""
    bundles = BundleStore(str(folder.parent / f"{folder.name}-bundles"))
    before = {path: f"644:{bundles.put(_bytes(content))}" for path, content in was.items()}
    for path, content in now.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(_bytes(content))
    return FormerFiles(bundles, before, folder)


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()
