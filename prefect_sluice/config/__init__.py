"""sluice.yml: its sections, its policy, and how it is read. What is handed on here is public: gates build on `Gate`."""

from prefect_sluice.config.model import (
    FILE,
    PRODUCTION,
    Config,
    EnvironmentPolicy,
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
