"""Targets of statements in a template: which relations a hook or macro writes to, as far as its text says. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prefect_sluice.dbt.texts.template_text import pieces
from prefect_sluice.sql.side_effects import ANY, SOURCE, EffectType, has_hint, writes

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DIALECT = "duckdb"


def targets_of(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the parts of each relation's name that a text writes to, in lower case; none where they are not known."""
    if not has_hint(text):
        return
    texts = pieces(text)
    if texts is None:
        yield ()
        return
    for piece in texts:
        statements = writes(piece, _DIALECT)
        if statements is None:
            yield ()
            continue
        for write in statements:
            if write.does is EffectType.WRITES:
                parts = tuple(part.lower() for part in write.target)
                yield () if any(ANY in part for part in parts) else parts


def sources_named(part: str, manifest: Manifest) -> list[tuple[str, str]] | None:
    """Return schema and identifier, in lower case, of each source that the last part of a target may mean; None where it is
    no `source(…)`."""
    if not part.startswith(SOURCE):
        return None
    name = part.removeprefix(SOURCE)
    return [
        (str(source.schema).lower(), str(source.identifier).lower())
        for source in manifest.sources.values()
        if str(source.name).lower() == name
    ]
