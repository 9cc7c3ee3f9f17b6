"""The Prefect deployments as a prefect.yaml, for teams that apply theirs with Prefect's own command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from prefect_sluice.config.schedules import Schedules
from prefect_sluice.deployments.catalog import POOL, ROWS, DeploymentRow, Timing, timing
from prefect_sluice.planning.choices import FormChoices

_LATER = FormChoices(("{{ $SLUICE_ENVIRONMENT }}",))
"""What is not known before somebody applies the file: which environment people read."""

FILE = Path(__file__).with_name("prefect.yaml")

_HEAD = """\
# Written by prefect_sluice.deployments.prefect_yaml from its catalog; a test compares. For teams that use Prefect's own command:
#
#   SLUICE_FOLDER=/srv/shop SLUICE_ENVIRONMENT=prod SLUICE_VERSION=0.1.0 prefect deploy --all --prefect-file prefect.yaml
#
# SLUICE_FOLDER is the folder that holds sluice.yml, where the workers are; SLUICE_ENVIRONMENT is refreshed each night. The
# schedules are the ones that sluice.yml has when it says nothing. Forms made this way have no drop-downs: what there is to
# choose from is the project's, and `sluice up --only deployments` asks it.
"""


def text() -> str:
    """Return the text of prefect.yaml."""
    return _HEAD + yaml.dump(document(), sort_keys=False, allow_unicode=True, width=120)


def document() -> dict[str, Any]:
    """Return what prefect.yaml says. No folder and no address is in it: they come from the environment."""
    return {
        "name": "sluice",
        # Not left out, nor null: Prefect would have runs change into the folder of whoever deployed it.
        "pull": [],
        "deployments": [_deployment(row) for row in ROWS],
    }


def write(file: Path = FILE) -> None:
    """Write prefect.yaml anew. Safe to repeat."""
    file.write_text(text(), encoding="utf-8")


def _deployment(row: DeploymentRow) -> dict[str, Any]:
    when = timing(row, Schedules(), _LATER)
    return {
        "name": row.name,
        "entrypoint": row.entrypoint,
        "version": "{{ $SLUICE_VERSION }}",
        "description": row.description,
        "tags": list(row.tags),
        "parameters": {**row.parameters, "folder": "{{ $SLUICE_FOLDER }}"},
        "enforce_parameter_schema": True,
        "work_pool": {"name": POOL},
        "schedules": [_schedule(when)] if when else [],
        "pull": [],
    }


def _schedule(when: Timing) -> dict[str, Any]:
    by: dict[str, Any] = (
        {"cron": when.cron}
        if when.cron
        else {"interval": int(when.every.total_seconds()) if when.every else 0}
    )
    return {**by, "timezone": when.timezone, "slug": "sluice", "parameters": dict(when.parameters)}
