"""What a candidate is, as a document: where each new relation is, what it becomes, and the pointers it would serve. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Pointer
from prefect_sluice.domain.node import Name, Node, NodeKind
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.warehouse.base import IncomingTable, LinkedView, Linker, SideLinks
from prefect_sluice.warehouse.content import RelationContent

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class CandidateContents:
    """Everything that Deploy does with a candidate: tables to bring in, views to make, and all pointers afterwards.

    `file` is the digest with which the candidate was sealed ("" when nothing was built), `held` what the tables hold.
    """

    tables: tuple[IncomingTable, ...]
    views: tuple[LinkedView, ...]
    pointers: tuple[Pointer, ...]
    file: str
    held: tuple[RelationContent, ...] = ()

    def document(self) -> Json:
        """Return it as JSON; the evidence, and so the approval, binds its digest."""
        return {
            "file": self.file,
            "tables": [[str(table.source), str(table.address)] for table in self.tables],
            "views": [[str(view.address), view.sql] for view in self.views],
            "pointers": [_written(pointer) for pointer in self.pointers],
            "held": [
                [str(content.address), content.algorithm, content.rows, content.digest]
                for content in self.held
            ],
        }

    @classmethod
    def read(cls, document: Json) -> CandidateContents:
        """Read what `document` wrote."""
        raw = cast(Mapping[str, Any], document)
        return cls(
            tables=tuple(
                IncomingTable(Name.parse(source), Name.parse(address)) for source, address in raw["tables"]
            ),
            views=tuple(LinkedView(Name.parse(address), sql) for address, sql in raw["views"]),
            pointers=tuple(_read(columns) for columns in raw["pointers"]),
            file=str(raw["file"]),
            held=tuple(  # a candidate that an older Sluice made has none
                RelationContent(Name.parse(address), algorithm, rows, digest)
                for address, algorithm, rows, digest in raw.get("held", ())
            ),
        )


def _written(pointer: Pointer) -> Json:
    return [
        str(pointer.name),
        str(pointer.address),
        pointer.node,
        pointer.kind.value,
        pointer.fingerprint,
        pointer.inputs,
    ]


def _read(columns: Sequence[str]) -> Pointer:
    name, address, node, kind, fingerprint, inputs = columns
    return Pointer(Name.parse(name), Name.parse(address), node, NodeKind(kind), fingerprint, inputs)


def address(store: str, name: Name, fingerprint: str, run: str) -> Name:
    """Return the physical address of a relation built in one run: `<store>.<name>__<fingerprint>_<run>`."""
    return Name(store, f"{name.identifier}__{fingerprint[:_DIGITS]}_{run}")


def pointers(plan: Plan, store: str, run: str) -> tuple[Pointer, ...]:
    """Return the pointers of the nodes once the plan is done; by-products come after the build, when they are known."""
    return tuple(
        _pointer(step, store, run)
        for step in plan.of(Action.REUSE, Action.BUILD, Action.CARRY)
        if step.pointer is None or not step.is_by_product
    )


def _pointer(step: Step, store: str, run: str) -> Pointer:
    if step.action is Action.REUSE and step.pointer is not None:
        return step.pointer
    return Pointer(
        step.name,
        address(store, step.name, step.fingerprint, run),
        step.node,
        step.kind,
        step.fingerprint,
        step.inputs,
    )


def link(
    plan: Plan,
    nodes: Mapping[str, Node],
    all_pointers: Iterable[Pointer],
    compiled: Mapping[str, str],
    linker: Linker,
) -> SideLinks:
    """Decide what each new relation becomes: a view whose query reads physical addresses where that is the same, else a table.

    A view that reads anything outside the store (a source, a file) becomes a table: as a view it would show rows
    that no gate has seen, the moment they arrive.
    """
    by_node = {pointer.node: pointer for pointer in all_pointers}
    addresses = {
        Name(item.name.schema.lower(), item.name.identifier.lower()): item.address
        for item in by_node.values()
    }
    made = plan.made
    views: dict[str, LinkedView] = {}
    for uid in made:
        if stays_a_view(nodes[uid]) and uid in compiled:
            sql = linker.relink(compiled[uid], addresses)
            if sql is not None:
                views[uid] = LinkedView(by_node[uid].address, sql)
    tables = tuple(IncomingTable(nodes[uid].name, by_node[uid].address) for uid in made if uid not in views)
    live = tuple(
        sorted({by_node[step.node].address for step in plan.of(Action.REUSE) if step.node in by_node})
    )
    return SideLinks(tables, live, tuple((view, nodes[uid].name) for uid, view in views.items()))


def stays_a_view(node: Node) -> bool:
    """Say whether a node that dbt makes a view of may be served as one."""
    return node.stays_a_view
