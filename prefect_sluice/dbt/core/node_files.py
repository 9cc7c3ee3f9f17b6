"""Which files of a project a node needs: its own, its properties, the macros it reaches, the sources and modules it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.project import Project
from prefect_sluice.dbt.texts.python_models import PythonCode
from prefect_sluice.domain.node import Node
from prefect_sluice.planning.compose import NodePart, Parts

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


def parts(manifest: Manifest, project: Project, folder: str, checkout: Path) -> Parts:
    """Return the nodes and tests of a parsed project with the files they need.

    `folder` is the project's in the repository ("." is its root), `checkout` the same folder on disk.
    """
    finder = _Finder(manifest, PurePosixPath(folder), checkout)
    nodes = {uid: _part(finder, manifest.nodes[uid], node) for uid, node in project.nodes.items()}
    tests = [
        (frozenset(test.parents), frozenset(finder.test(uid)))
        for uid, test in project.tests.items()
        if test.parents
    ]
    return Parts(nodes, tuple(tests))


def _part(finder: _Finder, raw: Any, node: Node) -> NodePart:
    if not finder.is_own(
        raw
    ):  # of an installed package: in no release, and the same wherever that is the same
        return NodePart(node.own, node.fingerprint, node.parents, "", frozenset())
    files = frozenset((*finder.node(raw), *finder.read_by(node)))
    return NodePart(
        node.own, node.fingerprint, node.parents, finder.placed(str(raw.original_file_path)), files
    )


class _Finder:
    """Finds files of the project itself; files of installed packages are in no release."""

    def __init__(self, manifest: Manifest, folder: PurePosixPath, checkout: Path) -> None:
        self._manifest = manifest
        self._folder = folder
        self._checkout = checkout
        self._package = str(manifest.metadata.project_name)
        self._python = PythonCode(checkout)

    def placed(self, path: str) -> str:
        """Return a path of the project as one of the repository."""
        return str(self._folder / path)

    def is_own(self, resource: Any) -> bool:
        """Say whether a node or macro is the project's own."""
        return str(resource.package_name) == self._package

    def node(self, raw: Any) -> Iterator[str]:
        """Yield the files of a node, of the ephemeral ones that are written into it, and of the sources that it names."""
        seen: set[str] = set()
        todo = [str(raw.unique_id)]
        while todo:
            uid = todo.pop()
            resource: Any = self._manifest.nodes.get(uid) or self._manifest.sources.get(uid)
            if resource is None or uid in seen:
                continue
            seen.add(uid)
            yield from self._of(resource)
            above = getattr(getattr(resource, "depends_on", None), "nodes", ())
            todo += [parent for parent in above if self._comes_with_it(parent)]

    def test(self, uid: str) -> Iterator[str]:
        """Yield the files of a data or unit test."""
        test: Any = self._manifest.nodes.get(uid) or self._manifest.unit_tests.get(uid)
        yield from self._of(test)

    def read_by(self, node: Node) -> Iterator[str]:
        """Yield the files that a node's code opens or imports, and the module of its contract."""
        yield from (self.placed(path) for path in node.files if "://" not in path and "*" not in path)
        module = node.contract.partition(":")[0]
        if module:
            yield self.placed(module.replace(".", "/") + ".py")
        if node.language == "python":
            modules = self._python.modules(str(self._manifest.nodes[node.unique_id].raw_code))
            yield from (self.placed(path) for path in modules)

    def _comes_with_it(self, uid: str) -> bool:
        parent: Any = self._manifest.nodes.get(uid)
        return uid.startswith("source.") or (
            parent is not None and str(parent.config.materialized) == "ephemeral"
        )

    def _of(self, resource: Any) -> Iterator[str]:
        if self.is_own(resource):
            yield self.placed(str(resource.original_file_path))
            patch = str(getattr(resource, "patch_path", None) or "").partition("://")[2]
            if patch:
                yield self.placed(patch)
        yield from self._macros(getattr(getattr(resource, "depends_on", None), "macros", ()))
        docs: Mapping[str, Any] = self._manifest.docs
        for uid in getattr(resource, "doc_blocks", None) or ():
            if uid in docs and str(docs[uid].package_name) == self._package:
                yield self.placed(str(docs[uid].original_file_path))

    def _macros(self, names: Iterable[str]) -> Iterator[str]:
        seen: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            macro = self._manifest.macros.get(name)
            if macro is None or name in seen:
                continue
            seen.add(name)
            todo.extend(macro.depends_on.macros)
            if self.is_own(macro):
                yield self.placed(str(macro.original_file_path))
