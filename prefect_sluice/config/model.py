"""sluice.yml: every key has a default, an unknown key is an error that names the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from prefect_sluice.config import yaml_file
from prefect_sluice.config.approvals import Approvals
from prefect_sluice.config.base import Duration, Section
from prefect_sluice.config.environments import EnvironmentPolicy, KeepSettings, is_pattern, refuse_other_keys
from prefect_sluice.config.expected_change import Expectation
from prefect_sluice.config.key_problems import in_words
from prefect_sluice.config.openlineage import OpenLineageSettings
from prefect_sluice.config.refreshes import Refreshing
from prefect_sluice.config.schedules import CronSchedule, IntervalSchedule, Poll, Schedules
from prefect_sluice.domain.errors import ConfigInvalid

FILE = "sluice.yml"


class Exemption(Section):
    """What one gate is to let pass for a while."""

    node: str = Field(
        min_length=1, description="The model, seed, snapshot or file it is for; * and ? stand for any."
    )
    check: str = Field(default="*", description="The check it is for; * and ? stand for any.")
    reason: str = Field(min_length=1, description="Why; it stands in every report.")
    until: date = Field(
        description="The last day (UTC) it holds, as 2026-12-24; after it, the gate blocks again."
    )


class GateSettings(Section):
    """One gate's settings; the gate's own page says what else it takes."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    keeps_time: ClassVar[bool] = False
    """Whether the gate itself ends what takes longer than its time-out: what runs in another process."""
    gone: ClassVar[Mapping[str, str]] = {}
    """Keys that the gate took once, each with what to do about it."""

    on: Literal["block", "warn", "off"] = Field(
        default="block",
        description="What a no does: block the release, only warn, or the gate does not run at all.",
    )
    exceptions: tuple[Exemption, ...] = Field(
        default=(), alias="except", description="What is let pass for a while, with a reason and a last day."
    )
    timeout: Duration | None = Field(
        default=None,
        description="How long the gate may take; one that takes longer could not tell, and holds.",
    )


def _inside(value: str) -> str:
    # `..` may lead to another folder of the repository: where sluice.yml lies in it is known when it is checked out.
    if value.startswith("/"):
        raise ValueError(f"{value!r} leads out of the repository: name a path inside it")
    return value


class SourceSettings(Section):
    """What Source takes from the repository."""

    include: tuple[Annotated[str, AfterValidator(_inside)], ...] = Field(
        default=(),
        description="Paths that git does not track and the project reads (data folders); they are linked into the checkout.",
    )


class BuildSettings(Section):
    """What the code of a change may do while dbt runs it, beside reading its checkout and what serves, and building."""

    network: bool = Field(
        default=False,
        description="Whether it may reach other processes, of this machine and of others: for `httpfs`, `s3://`, databases "
        "that are attached over the network.",
    )
    may_read: tuple[str, ...] = Field(
        default=(),
        description="Absolute paths of files and folders that it reads, beside those of `source.include` and of the profile.",
    )
    may_write: tuple[str, ...] = Field(
        default=(),
        description="Absolute paths of files and folders that it writes to: where hooks and `external` models put files, "
        "databases that the profile attaches and hooks change. What it does there is not taken back.",
    )
    env: tuple[str, ...] = Field(
        default=(),
        description="Environment variables that it sees beside those of the profile and those that it reads with `env_var`. By "
        "these names even secrets are given to it.",
    )


class WarehouseSettings(Section):
    """How the served warehouse is treated."""

    store: str = Field(
        default="sluice_store",
        pattern=r"^[a-z_][a-z0-9_]*$",
        description="The schema that holds the physical relations.",
    )
    patience: Duration = Field(
        default=timedelta(seconds=5),
        description="How long to try again while another process holds the warehouse file.",
    )
    publish: Literal["auto", "in_place", "copy"] = Field(
        default="auto",
        description="How a publish gets into the file: `in_place` locks readers out while it lasts, `copy` changes a copy "
        "and puts it in its place, `auto` copies where a reader holds the file or would wait longer than `lock`.",
    )
    lock: Duration = Field(
        default=timedelta(seconds=2),
        description="How long a publish may lock readers out before `auto` takes a copy.",
    )
    old_names: Duration = Field(
        default=timedelta(days=30),
        description="How long the old name of a renamed relation stays as a view over it, in days from the publish on; "
        "`0d`: not at all.",
    )
    reread: Duration = Field(
        default=timedelta(seconds=2),
        description="For how long Monitor reads again what is served, after each publish and once an hour, by turns, to see "
        "that it holds what was published. One relation is read whatever it takes; `0s`: none.",
    )
    reread_parents: bool = Field(
        default=True,
        description="Whether what a release builds on without building it anew is read again first, where somebody else wrote "
        "to the file since, to see that it holds what was published.",
    )


