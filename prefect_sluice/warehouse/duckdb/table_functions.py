"""What the table functions of a DuckDB query read: files, relations that a text names, or nobody can say.

A list of what reads nothing, not of what reads: a function that nobody thought of (a macro of the project's, one that an
extension brings) may read any relation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from prefect_sluice.sql.duckdb_keywords import listed

Tree = dict[str, Any]

_READERS = re.compile(r"read_|parquet_|sniff_|st_read|glob$|.*_scan$")
"""Functions whose first argument is a file, or several."""

_BY_NAME = listed(
    "query_table histogram histogram_values duckdb_table_sample pragma_table_info pragma_show pragma_storage_info"
)
"""Functions whose first argument is the name of a relation, or several."""

_ELSEWHERE = re.compile(r"duckdb_|pragma_|.*_query$")
"""Functions that ask the catalog, or send a text to another database."""

_RUNNERS = re.compile(r"query$|json_execute_|from_substrait")
"""Functions that run what they are given. Any other that is on no list is a macro, perhaps: it may read any relation, and a
view that calls it is served as a view."""

_NOTHING = listed(
    """
    generate_series icu_calendar_names json_each json_tree pg_timezone_names range repeat repeat_row test_all_types
    test_vector_types unnest which_secret
    """
)
"""Functions of which the arguments alone decide what they give."""

_PART = re.compile(r'"((?:[^"]|"")+)"|([^\s."]+)')


@dataclass(slots=True)
class FunctionReads:
    """What table functions read: `files` are paths, `named` relations by the parts of their names, `queries` texts that are run
    as SQL. `unknown` are calls that nobody can look into. `everything` says that any relation may be read."""

    files: set[str] = field(default_factory=set[str])
    named: list[list[str]] = field(default_factory=list[list[str]])
    queries: list[str] = field(default_factory=list[str])
    unknown: set[str] = field(default_factory=set[str])
    everything: bool = False

    @property
    def is_nothing(self) -> bool:
        """Say whether no call reads what would have to be relinked."""
        return not (self.files or self.named or self.queries or self.unknown)


def called(tree: Any) -> FunctionReads:
    """Return what the table functions of a syntax tree read. Pure."""
    found = FunctionReads()
    for call in _calls(tree):
        _add(found, str(call.get("function_name", "")).lower(), call)
    return found


def _add(found: FunctionReads, name: str, call: Tree) -> None:
    texts = _texts(call)
    names = [parts for text in texts if (parts := _parts(text))]
    if name in _NOTHING:
        return
    if name in _BY_NAME and texts and len(names) == len(texts):
        found.named += names
    elif name == "query" and texts:
        found.queries += texts
    elif _READERS.match(name) and texts:
        found.files.update(texts)
    elif _READERS.match(name) or (_ELSEWHERE.match(name) and name not in _BY_NAME):
        found.unknown.add(f"{name}()")
    else:
        found.everything = True
        if name in _BY_NAME or _RUNNERS.match(name):
            found.unknown.add(f"{name}()")


def _calls(tree: Any) -> Iterator[Tree]:
    if isinstance(tree, list):
        for item in cast(list[Any], tree):
            yield from _calls(item)
    elif isinstance(tree, dict):
        mapping = cast(Tree, tree)
        if mapping.get("type") == "TABLE_FUNCTION" and isinstance(mapping.get("function"), dict):
            yield mapping["function"]
        for value in mapping.values():
            yield from _calls(value)


def _texts(call: Tree) -> list[str]:
    """Return the texts of a call's first argument, a text or a list of them; nothing if it is computed."""
    first = next(iter(_children(call)), cast(Tree, {}))
    items = _children(first) if first.get("function_name") == "list_value" else [first]
    texts: list[Any] = [
        cast(Tree, item.get("value") or {}).get("value") for item in items if _is_constant(item)
    ]
    return texts if len(texts) == len(items) and all(isinstance(text, str) for text in texts) else []


def _parts(name: str) -> list[str]:
    """Return the parts of a written name, none if it is not one."""
    parts = [(quoted or bare).replace('""', '"') for quoted, bare in _PART.findall(name)]
    return parts if 0 < len(parts) <= 3 and _PART.sub("", name) == "." * (len(parts) - 1) else []


def _children(call: Tree) -> list[Tree]:
    return cast(list[Tree], call.get("children") or [])


def _is_constant(item: Tree) -> bool:
    return item.get("type") == "VALUE_CONSTANT"
