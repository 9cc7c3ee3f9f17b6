"""Expressions that each engine spells in its own SQL: hashes, types, estimates, digests, the list of relations.

What is asked of a warehouse elsewhere is SQL that all engines read alike, with these in it. An engine's own lie in its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import Reader


class TypeClass(StrEnum):
    """What the values of a type are, where that decides what can be asked of them."""

    WHOLE = "whole number"
    FLOAT = "float"
    DECIMAL = "decimal"
    WORD = "word"
    """Text, or one of a few values: how often each is there says what the column is like."""
    MOMENT = "moment"
    """A day, or a time on a day."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NestedFunctions:
    """How an engine looks into lists and structs; values and names are SQL expressions.

    `same_lists` takes two lists, the type of their elements, a name for a pair of these (its parts are `name[1]` and `name[2]`),
    and the condition that a pair has to meet; `list_text` a list, that type, a name for an element, and what is made of each;
    `texts` joins texts into one; `part` is the part of a struct by its name.
    """

    same_lists: Callable[[str, str, str, str, str], str]
    list_text: Callable[[str, str, str, str], str]
    texts: Callable[[Sequence[str]], str]
    part: Callable[[str, str], str]


def _no_sizes(_reader: Reader, _relations: Mapping[str, str]) -> dict[str, int]:
    return {}


@dataclass(frozen=True, slots=True)
class Functions:
    """What one engine calls what. Each function takes SQL expressions, or quoted relations, and returns SQL.

    `row_hash` of expressions is a 64-bit number, never NULL; `total` sums such numbers without overflow. `bucket` deals the
    values of an expression into so many parts, by a hash: the number of the part, from 0. `number_text` is a number's value as
    a text, the same for all types of numbers; `mean` asks for it as a float; `epoch` is a moment in seconds since 1970 in UTC.
    `estimate` counts distinct values by a sketch (None: the engine has none).

    `content` is a query of one row about a relation: numbers that are the same for the same rows in any order. `in_order` is a
    query of all rows of a relation, in an order that is the same each time.

    `types` says what a type is, `ordered` which others have a smallest and a largest value: by name in lower case, without size.
    `compared_as_text` says of a type in lower case that its values cannot be trusted to be hashed or compared as they are.
    `fold` makes names equal that the engine takes for the same.

    `sizes` returns bytes on disk of tables by key; views, and what the engine does not tell, are left out.
    `adapter` is the package of dbt's adapter, `library` that of the engine itself ("" where it is a server).
    """

    adapter: str
    library: str
    row_hash: Callable[[Sequence[str]], str]
    total: Callable[[str], str]
    bucket: Callable[[str, int], str]
    number_text: Callable[[str], str]
    mean: Callable[[str], str]
    epoch: Callable[[str], str]
    content: Callable[[str], str]
    in_order: Callable[[str], str]
    types: Mapping[str, TypeClass]
    ordered: frozenset[str]
    compared_as_text: Callable[[str], bool]
    fold: Callable[[str], str]
    estimate: Callable[[str], str] | None = None
    nested: NestedFunctions | None = None
    sizes: Callable[[Reader, Mapping[str, str]], dict[str, int]] = _no_sizes

    def type_class(self, type: str) -> TypeClass:
        """Return what a type is, in the engine's own spelling, with its size or without; a list is none that is known."""
        return self.types.get(_plain(type), TypeClass.OTHER)

    def is_number(self, type: str) -> bool:
        """Say whether values of a type have a mean."""
        return self.type_class(type) in {TypeClass.WHOLE, TypeClass.FLOAT, TypeClass.DECIMAL}

    def has_order(self, type: str) -> bool:
        """Say whether values of a type have a smallest and a largest."""
        return self.is_number(type) or _plain(type) in self.ordered

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of which a release keeps the versions, beside dbt's own."""
        return tuple(filter(None, (self.adapter, self.library)))


def _plain(type: str) -> str:
    """Return the name of a type alone: ranges and types of one's own are not taken for those whose name they begin with."""
    return "" if type.endswith("]") else " ".join(type.lower().partition("(")[0].split())


def finite(value: str) -> str:
    """Return the condition that a float is a number: not infinite, nor NaN, which is the largest for every engine we serve."""
    return f"abs({value}) < CAST('Infinity' AS DOUBLE PRECISION)"


_HERE = "where table_catalog = current_database()"
RELATIONS = f"select table_schema, table_name from information_schema.tables {_HERE} order by table_schema, table_name"
"""The query for schema and name of each relation of the database that is open, in order."""


def columns_of(schemas: Sequence[str] | None = None) -> str:
    """Return the query for schema, relation, column and type, in order: of what is in schemas, given in lower case, or (None) of
    all in the database that is open."""
    named = ", ".join("'" + schema.replace("'", "''") + "'" for schema in schemas or ()) or "''"
    there = _HERE if schemas is None else f"{_HERE} and lower(table_schema) in ({named})"
    return (
        f"select table_schema, table_name, column_name, data_type from information_schema.columns {there}"
        " order by table_schema, table_name, ordinal_position"
    )


def columns_by_name(reader: Reader) -> dict[Name, list[tuple[str, str]]]:
    """Return the columns of each relation of the database that is open, in order, with their types, by its name in lower case."""
    columns: dict[Name, list[tuple[str, str]]] = {}
    for schema, relation, column, kind in cast(
        "list[tuple[str, str, str, str]]", reader.query(columns_of()).rows
    ):
        columns.setdefault(Name(schema, relation).folded, []).append((column, kind))
    return columns
