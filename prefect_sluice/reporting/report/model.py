"""The report as values: what is recorded of a promotion (`ReleaseRecord`), and what people are told of it (`Report`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from prefect_sluice.config.policy import Governance
from prefect_sluice.domain.controls import Control
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.displaced_names import Displaced
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.ledger import LedgerEntry
from prefect_sluice.domain.old_names import OldName
from prefect_sluice.domain.promotion import Approval, Promotion, Run
from prefect_sluice.domain.release import CommitRange, Release
from prefect_sluice.domain.verdict import Finding, GateReport, Verdict
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.planning.column_reach import ChangeReach
from prefect_sluice.planning.costs import ExpectedCosts
from prefect_sluice.planning.plan import Plan
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.state.exported import Export
from prefect_sluice.warehouse.publishing import Forecast

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WebLinks:
    """Links to where people go on in a browser: the page of the promotion's run, by address and name, and the form that
    says `yes` or `no` to it, filled in but for who says it; "" where there is none, or it is not known. `resumes`: the run
    waits, and its own form says it, too."""

    run: str = ""
    name: str = ""
    yes: str = ""
    no: str = ""
    resumes: bool = False

    @property
    def is_there(self) -> bool:
        """Say whether a yes or no can be said in a browser, so that nobody needs a terminal."""
        return bool(self.resumes or self.yes)


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """The record of one release, and of one promotion of it in full. `generations` are those that it
    wrote, newest first; `plan` is None where there is none, or it is another promotion's (a rollback writes
    an older table again). `blocks` are those of the release that are in force.

    `former` is the release that served before, `stages` the stage of each report, `serves` the generation that the
    environment serves now as the ledger has it (0: none), `approvals_needed` how many approvals its policy asks for,
    `warns` the gates whose no only warns, `consumers` who reads the project's relations, `described` what nodes are said
    to be, by unique id, `runs` what its stages took, `expected` how its publish is expected to go (None: it went, it will
    not, or it cannot be told), `costs` what its build is expected to take and to bring (None: it is built), `policy`
    which policy judges it and what it changes of it. `commits` are those that come and go with it (None: it is no other commit
    than what served, or an older Sluice began it), `base` what of its plan is of its branch (None: nobody asked). `reach` is what
    the columns that it changes reach (None: it changes none, or nobody can tell any more). `copy` is the export that its
    environment was made of (None: it is no copy), `ends` which promotions that wait its publish would end, each in words.
    `displaced` are the public names that do not show what it serves, `way` is where its run and form are in a browser, `web`
    where all forms are. `at` is when this was read, UTC.
    """

    release: Release | None
    promotion: Promotion | None = None
    plan: Plan | None = None
    reports: tuple[GateReport, ...] = ()
    approvals: tuple[Approval, ...] = ()
    generations: tuple[Generation, ...] = ()
    others: tuple[Promotion, ...] = ()
    entries: tuple[LedgerEntry, ...] = ()
    blocks: tuple[Control, ...] = ()
    former: Release | None = None
    stages: tuple[str, ...] = ()
    serves: int = 0
    approvals_needed: int = 0
    warns: frozenset[str] = frozenset()
    consumers: tuple[Consumer, ...] = ()
    described: Mapping[str, str] = field(default_factory=dict[str, str])
    runs: tuple[Run, ...] = ()
    expected: Forecast | None = None
    costs: ExpectedCosts | None = None
    policy: Governance | None = None
    commits: CommitRange | None = None
    base: AgainstBase | None = None
    displaced: tuple[Displaced, ...] = ()
    reach: ChangeReach | None = None
    copy: Export | None = None
    ends: tuple[str, ...] = ()
    way: WebLinks = WebLinks()
    web: Web = field(default_factory=Web)
    at: datetime = _NEVER


@dataclass(frozen=True, slots=True)
class Advice:
    """A next step for the reader: in words, and the command, if there is one; `finding`, if it is how to mend that."""

    text: str
    command: str = ""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """The decision, in one word and one sentence, and the next steps."""

    title: str
    word: str
    style: Style
    sentence: str
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """A number that the first glance needs, and what it counts."""

    value: str
    label: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """One thing that whoever decides must know first: what it is about, what is said, where the page says more, and the finding
    whose sentence it is, if it is one's: the `whole` of it, or as much as there is room for."""

    about: str
    text: str
    anchor: str = ""
    style: Style = Style.PLAIN
    finding: Finding | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ConsumerRow:
    """A consumer that a change reaches, through which relations (by name), and what gates say of it."""

    consumer: Consumer
    through: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedRelation:
    """One relation that readers will find changed: the diff's finding, its words without the name, who reads it, what the
    project says that it is, and because of what it changes, where that was asked."""

    name: str
    told: str
    finding: Finding
    readers: tuple[str, ...] = ()
    about: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class GateRow:
    """The row of one gate. `verdict` None: it did not apply, and `told` says why (`switched_off`: somebody does not want it);
    `counts` are its findings by verdict."""

    gate: str
    stage: str
    verdict: Verdict | None
    told: str
    seconds: float
    counts: Mapping[Verdict, int] = field(default_factory=dict[Verdict, int])
    passed: tuple[Finding, ...] = ()
    only_warns: bool = False
    switched_off: bool = False

    @property
    def holds(self) -> bool:
        """Say whether it keeps the release from going on."""
        return self.verdict is not None and not self.verdict.lets_through and not self.only_warns

    @property
    def page(self) -> str:
        """The page of the documentation about it."""
        return f"docs/gates/{self.gate}.md"


DotPart = Literal["build", "carry", "relink", "remove", "reuse", "consumer", "rest"]


@dataclass(frozen=True, slots=True)
class LineageNode:
    """One node of the drawing. `part` is build, carry, relink, remove, reuse, consumer or rest (several in one);
    `level` counts from the left, `verdict` is the worst that was found of it."""

    id: str
    label: str
    part: DotPart
    level: int
    told: str = ""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """The lineage of what is touched. `edges` go from what is read to who reads it; `left_out` counts the nodes
    that are drawn together, because there are too many."""

    dots: tuple[LineageNode, ...]
    edges: tuple[tuple[str, str], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage: what it took in all runs (None: not known), how it stands, and what came of it."""

    stage: str
    seconds: float | None
    state: str
    told: str = ""
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Report:
    """All that is told of one promotion, in the order in which it is told.

    `points` are what must be known first, `findings` those that did not pass, the worst first; `same` counts relations
    built anew with the same rows, `noted` those of them of which the diff says more; `new` and `gone` are public names that
    come and go; `waited` is how long it waited for
    a yes, `publish` how the generation got, or will get, into the warehouse.
    """

    dossier: ReleaseRecord
    head: Headline
    points: tuple[KeyPoint, ...]
    tallies: tuple[Tally, ...]
    reached: tuple[ConsumerRow, ...]
    changed: tuple[ChangedRelation, ...]
    same: int
    new: tuple[str, ...]
    gone: tuple[str, ...]
    findings: tuple[Finding, ...]
    gates: tuple[GateRow, ...]
    lineage: Lineage
    laps: tuple[StageRow, ...]
    noted: tuple[Finding, ...] = ()
    waited: timedelta | None = None
    publish: str = ""

    @property
    def old_names(self) -> tuple[OldName, ...]:
        """The old names that are served beside the relations."""
        return self.dossier.plan.old_names if self.dossier.plan else ()
