"""The variables that a parsed project uses, with their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints, own_hooks
from prefect_sluice.domain.build_conditions import setting_text

NOT_SET = "not set"


def used(prints: Fingerprints) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the values of the dbt variables, and of the environment variables, that models, hooks and operations read.

    A value that by its name may be a secret is replaced by its digest.
    """
    variables: set[str | None] = set()
    environ: set[str | None] = set()
    for node in prints.manifest.nodes.values():
        if node.resource_type.value in {"model", "snapshot", "operation"}:
            hooks = prints.macros.reach(own_hooks(node))
            for asks in (prints.reach(node).asks, hooks.asks):
                variables |= asks.variables
                environ |= asks.environ
    settings = prints.settings
    named = set(settings.variables) if None in variables else set[str]()
    values_by_name = {
        name: settings.said(name) for name in named | {one for one in variables if one is not None}
    }
    given = {one: settings.environ.get(one, NOT_SET) for one in environ if one is not None}
    return (
        {name: _shown(name, values) for name, values in values_by_name.items()},
        {name: setting_text(name, value) for name, value in given.items()},
    )


def _shown(name: str, values: list[Any]) -> str:
    if not values:
        return NOT_SET
    return setting_text(name, values[0] if len(values) == 1 else values)
