"""The port of dbt, answered by a process that is shut in: it may build, and nothing else."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, cast

from prefect_sluice.dbt import wire_format
from prefect_sluice.dbt.compiled_facts import CompiledFacts, to_json
from prefect_sluice.dbt.hook_folders import make_hook_folders
from prefect_sluice.dbt.port import OnNode
from prefect_sluice.dbt.project import Project, ProjectFacts
from prefect_sluice.dbt.rights import explained, profile_within
from prefect_sluice.dbt.session import Session
from prefect_sluice.domain import errors
from prefect_sluice.domain.data_test import DataTest
from prefect_sluice.domain.declarations import Declarations
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.results import NodeResult
from prefect_sluice.isolation.sandbox import Protection, Rights
from prefect_sluice.isolation.warm import ChildEnded, Conversation, warm
from prefect_sluice.planning.compose import Parts
from prefect_sluice.runtime.events import NOTICES, Level, Notice

WORKER = "prefect_sluice.dbt.core.worker"
_ERRORS = {error.__name__: error for error in (errors.DbtFailed, errors.BadInput, errors.ConfigInvalid)}
_LEVELS = frozenset(level.value for level in Level)
_PARSED = "partial_parse.msgpack"
"""What dbt keeps of a parse."""


@dataclass(frozen=True, slots=True)
class _OfTexts:
    """What the project's texts alone decide."""

    facts: ProjectFacts
    declared: Declarations
    variables: tuple[Mapping[str, str], Mapping[str, str]]


