"""Which policy counts: that of what serves, never that of the caller's working tree; and what a release itself declares."""

from __future__ import annotations

import os
import posixpath
from contextlib import suppress
from functools import partial
from pathlib import Path

from prefect_sluice import config
from prefect_sluice.config import yaml_file
from prefect_sluice.config.policy import Governance, ReleaseRules, policy_in_file
from prefect_sluice.domain.errors import BadInput, ConfigInvalid, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.ledger import GENERATION_WRITTEN
from prefect_sluice.domain.promotion import Promotion, State
from prefect_sluice.domain.release import DIRTY, Release
from prefect_sluice.source import git
from prefect_sluice.workspace.workspace import Workspace

POLICY = "SLUICE_POLICY"
"""The environment variable that names the owner's file: a policy outside the tree, which goes before each sluice.yml."""

_OWNERS = frozenset({"environments", "gates", "approvals"})


def in_force(workspace: Workspace, environment: str) -> ReleaseRules | None:
    """Return the policy that the last release of an environment brought; None where nothing was ever served.

    A refresh of what asks somebody, and a rollback, change no policy. It is found in the state store, so that neither the
    caller's files nor another warehouse file change it. Raises BadInput when the bundle store has it no more.
    """
    if not workspace.has_store:
        return None
    brought = workspace.store.served_last(environment, with_policy=True)
    if brought is not None:
        return Governance.read(workspace.bundles.get_document(brought.policy)).proposed
    before = workspace.store.served_last(environment)
    release = workspace.store.release(before.release) if before else None
    return _of_older(workspace, release, environment) if release else None


def standing(workspace: Workspace, environment: str) -> ReleaseRules | None:
    """Return the policy that counts for what brings none of its own (a refresh, a collection): the one in force where
    somebody is asked, else the owner's file; None where the sluice.yml that lies here is as good as a release of it."""
    found = in_force(workspace, environment)
    return found if found is not None and found.asks else _owners(workspace, environment)


def _of_older(workspace: Workspace, release: Release, environment: str) -> ReleaseRules | None:
    """Return the policy of what an older Sluice released: of the release's own sluice.yml, or the defaults."""
    try:
        settings = settings_of(workspace, release) or config.Config()
    except ConfigInvalid:
        settings = config.Config()  # production asks for an approval by default
    bare = settings.model_copy(update={"environments": {}})
    return policy_in_file(settings, environment) or policy_in_file(bare, environment)


def governance(workspace: Workspace, environment: str, release: Release, cause: Cause) -> Governance:
    """Return which policy judges the promotion of a release, and which it brings.

    Raises Refused for a first release whose sluice.yml does not name the environment, ConfigInvalid for one that cannot be
    read.
    """
    _refuse_unattested(workspace, environment)
    served = in_force(workspace, environment)
    return Governance(cause, served, _proposed(workspace, environment, release, cause, served))


def _refuse_unattested(workspace: Workspace, environment: str) -> None:
    """Raise Refused when the row that says which policy is in force is not what the ledger says. Deploy verifies that one."""
    brought = workspace.store.served_last(environment, with_policy=True) if workspace.has_store else None
    if brought is None:
        return
    events = (GENERATION_WRITTEN, f"promotion.{State.STABLE.value}")
    of_it = workspace.store.entries(environment=environment, events=events, promotion=brought.id)
    if not of_it or of_it[-1].facts.get("policy_digest", brought.policy) != brought.policy:
        raise Refused(
            f"the policy of promotion {brought.id}, which is in force in {environment}, is not what the ledger says",
            "somebody wrote into the state store; see what else is wrong: sluice doctor",
        )


def _proposed(
    workspace: Workspace, environment: str, release: Release, cause: Cause, served: ReleaseRules | None
) -> ReleaseRules:
    if cause.renews and served is not None:
        # It has no change that anybody looked at. Where nobody is asked, the file that lies here is as good as a release of it.
        return served if served.asks else (_here(workspace, environment) or served)
    owner = _owners(workspace, environment)
    if owner is not None:
        return owner
    if release.composed is not None and served is not None:
        return served
    settings = settings_of(workspace, release) or config.Config()
    found = policy_in_file(settings, environment) or served
    if found is None:
        raise Refused(
            f"{workspace.file.name} of commit {release.change.short} does not name environment {environment!r}",
            f"commit {workspace.file.name} as it is here, then release that: a policy counts once it is committed",
        )
    return found


def recorded(workspace: Workspace, promotion: Promotion) -> Governance:
    """Return which policy judges a promotion, as it was recorded when it was begun: an approval is bound to it."""
    if promotion.policy:
        return Governance.read(workspace.bundles.get_document(promotion.policy))
    release = workspace.store.release(promotion.release) if promotion.release else None
    served = in_force(workspace, promotion.environment)
    rules = served or _here(workspace, promotion.environment) or _default(promotion.environment)
    if release is not None and not promotion.cause.goes_back:
        with suppress(Refused):  # begun by an older Sluice: what it brings is what its release has
            rules = _proposed(workspace, promotion.environment, release, promotion.cause, served)
    return Governance(promotion.cause, served, rules)


