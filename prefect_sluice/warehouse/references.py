"""Which of the known relations a query reads, as far as a parser can tell. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import References

Reads = Callable[[str], References | None]
"""A linker's `references`: what a query reads, None where the parser cannot tell."""


def read_by(sql: str, addresses: Mapping[Name, Name], reads: Reads) -> frozenset[Name]:
    """Return which of the relations in `addresses` (by folded name) a query reads."""
    references = reads(sql)
    if references is not None:
        return frozenset(addresses[name.folded] for name in references.relations if name.folded in addresses)
    text = sql.lower()
    return frozenset(name for key, name in addresses.items() if key.identifier.replace('"', '""') in text)
