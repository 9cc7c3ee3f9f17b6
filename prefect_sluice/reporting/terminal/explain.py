"""Why one node is built or reused, in a few lines."""

from __future__ import annotations

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.node import short_name
from prefect_sluice.planning.explain import ChangedParent, Extent, StepReasons
from prefect_sluice.planning.reasons import Because, some
from prefect_sluice.reporting.styled_text import Line, faint, line, strong
from prefect_sluice.reporting.terminal.plan import word

_MOST = 8


def why_lines(found: StepReasons) -> list[Line]:
    """Return the step, and under it what speaks for it."""
    step = found.step
    lines = [line(strong(str(step.name)), f"  {_word(found)}: {step.reason}")]
    told = [*_own(found), *(_parent(item) for item in found.above)]
    told += [f"new data in {text.split(':', 1)[-1]}" for text in found.fresh]
    if not told:
        told = ["nothing that it is made of changed" if found.noted else "nothing is noted of what serves"]
    if step.reason.kind in {Because.LINKED_ANEW, Because.LINKED_TO}:
        told.append("its rows are what they were: a view is made again so that it reads the new addresses")
    return [*lines, *(line(faint(text), indent=2) for text in told)]


def _word(found: StepReasons) -> str:
    return word(found.step) if found.step.moves else found.step.action.value


def _own(found: StepReasons) -> list[str]:
    return [f"changed of its own: {some(found.changed, _MOST)}"] if found.changed else []


def _parent(item: ChangedParent) -> str:
    name = short_name(item.node)
    if item.extent is Extent.ALL:
        doubt = f" (not told apart by columns: {item.doubt})" if item.doubt else ""
        return f"{name} changed, and it reads all of it{doubt}"
    if item.extent is Extent.ROWS:
        return f"{name} has other rows"
    if item.columns:
        return f"{name} changed in {_columns(item.columns)}, which it reads"
    if item.unread:
        return f"{name} changed in {_columns(item.unread)} only, which it does not read"
    return f"{name} changed in nothing that it reads"


def _columns(names: tuple[str, ...]) -> str:
    return f"{noun(len(names), 'column')} " + some(names, _MOST)
