"""How Test and Stage put the gates their question: what both know of a release, and one gate after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from prefect_sluice import gates
from prefect_sluice.canonical import Json
from prefect_sluice.declared import Declared
from prefect_sluice.gates.base import Gate, Past, Subject
from prefect_sluice.loading import Loaded, checkout
from prefect_sluice.plan import Plan
from prefect_sluice.release import Release
from prefect_sluice.stages.work import tell
from prefect_sluice.verdict import GateReport
from prefect_sluice.workshop import Place, Workshop

if TYPE_CHECKING:
    from prefect_sluice.state.store import StateStore

DECLARED = "declared.1"
"""With the number of its form: what an older Sluice wrote is not read."""
_SECRET = ("KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD", "CREDENTIAL")


def subject(workshop: Workshop, place: Place, loaded: Loaded, release: Release, plan: Plan) -> Subject:
    """Return what is known of a release before any of it is built."""
    return Subject(
        project=loaded.folder,
        nodes=loaded.project.nodes,
        changed=plan.made,
        edited=plan.edited,
        environment=place.name,
        cause=plan.cause,
        plan=plan,
        change=release.change,
        declared=_declared(workshop, loaded, release),
        declared_before=_before(workshop, plan),
        earlier=_once(lambda: _earlier(workshop, plan)),
        apart=_once(lambda: checkout(workshop, release, purpose="tests") / release.change.project),
        variables=_harmless(workshop.environ),
    )


def ask(asked: Iterable[Gate], subject: Subject, workshop: Workshop) -> tuple[GateReport, ...]:
    """Have each gate answer, in order."""
    reports: list[GateReport] = []
    for gate in asked:
        tell(f"gate {gate.id}")
        memory = _Memory(workshop.store, gate.id)
        history = _History(workshop.store, subject.environment, gate.id)
        own = replace(subject, memory=memory, history=history)
        reports.append(gates.run(gate, own, workshop.settings.gates))
    return tuple(reports)


@dataclass(frozen=True, slots=True)
class _Memory:
    """What one gate remembers, in the state store."""

    store: StateStore
    gate: str

    def recall(self, key: str) -> Json | None:
        return self.store.cached(f"gate.{self.gate}", [key]).get(key)

    def keep(self, key: str, value: Json) -> None:
        with self.store.transaction() as transaction:
            transaction.put_cached(f"gate.{self.gate}", key, value)


@dataclass(frozen=True, slots=True)
class _History:
    """What one gate measured of candidates that were served in an environment."""

    store: StateStore
    environment: str
    gate: str

    def of(self, subject: str, metric: str) -> Sequence[Past]:
        found = self.store.measures(self.environment, self.gate, subject, metric)
        return [Past(value, at, promotion) for value, at, promotion in found]


def _once(find: Callable[[], Path | None]) -> Callable[[], Path | None]:
    return cache(find)


def _harmless(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables without those that may hold a secret."""
    return {
        name: value for name, value in environ.items() if not any(word in name.upper() for word in _SECRET)
    }


def _declared(workshop: Workshop, loaded: Loaded, release: Release) -> Declared:
    """Return what the project declares, and remember it: the next release is compared with it."""
    from prefect_sluice.dbt.declared import declared

    found = declared(loaded.manifest)
    if not workshop.store.cached(DECLARED, [release.id]):
        with workshop.store.transaction() as transaction:
            transaction.put_cached(DECLARED, release.id, found.document())
    return found


def _before(workshop: Workshop, plan: Plan) -> Declared | None:
    known = workshop.store.cached(DECLARED, [plan.base_release]) if plan.base_release else {}
    return Declared.read(known[plan.base_release]) if known else None


def _earlier(workshop: Workshop, plan: Plan) -> Path | None:
    release = workshop.store.release(plan.base_release) if plan.base_release else None
    return checkout(workshop, release, purpose="before") / release.change.project if release else None
