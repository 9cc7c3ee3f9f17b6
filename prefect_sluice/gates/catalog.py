"""Which gates there are: ours, listed by hand in the order in which they are asked, then those of installed packages."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from prefect_sluice import config
from prefect_sluice.config.key_problems import in_words, unknown_key
from prefect_sluice.domain.counting import did_you_mean
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.gates.base import AUTHORS, VIEWS, Gate, views

GROUP = "prefect_sluice.gates"
"""The entry-point group by which a package adds gates: `id = "module:Class"`."""

_OURS = {
    "lint": "lint.gate:Lint",
    "safety": "safety.gate:Safety",
    "secrets": "secrets.gate:Secrets",
    "coverage": "coverage.gate:Coverage",
    "parity": "parity.gate:Parity",
    "project_tests": "project_tests.gate:ProjectTests",
    "unit_tests": "unit_tests.gate:UnitTests",
    "promises": "promises.gate:Promises",
    "build": "build.gate:Build",
    "data_tests": "data_tests.gate:DataTests",
    "contracts": "contracts.gate:Contracts",
    "diff": "diff.gate:Diff",
    "impact": "impact.gate:Impact",
    "budget": "budget.gate:Budget",
    "anomalies": "anomalies.gate:Anomalies",
}

GATES = tuple(_OURS)
"""The ids of our own gates, in the order in which they are asked."""

PERMIT = frozenset({"safety"})
"""The gates that judge, by its text alone, whether code of a change may run. They are asked before any of it does."""

READ_ONLY = PERMIT | {"lint", "secrets", "coverage", "parity"}
"""The gates that run nothing of a change. Any other one may, those of installed packages too."""


@cache
def gate_classes() -> Mapping[str, type[Gate]]:
    """Return every gate's class by its id. Raises ConfigInvalid for an installed one that cannot be used."""
    ours = {
        name: cast(type[Gate], getattr(import_module(f"prefect_sluice.gates.{module}"), kind))
        for name, (module, _, kind) in ((name, place.partition(":")) for name, place in _OURS.items())
    }
    return {**ours, **_theirs(ours)}


def _theirs(ours: Collection[str]) -> Mapping[str, type[Gate]]:
    found: dict[str, type[Gate]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        where = f"{point.value} (installed by {point.dist.name if point.dist else 'a package'})"
        fix = "mend or uninstall that package"
        if point.name in ours or point.name in found:
            raise ConfigInvalid(f"there are two gates {point.name!r}", where, fix)
        try:
            gate = point.load()
        except Exception as error:
            told = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            raise ConfigInvalid(f"gate {point.name!r} cannot be loaded ({told})", where, fix) from error
        missing = [name for name in ("id", "Settings", "check") if not hasattr(gate, name)]
        if missing or gate.id != point.name:
            wrong = f"has no {missing[0]!r}" if missing else f"calls itself {gate.id!r}"
            raise ConfigInvalid(f"gate {point.name!r} {wrong}", where, fix)
        strange = [name for name in views(gate) if name not in VIEWS]
        if strange:
            raise ConfigInvalid(f"the check of gate {point.name!r} asks for {strange[0]!r}", where, AUTHORS)
        found[point.name] = cast(type[Gate], gate)
    return found


def make_gates(settings: Mapping[str, config.GateSettings], *, of_candidate: bool) -> tuple[Gate, ...]:
    """Return the gates that look at a candidate, or those that do not, made from their settings, in the order in which they
    are asked.

    Raises ConfigInvalid for settings that a gate does not take.
    """
    return tuple(
        gate(_own(name, gate, settings.get(name)))  # pyright: ignore[reportCallIssue]  # a Protocol has no constructor
        for name, gate in gate_classes().items()
        if ("candidate" in views(gate)) is of_candidate
    )


def checked(settings: Mapping[str, config.GateSettings], file: str) -> None:
    """Raise ConfigInvalid for settings of a gate that there is none of, or that it does not take. `file` is where they stand."""
    for name, own in settings.items():
        if name not in gate_classes():
            what = "; ".join(filter(None, ("there is no such gate", did_you_mean(name, gate_classes()))))
            raise ConfigInvalid(what, f"{file}: gates.{name}", _FIX)
        for key, instead in gate_classes()[name].Settings.gone.items():
            if key in own.model_fields_set:
                raise ConfigInvalid("is no setting any more", f"{file}: gates.{name}.{key}", instead)
        _own(name, gate_classes()[name], own, file)


def settings_of(name: str, settings: Mapping[str, config.GateSettings]) -> config.GateSettings:
    """Return the settings of one of our gates, an object of its own class. Raises ConfigInvalid for what it does not take."""
    return _own(name, gate_classes()[name], settings.get(name))


_FIX = "see docs/gates"


def _own(
    name: str, gate: type[Gate], settings: config.GateSettings | None, file: str = config.FILE
) -> config.GateSettings:
    if settings is None:
        return gate.Settings()
    if isinstance(settings, gate.Settings):
        return settings
    # What was not said is not passed on: a gate has defaults of its own.
    # The policy that serves may hold a key of an older Sluice.
    gone = gate.Settings.gone
    said = {key: value for key, value in settings if key in settings.model_fields_set and key not in gone}
    unknown = [key for key in said if key not in gate.Settings.model_fields]
    if unknown:
        raise ConfigInvalid(
            unknown_key(unknown[0], gate.Settings.model_fields),
            f"{file}: gates.{name}.{unknown[0]}",
            f"see docs/gates/{name}.md",
        )
    try:
        return gate.Settings.model_validate(said)
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = f"{file}: " + ".".join(("gates", name, *(str(part) for part in first["loc"])))
        wrong = in_words(first, list(gate.Settings.model_fields))
        raise ConfigInvalid(wrong, where, f"see docs/gates/{name}.md") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of sluice.yml, for editors, with the keys of each of our own gates."""
    schema = config.json_schema()
    gates: dict[str, Any] = schema["properties"]["gates"]
    gates["properties"] = {}
    for name in GATES:
        own = gate_classes()[name].Settings.model_json_schema()
        schema["$defs"] |= own.pop("$defs", {})
        gates["properties"][name] = {**own, "additionalProperties": False}
    return schema


def write_schema(path: Path) -> None:
    """Write the JSON Schema beside the package; a test compares it with `json_schema()`."""
    path.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
