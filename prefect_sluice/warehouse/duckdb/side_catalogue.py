"""The catalogue of a side database as plain dbt would see it: a view that stands in for a table is listed as a table.

DuckDB's own lists cannot be shadowed, so SQL that asks them is sent with other names: those of a hidden database that holds the
same lists, corrected.
"""

from __future__ import annotations

import re

SEEN = "sluice_catalogue"
"""The name of a hidden database that holds the corrected lists."""

SHARED, OWN = f"{SEEN}.main", "temp.main"
"""Where the corrected lists are: for all connections, or for one."""

MARK = "sluice_table"
"""The alias by which a view that stands in for a table is known, whatever it is renamed to."""

_STANDS_IN = f"not internal and sql like '% AS {MARK};'"

_OURS = "(database_name = 'temp' and {0}_name in ('tables', 'columns'))"

_ASKS = re.compile(
    r"""
      '(?:[^']|'')*' | --[^\n]* | /\*.*?\*/
    | (?<![\w."]) (?:"?system"?\s*\.\s*)? "?information_schema"?\s*\.\s*"?(?P<relation>tables|columns)"? (?![\w"(])
    | (?<![\w."]) (?:"?system"?\s*\.\s*)? (?:"?main"?\s*\.\s*)? "?(?P<function>duckdb_(?:tables|views|columns))"? (?=\s*\(\s*\))
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_DROP = re.compile(
    r"(?P<before>(?:\s|--[^\n]*\n|/\*.*?\*/)*drop\s+)table(?P<after>\s+[^;]+;?\s*)", re.IGNORECASE | re.DOTALL
)
_IS_A_VIEW = re.compile(r"is of type View, trying to drop type Table", re.IGNORECASE)


def corrected(sql: str, place: str = SHARED) -> str:
    """Return `sql`, asking the corrected lists at `place` wherever it asks DuckDB's own; texts and comments stay as they are.

    Pure.
    """
    lowered = sql.lower()
    if "information_schema" not in lowered and "duckdb_" not in lowered:
        return sql

    def renamed(match: re.Match[str]) -> str:
        name = match["relation"] or match["function"]
        return f"{place}.{name.lower()}" if name else match.group()

    return _ASKS.sub(renamed, sql)


def dropping_a_view(sql: str, error: str) -> str:
    """Return the statement that drops what stands in for a table, where `sql` drops a table of that name; "" if it does not.

    `error` is the engine's answer to `sql`. Pure.
    """
    match = _DROP.fullmatch(sql) if _IS_A_VIEW.search(error) else None
    return f"{match['before']}view{match['after']}" if match else ""


def lists(store: str = "") -> tuple[str, ...]:
    """Return the statements that make the corrected lists for all connections, without relations of the schema `store`."""
    return (f"attach ':memory:' as {SEEN} (hidden)", *_lists(SHARED, store))


def own_lists(store: str) -> tuple[str, ...]:
    """Return the statements that make them for one connection, also where nothing may be attached to write to."""
    return _lists(OWN, store)


def _lists(place: str, store: str) -> tuple[str, ...]:
    name = store.replace("'", "''")
    views = f"select * from system.main.duckdb_views() where schema_name <> '{name}' and not {_OURS.format('view')}"
    stubs = f"select database_name, schema_name, view_name from ({views}) where {_STANDS_IN}"
    tables = (
        "select t.* replace (if(s.view_name is null, t.table_type, 'BASE TABLE') as table_type,"
        " if(s.view_name is null, t.is_insertable_into, 'YES') as is_insertable_into)"
        f" from system.information_schema.tables as t left join ({stubs}) as s on t.table_catalog = s.database_name"
        " and t.table_schema = s.schema_name and t.table_name = s.view_name"
        f" where t.table_schema <> '{name}' and not (t.table_catalog = 'temp' and t.table_name in ('tables', 'columns'))"
    )
    columns = (
        "select * from system.information_schema.columns"
        f" where table_schema <> '{name}' and not (table_catalog = 'temp' and table_name in ('tables', 'columns'))"
    )
    as_table = (
        "select database_name, database_oid, schema_name, schema_oid, view_name as table_name, view_oid as table_oid, comment,"
        " tags, internal, temporary, false as has_primary_key, null::bigint as estimated_size, column_count, 0 as index_count,"
        f" 0 as check_constraint_count, null::varchar as sql from ({views}) where {_STANDS_IN}"
    )
    kind = "temp " if place == OWN else ""
    return (
        f"create {kind}view {place}.tables as {tables}",
        f"create {kind}view {place}.columns as {columns}",
        f"create {kind}macro {place}.duckdb_columns() as table select * from system.main.duckdb_columns()"
        f" where schema_name <> '{name}' and not {_OURS.format('table')}",
        f"create {kind}macro {place}.duckdb_views() as table select * from ({views}) where not ({_STANDS_IN})",
        f"create {kind}macro {place}.duckdb_tables() as table select * from system.main.duckdb_tables()"
        f" where schema_name <> '{name}' union all by name {as_table}",
    )
