"""The dbt profile, read without dbt: which targets there are, and which database each one means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, cast

from prefect_sluice.config import yaml_file
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.domain.untrusted_text import parsing, plain
from prefect_sluice.warehouse.adapter import Adapter
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.engines import ADAPTERS


@dataclass(frozen=True, slots=True)
class Target:
    """One output of the profile. `settings` is the mapping as dbt would read it, `raw` the same with its Jinja
    unrendered (so that no secret is written anywhere), `database` what it means."""

    profile: str
    name: str
    settings: Mapping[str, Any]
    raw: Mapping[str, Any]
    database: Database

    @property
    def adapter(self) -> Adapter:
        """What makes warehouses and sessions of its engine."""
        return ADAPTERS[str(self.settings["type"])]

    @property
    def path(self) -> Path:
        """The file, where the engine's databases are one. For what writes or reads that engine's own settings."""
        (file,) = self.database.files
        return file

    @property
    def names(self) -> tuple[str, str]:
        """Where its public names are: two targets with the same one cannot both be environments."""
        return self.database.identity, self.schema

    @property
    def schema(self) -> str:
        """The schema of its relations that name none of their own."""
        return str(self.settings.get("schema", "main"))


@dataclass(frozen=True, slots=True)
class Profile:
    """The project's profile. `default` is the target dbt takes when none is named; `outputs` are as written: a target
    is rendered when it is asked for, since another may need environment variables that are not set here. `home` is the
    folder where a relative path starts."""

    name: str
    file: Path
    default: str
    outputs: Mapping[str, Mapping[str, Any]]
    home: Path
    environ: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, Any]

    def target(self, name: str) -> Target:
        """Return one output. Raises ConfigInvalid if it is not there, cannot be rendered or nothing can be served from it."""
        if name not in self.outputs:
            names = ", ".join(sorted(self.outputs)) or "none"
            raise ConfigInvalid(
                f"profile {self.name!r} has no target {name!r} (it has: {names})",
                str(self.file),
                "name one of them in sluice.yml: environments.<name>.target",
            )
        settings = _rendered(self.outputs[name], self.environ, self.variables, str(self.file))
        adapter = ADAPTERS.get(str(settings.get("type")))
        if adapter is None:
            raise ConfigInvalid(
                f"target {name!r} is of type {settings.get('type')!r}; this version serves DuckDB",
                str(self.file),
                "add a target of type duckdb",
            )
        database = adapter.database(settings, self.home, target=name, place=str(self.file))
        return Target(self.name, name, settings, self.outputs[name], database)

    def usable(self) -> Mapping[str, Target]:
        """Return the targets that something can be served from, by name, in the profile's order."""
        targets: dict[str, Target] = {}
        for name in self.outputs:
            try:
                targets[name] = self.target(name)
            except ConfigInvalid:
                continue
        return targets


def read_yaml(path: Path, what: str, fix: str) -> dict[str, Any]:
    """Return a YAML mapping. Raises ConfigInvalid when the file is missing, broken or something else."""
    try:
        with parsing("is no text", str(path), "write it as UTF-8", ConfigInvalid):
            text = path.read_bytes().decode("utf-8")
    except ConfigInvalid as invalid:
        if isinstance(invalid.__cause__, OSError):
            raise ConfigInvalid(f"no {what} there", str(path), fix) from invalid
        raise
    raw = yaml_file.parsed(text, str(path))
    why = plain(raw, also=(date,))  # dbt, unlike sluice.yml, reads a date as one
    if why:
        raise ConfigInvalid(why, str(path), "write it as plain text, numbers, lists and keys")
    if not isinstance(raw, dict):
        raise ConfigInvalid(f"is not a {what}", str(path), fix)
    return cast(dict[str, Any], raw)


