"""What each environment serves and what waits, on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import wrap

from prefect_sluice.approvals.ended_by_publish import EndedByPublish
from prefect_sluice.domain import old_names
from prefect_sluice.domain.controls import Control, ControlKind
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.displaced_names import TAKE_BACK, Displaced
from prefect_sluice.domain.displaced_names import describe_displaced as displaced_told
from prefect_sluice.domain.generation import Generation
from prefect_sluice.domain.lease_holder import holder_text as holder_told
from prefect_sluice.domain.promotion import Approval, Lease, Promotion, State
from prefect_sluice.domain.refresh_rules import FAILED, SKIPPED
from prefect_sluice.domain.refresh_rules import RefreshAttempt as LastRefresh
from prefect_sluice.domain.release import Release
from prefect_sluice.reporting.styled_text import BLANK, Line, Span, Style, faint, line, strong
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.terminal.promotion import SAID, going_on
from prefect_sluice.reporting.wording import ago, moment, short, size
from prefect_sluice.state.exported import Export

_LABEL = 13
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class OpenPromotion:
    """A promotion that is not at its end.

    `commit` is its release's ("" if not known), `decision` the yes or no that no run has heard yet, `blocks` are those of its
    release that are in force, `ends` the promotions that its publish would end.
    """

    promotion: Promotion
    commit: str = ""
    decision: Approval | None = None
    blocks: tuple[Control, ...] = ()
    ends: tuple[EndedByPublish, ...] = ()

    @property
    def next(self) -> str:
        """The command that takes it on; where its release is blocked, the one that lifts that."""
        if self.blocks:
            return self.blocks[0].lift
        if self.promotion.state is State.STAGED and self.decision is None:
            return f"sluice approve {self.promotion.id}"
        return going_on(self.promotion, self.commit)


@dataclass(frozen=True, slots=True)
class EnvironmentStanding:
    """An environment as it stands. `generation` has number 0 when nothing was published, and is None when the
    warehouse could not be asked: `problem` says why, and `recorded` is then the generation that the ledger
    knows of.

    `size` is that of the warehouse file, in bytes. `controls` are the holds and freezes in force here, and the
    block of the release that serves. `refresh` is the last attempt to refresh everything; `displaced` are the public names
    under which something else stands than what was published, `copy` the export that it was made of (None: it is no copy).
    """

    name: str
    generation: Generation | None
    release: Release | None
    warehouse: str
    size: int
    open: tuple[OpenPromotion, ...] = ()
    lease: Lease | None = None
    problem: str = ""
    recorded: int = 0
    controls: tuple[Control, ...] = ()
    refresh: LastRefresh | None = None
    displaced: tuple[Displaced, ...] = ()
    copy: Export | None = None


def status_lines(
    standings: Sequence[EnvironmentStanding], now: datetime, *, width: int = WIDTH
) -> list[Line]:
    """Return a block per environment."""
    lines: list[Line] = []
    for standing in standings:
        lines += [*([BLANK] if lines else []), *_environment(standing, now, width)]
    return lines


def _environment(standing: EnvironmentStanding, now: datetime, width: int) -> list[Line]:
    lines = [*_serves(standing, now, width)]
    lines += _wrapped("copy", standing.copy.line, Style.WARN, width) if standing.copy else []
    lines.append(_warehouse(standing))
    lines += _displaced(standing.displaced, width)
    lines += _old_names(standing.generation, width)
    lines += [part for control in standing.controls for part in _control(control, standing, width)]
    lines += _refresh(standing.refresh, now, width) if standing.refresh else []
    lines += [part for attempt in standing.open for part in _open(attempt, width)]
    if standing.lease is not None:
        holder = f"{holder_told(standing.lease.holder)} since {moment(standing.lease.acquired_at)}"
        lines += _wrapped("at work", holder, Style.WARN, width)
    return lines


def _serves(standing: EnvironmentStanding, now: datetime, width: int) -> list[Line]:
    current = standing.generation
    if current is None:
        served = f"generation {standing.recorded}, as the ledger says" if standing.recorded else "unknown"
        return [
            line(strong(standing.name), f"  {served}"),
            *_wrapped("problem", standing.problem, Style.BAD, width),
        ]
    if not current.number:
        return [
            line(
                strong(standing.name),
                faint("  nothing is served yet: "),
                f"sluice release --env {standing.name}",
            )
        ]
    again = f" = generation {current.origin} again" if current.cause.goes_back else ""
    head = f"  generation {current.number}{again}, {count(len(current.relations), 'relation')}"
    lines = [line(strong(standing.name), head)]
    change = standing.release.change if standing.release else None
    release = short(current.release) + (f"  {change.short} {change.subject}" if change else "")
    release = release or "none: what was adopted"
    lines += _wrapped("release", release, Style.PLAIN, width)
    lines.append(
        _field("since", Span(f"{moment(current.at)}, {ago(current.at, now)}, by {current.cause.value}"))
    )
    return lines


def _displaced(displaced: Sequence[Displaced], width: int) -> list[Line]:
    """Return in red what stands under public names that Sluice did not put there, and the command that helps."""
    if not displaced:
        return []
    lines = _wrapped("not ours", f"not what was published: {displaced_told(displaced)}", Style.BAD, width)
    return [*lines, _field("", "take the names back: ", strong(TAKE_BACK))]


def _old_names(current: Generation | None, width: int) -> list[Line]:
    """Return the old names that are served beside the relations, and until when."""
    names = old_names.of(current) if current is not None else ()
    more = [f"and {len(names) - _MOST_NAMES} more (all of them: --json)"] if len(names) > _MOST_NAMES else []
    sentences = [*(old_name.words for old_name in names[:_MOST_NAMES]), *more]
    return [
        part
        for at, text in enumerate(sentences)
        for part in _wrapped("" if at else "old names", text, Style.PLAIN, width)
    ]


def _control(control: Control, standing: EnvironmentStanding, width: int) -> list[Line]:
    """Return a hold, freeze or block with the command that ends it; serving a blocked release is told in red."""
    if control.kind is ControlKind.BLOCK:
        number = f" --from {standing.generation.number}" if standing.generation else ""
        step = strong(f"sluice rollback --env {standing.name}{number}")
        lines = _wrapped("blocked", f"what serves here is bad: {control.told}", Style.BAD, width)
        return [*lines, _field("", "go back: ", step), _field("", "lift it: ", control.lift)]
    where = "" if control.target else "every environment, "
    until = f"until {moment(control.until)}, " if control.until else ""
    lines = _wrapped(control.done, f"{where}{until}{control.origin}", Style.WARN, width)
    return [*lines, _field("", "lift it: ", strong(control.lift))]


def _refresh(attempt: LastRefresh, now: datetime, width: int) -> list[Line]:
    """Return how the last attempt to refresh everything ended; one that did not do its work stands out."""
    when = f"{moment(attempt.at)}, {ago(attempt.at, now)}"
    if attempt.ended is None:
        return _wrapped("refresh", f"began {when}, and has not come to an end", Style.PLAIN, width)
    bad = attempt.status in {SKIPPED, FAILED, "refused", "partial"}
    outcome = f"{attempt.status} {when}: {attempt.message}"
    return _wrapped("refresh", outcome, Style.WARN if bad else Style.PLAIN, width)


def _wrapped(name: str, text: str, style: Style, width: int) -> list[Line]:
    first, *more = wrap(text, width - _LABEL) or [""]
    return [_field(name, Span(first, style)), *(_field("", Span(part, style)) for part in more)]


def blocks_lines(controls: Sequence[Control], *, width: int = WIDTH) -> list[Line]:
    """Return the blocked releases that serve nowhere, after a blank line; nothing where there are none."""
    lines = [part for control in controls for part in _wrapped("blocked", control.told, Style.PLAIN, width)]
    return [BLANK, *lines] if lines else []


def _warehouse(standing: EnvironmentStanding) -> Line:
    # In one piece, however long the path is: it is there to be copied.
    size_text = size(standing.size) if standing.size else "not there yet"
    return _field("warehouse", Span(f"{standing.warehouse}, {size_text}"))


def _open(attempt: OpenPromotion, width: int) -> list[Line]:
    promotion, step = attempt.promotion, attempt.next
    heard = attempt.decision
    state = f"{promotion.state.value}, by {promotion.actor}"
    what = f"{promotion.cause.value} {short(promotion.release)}"
    sentence = f"{SAID[heard.decision]} by {heard.who}, {what}" if heard else f"{what}, {state}"
    sentence = f"{promotion.id}: {sentence}"
    sentence += "".join(f"; {block.told}" for block in attempt.blocks)
    label = "waits" if promotion.state is State.STAGED else "open"
    lines = _wrapped(label, sentence, Style.WARN, width)
    ends = [
        part
        for other in attempt.ends
        for part in _wrapped("", f"its publish ends {other}", Style.PLAIN, width)
    ]
    if sum(span.width for span in lines[-1]) + 2 + len(step) <= width:
        return [*lines[:-1], (*lines[-1], Span("  "), strong(step)), *ends]
    return [*lines, _field("", strong(step)), *ends]


def _field(name: str, *parts: Span | str) -> Line:
    return line(faint(f"  {name:<11}"), *parts)
