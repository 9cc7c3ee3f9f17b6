"""Which policy counts: that of what serves, never that of the caller's working tree; and what a release itself declares."""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from prefect_sluice import config
from prefect_sluice.config import yaml_file
from prefect_sluice.config.policy import Governance, Rules, written
from prefect_sluice.domain.errors import BadInput, ConfigInvalid, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import GENERATION_WRITTEN
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import Release
from prefect_sluice.source import git
from prefect_sluice.workspace.workspace import Workshop

POLICY = "SLUICE_POLICY"
"""The environment variable that names the owner's file: a policy outside the tree, which goes before each sluice.yml."""

_OWNERS = frozenset({"environments", "gates", "approvals"})
_DIRTY = "dirty"


def in_force(workshop: Workshop, environment: str) -> Rules | None:
    """Return the policy that the last release of an environment brought; None where nothing was ever served.

    A refresh of what asks somebody, and a rollback, change no policy. It is found in the state store, so that neither the
    caller's files nor another warehouse file change it. Raises BadInput when the bundle store has it no more.
    """
    if not workshop.has_store:
        return None
    brought = workshop.store.served_last(environment, with_policy=True)
    if brought is not None:
        return Governance.read(workshop.bundles.get_document(brought.policy)).proposed
    before = workshop.store.served_last(environment)
    release = workshop.store.release(before.release) if before else None
    return _of_older(workshop, release, environment) if release else None


def standing(workshop: Workshop, environment: str) -> Rules | None:
    """Return the policy that counts for what brings none of its own (a refresh, a collection): the one in force where
    somebody is asked, else the owner's file; None where the sluice.yml that lies here is as good as a release of it."""
    found = in_force(workshop, environment)
    return found if found is not None and found.asks else _owners(workshop, environment)


def _of_older(workshop: Workshop, release: Release, environment: str) -> Rules | None:
    """Return the policy of what an older Sluice released: of the release's own sluice.yml, or the defaults."""
    try:
        settings = settings_of(workshop, release) or config.Config()
    except ConfigInvalid:
        settings = config.Config()  # production asks for an approval by default
    bare = settings.model_copy(update={"environments": {}})
    return written(settings, environment) or written(bare, environment)


def governance(workshop: Workshop, environment: str, release: Release, cause: Cause) -> Governance:
    """Return which policy judges the promotion of a release, and which it brings.

    Raises Refused for a first release whose sluice.yml does not name the environment, ConfigInvalid for one that cannot be
    read.
    """
    _refuse_unattested(workshop, environment)
    served = in_force(workshop, environment)
    return Governance(cause, served, _proposed(workshop, environment, release, cause, served))


def _refuse_unattested(workshop: Workshop, environment: str) -> None:
    """Raise Refused when the row that says which policy is in force is not what the ledger says. Deploy verifies that one."""
    brought = workshop.store.served_last(environment, with_policy=True) if workshop.has_store else None
    if brought is None:
        return
    events = (GENERATION_WRITTEN, f"promotion.{State.STABLE.value}")
    entries = [
        item for event in events for item in workshop.store.entries(environment=environment, event=event)
    ]
    of_it = [item for item in entries if item.facts.get("promotion") == brought.id]
    if not of_it or of_it[-1].facts.get("policy_digest", brought.policy) != brought.policy:
        raise Refused(
            f"the policy of promotion {brought.id}, which is in force in {environment}, is not what the ledger says",
            "somebody wrote into the state store; see what else is wrong: sluice doctor",
        )


def _proposed(
    workshop: Workshop, environment: str, release: Release, cause: Cause, served: Rules | None
) -> Rules:
    if cause is Cause.REFRESH and served is not None:
        # It has no change that anybody looked at. Where nobody is asked, the file that lies here is as good as a release of it.
        return served if served.asks else (_here(workshop, environment) or served)
    owner = _owners(workshop, environment)
    if owner is not None:
        return owner
    if release.composed is not None and served is not None:
        return served
    settings = settings_of(workshop, release) or config.Config()
    found = written(settings, environment) or served
    if found is None:
        raise Refused(
            f"{workshop.file.name} of commit {release.change.short} does not name environment {environment!r}",
            f"commit {workshop.file.name} as it is here, then release that: a policy counts once it is committed",
        )
    return found


def recorded(workshop: Workshop, promotion: Promotion) -> Governance:
    """Return which policy judges a promotion, as it was recorded when it was begun: an approval is bound to it."""
    if promotion.policy:
        return Governance.read(workshop.bundles.get_document(promotion.policy))
    release = workshop.store.release(promotion.release) if promotion.release else None
    served = in_force(workshop, promotion.environment)
    rules = served or _here(workshop, promotion.environment) or _default(promotion.environment)
    if release is not None and promotion.cause is not Cause.ROLLBACK:
        with suppress(Refused):  # begun by an older Sluice: what it brings is what its release has
            rules = _proposed(workshop, promotion.environment, release, promotion.cause, served)
    return Governance(promotion.cause, served, rules)


