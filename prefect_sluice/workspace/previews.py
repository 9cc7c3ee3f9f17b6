"""Previews in sluice.yml: which pattern a name belongs to, and under which public names its relations stand. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from prefect_sluice.config import EnvironmentPolicy
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.node import Name

TTL = timedelta(days=3)
"""How long a preview stays after its last check, where sluice.yml does not say."""
BY_BRANCH = "*"
"""Asked for in place of a name: the pattern, with the branch's name in it."""
_LONGEST = 40
_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class PreviewRule:
    """What sluice.yml says of a preview: its name, the environment that it is like, and how long it stays."""

    name: str
    like: str
    ttl: timedelta

    @property
    def schema(self) -> str:
        """The schema of its relations, which is also what the names of its other schemas begin with."""
        return preview_schema(self.name)

    def public_name(self, name: Name, default: str) -> Name:
        """Return the name in the preview of what the environment serves as `name`; `default` is the schema of its target. Two
        names of the environment are two names here."""
        own = name.schema.lower() == default.lower()
        return Name(self.schema if own else f"{self.schema}_{name.schema}", name.identifier)


def preview_schema(name: str) -> str:
    """Return the schema in which a preview's relations stand."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def preview_rule(previews: Mapping[str, EnvironmentPolicy], like: str, name: str, branch: str) -> PreviewRule:
    """Return the rule of the preview of that name beside an environment; with BY_BRANCH of the branch's own.

    `previews` are the patterns of sluice.yml. Raises BadInput where none of them has it.
    """
    fix = f"add a pattern to sluice.yml: environments: {{'pr-*': {{like: {like}}}}}"
    beside = {pattern: policy for pattern, policy in previews.items() if policy.like == like}
    if not beside:
        raise BadInput(f"{like} has no previews: no pattern of sluice.yml is like it", "--serve", fix)
    if name == BY_BRANCH:
        if not _slug(branch):
            raise BadInput(
                "no branch is checked out or named: say how to call the preview", "--serve", "--serve pr-12"
            )
        name = next(iter(beside)).replace("*", _slug(branch)).replace("?", "x")
    pattern = next((pattern for pattern in beside if fnmatchcase(name, pattern)), None)
    if pattern is None or not _VALID.fullmatch(name):
        patterns = ", ".join(beside)
        raise BadInput(
            f"{name!r} is no name of a preview of {like} (patterns: {patterns})",
            "--serve",
            "choose one that matches",
        )
    return PreviewRule(name, like, beside[pattern].ttl or TTL)


def pattern_of(previews: Mapping[str, EnvironmentPolicy], name: str) -> tuple[str, EnvironmentPolicy] | None:
    """Return the pattern that a name belongs to, with what sluice.yml says of it; None for none."""
    return next((entry for entry in previews.items() if fnmatchcase(name, entry[0])), None)


def _slug(branch: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", branch.lower()).strip("-")
    return plain[:_LONGEST].rstrip("-")
