"""Connections of a run: blocks of the Prefect server with one name, as environment variables of its process."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.orchestration.blocks import BLOCKS
from prefect_sluice.runtime import process
from prefect_sluice.runtime.redaction import concealing


@contextmanager
def connected(name: str) -> Generator[None]:
    """Lend this process the connections of that name while the block runs ("": what its environment has already).

    What the block raises comes out without secrets. Raises BadInput when there is no such connection, Refused when
    another run is at work in this process with others.
    """
    variables, secrets = _read_blocks(name) if name else ({}, frozenset[str]())
    with process.temporary_variables(name, variables, secrets), concealing():
        yield


def _read_blocks(name: str) -> tuple[dict[str, str], frozenset[str]]:
    variables: dict[str, str] = {}
    secrets: set[str] = set()
    is_there = False
    with get_client(sync_client=True) as client:
        for kind in BLOCKS:
            document = _document(client, kind.get_block_type_slug(), name)
            if document is not None:
                is_there = True
                block = kind.model_validate(document.data)
                variables.update(block.environment())
                secrets.update(block.confidential().values())
        if not is_there:
            raise _unknown(client, name)
    return variables, frozenset(secrets)


def _document(client: SyncPrefectClient, slug: str, name: str) -> BlockDocument | None:
    try:
        return client.read_block_document_by_name(name, slug, include_secrets=True)
    except ObjectNotFound:
        return None


def _unknown(client: SyncPrefectClient, name: str) -> BadInput:
    kinds = [kind.get_block_type_slug() for kind in BLOCKS]
    there: set[str] = set()
    for slug in kinds:
        try:
            documents = client.read_block_documents_by_type(slug)
        except ObjectNotFound:  # nobody registered the kind
            continue
        there.update(document.name for document in documents if document.name)
    named = f" (there are: {', '.join(sorted(there))})" if there else ""
    return BadInput(
        f"there are no connections {name!r}{named}",
        "connections",
        f"make a block of that name on the Prefect server: {', '.join(kinds)}",
    )
