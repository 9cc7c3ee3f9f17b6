"""What a project's hooks, operations and macros may write to beside its nodes, read from their texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints, own_hooks
from prefect_sluice.dbt.core.fingerprints.statement_targets import sources_named, targets_of
from prefect_sluice.sql.side_effects import REF, SCHEMA, THIS
from prefect_sluice.sql.write_targets import Targets

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True, slots=True)
class _Code:
    """One text that runs. `calls` are unique ids of the macros that it may come to, which are not dbt's own."""

    text: str
    calls: frozenset[str]
    macro: str = ""


def targets(prints: Fingerprints) -> Targets:
    """Return what hooks, operations, and macros that anything calls may write to. Pure.

    A text that only reads a relation is no reason to copy it. Where a statement's target is computed (`insert into
    {{ table }}`), it may be what that text mentions, or any that comes to call it.
    """
    manifest = prints.manifest
    names: set[tuple[str, str]] = set()
    dark: set[_Code] = set()
    codes = tuple(_codes(prints))
    for code in codes:
        targets = tuple(targets_of(code.text))
        names |= {name for parts in targets if parts for name in _resolve_target(parts, manifest)}
        if any(not parts for parts in targets):
            dark.add(code)
    macros = frozenset(code.macro for code in dark if code.macro)
    meant = [code.text for code in codes if code in dark or code.calls & macros]
    return Targets(frozenset(names), "\n".join(meant).lower())


def _codes(prints: Fingerprints) -> Iterator[_Code]:
    manifest, macros = prints.manifest, prints.macros
    called: set[str] = set()
    for node in manifest.nodes.values():
        texts = [str(node.raw_code)] if node.resource_type.value == "operation" else own_hooks(node)
        called |= prints.reach(node).own | prints.making(node).own
        for text in texts:
            calls = macros.reach((text,)).own
            called |= calls
            yield _Code(text, calls)
    for uid in sorted(called):
        text = str(manifest.macros[uid].macro_sql)
        yield _Code(text, macros.reach((text,), (uid,)).own - {uid}, uid)


def _resolve_target(parts: tuple[str, ...], manifest: Manifest) -> Iterable[tuple[str, str]]:
    """Return schema and identifier of what a statement names; the project's own relations are none of these."""
    last = parts[-1]
    if last.startswith((REF, THIS)):
        return ()
    sources = sources_named(last, manifest)
    if sources is not None:
        return sources
    schema = parts[-2] if len(parts) > 1 else ""
    return [("" if SCHEMA in schema else schema, last)]
