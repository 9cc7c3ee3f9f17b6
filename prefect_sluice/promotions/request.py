"""What was asked: a request for each way in, with what can be said of it and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar, TypeVar, assert_never

from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.lease_holder import check_lease
from prefect_sluice.domain.refresh_rules import ScheduledTime


@dataclass(frozen=True, slots=True)
class _Asked:
    """Of every request: `folder` is where sluice.yml is looked for, `environment` where to ("": the project's default
    environment), `actor` who asks."""

    cause: ClassVar[Cause]
    """The word for it in generations, the ledger and documents."""

    folder: Path
    environment: str
    actor: str = field(default="unknown", kw_only=True)

    @property
    def lease_name(self) -> str:
        """The lease to work under: the environment's."""
        return self.environment

    @property
    def what(self) -> str:
        """What was named, as it was typed; "" for nothing."""
        return ""

    @property
    def part(self) -> str:
        """dbt's selectors of the part that is asked for; "" for all of it."""
        return ""

    @property
    def rolled_back(self) -> str:
        """The promotion of the rollback that this belongs to, whose own hold does not stop it; "" for none."""
        return ""


@dataclass(frozen=True, slots=True)
class ReleaseRequest(_Asked):
    """A change in git: `ref` names its commit. `dirty` releases the working tree as it is; `adopt` lets a first release take
    over what stands under its public names."""

    cause: ClassVar[Cause] = Cause.RELEASE

    ref: str = "HEAD"
    dirty: bool = False
    adopt: bool = False

    @property
    def what(self) -> str:
        """The ref."""
        return self.ref


@dataclass(frozen=True, slots=True)
class CheckRequest(_Asked):
    """A commit that is built and judged as its release would be, and not published: `ref` names it, `branch` where it
    was found ("": not said). `preview` is the preview to show it in ("": none; BY_BRANCH: the branch's own). `asked` is when it
    was asked for, UTC (None: it was not begun): what another check of the same commit came to since then answers for this
    one. `base` is the branch whose merge base it is told beside ("": none)."""

    cause: ClassVar[Cause] = Cause.CHECK

    ref: str = "HEAD"
    branch: str = field(default="", kw_only=True)
    preview: str = field(default="", kw_only=True)
    base: str = field(default="", kw_only=True)
    asked: datetime | None = field(default=None, kw_only=True)

    @property
    def lease_name(self) -> str:
        """The lease of the environment's checks: a check keeps no release out, and none keeps it out."""
        return check_lease(self.environment)

    @property
    def what(self) -> str:
        """The ref."""
        return self.ref


@dataclass(frozen=True, slots=True)
class RefreshRequest(_Asked):
    """New data for what serves. `select` are dbt's selectors, parted by blanks, of the part to renew ("": all of it); `past` is
    the promotion of the rollback that it catches up after ("": none). `due` is what a scheduled one was due for: it is left out
    if another one did its work by then."""

    cause: ClassVar[Cause] = Cause.REFRESH

    select: str = ""
    past: str = ""
    due: ScheduledTime | None = None

    @property
    def what(self) -> str:
        """The selectors."""
        return self.select

    @property
    def part(self) -> str:
        """The selectors."""
        return self.select

    @property
    def rolled_back(self) -> str:
        """The promotion of the rollback that it catches up after."""
        return self.past


@dataclass(frozen=True, slots=True)
class PromoteRequest(_Asked):
    """A release that serves elsewhere. `release` is the beginning of its id or commit, or "" for what the environment `origin`
    serves ("": the one before). `select` are dbt's selectors, parted by blanks, of the part to take along ("": all of it);
    `report` names a dashboard (a dbt exposure) instead: all that it reads."""

    cause: ClassVar[Cause] = Cause.PROMOTION

    release: str = ""
    origin: str = ""
    select: str = ""
    report: str = ""

    @property
    def what(self) -> str:
        """The release and the part of it."""
        return " ".join(part for part in (self.release, self.select or self.report) if part)

    @property
    def part(self) -> str:
        """The selectors."""
        return self.select


@dataclass(frozen=True, slots=True)
class RollbackFollowUp:
    """What a rollback is to bring with it: a hold, why, and a refresh of the older code's data."""

    hold: bool = True
    reason: str = ""
    catch_up: bool = False


@dataclass(frozen=True, slots=True)
class RollbackRequest(_Asked):
    """An older generation, again. `to` is its number or the beginning of its release's id ("": the former release); `back_from`
    is the generation to go back from (0: the one that serves)."""

    cause: ClassVar[Cause] = Cause.ROLLBACK

    to: str = ""
    after: RollbackFollowUp = field(default_factory=RollbackFollowUp)
    back_from: int = 0

    @property
    def what(self) -> str:
        """Where to."""
        return self.to


Request = ReleaseRequest | CheckRequest | RefreshRequest | PromoteRequest | RollbackRequest

AnyRequest = TypeVar("AnyRequest", bound=Request)


def expected(request: Request, kind: type[AnyRequest]) -> AnyRequest:
    """Return the request as what a stage is for. Pure. Raises TypeError when a way in has a stage that is none of its own."""
    if not isinstance(request, kind):
        raise TypeError(f"this stage is for a {kind.__name__}, not for a {type(request).__name__}")
    return request


def request_for(cause: Cause, folder: Path, environment: str, *, actor: str = "unknown") -> Request:
    """Return the plainest request for a cause. Pure. Raises ValueError for an adoption: a first release does it."""
    match cause:
        case Cause.RELEASE:
            return ReleaseRequest(folder, environment, actor=actor)
        case Cause.CHECK:
            return CheckRequest(folder, environment, actor=actor)
        case Cause.REFRESH:
            return RefreshRequest(folder, environment, actor=actor)
        case Cause.PROMOTION:
            return PromoteRequest(folder, environment, actor=actor)
        case Cause.ROLLBACK:
            return RollbackRequest(folder, environment, actor=actor)
        case Cause.ADOPTION:
            raise ValueError("nobody asks for an adoption: a first release does it")
        case _:
            assert_never(cause)
