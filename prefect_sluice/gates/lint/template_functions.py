"""What dbt gives a template beside macros and variables, for linting: functions that ask nothing of a warehouse.

`execute` is false, as when dbt parses; what a query would answer is empty. Imports sqlfluff.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from sqlfluff.core.templaters.builtins.dbt import DBT_BUILTINS

from prefect_sluice.gates.lint.template_relations import TemplateColumn, TemplateRelation


class EmptyAnswer:
    """What a query, the graph or the adapter would answer: empty, whatever is asked of it."""

    unsafe_callable = False
    alters_data = False

    def __call__(self, *args: Any, **kwargs: Any) -> EmptyAnswer:
        return self

    def __getattr__(self, name: str) -> EmptyAnswer:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, name: Any) -> EmptyAnswer:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __str__(self) -> str:
        return ""


NOTHING = EmptyAnswer()


class RecordedCall:
    """Gives what it was made of, and notes that it was asked: what comes of it depends on a warehouse."""

    unsafe_callable = False
    alters_data = False

    def __init__(self, name: str, value: Any, asked: set[str]) -> None:
        self._name, self._value, self._asked = name, value, asked

    def _noted(self) -> Any:
        self._asked.add(self._name)
        return self._value

    def __bool__(self) -> bool:
        return bool(self._noted())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._noted()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._noted(), name)

    def __getitem__(self, name: Any) -> Any:
        return self._noted()[name]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._noted())

    def __len__(self) -> int:
        return len(self._noted())

    def __str__(self) -> str:
        return str(self._noted())


def hearing(asked: set[str]) -> dict[str, Any]:
    """Return all that is given; what only a warehouse or dbt's graph can answer notes in `asked` that it was asked."""
    return {**FIXED, **{name: RecordedCall(name, FIXED[name], asked) for name in _ASKS}}


class ConfigCall:
    """`config(...)` as a call, and what is read of it later on."""

    def __init__(self) -> None:
        self._said: dict[str, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        for said in (*args, kwargs):
            self._said.update(said)
        return ""

    def get(self, name: str, default: Any = None, validator: Any = None) -> Any:
        """Return what was said, else the default."""
        return self._said.get(name, default)

    def require(self, name: str, validator: Any = None) -> Any:
        """Return what was said, else an empty answer."""
        return self._said.get(name, NOTHING)

    meta_get, meta_require = get, require

    def set(self, name: str, value: Any) -> str:
        """Say something."""
        self._said[name] = value
        return ""


def same(value: Any, *_: Any, **__: Any) -> Any:
    """Return the value as it is."""
    return value


def _silent(*_: Any, **__: Any) -> str:
    return ""


def _true(*_: Any, **__: Any) -> bool:
    return True


def ref(*names: str, v: Any = None, version: Any = None, **_: Any) -> TemplateRelation:
    """Return the relation of a model, by its name: the same everywhere, whatever schema an environment has."""
    number = v if v is not None else version
    name = f"{names[-1]}_v{number}" if number is not None else str(names[-1])
    return TemplateRelation(name, name)


def source(source: str, table: str) -> TemplateRelation:
    """Return the relation of a source, as `source.table`."""
    return TemplateRelation(table, f"{source}.{table}", schema=source)


def _env_var(_: str, default: Any = "") -> Any:
    # Not what is set here: the same commit gets the same answer everywhere.
    return default


def _set(value: Any, default: Any = None) -> Any:
    # Sorted, and a list: what a loop over a set gives differs from process to process.
    return sorted(set(value), key=str) if hasattr(value, "__iter__") else default


def _hash(value: Any) -> str:
    return hashlib.md5(str(value).encode(), usedforsecurity=False).hexdigest()


def _to_json(value: Any, _: Any = None, sort_keys: bool = False) -> Any:
    return json.dumps(value, default=str, sort_keys=sort_keys)


def _from_yaml(text: str, _: Any = None) -> Any:
    return yaml.safe_load(text)


def _to_yaml(value: Any, _: Any = None, sort_keys: bool = False) -> Any:
    return yaml.safe_dump(value, sort_keys=sort_keys)


def _zone(name: str) -> datetime.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return datetime.UTC


def _false(*_: Any, **__: Any) -> bool:
    return False


def _none(*_: Any, **__: Any) -> None:
    return None


def _empty(*_: Any, **__: Any) -> list[Any]:
    return []


class _Zones:
    """`pytz`, as far as templates use it."""

    UTC = utc = datetime.UTC
    timezone = staticmethod(_zone)


_THEN = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_MODULES = {"re": re, "itertools": itertools, "datetime": datetime, "pytz": _Zones}
_ASKS = ("execute", "graph", "run_query", "load_result", "load_relation", "get_columns_in_relation")
_API: Mapping[str, Any] = {"Relation": TemplateRelation, "Column": TemplateColumn}
FIXED: Mapping[str, Any] = {
    **{name: DBT_BUILTINS[name] for name in ("return", "zip", "zip_strict", "fromjson")},
    **dict.fromkeys(("log", "print", "debug", "doc", "statement", "store_result", "write", "noop_statement"), _silent),
    **dict.fromkeys(("graph", "flags", "run_query", "load_result", "exceptions", "context", "load_agate_table"), NOTHING),
    **{name: {} for name in ("dbt_metadata_envs", "invocation_args_dict")},
    "is_incremental": _true,
    "should_full_refresh": _false,
    "execute": False,
    "env_var": _env_var,
    "function": ref,
    "metric": ref,
    "load_relation": _none,
    "get_columns_in_relation": _empty,
    "api": _API,
    "modules": _MODULES,
    "run_started_at": _THEN,
    "invocation_id": "00000000-0000-0000-0000-000000000000",
    "dbt_version": "1.11.0",
    "schema": "dev",
    "database": "dev",
    "set": _set,
    "set_strict": _set,
    "tojson": _to_json,
    "toyaml": _to_yaml,
    "fromyaml": _from_yaml,
    "local_md5": _hash,
    "thread_id": "Thread-1",
    "selected_resources": [],
    "diff_of_two_dicts": same,
}  # fmt: skip
