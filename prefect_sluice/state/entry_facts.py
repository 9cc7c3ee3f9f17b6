"""A fact of a ledger entry as SQL. An index over one finds the entries about a promotion, in whatever year they were written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class EntryFact(ColumnElement[str]):
    """The fact `name` of an entry, as text; null where the entry has none, or its facts are no JSON.

    Spelled without parameters: a database uses an index for the very expression that it was made with.
    """

    inherit_cache = True
    type = Text()

    def __init__(self, name: str) -> None:
        """Name the fact: one of ours, never anybody's input."""
        self.name = name


@compiles(EntryFact)
def _sqlite(element: EntryFact, _compiler: SQLCompiler, **_: Any) -> str:
    return f"(CASE WHEN json_valid(facts) THEN json_extract(facts, '$.{element.name}') END)"


@compiles(EntryFact, "postgresql")
def _postgresql(element: EntryFact, _compiler: SQLCompiler, **_: Any) -> str:
    # As text: a cast to JSON would raise for what somebody put there, and whoever reads must be told which entry that is.
    return f"""(substring(facts from '"{element.name}":"([^"]*)"'))"""
