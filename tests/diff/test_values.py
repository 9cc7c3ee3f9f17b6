"""Values as people read them."""

from __future__ import annotations

import pytest

from prefect_sluice.diff.values import changed, format_value, with_change
from prefect_sluice.domain.verdict import Evidence


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("0.30000000000000004", "0.3"),
        ("-1234.567890123456", "-1234.56789012"),
        ("123456789012345.67", "123456789012346"),
        ("1.2345678901234567e-300", "1.23456789012e-300"),
        ("12345678901234567890", "12345678901234567890"),
        ("0.5", "0.5"),
        ("00.12345678901234", "00.12345678901234"),
        ("2013-01-01", "2013-01-01"),
        ("1.2.3", "1.2.3"),
        ("nan", "nan"),
        ("1.2345678901234e9999999", "1.2345678901234e9999999"),
    ],
)
def test_twelve_digits_are_shown(value: str, told: str) -> None:
    assert format_value(value) == told


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("1104", "1042", ("1104", "1042", "-62, -5.62 %")),
        ("0.1", "0.30000000000000004", ("0.1", "0.3", "+0.2, +200 %")),
        ("0", "3", ("0", "3", "+3")),
        ("-10", "-5", ("-10", "-5", "+5, +50 %")),
        ("0.3", "0.30000000000000004", ("0.3", "0.30000000000000004", "+4e-17, +1.33e-14 %")),
        (None, "3", (None, "3", "")),
        ("x", "3", ("x", "3", "")),
        ("inf", "3", ("inf", "3", "")),
        ("7e123456789", "7e1234567891", ("7e123456789", "7e1234567891", "")),
        ("1e-9999999", "2", ("1e-9999999", "2", "")),
        ("5e-300", "1e300", ("5e-300", "1e300", "+1e+300")),
    ],
)
def test_what_a_number_changed_by(before: str | None, after: str, told: tuple[str | None, str, str]) -> None:
    assert changed(before, after, number=True) == told


def test_rows_with_values_before_and_after_have_the_change_beside_them() -> None:
    found = with_change(
        Evidence(("id", "column", "before", "after"), (("1", "x", "2", "3"),), 9, numbers=("x",))
    )
    assert (found.columns[-1], found.rows, found.total) == ("change", (("1", "x", "2", "3", "+1, +50 %"),), 9)
    zips = Evidence(("id", "column", "before", "after"), (("1", "zip", "10115", "0.30000000000000004"),), 1)
    assert with_change(zips).rows == (("1", "zip", "10115", "0.30000000000000004", ""),), (
        "digits in a text are no number"
    )
    others = Evidence(("id", "x"), (("1", "0.30000000000000004"), ("2", None)), 2)
    assert with_change(others).rows == (("1", "0.3"), ("2", None))
