"""How a part of a release becomes a release of its own: put together, parsed, and refused where it would not be coherent."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.digests import digest
from prefect_sluice.domain.errors import BadInput, DbtFailed, Refused
from prefect_sluice.domain.next_step import Command, NextStep
from prefect_sluice.domain.release import Composed, Release
from prefect_sluice.planning.compose import PartQuestion, Parts, check_composition, files, must_go_along
from prefect_sluice.planning.dashboards import called, part_title, picked
from prefect_sluice.promotions.commits import as_part, written_as_part
from prefect_sluice.promotions.load_project import load
from prefect_sluice.promotions.work import tell
from prefect_sluice.runtime import process
from prefect_sluice.runtime.faults import FaultPoint, reach
from prefect_sluice.workspace.workspace import Environment, Workspace

_CACHE = "composed"
_MOST_COMMITS = 50
_OF_ALL = ("dbt_project.yml", "packages.yml", "dependencies.yml", "package-lock.yml", "selectors.yml")
"""Files that say something of every node. They come along only where a selected node needs them."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A release, parsed: its parts, the unique ids that the selector matches, and the dashboard that it is all the
    reading of (None: it is no such selector, or the release has none of that name)."""

    parts: Parts
    selected: frozenset[str]
    dashboard: Consumer | None = None


def compose(
    workspace: Workspace, environment: Environment, source: Release, base: Release, select: str, *, actor: str
) -> Release:
    """Return the release that is `base` with the selected part of `source`; either itself where that is what comes out.

    Raises BadInput when nothing is selected, Refused with the list of what else must go along. Repeatable: the same
    question gives the same release.
    """
    if base.change.project != source.change.project:
        raise Refused(
            f"the dbt project moved from {base.change.project!r} to {source.change.project!r} between the two releases",
            "promote all of it: leave out --select",
        )
    key = digest({"environment": environment.name, "of": source.id, "onto": base.id, "select": select})
    known = workspace.store.cached(_CACHE, [key]).get(key)
    before = workspace.store.release(str(known)) if known else None
    if before is not None:
        return before
    made = _composed(workspace, environment, source, base, select)
    _record(workspace, key, made, actor)
    reach(FaultPoint.PROMOTE_COMPOSED)
    return made


def _composed(
    workspace: Workspace, environment: Environment, source: Release, base: Release, select: str
) -> Release:
    asked, here, declared, title = _question(workspace, environment, source, base, select)
    if picked(select) and not any(_is_moved(asked, uid) for uid in asked.selected):
        return (
            base  # what its readers see is the same: no reason for a release, and an approval, of a mere text
        )
    along = must_go_along(asked)
    if along:
        raise _incoherent(environment, source, here, along)
    new = _New(workspace, environment, source, base, select, title)
    whole = _with_declaration(new, asked, declared)
    if whole is not None:
        return whole
    for also in ((), _of_all(source)):
        content = files(asked, source.files, base.files, also)
        made = _release(new, content, source.packages if also else base.packages)
        if made.id in {source.id, base.id}:
            return made
        tell(f"putting together {made.short}")
        found = check_composition(asked, _parsed(workspace, environment, made).parts)
        if not found.along and not found.strange:
            return made
        if found.along:
            raise _incoherent(environment, source, here, found.along)
    raise _strange(environment, source, found.strange)


def _is_moved(asked: PartQuestion, uid: str) -> bool:
    here, there = asked.source.nodes.get(uid), asked.base.nodes.get(uid)
    return here is None or there is None or here.fingerprint != there.fingerprint


def _with_declaration(new: _New, asked: PartQuestion, declared: str) -> Release | None:
    """Return the composition with the file that declares the dashboard, where that changes nothing else; None where it
    would: the file may speak of what only the source has."""
    if not declared:
        return None
    content = files(asked, new.source.files, new.base.files, (declared,))
    made = _release(new, content, new.base.packages)
    if made.id in {new.source.id, new.base.id}:
        return made
    tell(f"putting together {made.short}")
    try:
        found = check_composition(asked, _parsed(new.workspace, new.environment, made).parts)
    except DbtFailed:
        return None
    return None if found.along or found.strange else made


def _question(
    workspace: Workspace, environment: Environment, source: Release, base: Release, select: str
) -> tuple[PartQuestion, frozenset[str], str, str]:
    """Return the question, what of it the selector matches in the source, the path of the file that declares the
    dashboard otherwise than the base does ("": there is none), and what the part is called."""
    tell(f"selecting {select}")
    here, there = (
        _parsed(workspace, environment, source, select),
        _parsed(workspace, environment, base, select),
    )
    gone = there.selected - here.parts.nodes.keys()
    if not here.selected and not gone:
        raise BadInput(
            f"{select!r} matches no model, seed or snapshot of release {source.short}",
            fix="see what it has: dbt ls --select",
        )
    paths = source.files.keys() | base.files.keys()
    differing = frozenset(path for path in paths if source.files.get(path) != base.files.get(path))
    declared = ""
    if here.dashboard is not None and here.dashboard != there.dashboard:
        declared = _in_repository(source, here.dashboard.path)
    question = PartQuestion(here.selected | gone, here.parts, there.parts, differing)
    title = part_title(select, here.dashboard or there.dashboard)
    return question, here.selected | gone, declared if declared in differing else "", title


def _parsed(workspace: Workspace, environment: Environment, release: Release, select: str = "") -> _Parsed:
    loaded = load(workspace, environment, release)
    chosen = loaded.dbt.select(select) if select else ()
    found = loaded.dbt.files(loaded.project, release.change.project)
    dashboard = called(loaded.dbt.facts.consumers.values(), picked(select)) if picked(select) else None
    return _Parsed(found, frozenset(chosen) & found.nodes.keys(), dashboard)


def _of_all(source: Release) -> Collection[str]:
    return tuple(_in_repository(source, name) for name in _OF_ALL)


def _in_repository(source: Release, path: str) -> str:
    folder = source.change.project
    return path if folder == "." else f"{folder}/{path}"


@dataclass(frozen=True, slots=True)
class _New:
    """What a composition is to be made of, for which environment, and what it is called."""

    workspace: Workspace
    environment: Environment
    source: Release
    base: Release
    select: str
    title: str


def _release(new: _New, content: Mapping[str, str], packages: Mapping[str, str]) -> Release:
    """Return the composition as a release; the source or the base itself where it has just their files."""
    source, base = new.source, new.base
    for whole in (base, source):
        if dict(content) == dict(whole.files) and dict(packages) == dict(whole.packages):
            return whole
    paths = content.keys() | base.files.keys()
    changed = tuple(sorted(path for path in paths if content.get(path) != base.files.get(path)))
    commits = written_as_part(new.workspace, source, base, changed)
    change = as_part(source.change, commits)
    hasher = hashlib.sha256("".join(f"{path}\0{entry}\0" for path, entry in content.items()).encode())
    return Release(
        replace(change, tree=hasher.hexdigest()[:40], subject=new.title, files=changed),
        content,
        source.tools,
        Composed(new.environment.name, source.id, base.id, new.select, commits[:_MOST_COMMITS]),
        packages,
    )


def _record(workspace: Workspace, key: str, release: Release, actor: str) -> None:
    """Record the composition, and that this question has this answer: it costs three parses to find."""
    fresh = workspace.store.release(release.id) is None
    with workspace.store.transaction() as transaction:
        if fresh and release.composed is not None:
            transaction.put_release(release)
            facts = {"release": release.id, **release.composed.document()}
            transaction.append("release.composed", actor=actor, facts=facts, at=process.now())
        transaction.put_cached(_CACHE, key, release.id)


def _incoherent(
    environment: Environment, source: Release, selected: Iterable[str], along: Iterable[str]
) -> Refused:
    names = sorted(uid.split(".", 2)[-1] for uid in along)
    all_names = sorted({*names, *(uid.split(".", 2)[-1] for uid in selected)})
    return Refused(
        f"this part alone would leave {environment.name} incoherent: {', '.join(names)} must go along",
        f"sluice promote {source.short} --to {environment.name} --select {' '.join(all_names)!r}, or leave out --select",
    )


def _strange(environment: Environment, source: Release, strange: Iterable[str]) -> Refused:
    names = ", ".join(sorted(uid.split(".", 2)[-1] for uid in strange))
    return Refused(
        f"{names} cannot be taken out of release {source.short}: put on what {environment.name} serves, "
        "it would be another thing",
        step=NextStep.of(
            "promote all of it: ", Command.of("promote", source.short, "--to", environment.name)
        ),
    )
