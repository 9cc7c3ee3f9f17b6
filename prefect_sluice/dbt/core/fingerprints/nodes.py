"""From facts to fingerprints: each node's own digest, its columns', and what it takes from its parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect_sluice.dbt.compiled_facts import CompiledFacts
from prefect_sluice.dbt.core.fingerprints.columns import RelationFingerprint, columns_read
from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints, own_hooks
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.node import FingerprintParts, Ingredient, Name, Node, NodeKind

if TYPE_CHECKING:
    from prefect_sluice.sql.columns.shape import Shape

_SHORT = 8
_TEXT = 16
"""Digits of a digest by which something is decided."""
_DIALECT = "duckdb"


class NodeFingerprinter:
    """Gives nodes their fingerprints, parents first. `named` are the project's relations by name, in lower case."""

    def __init__(self, prints: Fingerprints, named: Mapping[Name, str]) -> None:
        """Start with no node printed."""
        self._prints = prints
        self._named = named
        self._names = {uid: name for name, uid in named.items()}
        self._done: dict[str, RelationFingerprint] = {}
        self._by_name: dict[Name, RelationFingerprint] = {}

    def printed(self, node: Node, raw: Any, facts: CompiledFacts, inlined: Sequence[Any]) -> Node:
        """Return the node with its fingerprints; its parents must have been given before. `raw` is dbt's node."""
        steady = self._prints.is_steady(raw, inlined)
        parts = self._prints.parts(raw, facts.code if steady else "", inlined)
        own = digest(dict(parts))
        doubt = self._doubt(node, raw, facts, steady=steady)
        reads = self._reads(node, () if doubt else facts.shapes)
        closed = doubt or _closed(node, raw)
        fingerprint = self._print(node, own, parts, None if closed else facts.shapes[0], reads)
        self._done[node.unique_id] = self._by_name[node.name.folded] = fingerprint
        return replace(
            node,
            own=own,
            fingerprint=fingerprint.whole,
            volatile=self._volatile(raw, facts, inlined, steady),
            makeup=replace(
                _makeup(parts, fingerprint, reads, closed),
                text=self._prints.written(raw, inlined)[:_TEXT],
                compiled_from=self._compiled_from(raw, inlined) if steady and facts.code else {},
            ),
        )

    def finished(self, nodes: Mapping[str, Node]) -> Mapping[str, Node]:
        """Return the nodes with the columns in their makeup that others came to ask for: those a `*` hands on."""
        return {
            uid: replace(node, makeup=replace(node.makeup, columns=_shortened(self._done[uid].columns)))
            for uid, node in nodes.items()
        }

    def _compiled_from(self, raw: Any, inlined: Sequence[Any]) -> Mapping[str, str]:
        parts = self._prints.templates(raw, inlined)
        return _shortened(parts) if parts.keys() - {Ingredient.CODE, Ingredient.READS} else {}

    def _print(
        self,
        node: Node,
        own: str,
        parts: Mapping[str, str],
        shape: Shape | None,
        reads: Mapping[str, tuple[str, ...] | None],
    ) -> RelationFingerprint:
        # By name, too: the same names may come to stand for other parents.
        above: dict[str, Json] = {
            f"{uid} {self._names[uid]}": self._done[uid].of(reads.get(uid))
            for uid in node.parents
            if uid in self._done
        }
        whole = digest({"own": own, "parents": above})
        if shape is None:
            return RelationFingerprint(whole)
        besides = digest({name: value for name, value in parts.items() if name != "code"})
        return RelationFingerprint(whole, shape, besides, self._by_name)

    def _doubt(self, node: Node, raw: Any, facts: CompiledFacts, *, steady: bool) -> str:
        """Return what there may be to the node beside its compiled query, or in that nothing is proven of; "" if it is
        known which columns it reads."""
        if raw.resource_type.value not in {"model", "snapshot"} or node.language != "sql":
            return f"a {raw.resource_type.value if node.language == 'sql' else 'Python model'}"
        if not steady:
            return "its text may ask the warehouse as it is compiled"
        if own_hooks(raw):
            return "it has hooks"
        if self._prints.is_made_otherwise(raw):
            return "a macro of the project has a part in how it is made"
        if facts.doubt or node.files or node.elsewhere:
            return facts.doubt or "it reads outside the warehouse"
        inside = {
            uid for shape in facts.shapes for name in shape.relations if (uid := self._named.get(name.folded))
        }
        if node.unique_id in inside and not node.kind.keeps_history:
            return "it reads itself"
        return (
            ""
            if inside <= {node.unique_id, *node.parents}
            else "a name that it reads stands for something else"
        )

    def _reads(self, node: Node, shapes: Sequence[Shape]) -> Mapping[str, tuple[str, ...] | None]:
        """Return the columns read of each parent; None is all of it, also where no query names the parent."""
        read: dict[str, set[str]] = {}
        whole: set[str] = set()
        for shape in shapes:
            for name, columns in columns_read(shape).items():
                uid = self._named.get(name, "")
                read.setdefault(uid, set()).update(columns or ())
                whole |= {uid} if columns is None else set()
        return {
            uid: tuple(sorted(read[uid])) if uid in read and uid not in whole else None
            for uid in node.parents
        }

    def _volatile(
        self, raw: Any, facts: CompiledFacts, inlined: Sequence[Any], steady: bool
    ) -> tuple[str, ...]:
        words = set(self._of_its_own(raw, facts, inlined, steady))
        # What a hook at the end leaves in it comes from any data of the run.
        return tuple(sorted(words | ({"random"} if self._prints.end_hooks.names_it(raw) else set[str]())))

    def _of_its_own(
        self, raw: Any, facts: CompiledFacts, inlined: Sequence[Any], steady: bool
    ) -> tuple[str, ...]:
        if str(getattr(raw, "language", "sql")) == "python":
            return self._prints.python.volatile(str(raw.raw_code))
        from prefect_sluice.sql.clock_and_chance import volatile

        words = {*facts.volatile}
        for model in (raw, *inlined):
            words |= self._prints.reach(model).asks.volatile
            if not (steady and facts.code):
                words |= {*volatile(str(model.raw_code or ""), _DIALECT)}
        # A hook that writes to the relation itself is part of what it holds.
        for text in own_hooks(raw):
            if "this" in text:
                words |= {*volatile(text, _DIALECT)}
        return tuple(sorted(words))


def _closed(node: Node, raw: Any) -> str:
    """Return why readers depend on all of a node although its query is understood; "" if they do not."""
    if node.kind not in {NodeKind.VIEW, NodeKind.TABLE}:
        return f"a relation of kind {node.kind.value}"
    return "its contract is enforced" if raw.config.to_dict().get("contract", {}).get("enforced") else ""


def _makeup(
    parts: Mapping[str, str],
    fingerprint: RelationFingerprint,
    reads: Mapping[str, tuple[str, ...] | None],
    doubt: str,
) -> FingerprintParts:
    return FingerprintParts(
        fingerprint.whole[:_SHORT],
        _shortened(parts),
        fingerprint.rows[:_SHORT],
        _shortened(fingerprint.columns),
        reads,
        doubt,
        fingerprint.shape is not None and not fingerprint.shape.passes,
    )


def _shortened(digests: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value[:_SHORT] for name, value in digests.items()}
