"""Which relations a refresh may renew without the others: what each was built from, and where versions would mix. Pure.

Two rules. No relation reads two versions of one source. Nothing serves that was built from an older relation than the one its
parent serves now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from prefect_sluice.domain.node import Node, ancestors

Versions = Mapping[str, str]
"""Versions of sources by their text, as `source_texts` gives them."""


@dataclass(frozen=True, slots=True)
class RefreshSubset:
    """`renewed` are the nodes that get another relation, `along` those of them that nobody asked for: they read one.

    `missing` are the nodes that must be renewed, too, or versions would mix; those that read them go along.
    `torn` are nodes that would read a mix even then.
    """

    renewed: frozenset[str]
    along: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    torn: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        """Say whether both rules hold."""
        return not self.missing and not self.torn


def source_texts(node: Node) -> tuple[str, ...]:
    """Return the sources a node reads itself, as the keys of `Asked.versions`."""
    return (
        *(str(name) for name in node.sources),
        *(f"file:{path}" for path in node.files),
        *(f"at:{text}" for text in node.elsewhere),
        *volatile_texts(node),
    )


def volatile_texts(node: Node) -> tuple[str, ...]:
    """Return what a node's code asks that no source tells: each node has an answer of its own."""
    return tuple(f"{what} in {node.unique_id}" for what in node.volatile)


def built_from(
    nodes: Mapping[str, Node],
    served: Collection[str],
    versions: Versions,
    behind: Mapping[str, Versions],
) -> Mapping[str, Versions]:
    """Return the version of every source, direct or not, that each `served` node was built from.

    `nodes` are in build order; `versions` are those noted for all, `behind` the ones that differ for some.
    """
    reads: dict[str, frozenset[str]] = {}
    for uid, node in nodes.items():
        above = [reads[parent] for parent in node.parents if parent in reads]
        reads[uid] = frozenset(source_texts(node)).union(*above)
    return {
        uid: {text: behind.get(uid, {}).get(text, versions.get(text, "")) for text in reads[uid]}
        for uid in nodes
        if uid in served
    }


def built_after(
    nodes: Mapping[str, Node], was: Mapping[str, Versions], now: Versions, renewed: Collection[str]
) -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Return all versions of each source that each node will have been built from; more than one is a mix.

    A renewed node reads its own sources as they are now, and its parents as they will be; a node that is not in `was` is renewed.
    """
    after: dict[str, Mapping[str, frozenset[str]]] = {}
    for uid, node in nodes.items():
        if uid in was and uid not in renewed:
            after[uid] = {text: frozenset({version}) for text, version in was[uid].items()}
            continue
        versions_of = {text: {now.get(text, "")} for text in source_texts(node)}
        for parent in node.parents:
            for text, versions in after.get(parent, {}).items():
                versions_of.setdefault(text, set()).update(versions)
        after[uid] = {text: frozenset(versions) for text, versions in versions_of.items()}
    return after


def behind(
    after: Mapping[str, Mapping[str, frozenset[str]]], now: Versions
) -> Mapping[str, Mapping[str, str]]:
    """Return the nodes that serve other versions than those of now, with the ones that differ."""
    differ = {
        uid: {text: min(versions) for text, versions in texts.items() if versions - {now.get(text, "")}}
        for uid, texts in after.items()
    }
    return {uid: texts for uid, texts in differ.items() if texts}


def cut(
    nodes: Mapping[str, Node],
    was: Mapping[str, Versions],
    now: Versions,
    *,
    stale: Collection[str],
    wanted: Iterable[str],
) -> RefreshSubset:
    """Return what is renewed when `wanted` are, and what else has to be.

    `nodes` are in build order, `stale` are those that are stale by themselves, not only by what they read.
    """
    wanted_uids, added = set(wanted), set[str]()
    first = _renewed(nodes, stale, wanted_uids)
    while True:
        renewed = _renewed(nodes, stale, wanted_uids | added)
        after = built_after(nodes, was, now, renewed)
        torn = {uid: _mixed(after[uid]) for uid in renewed if _mixed(after[uid])}
        more = {
            above
            for uid, texts in torn.items()
            for above in ancestors(nodes, [uid]) - renewed
            if any(after[above].get(text, frozenset()) - {now.get(text, "")} for text in texts)
        } - added
        if not more:
            roots = added & set(stale)
            least = frozenset(uid for uid in roots if not ancestors(nodes, [uid]) & roots)
            return RefreshSubset(first, first - wanted_uids, least, frozenset(torn))
        added |= more


def _renewed(
    nodes: Mapping[str, Node], stale: Collection[str], wanted_uids: Collection[str]
) -> frozenset[str]:
    renewed: set[str] = set()
    for uid, node in nodes.items():
        if (uid in stale and uid in wanted_uids) or renewed.intersection(node.parents):
            renewed.add(uid)
    return frozenset(renewed)


def _mixed(texts: Mapping[str, frozenset[str]]) -> list[str]:
    return [text for text, versions in texts.items() if len(versions) > 1]
