"""Names of previews: each relation has one of its own, and none that something else has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_sluice.config import EnvironmentPolicy
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Name
from prefect_sluice.workspace.previews import BY_BRANCH, TTL, PreviewRule, preview_rule

WORDS = st.text(alphabet="abz_09", min_size=1, max_size=6)
PATTERNS = {
    "pr-*": EnvironmentPolicy(like="prod"),
    "try-?": EnvironmentPolicy(like="dev", ttl=timedelta(hours=1)),
}


@given(default=WORDS, schemas=st.sets(WORDS, min_size=1), identifier=WORDS)
def test_two_names_of_the_environment_are_two_names_of_the_preview(
    default: str, schemas: set[str], identifier: str
) -> None:
    """And all of them are in schemas that begin as the preview is called."""
    rule = PreviewRule("pr-12", "prod", TTL)
    names = {rule.public_name(Name(schema, identifier), default) for schema in schemas}
    assert len(names) == len(schemas)
    assert all(name.schema == "pr_12" or name.schema.startswith("pr_12_") for name in names)


@pytest.mark.parametrize(
    ("branch", "name"),
    [
        ("feature/Discounts", "pr-feature-discounts"),
        ("main", "pr-main"),
        ("x" * 90, f"pr-{'x' * 40}"),
    ],
)
def test_a_branch_gives_its_preview_a_name(branch: str, name: str) -> None:
    """Of letters, digits and hyphens, short enough for a schema."""
    assert preview_rule(PATTERNS, "prod", BY_BRANCH, branch).name == name


def test_how_long_it_stays_is_what_its_pattern_says() -> None:
    """Three days, where it says nothing."""
    assert preview_rule(PATTERNS, "prod", "pr-1", "").ttl == timedelta(days=3)
    assert preview_rule(PATTERNS, "dev", "try-1", "").ttl == timedelta(hours=1)


@pytest.mark.parametrize(
    ("like", "name", "branch"),
    [("prod", "try-1", ""), ("qa", "pr-1", ""), ("prod", "*", ""), ("prod", "*", "ä/ö")],
)
def test_what_no_pattern_has_is_refused(like: str, name: str, branch: str) -> None:
    """One of another environment, of none, and one that nobody named."""
    with pytest.raises(BadInput):
        preview_rule(PATTERNS, like, name, branch)
