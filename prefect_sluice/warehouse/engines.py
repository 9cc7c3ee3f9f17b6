"""The engines: what serves, by the `type` of a target in profiles.yml, and what SQL is known, by sqlglot's name of it."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.warehouse.adapter import Adapter
from prefect_sluice.warehouse.duckdb.adapter import DuckDBAdapter
from prefect_sluice.warehouse.duckdb.functions import DUCKDB
from prefect_sluice.warehouse.functions import Functions
from prefect_sluice.warehouse.postgres.functions import POSTGRES

ADAPTERS: Mapping[str, Adapter] = {adapter.type: adapter for adapter in (DuckDBAdapter(),)}
"""The engines that can serve. A new one is a folder beside this module, and a row."""

ENGINES: Mapping[str, Functions] = {"duckdb": DUCKDB, "postgres": POSTGRES}
"""The engines whose SQL is known."""

ASSUMED = "duckdb"
"""The engine where no warehouse is asked: `sluice init`, and `sluice lint` in a working tree."""
LIBRARIES = frozenset(engine.library for engine in ENGINES.values()) - {""}
"""The packages that are an engine: another major version of one may give other rows."""


def functions(dialect: str) -> Functions:
    """Return the functions of an engine. Raises BadInput for one that is not known here."""
    if dialect not in ENGINES:
        raise BadInput(f"engine {dialect!r} is not known", fix=f"known are: {', '.join(ENGINES)}")
    return ENGINES[dialect]
