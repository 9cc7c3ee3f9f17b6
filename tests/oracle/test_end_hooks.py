"""`on-run-end` hooks that write to nodes: what they leave depends on all that the run built, and is what plain dbt gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_sluice.promotions.work import Status
from tests.oracle.served import differences, relations
from tests.oracle.test_default_selector import plain
from tests.oracle.test_histories import TABLE, Project
from tests.outcomes import status
from tests.warm_commands import Commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("plain-dbt")]

HOOKS = {
    "a name": "insert into main.written select max(id) + 1 from main.leaf",
    "a ref": "insert into {{ ref('written') }} select max(id) + 1 from main.leaf",
    "a macro": "{{ note() }}",
    "a variable": "insert into {{ target.schema }}.{{ var('summary') }} select max(id) + 3 from main.leaf",
    "a source": "insert into {{ source('own', 'w') }} select max(id) + 4 from main.leaf",
    "the graph": "{% for node in graph.nodes.values() if node.name == 'written' %}"
    "update {{ node.relation_name }} set id = (select max(id) * 10 from main.leaf);{% endfor %}",
    "what ran": "{% for r in results if r.node.name == 'written' %}"
    "update {{ r.node.relation_name }} set id = (select max(id) * 10 from main.leaf);{% endfor %}",
}
MACRO = """
{% macro note() %}{% set place = adapter.get_relation(none, 'main', 'written') or 'main.written' %}
{% do run_query('insert into ' ~ place ~ ' select max(id) + 2 from main.leaf') %}{% endmacro %}
"""
LEAF = "select id + {{ more() }} as id from raw.t union all select id from {{ ref('start') }}"
CHANGES: tuple[dict[str, str], ...] = (
    {"seeds/start.csv": "id\n6\n"},
    {"macros/more.sql": "{% macro more() %}30{% endmacro %}"},
    {"models/leaf.sql": TABLE + LEAF.replace("id +", "id + 40 +")},
)
"""What `leaf` is made from, each in its turn: the hooks read it."""
RAW = ("create schema raw", "create table raw.t as select 1 as id")


@pytest.mark.parametrize("hook", HOOKS)
def test_what_a_hook_at_the_end_writes_is_made_anew(
    hook: str, warm_commands: Commands, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(folder)
    project.load(*RAW)
    files = {
        "sluice.yml": "gates: {lint: {on: off}, safety: {on: warn}}\n",
        "dbt_project.yml": 'name: p\nprofile: p\nversion: "1.0"\nvars: {summary: written}\n'
        f'on-run-end:\n  - "{HOOKS[hook]}"\n',
        "models/own.yml": "sources: [{name: own, schema: main, tables: [{name: w, identifier: written}]}]\n",
        "macros/more.sql": "{% macro more() %}1{% endmacro %}",
        "seeds/start.csv": "id\n5\n",
        "macros/note.sql": MACRO,
        "models/written.sql": TABLE + "select 0 as id",
        "models/leaf.sql": TABLE + LEAF,
        "models/calm.sql": TABLE + "select 7 as id",
    }
    assert status(project.release(files)) is Status.DONE
    assert not differences(
        plain(project, tmp_path / "first", warm_commands, RAW), relations(folder / "w.duckdb")
    )

    for number, change in enumerate(CHANGES if hook == "a name" else CHANGES[-1:]):
        work = project.release(change)
        assert status(work) is Status.DONE, change
        built_by_dbt = plain(project, tmp_path / f"{number}", warm_commands, RAW)
        assert not differences(built_by_dbt, relations(folder / "w.duckdb"))
        assert work.plan is not None
        built = {uid.rpartition(".")[2] for uid in work.plan.made}
        assert ("calm" in built) is (hook == "the graph"), "only where the hook lists all nodes may it be any"

    more = "insert into raw.t values (20)"
    project.load(more)
    assert status(project.refresh()) is Status.DONE
    found = relations(folder / "w.duckdb")
    assert not differences(plain(project, tmp_path / "third", warm_commands, (*RAW, more)), found)
