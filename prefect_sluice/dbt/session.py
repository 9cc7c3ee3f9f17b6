"""Where and how dbt runs for one environment: folders, target, variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect_sluice.dbt.profile import Target
from prefect_sluice.isolation.sandbox import Rights
from prefect_sluice.warehouse.candidate_place import CandidatePlace

ADDRESSES = (
    "http://", "https://", "s3://", "s3a://", "s3n://", "gs://", "gcs://", "r2://", "az://", "azure://", "abfs://", "abfss://",
    "hf://",
)  # fmt: skip
"""How addresses in a network begin that DuckDB reads from and writes to."""


@dataclass(frozen=True, slots=True)
class Session:
    """Where and how dbt runs. `project` is the project's folder in the checkout, `home` where its own files are
    resolved (the folder a user would run dbt in), `work` a folder of ours that keeps the parse state between releases,
    `place` where the candidate is built. `live` is the served one, attached read-only if it exists: the target's, unless another
    is named. `environ` are the environment variables that the project may read. `rights` are what its code is given that
    runs in a process of its own; None: it runs in this one."""

    target: Target
    project: Path
    home: Path
    work: Path
    place: CandidatePlace
    variables: Mapping[str, Any]
    working_directory: Path | None = None
    live: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    rights: Rights | None = None

    @property
    def side(self) -> Path:
        """The side database's file, which dbt-duckdb builds in."""
        assert self.place.file is not None
        return self.place.file

    @property
    def cwd(self) -> Path:
        """The folder in the checkout where dbt runs: the project's, where no other is said."""
        return self.working_directory or self.project

    @property
    def readable(self) -> tuple[str, ...] | None:
        """What views of the candidate may read, by paths, and by how addresses begin where the network may be reached: what the
        project's code may; None where that is not held to anything."""
        if self.rights is None:
            return None
        places = (self.work, *self.rights.read, *self.rights.write)
        return (*(str(place.absolute()) for place in places), *(ADDRESSES if self.rights.network else ()))

    @property
    def outputs(self) -> Path:
        """The folder of files that dbt-duckdb's `external` models write; nobody reads them after the build."""
        return self.work / "external"
