"""Relations that a node's query does not name, but its hooks, its macros, its Python or the project's start hooks do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.core.fingerprints.ingredients import own_hooks
from prefect_sluice.domain.node import Name
from prefect_sluice.warehouse.base import References

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_WORD = re.compile(r"\w+")


class MentionFinder:
    """Looks for the names of one project's and one warehouse's relations in text. `served` are in lower case."""

    def __init__(self, manifest: Manifest, served: Collection[Name]) -> None:
        """Look in the texts of `manifest` for `served`."""
        self._manifest = manifest
        self._served = {str(name): name for name in served}
        self._of_macro = lru_cache(maxsize=None)(self._in_macro)

    def around(self, node: Any) -> set[Name]:
        """Return served relations whose full name stands in what runs for a node: its code, its hooks, the macros it
        reaches, and what runs at the start. What a query asked by a macro, a hook or Python reads is found nowhere else."""
        if not self._served:
            return set()
        names = set(self._at_the_start) | self._names("\n".join([str(node.raw_code or ""), *own_hooks(node)]))
        return names | self._in_macros(node.depends_on.macros)

    @cached_property
    def _at_the_start(self) -> frozenset[Name]:
        names: set[Name] = set()
        for operation in self._manifest.nodes.values():
            if operation.resource_type.value == "operation" and "on-run-start" in operation.tags:
                names |= self._names(str(getattr(operation, "raw_code", "")))
                names |= self._in_macros(operation.depends_on.macros)
        return frozenset(names)

    def _in_macros(self, macros: Iterable[str]) -> set[Name]:
        seen: set[str] = set()
        names: set[Name] = set()
        todo = list(macros)
        while todo:
            uid = todo.pop()
            macro = self._manifest.macros.get(uid)
            if macro is not None and uid not in seen:
                seen.add(uid)
                names |= self._of_macro(uid)
                todo.extend(macro.depends_on.macros)
        return names

    def _in_macro(self, uid: str) -> frozenset[Name]:
        return frozenset(self._names(str(self._manifest.macros[uid].macro_sql)))

    def _names(self, text: str) -> set[Name]:
        words = {".".join(word.split(".")[-2:]) for word in _dotted(text)}
        return {self._served[word] for word in words & self._served.keys()}


class NamedRelations:
    """The relations of a project by their full names, for code that nobody parses: a name costs a look-up, and no search."""

    def __init__(self, names: Iterable[Name]) -> None:
        """Look for `names`, which are in lower case."""
        self._order = {name: number for number, name in enumerate(names)}
        self._by_text = {str(name): name for name in self._order}
        self._odd = [(str(name), name) for name in self._order if _is_odd(name)]

    def mentioned(self, text: str) -> References:
        """Return the relations whose full name stands in a text, in their order: each of them counts as read."""
        plain = text.lower().replace('"', "")
        if not plain.strip():
            return References()
        pairs = {f"{first}.{second}" for word in _dotted(plain) for first, second in _pairs(word)}
        read = {self._by_text[pair] for pair in pairs & self._by_text.keys()}
        read |= {name for written, name in self._odd if written in plain}
        return References(tuple(sorted(read, key=self._order.__getitem__)))


def _pairs(word: str) -> Iterable[tuple[str, str]]:
    parts = word.split(".")
    return pairwise(parts)


def _is_odd(name: Name) -> bool:
    return not (_WORD.fullmatch(name.schema) and _WORD.fullmatch(name.identifier))


def _dotted(text: str) -> set[str]:
    return set(re.findall(r"\w+(?:\.\w+)+", text.lower().replace('"', "")))
