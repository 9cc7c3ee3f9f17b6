"""`sluice lineage`: on a project with the hard cases, built by dbt, read as people read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prefect_sluice.reporting import gather_lineage

Run = Callable[..., Any]
Commit = Callable[..., None]

MODELS = {
    "raw": "select range as id, range * 10 as amount, 'open' as status, {'city': 'Graz'} as place from range(5)\n",
    "slim": "{{ config(materialized='ephemeral') }}\nselect id, amount, status from {{ ref('raw') }} where status = 'open'\n",
    "through": (
        "with base as (select * from {{ ref('slim') }}), named as (select id, amount as Total, status from base)\n"
        "select *, Total * 2 as twice, twice + 1 as more from named\n"
    ),
    "joined": (
        "select id, t.Total, r.place.city as town, sum(t.Total) over (partition by r.status) as per_status,\n"
        "  case when r.amount > 10 then t.Total end as large, (select max(amount) from {{ ref('raw') }}) as most\n"
        "from {{ ref('through') }} t join {{ ref('raw') }} r using (id)\n"
    ),
    "both": "select id, amount as v from {{ ref('raw') }} union all select id, Total + 1 from {{ ref('through') }}\n",
    "quoted": "select amount as \"The Amount\" from {{ ref('raw') }}\n",
    "copied": "with sums as (select id, amount * 3 as thrice from {{ ref('raw') }}) select id, thrice as same from sums\n",
    "raw_too": "{{ config(schema='other', alias='raw') }}\nselect id from {{ ref('raw') }}\n",
    "unread": "pivot {{ ref('raw') }} on status using sum(amount) group by id\n",
    "fromfile": "select * from (select unnest([1, 2]) as n)\n",
}
EXPOSURES = (
    "exposures:\n- name: board\n  label: The board\n  type: dashboard\n  owner: {name: Ada, email: ada@example.com}\n"
    "  depends_on: [\"ref('joined')\"]\n"
)
PYTHON = "def model(dbt, session):\n    return dbt.ref('raw').project('id, amount')\n"

pytestmark = pytest.mark.slow


@pytest.fixture
def hard(project: Path, commit: Commit, run: Run) -> Path:
    """Return a project with the hard cases, released."""
    (project / "models/exposures.yml").write_text(EXPOSURES)
    (project / "models/py.py").write_text(PYTHON)
    commit(project, "Hard cases", **MODELS)
    answer = run("release", "-C", project)
    assert answer.code == 0, answer.out + answer.err
    return project


def steps(below: Any) -> set[tuple[str, str]]:
    """Return (relation.column, how) of all steps; a consumer by its name."""
    pairs: set[tuple[str, str]] = set()
    for step in below:
        place = step.get("name") or f"{step['relation']}{'.' if step['column'] else ''}{step['column']}"
        pairs |= {(place, step.get("how", "consumer"))} | steps(step.get("then", ()))
    return pairs


def test_it_tells_how_columns_are_made(hard: Path, run: Run) -> None:
    def asked_for(name: str, *options: str) -> Any:
        answer = run("lineage", name, "--json", *options, "-C", hard)
        assert answer.code == 0, answer.err
        return json.loads(answer.out)["columns"][0]

    amount = ("main.raw.amount", "= _0.range * 10; not known: it comes from a function or a file")
    total = ("main.through.Total", "renamed")
    # An ephemeral model, common table expressions, stars, a lateral alias.
    more = asked_for("through.more", "--up")
    assert more["how"] == "= named.total * 2 + 1"
    assert amount in steps(more["made_of"])
    assert more["rows_decided_by"] == ["main.raw.status"]
    # CASE, a struct's field, a window, a subquery, USING.
    assert steps(asked_for("joined.large", "--up")["made_of"]) >= {amount, total}
    assert steps(asked_for("joined.town", "--up")["made_of"]) == {("main.raw.place", "= {'city': 'Graz'}")}
    assert steps(asked_for("joined.per_status", "--up")["made_of"]) >= {
        ("main.raw.status", "= 'open'"),
        total,
    }
    assert ("main.raw", "decides which rows") in steps(asked_for("joined.most", "--up")["made_of"])
    assert asked_for("joined.id", "--up")["rows_decided_by"] == ["main.raw.id", "main.through.id"]
    # An expression that stands inside, and is only copied outside.
    assert asked_for("copied.same", "--up")["how"] == "= raw.amount * 3"
    # A union by place, and a name in quotes.
    assert steps(asked_for("both.v", "--up", "--depth", "1")["made_of"]) == {amount, total}
    assert steps(asked_for("quoted.The Amount", "--up")["made_of"]) == {amount}

    down = steps(asked_for("main.RAW.amount", "--down")["goes_into"])
    assert down >= {
        ("main.both.v", "= through.total + 1"),
        ("main.quoted.The Amount", "renamed"),
        ("The board", "consumer"),
        ("main.py", "not known: python model"),
        ("main.unread", "not known: its SQL is no single query"),
    }
    assert ("main.both.id", "as it is") not in down
    deciding = steps(asked_for("main.raw.status", "--down")["goes_into"])
    assert deciding >= {("main.through", "decides which rows"), ("main.through.status", "as it is")}

    for name, problem in (
        ("raw.id", "'raw.id' may be several; say which one: main.raw.id, main_other.raw.id"),
        ("slim", "'slim' is of an ephemeral model, which has no relation"),
        ("joned", "nothing that is served is called 'joned'; did you mean 'joined'"),
        ("joined.totl", "nothing that is served is called 'joined.totl'; did you mean 'joined.total'"),
    ):
        answer = run("lineage", name, "-C", hard)
        assert answer.code == 2
        assert problem in answer.err
        assert answer.err.count("\n") == 1


def _not_asked(*_: object) -> None:
    pytest.fail("it was asked again")


def test_a_second_question_asks_no_dbt(hard: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What dbt compiled and what was read of it are remembered."""
    first = run("lineage", "main.raw.amount", "--json", "-C", hard)
    monkeypatch.setattr(gather_lineage, "load", _not_asked)
    monkeypatch.setattr(gather_lineage, "query_lineage", _not_asked)
    assert run("lineage", "main.raw.amount", "--json", "-C", hard).out == first.out


def test_the_tree_as_people_read_it(released: Path, run: Run) -> None:
    answer = run("lineage", "totals.amount", "-C", released)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[:3] == [
        "main.totals.amount  = SUM(orders.amount)",
        "made of",
        "  main.orders.amount  not known: its SQL is not understood: Expecting >. Line 1, …",
    ]
    columns = run("lineage", "totals", "-C", released)
    assert "  orders  = COUNT(*)" in columns.out.splitlines()


def test_nothing_built_is_said_in_a_line(project: Path, run: Run) -> None:
    answer = run("lineage", "orders", "-C", project)
    assert answer.code == 2
    assert answer.err == (
        "sluice: environment 'dev' serves nothing yet; release something first: sluice release --env dev\n"
    )
