"""A small dbt project as a value, and its files: what the generated histories change step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KINDS = ("view", "table", "incremental", "ephemeral")
RAW = ("events", "items")
"""Tables of the schema raw, each with the columns id, v and note."""

PROFILES = (
    "p: {target: dev, outputs: {dev: {type: duckdb, path: \"{{ env_var('ORACLE_FILE', 'w.duckdb') }}\","
    " schema: main, threads: 1}}}\n"
)
SOURCES = "sources:\n  - name: raw\n    tables: [{name: events}, {name: items}]\n"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its SQL, and the columns of parents that the SQL needs, as (alias of the parent, column)."""

    name: str
    sql: str
    needs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model. The first parent is `t0`, the second, if there is one, `t1`; each is `raw.events`, or a name.
    `remark` is what only formatting changes, `about` its description, `tests` are (column or "", YAML)."""

    kind: str
    parents: tuple[str, ...]
    columns: tuple[Column, ...]
    schema: str = ""
    remark: str = ""
    about: str = ""
    tests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The whole project. `seeds` map a name to CSV rows below `id,v,note`; `snapshots` a name to the model they keep."""

    models: Mapping[str, Model]
    seeds: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    snapshots: Mapping[str, str] = field(default_factory=dict[str, str])
    rate: int = 2
    bump: int = 1
    last: int = 0
    """The number of the last name given out: no name is used for two things."""

    def columns_of(self, parent: str) -> tuple[str, ...]:
        """Return the columns of a parent, `id` left out."""
        if parent in self.models:
            return tuple(column.name for column in self.models[parent].columns)
        return ("v", "note")

    def children_of(self, name: str) -> tuple[str, ...]:
        """Return the models and snapshots that read `name`."""
        models = [child for child, model in self.models.items() if name in model.parents]
        return (*models, *(kept for kept, parent in self.snapshots.items() if parent == name))

    def above(self, name: str) -> frozenset[str]:
        """Return all that `name` reads, directly or not."""
        found: set[str] = set()
        todo = list(self.models[name].parents) if name in self.models else []
        while todo:
            parent = todo.pop()
            if parent not in found:
                found.add(parent)
                todo.extend(self.models[parent].parents if parent in self.models else ())
        return frozenset(found)

    def files(self) -> Mapping[str, str]:
        """Return the project's files."""
        return {
            ".gitignore": "*.duckdb*\ntarget/\nlogs/\n",
            "dbt_project.yml": (
                "name: p\nprofile: p\nversion: '1.0'\nmacro-paths: [macros]\n"
                f"vars: {{rate: {self.rate}}}\nseeds: {{p: {{+column_types: {{}}}}}}\n"
            ),
            "profiles.yml": PROFILES,
            "sluice.yml": "gates: {diff: {max_unexplained_share: 1}}\n",  # one declared loss asks no word for the rest
            "macros/bump.sql": f"{{% macro bump(x) %}}({{{{ x }}}} + {self.bump}){{% endmacro %}}\n",
            "models/sources.yml": SOURCES,
            **{f"models/{name}.sql": self._sql(model) for name, model in self.models.items()},
            **{f"seeds/{name}.csv": "\n".join(("id,v,note", *rows, "")) for name, rows in self.seeds.items()},
            **{f"snapshots/{name}.sql": _snapshot(name, parent) for name, parent in self.snapshots.items()},
            "models/schema.yml": "\n".join(("models:", *self._properties(), "")) if self.models else "",
        }

    def _sql(self, model: Model) -> str:
        config = "" if model.kind == "view" else f"materialized='{model.kind}'"
        config += (", " if config and model.schema else "") + (
            f"schema='{model.schema}'" if model.schema else ""
        )
        if model.kind == "incremental":
            config += ", unique_key='id'"
        columns = ", ".join(("t0.id", *(f"{column.sql} as {column.name}" for column in model.columns)))
        lines = [f"{{{{ config({config}) }}}}"] if config else []
        lines += [model.remark] if model.remark else []
        lines += [f"select {columns}", f"from {_ref(model.parents[0])} as t0"]
        lines += [f"left join {_ref(parent)} as t1 on t1.id = t0.id" for parent in model.parents[1:]]
        if model.kind == "incremental":
            newest = "(select coalesce(max(id), 0) from {{ this }})"
            lines += [f"{{% if is_incremental() %}}where t0.id > {newest}{{% endif %}}"]
        return "\n".join(lines) + "\n"

    def _properties(self) -> Iterator[str]:
        for name, model in self.models.items():
            yield f"  - name: {name}"
            yield f"    description: '{model.about}'"
            columns = ["id", *(column.name for column in model.columns)]
            written = [
                f"{{name: {column}, data_tests: [{', '.join(text for on, text in model.tests if on == column)}]}}"
                for column in columns
            ]
            # dbt does not test what is inlined.
            yield f"    columns: [{', '.join(written)}]" if model.kind != "ephemeral" else "    columns: []"


def _ref(parent: str) -> str:
    if parent.startswith("raw."):
        return f"{{{{ source('raw', '{parent.removeprefix('raw.')}') }}}}"
    return f"{{{{ ref('{parent}') }}}}"


def _snapshot(name: str, parent: str) -> str:
    config = "unique_key='id', strategy='check', check_cols='all'"
    return f"{{% snapshot {name} %}}{{{{ config({config}) }}}}\nselect * from {_ref(parent)}\n{{% endsnapshot %}}\n"
