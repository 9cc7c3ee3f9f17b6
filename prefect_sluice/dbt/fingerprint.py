"""What a node's relation is made from, as one digest. Coarse on purpose: it may call the same different, never the reverse.

Counted: the code as written, the rendered configuration that changes data, the macros it reaches, a seed's bytes, the project's
variables and the environment variables it read, local modules that a Python model imports, and its parents' fingerprints.
Left out: documentation, tags, groups, and dbt's own macros (the versions of the tools are part of the release).
"""

from __future__ import annotations

import ast
import os
import re
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

_NO_SETTING = frozenset(
    {"path", "threads", "attach", "secrets", "token", "password", "type", "retries", "keep_open"}
)
"""What a target says that changes no row: where and how to connect. What is left (time zone, extensions) may."""

_ENV_VAR = re.compile(r"""env_var\(\s*['"](\w+)['"]""")
_DBT_PACKAGES = frozenset({"dbt", "dbt_duckdb"})


@dataclass(slots=True)
class Fingerprints:
    """Computes and remembers the digests of one manifest. `variables` are all dbt variables, `environ` the environment,
    `settings` the target's, as written in the profile."""

    manifest: Manifest
    project: Path
    variables: Mapping[str, Any]
    environ: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _macros: dict[str, str] = field(default_factory=dict[str, str])
    _files: dict[str, list[Path]] = field(default_factory=dict[str, "list[Path]"])
    _common: str = ""

    def own(self, node: Any) -> str:
        """Return the digest of the node itself, its parents left out."""
        return digest(
            {
                "type": str(node.resource_type.value),
                "relation": [str(node.schema), str(node.alias)],
                "code": str(node.raw_code or ""),
                "config": _config(node),
                "contract": self._contract(node),
                "macros": self._reached(node.depends_on.macros),
                "seed": self._seed(node),
                "modules": sorted(self._modules(node)),
                "common": self._everywhere(),
            }
        )

    def _everywhere(self) -> str:
        """Return the digest of what may change any node: variables, the environment, macros nobody has to name."""
        if not self._common:
            self._common = digest(
                {
                    "overrides": self._overrides(),
                    "hooks": self._hooks(),
                    "settings": _plain(
                        {key: value for key, value in self.settings.items() if key not in _NO_SETTING}
                    ),
                    "variables": _plain(dict(self.variables)),
                    "environment": {name: self.environ.get(name) for name in self._environment()},
                }
            )
        return self._common

    def _environment(self) -> list[str]:
        """Return the environment variables that dbt read as it parsed, and those it will read as it runs."""
        own = (str(macro.macro_sql) for macro in self._own_macros())
        nodes = (str(getattr(node, "raw_code", "") or "") for node in self.manifest.nodes.values())
        return sorted(
            {*self.manifest.env_vars, *(name for text in (*own, *nodes) for name in _ENV_VAR.findall(text))}
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
        macros = self._reached(getattr(test.depends_on, "macros", ()))
        return digest(
            {
                "code": code,
                "unit": stable,
                "arguments": _plain(kwargs),
                "config": _config(test),
                "macros": macros,
            }
        )

    def _contract(self, node: Any) -> Json:
        if not node.config.to_dict().get("contract", {}).get("enforced"):
            return None
        return {
            name: [column.data_type, [str(item) for item in column.constraints]]
            for name, column in node.columns.items()
        }

    def _reached(self, macros: Iterable[str]) -> list[str]:
        """Return names and digests of the project's macros among these, and of those that they call."""
        seen: set[str] = set()
        todo = list(macros)
        while todo:
            name = todo.pop()
            macro = self.manifest.macros.get(name)
            if macro is not None and name not in seen:
                seen.add(name)
                todo.extend(macro.depends_on.macros)
        own = {macro.unique_id for macro in self._own_macros()}
        return sorted(f"{name}:{self._macro(name)}" for name in seen & own)

    def _own_macros(self) -> list[Any]:
        return [macro for macro in self.manifest.macros.values() if macro.package_name not in _DBT_PACKAGES]

    def _overrides(self) -> list[str]:
        """Return macros that take the place of dbt's own without being named, and those that they call."""
        builtin = {
            _bare(macro.name)
            for macro in self.manifest.macros.values()
            if macro.package_name in _DBT_PACKAGES
        }
        hidden = [
            macro.unique_id
            for macro in self._own_macros()
            if macro.name.startswith("materialization_") or _bare(macro.name) in builtin
        ]
        return self._reached(hidden)

    def _hooks(self) -> list[Json]:
        """Return what runs before and after all nodes: a hook may set the search path, make a function that models
        call, or write to a table that is served."""
        return [
            [str(node.raw_code), self._reached(node.depends_on.macros)]
            for _, node in sorted(self.manifest.nodes.items())
            if node.resource_type.value == "operation" and {"on-run-start", "on-run-end"} & set(node.tags)
        ]

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
        """Yield the project's modules that a Python model imports, and those that they import, with their digests."""
        if str(getattr(node, "language", "sql")) != "python":
            return
        seen: set[Path] = set()
        todo = _imported(str(node.raw_code))
        while todo:
            for path in self._python_files().get(todo.pop(), ()):
                if path not in seen:
                    seen.add(path)
                    todo |= _imported(path.read_text(encoding="utf-8", errors="replace"))
                    yield f"{path.relative_to(self.project)}:{digest_file(path)}"

    def modules(self, node: Any) -> tuple[str, ...]:
        """Return the paths, relative to the project, of its modules that a Python model imports, directly or not."""
        return tuple(text.rpartition(":")[0] for text in self._modules(node))

    def _python_files(self) -> Mapping[str, list[Path]]:
        """Return the project's Python files by the names under which they may be imported, wherever `sys.path` starts."""
        if not self._files:
            for folder, _, names in os.walk(self.project):
                inside = Path(folder).relative_to(self.project).parts
                for name in names:
                    if name.endswith(".py"):
                        for part in (*inside, name.removesuffix(".py")):
                            self._files.setdefault(part, []).append(Path(folder, name))
        return self._files


def _config(node: Any) -> Json:
    return _plain({key: value for key, value in node.config.to_dict().items() if key not in _NOT_DATA})


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
