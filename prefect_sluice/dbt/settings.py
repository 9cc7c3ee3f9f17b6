"""Settings outside the code that change rows: dbt variables, environment variables, the target's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from prefect_sluice.dbt.profile import read_yaml
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.sql.duckdb_keywords import listed

_CONNECTION = listed(
    "path threads attach secrets token password type retries keep_open schema database module_paths "
    "use_credential_provider"
)
"""What a target says that changes no row: where and how to connect, and names."""

_MACHINE = listed(
    "threads worker_threads external_threads memory_limit max_memory temp_directory max_temp_directory_size "
    "extension_directory home_directory secret_directory access_mode default_block_size storage_compatibility_version "
    "autoinstall_known_extensions autoload_known_extensions enable_progress_bar checkpoint_threshold "
    "wal_autocheckpoint"
)
"""DuckDB's own settings that are about the machine."""

_SECRET = "DBT_ENV_SECRET"


@dataclass(frozen=True, slots=True)
class Settings:
    """`variables` are those of dbt_project.yml with the ones given on top; `packages` those of each installed package;
    `environ` the environment, `target` the target's name and settings, rendered."""

    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    name: str = ""
    target: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def used(self, variables: Iterable[str | None], environ: Iterable[str | None]) -> Mapping[str, str]:
        """Return the digests of the variables and environment variables of these names, by ingredient; for None, a
        name that is computed as it runs, all of them."""
        variable_names, environ_names = set(variables), set(environ)
        digests: dict[str, str] = {}
        if None in variable_names:
            digests["variables"] = digest(plain([self.variables, self.packages]))
        if None in environ_names:
            digests["environment"] = digest(
                {k: v for k, v in self.environ.items() if not k.startswith(_SECRET)}
            )
        for name in sorted(variable for variable in variable_names if variable is not None):
            digests[f"var {name}"] = digest(plain(self._values(name)))
        for name in sorted(
            name for name in environ_names if name is not None and not name.startswith(_SECRET)
        ):
            digests[f"env {name}"] = digest(self.environ.get(name))
        return digests

    def read(self, variables: Iterable[str | None]) -> list[Any]:
        """Return every value of the variables of these names; for None, a name that is computed, of all."""
        names = set(variables)
        if None in names:
            return [self.variables, self.packages]
        return [value for name in sorted(one for one in names if one) for value in self.said(name)]

    def said(self, name: str) -> list[Any]:
        """Return every value that a variable is given anywhere, the common one first; none if nobody sets it."""
        return [value for _, value in self._values(name)]

    def _values(self, name: str) -> list[Any]:
        """Return every value a variable may have: dbt looks in the package's own scope before the common one."""
        scopes: list[Mapping[str, Any]] = [self.variables]
        scopes += [
            cast(Mapping[str, Any], scope)
            for _, scope in sorted(self.variables.items())
            if isinstance(scope, dict)
        ]
        for _, given in sorted(self.packages.items()):
            scopes.append(given)
            scopes += [
                cast(Mapping[str, Any], scope)
                for _, scope in sorted(given.items())
                if isinstance(scope, dict)
            ]
        return [[place, scope[name]] for place, scope in enumerate(scopes) if name in scope]

    @property
    def rows(self) -> str:
        """The digest of the target's settings that may change a row (time zone, extensions, DuckDB's settings)."""
        return digest(
            plain({key: _rows(option) for key, option in self.target.items() if key not in _CONNECTION})
        )

    @property
    def identity(self) -> str:
        """The digest of what a template sees of the target, connection facts of this machine left out."""
        seen = {key: self.target.get(key) for key in ("schema", "database", "type")}
        return digest(plain({"name": self.name, **seen}))


def is_of_rows(key: str, *, inside: bool = False) -> bool:
    """Say whether what a target says under this key may change a row; `inside`: under a key of another one."""
    return key not in _MACHINE and (inside or key not in _CONNECTION)


def _rows(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: option for key, option in cast(dict[str, Any], value).items() if key not in _MACHINE}
    return value


def package_projects(folder: Path) -> Mapping[Path, Mapping[str, Any]]:
    """Return the dbt_project.yml of each package installed in the project in `folder`, by the package's folder; sorted."""
    files = sorted(folder.glob("dbt_packages/*/dbt_project.yml"))
    return {file.parent: read_yaml(file, "dbt project", "run: dbt deps") for file in files}


def installed(folder: Path) -> Mapping[str, Path]:
    """Return the folder of each package that is installed in the project in `folder`, by the package's name."""
    projects = package_projects(folder)
    named = {str(project.get("name")): package for package, project in projects.items()}
    return {**{package.name: package for package in projects}, **named}


def packages(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the variables that each installed package sets, by its folder's name."""
    variables = {package.name: project.get("vars") for package, project in package_projects(folder).items()}
    return {
        name: cast(Mapping[str, Any], given)
        for name, given in variables.items()
        if isinstance(given, dict) and given
    }


def plain(value: Any) -> Json:
    """Return a value as JSON; what JSON does not know as its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in cast(list[Any], value)]
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
