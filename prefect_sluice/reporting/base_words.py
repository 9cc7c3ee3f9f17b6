"""What a plan beside its base says, in words: whose commits and relations they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prefect_sluice.domain.counting import count
from prefect_sluice.planning.against_base import AgainstBase, Origin, Standing
from prefect_sluice.planning.plan import Step
from prefect_sluice.reporting.part import commits_line

ORIGIN = "because of"
"""The heading of a column of origins."""
_OF_BASE = {
    Standing.NEWER: "already on {}, not served",
    Standing.OLDER: "as {} had it when the branch was made; what serves is newer",
}
"""What a relation of the base is; in all other cases it is as the base has it, and serves as something else."""


def origin_words(base: AgainstBase, origin: Origin) -> str:
    """Return what relations of an origin are, as a heading says it."""
    match origin:
        case Origin.BRANCH:
            return "of this branch"
        case Origin.BASE:
            return _OF_BASE.get(base.commits.standing, "as on {}, and not as it serves").format(
                base.commits.ref
            )
        case Origin.DATA:
            return "new data"


def step_words(base: AgainstBase, step: Step) -> str:
    """Return what a step moves because of; "" where that is not known."""
    return name_words(base, str(step.name))


def name_words(base: AgainstBase | None, name: str) -> str:
    """Return what the relation of a public name moves because of; "" where that is not known."""
    origin = base.origins.get(name) if base else None
    return origin_words(base, origin) if base and origin else ""


def base_line(base: AgainstBase) -> str:
    """Return where the branch was made: `main at 1a2b3c4, which serves; main is 2 commits ahead`."""
    commits = base.commits
    serves = ", which serves" if commits.standing is Standing.SAME else ""
    more = f"; {commits.ref} is {count(commits.ahead, 'commit')} ahead of the branch" if commits.ahead else ""
    others = ", ".join(other[:7] for other in commits.others)
    both = f"; merged both ways, so what {others} brought counts as of this branch" if others else ""
    return f"{commits.ref} at {commits.commit[:7]}{serves}{more}{both}"


def counts_line(base: AgainstBase) -> str:
    """Return how many relations there are of each origin, or why nobody can tell; "" where none moves."""
    if base.untold:
        return f"what is of this branch is not known: {base.untold}"
    numbers = ((origin, base.counts.get(origin, 0)) for origin in Origin)
    return "; ".join(f"{origin_words(base, origin)}: {number}" for origin, number in numbers if number)


def base_text(base: AgainstBase) -> str:
    """Return where the branch was made and how many relations there are of each origin, in a line."""
    counts = counts_line(base)
    return f"{base_line(base)}. {counts[:1].upper()}{counts[1:]}" if counts else base_line(base)


def commit_rows(base: AgainstBase) -> list[tuple[str, str]]:
    """Return the commits of the branch, and those that are on the base and not served, each in a line under its words."""
    between = base.commits
    own = commits_line(between.own, between.written) if between.own else f"none: it is on {between.ref}"
    waiting = commits_line(between.waiting, between.unserved) if between.waiting else ""
    rows = [("of this branch", own)]
    return [*rows, (f"on {between.ref}, not served", waiting)] if waiting else rows


def grouped(base: AgainstBase, steps: Iterable[Step]) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """Yield the steps of each origin under its words, those of the branch first; what is not known comes last, under ""."""
    every = base.in_order(steps)
    for origin in (*Origin, None):
        of_origin = tuple(step for step in every if base.of_step(step) is origin)
        if of_origin:
            number = base.counts.get(origin, 0) if origin else 0
            yield (f"{origin_words(base, origin)} ({number})" if origin else ""), of_origin
