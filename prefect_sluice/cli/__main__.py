"""`python -m prefect_sluice.cli`: the same command, where no script is installed."""

from __future__ import annotations

import sys

from prefect_sluice.cli import main

sys.exit(main())
