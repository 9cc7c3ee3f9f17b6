"""A release's dbt project, loaded once per process: checked out from its bundle, parsed, its references known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from prefect_sluice.config import FILE
from prefect_sluice.contracts.find import bound
from prefect_sluice.dbt import implementation
from prefect_sluice.dbt.port import DbtProject
from prefect_sluice.dbt.project import Project
from prefect_sluice.dbt.rights import of_build
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain.digests import Json, digest, digest_bytes, digest_file
from prefect_sluice.domain.errors import BadInput, DbtFailed
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.release import Release
from prefect_sluice.planning import source_versions
from prefect_sluice.source import dbt_packages, ignored_inputs
from prefect_sluice.sql.write_targets import Targets
from prefect_sluice.warehouse.candidate_place import CandidatePlace
from prefect_sluice.workspace.workspace import Environment, Workspace

if TYPE_CHECKING:
    from prefect_sluice.dbt.compiled_facts import CompiledFacts

_CACHE = "facts.3"
"""With the number of their form: facts that an older Sluice wrote are not read."""


@dataclass(frozen=True, slots=True)
class LoadedProject:
    """A parsed release for one environment. `folder` is the project in the checkout. Where dbt is shut in, it works in one of
    its own, the session's, and nobody writes to this one.

    `withheld` are the gates that let none of its code run: then no text was compiled that nobody had compiled before.
    """

    folder: Path
    session: Session
    dbt: DbtProject
    project: Project
    withheld: tuple[str, ...] = ()

    @property
    def working_directory(self) -> Path:
        """The folder in `folder`'s checkout that stands for the one in which dbt runs."""
        return Path(os.path.normpath(self.folder / os.path.relpath(self.session.cwd, self.session.project)))


def side(workspace: Workspace, environment: Environment) -> CandidatePlace:
    """Return where an environment's candidate is built: a fixed place, so that dbt's parse state stays valid."""
    work = workspace.work(environment).relative_to(workspace.folder)
    return workspace.warehouse(environment).side(work.as_posix())


def checkout(workspace: Workspace, release: Release, *, purpose: str = "build", anew: bool = False) -> Path:
    """Return the repository's folder of a release, written from its bundle; every file is verified by its digest.

    Each `purpose` has a folder of its own: dbt and the project's tests write to theirs, and nobody to the one that is read.
    Raises BundleDamaged. Repeatable: a complete checkout is used again; one that was altered is written anew, and with
    `anew` each one: what code of a change could write to is not looked into.
    """
    folder = workspace.folder / "checkouts" / f"{release.id[:16]}-{purpose}"
    if anew:
        workspace.bundles.forget_checkout(folder)
    files = _files(workspace, release)
    workspace.bundles.checkout(files, folder)
    links = _included(workspace, release.change.project)
    if _is_altered(folder, files, links):
        shutil.rmtree(folder)
        workspace.bundles.checkout(files, folder)
    for path, source in links.items():
        _include(source, folder / path)
    return folder


def _included(workspace: Workspace, project: str) -> Mapping[Path, Path]:
    """Return what `source.include` names, by its path in the repository; sluice.yml, from which it is written, may lie
    below the repository's top. Raises BadInput for a path that leads out of the repository."""
    top = _repository(workspace, project)
    named = {
        path: Path(os.path.normpath(workspace.root.resolve() / path))
        for path in workspace.settings.source.include
    }
    for path, source in named.items():
        if not source.is_relative_to(top):
            what = f"source.include: {path!r} leads out of the repository"
            raise BadInput(what, str(workspace.root / FILE), "name a path inside it")
    return {source.relative_to(top): source for source in named.values()}


def included_files(workspace: Workspace, project: str) -> tuple[Path, ...]:
    """Return the files and folders that `source.include` links into a checkout, to be read by code of a change; none that
    holds what is Sluice's own, or git's. Raises BadInput for a path that leads out of the repository."""
    own = (workspace.folder.resolve(), _repository(workspace, project) / ".git")
    found = (source.resolve() for source in _included(workspace, project).values())
    return tuple(
        path
        for path in found
        if not any(item.is_relative_to(path) or path.is_relative_to(item) for item in own)
    )


def _repository(workspace: Workspace, project: str) -> Path:
    """Return the repository's top; `project` is the dbt project's folder in it."""
    return workspace.project.joinpath(*[".." for _ in PurePosixPath(project).parts]).resolve()


def _files(workspace: Workspace, release: Release) -> Mapping[str, str]:
    """Return every file of a release's checkout. An older Sluice left the packages out of the bundle: they are taken as
    they are installed now, which was all that there was."""
    read = partial(_text, workspace, release.files)
    if release.packages or not dbt_packages.names_packages(release.change.project, read):
        return release.all_files
    return {**release.files, **packages_of(workspace, release.change.project, release.files)}


