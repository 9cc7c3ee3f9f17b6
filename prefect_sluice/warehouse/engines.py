"""The engines that are known, by sqlglot's name of their SQL."""

from __future__ import annotations

from collections.abc import Mapping

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.warehouse.duckdb.functions import DUCKDB
from prefect_sluice.warehouse.functions import Functions
from prefect_sluice.warehouse.postgres.functions import POSTGRES

ENGINES: Mapping[str, Functions] = {"duckdb": DUCKDB, "postgres": POSTGRES}

ASSUMED = "duckdb"
"""The engine where no warehouse is asked: `sluice init`, and `sluice lint` in a working tree."""
LIBRARIES = frozenset(engine.library for engine in ENGINES.values()) - {""}
"""The packages that are an engine: another major version of one may give other rows."""


def functions(dialect: str) -> Functions:
    """Return the functions of an engine. Raises BadInput for one that is not known here."""
    if dialect not in ENGINES:
        raise BadInput(f"engine {dialect!r} is not known", fix=f"known are: {', '.join(ENGINES)}")
    return ENGINES[dialect]
