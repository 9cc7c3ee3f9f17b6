"""dbt's own model contracts: what dbt says of one that does not fit, and what a contract no longer says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from prefect_sluice.domain.declarations import NodeDescription
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, Evidence

_HEADER = re.compile(
    r"\|\s*column_name\s*\|\s*definition_type\s*\|\s*contract_type\s*\|\s*mismatch_reason\s*\|"
)
_OF_A_CONTRACT = ("enforced contract that failed", "Contracted models require")
_SPELLED = {
    "int": "integer", "int4": "integer", "signed": "integer", "int8": "bigint", "long": "bigint", "int2": "smallint",
    "short": "smallint", "bool": "boolean", "logical": "boolean", "text": "varchar", "string": "varchar",
    "char": "varchar", "bpchar": "varchar", "character varying": "varchar", "float8": "double",
    "double precision": "double", "float4": "float", "real": "float", "datetime": "timestamp",
    "timestamp without time zone": "timestamp", "timestamptz": "timestamp with time zone", "numeric": "decimal",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A column that is not as its contract says; `actual` or `declared` is "" where it is missing on that side."""

    column: str
    actual: str
    declared: str

    def __str__(self) -> str:
        if not self.actual:
            return f"{self.column} is not in the model, the contract says {self.declared}"
        if not self.declared:
            return f"{self.column} ({self.actual}) is not in the contract"
        return f"{self.column} is {self.actual}, the contract says {self.declared}"


def is_of_a_contract(message: str) -> bool:
    """Say whether dbt's message is about a model contract."""
    return any(words in message for words in _OF_A_CONTRACT)


def mismatches(message: str) -> tuple[Mismatch, ...]:
    """Return the columns in the table that dbt writes of a contract that does not fit; none if there is no such table."""
    lines = message.splitlines()
    header = next((n for n, line in enumerate(lines) if _HEADER.search(line)), None)
    if header is None:
        return ()
    edges = [at for at, letter in enumerate(lines[header]) if letter == "|"]
    rows = (_cells(line, edges) for line in lines[header + 2 :] if line.strip().startswith("|"))
    return tuple(Mismatch(row[0], row[1], row[2]) for row in rows)


def _cells(line: str, edges: Sequence[int]) -> list[str]:
    # By place: a column's name may hold the bar.
    return [line[left + 1 : right].strip() for left, right in pairwise(edges)]


def table(found: Sequence[Mismatch]) -> Evidence:
    """Return the columns as evidence."""
    rows = tuple((each.column, each.actual or None, each.declared or None) for each in found)
    return Evidence(("column", "actual type", "declared type"), rows[:EVIDENCE_ROWS], len(rows))


def lost_constraints(before: NodeDescription, now: NodeDescription) -> Iterator[tuple[str, str]]:
    """Yield column and words for all that dbt was to enforce and is not to enforce now; "" is the whole model."""
    if not before.enforced:
        return
    if not now.enforced:
        yield "", "dbt does not enforce its contract now"
        return
    yield from _columns(before.types, now.types)
    for rule in before.rules:
        if rule not in now.rules:
            column, _, told = rule.rpartition(": ")
            yield column, f"its constraint {told} is gone"


def _columns(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, kind in before.items():
        if name not in now:
            yield name, "is promised no longer"
        elif _plain(kind) != _plain(now[name]):
            yield name, f"was {kind}, is {now[name]}"


def _plain(kind: str) -> str:
    text = " ".join(kind.lower().split())
    name, bracket, rest = text.partition("(")
    name = name.strip()
    return _SPELLED.get(name, name) + bracket + rest.replace(" ", "")