class ShutInProject:
    """See DbtProject. The process ends with this object, with `close`, and with the process that asks."""

    def __init__(self, session: Session, rights: Rights) -> None:
        """Start the process and have it parse. Raises DbtFailed where it does not, or ends."""
        self._session, self._rights = session, rights
        self._parents: dict[str, tuple[str, ...]] = {}
        self._conversation: Conversation | None = None
        self._protection = Protection()
        self._opened()
        # Before any of its code has run, which could answer in its place.
        self._texts = _OfTexts(self._ask("facts"), self._declarations(), self._ask("variables_used"))
        # The process cannot see what lies beside its checkout.
        make_hook_folders(self.facts.copied_to, session.home, session.cwd, rights.write)

    def _declarations(self) -> Declarations:
        document, code = self._ask("declared")
        try:
            return replace(Declarations.read(document), code=code)
        except (AttributeError, KeyError, TypeError) as error:
            return _failed(error)

    @property
    def facts(self) -> ProjectFacts:
        """See DbtProject."""
        return self._texts.facts

    @property
    def protection(self) -> Protection:
        """See DbtProject."""
        return self._protection

    def declared(self) -> Declarations:
        """See DbtProject."""
        return self._texts.declared

    def variables_used(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """See DbtProject."""
        return self._texts.variables

    def text_keys(self) -> Mapping[str, str]:
        """See DbtProject."""
        return self._ask("text_keys")

    def compiled(self, nodes: Collection[str]) -> Mapping[str, tuple[str, ...]]:
        """See DbtProject."""
        return self._ask("compiled", tuple(nodes))

    def read(
        self, facts: Mapping[str, CompiledFacts], catalog: str, served: Collection[Name] = ()
    ) -> Project:
        """See DbtProject."""
        documents = {uid: to_json(of_node) for uid, of_node in facts.items()}
        return self._ask("read", documents, catalog, tuple(served))

    def add_parents(self, parents: Mapping[str, Iterable[str]]) -> None:
        """See DbtProject."""
        self._parents = {uid: tuple(of_node) for uid, of_node in parents.items()}
        self._ask("add_parents", self._parents)

    def files(self, project: Project, folder: str) -> Parts:
        """See DbtProject."""
        return self._ask("files", project, folder)

    def select(self, selectors: str) -> tuple[str, ...]:
        """See DbtProject."""
        return self._ask("select", selectors)

    def build(
        self,
        nodes: Iterable[str],
        tests: Iterable[str] = (),
        *,
        new_columns: Iterable[str] = (),
        on_node: OnNode | None = None,
    ) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        return self._run("build", tuple(nodes), tuple(tests), tuple(new_columns), on_node=on_node)

    def build_without_rows(self, nodes: Iterable[str], *, in_full: bool = False) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        return self._run("build_without_rows", tuple(nodes), in_full)

    def data_tests(self, tests: Collection[str]) -> tuple[DataTest, ...]:
        """See DbtProject."""
        return self._ask("data_tests", tuple(tests))

    def run_data_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        return self._run("run_data_tests", tuple(tests))

    def run_unit_tests(self, tests: Iterable[str]) -> tuple[NodeResult, ...]:
        """See DbtProject."""
        return self._run("run_unit_tests", tuple(tests))

    def close(self) -> None:
        """See DbtProject."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None
        _refuse_odd_files(self._session)

    def _opened(self) -> Conversation:
        """Return the conversation; begin one where there is none."""
        if self._conversation is None:
            _restore_parsed(self._session)
            try:
                opened = warm(WORKER).open(
                    _opening(self._session, self._rights), self._rights, self._session.work
                )
            except ChildEnded as error:
                what = f"dbt cannot be started in a process of its own: {error}"
                raise errors.DbtFailed(what, fix="see what this machine lacks: sluice doctor") from error
            self._conversation, self._protection = opened, opened.protection
            if not self._protection.is_isolated:
                NOTICES.tell(Notice(Level.WARNING, self._protection.description))
            self._exchange({"verb": "parse", "given": []})
            # Nothing of the project has run yet that could write to it.
            _keep_parsed(self._session)
            if self._parents:
                self._ask("add_parents", self._parents)
        return self._conversation

    def _run(self, verb: str, *given: Any, on_node: OnNode | None = None) -> tuple[NodeResult, ...]:
        wanted = {
            uid for uids in given[:2] if isinstance(uids, tuple) for uid in cast("tuple[str, ...]", uids)
        }
        if not wanted:
            return ()
        results: tuple[NodeResult, ...] = self._ask(verb, *given, on_node=on_node)
        # An answer about something else, or a second one, is a lie.
        answers = {
            result.unique_id: result
            for result in results
            if result.unique_id in wanted or result.kind == "operation"
        }
        return tuple(explained(result, self._rights) for result in answers.values())

    def _ask(self, verb: str, *given: Any, on_node: OnNode | None = None) -> Any:
        try:
            return wire_format.answered(verb, self._exchange(wire_format.question(verb, *given), on_node))
        except ValueError as error:
            _failed(error)

    def _exchange(self, question: Any, on_node: OnNode | None = None) -> Any:
        conversation = self._opened()
        try:
            reply = conversation.ask(question, _listener(on_node))
        except ChildEnded as error:
            self._conversation = None
            _failed(error)
        match reply:
            case {"value": value}:
                return value
            case {"error": [str(kind), str(what), str(where), str(fix)]}:
                raise _ERRORS.get(kind, errors.DbtFailed)(what, where, fix)
            case _:
                return _failed(ValueError("it said something that cannot be read"))


def _failed(error: Exception) -> NoReturn:
    what = f"the process in which dbt runs gave no answer: {error}"
    raise errors.DbtFailed(what, fix="see what ran when it ended: sluice logs") from error


def _listener(on_node: OnNode | None) -> Callable[[Any], None]:
    """Return what hears the child. What has another shape is left out: nothing is decided by it."""

    def hear(message: Any) -> None:
        match message:
            case {"notice": [str(level), str(text), str(about)]} if level in _LEVELS:
                NOTICES.tell(Notice(Level(level), text, about))
            case {"node": [str(uid), str(status), float(seconds) | int(seconds), str(text)]} if on_node:
                on_node(uid, status, seconds, text)
            case _:
                pass

    return hear


def _parse_state_folder(session: Session) -> Path:
    """Return the folder beside the one that the process may write to, for the state of the last parse."""
    return session.work.with_name(f"{session.work.name}.parsed")


def _restore_parsed(session: Session) -> None:
    """Give dbt what it kept of the last parse, and nothing else that code of another release left where it works."""
    target = session.work / "target"
    shutil.rmtree(target, ignore_errors=True)
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True)
    if (_parse_state_folder(session) / _PARSED).is_file():
        shutil.copyfile(_parse_state_folder(session) / _PARSED, target / _PARSED)


def _keep_parsed(session: Session) -> None:
    parsed = session.work / "target" / _PARSED
    if not parsed.is_symlink() and parsed.is_file():
        _parse_state_folder(session).mkdir(parents=True, exist_ok=True)
        fresh = _parse_state_folder(session) / f"{_PARSED}.new"
        shutil.copyfile(parsed, fresh)
        fresh.replace(_parse_state_folder(session) / _PARSED)


def _refuse_odd_files(session: Session) -> None:
    """Refuse what is no file and no folder where the process wrote: what reads or moves it has more rights than what made it."""
    for path in (*session.work.glob("*"), *session.outputs.rglob("*")):
        kind = path.lstat().st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            name = path.relative_to(session.work)
            what = "code of the change put something there that is no file: a link, for one"
            raise errors.DbtFailed(what, str(name), "take it out of the code, and commit")


def _opening(session: Session, rights: Rights) -> dict[str, Any]:
    target = profile_within(session.target, session.home, rights)
    return {
        "target": {
            "profile": target.profile,
            "name": target.name,
            "settings": dict(target.settings),
            "raw": dict(target.raw),
        },
        "project": str(session.project),
        "home": str(session.home),
        "work": str(session.work),
        "at": session.place.at,
        "side": str(session.side),
        "variables": dict(session.variables),
        "working_directory": str(session.cwd),
        "live": str(session.live or target.database.files[0]),
        "environ": dict(session.environ),
    }
