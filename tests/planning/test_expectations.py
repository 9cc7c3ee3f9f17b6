"""What commits declare, as it is written."""

from __future__ import annotations

import pytest

from prefect_sluice import config
from prefect_sluice.config.expected_change import Expectation
from prefect_sluice.domain.errors import ConfigInvalid
from prefect_sluice.planning.expectations import ExpectedChange, from_config, from_message

COMMIT = "1a2b3c4d5e"

LINES = {
    "Expect: carrier_punctuality.on_time_flights up to 3%": (
        "carrier_punctuality",
        "on_time_flights",
        0.03,
        "",
    ),
    "expect:  routes.* UP TO 12.5 %": ("routes", "*", 0.125, ""),
    "  Expect: routes.price": ("routes", "price", 1.0, ""),
    "Expect: routes rows": ("routes", "rows", 1.0, ""),
    "Expect: routes rows up to 5% (a new airport)": ("routes", "rows", 0.05, "a new airport"),
    'Expect: "a b"."c ""d"".e" up to 1%': ("a b", 'c "d".e', 0.01, ""),
    "Expect: größe.höhe": ("größe", "höhe", 1.0, ""),
    "Expect: mart_*.price": ("mart_*", "price", 1.0, ""),
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_a_message(line: str) -> None:
    relation, column, up_to, reason = LINES[line]
    said = from_message(COMMIT, f"Price in euros\n\n{line}\n")
    [found] = said.expected
    assert said.unreadable == ()
    assert (found.relation, found.column, found.up_to, found.reason) == (relation, column, up_to, reason)
    assert found.where == "commit 1a2b3c4:3"


def test_an_edit_that_was_meant_names_one_relation_and_why() -> None:
    said = from_message(
        COMMIT, 'Erase\n\nExpect: "fct orders" edited (erasure, ticket 512)\n', "Ada <a@x.eu>"
    )
    [found] = said.edited
    assert (said.expected, said.unreadable) == ((), ()), "it is no word on what the code changes"
    assert found.is_of(["model.shop.fct orders", "FCT ORDERS"])
    assert found.words == "commit 1a2b3c4:3 of Ada <a@x.eu> (erasure, ticket 512)"
    [pattern] = from_message(COMMIT, "Expect: fct_* edited (all)").edited
    assert not pattern.is_of(["fct_orders"])


@pytest.mark.parametrize(
    "line",
    [
        "Expect: routes edited",
        "Expect: routes",
        "Expect: routes.price up to 3",
        "Expect: routes.price up to 0%",
        "Expect: routes.price up to 101%",
        "Expect: routes.price about 3%",
        "Expect:",
        "Expect: nothing to go wrong",
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    said = from_message(COMMIT, f"Price in euros\n{line}")
    assert said.expected == ()
    [wrong] = said.unreadable
    assert wrong.where == "commit 1a2b3c4:2"
    assert line in wrong.problem
    assert "\n" not in wrong.problem


def test_other_lines_are_nobodys_business() -> None:
    message = "Expect the unexpected\n\nWe expect: much.\nExpectations: low.more"
    assert from_message(COMMIT, message) == from_message(COMMIT, "")


def test_the_column_rows_is_not_the_rows() -> None:
    [column], [rows] = (from_message(COMMIT, f"Expect: t{what}").expected for what in (".rows", " rows"))
    assert (column.is_column("rows"), rows.is_column("rows"), rows.is_rows) == (True, False, True)


def test_names_match_whatever_their_case_and_may_be_patterns() -> None:
    expected = ExpectedChange("Mart_*", "Price*", 1.0, "")
    assert expected.is_of(["model.shop.x", "mart_sales"])
    assert not expected.is_of(["sales"])
    assert expected.is_column("PRICE_NET")


def test_what_the_file_says() -> None:
    text = (
        "no_such_key: 1\nexpect:\n"
        "- {relation: routes, column: price, up_to: 3%, reason: euros}\n"
        "- {relation: routes, column: rows, up_to: 0.5, reason: a new airport}\n"
    )
    now = config.expectations(text, "sluice.yml")
    assert [item.up_to for item in now] == [0.03, 0.5]
    [first, second] = from_config(now, (), "sluice.yml")
    assert (first.where, second.where, second.is_rows) == (
        "sluice.yml: expect.0",
        "sluice.yml: expect.1",
        True,
    )
    assert from_config(now, now[:1], "sluice.yml") == (second,)
    assert config.expectations("expect:\n", "sluice.yml") == config.expectations("", "sluice.yml") == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("expect: [{relation: a, reason: b, up_to: 3}]", "expect.0.up_to"),
        ("expect: [{relation: a, reason: b, up_to: much}]", "expect.0.up_to"),
        ("expect: [{relation: a, reason: b, up_to: 0%}]", "expect.0.up_to"),
        ("expect: [{relation: a}]", "expect.0.reason"),
        ("expect: [{relation: a, reason: b, colum: c}]", "expect.0.colum"),
        ("expect: {relation: a, reason: b}", "expect"),
        ("expect: [", "line 1"),
        ("- expect", "sluice.yml"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: str, where: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        config.expectations(text, "sluice.yml")
    assert where in caught.value.where


def test_it_reads_as_one_would_write_it() -> None:
    assert str(ExpectedChange("a", "b", 0.03, "")) == "a.b up to 3 %"
    assert str(ExpectedChange("a", "rows", 1.0, "")) == "a rows"
    assert Expectation(relation="a", reason="b").column == "*"
