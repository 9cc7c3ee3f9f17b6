"""What this machine cannot do for a release, whatever the project is."""

from __future__ import annotations

from collections.abc import Iterator

from prefect_sluice.isolation.run_command import reached
from prefect_sluice.maintenance.doctor.complaint import Complaint


def examine() -> Iterator[Complaint]:
    """Yield a note where code of a change is not isolated here, or not from all."""
    protection = reached()
    if protection.why:
        yield Complaint(
            "isolation",
            "",
            f"{protection.tier}: {protection.why}",
            "code of a change can do what the account of the deployer can"
            if not protection.is_isolated
            else "code of a change is not kept from all that lies outside",
            "release on Linux 6.12 or later, where namespaces are allowed; see docs/security.md",
            note=True,
        )
