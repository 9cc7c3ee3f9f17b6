"""Facts from the compiled text of a node: what it reads, its digest, its calls of the clock, and its shape. Cached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Linker, References, together

if TYPE_CHECKING:
    from prefect_sluice.sql.columns.shape import Shape

_AT_HOME = '"the home database"'
"""What stands in a digest for the served database's own name: its file may be copied and renamed."""


@dataclass(frozen=True, slots=True)
class CompiledFacts:
    """About one node's compiled text. `references` is None where the parser cannot tell; `code` is the digest of the
    canonical text, or texts: an incremental model has two; `volatile` as in Node; `shapes` are those of the texts, none
    of them where one is in `doubt`, a few words for what nothing could be proven of."""

    references: References | None = None
    code: str = ""
    volatile: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    doubt: str = "it could not be compiled ahead"


def facts(texts: Sequence[str], linker: Linker, dialect: str, catalog: str) -> CompiledFacts:
    """Return the facts of one node's texts: one text, or for an incremental model its first and its later one. Pure."""
    from prefect_sluice.sql.canonical import canonical
    from prefect_sluice.sql.clock_and_chance import volatile
    from prefect_sluice.sql.columns.shape import doubt, shape

    read = [linker.references(text) for text in texts]
    shapes = [shape(text, dialect, catalog) for text in texts]
    return CompiledFacts(
        references=_together(read),
        code=digest([canonical(_at_home(text, catalog), dialect) for text in texts]),
        volatile=tuple(sorted({word for text in texts for word in volatile(text, dialect)})),
        shapes=tuple(query_shape for query_shape in shapes if query_shape) if all(shapes) else (),
        doubt=next(
            (
                doubt(text, dialect, catalog)
                for text, query_shape in zip(texts, shapes, strict=True)
                if not query_shape
            ),
            "",
        ),
    )


def _at_home(text: str, catalog: str) -> str:
    """Return the text with the database's own name, as dbt writes it before a schema, replaced by a mark."""
    return re.sub(rf'"{re.escape(catalog)}"(?=\."(?:[^"]|"")+"\.")', _AT_HOME, text, flags=re.IGNORECASE)


def _together(read: Iterable[References | None]) -> References | None:
    references = list(read)
    readable = [reference for reference in references if reference is not None]
    return together(readable) if len(readable) == len(references) else None


def to_json(facts: CompiledFacts) -> Json:
    """Return facts as JSON, for the cache."""
    from prefect_sluice.sql.columns import shape

    read = facts.references
    return {
        "reads": None
        if read is None
        else [
            [str(name) for name in read.relations],
            [*read.files],
            [*read.elsewhere],
            read.by_name,
            read.everything,
        ],
        "code": facts.code,
        "volatile": [*facts.volatile],
        "shapes": [shape.to_json(one) for one in facts.shapes],
        "doubt": facts.doubt,
    }


def from_json(value: Any) -> CompiledFacts:
    """Read what `to_json` wrote."""
    from prefect_sluice.sql.columns import shape

    reads = value["reads"]
    references = None
    if reads is not None:
        relations, files, elsewhere, by_name, everything = reads
        names = tuple(Name.parse(text) for text in relations)
        references = References(names, tuple(files), tuple(elsewhere), by_name, everything)
    shapes = tuple(shape.from_json(one) for one in value["shapes"])
    return CompiledFacts(references, value["code"], tuple(value["volatile"]), shapes, value["doubt"])
