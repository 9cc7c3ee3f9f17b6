"""Which nodes `on-run-end` hooks may write to: what such a hook leaves in them depends on whatever the run has built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.core.fingerprints.macros import Macros
from prefect_sluice.dbt.core.fingerprints.statement_targets import sources_named, targets_of
from prefect_sluice.dbt.settings import Settings
from prefect_sluice.dbt.texts.template_text import pieces
from prefect_sluice.sql.side_effects import REF, has_hint

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_LISTS_NODES = frozenset({"graph", "context", "builtins", "selected_resources"})
"""Where a hook takes the names of nodes from, none of which stands in its text. `results` is none of them: it holds the nodes
that this run built, so a node that is reused is not written to, and it had its turn when it was built (decision 0056)."""


@dataclass(frozen=True, slots=True)
class EndHooks:
    """What such hooks write to, in lower case: `names` that their statements say, `words` of the texts whose targets are
    computed, `anything` where these may be any node."""

    names: frozenset[str]
    words: frozenset[str]
    anything: bool

    def may_write(self, node: Any) -> bool:
        """Say whether a node may be among them."""
        return self.anything or self.names_it(node)

    def names_it(self, node: Any) -> bool:
        """Say whether a node's name stands in what writes."""
        called = {str(node.name).lower(), str(getattr(node, "alias", None) or node.name).lower()}
        return bool(called & (self.names | self.words))


def end_hooks(manifest: Manifest, macros: Macros, settings: Settings) -> EndHooks:
    """Read the `on-run-end` hooks of a project and its packages, with all macros that they may call. Pure."""
    names: set[str] = set()
    words: set[str] = set()
    anything = False
    for node in manifest.nodes.values():
        if node.resource_type.value != "operation" or "on-run-end" not in node.tags:
            continue
        text = str(getattr(node, "raw_code", "") or "")
        reach = macros.reach((text,), getattr(node.depends_on, "macros", ()))
        texts = [text, *(str(manifest.macros[uid].macro_sql) for uid in sorted(reach.own))]
        targets = [target for part in texts for target in _targets(part)]
        names |= {name for target in targets if target for name in _names(target, manifest)}
        if () in targets:
            texts += [str(value) for value in settings.read(reach.asks.variables)]
            words |= {word for part in texts for word in re.findall(r"\w+", part.lower())}
            anything = anything or bool(_LISTS_NODES & reach.asks.unsteady)
    return EndHooks(frozenset(names), frozenset(words), anything)


def _targets(text: str) -> list[tuple[str, ...]]:
    """Return the targets of a text's statements. One that only calls the adapter has no statement, and may write anywhere."""
    return [()] if has_hint(text) and pieces(text) == () else [*targets_of(text)]


def _names(target: tuple[str, ...], manifest: Manifest) -> set[str]:
    last = target[-1]
    sources = sources_named(last, manifest)
    return {last.removeprefix(REF)} if sources is None else {identifier for _, identifier in sources}
