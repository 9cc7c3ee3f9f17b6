"""Which files were there before the first release: what gates of texts find in them is not held against a first release."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.domain.release import Release
from prefect_sluice.planning.plan import Plan
from prefect_sluice.workspace.workspace import Workspace


def inherited(workspace: Workspace, release: Release, plan: Plan) -> frozenset[str]:
    """Return the paths of the files of a release that were there before, where no release serves yet; none where one does.

    Where another environment was released to, its first release says what was there: a change that its gates refused is
    not let in by the door of a new environment. A first release that was refused served nothing, so it is none.
    """
    if plan.base_release:
        return frozenset()
    first = workspace.store.served_first()
    if first is None:
        return frozenset(release.files)
    before = workspace.store.release(first.release)
    known: Mapping[str, str] = before.files if before else {}
    return frozenset(path for path, entry in release.files.items() if known.get(path) == entry)