def load(
    project: Path,
    environ: Mapping[str, str],
    *,
    folder: Path | None = None,
    variables: Mapping[str, Any] | None = None,
    home: Path | None = None,
) -> Profile:
    """Read the profile of the dbt project in `project`, looked for where dbt looks (dbt docs, "profiles.yml"): in `home`, the
    folder where people run dbt (None: the project's), and, since they may name it by an option, in the project's.

    A relative path of a target starts at `home`.

    Raises ConfigInvalid when the project or the profile is missing or broken.
    """
    described = read_yaml(
        project / "dbt_project.yml", "dbt project", "name its folder in sluice.yml: project: path/to/it"
    )
    name = str(_rendered(described.get("profile"), environ, dict(variables or {}), str(project)) or "")
    if not name:
        raise ConfigInvalid("names no profile", str(project / "dbt_project.yml"), "add to it: profile: NAME")
    file = _find([home or project, project], environ, folder)
    profiles = read_yaml(
        file, "profiles.yml", f"dbt needs a profile {name!r} there: see docs/configuration.md"
    )
    if name not in profiles:
        names = ", ".join(sorted(str(key) for key in profiles if key != "config")) or "none"
        raise ConfigInvalid(
            f"has no profile {name!r} (it has: {names})",
            str(file),
            "add it, or mend `profile:` in dbt_project.yml",
        )
    own_variables = dict(variables or {})
    outputs = _outputs(profiles[name], file)
    default = _rendered(profiles[name].get("target"), environ, own_variables, str(file))
    return Profile(name, file, str(default or "default"), outputs, home or project, environ, own_variables)


def _outputs(profile: Any, file: Path) -> Mapping[str, Mapping[str, Any]]:
    outputs: Any = cast(dict[str, Any], profile).get("outputs") if isinstance(profile, dict) else None
    if isinstance(outputs, dict) and all(
        isinstance(output, dict) for output in cast(dict[str, Any], outputs).values()
    ):
        return cast(dict[str, dict[str, Any]], outputs)
    raise ConfigInvalid(
        "a profile holds `target` and `outputs`, each output with its keys", str(file), "mend it there"
    )


def _find(places: Sequence[Path], environ: Mapping[str, str], folder: Path | None) -> Path:
    if folder is not None:
        return folder / "profiles.yml"
    if environ.get("DBT_PROFILES_DIR"):
        return Path(environ["DBT_PROFILES_DIR"]) / "profiles.yml"
    files = (place / "profiles.yml" for place in (*places, Path.home() / ".dbt"))
    return next((file for file in files if file.is_file()), Path.home() / ".dbt" / "profiles.yml")


def _rendered(value: Any, environ: Mapping[str, str], variables: Mapping[str, Any], place: str) -> Any:
    if isinstance(value, dict):
        pairs = cast(dict[str, Any], value)
        return {key: _rendered(entry, environ, variables, place) for key, entry in pairs.items()}
    if isinstance(value, list):
        return [_rendered(entry, environ, variables, place) for entry in cast(list[Any], value)]
    if isinstance(value, str) and ("{{" in value or "{%" in value):
        return _jinja(value, environ, variables, place)
    return value


def _jinja(text: str, environ: Mapping[str, str], variables: Mapping[str, Any], place: str) -> Any:
    from jinja2 import Environment, StrictUndefined

    def env_var(name: str, default: str | None = None) -> str:
        setting = environ.get(name, default)
        if setting is None:
            raise ConfigInvalid(
                f"environment variable {name!r} is not set", place, f"set it: export {name}=..."
            )
        return setting

    def var(name: str, default: Any = None) -> Any:
        return variables.get(name, default)

    # All we read are texts (type, path, schema); dbt makes numbers of what it needs itself.
    engine = Environment(undefined=StrictUndefined)
    engine.filters.update({"as_bool": _as_is, "as_number": _as_is, "as_native": _as_is, "as_text": str})
    with parsing("cannot be rendered", place, "mend the Jinja there", ConfigInvalid):
        return engine.from_string(text).render(env_var=env_var, var=var)


def _as_is(value: Any) -> Any:
    return value
