"""What was published, as Prefect's assets: events, with lineage. Prefect's open-source UI has no page for them."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from prefect import get_run_logger
from prefect.assets import Asset as PrefectAsset
from prefect.assets import AssetProperties
from prefect.context import AssetContext
from prefect.events import emit_event

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.errors import SluiceError
from prefect_sluice.domain.generation import Generation
from prefect_sluice.promotions.work import Work
from prefect_sluice.reporting.published_relations import PublishedRelation, assets

MOST = 1_000
"""How many relations of one generation are told."""
_MOST_READ = 80
"""How many parents of one relation are told: an event holds a hundred related things, and some of them are the run's own."""
_LONGEST = 2_500
"""Prefect's own limit for a description."""


def show_published(work: Work) -> None:
    """Tell the server what the generation that was just written serves anew.

    Repeatable: each event's id follows from the generation and the relation, and the server keeps it once.
    """
    generation = work.generation
    if generation is None:
        return
    try:
        published = assets(work)
    except SluiceError as error:
        # What is published is published: that it cannot be told is no reason to call the release failed.
        get_run_logger().warning(f"what was published is not told as assets: {error}")
        return
    if len(published) > MOST:
        get_run_logger().info(f"{count(len(published), 'relation')} published; {MOST} are told as assets")
    shown = published[:MOST]
    for key in sorted({key for asset in shown for key in asset.reads[:_MOST_READ]}):
        emit_event(
            "prefect.asset.referenced",
            {"prefect.resource.id": key},
            occurred=generation.at,
            id=_id(generation, "read", key),
        )
    for asset in shown:
        _emit(asset, generation)


def _emit(asset: PublishedRelation, generation: Generation) -> None:
    related = [AssetContext.asset_as_related(PrefectAsset(key=key)) for key in asset.reads[:_MOST_READ]]
    emit_event(
        "prefect.asset.materialization.succeeded",
        AssetContext.asset_as_resource(as_prefect_has_it(asset)),
        related=[*related, AssetContext.related_materialized_by("dbt")],
        occurred=generation.at,
        payload={
            "environment": generation.environment,
            "generation": generation.number,
            "release": generation.release,
            "promotion": generation.promotion,
            "kind": asset.kind,
            "why": asset.why,
            "reads": len(asset.reads),
        },
        id=_id(generation, "made", asset.key),
    )


def as_prefect_has_it(asset: PublishedRelation) -> PrefectAsset:
    """Return Prefect's own value for an asset; what nobody said of it is not set. Pure."""
    properties = {
        "name": asset.name,
        "description": asset.description[:_LONGEST] or None,
        "owners": list(asset.owners) or None,
    }
    return PrefectAsset(
        key=asset.key,
        properties=AssetProperties(**{name: value for name, value in properties.items() if value}),  # pyright: ignore[reportArgumentType]  # by name
    )


def _id(generation: Generation, what: str, key: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"sluice:{generation.promotion}/{generation.number}/{what}/{key}")
