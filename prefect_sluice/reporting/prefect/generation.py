"""A generation as an artifact: what was published, how, which pointers moved, and the way back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.reporting.markdown import escaped, folded, table
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, about
from prefect_sluice.reporting.report.model import ReleaseRecord, Report
from prefect_sluice.reporting.terminal.promotion import SAID
from prefect_sluice.reporting.wording import moment, short

_OPEN = 30
_FOLDED = 500


@dataclass(frozen=True, slots=True)
class MovedNames:
    """Public names between two generations: those that are new, lead elsewhere, or are gone, and how many stayed."""

    new: tuple[Pointer, ...]
    other: tuple[tuple[Pointer, Pointer], ...]
    gone: tuple[Pointer, ...]
    same: int


def moved(before: Sequence[Pointer], after: Sequence[Pointer]) -> MovedNames:
    """Return which public names moved."""
    old: Mapping[Name, Pointer] = {pointer.name.folded: pointer for pointer in before}
    new = {pointer.name.folded: pointer for pointer in after}
    other = tuple(
        (old[name], pointer)
        for name, pointer in new.items()
        if name in old and old[name].address != pointer.address
    )
    return MovedNames(
        tuple(pointer for name, pointer in new.items() if name not in old),
        other,
        tuple(pointer for name, pointer in old.items() if name not in new),
        len(new.keys() & old.keys()) - len(other),
    )


def generation_page(
    report: Report, links: RunLinks, written: Generation, before: Generation | None, now: str = ""
) -> str:
    """Return what was published, and how to go back. `before` is what served (None: it is not known any more); `now` is
    how it got into the warehouse, "" for what the report knows of it."""
    record = report.dossier
    title = f"## ✅ {escaped(written.environment)} serves generation {written.number}"
    lines = [title, "", *about(record, links, ArtifactKind.GENERATION), *_facts(record, written)]
    how = now or report.publish
    lines += [escaped(how), ""] if how else []
    lines += _pointers(moved(before.pointers, written.pointers)) if before is not None else [
        f"{count(len(written.pointers), 'public name')}.",
        "",
    ]  # fmt: skip
    if written.number > 1:
        lines += ["If it turns out to be wrong:", "", "```console"]
        lines += [f"sluice rollback --env {written.environment} --from {written.number}", "```", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _facts(record: ReleaseRecord, written: Generation) -> list[str]:
    promotion = record.promotion
    base = promotion.base if promotion is not None else 0
    rows = [("written", moment(written.at)), ("because of", f"a {written.cause.value}")]
    if base and promotion is not None:
        former = f", {record.former.change.short} {record.former.change.subject}" if record.former else ""
        rows.append(("before", f"generation {base}, release {short(promotion.base_release)}{former}"))
    if written.origin != written.number:
        rows.append(("pointers", f"those of generation {written.origin}, written again; nothing was built"))
    rows += [
        ("approval", f"{SAID[approval.decision]} by {approval.who}, {moment(approval.at)}")
        for approval in record.approvals
        if approval.used_at is not None
    ]
    return table(("", ""), rows)


def _pointers(moved_names: MovedNames) -> list[str]:
    counts = [
        f"{count(len(moved_names.new), 'new name')}",
        f"{len(moved_names.other)} with another relation",
        f"{len(moved_names.gone)} removed",
        f"{moved_names.same} as before",
    ]
    rows = [
        *((str(pointer.name), "new", "", _mark(pointer)) for pointer in moved_names.new),
        *((str(new.name), "moved", _mark(old), _mark(new)) for old, new in moved_names.other),
        *((str(pointer.name), "removed", _mark(pointer), "") for pointer in moved_names.gone),
    ]
    header = ("public name", "", "led to", "leads to")
    lines = [f"**{', '.join(counts)}**", "", *(table(header, rows[:_OPEN]) if rows else [])]
    more = rows[_OPEN : _OPEN + _FOLDED]
    lines += folded(count(len(more), "more name"), table(header, more)) if more else []
    left = len(rows) - _OPEN - _FOLDED
    return [*lines, *([f"and {count(left, 'more name')}", ""] if left > 0 else [])]


def _mark(pointer: Pointer) -> str:
    """Return the digits that tell a physical relation from others of its name."""
    name = pointer.address.identifier
    return name.rpartition("__")[2] if "__" in name else name
