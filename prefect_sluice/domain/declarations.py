"""What a data project declares beside its relations: consumers, tests, descriptions, code that runs on the side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from prefect_sluice.domain.digests import Json


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who reads public relations: a dbt exposure. `parents` are unique ids of nodes, `columns` the columns that it says
    it reads, by unique id (`meta.sluice.columns`); a node that is not in there is read as a whole."""

    unique_id: str
    name: str
    kind: str = ""
    label: str = ""
    owner: str = ""
    url: str = ""
    description: str = ""
    path: str = ""
    parents: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])


@dataclass(frozen=True, slots=True)
class DeclaredTest:
    """A dbt test. `node` is what it is attached to ("" for a singular test and one on a source), `generic` the name of
    a generic test as written (`not_null`, `dbt_utils.accepted_range`; "" for a singular or unit test), `arguments` its
    own arguments, `config` dbt's config of it that is set (severity, warn_if, error_if, where, limit, store_failures …)."""

    unique_id: str
    name: str
    generic: str = ""
    is_unit: bool = False
    node: str = ""
    column: str = ""
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    config: Mapping[str, Json] = field(default_factory=dict[str, Json])
    parents: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """What people are told of one node. `columns` gives each declared column's description, `types` the data types that a
    dbt contract or a schema file names; `enforced` says that dbt's own model contract is on, `rules` are the constraints that
    it has, as text ("id: not_null"), and `contract` is the `module:Class` of its pandera contract; `keyed`: a constraint
    names its key; `ephemeral`: it has no relation."""

    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    enforced: bool = False
    rules: tuple[str, ...] = ()
    contract: str = ""
    access: str = ""
    group: str = ""
    keyed: bool = False
    ephemeral: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class CodeText:
    """A text that may run beside a node's own query: a hook, an operation (`on-run-start`), a macro, as it is written.

    `kind` is pre-hook, post-hook, on-run-start, on-run-end, macro or template (the text of a model, test or snapshot,
    whose Jinja may send statements); `node` the node it hangs on. `package` is "" for the project's own. `runs` says whence
    a macro may come to be called in a release: "beside" (by a hook or an operation), "query" (only by a node's own text,
    or by how it is made), "" (by nothing in it).
    """

    unique_id: str
    kind: str
    text: str
    node: str = ""
    path: str = ""
    package: str = ""
    runs: str = "beside"


@dataclass(frozen=True, slots=True)
class Declarations:
    """All of it, by unique id where there is one."""

    consumers: Mapping[str, Consumer] = field(default_factory=dict[str, Consumer])
    tests: Mapping[str, DeclaredTest] = field(default_factory=dict[str, DeclaredTest])
    described: Mapping[str, NodeDescription] = field(default_factory=dict[str, NodeDescription])
    code: tuple[CodeText, ...] = ()

    def document(self) -> Json:
        """Return it as JSON, without the code: what a later release is compared with."""
        return {
            "consumers": [asdict(consumer) for consumer in self.consumers.values()],
            "tests": [asdict(test) for test in self.tests.values()],
            "described": {uid: asdict(description) for uid, description in self.described.items()},
        }

    def renamed(self, ids: Mapping[str, str]) -> Declarations:
        """Return the same with nodes under the unique ids of today; `ids` are the new ones by the old."""
        if not ids:
            return self

        def new(uids: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(ids.get(uid, uid) for uid in uids)

        def consumer(old: Consumer) -> Consumer:
            columns = {ids.get(uid, uid): names for uid, names in old.columns.items()}
            return replace(old, parents=new(old.parents), columns=columns)

        return replace(
            self,
            consumers={uid: consumer(old) for uid, old in self.consumers.items()},
            tests={
                uid: replace(test, node=ids.get(test.node, test.node), parents=new(test.parents))
                for uid, test in self.tests.items()
            },
            described={ids.get(uid, uid): description for uid, description in self.described.items()},
        )

    @classmethod
    def read(cls, document: Json) -> Declarations:
        """Read what `document` wrote."""
        raw = cast(Mapping[str, Any], document)
        consumers = [_consumer(entry) for entry in raw["consumers"]]
        tests = [DeclaredTest(**_tuples(entry, "parents")) for entry in raw["tests"]]
        return cls(
            {consumer.unique_id: consumer for consumer in consumers},
            {test.unique_id: test for test in tests},
            {uid: NodeDescription(**_tuples(entry, "rules")) for uid, entry in raw["described"].items()},
        )


def _tuples(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**entry, **{name: tuple(entry[name]) for name in names}}


def _consumer(entry: Mapping[str, Any]) -> Consumer:
    columns = {uid: tuple(names) for uid, names in entry["columns"].items()}
    fields: dict[str, Any] = {**_tuples(entry, "parents"), "columns": columns}
    return Consumer(**fields)
