"""Everything one command works with, opened from sluice.yml: environments, warehouse, state store, bundles, folders."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_sluice import config
from prefect_sluice.dbt import profile
from prefect_sluice.dbt.profile import Profile, Target
from prefect_sluice.domain.errors import BadInput, ConfigInvalid, SluiceError
from prefect_sluice.domain.promotion import Lease
from prefect_sluice.domain.untrusted_text import parsing, plain
from prefect_sluice.runtime import process
from prefect_sluice.runtime.file_modes import keep_private
from prefect_sluice.warehouse.adapter import WarehouseOptions
from prefect_sluice.warehouse.database import Database
from prefect_sluice.warehouse.publishing import PublishMode, PublishRule

if TYPE_CHECKING:
    from prefect_sluice.config.policy import ReleaseRules
    from prefect_sluice.dbt.session import Session
    from prefect_sluice.domain.digests import Json
    from prefect_sluice.state.bundles import BundleStore
    from prefect_sluice.state.shared_candidates import SharedCandidates
    from prefect_sluice.state.store import StateStore
    from prefect_sluice.warehouse.base import Warehouse

FOLDER = ".sluice"
_Opened = TypeVar("_Opened")

STATE, BUNDLES, BUNDLES_OPTIONS = "SLUICE_STATE", "SLUICE_BUNDLES", "SLUICE_BUNDLES_OPTIONS"
"""The environment variables that go before `state` and `bundles`, and what the latter's file system is opened with."""


class OpenedOnce:
    """What one run opened or read, for as long as it runs: handed from workspace to workspace, and gone with the last of them.

    No dataclass and no mapping: Prefect looks through all that lies in a task's parameters.
    """

    def __init__(self) -> None:
        """Begin with nothing opened."""
        self._found: dict[str, tuple[Hashable, Any]] = {}

    def get(self, what: str, key: Hashable, make: Callable[[], _Opened]) -> _Opened:
        """Return the one `what` there is: what was made before for the same `key`, else what `make` gives, in its place."""
        known = self._found.get(what)
        if known is None or known[0] != key:
            # The old one goes first: a manifest is large.
            self._found.pop(what, None)
            known = self._found[what] = (key, make())
        return known[1]

    def without(self, what: str) -> OpenedOnce:
        """Return another that knows all that this one does but `what`; what is made from now on is each one's own."""
        other = OpenedOnce()
        other._found = {name: found for name, found in self._found.items() if name != what}
        return other

    def drop(self, what: str) -> None:
        """Have it made anew when it is next asked for. Repeatable."""
        self._found.pop(what, None)


@dataclass(frozen=True)
class Environment:
    """An environment, resolved: its dbt target, and its policy as sluice.yml has it here (`written`)."""

    name: str
    target: Target
    written: config.EnvironmentPolicy
    rules: Callable[[], ReleaseRules | None] = field(default=lambda: None, compare=False, repr=False)
    """Gives the policy in force, which goes before; None where the one that is written counts."""

    @property
    def database(self) -> Database:
        """The database that it serves from."""
        return self.target.database

    @cached_property
    def policy(self) -> config.EnvironmentPolicy:
        """The policy that counts. Looked up when it is first asked for: it takes the state store."""
        rules = self.rules()
        return rules.own if rules else self.written

    @property
    def approvals(self) -> int:
        """How many approvals a release needs here."""
        if self.policy.approvals is not None:
            return self.policy.approvals
        return 1 if self.name in config.PRODUCTION else 0


