"""A tiny dbt project, parsed by dbt as often as a test changes it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.dbt import profile
from prefect_sluice.dbt.compiled_facts import CompiledFacts, facts
from prefect_sluice.dbt.core.commands import Commands
from prefect_sluice.dbt.core.fingerprints.ingredients import Fingerprints
from prefect_sluice.dbt.core.nodes import asks_incremental, code_key, read, sql_nodes
from prefect_sluice.dbt.core.project import CoreProject
from prefect_sluice.dbt.project import Project
from prefect_sluice.dbt.session import Session
from prefect_sluice.dbt.settings import Settings, packages
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.warehouse.duckdb.linker import DuckLinker

FILES: Mapping[str, str] = {
    "dbt_project.yml": """
name: shop
profile: shop
version: "1.0"
vars: {threshold: 1}
models: {+materialized: table}
on-run-start: ["create schema if not exists audit"]
""",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, schema: main, threads: 1}}}",
    "macros/money.sql": """
{% macro money(column) %}{{ rounded(column) }}{% endmacro %}
{% macro rounded(column) %}round({{ column }}, 2){% endmacro %}
{% macro unused() %}1{% endmacro %}
{% macro stamp() %}select 1{% endmacro %}
""",
    "seeds/numbers.csv": "id,price\n1,2.5\n",
    "models/a.sql": "select id, {{ money('price') }} as price, {{ var('threshold') }} as t from {{ ref('numbers') }}",
    "models/b.sql": "select *, '{{ env_var('SHOP_COLOUR', 'none') }}' as colour from {{ ref('a') }}",
    "models/c.sql": "{{ config(post_hook='{{ stamp() }}') }} select 1 as id",
    "models/inner.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('c') }}",
    "models/outer.sql": "select * from {{ ref('inner') }}",
    "models/python.py": "import pricing\n\ndef model(dbt, session):\n    return dbt.ref('c').df()\n",
    "lib/pricing.py": "from rounding import up\n",
    "lib/rounding.py": "def up(x):\n    return x\n",
    "models/kept.sql": "{{ config(contract={'enforced': true}) }} select 1 as id",
    "models/loose.sql": "select 1 as id",
    "models/late.sql": "select 1 {% if execute %} + {{ env_var('SHOP_LATE', '1') }} {% endif %} as id",
    "models/hard.sql": "select * from main.c join shop.main.a using (id)",
    "models/round.sql": "select 1 as id where 0 in (select id from main.about)",
    "models/about.sql": "select * from {{ ref('round') }}",
    "models/orders.sql": "select * from {{ source('raw', 'orders') }} join legacy.customers using (id)",
    "models/files.sql": "select * from read_csv('data/x.csv') join 'data/y.parquet' using (id)",
    "models/lookup.sql": "pivot main.c on id using count(*)",
    "models/yesterday.sql": "{{ config(materialized='incremental', unique_key=['id', 'day']) }} select 1 as id, 2 as day",
    "models/schema.yml": """
sources: [{name: raw, tables: [{name: orders}]}]
models:
  - name: a
    description: the first
    columns: [{name: id, data_tests: [unique]}]
  - name: kept
    columns: [{name: id, data_type: integer}]
  - name: loose
    columns: [{name: id, data_type: integer}]
unit_tests:
  - {name: adds, model: outer, given: [{input: ref('c'), rows: [{id: 1}]}], expect: {rows: [{id: 1}]}}
""",
    "snapshots/history.sql": """
{% snapshot history %}{{ config(unique_key='id', strategy='check', check_cols=['price'], target_schema='main') }}
select * from {{ ref('a') }}{% endsnapshot %}
""",
}  # fmt: skip


@dataclass
class Shop:
    """The project in a folder, and dbt's parse state beside it."""

    folder: Path
    state: Path
    files: Mapping[str, str] = field(default_factory=lambda: FILES)
    known: dict[str, CompiledFacts] = field(default_factory=dict[str, CompiledFacts])

    def write(self, path: str, text: str) -> None:
        """Write one file of the project."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def reset(self) -> None:
        """Write the project as it was at first."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path, text in self.files.items():
            self.write(path, text)

    def commands(self, variables: Mapping[str, Any] | None = None) -> Commands:
        """Return dbt's commands on this project; nothing is served yet."""
        return Commands(self.session(variables))

    def session(self, variables: Mapping[str, Any] | None = None) -> Session:
        """Return where and how dbt runs for this project; nothing is served yet."""
        target = profile.load(self.folder, dict(os.environ)).target("dev")
        side = self.state / "side" / "shop.duckdb"
        side.parent.mkdir(parents=True, exist_ok=True)
        return Session(
            target,
            self.folder,
            self.folder,
            self.state,
            CandidatePlace(str(side), side),
            variables or {},
            live=self.folder / "none.duckdb",
        )

    def dbt(self, variables: Mapping[str, Any] | None = None) -> CoreProject:
        """Return the port of dbt for the project as it is now, with the environment of this process."""
        return CoreProject.parsed(replace(self.session(variables), environ=dict(os.environ)))

    def read(self, variables: Mapping[str, Any] | None = None, *, compiled: bool = False) -> Project:
        """Return the project as it is now; what the SQL reads is found in it only when it is `compiled`."""
        session = self.session(variables)
        manifest = Commands(session).parse()
        project = profile.read_yaml(self.folder / "dbt_project.yml", "", "")
        variables = {**project["vars"], **(variables or {})}
        settings = Settings(
            variables, packages(self.folder), dict(os.environ), session.target.name, session.target.settings
        )
        prints = Fingerprints(manifest, self.folder, settings)
        found = self.facts(Commands(session), prints) if compiled else dict[str, CompiledFacts]()
        return read(manifest, prints, found, "shop")

    def facts(self, commands: Commands, prints: Fingerprints) -> Mapping[str, CompiledFacts]:
        """Return what the compiled texts tell; a text seen before is not compiled again."""
        manifest = prints.manifest
        keys = {uid: code_key(manifest, prints, uid) for uid in sql_nodes(manifest)}
        todo = {uid for uid, key in keys.items() if key not in self.known}
        linker = DuckLinker("shop")
        texts: dict[str, list[str]] = {}
        for incremental in (False, True):
            chosen = [uid for uid in todo if not incremental or asks_incremental(manifest, prints, uid)]
            fqns = [f"fqn:{'.'.join(manifest.nodes[uid].fqn)}" for uid in sorted(chosen)]
            none = dict[str, str]()
            compiled = commands.compile(manifest, fqns, incremental=incremental) if fqns else none
            for uid in compiled.keys() & todo:
                texts.setdefault(uid, []).append(compiled[uid])
        self.known |= {keys[uid]: facts(found, linker, "duckdb", "shop") for uid, found in texts.items()}
        return {uid: self.known[key] for uid, key in keys.items() if key in self.known}


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The project, parsed once, so that each later parse is a partial one."""
    folder = tmp_path_factory.mktemp("shop")
    shop = Shop(folder / "project", folder / "state")
    shop.reset()
    shop.read()
    return shop


@pytest.fixture
def shop(parsed: Shop) -> Generator[Shop]:
    """The project as it was at first."""
    parsed.reset()
    yield parsed
    parsed.reset()
