"""What the files of a release were in the one that serves, by the bundle store: git's history need not have it any more."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from prefect_sluice.domain.digests import digest_bytes
from prefect_sluice.domain.errors import BadInput, BundleDamaged
from prefect_sluice.domain.former_text import FormerText, plain_text
from prefect_sluice.source import text_diff
from prefect_sluice.state.bundles import BundleStore
from prefect_sluice.workspace.workspace import Workspace


def before(workspace: Workspace, serves: str) -> Mapping[str, str] | None:
    """Return the files by which it is told what is new, as a release has them: of the one that serves (its id, "" for none).

    Where none does, it is the first that ever served, in whichever environment: a change that its gates refused is not let in
    by the door of a new environment. A first release that was refused served nothing, so it is none. None: nothing ever
    served.
    """
    first = None if serves else workspace.store.served_first()
    if not serves and first is None:
        return None
    release = workspace.store.release(first.release if first else serves)
    return release.files if release else {}


@dataclass(frozen=True, slots=True)
class FormerFiles:
    """Tells what files below `root`, a repository's folder, were before: `before` maps paths to "mode:sha256"."""

    bundles: BundleStore
    before: Mapping[str, str]
    root: Path

    def __call__(self, paths: Collection[str]) -> Mapping[str, FormerText | None]:
        """Return what each file was: nothing of a new one or of one that was no text, None where the bundle store has it no
        more."""
        # What a link leads to is read. One that is new, or leads elsewhere now, is new in all its lines.
        links = {path: self._leads_to(path) for path in paths if self._is_link(path)}
        told = self._of_files({links.get(path, path) for path in paths} - {""})
        return {path: told[real] for path in paths if (real := links.get(path, path)) in told}

    def _of_files(self, paths: Collection[str]) -> Mapping[str, FormerText | None]:
        texts = {path: self._now(path) for path in paths}
        found: dict[str, FormerText | None] = {}
        pairs: dict[str, tuple[str, str]] = {}
        names = {path: path for path in paths if path in self.before}
        moved = self._renamed(texts)
        for path, old in {**names, **moved}.items():
            if self._is_same(path, old):
                found[path] = FormerText(moved_from=moved.get(path, ""))
                continue
            content, now = self._content_before(old), texts[path]
            if content is None:
                found[path] = None
            elif (former := plain_text(content)) is not None and now is not None:
                pairs[path] = (former, now)  # of bytes that were no text, every line is new
        for (path, (former, _)), hunks in zip(pairs.items(), text_diff.hunks([*pairs.values()]), strict=True):
            found[path] = FormerText(former, hunks, moved.get(path, ""))
        return found

    def _renamed(self, texts: Mapping[str, str | None]) -> Mapping[str, str]:
        """Return what each new file was called before, of those that had another name."""
        new = {path: text for path, text in texts.items() if path not in self.before and text is not None}
        if not new:
            return {}
        endings = {_ending(path) for path in new}
        gone = (path for path in self.before if _ending(path) in endings and not self._is_there(path))
        return text_diff.find_renames(dict(self._texts(gone)), new)

    def _texts(self, paths: Iterable[str]) -> Iterable[tuple[str, str]]:
        for path in paths:
            content = self._content_before(path)
            text = None if content is None else plain_text(content)
            if text is not None:
                yield path, text

    def _is_link(self, path: str) -> bool:
        return (self.root / path).is_symlink() or self.before.get(path, "").startswith("link:")

    def _leads_to(self, path: str) -> str:
        """Return the path of the file that a link leads to, and led to before; "" where that is not the same, or outside."""
        file = self.root / path
        if (
            not file.is_symlink()
            or self.before.get(path, "") != f"link:{digest_bytes(os.fsencode(file.readlink()))}"
        ):
            return ""
        target = Path(os.path.normpath(file.parent / file.readlink()))
        is_inside = target.is_relative_to(self.root) and not target.is_symlink()
        return target.relative_to(self.root).as_posix() if is_inside else ""

    def _is_there(self, path: str) -> bool:
        return os.path.lexists(self.root / path)

    def _is_same(self, path: str, old: str) -> bool:
        return digest_bytes(self._content(path)) == self.before[old].partition(":")[2]

    def _content(self, path: str) -> bytes:
        file = self.root / path
        return file.read_bytes() if file.is_file() else b""

    def _now(self, path: str) -> str | None:
        return plain_text(self._content(path))

    def _content_before(self, path: str) -> bytes | None:
        """Return the bytes that a file had; None where the bundle store has them no more."""
        try:
            return self.bundles.get(self.before[path].partition(":")[2])
        except (BadInput, BundleDamaged):
            return None


def _ending(path: str) -> str:
    """Return the ending of a file's name; `.yaml` is another spelling of `.yml`."""
    ending = PurePosixPath(path).suffix
    return ".yml" if ending == ".yaml" else ending
