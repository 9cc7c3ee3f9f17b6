"""sluice.yml: its sections, its policy, and how it is read. What is handed on here is public: gates build on `Gate`."""

from prefect_sluice.config.model import (
    FILE,
    PRODUCTION,
    Config,
    Environment,
    Exemption,
    Gate,
    Model,
    SourceVersion,
    expectations,
    find,
    json_schema,
    load,
    parse,
)

__all__ = [
    "FILE",
    "PRODUCTION",
    "Config",
    "Environment",
    "Exemption",
    "Gate",
    "Model",
    "SourceVersion",
    "expectations",
    "find",
    "json_schema",
    "load",
    "parse",
]
