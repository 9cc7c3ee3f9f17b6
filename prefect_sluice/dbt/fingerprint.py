"""What a node's relation is made from, as one digest. Coarse on purpose: it may call the same different, never the reverse.

Counted: the code as written, the rendered configuration that changes data, the macros it reaches, a seed's bytes, the project's
variables and the environment variables it read, local modules that a Python model imports, and its parents' fingerprints.
Left out: documentation, tags, groups, and dbt's own macros (the versions of the tools are part of the release).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_sluice.canonical import Json, digest, digest_file

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_NOT_DATA = frozenset(
    {
        "tags",
        "meta",
        "docs",
        "group",
        "access",
        "enabled",
        "static_analysis",
        "packages",
        "freshness",
        "description",
    }
)
"""Configuration that never changes a row."""

_DBT_PACKAGES = frozenset({"dbt", "dbt_duckdb"})


@dataclass(slots=True)
class Fingerprints:
    """Computes and remembers the digests of one manifest. `variables` are all dbt variables, `environ` the environment."""

    manifest: Manifest
    project: Path
    variables: Mapping[str, Any]
    environ: Mapping[str, str]
    _macros: dict[str, str] = field(default_factory=dict[str, str])

    def own(self, node: Any) -> str:
        """Return the digest of the node itself, its parents left out."""
        return digest(
            {
                "type": str(node.resource_type.value),
                "relation": [str(node.schema), str(node.alias)],
                "code": str(node.raw_code or ""),
                "config": _plain(
                    {key: value for key, value in node.config.to_dict().items() if key not in _NOT_DATA}
                ),
                "contract": self._contract(node),
                "macros": sorted(self._reached(node)),
                "overrides": self._overrides(),
                "seed": self._seed(node),
                "modules": sorted(self._modules(node)),
                "variables": _plain(dict(self.variables)),
                "environment": {name: self.environ.get(name, "") for name in sorted(self.manifest.env_vars)},
            }
        )

    def test(self, test: Any) -> str:
        """Return the digest of a data or unit test: a changed one has to be run again."""
        code = getattr(test, "raw_code", "") or ""
        content = _plain(test.to_dict(omit_none=True)) if not code else ""
        stable = {
            key: value
            for key, value in cast(dict[str, Json], content or {}).items()
            if key not in {"created_at", "checksum", "config"}
        }
        kwargs = getattr(getattr(test, "test_metadata", None), "kwargs", None)
        return digest(
            {
                "code": code,
                "unit": stable,
                "arguments": _plain(kwargs),
                "severity": str(getattr(test.config, "severity", "")),
            }
        )

    def _contract(self, node: Any) -> Json:
        if not node.config.to_dict().get("contract", {}).get("enforced"):
            return None
        return {
            name: [column.data_type, [str(item) for item in column.constraints]]
            for name, column in node.columns.items()
        }

    def _reached(self, node: Any) -> Iterator[str]:
        seen: set[str] = set()
        todo = list(node.depends_on.macros)
        while todo:
            name = todo.pop()
            macro = self.manifest.macros.get(name)
            if macro is None or name in seen:
                continue
            seen.add(name)
            todo.extend(macro.depends_on.macros)
            if macro.package_name not in _DBT_PACKAGES:
                yield f"{name}:{self._macro(name)}"

    def _overrides(self) -> list[str]:
        """Macros that take the place of dbt's own act without being named: materializations and overridden built-ins."""
        own = [macro for macro in self.manifest.macros.values() if macro.package_name not in _DBT_PACKAGES]
        builtin = {
            macro.name.removeprefix("default__").removeprefix("duckdb__")
            for macro in self.manifest.macros.values()
            if macro.package_name in _DBT_PACKAGES
        }
        hidden = [
            macro
            for macro in own
            if macro.name.startswith("materialization_") or _bare(macro.name) in builtin
        ]
        return sorted(f"{macro.unique_id}:{self._macro(macro.unique_id)}" for macro in hidden)

    def _macro(self, name: str) -> str:
        if name not in self._macros:
            self._macros[name] = digest(str(self.manifest.macros[name].macro_sql))
        return self._macros[name]

    def _seed(self, node: Any) -> str:
        if node.resource_type.value != "seed":
            return ""
        # dbt's own checksum of a seed over 1 MiB is its path: the bytes are what counts.
        return digest_file(Path(str(node.root_path or self.project)) / str(node.original_file_path))

    def _modules(self, node: Any) -> Iterator[str]:
        if str(getattr(node, "language", "sql")) != "python":
            return
        for module in _imported(str(node.raw_code)):
            for found in (self.project / f"{module}.py", *sorted((self.project / module).glob("**/*.py"))):
                if found.is_file():
                    yield f"{found.relative_to(self.project)}:{digest_file(found)}"


def with_parents(own: str, parents: Iterable[str]) -> str:
    """Return a node's fingerprint from its own digest and its parents' fingerprints."""
    return digest({"own": own, "parents": sorted(parents)})


def _bare(name: str) -> str:
    return name.removeprefix("default__").removeprefix("duckdb__")


def _imported(code: str) -> set[str]:
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return set()
    names: set[str] = set()
    for item in ast.walk(tree):
        if isinstance(item, ast.Import):
            names.update(alias.name.split(".")[0] for alias in item.names)
        elif isinstance(item, ast.ImportFrom) and item.module:
            names.add(item.module.split(".")[0])
    return names


def _plain(value: Any) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast(list[Any], value)]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
