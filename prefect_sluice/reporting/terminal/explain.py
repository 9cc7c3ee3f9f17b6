"""Why one node is built or reused, in a few lines."""

from __future__ import annotations

from prefect_sluice.domain.counting import noun
from prefect_sluice.domain.node import short_name
from prefect_sluice.planning.explain import ChangedParent, Extent, StepReasons
from prefect_sluice.planning.reasons import Because, some
from prefect_sluice.reporting.styled_text import Line, faint, line, strong
from prefect_sluice.reporting.terminal.plan import word

_MOST = 8


def why_lines(reasons: StepReasons) -> list[Line]:
    """Return the step, and under it the reasons for it."""
    step = reasons.step
    lines = [line(strong(str(step.name)), f"  {_word(reasons)}: {step.reason}")]
    sentences = [*_own(reasons), *(_parent(parent) for parent in reasons.above)]
    sentences += [f"new data in {text.split(':', 1)[-1]}" for text in reasons.fresh]
    if not sentences:
        sentences = [
            "nothing that it is made of changed" if reasons.noted else "nothing is noted of what serves"
        ]
    if step.reason.kind in {Because.LINKED_ANEW, Because.LINKED_ANEW_OF, Because.LINKED_TO}:
        sentences.append(
            "its rows are what they were: a view is made again so that it reads the new addresses"
        )
    return [*lines, *(line(faint(text), indent=2) for text in sentences)]


def _word(reasons: StepReasons) -> str:
    return word(reasons.step) if reasons.step.moves else reasons.step.action.value


def _own(reasons: StepReasons) -> list[str]:
    return [f"changed of its own: {some(reasons.changed, _MOST)}"] if reasons.changed else []


def _parent(parent: ChangedParent) -> str:
    name = short_name(parent.node)
    if parent.extent is Extent.ALL:
        doubt = f" (not told apart by columns: {parent.doubt})" if parent.doubt else ""
        return f"{name} changed, and it reads all of it{doubt}"
    if parent.extent is Extent.ROWS:
        return f"{name} has other rows"
    if parent.columns:
        return f"{name} changed in {_columns(parent.columns)}, which it reads"
    if parent.unread:
        return f"{name} changed in {_columns(parent.unread)} only, which it does not read"
    return f"{name} changed in nothing that it reads"


def _columns(names: tuple[str, ...]) -> str:
    return f"{noun(len(names), 'column')} " + some(names, _MOST)
