"""The digest of the code that a contract depends on: with the same digest, a contract need not be imported again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prefect_sluice.domain.digests import digest, digest_file


class ModuleTexts:
    """The modules of one checkout. Each file is read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._imports: dict[Path, tuple[str, ...]] = {}

    def digest(self, reference: str) -> str:
        """Return the digest of `module:Class` with the project's files that its module imports, and pandera's version."""
        files = self._reached(reference.partition(":")[0])
        texts = {file.relative_to(self._root).as_posix(): digest_file(file) for file in files}
        return digest([reference, texts, _version("pandera"), _version("ibis-framework")])

    def _reached(self, module: str) -> frozenset[Path]:
        files: set[Path] = set()
        todo = [module]
        while todo:
            for file in set(self._files(todo.pop())) - files:
                files.add(file)
                todo.extend(self._imported(file))
        return frozenset(files)

    def _files(self, module: str) -> Iterator[Path]:
        """Yield the files that importing a module runs: its packages', and its own; none for what is installed."""
        parts = [part for part in module.split(".") if part]
        for length in range(1, len(parts) + 1):
            place = self._root.joinpath(*parts[:length])
            for file in (place / "__init__.py", place.parent / f"{place.name}.py"):
                if file.is_file():
                    yield file

    def _imported(self, file: Path) -> tuple[str, ...]:
        if file not in self._imports:
            self._imports[file] = tuple(_imports(file, file.relative_to(self._root).parts[:-1]))
        return self._imports[file]


def _imports(file: Path, package: tuple[str, ...]) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            start = ".".join(part for part in (above, node.module or "") if part)
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


@cache
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
