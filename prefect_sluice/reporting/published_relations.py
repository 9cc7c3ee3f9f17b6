"""Published relations of a release, with what each was built from: for catalogues of data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.node import Name, Node
from prefect_sluice.planning.plan import Plan
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.work import Work

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True, slots=True)
class PublishedRelation:
    """One public relation that a generation serves anew. `key` is `<engine>://<environment>/<schema>/<name>`, without a path or
    a secret; `reads` are the keys of what it is built from, `owners` who answers for it, `why` the plan's reason."""

    key: str
    name: str
    kind: str
    description: str
    owners: tuple[str, ...]
    reads: tuple[str, ...]
    why: str


def assets(work: Work) -> tuple[PublishedRelation, ...]:
    """Return what the generation of this work serves anew, in build order; none for work that has no plan, as a rollback's."""
    if work.plan is None or work.release is None or work.generation is None:
        return ()
    workspace = work.workspace
    environment = workspace.environment(work.request.environment)
    loaded = load(workspace, environment, work.release)
    engine = workspace.warehouse(environment).dialect
    return described(work.plan, work.generation, loaded.project.nodes, loaded.dbt.facts.owners, engine)


def described(
    plan: Plan,
    generation: Generation,
    nodes: Mapping[str, Node],
    owners: Mapping[str, tuple[str, ...]],
    engine: str,
) -> tuple[PublishedRelation, ...]:
    """Return the relations that a plan makes or links anew, as they stand in the generation. Pure."""
    served, back = generation.by_node(), {*plan.relinked}
    steps = [step for step in plan.steps if step.action.makes or step.node in back]

    def key(name: Name) -> str:
        return asset_key(engine, generation.environment, name)

    relations: list[PublishedRelation] = []
    for step in steps:
        pointer, node = served.get(step.node), nodes.get(step.node)
        if pointer is None:
            continue
        reads = _read(node, nodes) if node is not None else ()
        relations.append(
            PublishedRelation(
                key(pointer.name),
                str(pointer.name),
                pointer.kind.value,
                node.description if node is not None else "",
                owners.get(step.node, ()),
                tuple(dict.fromkeys(key(name) for name in reads)),
                str(step.reason),
            )
        )
    return tuple(relations)


def _read(node: Node, nodes: Mapping[str, Node]) -> tuple[Name, ...]:
    return (*(nodes[uid].name for uid in node.parents if uid in nodes), *node.sources)


def asset_key(engine: str, environment: str, name: Name) -> str:
    """Return the key of a public relation; letters that a key may not hold become `_`. Pure."""
    parts = (environment, name.schema, name.identifier)
    return f"{engine}://{'/'.join(_UNSAFE.sub('_', part) for part in parts)}"
