"""Contracts as documents: those of a checkout, and those of the release that serves, remembered or loaded again."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from prefect_sluice.contracts.dependencies import ModuleTexts
from prefect_sluice.contracts.describe import describe
from prefect_sluice.contracts.find import bind, find
from prefect_sluice.contracts.load import ContractInvalid, load_schema, project_modules, ready
from prefect_sluice.contracts.wording import first_line
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Node

_FORM = 2
"""The form of the documents that `describe` writes: what an older Sluice wrote is not compared with, but written anew."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One node's contract. `key` is the digest of its text, `document` what it promises; None if it cannot be had, and then
    `why`, in a line, and `where` as `file:line`."""

    reference: str
    key: str
    document: Json | None = None
    why: str = ""
    where: str = ""


class CheckoutContracts:
    """The contracts of a checkout. What was described once is not loaded again: a text has one document."""

    def __init__(self, root: Path, memory: Memory | None) -> None:
        self._root = root
        self._memory = memory

    def at(self, root: Path) -> CheckoutContracts:
        """Return the same for another checkout."""
        return CheckoutContracts(root, self._memory)

    def contracts(self, references: Mapping[str, str]) -> Mapping[str, Contract]:
        """Return the contracts by unique id. One that does not load raises nothing: it says `why`."""
        texts = ModuleTexts(self._root)
        keys = {uid: f"text.{_FORM} {texts.digest(reference)}" for uid, reference in references.items()}
        contracts = {uid: Contract(references[uid], key, self._recall(key)) for uid, key in keys.items()}
        missing = {uid: contract for uid, contract in contracts.items() if contract.document is None}
        return {**contracts, **self._described(missing)} if missing else contracts

    def remember(self, release: str, contracts: Mapping[str, Contract]) -> None:
        """Keep which contracts a release has."""
        if self._memory is not None and self._memory.recall(f"release.{_FORM} {release}") is None:
            kept = {uid: [contract.reference, contract.key] for uid, contract in contracts.items()}
            self._memory.keep(f"release.{_FORM} {release}", cast(Json, kept))

    def of_release(self, release: str) -> Mapping[str, Contract] | None:
        """Return the contracts that were kept of a release; None if they were not, or not all of them were described."""
        kept = cast("Mapping[str, tuple[str, str]] | None", self._recall(f"release.{_FORM} {release}"))
        if kept is None:
            return None
        contracts = {
            uid: Contract(reference, key, self._recall(key)) for uid, (reference, key) in kept.items()
        }
        return contracts if all(contract.document is not None for contract in contracts.values()) else None

    def _recall(self, key: str) -> Json | None:
        return self._memory.recall(key) if self._memory is not None else None

    def _described(self, missing: Mapping[str, Contract]) -> Mapping[str, Contract]:
        why = ready()
        if why:
            return {
                uid: Contract(contract.reference, contract.key, why=why) for uid, contract in missing.items()
            }
        own = [contract.reference.partition(":")[0] for contract in missing.values()]
        with project_modules(self._root, own), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandera warns of types that it merely does not list
            return {uid: self._loaded(contract) for uid, contract in missing.items()}

    def _loaded(self, contract: Contract) -> Contract:
        try:
            document = describe(load_schema(self._root, contract.reference))
        except ContractInvalid as error:
            message = f"{error.what}; {error.fix}" if error.fix else error.what
            why = f"{error.where}: {message}" if error.where else message
            return Contract(contract.reference, contract.key, why=why, where=error.where)
        except Exception as error:
            return Contract(contract.reference, contract.key, why=f"cannot be described: {first_line(error)}")
        if self._memory is not None:
            self._memory.keep(contract.key, document)
        return Contract(contract.reference, contract.key, document)


@dataclass(frozen=True, slots=True)
class PreviousContracts:
    """The contracts of the release that serves. `earlier` writes a checkout of it, if they are not remembered."""

    checkouts: CheckoutContracts
    release: str
    earlier: Callable[[], Path | None]

    def contracts(
        self, nodes: Mapping[str, Node], references: Mapping[str, str] | None
    ) -> Mapping[str, Contract]:
        """Return them by unique id. `nodes` are those of now, `references` what is known of which contract each had then;
        None: the same as now, where the file was there."""
        remembered = self.checkouts.of_release(self.release)
        if remembered is not None:
            return remembered
        if references is not None and not any(references.values()):
            return {}
        root = self.earlier()
        if root is None:
            why = "the release that serves is not at hand"
            return {
                uid: Contract(reference, "", why=why)
                for uid, reference in (references or {}).items()
                if reference
            }
        if references is None:
            there = bind(find(root), nodes).references
            references = {uid: reference for uid, reference in there.items() if _file(root, reference)}
        return self.checkouts.at(root).contracts(
            {uid: reference for uid, reference in references.items() if reference}
        )


def _file(root: Path, reference: str) -> bool:
    place = root.joinpath(*reference.partition(":")[0].split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
