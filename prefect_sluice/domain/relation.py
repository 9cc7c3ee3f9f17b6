"""What was built: one physical relation, immutable once it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prefect_sluice.domain.node import Name, NodeKind


class RelationState(StrEnum):
    """How far the build of a relation came. Only a READY one may be pointed to."""

    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation at its physical address, and what it was built from.

    `node` is the dbt unique id, `inputs` the digest of the data that it read (see `generation.Pointer`),
    `promotion` the id of the one that built it. `rows` is None where nobody counted, `seconds` None until
    the build ended; `at` (UTC) is when it came into this state.
    """

    address: Name
    node: str
    kind: NodeKind
    fingerprint: str
    inputs: str
    promotion: str
    state: RelationState
    rows: int | None
    seconds: float | None
    at: datetime
