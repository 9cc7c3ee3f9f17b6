"""The section `openlineage` of sluice.yml: who is told, as events of OpenLineage, what was built and published."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from prefect_sluice.config.base import Duration, Section


class OpenLineageSettings(Section):
    """Where events go. A key is in no file: the variable OPENLINEAGE_API_KEY holds it."""

    url: str = Field(
        pattern=r"^https?://[^@\s]+$",
        description="The receiver, as http://marquez:5000: no user and no password is in it.",
    )
    namespace: str = Field(
        default="", description="The namespace of the jobs; empty is the name of the project's folder."
    )
    timeout: Duration = Field(default=timedelta(seconds=5), description="How long one event may take.")
