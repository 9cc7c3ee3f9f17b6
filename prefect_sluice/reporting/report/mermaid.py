"""The lineage as Mermaid text, which forges draw in Markdown. Names from the data cannot leave their label. Pure."""

from __future__ import annotations

from prefect_sluice.domain.verdict import Verdict
from prefect_sluice.reporting.report.charts import PARTS
from prefect_sluice.reporting.report.model import Lineage
from prefect_sluice.reporting.styled_text import clean, cut

_SHAPES = {"consumer": ('(["', '"])'), "rest": ('[["', '"]]')}
_CLASSES = (
    "classDef moved stroke-width:2px,stroke:#2f6fd0",
    "classDef bad stroke-width:3px,stroke:#a81f17",
    "classDef removed stroke-dasharray:3 3,stroke:#a81f17",
)


def mermaid(lineage: Lineage) -> str:
    """Return a flowchart from left (read) to right (readers), without its fence."""
    ids = {dot.id: f"n{number}" for number, dot in enumerate(lineage.dots)}
    lines = ["flowchart LR"]
    for dot in lineage.dots:
        start, end = _SHAPES.get(dot.part, ('["', '"]'))
        bad = dot.verdict is not None and not dot.verdict.lets_through
        verdict = (
            f", {dot.verdict.name}" if dot.verdict is not None and dot.verdict is not Verdict.PASSED else ""
        )
        looks = (
            "bad"
            if bad
            else "removed"
            if dot.part == "remove"
            else "moved"
            if dot.part in {"build", "carry", "relink"}
            else ""
        )
        label = f"{_label(dot.label)}<br>{PARTS[dot.part]}{verdict}"
        lines.append(f"  {ids[dot.id]}{start}{label}{end}" + (f":::{looks}" if looks else ""))
    lines += [f"  {ids[above]} --> {ids[below]}" for above, below in lineage.edges]
    return "\n".join([*lines, *(f"  {style}" for style in _CLASSES)])


def _label(text: str) -> str:
    """Return text as Mermaid takes it: all but letters, digits and harmless marks as numbered entities."""
    return "".join(
        letter if letter.isalnum() or letter in " _-." else f"#{ord(letter)};"
        for letter in cut(clean(text), 40)
    )
