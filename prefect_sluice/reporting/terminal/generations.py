"""Two generations side by side: which relations came, went and changed, and in which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prefect_sluice.diff.relation import RelationDiff
from prefect_sluice.diff.text import render_text
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.generation import Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.reporting.styled_text import BLANK, Line, Span, Style, faint, labelled, line, strong
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.wording import moment, short

_MOST = 20


@dataclass(frozen=True, slots=True)
class RelationDifference:
    """One relation in two generations: its pointer in each (None: not there), and, if both, what differs in
    its rows.

    `rows` is None where nobody looked, or could: `problem` says why.
    """

    name: Name
    before: Pointer | None
    after: Pointer | None
    rows: RelationDiff | None = None
    problem: str = ""

    @property
    def is_same(self) -> bool:
        """Say whether both generations have the very same relation."""
        return (
            self.before is not None and self.after is not None and self.before.address == self.after.address
        )


def differences(before: Generation, after: Generation, only: str = "") -> tuple[RelationDifference, ...]:
    """Return the relations whose pointer is another one, by name; with `only` that relation, the same or not.
    Pure."""
    old, new = before.by_name(), after.by_name()
    differing = (
        RelationDifference(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())
    )
    return tuple(
        difference
        for difference in differing
        if (only in {str(difference.name), difference.name.identifier} if only else not difference.is_same)
    )


def differences_lines(
    before: Generation, after: Generation, differing: Sequence[RelationDifference], *, width: int = WIDTH
) -> list[Line]:
    """Return a headline, and below it each relation with what changed in it."""
    head = line(strong(after.environment), f": {_generation_title(before)} → {_generation_title(after)}")
    if not differing:
        return [head, line("every relation is the same", f" ({count(len(after.relations), 'relation')})")]
    lines = [head]
    for difference in differing[:_MOST]:
        lines += [BLANK, *_difference(difference, width)]
    if len(differing) > _MOST:
        lines += [
            BLANK,
            line(
                faint(
                    f"and {len(differing) - _MOST} more (one of them: --relation NAME; all of them: --json)"
                )
            ),
        ]
    return lines


def _generation_title(generation: Generation) -> str:
    return f"generation {generation.number} (release {short(generation.release)}, {moment(generation.at)})"


def _difference(difference: RelationDifference, width: int) -> list[Line]:
    if difference.before is None:
        return [line(Span("added    ", Style.GOOD), str(difference.name))]
    if difference.after is None:
        return [line(Span("removed  ", Style.BAD), str(difference.name))]
    if difference.rows is not None:
        return [line(text) for text in render_text(difference.rows, width).splitlines()]
    if difference.problem:
        return labelled(Span("unknown  ", Style.WARN), f"{difference.name}: {difference.problem}", width)
    return [line(faint("same     " if difference.is_same else "changed  "), str(difference.name))]


def document(
    before: Generation, after: Generation, differing: Sequence[RelationDifference]
) -> dict[str, Json]:
    """Return it as JSON, whole."""
    return {
        "environment": after.environment,
        "before": {"generation": before.number, "release": before.release},
        "after": {"generation": after.number, "release": after.release},
        "relations": [
            {
                "relation": str(difference.name),
                "before": str(difference.before.address) if difference.before else None,
                "after": str(difference.after.address) if difference.after else None,
                "rows": difference.rows.as_json() if difference.rows else None,
                "problem": difference.problem,
            }
            for difference in differing
        ],
    }
