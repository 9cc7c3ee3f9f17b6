"""The columns that a `*` stands for, with EXCLUDE and REPLACE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from prefect_sluice.sql.columns.clauses import QueryText, Span
from prefect_sluice.sql.columns.expressions import Value
from prefect_sluice.sql.columns.parts import (
    ColumnOrigin,
    Item,
    OutputColumn,
    PassThrough,
    Read,
    abbreviate,
    find_column,
    merged,
    stamp,
)
from prefect_sluice.sql.columns.scopes import FromItem, Scope
from prefect_sluice.sql.columns.understood import Unproven


@dataclass(slots=True)
class Star:
    """Reads one `*` of a SELECT over `scope`, whose joins use the columns `using`; `value` reads an expression.

    What EXCLUDE names is put into `mentioned`: the query fails without it.
    """

    text: QueryText
    scope: Scope
    using: set[str]
    value: Callable[[Span], Value]
    mentioned: set[Read]

    def items(self, span: Span) -> list[Item] | None:
        """Return what stands for the `*` in `span`, None if it is no `*`. Raises Unproven."""
        alias = star_of(self.text, *span)
        if alias is None:
            return None
        sources = [one for one in self.scope.sources if (not alias or one.alias == alias) and one.visible]
        if not sources or (alias and len(sources) > 1):
            raise Unproven(f"{alias}.*")
        items = [output for source in sources for output in _shown(source)]
        for name in sorted(set[str]() if alias else self.using):
            items = _once(items, name)
        return self._edited(items, span[0] + (3 if alias else 1), span[1])

    def _edited(self, items: list[Item], at: int, end: int) -> list[Item]:
        """Return the items without those that EXCLUDE names, and with those that REPLACE makes."""
        text = self.text
        if at < end and text.word(at) == "exclude":
            listed = text.word(at + 1) == "("
            for span in text.split(at + 2, text.closes[at + 1]) if listed else [(at + 1, at + 2)]:
                if span[1] - span[0] != 1:
                    raise Unproven("exclude")
                items = self._without(items, text.name(span[0]).lower())
            at = (text.closes[at + 1] if listed else at + 1) + 1
        if at + 1 < end and text.word(at) == "replace" and text.word(at + 1) == "(":
            for span in text.split(at + 2, text.closes[at + 1]):
                items = self._replaced(items, span)
            at = text.closes[at + 1] + 1
        if at != end:
            raise Unproven("* with more")
        return items

    def _without(self, items: list[Item], name: str) -> list[Item]:
        part = find_column(items, name)
        self.mentioned.update(part.reads if part else ())
        return [
            replace(output, without=tuple(sorted({*output.without, name})))
            if isinstance(output, PassThrough)
            else output
            for output in items
            if isinstance(output, PassThrough) or output.name.lower() != name
        ]

    def _replaced(self, items: list[Item], span: Span) -> list[Item]:
        end, name = self.text.label(*span)
        value = self.value((span[0], end))
        if not name or end == span[1] or value.labels or value.sums:
            raise Unproven("replace")
        column = OutputColumn(name, value.part)
        if any(isinstance(output, OutputColumn) and output.name.lower() == name.lower() for output in items):
            return [
                column if getattr(output, "name", "").lower() == name.lower() else output for output in items
            ]
        return [*self._without(items, name.lower()), column]


def star_of(text: QueryText, start: int, end: int) -> str | None:
    """Return the alias before a `*` that stands for columns, "" without one; None for anything else."""
    if text.word(start) == "*":
        return ""
    if start + 2 < end and text.word(start + 1) == "." and text.word(start + 2) == "*":
        return text.name(start).lower()
    return None


def _shown(source: FromItem) -> Iterator[Item]:
    """Yield the columns of a source as a `*` shows them: the source's alias is part of what they are."""
    for output in source.result.items:
        if isinstance(output, PassThrough):
            yield PassThrough(stamp("*", source.alias, output.text), output.relation, output.without)
        else:
            yield OutputColumn(
                output.name,
                ColumnOrigin(abbreviate(output.name, source.alias, output.part.text), output.part.reads),
            )


def _once(items: list[Item], name: str) -> list[Item]:
    """Return the items with the columns `name` made one, as USING does."""
    same = [output for output in items if isinstance(output, OutputColumn) and output.name.lower() == name]
    if len(same) < 2:
        return items
    text = stamp("using", *(output.part.text for output in same))
    one = OutputColumn(same[0].name, ColumnOrigin(text, merged(*(output.part.reads for output in same))))
    return [
        one if output is same[0] else output for output in items if output is same[0] or output not in same
    ]
