"""What the commits of a release declare that they change in the data, read from git and from the release's own sluice.yml."""

from __future__ import annotations

from prefect_sluice import config, git
from prefect_sluice.errors import BadInput, ConfigInvalid
from prefect_sluice.expectation import Expectation
from prefect_sluice.expecting import Said, Unreadable, from_config, from_message
from prefect_sluice.generation import Cause
from prefect_sluice.governing import settings_text
from prefect_sluice.plan import Plan
from prefect_sluice.release import Release
from prefect_sluice.stages.commits import between
from prefect_sluice.workshop import Workshop


def said(workshop: Workshop, release: Release, plan: Plan) -> Said:
    """Return what is declared by the commits that come with this release: those that what serves now has not.

    Nothing for a refresh, whose code declared what it had to when it was released. Repeatable.
    """
    if plan.cause is Cause.REFRESH:
        return Said()
    base = workshop.store.release(plan.base_release) if plan.base_release else None
    found = _written(workshop, release, base)
    for commit, message in _messages(workshop, release, base):
        found += from_message(commit, message)
    return found


def _written(workshop: Workshop, release: Release, base: Release | None) -> Said:
    try:
        now = _expectations(workshop, release)
    except ConfigInvalid as error:
        return Said(unreadable=(Unreadable(error.where, error.what),))
    try:
        before = _expectations(workshop, base) if base else ()
    except ConfigInvalid:
        before = ()  # what could not be read then has explained nothing
    return Said(from_config(now, before, workshop.file.name))


def _expectations(workshop: Workshop, release: Release) -> tuple[Expectation, ...]:
    text = settings_text(workshop, release)
    return () if text is None else config.expectations(text, workshop.file.name)


def _messages(workshop: Workshop, release: Release, base: Release | None) -> tuple[tuple[str, str], ...]:
    own = ((release.change.commit, release.change.message),)
    if base is None or not release.change.message:
        return own
    try:
        found = between(workshop, release, base)
        made = git.made(git.root(workshop.root), found.until, f"^{found.since}", paths=found.paths)
    except BadInput:
        return own  # promoted where the repository is not, or rewritten meanwhile
    # Going back to an older commit brings none that is new, and it speaks for itself.
    return tuple((item.commit, item.message) for item in made) or own
