"""sluice.yml: its sections, its policy, and how it is read. What is handed on here is public: gates build on `Gate`."""

from prefect_sluice.config.environments import PRODUCTION, EnvironmentPolicy
from prefect_sluice.config.model import (
    FILE,
    Config,
    Exemption,
    GateSettings,
    Model,
    SourceVersion,
    expectations,
    find,
    json_schema,
    load,
    parse,
)

Gate = GateSettings
"""The name under which gates outside this repository know their settings."""

__all__ = [
    "FILE",
    "PRODUCTION",
    "Config",
    "EnvironmentPolicy",
    "Exemption",
    "Gate",
    "GateSettings",
    "Model",
    "SourceVersion",
    "expectations",
    "find",
    "json_schema",
    "load",
    "parse",
]
