"""Contracts as documents: those of a checkout, and those of the release that serves, remembered or loaded again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from prefect_sluice.contracts.ask import ContractCode
from prefect_sluice.contracts.dependencies import ModuleTexts
from prefect_sluice.contracts.find import bind, find
from prefect_sluice.contracts.promise import ContractInvalid
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.memory import Memory
from prefect_sluice.domain.node import Node
from prefect_sluice.isolation.sandbox import Rights

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


def _same(root: Path) -> Path:
    return root


@dataclass(frozen=True, slots=True)
class CheckoutContracts:
    """The contracts of a checkout. What was described once is not loaded again: a text has one document. `rights` are those of
    its code, beside reading its repository, whose root `repository` finds for the project's folder."""

    root: Path
    memory: Memory | None
    rights: Rights = field(default_factory=Rights)
    repository: Callable[[Path], Path] = _same

    def at(self, root: Path) -> CheckoutContracts:
        """Return the same for another checkout."""
        return replace(self, root=root)

    def contracts(self, references: Mapping[str, str]) -> Mapping[str, Contract]:
        """Return the contracts by unique id. One that does not load raises nothing: it says `why`."""
        texts = ModuleTexts(self.root)
        keys = {uid: f"text.{_FORM} {texts.digest(reference)}" for uid, reference in references.items()}
        contracts = {uid: Contract(references[uid], key, self._recall(key)) for uid, key in keys.items()}
        missing = {uid: contract for uid, contract in contracts.items() if contract.document is None}
        return {**contracts, **self._described(missing)} if missing else contracts

    def remember(self, release: str, contracts: Mapping[str, Contract]) -> None:
        """Keep which contracts a release has."""
        if self.memory is not None and self.memory.recall(f"release.{_FORM} {release}") is None:
            kept = {uid: [contract.reference, contract.key] for uid, contract in contracts.items()}
            self.memory.keep(f"release.{_FORM} {release}", cast(Json, kept))

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
        return self.memory.recall(key) if self.memory is not None else None

    def _described(self, missing: Mapping[str, Contract]) -> Mapping[str, Contract]:
        rights = replace(self.rights, read=(*self.rights.read, self.repository(self.root)))
        documents = ContractCode(self.root, rights).describe([each.reference for each in missing.values()])
        return {uid: self._remembered(missing[uid], one) for uid, one in zip(missing, documents, strict=True)}

    def _remembered(self, contract: Contract, document: Json | ContractInvalid) -> Contract:
        if isinstance(document, ContractInvalid):
            message = f"{document.what}; {document.fix}" if document.fix else document.what
            why = f"{document.where}: {message}" if document.where else message
            return Contract(contract.reference, contract.key, why=why, where=document.where)
        if self.memory is not None:
            self.memory.keep(contract.key, document)
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
