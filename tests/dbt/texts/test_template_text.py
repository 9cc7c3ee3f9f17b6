"""What a template may send to the warehouse, read without running it."""

from __future__ import annotations

import pytest

from prefect_sluice.dbt.texts.template_text import pieces
from prefect_sluice.sql.side_effects import ANY, REF, SCHEMA, SOURCE, THIS


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("analyze", ["analyze"]),
        ("delete from {{ this }} where x", [f"delete from {THIS} where x"]),
        ("insert into {{ ref('orders') }}", [f"insert into {REF}orders"]),
        ("insert into {{ ref('other', 'orders') }}", [f"insert into {REF}orders"]),
        ("insert into {{ source('raw', 'orders') }}", [f"insert into {SOURCE}orders"]),
        ("insert into {{ target.schema }}.log", [f"insert into {SCHEMA}.log"]),
        ("insert into {{ var('where') }}.log", [f"insert into {ANY}.log"]),
        ("insert into {{ this.name ~ '_log' }}", [f"insert into {ANY}_log"]),
        ("{{ exceptions.raise_compiler_error('copy x to y') }}", [ANY]),
        ("{# insert into x #}select 1", ["select 1"]),
        ("a {% if x %} b {% else %} c {% endif %} d", ["a ", " b ", " c ", " d"]),
        ("{% do run_query('drop table ' ~ name) %}", [f"drop table {ANY}"]),
        ('{% do run_query("drop table %s" % name) %}', [f"drop table {ANY}"]),
        ("{% set sql %}insert into a{% endset %}{{ log('insert into b') }}", ["insert into a", ANY]),
        ("{% call statement('x') %}delete from a{% endcall %}", ["x", "delete from a"]),
        (
            "{% macro m(r) %}{% for t in r %}drop table {{ t }};{% endfor %}{% endmacro %}",
            [f"drop table {ANY};"],
        ),
    ],
)
def test_pieces(template: str, expected: list[str]) -> None:
    assert [piece for piece in pieces(template) or () if piece.strip()] == [
        piece for piece in expected if piece.strip()
    ]


def test_a_broken_template_has_none() -> None:
    assert pieces("{% if %}") is None
