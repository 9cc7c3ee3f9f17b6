"""The lineage of what serves: columns as the warehouse has them, queries as dbt compiles them. Both are remembered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from prefect_sluice.dbt import implementation
from prefect_sluice.domain import old_names
from prefect_sluice.domain.declarations import Consumer, Declarations
from prefect_sluice.domain.digests import Json, digest
from prefect_sluice.domain.errors import BadInput, SluiceError
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name, NodeKind, short_name
from prefect_sluice.planning import source_versions
from prefect_sluice.planning.lineage_graph import LineageGraph, LineageRelation
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.stored_plan import stored_plan
from prefect_sluice.promotions.work import tell
from prefect_sluice.sql.column_lineage import QueryLineage, query_lineage
from prefect_sluice.sql.write_targets import Targets
from prefect_sluice.stages.candidate.compiled_texts import TEXTS
from prefect_sluice.warehouse.functions import columns_by_name
from prefect_sluice.workspace.workspace import Environment, Workspace

_LINEAGE = "lineage.1"
"""With the number of its form. A lineage is remembered by all that it depends on, a text by the fingerprint of its relation."""


def served_lineage(workspace: Workspace, environment: Environment) -> LineageGraph:
    """Return the lineage of all that an environment serves. Raises BadInput where nothing does.

    A text that nobody remembers is compiled by dbt, in a work folder of its own.
    """
    if not environment.database.exists():
        raise _nothing_serves(environment)
    warehouse = workspace.warehouse(environment)
    with warehouse.reader() as reader:
        live = reader.generation(environment.name)
        if not live.number:
            raise _nothing_serves(environment)
        typed = columns_by_name(reader)
    columns = {name: tuple(column for column, _ in columns) for name, columns in typed.items()}
    pointers = {pointer.node: pointer for pointer in live.relations}
    texts = _texts(workspace, environment, live, pointers)
    made = _lineages(workspace, texts, columns, warehouse.dialect, warehouse.catalog)
    parents = _parents(workspace, live, pointers)
    declared = workspace.store.declared(environment.name, live.release) or Declarations()
    relations = {
        pointer.name.folded: LineageRelation(
            pointer.name,
            uid,
            _kind(pointer),
            columns.get(pointer.name.folded, ()),
            made.get(uid),
            _why(pointer, uid, made, declared),
            parents.get(uid, ()),
        )
        for uid, pointer in pointers.items()
    }
    read = {name for relation in relations.values() if relation.made for name in relation.made.relations}
    old = {item.name.folded for item in old_names.of(live)}
    for name in sorted(
        (read | {name for above in parents.values() for name in above}) - relations.keys() - old
    ):
        relations[name] = LineageRelation(name, columns=columns.get(name, ()))
    inlined = frozenset(short_name(uid).lower() for uid, node in declared.described.items() if node.ephemeral)
    return LineageGraph(relations, _readers(declared.consumers.values(), pointers), inlined)


def _nothing_serves(environment: Environment) -> BadInput:
    return BadInput(
        f"environment {environment.name!r} serves nothing yet",
        fix=f"release something first: sluice release --env {environment.name}",
    )


def _kind(pointer: Pointer) -> str:
    return "made by a hook or macro" if pointer.is_by_product else pointer.kind.value


def _why(pointer: Pointer, uid: str, made: Mapping[str, QueryLineage], declared: Declarations) -> str:
    """Return why nobody reads the code of a relation; "" where its query was read, and for a seed."""
    if uid in made or pointer.kind is NodeKind.SEED:
        return ""
    if pointer.is_by_product:
        return "made by a hook or macro"
    description = declared.described.get(uid)
    if description is not None and description.path.endswith(".py"):
        return "python model"
    return "dbt gives no SQL of it"


def _texts(
    workspace: Workspace, environment: Environment, live: Generation, pointers: Mapping[str, Pointer]
) -> Mapping[str, str]:
    """Return the compiled text of each node that serves; "" for one that has none."""
    keys = {uid: pointer.fingerprint for uid, pointer in pointers.items() if pointer.fingerprint}
    remembered = workspace.store.cached(TEXTS, keys.values())
    missing = {uid: key for uid, key in keys.items() if key not in remembered}
    if missing:
        fresh = _compiled(workspace.beside(".plan"), environment.name, live, missing)
        remembered = {**remembered, **fresh}
        with workspace.store.transaction() as transaction:
            transaction.put_all_cached(TEXTS, fresh)
    return {uid: str(remembered[key]) for uid, key in keys.items() if key in remembered}


def _compiled(
    workspace: Workspace, environment_name: str, live: Generation, missing: Mapping[str, str]
) -> dict[str, Json]:
    """Have dbt compile the code that serves; return the texts by fingerprint, the later one of an incremental model."""
    release = workspace.store.release(live.release)
    if release is None:
        return {}
    tell("compiling what serves")
    environment = workspace.environment(environment_name)
    implementation.get_ready(environment.policy.isolation)
    loaded = load(workspace, environment, release)
    warehouse = workspace.warehouse(environment, loaded.session)
    stubs = source_versions.stubs(live, warehouse.relations(), (), Targets())
    warehouse.prepare(loaded.session.place, stubs)
    sql = [uid for uid in loaded.dbt.text_keys() if uid in missing]
    texts: Mapping[str, tuple[str, ...]] = {} if loaded.withheld else loaded.dbt.compiled(tuple(sql))
    loaded.dbt.close()
    return {key: texts[uid][-1] if texts.get(uid) else "" for uid, key in missing.items()}


def _lineages(
    workspace: Workspace,
    texts: Mapping[str, str],
    columns: Mapping[Name, tuple[str, ...]],
    dialect: str,
    catalog: str,
) -> Mapping[str, QueryLineage]:
    """Return the lineage of each text. What is remembered of it depends on the text, and on the columns of all relations."""
    there = digest([[str(name), *names] for name, names in sorted(columns.items())])
    keys = {uid: digest([text, dialect, catalog, there]) for uid, text in texts.items() if text}
    remembered = workspace.store.cached(_LINEAGE, keys.values())
    fresh: dict[str, Json] = {}
    for uid, key in keys.items():
        if key not in remembered:
            fresh[key] = query_lineage(texts[uid], dialect, catalog, columns).document()
    if fresh:
        with workspace.store.transaction() as transaction:
            transaction.put_all_cached(_LINEAGE, fresh)
    return {uid: QueryLineage.read({**remembered, **fresh}[key]) for uid, key in keys.items()}


def _parents(
    workspace: Workspace, live: Generation, pointers: Mapping[str, Pointer]
) -> Mapping[str, tuple[Name, ...]]:
    """Return what each node reads, by the plan that built what serves; nothing where that is not kept any more."""
    promotion = workspace.store.promotion(live.promotion)
    if promotion is None or not promotion.plan:
        return {}
    with suppress(SluiceError):
        makeup = stored_plan(workspace, promotion.plan).notes.makeup
        return {
            uid: tuple(_read_name(parent, pointers) for parent in parts.reads)
            for uid, parts in makeup.items()
            if uid in pointers
        }
    return {}


def _read_name(uid: str, pointers: Mapping[str, Pointer]) -> Name:
    if uid in pointers:
        return pointers[uid].name.folded
    schema, _, identifier = short_name(uid).rpartition(".")
    return Name(schema or "source", identifier).folded


def _readers(
    consumers: Collection[Consumer], pointers: Mapping[str, Pointer]
) -> tuple[tuple[Consumer, Mapping[Name, frozenset[str] | None]], ...]:
    """Return which columns of which relations each consumer reads (None: all)."""
    named = {short_name(uid).lower(): uid for uid in pointers} | {
        str(pointer.name.folded): uid for uid, pointer in pointers.items()
    }
    readers: list[tuple[Consumer, Mapping[Name, frozenset[str] | None]]] = []
    for consumer in consumers:
        own = {
            uid if uid in pointers else named.get(uid.lower(), uid): names
            for uid, names in consumer.columns.items()
        }
        reads = {
            pointers[uid].name.folded: frozenset(name.lower() for name in own[uid]) if uid in own else None
            for uid in dict.fromkeys((*consumer.parents, *own))
            if uid in pointers
        }
        readers.append((consumer, reads))
    return tuple(readers)
