"""Selecting many nodes in one criterion: dbt looks at every node once for each criterion it is given."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_EXACT = "fqn:"
_MARK = "sluice_chosen"


@contextmanager
def marked(manifest: Manifest | None, arguments: Sequence[str]) -> Generator[tuple[str, ...]]:
    """Give `arguments` with their `fqn:` criteria as one: the nodes and tests that bear exactly these names wear a tag meanwhile.

    dbt's own `fqn:a.b` also means all that lies in a folder `a/b`. Without a manifest, nothing is changed.
    """
    names = {argument.removeprefix(_EXACT) for argument in arguments if argument.startswith(_EXACT)}
    if manifest is None or not names:
        yield tuple(arguments)
        return
    tags = [_tags(node) for node in _selectable(manifest) if ".".join(node.fqn) in names]
    for tags_of_node in tags:
        tags_of_node.append(_MARK)
    first = next(at for at, argument in enumerate(arguments) if argument.startswith(_EXACT))
    rest = [argument for argument in arguments[first:] if not argument.startswith(_EXACT)]
    try:
        yield (*arguments[:first], f"tag:{_MARK}", *rest)
    finally:
        for tags_of_node in tags:
            tags_of_node.remove(_MARK)


def _selectable(manifest: Manifest) -> Iterator[Any]:
    yield from manifest.nodes.values()
    yield from manifest.unit_tests.values()


def _tags(node: Any) -> list[str]:
    """Return the list in which dbt looks for a node's tags; a unit test's are those of its configuration."""
    if node.resource_type.value == "unit_test":  # a property: nothing can be added to what it returns
        if isinstance(node.config.tags, str):
            node.config.tags = [node.config.tags]
        return node.config.tags
    return node.tags
