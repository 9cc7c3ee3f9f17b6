"""The commits that come and go with a release, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.release import Commit, CommitRange
from prefect_sluice.planning.against_base import AgainstBase
from prefect_sluice.reporting.base_words import base_line
from prefect_sluice.reporting.part import goes_line, old_line
from prefect_sluice.reporting.styled_text import Line, Span, Style, faint, labelled, line, wrapped
from prefect_sluice.reporting.table import WIDTH

_MOST = 10


def range_lines(
    commits: CommitRange | None, environment: str, width: int = WIDTH, *, base: AgainstBase | None = None
) -> list[Line]:
    """Return a line for each commit that comes or goes, of a long range the newest; none where there is but the release's own.
    Beside a `base` those that come are parted: of the branch, and on the base already."""
    lines = _beside_base(base, width) if base else []
    if commits is None or commits.is_plain:
        return lines
    if commits.untold:
        return [*lines, *labelled(Span("goes   ", Style.WARN), f"nobody can tell: {commits.untold}", width)]
    if commits.uncommitted:
        return [*lines, *labelled(Span("goes   ", Style.BAD), goes_line(commits), width)]
    lines += [] if base else _commit_lines(faint("comes  "), commits.comes, commits.coming, width)
    lines += _commit_lines(Span("goes   ", Style.BAD), commits.goes, commits.going, width)
    verbs = noun(commits.again, "serves comes", "serve come")
    another = noun(commits.again, "as another", "as others")
    again = f"{count(commits.again, 'commit')} that {verbs} again {another}, with the same change"
    lines += wrapped(again, width, indent=7, style=Style.FAINT) if commits.again else []
    old = old_line(commits, environment)
    return [*lines, *(wrapped(old, width, indent=0, style=Style.WARN) if old else [])]


def _beside_base(base: AgainstBase, width: int) -> list[Line]:
    """Return where the branch was made, its commits, and those that are on the base and not served."""
    return [*labelled(faint("base   "), base_line(base), width), *base_commit_lines(base, width)]


def base_commit_lines(base: AgainstBase, width: int = WIDTH) -> list[Line]:
    """Return the commits of the branch, and those that are on the base and not served: a release brings both."""
    between = base.commits
    lines: list[Line] = []
    if not between.written:
        lines += [line(faint(f"no commit of its own: it is on {between.ref}"), indent=7)]
    lines += _commit_lines(faint("branch "), between.own, between.written, width)
    if between.unserved:
        waiting = f"{count(between.unserved, 'commit')} on {between.ref}, not served:"
        lines += [line(faint(waiting), indent=7)]
        lines += _commit_lines(Span(" " * 7), between.waiting, between.unserved, width)
    return lines


def _commit_lines(label: Span, commits: Sequence[Commit], number: int, width: int) -> list[Line]:
    lines: list[Line] = []
    for place, commit in enumerate(commits[:_MOST]):
        lines += labelled(label if not place else Span(" " * 7), str(commit), width)
    rest = number - min(len(commits), _MOST)
    return [*lines, line(faint(f"and {count(rest, 'more commit')}"), indent=7)] if rest > 0 else lines
