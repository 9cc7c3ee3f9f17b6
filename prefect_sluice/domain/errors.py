"""Everything that can go wrong, as facts. A gate that says no is a verdict, never one of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from prefect_sluice.domain.lease_holder import holder_text, leased_text
from prefect_sluice.domain.next_step import Command, NextStep


def _revive(kind: type[SluiceError], facts: dict[str, Any]) -> SluiceError:
    error = kind.__new__(kind)
    error.__dict__.update(facts)
    return error


@dataclass(eq=False)
class SluiceError(Exception):
    """The root. `exit_code`: 1 a refusal or a failure, 2 bad input. `retry`: the cause passes by itself.

    `str` is one line: the `problem`, and the `way_out` after it.
    """

    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False

    @property
    def problem(self) -> str:
        """What is wrong, without what to do."""
        return Exception.__str__(self)

    @property
    def next_step(self) -> NextStep | None:
        """What to do next as a value; None where it is known in words alone."""
        return None

    @property
    def way_out(self) -> str:
        """What to do next; "" where nothing is known."""
        return str(self.next_step or "")

    def __str__(self) -> str:
        return f"{self.problem}; {self.way_out}" if self.way_out else self.problem

    def __reduce__(self) -> Any:
        # Exception's own forgets keyword fields, and Prefect pickles what a task raises.
        return _revive, (type(self), dict(self.__dict__))


class _Advised:
    """What an error has whose advice is given when it is raised: in words as `fix`, or as the value `step`."""

    fix: str
    step: NextStep | None

    def __post_init__(self) -> None:
        self.fix = self.fix or str(self.step or "")

    @property
    def next_step(self) -> NextStep | None:
        """What to do next as a value; None where it is known in words alone."""
        return self.step

    @property
    def way_out(self) -> str:
        """What to do next."""
        return self.fix


@dataclass(eq=False)
class BadInput(_Advised, SluiceError):
    """Something the user gave is not usable: `what` is wrong, `where` it is, `fix` says what to do next, or `step` as a value."""

    exit_code: ClassVar[int] = 2
    what: str
    where: str = ""
    fix: str = ""
    step: NextStep | None = field(default=None, kw_only=True)

    @property
    def problem(self) -> str:
        """What is wrong, and where."""
        return f"{self.where}: {self.what}" if self.where else self.what


@dataclass(eq=False)
class ConfigInvalid(BadInput):
    """sluice.yml (or the dbt profile) says something that cannot be."""


@dataclass(eq=False)
class Refused(_Advised, SluiceError):
    """What was asked is understood and not allowed now: `why`, and `fix`, the next command, or `step` as a value."""

    why: str
    fix: str = ""
    step: NextStep | None = field(default=None, kw_only=True)

    @property
    def problem(self) -> str:
        """Why it is not allowed."""
        return self.why


@dataclass(eq=False)
class Stopped(Refused):
    """A hold, freeze or block forbids it now; `control` is its id, `fix` the command that lifts it."""

    control: str = ""


@dataclass(eq=False)
class Skipped(Stopped):
    """A refresh is left out this time, as the environment's policy says, or because another one did its work."""

    @property
    def problem(self) -> str:
        """Why it is left out."""
        return f"skipped: {self.why}"


@dataclass(eq=False)
class WarehouseBusy(SluiceError):
    """Another process holds the warehouse file, or another connection of this one (`ours`). It passes when that is closed."""

    exit_code: ClassVar[int] = 2
    retry: ClassVar[bool] = True
    path: str
    holder: str = ""
    ours: bool = False

    @property
    def problem(self) -> str:
        """Who holds it."""
        return f"{self.path} is held by {self.holder or 'another process'}"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "close it there, then run the command again"


@dataclass(eq=False)
class WarehouseDamaged(BadInput):
    """The warehouse file cannot be read as what it should be."""


@dataclass(eq=False)
class BundleDamaged(SluiceError):
    """A stored file is not what its digest says. Nothing of that bundle may be used."""

    digest: str
    place: str

    @property
    def problem(self) -> str:
        """Which file is damaged."""
        return f"bundle file {self.place} does not have the digest {self.digest[:12]} it was stored under"

    @property
    def next_step(self) -> NextStep:
        """What to do next."""
        return NextStep.of("delete it and release the commit again: ", Command.of("release"))


@dataclass(eq=False)
class LeaseHeld(SluiceError):
    """Another promotion of this environment is at work. `holder` is as the lease has it, `since` UTC, ISO 8601."""

    retry: ClassVar[bool] = True
    environment: str
    holder: str
    since: str

    @property
    def problem(self) -> str:
        """Who is at work, and since when."""
        return f"{leased_text(self.environment)} {holder_text(self.holder)} since {self.since}"

    @property
    def next_step(self) -> NextStep:
        """What to do next."""
        return NextStep.of("wait for it (--wait 10m) or look: ", Command.of("status"))


@dataclass(eq=False)
class LeaseLost(SluiceError):
    """Our lease on the environment ended while we worked; another may hold it, so we may not write."""

    environment: str

    @property
    def problem(self) -> str:
        """What was lost."""
        return f"the lease on environment {self.environment!r} ran out while this process worked, so it writes no more"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "run the command again: it goes on with what was recorded"


@dataclass(eq=False)
class EnvironmentMoved(SluiceError):
    """The environment is at another generation than the plan was made for."""

    environment: str
    expected: int
    actual: int

    @property
    def problem(self) -> str:
        """Where it is, and where it was expected."""
        return f"environment {self.environment!r} is at generation {self.actual}, the plan was made for {self.expected}"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "run the command again: it plans anew"


@dataclass(eq=False)
class DbtFailed(BadInput):
    """dbt could not parse, compile or start. What a model or test answers is a finding, not this."""


@dataclass(eq=False)
class LedgerBroken(SluiceError):
    """An entry of the ledger does not follow from the one before it."""

    number: int
    why: str

    @property
    def problem(self) -> str:
        """Which entry, and why."""
        return f"ledger entry {self.number} is not what was written: {self.why}"

    @property
    def way_out(self) -> str:
        """What to do next."""
        return "restore the state store from a backup"


@dataclass(eq=False)
class QueryFailed(SluiceError):
    """The warehouse refused a query: `why` is the engine's own first line."""

    why: str
    sql: str = ""

    @property
    def problem(self) -> str:
        """The engine's own first line."""
        return self.why


@dataclass(eq=False)
class CannotPublish(QueryFailed):
    """The warehouse cannot publish what it was given: nothing was, and again would end the same."""