class SourceVersion(Section):
    """How the version of a source is found: by all its rows, or by something cheaper that cannot see everything."""

    version: Literal["content", "loaded_at", "rows", "file", "declared"] = Field(
        default="content",
        description="content: a digest over all rows. loaded_at: rows, and the newest of dbt's loaded_at_field. rows: rows, "
        "and the largest of `column`. file: size and time of the files. declared: what `query`, `table` or `file` says.",
    )
    column: str = Field(default="", description="For rows: the column whose largest value counts.")
    query: str = Field(default="", description="For declared: a query whose rows are the version.")
    table: str = Field(default="", description="For declared: a relation whose rows are the version.")
    file: str = Field(
        default="",
        description="For declared: a file whose bytes are the version. For file: a pattern of the files that a relation "
        "reads. Relative to sluice.yml.",
    )

    @model_validator(mode="after")
    def _whole(self) -> SourceVersion:
        given = {key for key in ("column", "query", "table", "file") if getattr(self, key)}
        may = _NEEDED[self.version]
        if given - may:
            raise ValueError(f"version: {self.version} takes no {min(given - may)!r}")
        if may and self.version != "file" and len(given) != 1:
            raise ValueError(f"version: {self.version} needs one of: {', '.join(sorted(may))}")
        return self


_NEEDED: dict[str, frozenset[str]] = {
    "content": frozenset(),
    "loaded_at": frozenset(),
    "rows": frozenset({"column"}),
    "file": frozenset({"file"}),
    "declared": frozenset({"query", "table", "file"}),
}


class Model(Section):
    """What Sluice does with one model."""

    forward_only: bool = Field(
        default=False,
        description="Its code changed: an incremental model keeps its rows, and the new code adds to them.",
    )


class Config(Section):
    """The whole file."""

    project: str = Field(default=".", description="The dbt project's folder, relative to this file.")
    profiles: str | None = Field(
        default=None,
        description="The folder of profiles.yml. Default: DBT_PROFILES_DIR, the project's folder, ~/.dbt.",
    )
    working_directory: str | None = Field(
        default=None,
        description="The folder in which dbt is called, relative to this file: relative paths of the project's SQL, hooks and "
        "profile start there. Default: the dbt project's folder.",
    )
    state: str = Field(
        default=".sluice/state.db",
        description="The state store: a path relative to this file, or an SQLAlchemy URL (postgresql+psycopg://...).",
    )
    bundles: str = Field(
        default=".sluice/bundles",
        description="The bundle store: a folder relative to this file, or an fsspec URL.",
    )
    default_environment: str | None = Field(
        default=None,
        description="Where `sluice release` goes without --env. Default: the environment of the profile's default target.",
    )
    environments: dict[str, EnvironmentPolicy] = Field(
        default_factory=dict[str, EnvironmentPolicy],
        description="The environments, in order, production last. Default: one for each DuckDB target of the profile.",
    )
    gates: dict[str, GateSettings] = Field(
        default_factory=dict[str, GateSettings], description="Settings by gate id."
    )
    expect: tuple[Expectation, ...] = Field(
        default=(),
        description="Changes in the data that the commit means to make. Read from the commit, not from the working tree; what "
        "stood there in the release that serves is spent.",
    )
    vars: dict[str, Any] = Field(default_factory=dict[str, Any], description="dbt variables, as --vars.")
    source: SourceSettings = Field(
        default_factory=SourceSettings, description="What Source takes from the repository."
    )
    build: BuildSettings = Field(
        default_factory=BuildSettings, description="What the code of a change may do while dbt runs it."
    )
    sources: dict[str, SourceVersion] = Field(
        default_factory=dict[str, SourceVersion],
        description="How the versions of sources are found, by schema.relation or the path of a file; * and ? stand for any.",
    )
    models: dict[str, Model] = Field(
        default_factory=dict[str, Model], description="What is done with single models, by name."
    )
    warehouse: WarehouseSettings = Field(
        default_factory=WarehouseSettings, description="How the served warehouse is treated."
    )
    approvals: Approvals = Field(
        default_factory=Approvals, description="Which files or git refs may carry an approval."
    )
    schedules: Schedules = Field(
        default_factory=Schedules, description="When a Prefect server starts what by itself."
    )
    openlineage: OpenLineageSettings | None = Field(
        default=None,
        description="Who is told, as events of OpenLineage, what was built and published; nobody by default.",
    )
    notify: str = Field(
        default="",
        pattern=r"^([a-z0-9-]+/[^/\s]+)?$",
        description="The Prefect notification block that hears of failed and late runs, as type/name: slack-webhook/oncall.",
    )

    @property
    def served(self) -> Mapping[str, EnvironmentPolicy]:
        """The environments that are named, in order: those to which something is released."""
        return {name: policy for name, policy in self.environments.items() if not is_pattern(name)}

    @property
    def previews(self) -> Mapping[str, EnvironmentPolicy]:
        """The patterns of previews, in order."""
        return {name: policy for name, policy in self.environments.items() if is_pattern(name)}

    @field_validator("environments")
    @classmethod
    def _previews(cls, environments: dict[str, EnvironmentPolicy]) -> dict[str, EnvironmentPolicy]:
        named = [name for name in environments if not is_pattern(name)]
        for name, policy in environments.items():
            refuse_other_keys(name, policy, named)
        return environments


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of sluice.yml, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sluice.yml", **schema}


