"""The lines of `sluice collect`: relations, generations and files that it dropped, or would drop, and their room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.maintenance.collect import Collected, CollectedWarehouse
from prefect_sluice.maintenance.leftovers import Leftover
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, line, strong, wrapped
from prefect_sluice.reporting.table import WIDTH, table
from prefect_sluice.reporting.wording import size

_MOST = 20


def lines(done: Collected, root: Path, *, width: int = WIDTH) -> list[Line]:
    """Return a block per warehouse, the files by kind, and one line that sums it up."""
    page: list[Line] = []
    for swept in done.warehouses:
        page += _warehouse(done, swept, root, width)
    page += [part for note in done.notes for part in wrapped(note, width, indent=0, style=Style.FAINT)]
    if done.is_empty:
        return [*page, line(Span("nothing to collect", Style.GOOD))]
    for kind, items in _kinds(done.files):
        summary = f"{_verb(done)} {count(len(items), kind)}, {size(sum(file.size for file in items))}"
        page.append(line(summary))
    return page


def _verb(done: Collected) -> str:
    return "would remove" if done.dry_run else "removed"


def _warehouse(done: Collected, swept: CollectedWarehouse, root: Path, width: int) -> list[Line]:
    plan = swept.plan
    head = f": {count(len(plan.drops), 'relation')} to drop, {len(plan.kept)} stay"
    if not done.dry_run:
        head = f": {count(len(plan.drops), 'relation')} dropped, {len(plan.kept)} stay"
    block = [line(strong(swept.database.place_from(root)), head)]
    rows = [
        (str(drop.address), "view" if drop.is_view else count(drop.rows, "row"), size(drop.size or 0))
        for drop in plan.drops[:_MOST]
    ]
    block += table(rows, right=(1, 2), indent=2, width=width)
    if len(plan.drops) > _MOST:
        block.append(line(faint(f"  and {len(plan.drops) - _MOST} more (all of them: --json)")))
    if plan.generations:
        gone = [
            f"{name} {_numbers([n for _, n in items])}" for name, items in _by_environment(plan.generations)
        ]
        warning = "cannot be served again after it: " if done.dry_run else "cannot be served again: "
        block += wrapped(warning + "; ".join(gone), width)
    if plan.drops:
        block += wrapped(_room(done, swept), width)
    for name in plan.strangers[:_MOST]:
        block += wrapped(f"{name} is not Sluice's: left alone (see sluice doctor)", width, style=Style.WARN)
    return [*block, *_old_names(done, swept, width), *_histories(done, swept, width)]


def _old_names(done: Collected, swept: CollectedWarehouse, width: int) -> list[Line]:
    verb = "would go" if done.dry_run else "is gone"
    sentences = (f"the old name {name} ({where}) {verb}: its day has come" for where, name in swept.plan.over)
    return [part for text in sentences for part in wrapped(text, width)]


def _histories(done: Collected, swept: CollectedWarehouse, width: int) -> list[Line]:
    """Return a line for each name whose history goes, and for each whose history stays though nothing serves it."""
    verb = "would go" if done.dry_run else "is gone"
    block: list[Line] = []
    for where, name in swept.plan.ended:
        block += wrapped(f"the history of {name} ({where}) {verb}", width, style=Style.BAD)
    for where, name in swept.plan.resting[:_MOST]:
        sentence = f"the history of {name} ({where}) stays; to let it go: --drop-history {name}"
        block += wrapped(sentence, width, style=Style.FAINT)
    return block


def _room(done: Collected, swept: CollectedWarehouse) -> str:
    room = f"{size(swept.plan.size)} in the file, {count(swept.plan.rows, 'row')}"
    if done.dry_run:
        return f"that is {room}"
    now = f"the file has {size(swept.after.size)} (before: {size(swept.before.size)})"
    return f"freed {room}; {now}, of which {size(swept.after.free)} are free for what comes next"


def _numbers(numbers: Sequence[int]) -> str:
    """Return `3, 5 to 9`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def _by_environment(generations: Sequence[tuple[str, int]]) -> list[tuple[str, list[tuple[str, int]]]]:
    return [
        (name, list(items))
        for name, items in groupby(sorted(generations), key=lambda generation: generation[0])
    ]


def _kinds(files: Sequence[Leftover]) -> list[tuple[str, list[Leftover]]]:
    ordered = sorted(files, key=lambda file: file.kind)
    return [(kind, list(items)) for kind, items in groupby(ordered, key=lambda file: file.kind)]


def relative_path(path: Path, root: Path) -> str:
    """Return a path as people know it: relative to the project where it lies in it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def document(done: Collected, root: Path) -> Json:
    """Return it as JSON, whole."""
    return {
        "dry_run": done.dry_run,
        "warehouses": [
            {
                "path": swept.database.place_from(root),
                "environments": list(swept.environments),
                "plan": swept.plan.document(),
                "before": {"bytes": swept.before.size, "free": swept.before.free},
                "after": {"bytes": swept.after.size, "free": swept.after.free},
            }
            for swept in done.warehouses
        ],
        "files": [{"path": relative_path(i.path, root), "kind": i.kind, "bytes": i.size} for i in done.files],
        "notes": list(done.notes),
    }
