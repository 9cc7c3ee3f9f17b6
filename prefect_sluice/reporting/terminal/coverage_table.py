"""The lines of `sluice coverage`: a row per model, and the shares below."""

from __future__ import annotations

from pathlib import Path

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.coverage import ASPECTS, Aspect, CoverageBaseline, Covered, share, table
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import short_name
from prefect_sluice.reporting import table as tables
from prefect_sluice.reporting.styled_text import BLANK, Line, Span, Style, faint, line, strong

_SHOWN = {
    "yes": Span("yes", Style.GOOD),
    "no": Span("-", Style.WARN),
    "let pass": Span("let pass", Style.FAINT),
}


def lines(now: Covered, baseline: CoverageBaseline | None, written: Path | None, *, width: int) -> list[Line]:
    """Return the table, and what was written. Nothing is cut."""
    if not now:
        return [line("the project has no models")]
    rows = [
        [short_name(uid), *(_SHOWN[has[aspect]] for aspect in ASPECTS)]
        for uid, has in table(now, baseline).items()
    ]
    whole = [strong(count(len(now), "model")), *(strong(_percent(now, aspect)) for aspect in ASPECTS)]
    header = ["model", *(aspect.replace("_", " ") for aspect in ASPECTS)]
    page = tables.table([*rows, whole], header=header, width=width)
    if written is not None and baseline is not None:
        entries = len(list(baseline.entries()))
        sentence = f"{count(entries, 'missing thing')} let pass; commit it, and it can only shrink"
        page += [BLANK, line(strong(f"wrote {written.name}: "), sentence)]
    elif baseline is not None:
        outlived = len(baseline.outlived(now))
        if outlived:
            sentence = f"{count(outlived, 'entry', 'entries')} of the baseline that nothing needs any more: "
            page += [BLANK, line(faint(sentence), "sluice coverage --write-baseline")]
    return page


def _percent(now: Covered, aspect: Aspect) -> str:
    return f"{share(now, aspect) or 0:.0%}"


def document(now: Covered, baseline: CoverageBaseline | None, written: Path | None) -> Json:
    """Return it as JSON, whole."""
    return {
        "models": {
            uid: {str(one): coverage for one, coverage in has.items()}
            for uid, has in table(now, baseline).items()
        },
        "shares": {str(aspect): share(now, aspect) for aspect in ASPECTS},
        "baseline": None if baseline is None else [[uid, str(aspect)] for uid, aspect in baseline.entries()],
        "written": str(written) if written else None,
    }
