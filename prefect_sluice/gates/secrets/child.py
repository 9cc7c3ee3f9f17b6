"""What runs inside of the boundary: detect-secrets with the patterns of the change's baselines."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from typing import Any

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.errors import BadInput
from prefect_sluice.gates.secrets.detector import SecretRules, find_secrets


def prepare() -> None:
    """Load detect-secrets."""
    importlib.import_module("detect_secrets.core.scan")


def answer(question: Any) -> Json:
    """Return which of `paths` are left out, or what was found in `texts`, by path; or else what is wrong with the baseline."""
    try:
        rules = SecretRules.read(question["rules"])
        if "paths" in question:
            return {"answer": [path for path in question["paths"] if rules.excludes(path)]}
        secrets = find_secrets(question["texts"], rules)
        return {"answer": {path: [asdict(secret) for secret in of_file] for path, of_file in secrets.items()}}
    except BadInput as error:
        return {"refused": [error.what, error.where, error.fix]}
