"""A DuckDB file opened as dbt opens it, with what the profile attaches, loads, sets, and holds secret; and let go of again."""

from __future__ import annotations

import contextlib
import gc
from argparse import Namespace
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect_sluice.dbt.core.cancellation import let_go
from prefect_sluice.dbt.profile import Target
from prefect_sluice.dbt.profile_paths import at_home
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.runtime import process
from prefect_sluice.runtime.redaction import concealed


@dataclass(frozen=True, slots=True)
class DbtConnector:
    """Opens files as dbt opens the warehouse of `target`; `home` is the folder where people run dbt. What is attached is
    read, never written."""

    target: Target
    home: Path
    variables: Mapping[str, Any]

    def __call__(self, path: Path, *, read_only: bool, config: Mapping[str, Any]) -> Any:
        """Return a connection. Raises DuckDB's errors, and ConfigInvalid for what dbt-duckdb itself cannot use."""
        creds = self._credentials()
        access = {"access_mode": "read_only"} if read_only else {}
        creds.path, creds.retries = str(path), None
        creds.config_options = {**config, **(creds.config_options or {}), **access}
        for attachment in creds.attach or ():
            attachment.read_only = True
            options: dict[str, Any] = dict(attachment.options or {})
            options.pop("read_only", None)
            attachment.options = options
        try:
            return self._translate_errors(lambda: _opened(creds))
        except BaseException as error:
            # Its frames hold a connection that nobody closes: what could not be attached keeps the file open.
            let_go(error)
            raise

    def _credentials(self) -> Any:
        from dbt import flags
        from dbt.config.profile import Profile
        from dbt.config.renderer import ProfileRenderer
        from dbt_common.context import set_invocation_context

        with contextlib.suppress(LookupError):
            set_invocation_context(process.environment())
        of_dbt: Any = flags
        if not hasattr(of_dbt.get_flags(), "LOG_CACHE_EVENTS"):  # no command of dbt's ran in this process yet
            of_dbt.set_from_args(Namespace(), {})
        settings = at_home(self.target.raw, self.target.settings, self.home)
        raw = {"target": self.target.name, "outputs": {self.target.name: settings}}

        def read() -> Any:
            renderer = ProfileRenderer(dict(self.variables))
            return Profile.from_raw_profile_info(
                raw, self.target.profile, renderer, target_override=self.target.name
            ).credentials

        return self._translate_errors(read)

    def _translate_errors(self, do: Any) -> Any:
        from dbt_common.exceptions import DbtBaseException

        try:
            return do()
        except (DbtBaseException, ImportError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ConfigInvalid(
                f"cannot be opened as dbt would: {concealed(first)}",
                f"profile {self.target.profile!r}, target {self.target.name!r}",
                "mend the profile",
            ) from None


def _opened(creds: Any) -> Any:
    from dbt.adapters.duckdb.environments import Environment

    environment: Any = Environment
    plugins = environment.initialize_plugins(creds)
    connection = environment.initialize_db(creds, plugins)
    try:
        return environment.initialize_cursor(creds, connection, plugins)
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def disconnected() -> Generator[None]:
    """Let go of the side database afterwards: dbt keeps it open for the life of the process."""
    gc.freeze()  # what is there already holds none of it, and need not be looked through: 0.2 s, each time
    try:
        yield
    finally:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        with contextlib.suppress(Exception):  # nothing was opened, or it is closed already
            DuckDBConnectionManager.close_all_connections()
        # The cursors of dbt's threads keep the file open until they are collected.
        gc.collect()
        gc.unfreeze()