def rules_of(workspace: Workspace, promotion: Promotion) -> ReleaseRules:
    """Return the policy that judges a promotion."""
    return recorded(workspace, promotion).counting


def needed(workspace: Workspace, promotion: Promotion) -> int:
    """Return how many approvals a promotion needs."""
    return rules_of(workspace, promotion).approvals(promotion.cause)


def governed(workspace: Workspace, release: Release, rules: ReleaseRules | None = None) -> Workspace:
    """Return the workspace as a release declares it (variables, sources, models ...) and, with `rules`, judged by them.

    Of the sluice.yml that lies here only where things are is left: project, profiles, stores, targets, warehouse.
    """
    declared = settings_of(workspace, _whole(workspace, release)) or config.Config()
    names = ("vars", "source", "sources", "models", "expect")
    changed: dict[str, object] = {name: getattr(declared, name) for name in names}
    if rules is not None:
        changed |= {"gates": dict(rules.gates), "approvals": rules.carriers}
    return workspace.with_settings(workspace.settings.model_copy(update=changed), rules)


def _whole(workspace: Workspace, release: Release) -> Release:
    """Return the release that a part was taken from: the part was put together with what that one declares."""
    of = workspace.store.release(release.composed.of) if release.composed else None
    return of or release


def settings_path(workspace: Workspace, project: str) -> str:
    """Return the path of sluice.yml in the repository, beside a dbt project's folder there."""
    up = os.path.relpath(workspace.root, workspace.project)
    return posixpath.normpath(posixpath.join(project, up, workspace.file.name))


def settings_text(workspace: Workspace, release: Release) -> str | None:
    """Return the text of a release's own sluice.yml; None where it has none. Raises BundleDamaged, BadInput."""
    entry = release.files.get(settings_path(workspace, release.change.project))
    if entry is None or entry.startswith("link:"):
        return None
    return workspace.bundles.get(entry.partition(":")[2]).decode(errors="replace")


def settings_of(workspace: Workspace, release: Release) -> config.Config | None:
    """Return a release's own sluice.yml; None where it has none. Raises ConfigInvalid, which names the commit."""
    text = settings_text(workspace, release)
    return (
        None if text is None else _parsed(workspace, text, f"{workspace.file.name} of {release.change.short}")
    )


def uncommitted(workspace: Workspace, release: Release) -> str:
    """Return how the sluice.yml that lies here gets to count, where a release's own says something else of its gates; ""
    where it does not."""
    if workspace.environ.get(POLICY) or release.composed is not None:
        return ""
    name, told = workspace.file.name, settings_of(workspace, release) or config.Config()
    try:
        here = config.load(workspace.file)
    except ConfigInvalid:
        return ""
    if here.gates == told.gates:
        return ""
    return f"what {name} says of gates counts once it is committed: git add {name} && git commit"


def _parsed(workspace: Workspace, text: str, where: str) -> config.Config:
    return workspace.once.get(f"settings: {where}", text, partial(config.parse, text, where))


def _here(workspace: Workspace, environment: str) -> ReleaseRules | None:
    return _owners(workspace, environment) or policy_in_file(workspace.settings, environment)


def _owners(workspace: Workspace, environment: str) -> ReleaseRules | None:
    """Return what the owner's file says of an environment; None where there is none, or it does not name it.

    Raises ConfigInvalid when it cannot be read or holds more than policy.
    """
    named = workspace.environ.get(POLICY)
    if not named:
        return None
    path = Path(named)
    settings = config.load(path)
    more = sorted(yaml_file.read(path.read_text(encoding="utf-8"), str(path)).keys() - _OWNERS)
    if more:
        fix = f"a policy holds {', '.join(sorted(_OWNERS))}; all else stands in {workspace.file.name}"
        raise ConfigInvalid(f"{more[0]!r} is no part of a policy", str(path), fix)
    return policy_in_file(settings, environment) if environment in settings.served else None


def _default(environment: str) -> ReleaseRules:
    found = policy_in_file(config.Config(), environment)
    assert found is not None  # it names no environment, so it is of all
    return found


def refuse_uncommitted(workspace: Workspace, found: Governance, release: Release) -> None:
    """Raise Refused for a working tree where somebody is asked, be it by what is committed only: it brings its own policy."""
    if release.change.commit != DIRTY:
        return
    environment = found.proposed.environment
    asked = found.counting.approvals(found.cause)
    if found.served is None:
        asked = asked or _committed(workspace, environment, release).approvals(found.cause)
    if asked:
        raise Refused(
            f"environment {environment!r} needs approvals, and takes commits only",
            "commit first (git add -A && git commit), then release that",
        )


def _committed(workspace: Workspace, environment: str, release: Release) -> ReleaseRules:
    path = settings_path(workspace, release.change.project)
    try:
        content = git.content(workspace.repository, "HEAD", path)
        text = "" if content is None else content.decode(errors="replace")
        return policy_in_file(_parsed(workspace, text, f"{path} of HEAD"), environment) or _default(
            environment
        )
    except (BadInput, ConfigInvalid):
        return _default(environment)