def rules_of(workshop: Workshop, promotion: Promotion) -> Rules:
    """Return the policy that judges a promotion."""
    return recorded(workshop, promotion).counting


def needed(workshop: Workshop, promotion: Promotion) -> int:
    """Return how many approvals a promotion needs."""
    return rules_of(workshop, promotion).approvals(promotion.cause)


def governed(workshop: Workshop, release: Release, rules: Rules | None = None) -> Workshop:
    """Return the workshop as a release declares it (variables, sources, models ...) and, with `rules`, judged by them.

    Of the sluice.yml that lies here only where things are is left: project, profiles, stores, targets, warehouse.
    """
    declared = settings_of(workshop, _whole(workshop, release)) or config.Config()
    names = ("vars", "source", "sources", "models", "expect")
    changed: dict[str, object] = {name: getattr(declared, name) for name in names}
    if rules is not None:
        changed |= {"gates": dict(rules.gates), "approvals": rules.carriers}
    return workshop.with_settings(workshop.settings.model_copy(update=changed), rules)


def _whole(workshop: Workshop, release: Release) -> Release:
    """Return the release that a part was taken from: the part was put together with what that one declares."""
    of = workshop.store.release(release.composed.of) if release.composed else None
    return of or release


def settings_path(workshop: Workshop, project: str) -> str:
    """Return the path of sluice.yml in the repository, beside a dbt project's folder there."""
    up = os.path.relpath(workshop.root, workshop.project)
    return posixpath.normpath(posixpath.join(project, up, workshop.file.name))


def settings_text(workshop: Workshop, release: Release) -> str | None:
    """Return the text of a release's own sluice.yml; None where it has none. Raises BundleDamaged, BadInput."""
    entry = release.files.get(settings_path(workshop, release.change.project))
    if entry is None or entry.startswith("link:"):
        return None
    return workshop.bundles.get(entry.partition(":")[2]).decode(errors="replace")


def settings_of(workshop: Workshop, release: Release) -> config.Config | None:
    """Return a release's own sluice.yml; None where it has none. Raises ConfigInvalid, which names the commit."""
    text = settings_text(workshop, release)
    return None if text is None else _parsed(text, f"{workshop.file.name} of {release.change.short}")


def uncommitted(workshop: Workshop, release: Release) -> str:
    """Return how the sluice.yml that lies here gets to count, where a release's own says something else of its gates; ""
    where it does not."""
    if workshop.environ.get(POLICY) or release.composed is not None:
        return ""
    name, told = workshop.file.name, settings_of(workshop, release) or config.Config()
    try:
        here = config.load(workshop.file)
    except ConfigInvalid:
        return ""
    if here.gates == told.gates:
        return ""
    return f"what {name} says of gates counts once it is committed: git add {name} && git commit"


@lru_cache(maxsize=16)
def _parsed(text: str, where: str) -> config.Config:
    return config.parse(text, where)


def _here(workshop: Workshop, environment: str) -> Rules | None:
    return _owners(workshop, environment) or written(workshop.settings, environment)


def _owners(workshop: Workshop, environment: str) -> Rules | None:
    """Return what the owner's file says of an environment; None where there is none, or it does not name it.

    Raises ConfigInvalid when it cannot be read or holds more than policy.
    """
    named = workshop.environ.get(POLICY)
    if not named:
        return None
    path = Path(named)
    settings = config.load(path)
    more = sorted(yaml_file.read(path.read_text(encoding="utf-8"), str(path)).keys() - _OWNERS)
    if more:
        fix = f"a policy holds {', '.join(sorted(_OWNERS))}; all else stands in {workshop.file.name}"
        raise ConfigInvalid(f"{more[0]!r} is no part of a policy", str(path), fix)
    return written(settings, environment) if environment in settings.environments else None


def _default(environment: str) -> Rules:
    found = written(config.Config(), environment)
    assert found is not None  # it names no environment, so it is of all
    return found


def refuse_uncommitted(workshop: Workshop, found: Governance, release: Release) -> None:
    """Raise Refused for a working tree where somebody is asked, be it by what is committed only: it brings its own policy."""
    if release.change.commit != _DIRTY:
        return
    environment = found.proposed.environment
    asked = found.counting.approvals(found.cause)
    if found.served is None:
        asked = asked or _committed(workshop, environment, release).approvals(found.cause)
    if asked:
        raise Refused(
            f"environment {environment!r} needs approvals, and takes commits only",
            "commit first (git add -A && git commit), then release that",
        )


def _committed(workshop: Workshop, environment: str, release: Release) -> Rules:
    path = settings_path(workshop, release.change.project)
    try:
        content = git.content(git.root(workshop.root), "HEAD", path)
        text = "" if content is None else content.decode(errors="replace")
        return written(_parsed(text, f"{path} of HEAD"), environment) or _default(environment)
    except (BadInput, ConfigInvalid):
        return _default(environment)
