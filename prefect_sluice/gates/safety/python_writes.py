"""What Python code plainly does beside computing: files it writes, programs and servers it calls, SQL it sends. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_OUT = frozenset(
    {"subprocess", "requests", "httpx", "aiohttp", "urllib3", "boto3", "botocore", "s3fs", "gcsfs", "adlfs"}
    | {"smtplib", "ftplib", "paramiko", "socket", "pyodbc", "psycopg", "psycopg2", "slack_sdk"}
)
_OUT_BELOW = frozenset({"urllib.request", "http.client", "google.cloud", "azure.storage"})
_TO_FILE = frozenset(
    {"to_csv", "to_parquet", "to_json", "to_excel", "to_pickle", "to_feather", "to_orc", "to_sql", "to_xml"}
    | {
        "write_csv",
        "write_parquet",
        "write_json",
        "write_excel",
        "write_ipc",
        "write_database",
        "write_delta",
    }
    | {"sink_csv", "sink_parquet", "write_text", "write_bytes"}
)
_OF_THE_SYSTEM = {
    "os": frozenset({"system", "popen", "remove", "unlink", "rename", "replace", "makedirs", "mkdir"}),
    "shutil": frozenset({"copy", "copy2", "copyfile", "copytree", "move", "rmtree"}),
}
_SENDS_SQL = frozenset({"execute", "executemany", "sql", "query", "executescript"})
COMPUTED = "__sluice_any__"


@dataclass(frozen=True, slots=True)
class PythonEffect:
    """One thing that code does: in words, or the SQL that it sends, and on which line."""

    line: int
    text: str = ""
    sql: str = ""


def deeds(code: str) -> tuple[PythonEffect, ...] | None:
    """Return what is plainly there, in order; None where it is no Python. What is hidden behind other names is not seen."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = (deed for item in ast.walk(tree) for deed in _deeds(item))
    return tuple(sorted(found, key=lambda deed: deed.line))


def _deeds(item: ast.AST) -> Iterator[PythonEffect]:
    if isinstance(item, ast.Import):
        for alias in item.names:
            if _leads_out(alias.name):
                yield PythonEffect(item.lineno, f"uses {alias.name}")
    elif isinstance(item, ast.ImportFrom):
        names = [f"{item.module}.{alias.name}" for alias in item.names]
        if any(_leads_out(name) for name in names):
            yield PythonEffect(item.lineno, f"uses {item.module}")
    elif isinstance(item, ast.Call):
        yield from _called(item)


def _leads_out(name: str) -> bool:
    return name.split(".")[0] in _OUT or any(f"{name}.".startswith(f"{one}.") for one in _OUT_BELOW)


def _called(call: ast.Call) -> Iterator[PythonEffect]:
    match call.func:
        case ast.Name(id="open") if _writes(call):
            yield PythonEffect(call.lineno, f"writes a file: {_call_text(call)}")
        case ast.Attribute(value=ast.Name(id=module), attr=name) if name in _OF_THE_SYSTEM.get(module, ()):
            yield PythonEffect(call.lineno, f"calls the system: {_call_text(call)}")
        case ast.Attribute(attr="open") if call.args and _is_mode(call.args[0]):
            yield PythonEffect(call.lineno, f"writes a file: {_call_text(call)}")
        # Without an argument, it gives the text back.
        case ast.Attribute(attr=name) if name in _TO_FILE and (call.args or call.keywords):
            yield PythonEffect(call.lineno, f"writes a file: {_call_text(call)}")
        case ast.Attribute(attr=name) if name in _SENDS_SQL and call.args:
            text = _text(call.args[0])
            if text:
                yield PythonEffect(call.lineno, sql=text)
        case _:
            return


def _writes(call: ast.Call) -> bool:
    modes = [*call.args[1:2], *(item.value for item in call.keywords if item.arg == "mode")]
    return any(_is_mode(mode) for mode in modes)


def _is_mode(item: ast.expr) -> bool:
    return (
        isinstance(item, ast.Constant)
        and isinstance(item.value, str)
        and 0 < len(item.value) <= 3
        and bool(set("wax+") & set(item.value))
        and set(item.value) <= set("rwaxbt+")
    )


def _call_text(call: ast.Call) -> str:
    text = ast.unparse(call)
    return text if len(text) <= 80 else text[:77] + "..."


def _text(item: ast.expr) -> str:
    """Return the text of a string, what is computed in it as one word."""
    match item:
        case ast.Constant(value=str() as value):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(value) for value in values)
        case ast.FormattedValue():
            return COMPUTED
        case ast.BinOp(left=left, op=ast.Add(), right=right) if _text(left) or _text(right):
            return (_text(left) or COMPUTED) + (_text(right) or COMPUTED)
        case _:
            return ""