def packages_of(workspace: Workspace, project: str, files: Mapping[str, str]) -> Mapping[str, str]:
    """Put the dbt packages that a release of these `files` needs into the bundle store; return them as it names files.

    `project` is the dbt project's folder in the repository. Repeatable. Raises Refused for a package that leads elsewhere.
    """
    repository = _repository(workspace, project)
    found = dbt_packages.packed(repository, project, files, partial(_text, workspace, files))
    return {file.path: f"{file.mode}:{workspace.bundles.put(file.content)}" for file in found}


def _text(workspace: Workspace, files: Mapping[str, str], path: str) -> str | None:
    mode, _, key = files.get(path, "link:").partition(":")
    return None if mode == "link" else workspace.bundles.get(key).decode(errors="replace")


def _is_altered(folder: Path, files: Mapping[str, str], links: Collection[Path]) -> bool:
    """Say whether a file is not as it was packed, or one is there that was not; our own links apart."""
    if next(_strange(folder, files, links), None) is not None:
        return True
    for name, entry in files.items():
        mode, _, expected = entry.partition(":")
        path = folder / name
        if mode == "link":
            if not path.is_symlink() or digest_bytes(os.fsencode(path.readlink())) != expected:
                return True
        elif not path.is_file() or digest_file(path) != expected:
            return True
    return False


def _strange(folder: Path, files: Collection[str], links: Collection[Path]) -> Iterator[Path]:
    """Yield the files that were not packed."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        known = (
            str(name) in files
            or any(name.is_relative_to(link) for link in links)
            or "__pycache__" in name.parts
        )
        if not known and (path.is_symlink() or not path.is_dir()):
            yield path


def set_aside(workspace: Workspace, release: Release, loaded: LoadedProject) -> Mapping[str, Path]:
    """Move what a build wrote into its checkout (a relative `location`, a `copy ... to`) beside the files of other `external`
    models: a checkout is shared by all environments, and what was not packed is thrown away there.

    Return where each is now, by its path from the project. Repeatable.
    """
    built = loaded.session.project
    folder = Path(
        os.path.normpath(built.joinpath(*[".." for _ in PurePosixPath(release.change.project).parts]))
    )
    links = _included(workspace, release.change.project)
    moved: dict[str, Path] = {}
    for path in tuple(_strange(folder, _files(workspace, release), links)):
        if path.is_symlink():  # it leads to what the code could not read itself
            path.unlink()
            continue
        inside = path.relative_to(built if path.is_relative_to(built) else folder)
        moved[str(inside)] = loaded.session.outputs / inside
        moved[str(inside)].parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, moved[str(inside)])
    return moved


def _include(source: Path, place: Path) -> None:
    """Link what git does not track into the checkout; beside files that it does track, each of the others."""
    if not source.exists():
        raise BadInput("is to be included, and is not there", str(source), "mend sluice.yml: source.include")
    target = source.resolve()
    if place.is_symlink() and place.readlink().is_absolute() and place.readlink() != target:
        place.unlink()  # the project was moved, or its clone is another one
    if place.is_dir() and not place.is_symlink():
        for inside in source.iterdir() if source.is_dir() else ():
            _include(inside, place / inside.name)
    elif not place.exists() and not place.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)


def load(workspace: Workspace, environment: Environment, release: Release) -> LoadedProject:
    """Return the parsed project of a release. Raises DbtFailed when it does not parse or compile."""
    served = _others(workspace, environment)
    declared = digest(
        [
            cast("Json", dict(workspace.settings.vars)),
            workspace.settings.source.model_dump(mode="json"),
            workspace.settings.working_directory,
        ]
    )
    key = (str(workspace.work(environment)), environment.name, release.id, declared, served)
    found = workspace.once.get("project", key, lambda: _load(workspace, environment, release, served))
    if found.withheld:  # what may not run is looked at anew each time: sluice.yml may say by now that it may
        workspace.once.drop("project")
    return found


def _others(workspace: Workspace, environment: Environment) -> frozenset[Name]:
    """Return the names in the warehouse that are not the environment's own, in lower case."""
    warehouse = workspace.warehouse(environment)
    found = source_versions.others(warehouse.relations(), warehouse.generation(environment.name))
    return frozenset(item.name.folded for item in found)


