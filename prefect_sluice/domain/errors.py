"""Everything that can go wrong, as facts. A gate that says no is a verdict, never one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from prefect_sluice.domain.lease_holder import told


def _revive(kind: type[SluiceError], facts: dict[str, Any]) -> SluiceError:
    error = kind.__new__(kind)
    error.__dict__.update(facts)
    return error


@dataclass(eq=False)
class SluiceError(Exception):
    """The root. `exit_code`: 1 a refusal or a failure, 2 bad input. `retry`: the cause passes by itself."""

    exit_code: ClassVar[int] = 1
    retry: ClassVar[bool] = False

    def __reduce__(self) -> Any:
        # Exception's own forgets keyword fields, and Prefect pickles what a task raises.
        return _revive, (type(self), dict(self.__dict__))


@dataclass(eq=False)
class BadInput(SluiceError):
    """Something the user gave is not usable: `what` is wrong, `where` it is, `fix` says what to do next."""

    exit_code: ClassVar[int] = 2
    what: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}; {self.fix}" if self.fix else head


@dataclass(eq=False)
class ConfigInvalid(BadInput):
    """sluice.yml (or the dbt profile) says something that cannot be."""


@dataclass(eq=False)
class Refused(SluiceError):
    """What was asked is understood and not allowed now: `why`, and `fix`, the next command."""

    why: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}" if self.fix else self.why


OURSELVES = "this very process"
"""The holder of a file that another connection of ours has open."""


@dataclass(eq=False)
class Stopped(Refused):
    """A hold, freeze or block forbids it now; `control` is its id, `fix` the command that lifts it."""

    control: str = ""


@dataclass(eq=False)
class Skipped(Stopped):
    """A refresh is left out this time, as the environment's policy says, or because another one did its work."""

    def __str__(self) -> str:
        said = f"skipped: {self.why}"
        return f"{said}; {self.fix}" if self.fix else said


@dataclass(eq=False)
class WarehouseBusy(SluiceError):
    """Another process holds the warehouse file. It passes when that process closes it."""

    exit_code: ClassVar[int] = 2
    retry: ClassVar[bool] = True
    path: str
    holder: str = ""

    def __str__(self) -> str:
        who = f" by {self.holder}" if self.holder else " by another process"
        return f"{self.path} is held{who}; close it there, then run the command again"


@dataclass(eq=False)
class WarehouseDamaged(BadInput):
    """The warehouse file cannot be read as what it should be."""


@dataclass(eq=False)
class BundleDamaged(SluiceError):
    """A stored file is not what its digest says. Nothing of that bundle may be used."""

    digest: str
    place: str

    def __str__(self) -> str:
        return (
            f"bundle file {self.place} does not have the digest {self.digest[:12]} it was stored under;"
            " delete it and release the commit again: sluice release"
        )


@dataclass(eq=False)
class LeaseHeld(SluiceError):
    """Another promotion of this environment is at work. `holder` is as the lease has it, `since` UTC, ISO 8601."""

    retry: ClassVar[bool] = True
    environment: str
    holder: str
    since: str

    def __str__(self) -> str:
        return (
            f"environment {self.environment!r} is being worked on by {told(self.holder)} since {self.since};"
            " wait for it (--wait 10m) or look: sluice status"
        )


@dataclass(eq=False)
class LeaseLost(SluiceError):
    """Our lease on the environment ended while we worked; another may hold it, so we may not write."""

    environment: str

    def __str__(self) -> str:
        return (
            f"the lease on environment {self.environment!r} ran out while this process worked, so it"
            " writes no more; run the command again: it goes on with what was recorded"
        )


@dataclass(eq=False)
class EnvironmentMoved(SluiceError):
    """The environment is at another generation than the plan was made for."""

    environment: str
    expected: int
    found: int

    def __str__(self) -> str:
        return (
            f"environment {self.environment!r} is at generation {self.found}, the plan was made for"
            f" {self.expected}; run the command again: it plans anew"
        )


@dataclass(eq=False)
class DbtFailed(BadInput):
    """dbt could not parse, compile or start. What a model or test answers is a finding, not this."""


@dataclass(eq=False)
class LedgerBroken(SluiceError):
    """An entry of the ledger does not follow from the one before it."""

    number: int
    why: str

    def __str__(self) -> str:
        return f"ledger entry {self.number} is not what was written: {self.why}; restore the state store from a backup"


@dataclass(eq=False)
class QueryFailed(SluiceError):
    """The warehouse refused a query: `why` is the engine's own first line."""

    why: str
    sql: str = ""

    def __str__(self) -> str:
        return self.why


@dataclass(eq=False)
class CannotPublish(QueryFailed):
    """The warehouse cannot publish what it was given: nothing was, and again would end the same."""
