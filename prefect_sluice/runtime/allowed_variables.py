"""The environment variables that code of a change may see: a list of what is allowed, not of what is forbidden."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from prefect_sluice.runtime.redaction import is_confidential, mask_url

_NAMES = frozenset({
    "CI", "COLUMNS", "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "DBT_PROFILES_DIR", "DBT_SEND_ANONYMOUS_USAGE_STATS",
    "DO_NOT_TRACK", "DYLD_LIBRARY_PATH", "FORCE_COLOR", "HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LINES", "LOGNAME",
    "NO_COLOR", "OMP_NUM_THREADS", "PATH", "PWD", "SHELL", "SOURCE_DATE_EPOCH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TEMP",
    "TERM", "TMP", "TMPDIR", "TZ", "TZDIR", "USER", "VIRTUAL_ENV",
})  # fmt: skip
"""What programs need to run at all: where things lie, the language, the time zone."""

_FAMILIES = ("LC_", "PYTEST_", "PYTHON")
_OURS = ("SLUICE_", "PREFECT_")
"""Of the pipeline, and of no project: who may write to the state store is not for the change to know."""

_STORES = frozenset({"SLUICE_STATE", "SLUICE_BUNDLES", "SLUICE_BUNDLES_OPTIONS"})

_READS = re.compile(r"""env_var\s*\(\s*(['"])(?P<name>\w+)\1""")


def names_read(texts: Iterable[str]) -> frozenset[str]:
    """Return the names that texts read by `env_var("NAME")`. Pure."""
    return frozenset(match["name"] for text in texts for match in _READS.finditer(text))


def visible(
    environ: Mapping[str, str], read: Collection[str] = (), added: Collection[str] = ()
) -> Mapping[str, str]:
    """Return the variables that code of a change may see. Pure.

    `read` are those that profile and project name: they are seen unless they hold a secret (by their name, or a password in a
    URL) or are the pipeline's own, since a change can name any. `added` are those that sluice.yml names: they are seen.
    """

    def is_seen(name: str, value: str) -> bool:
        wanted = name in _NAMES or name.startswith(_FAMILIES) or name in read
        return wanted and not is_private(name, value)

    return {name: value for name, value in environ.items() if name in added or is_seen(name, value)}


def is_private(name: str, value: str) -> bool:
    """Say whether a variable is the pipeline's own, or holds a secret. Pure."""
    return name.startswith(_OURS) or is_confidential(name) or _has_password(value)


def is_of_the_pipeline(name: str, value: str) -> bool:
    """Say whether a variable is Sluice's or Prefect's own and may hold a secret: no project has a use for it. Pure."""
    return name in _STORES or (name.startswith(_OURS) and (is_confidential(name) or _has_password(value)))


def _has_password(value: str) -> bool:
    return "://" in mask_url(value) and mask_url(value) != value