def find(start: Path) -> Path:
    """Return the nearest sluice.yml in `start` or above it, within its repository. Raises ConfigInvalid when there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if (folder / ".git").exists():
            break  # what lies above belongs to somebody else
    raise ConfigInvalid(f"no {FILE} here or in any folder above", str(start), "make one: sluice init")


def load(path: Path) -> Config:
    """Read a sluice.yml. Raises ConfigInvalid with file, key and problem in one line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigInvalid(
            f"cannot be read ({error.__class__.__name__})", str(path), "is it a text file?"
        ) from error
    return parse(text, str(path))


def parse(text: str, where: str) -> Config:
    """Return what the text of a sluice.yml says. Raises ConfigInvalid; `where` names the file."""
    return _validated(yaml_file.read(text, where), where)


def expectations(text: str, where: str) -> tuple[Expectation, ...]:
    """Return what the text of a sluice.yml expects, whatever else it says. Raises ConfigInvalid; `where` names the file."""
    raw = yaml_file.read(text, where)
    return _validated({"expect": raw["expect"]}, where).expect if raw.get("expect") else ()


def _validated(raw: dict[str, Any], path: str) -> Config:
    try:
        return Config.model_validate(_filled(raw))
    except ValidationError as error:
        first: Any = error.errors()[0]
        section = first["loc"] if first["type"] == "model_type" else first["loc"][:-1]
        wrong = in_words(first, _known_keys(section))
        raise ConfigInvalid(wrong, f"{path}: {_key(first)}", "see docs/configuration.md") from error


def _filled(raw: dict[str, Any]) -> dict[str, Any]:
    """Read a key with nothing behind it (`environments:` with `dev:` alone in it) as one that is left at its default."""
    known = {key: value for key, value in raw.items() if value is not None}
    for key in ("environments", "gates", "sources", "models"):
        if isinstance(known.get(key), dict):
            known[key] = {name: {} if value is None else value for name, value in known[key].items()}
    return known


def _key(problem: Any) -> str:
    return ".".join(str(part) for part in problem["loc"])


def _known_keys(where: tuple[Any, ...]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "approvals": Approvals,
        "environments": EnvironmentPolicy,
        "expect": Expectation,
        "gates": GateSettings,
        "models": Model,
        "openlineage": OpenLineageSettings,
        "source": SourceSettings,
        "schedules": Schedules,
        "sources": SourceVersion,
        "warehouse": WarehouseSettings,
    }
    model = sections.get(str(where[0]), Config) if where else Config
    if where and model is EnvironmentPolicy:
        model = {"keep": KeepSettings, "refresh": Refreshing}.get(str(where[-1]), model)
    if model is Schedules and len(where) > 1:
        model = {"release": Poll, "refresh": CronSchedule, "collect": CronSchedule}.get(
            str(where[1]), IntervalSchedule
        )
    return list(model.model_fields)