@dataclass(frozen=True)
class Workspace:
    """One sluice.yml and what it names. Nothing is opened before it is asked for, and then once: a run opens one workspace and
    hands it down; those that are made of it share what is opened.

    `judged_by` is the policy that judges the promotion at work (None: none is at work); every other environment has the one
    that is in force there.
    With a `lease`, it is one environment's, for as long as that lasts: the state store takes no write of it afterwards.
    `apart` ends the names of its work folders: "" for those that a release builds in.
    """

    file: Path
    settings: config.Config
    judged_by: ReleaseRules | None = None
    lease: Lease | None = None
    apart: str = ""
    once: OpenedOnce = field(default_factory=OpenedOnce, compare=False, repr=False)

    @classmethod
    def at(cls, folder: Path) -> Workspace:
        """Open the nearest sluice.yml. Raises ConfigInvalid."""
        file = config.find(folder.resolve())
        return cls(file, config.load(file))

    def under(self, lease: Lease | None) -> Workspace:
        """Return the same for who works under a lease; None: as it is without one."""
        return replace(self, lease=lease)

    def beside(self, apart: str) -> Workspace:
        """Return the same with work folders of its own, whose names end so: in the shared ones a release may be building right
        now."""
        return replace(self, apart=apart)

    def anew(self) -> Workspace:
        """Return the same under no lease, as it was when the run opened it, for after a deployment: which policy is in force is
        looked up anew."""
        return self.under(None)

    @property
    def root(self) -> Path:
        """The folder that holds sluice.yml."""
        return self.file.parent

    @property
    def project(self) -> Path:
        """The dbt project's folder in the working tree."""
        with parsing("is no folder", f"{self.file}: project", "name the dbt project's folder", ConfigInvalid):
            return (self.root / self.settings.project).resolve()

    @property
    def home(self) -> Path:
        """The folder in the working tree where people run dbt. Raises ConfigInvalid for one that is not there."""
        if not self.settings.working_directory:
            return self.project
        place, fix = f"{self.file}: working_directory", "name the folder in which dbt is called"
        with parsing("is no folder", place, fix, ConfigInvalid):
            folder = (self.root / self.settings.working_directory).resolve()
        if not folder.is_dir():
            raise ConfigInvalid("is no folder", place, fix)
        return folder

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables."""
        return self.once.get("environ", (), process.environment)

    @cached_property
    def profile(self) -> Profile:
        """The project's dbt profile. Raises ConfigInvalid."""
        folder = self.root / self.settings.profiles if self.settings.profiles else None
        variables = self.settings.vars
        read = partial(
            profile.load, self.project, self.environ, folder=folder, variables=variables, home=self.home
        )
        return self.once.get("profile", (self.project, folder, repr(variables), self.home), read)

    @cached_property
    def environments(self) -> Mapping[str, Environment]:
        """The environments by name, in order. Raises ConfigInvalid when there is none, or two share their names."""
        written = self.settings.served or {name: config.EnvironmentPolicy() for name in self.profile.usable()}
        if not written:
            raise ConfigInvalid(
                "no target is a DuckDB file",
                str(self.profile.file),
                "add an output of type duckdb with a path",
            )
        found = {
            name: Environment(
                name, self.profile.target(self._target(name, policy)), policy, partial(self._rules, name)
            )
            for name, policy in written.items()
        }
        self._distinct(found)
        return found

    def _rules(self, environment: str) -> ReleaseRules | None:
        """Return the policy that counts in an environment, whatever sluice.yml says here; None where that counts."""
        from prefect_sluice.workspace.policy_in_force import standing

        if self.judged_by is not None and self.judged_by.environment == environment:
            return self.judged_by
        return standing(self, environment)

    def with_settings(self, settings: config.Config, judged_by: ReleaseRules | None) -> Workspace:
        """Return it with other settings, and all that is open already."""
        return replace(self, settings=settings, judged_by=judged_by)

    def environment(self, name: str | None = None) -> Environment:
        """Return an environment, the default one without a name. Raises BadInput for an unknown one."""
        wanted = name or self.settings.default_environment or self._default()
        if wanted not in self.environments and not self.settings.served and wanted in self.profile.outputs:
            self.profile.target(wanted)  # says what is wrong with it
        if wanted not in self.environments:
            raise BadInput(
                f"there is no environment {wanted!r} (there are: {', '.join(self.environments)})",
                str(self.file),
                "name one of them: --env",
            )
        return self.environments[wanted]

    def _default(self) -> str:
        at_default = [
            name
            for name, environment in self.environments.items()
            if environment.target.name == self.profile.default
        ]
        return at_default[0] if at_default else next(iter(self.environments))

    def _target(self, name: str, policy: config.EnvironmentPolicy) -> str:
        if policy.target:
            return policy.target
        return name if name in self.profile.outputs else self.profile.default

    def _distinct(self, environments: Mapping[str, Environment]) -> None:
        seen: dict[tuple[str, str], str] = {}
        taken = {"sluice", self.settings.warehouse.store}
        for name, environment in environments.items():
            environment.database.refuse_its_name(name, taken, self.profile.file.name)
            key = environment.target.names
            if key in seen:
                raise ConfigInvalid(
                    f"environments {seen[key]!r} and {name!r} have the same warehouse file and schema",
                    str(self.file),
                    "give each its own target: environments.<name>.target",
                )
            seen[key] = name

    @property
    def repository(self) -> Path:
        """The top folder of the git repository that it lies in. Raises BadInput where it lies in none."""
        from prefect_sluice.source import git

        return self.once.get("repository", self.root, lambda: git.root(self.root))

    @property
    def folder(self) -> Path:
        """The folder of our own files; made when first asked for, ignored by git by its own word, and private."""
        return own_folder(self.root / FOLDER, self._served)

    @cached_property
    def _served(self) -> tuple[Path, ...]:
        try:
            return tuple(file for place in self.environments.values() for file in place.database.files)
        except SluiceError:  # who needs to know what is wrong there is told elsewhere
            return ()

    @property
    def state(self) -> str:
        """The state store's URL, or the path of its file: what SLUICE_STATE says, else sluice.yml."""
        return self._resolve_url(self.environ.get(STATE) or self.settings.state)

    @property
    def has_store(self) -> bool:
        """Say whether there is a state store: False where its file was not made yet."""
        return "://" in self.state or Path(self.state).is_file()

    @cached_property
    def store(self) -> StateStore:
        """The state store, migrated."""
        from prefect_sluice.state.store import StateStore

        _ = self.folder
        return self.once.get("store", self.state, lambda: StateStore.open(self.state)).under(self.lease)

    @property
    def bundles(self) -> BundleStore:
        """The bundle store."""
        from prefect_sluice.state.bundles import BundleStore

        url = self._resolve_url(self.environ.get(BUNDLES) or self.settings.bundles)
        return self.once.get("bundles", url, lambda: BundleStore(url, self._options()))

    def _resolve_url(self, url: str) -> str:
        with parsing("is no path", url, "name a file or a URL"):
            return url if "://" in url else str((self.root / url).resolve())

    def _options(self) -> Mapping[str, Json]:
        """What the file system behind the bundle store's URL is opened with. Raises BadInput."""
        import json

        fix = f"""write it as a JSON object: {BUNDLES_OPTIONS}='{{"anon": true}}'"""
        try:
            read = json.loads(self.environ.get(BUNDLES_OPTIONS) or "{}")
        except (ValueError, RecursionError):  # not the whole of it, nor as a cause: it may hold a key
            raise BadInput("is not JSON", BUNDLES_OPTIONS, fix) from None
        if not isinstance(read, dict) or plain(cast("Json", read)):
            raise BadInput("is not a JSON object", BUNDLES_OPTIONS, fix)
        return cast("dict[str, Json]", read)

    @property
    def shelf(self) -> SharedCandidates | None:
        """Where candidates are shared with other machines; None where the bundle store is a folder of this one."""
        from prefect_sluice.state.shared_candidates import SharedCandidates

        bundles = self.bundles
        return self.once.get(
            "shelf", bundles.url, lambda: SharedCandidates(bundles) if "://" in bundles.url else None
        )

    def warehouse(self, environment: Environment, session: Session | None = None) -> Warehouse:
        """Return the warehouse of an environment. With a `session`, in which a candidate is built or read, side databases are
        opened as dbt opens them, relative paths start where dbt runs, and views read what its code may."""
        from prefect_sluice.dbt.implementation import connector

        settings = self.settings.warehouse
        answers = self.once.get("answers", (), dict[Any, Any])
        rule = PublishRule(
            None if settings.publish == "auto" else PublishMode(settings.publish), settings.lock
        )
        target = environment.target
        connect = connector(target, self.project, self.settings.vars) if session else None
        return target.adapter.warehouse(
            target.database,
            WarehouseOptions(
                settings.store,
                settings.patience,
                rule,
                self.root / FOLDER,
                answers,
                connect,
                session.cwd if session else None,
                session.readable if session else None,
            ),
        )

    def work(self, environment: Environment) -> Path:
        """The folder that keeps an environment's parse state and its side database between releases."""
        return self.folder / "work" / f"{environment.name}{self.apart}"


def one_per_database(environments: Iterable[Environment]) -> tuple[Environment, ...]:
    """Return the first environment of each database, in the order of the databases' identities."""
    first: dict[str, Environment] = {}
    for environment in environments:
        first.setdefault(environment.database.identity, environment)
    return tuple(first[identity] for identity in sorted(first))


def own_folder(folder: Path, served: Iterable[Path] = ()) -> Path:
    """Return a folder of our own files, made where it is not there: private as `keep_private` says, ignored by git by its own
    word. Repeatable."""
    keep_private(folder, served)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    return folder


def databases(environments: Iterable[Environment]) -> tuple[Database, ...]:
    """Return the databases of environments, each once, in the order of their identities."""
    return tuple(environment.database for environment in one_per_database(environments))
