"""What a DuckDB query reads, and the same query reading physical addresses: both by DuckDB's own parser.

`json_serialize_sql` gives the syntax tree with the byte offset of every table name, so a query is edited in place
and keeps each character that is not a name. What it cannot serialize (PIVOT statements, several statements) is "cannot tell".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import duckdb

from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import References, quoted, together
from prefect_sluice.warehouse.duckdb.table_functions import called

_BARE = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\W\d][\w$]*)|\'((?:[^\']|\'\')*)\')')
_ANYTHING = References(elsewhere=("query()",), by_name=True, everything=True)
_DOT = re.compile(r"\s*\.")

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Table:
    """One name in FROM: its parts as written, where it stands (byte offset), and whether it has an alias."""

    parts: list[str]
    at: int
    aliased: bool


class DuckLinker:
    """The Linker of a database that bears the name `catalog`."""

    def __init__(self, catalog: str) -> None:
        """Parse for the database `catalog`."""
        self._catalog = catalog.lower()

    def references(self, sql: str) -> References | None:
        """See Linker."""
        tree = _parsed(sql)
        if tree is None:
            return None
        tables, calls = list(_tables(tree, frozenset())), called(tree)
        tables += [_Table(parts, 0, False) for parts in calls.named]
        inside = {name for table in tables if (name := self._name(table))}
        files = {_text(table) for table in tables if not self._name(table) and _is_file(table)}
        elsewhere = {_text(table) for table in tables if not self._name(table) and not _is_file(table)}
        own = References(
            tuple(sorted(inside)),
            tuple(sorted(files | calls.files)),
            tuple(sorted(elsewhere | calls.unknown)),
            bool(calls.named or calls.queries),
            calls.everything,
        )
        return together([own, *(self.references(text) or _ANYTHING for text in calls.queries)])

    def relink(self, sql: str, addresses: Mapping[Name, Name]) -> str | None:
        """See Linker."""
        tree = _parsed(sql)
        if tree is None or not called(tree).is_nothing:
            return None
        content = sql.encode()
        for table in sorted(_tables(tree, frozenset()), key=lambda table: -table.at):
            name, end = self._name(table), _end(content, table)
            if name is None or name not in addresses or end is None:
                return None
            alias = "" if table.aliased else " as " + quoted(table.parts[-1])
            address = addresses[name]
            content = (
                content[: table.at]
                + (quoted(address.schema, address.identifier) + alias).encode()
                + content[end:]
            )
        return content.decode()

    def _name(self, table: _Table) -> Name | None:
        parts = [part.lower() for part in table.parts]
        if _is_file(table) or len(parts) > 3 or (len(parts) == 3 and parts[0] != self._catalog):
            return None
        if len(parts) == 2 and parts[0] == self._catalog and parts[0] != "main":
            return Name("main", parts[1])
        return Name("main", parts[0]) if len(parts) == 1 else Name(parts[-2], parts[-1])


def _parsed(sql: str) -> Tree | None:
    with _parser().cursor() as cursor:
        ((text,),) = cursor.execute("select json_serialize_sql(?)", [sql]).fetchall()
    tree = cast(Tree, json.loads(text))
    return tree if not tree.get("error") and len(tree.get("statements", ())) == 1 else None


@lru_cache(maxsize=1)
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"autoinstall_known_extensions": "false"})


def _tables(tree: Any, scope: frozenset[str]) -> Iterator[_Table]:
    """Yield the tables below `tree` that are not common table expressions visible there (`scope`, lower case)."""
    if isinstance(tree, list):
        for item in cast(list[Any], tree):
            yield from _tables(item, scope)
    elif isinstance(tree, dict):
        yield from _tables_of(cast(Tree, tree), scope)


def _tables_of(tree: Tree, scope: frozenset[str]) -> Iterator[_Table]:
    if tree.get("type") == "BASE_TABLE" and "table_name" in tree:
        parts = [part for part in (tree["catalog_name"], tree["schema_name"], tree["table_name"]) if part]
        if len(parts) > 1 or parts[0].lower() not in scope:
            yield _Table(parts, int(tree["query_location"]), bool(tree["alias"]))
    inner = scope
    if tree.get("type") == "RECURSIVE_CTE_NODE":
        inner = inner | {str(tree["cte_name"]).lower()}
    for entry in cast(Tree, tree.get("cte_map") or {}).get("map", ()):
        # An expression sees the ones before it; a name of its own inside it is the table it shadows.
        yield from _tables(entry["value"], inner)
        inner = inner | {str(entry["key"]).lower()}
    for key, value in tree.items():
        if key != "cte_map":
            yield from _tables(value, inner)


def _is_file(table: _Table) -> bool:
    return len(table.parts) == 1 and ("." in table.parts[0] or "/" in table.parts[0])


def _text(table: _Table) -> str:
    return table.parts[0] if _is_file(table) else quoted(*table.parts)


def _end(content: bytes, table: _Table) -> int | None:
    """Return where the dotted name that starts at `table.at` ends, or None if the text there is not that name."""
    text = content[table.at :].decode()
    at = 0
    for number, part in enumerate(table.parts):
        if number:
            dot = _DOT.match(text, at)
            if not dot:
                return None
            at = dot.end()
        token = _BARE.match(text, at)
        if not token or _spelled(token).lower() != part.lower():
            return None
        at = token.end()
    return table.at + len(text[:at].encode())


def _spelled(token: re.Match[str]) -> str:
    quotedname, bare, literal = token.groups()
    return quotedname.replace('""', '"') if quotedname is not None else bare or literal
