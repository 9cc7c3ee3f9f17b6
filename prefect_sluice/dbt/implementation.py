"""Which dbt answers behind the port: dbt-core, in a process that is shut in or in this one. The only
door to `core/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect_sluice.dbt.core.warehouse_session import DbtConnector
    from prefect_sluice.dbt.port import DbtProject
    from prefect_sluice.dbt.profile import Target
    from prefect_sluice.dbt.session import Session

_BRINGS = (
    "attach", "config_options", "extensions", "filesystems", "motherduck_token", "plugins", "secrets", "settings",
    "use_credential_provider",
)  # fmt: skip
"""Keys of a target that change what a connection sees or how it answers."""


def parse(session: Session) -> DbtProject:
    """Return the parsed project. Raises DbtFailed when it does not parse."""
    if session.rights is None:
        from prefect_sluice.dbt.core.project import CoreProject

        return CoreProject.parsed(session)
    from prefect_sluice.dbt.shut_in_project import ShutInProject

    return ShutInProject(session, session.rights)


def get_ready(isolation: str) -> None:
    """Have the process load that dbt is asked in by this policy, while something else is done. Repeatable."""
    if isolation != "off":
        from prefect_sluice.dbt.shut_in_project import WORKER
        from prefect_sluice.isolation.warm import warm

        warm(WORKER).start()


def connector(target: Target, home: Path, variables: Mapping[str, Any]) -> DbtConnector | None:
    """Return what opens database files as dbt does; None where the profile brings nothing but a path."""
    if not any(target.raw.get(key) for key in _BRINGS):
        return None
    from prefect_sluice.dbt.core.warehouse_session import DbtConnector

    return DbtConnector(target, home, variables)
