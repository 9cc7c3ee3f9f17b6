"""What an environment builds under: versions, settings, packages, variables, the sources' columns. Facts by group and name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prefect_sluice.domain.digests import digest

GROUPS: Mapping[str, str] = {
    "tools": "versions of the engine, dbt and Python",
    "settings": "settings that change rows",
    "extensions": "extensions of the engine",
    "packages": "dbt packages",
    "vars": "dbt variables that the project reads",
    "env": "environment variables that the project reads",
    "sources": "columns of the sources",
}
"""The groups of facts, and what one says of each."""

ABSENT = "-"
"""How it reads that one side has no such thing."""
_WORDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "PWD", "CREDENTIAL", "AUTH", "PRIVATE")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Conditions:
    """The facts of one environment: text by group and name. `unknown` says of a group why it could not be told;
    `relations` under which name a source of dbt's stands there, by its unique id."""

    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    unknown: Mapping[str, str] = field(default_factory=dict[str, str])
    relations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class ConditionsBefore:
    """What a release is compared by: the environment that it served in before, what that was like, and what this one is like.

    `notes` say what of it is not as of now.
    """

    environment: str
    before: Conditions
    here: Conditions
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConditionDifference:
    """One fact that differs; ABSENT where a side has no such thing."""

    group: str
    name: str
    before: str
    here: str

    @property
    def key(self) -> str:
        """What sluice.yml calls it: `settings.timezone`, `sources.raw.flights.carrier`."""
        return f"{self.group}.{self.name}"


def differences(before: Conditions, here: Conditions) -> Iterator[ConditionDifference]:
    """Yield what differs, in order. A group that one side could not tell is left out, and so are the parts of what one
    side has not at all (the columns of a source)."""
    for group in GROUPS:
        if group in before.unknown or group in here.unknown:
            continue
        one, other = before.facts.get(group, {}), here.facts.get(group, {})
        lone = {name for name in one.keys() ^ other.keys() if group == "sources"}
        for name in sorted(one.keys() | other.keys()):
            if one.get(name) != other.get(name) and name.rpartition(".")[0] not in lone:
                yield ConditionDifference(group, name, one.get(name, ABSENT), other.get(name, ABSENT))


def setting_text(name: str, value: object) -> str:
    """Return a setting's value as it may be shown: what may hold a secret as a digest, what is long cut.

    Equal values read the same, and others do not.
    """
    text = str(value)
    if any(word in name.upper() for word in _WORDS) or ("://" in text and "@" in text):
        return f"(hidden, {digest(text)[:8]})"
    text = text.replace("\n", " ")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({digest(text)[:8]})"
