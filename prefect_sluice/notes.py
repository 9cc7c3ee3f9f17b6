"""What a plan notes for the next one, so that it sees what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from prefect_sluice.canonical import Json
from prefect_sluice.node import Makeup


@dataclass(frozen=True, slots=True)
class Before:
    """What a plan notes for the next one: digests of nodes and tests by unique id, the versions of the sources it read,
    and what the nodes' fingerprints are made of, by unique id.

    `behind` are nodes whose relation was built from other versions than these, with the versions that differ.
    """

    nodes: Mapping[str, str]
    tests: Mapping[str, str]
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    makeup: Mapping[str, Makeup] = field(default_factory=dict[str, Makeup])
    behind: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def document(self) -> Json:
        """Return the notes as JSON."""
        noted: dict[str, Json] = {
            "nodes": dict(self.nodes),
            "tests": dict(self.tests),
            "versions": dict(self.versions),
            "behind": {uid: dict(texts) for uid, texts in self.behind.items()},
        }
        made = {uid: item.document() for uid, item in self.makeup.items()}
        return {**noted, "makeup": made} if made else noted

    @classmethod
    def read(cls, document: Json) -> Before:
        """Read what `document` wrote; an older plan noted less."""
        raw = cast(Mapping[str, Any], document)
        makeup = cast(Mapping[str, Json], raw.get("makeup", {}))
        return cls(
            raw["nodes"],
            raw["tests"],
            raw.get("versions", {}),
            {uid: Makeup.read(item) for uid, item in makeup.items()},
            raw.get("behind", {}),
        )
