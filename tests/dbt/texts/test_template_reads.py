"""What can be read from a template without running it: is its text a matter of code and settings alone?"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from prefect_sluice.dbt.core.fingerprints.macros import Macros
from prefect_sluice.dbt.texts.template_reads import UNREADABLE, uses, without_comments, without_names

MACROS = {
    "macro.shop.money": "{% macro money(column, model) %}round({{ column }}, {{ var('digits') }}){% endmacro %}",
    "macro.shop.asks": "{% macro asks() %}{{ run_query('select 1') }}{% endmacro %}",
    "macro.shop.deep": "{% macro deep() %}{% if execute %}{{ asks() }}{% endif %}{% endmacro %}",
    "macro.shop.default__shared": "{% macro default__shared() %}1{% endmacro %}",
    "macro.helper.shared": "{% macro shared() %}{{ adapter.dispatch('shared', 'helper')() }}{% endmacro %}",
    "macro.dbt.money_trunc": "{% macro money_trunc(part, money) %}trunc('{{ part }}', {{ money }}){% endmacro %}",
    "macro.dbt.run_query": "{% macro run_query(sql) %}{% call statement('x') %}{{ sql }}{% endcall %}{% endmacro %}",
    "macro.dbt.is_incremental": "{% macro is_incremental() %}{{ adapter.get_relation() }}{% endmacro %}",
}


def macros() -> Macros:
    none = SimpleNamespace(macros=[])
    found: dict[str, Any] = {
        uid: SimpleNamespace(
            name=uid.split(".")[2], package_name=uid.split(".")[1], macro_sql=text, depends_on=none
        )
        for uid, text in MACROS.items()
    }
    return Macros(SimpleNamespace(macros=found))  # pyright: ignore[reportArgumentType]  # as much of a manifest as it takes


@pytest.mark.parametrize(
    "template",
    [
        "select 1",
        "select * from {{ ref('a') }} join {{ source('raw', 'b') }}",
        "{{ config(materialized='table', tags=['x']) }} select {{ var('x', 1) }} as x, '{{ env_var(\"Y\") }}' as y",
        "{% set columns = ['a', 'b'] %}{% for c in columns %}{{ c }}{{ ',' if not loop.last }}{% endfor %}",
        "{{ money('amount', none) }}",
        "{{ helper.shared() }}",
        "{% if is_incremental() %}where id > (select max(id) from {{ this }}){% endif %}",
        "'{{ target.name }}' {{ target['schema'] }}",
        "{{ modules.re.sub('a', 'b', 'c') }} {{ api.Column.translate_type('string') }}",
        "{{ config.get('tags') | length }} {% do log('hello') %} {{ exceptions.warn('x') }}",
        "{{ dbt_version }} {{ ['a'] | map('upper') | join(',') }}",
        "{% macro inner(model) %}{{ model }}{% endmacro %}{{ inner('x') }}",
    ],
)
def test_steady(template: str) -> None:
    reached = macros().reach([template])
    assert reached.asks.unsteady == frozenset()
    assert reached.is_steady


@pytest.mark.parametrize(
    ("template", "because"),
    [
        ("{{ asks() }}", "statement"),
        ("{{ deep() }}", "statement"),
        ("{% if execute %}{{ run_query('select 1') }}{% endif %}", "statement"),
        ("{{ run_started_at }}", "run_started_at"),
        ("{{ modules.datetime.datetime.now() }}", "modules.datetime"),
        ("{{ invocation_id }}", "invocation_id"),
        ("{% for n in graph.nodes.values() %}{{ n.name }}{% endfor %}", "graph"),
        ("{% set graph = graph %}{{ graph }}", "graph"),
        ("{{ model.created_at }}", "model"),
        ("{{ adapter.get_columns_in_relation(ref('a')) }}", "adapter.get_columns_in_relation"),
        ("{{ target.path }}", "target.path"),
        ("{{ target }}", "target"),
        ("{{ flags.FULL_REFRESH }}", "flags"),
        ("{{ [1, 2] | random }}", "random"),
        ("{% for x in set(['a', 'b']) %}{{ x }}{% endfor %}", "set"),
        ("{% call set_header(config) %}x{% endcall %}", "config"),
        ("{{ config.set('a', 1) }}", "config"),
        ("{{ something_new_in_dbt() }}", "something_new_in_dbt"),
        ("{{ unclosed", "unreadable"),
        ("{% include 'x' %}", "include"),
    ],
)
def test_unsteady(template: str, because: str) -> None:
    reached = macros().reach([template])
    assert because in reached.asks.unsteady
    assert not reached.is_steady


def test_a_macro_is_found_wherever_it_is_called_and_with_all_it_calls() -> None:
    assert macros().reach(["{% if false %}{{ deep() }}{% endif %}"]).own == {
        "macro.shop.deep",
        "macro.shop.asks",
    }
    assert macros().reach(["{{ helper.shared() }}"]).own == {
        "macro.helper.shared",
        "macro.shop.default__shared",
    }
    assert macros().reach(["{% set f = money %}{{ f(1) }}"]).own == {"macro.shop.money"}
    own = {uid for uid in MACROS if not uid.startswith("macro.dbt.")}
    for computed in ("{{ context[name]() }}", "{{ helper[name]() }}", "{{ adapter.dispatch(name)() }}"):
        reached = macros().reach([computed])
        assert (reached.own, reached.is_steady, None in reached.asks.variables) == (own, False, True)


@pytest.mark.parametrize(
    "template",
    [
        "{% macro own(money) %}{{ money.year }}{% if money %}{% set money = 1 %}{% endif %}{{ money }}{% endmacro %}",
        "{% set money = 1 %}{{ money }}{% for i in [1] %}{{ money }}{% endfor %}",
        "{% for money in [1] %}{{ money }}{% endfor %}",
        "{% for a, money in [(1, 2)] if money %}{{ money }}{% endfor %}",
        "{% set money %}1{% endset %}{{ money }}",
        "{% call(money) other() %}{{ money }}{% endcall %}",
        "{% macro own(x, money=2) %}{% if x %}{{ f(money) }}{% else %}{{ f(a=money) }}{% endif %}{% endmacro %}",
        "{{ f(money=1) }}",
        "{% macro own(column) %}{{ column.money }}{{ column['money'] }}{% endmacro %}",
    ],
)
def test_a_name_that_the_template_gives_a_value_is_no_macro(template: str) -> None:
    assert macros().reach([template]).own == frozenset()


@pytest.mark.parametrize(
    "template",
    [
        "{% set money = money(1) %}",
        "{{ money(1) }}{% set money = 1 %}",
        "{% for money in money(1) %}{% endfor %}",
        "{% for money in [1] %}{% endfor %}{{ money(1) }}",
        "{% if var('x') %}{% set money = 1 %}{% endif %}{{ money }}",
        "{% macro own(money) %}{% endmacro %}{{ money(1) }}",
        "{% macro own(x=money(1)) %}{% endmacro %}",
        "{% macro own(shop) %}{% endmacro %}{{ shop.money(1) }}",
        "{% call(money) money(1) %}{% endcall %}",
    ],
)
def test_a_name_that_may_mean_the_macro_is_taken_to(template: str) -> None:
    assert macros().reach([template]).own == {"macro.shop.money"}


def test_a_parameter_of_dbts_own_macro_is_not_the_projects_macro() -> None:
    assert macros().reach(["{{ money_trunc('day', 'x') }}"]).own == frozenset()


def test_variables_are_read_by_name_or_all_of_them() -> None:
    assert uses("{{ var('a') }}{{ var.has_var('b') }}").variables == {"a", "b"}
    assert None in uses("{{ var('a' ~ 1) }}").variables
    assert None in uses("{% set read = var %}{{ read('a') }}").variables
    assert uses("{{ env_var('A', var('b')) }}").environ == {"A"}
    assert uses("{{ env_var('A', var('b')) }}").variables == {"b"}
    assert macros().reach(["{{ money(1) }}"]).asks.variables == {"digits"}
    assert uses("{{ unclosed") == UNREADABLE


def test_incremental_is_asked_and_not_looked_into() -> None:
    reached = macros().reach(["{{ is_incremental() }}"])
    assert (reached.incremental, reached.is_steady) == (True, True)


@pytest.mark.parametrize(
    ("template", "plain"),
    [
        ("a {# x #} b", "a  b"),
        ("a {#- x -#} b", "a {#- x -#} b"),
        ("{{# x #}{ b }}", "{{# x #}{ b }}"),
        ("'{# x #}' {{ '{# y #}' }}", "'' {{ '{# y #}' }}"),
        (" a ", "a"),
        ("{{ unclosed {# x", "{{ unclosed {# x"),
    ],
)
def test_comments_of_jinja_are_dropped_where_that_changes_nothing(template: str, plain: str) -> None:
    assert without_comments(template) == plain


@pytest.mark.parametrize(
    ("template", "bare"),
    [
        ("{{ config(materialized='table', alias='a') }} x", "{{ config(materialized='table') }} x"),
        ("{{ config(alias='a', materialized='table') }} x", "{{ config(materialized='table') }} x"),
        ('{{- config(\n  schema = "s",\n  alias="a",\n) -}}\nx', "x"),
        ("{{ config(alias='a') }}\nx", "x"),
        ("x", "x"),
        ("{{ config(alias=var('a')) }} x", "{{ config(alias=var('a')) }} x"),
        (
            "{{ config(meta={'alias': 'a'}, on_alias='b') }} x",
            "{{ config(meta={'alias': 'a'}, on_alias='b') }} x",
        ),
        ("{{ config(tags=['t']) }} alias='a', x", "{{ config(tags=['t']) }} alias='a', x"),
    ],
)
def test_a_text_is_the_same_whatever_its_relation_is_called(template: str, bare: str) -> None:
    assert without_names(template) == bare


def test_what_a_template_asks_of_the_clock_and_of_chance() -> None:
    assert uses("{{ run_started_at }}").volatile == {"clock:now"}
    assert uses("{{ modules.datetime.date.today() }}").volatile == {"clock:now"}
    assert uses("{{ [1] | random }} {{ invocation_id }}").volatile == {"random"}
    assert uses("{{ var('x') }}").volatile == set()
