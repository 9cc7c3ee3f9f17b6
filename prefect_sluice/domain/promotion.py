"""The request, and the attempt, to make a release current in an environment; and the yes or no to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.lease_holder import check_lease


class State(StrEnum):
    """Where a promotion stands. The ones in `ENDED` never change again."""

    STARTED = "started"
    STAGED = "staged"
    APPROVED = "approved"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    STABLE = "stable"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    CHECKED = "checked"
    """A check that every gate let through. It is at its end: nothing of it is ever published."""
    FAILED = "failed"


ENDED = frozenset(
    {
        State.STABLE,
        State.UNCHANGED,
        State.REFUSED,
        State.REJECTED,
        State.SUPERSEDED,
        State.EXPIRED,
        State.FAILED,
        State.CHECKED,
    }
)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One attempt. `base` is the generation that it starts from, `generation` the one it wrote (None: not yet).

    `plan`, `evidence` and `policy` are digests of documents in the bundle store ("" until they exist; "" is the policy of
    a rollback, which changes none, and of what an older Sluice began). Times are UTC.
    """

    id: str
    environment: str
    release: str
    cause: Cause
    base: int
    base_release: str
    state: State
    actor: str
    created_at: datetime
    updated_at: datetime
    plan: str = ""
    evidence: str = ""
    generation: int | None = None
    message: str = ""
    policy: str = ""

    @property
    def lease_name(self) -> str:
        """The lease under which what becomes of it is recorded."""
        return self.environment if self.cause.publishes else check_lease(self.environment)

    @property
    def binding(self) -> str:
        """The digest an approval names: environment, from, to, plan, evidence and policy. Change any and it is another."""
        return digest(
            {
                "environment": self.environment,
                "from": {"generation": self.base, "release": self.base_release},
                "to": self.release,
                "plan": self.plan,
                "evidence": self.evidence,
                # Only where there is one: what waited while Sluice was upgraded keeps its approvals.
                **({"policy": self.policy} if self.policy else {}),
            }
        )


UNAUTHENTICATED = "unauthenticated"
"""Said beside each name that somebody typed."""


class Decision(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    REJECT = "reject"


class AnswerChannel(StrEnum):
    """Which way a yes or no came."""

    CLI = "cli"
    FORM = "form"
    FILE = "file"
    REF = "ref"


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes or no to one exact promotion: it binds `binding`, expires, and is used once. Times are UTC.

    `signature` is the seam for signed approvals: "" is a typed name, which proves nothing.
    """

    id: str
    promotion: str
    binding: str
    decision: Decision
    by: str
    comment: str
    at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    signature: str = ""

    @property
    def authenticated(self) -> bool:
        """Say whether it is proven who gave it. A name that somebody typed proves nothing."""
        return bool(self.signature)

    @property
    def who(self) -> str:
        """Who gave it, as it is shown."""
        return self.by if self.authenticated else f"{self.by} ({UNAUTHENTICATED})"


@dataclass(frozen=True, slots=True)
class ApprovalQuestion:
    """What a suspended run of a scheduler asks: a yes or no to one promotion, as it is (`binding`).

    `run` is the scheduler's own id of it; `attempt` how often the run was started, `number` how often it asked, so that no
    two questions have one `key`. Asked at `at`, UTC.
    """

    run: str
    promotion: str
    binding: str
    attempt: int
    number: int
    at: datetime

    @property
    def key(self) -> str:
        """What the answer is kept under: another one for each question that was ever asked."""
        return f"{self.promotion}-{self.binding[:12]}-{self.attempt}-{self.number}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A promotion's built relations, off to the side: the file that holds them and the digest of its bytes.

    `path` is relative to the state folder; `digest` is "" when nothing had to be built.
    """

    promotion: str
    path: str
    digest: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one environment until `expires_at` (UTC). `token` grows with each holder, for ever."""

    environment: str
    token: int
    holder: str
    acquired_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage took in one run, in seconds."""

    stage: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a promotion's stages: when it ended (UTC), and what each stage took. A promotion that waited has several."""

    at: datetime
    took: tuple[StageTime, ...]
