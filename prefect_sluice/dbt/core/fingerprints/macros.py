"""The macros that a template may call, of its own packages and of dbt, found by the names in it: in doubt one more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.texts.template_reads import TemplateReads, uses

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_DBT_PACKAGES = frozenset({"dbt", "dbt_duckdb"})
IS_INCREMENTAL = "macro.dbt.is_incremental"


@dataclass(frozen=True, slots=True)
class MacroReach:
    """What a template reaches through all macros that it may call. `own` are unique ids of macros that are not dbt's;
    `asks` what it and they ask for; `looks` says that code which is not dbt's reads configuration or documentation;
    `incremental` that it asks dbt's `is_incremental`, which is not looked into."""

    own: frozenset[str]
    asks: TemplateReads
    looks: bool
    incremental: bool

    @property
    def is_steady(self) -> bool:
        """Say whether its text depends on code and settings alone, but for what `is_incremental` answers."""
        return not self.asks.unsteady and not self.asks.computed


class Macros:
    """The macros of one manifest, by the names they may be called by."""

    def __init__(self, manifest: Manifest) -> None:
        """Index the macros of `manifest`."""
        self._all: dict[str, Any] = dict(manifest.macros)
        self._by_name: dict[str, list[str]] = {}
        for uid, macro in self._all.items():
            name = str(macro.name)
            # `adapter.dispatch` calls default__x, duckdb__x or what a package calls <prefix>__x.
            for alias in {name, name.partition("__")[2] or name}:
                self._by_name.setdefault(alias, []).append(uid)
        self._materializations: dict[str, list[str]] = {}
        for uid, macro in self._all.items():
            if macro.name.startswith("materialization_"):
                kind = str(macro.name).removeprefix("materialization_").rpartition("_")[0]
                self._materializations.setdefault(kind, []).append(uid)
        self._packages = {str(macro.package_name) for macro in self._all.values()}
        self._own = frozenset(
            uid for uid, macro in self._all.items() if macro.package_name not in _DBT_PACKAGES
        )
        self._calls = lru_cache(maxsize=None)(self._read)
        self._reached = lru_cache(maxsize=None)(self._close)

    def reach(self, templates: Iterable[str], named: Iterable[str] = ()) -> MacroReach:
        """Return what these templates reach; `named` are unique ids of macros that are called for sure."""
        own = TemplateReads()
        called = {uid for uid in named if uid in self._all}
        for template in templates:
            reads = uses(template)
            called |= self._candidates(reads)
            own |= self._mark_unknown_names(reads)
        below = self._reached(frozenset(called))
        asks = own | below.asks
        looks = own.looks_at_the_node or below.looks
        if not asks.computed:
            return MacroReach(below.own, asks, looks, below.incremental)
        asks = replace(asks, variables=asks.variables | {None}, environ=asks.environ | {None})
        return MacroReach(self._own, asks, True, below.incremental)

    def materialization(self, kind: str, strategy: str) -> tuple[str, ...]:
        """Return the unique ids of the macros that may build a node so materialized; dbt puts their names together."""
        own = (f"get_incremental_{strategy}_sql", f"snapshot_{strategy}_strategy")
        named = [uid for name in own for uid in self._by_name.get(name, ())]
        return (*self._materializations.get(kind, ()), *named)

    def _candidates(self, reads: TemplateReads) -> set[str]:
        called: set[str] = set()
        for name in reads.names | reads.parts:
            for uid in self._by_name.get(name, ()):
                # A value that bears the name of a macro is a value; of dbt's own macros, whose texts are known, anywhere.
                if name in reads.free if uid in self._own else name not in reads.bound:
                    called.add(uid)
        return called

    def _mark_unknown_names(self, reads: TemplateReads) -> TemplateReads:
        strange = {name for name in reads.unknown if name not in self._by_name and name not in self._packages}
        return replace(reads, unsteady=reads.unsteady | strange) if strange else reads

    def _read(self, uid: str) -> tuple[TemplateReads, frozenset[str]]:
        macro = self._all[uid]
        reads = uses(str(macro.macro_sql))
        declared = {name for name in macro.depends_on.macros if name in self._all}
        if uid not in self._own:
            # dbt's own put names together in two places only: see `materialization`.
            reads = replace(reads, computed=False)
        return self._mark_unknown_names(reads), frozenset(self._candidates(reads) | declared)

    def _close(self, called: frozenset[str]) -> MacroReach:
        seen: set[str] = set()
        todo = list(called)
        asks, looks = TemplateReads(), False
        while todo:
            uid = todo.pop()
            if uid in seen:
                continue
            seen.add(uid)
            if uid == IS_INCREMENTAL:
                continue
            reads, calls = self._calls(uid)
            looks = looks or (uid in self._own and reads.looks_at_the_node)
            asks |= reads
            todo.extend(calls - seen)
        return MacroReach(frozenset(seen & self._own), asks, looks, IS_INCREMENTAL in seen)
