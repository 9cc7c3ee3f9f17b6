"""The blocks that hold what a run connects to: the warehouse, the state store and the bundle store.

Found by Prefect through the entry point `prefect.collections`, in servers and workers too: so this imports little.
"""

from __future__ import annotations

import json
import re

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field, SecretStr, field_validator

from prefect_sluice.workspace.workspace import BUNDLES, BUNDLES_OPTIONS, STATE

WAREHOUSE = "SLUICE_WAREHOUSE"
"""The environment variable that the path of a warehouse block is given as; a profile reads it with env_var."""

_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class SluiceWarehouse(Block):
    """What the dbt profile reads from the environment, for the time of a run."""

    _block_type_name = "Sluice Warehouse"
    _block_type_slug = "sluice-warehouse"
    _description = (
        "What profiles.yml reads with env_var(): the warehouse file, other variables, and passwords."
    )

    path: str = Field(
        default="",
        title="Warehouse file",
        description="Given to the run as SLUICE_WAREHOUSE. In profiles.yml: path: \"{{ env_var('SLUICE_WAREHOUSE') }}\"",
    )
    variables: dict[str, str] = Field(
        default_factory=dict,
        title="Variables",
        description="Environment variables for the run that anybody may see, by name.",
    )
    secrets: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        title="Secret variables",
        description="Environment variables for the run that nobody sees. Call them DBT_ENV_SECRET_...: dbt then hides them, too.",
    )

    @field_validator("variables")
    @classmethod
    def _check_variable_names(cls, value: dict[str, str]) -> dict[str, str]:
        return checked(value)

    def environment(self) -> dict[str, str]:
        """Return the variables for a run. Raises ValueError for a name that no variable can have."""
        path = {WAREHOUSE: self.path} if self.path else {}
        return {**path, **self.variables, **self.confidential()}

    def confidential(self) -> dict[str, str]:
        """Return those of them that nobody may see. Raises ValueError as `environment`."""
        return checked({str(name): str(value) for name, value in self.secrets.get_secret_value().items()})


class SluiceStateStore(Block):
    """Where the state store is, its password included."""

    _block_type_name = "Sluice State Store"
    _block_type_slug = "sluice-state-store"
    _description = "Where Sluice remembers: the state store's URL. It goes before `state` in sluice.yml."

    url: SecretStr = Field(
        title="URL",
        description="postgresql://user:password@host/database, or the path of a SQLite file. An @ in a password is written %40.",
    )

    def environment(self) -> dict[str, str]:
        """Return the variables for a run."""
        return {STATE: self.url.get_secret_value()}

    def confidential(self) -> dict[str, str]:
        """Return those of them that nobody may see: none as a whole, its password is known as one by its place in the URL."""
        return {}


class SluiceBundleStore(Block):
    """Where the files of releases are, and what opens that place."""

    _block_type_name = "Sluice Bundle Store"
    _block_type_slug = "sluice-bundle-store"
    _description = "Where releases are kept: an fsspec URL. It goes before `bundles` in sluice.yml."

    url: str = Field(
        title="URL",
        description="s3://bucket/folder or another fsspec URL, or the path of a folder. No password here: see Options.",
    )
    options: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        title="Options",
        description='What the file system is opened with, keys and passwords included: {"key": "...", "secret": "..."}',
    )

    def environment(self) -> dict[str, str]:
        """Return the variables for a run."""
        options = self.options.get_secret_value()
        return {BUNDLES: self.url, **({BUNDLES_OPTIONS: json.dumps(options)} if options else {})}

    def confidential(self) -> dict[str, str]:
        """Return what nobody may see, by its name: every option that is a text."""
        options = self.options.get_secret_value()
        return {str(name): value for name, value in options.items() if isinstance(value, str)}


BLOCKS: tuple[type[SluiceWarehouse | SluiceStateStore | SluiceBundleStore], ...] = (
    SluiceWarehouse,
    SluiceStateStore,
    SluiceBundleStore,
)
"""The kinds of connection that one name stands for; each may be missing."""


def checked(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables. Raises ValueError, without any value, for a name that no variable can have."""
    wrong = sorted(name for name in variables if not re.match(_NAME, name))
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: a variable's name has letters, digits and _ only")
    return variables


def register() -> None:
    """Tell the configured server of the kinds of block, so that its UI has forms for them. Repeatable."""
    for kind in BLOCKS:
        kind.register_type_and_schema()