def _load(
    workspace: Workspace, environment: Environment, release: Release, served: frozenset[Name]
) -> LoadedProject:
    from prefect_sluice.promotions.may_run_code import refusing

    folder = checkout(workspace, release) / release.change.project
    session = _session(workspace, environment, release)
    dbt = _parsed(workspace, session)
    catalog = environment.database.catalog
    known, missing = _known_facts(workspace, dbt)
    withheld: tuple[str, ...] = ()
    if missing:
        # To compile a text is to run its Jinja, with queries of its own: not before it is known that it may.
        draft = partial(dbt.read, known, catalog, served)
        working = _working_directory(workspace, folder, release.change.project)
        withheld = refusing(workspace, environment, release, folder, working, dbt, draft)
    found = known if withheld else {**known, **_new_facts(workspace, environment, session, dbt, missing)}
    project = dbt.read(found, catalog, served)
    project = replace(project, nodes=bound(folder, project.nodes))
    _refuse_left_out(workspace, session.cwd, project, dbt)
    dbt.add_parents({uid: node.parents for uid, node in project.nodes.items()})
    return LoadedProject(folder, session, dbt, project, withheld)


def _session(workspace: Workspace, environment: Environment, release: Release) -> Session:
    is_shut_in = environment.policy.isolation != "off"
    top = checkout(workspace, release, purpose="dbt" if is_shut_in else "build")
    # In the process that is shut in, a link to a folder that it has leads nowhere: of a project by URL, `.sluice` is one.
    top = top.resolve() if is_shut_in else top
    folder = top / release.change.project
    session = Session(
        environment.target,
        folder,
        workspace.home,
        workspace.work(environment),
        side(workspace, environment),
        workspace.settings.vars,
        _working_directory(workspace, folder, release.change.project),
    )
    if not is_shut_in:
        return replace(session, environ=workspace.environ)
    rights = of_build(
        session,
        workspace.settings.build,
        top,
        included=included_files(workspace, release.change.project),
        profile=workspace.profile.file,
        environ=workspace.environ,
        required=environment.policy.isolation == "required",
    )
    return replace(
        session,
        work=session.work.resolve(),
        place=replace(session.place, file=session.side.resolve()),
        rights=rights,
        environ=rights.variables,
    )


def _working_directory(workspace: Workspace, folder: Path, project: str) -> Path:
    """Return the folder of a checkout in which dbt runs; `folder` is the project's there. Raises BadInput for one outside."""
    if not workspace.home.is_relative_to(_repository(workspace, project)):
        what = f"working_directory: {workspace.settings.working_directory!r} leads out of the repository"
        raise BadInput(what, str(workspace.root / FILE), "name a folder inside it")
    return Path(os.path.normpath(folder / os.path.relpath(workspace.home, workspace.project)))


def _parsed(workspace: Workspace, session: Session) -> DbtProject:
    try:
        return implementation.parse(session)
    except DbtFailed as error:
        settings = workspace.settings
        told = ignored_inputs.explained(
            error, session.project, workspace.project, settings.project, settings.source.include
        )
        if told is error:
            raise
        raise told from error


def _refuse_left_out(workspace: Workspace, folder: Path, project: Project, dbt: DbtProject) -> None:
    settings = workspace.settings
    path = settings.working_directory or settings.project
    include = settings.source.include
    ignored_inputs.refuse(project.nodes, folder, workspace.home, path, include, dbt.facts.locations)


def _known_facts(
    workspace: Workspace, dbt: DbtProject
) -> tuple[Mapping[str, CompiledFacts], Mapping[str, str]]:
    """Return what each SQL node's compiled text tells, as remembered; and the keys of those that were never compiled."""
    from prefect_sluice.dbt.compiled_facts import from_json

    keys = dbt.text_keys()
    known = workspace.store.cached(_CACHE, keys.values())
    missing = {uid: key for uid, key in keys.items() if key not in known}
    return {uid: from_json(known[key]) for uid, key in keys.items() if key in known}, missing


def _new_facts(
    workspace: Workspace,
    environment: Environment,
    session: Session,
    dbt: DbtProject,
    missing: Mapping[str, str],
) -> Mapping[str, CompiledFacts]:
    """Compile nodes, and return and remember what their texts tell. `missing` holds their keys."""
    from prefect_sluice.dbt.compiled_facts import facts, from_json, to_json

    if not missing:
        return {}
    warehouse = workspace.warehouse(environment, session)
    live = warehouse.generation(environment.name)
    warehouse.prepare(session.place, source_versions.stubs(live, warehouse.relations(), (), Targets()))
    fresh = {
        missing[uid]: to_json(facts(texts, warehouse.linker, warehouse.dialect, warehouse.catalog))
        for uid, texts in dbt.compiled(tuple(missing)).items()
    }
    with workspace.store.transaction() as transaction:
        transaction.put_all_cached(_CACHE, fresh)
    return {uid: from_json(fresh[key]) for uid, key in missing.items() if key in fresh}
