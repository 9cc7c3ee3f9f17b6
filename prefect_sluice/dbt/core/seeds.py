"""Where dbt finds the bytes of a seed: in the release that is built, whatever checkout its kept parse remembers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.settings import installed
from prefect_sluice.domain.errors import DbtFailed

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def take_from(manifest: Manifest, project: Path) -> None:
    """Have every seed of the manifest read from the project in `project`. Repeatable.

    dbt keeps its parse between releases, and in it the folder in which it first saw a seed: an older checkout, which may
    hold other bytes (of a seed over 1 MiB dbt compares the path only), or be gone. Raises DbtFailed for a seed that has no
    file here.
    """
    seeds: list[Any] = [node for node in manifest.nodes.values() if node.resource_type.value == "seed"]
    own = str(manifest.metadata.project_name)
    packages = installed(project) if any(seed.package_name != own for seed in seeds) else dict[str, Path]()
    for seed in seeds:
        package, path = str(seed.package_name), str(seed.original_file_path)
        folder = project if package == own else packages.get(package)
        if folder is None or not (folder / path).is_file():
            raise DbtFailed(
                f"the file of seed {seed.name} is not there: {path}", package, "commit it, or run: dbt deps"
            )
        seed.root_path = str(folder)
