"""What a person is asked: the promotion in plain words, as the Markdown above the form."""

from __future__ import annotations

from prefect_sluice.render.findings import changes_lines
from prefect_sluice.render.markdown import escaped
from prefect_sluice.render.styled import plain
from prefect_sluice.render.words import short
from prefect_sluice.stages.work import Work


def request_text(work: Work) -> str:
    """Return what a yes would change, for the form. Short: the whole of it is in the report."""
    promotion, release = work.promotion, work.release
    if promotion is None:
        return ""
    named = f"{release.change.short}: {release.change.subject}" if release else short(promotion.release)
    lines = [
        f"## {escaped(named)} → {escaped(promotion.environment)}",
        "",
        f"Promotion `{promotion.id}`, by {escaped(promotion.actor)}; bound to `{promotion.binding[:12]}`",
        "",
    ]
    changed = [
        escaped(line.strip()) for line in plain(changes_lines(work.reports)).splitlines() if line.strip()
    ]
    lines += [f"- {line}" for line in changed[:20]]
    return "\n".join([*lines, "", f"All of it: `sluice report {promotion.id}`", ""])
