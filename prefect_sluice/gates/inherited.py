"""What a gate of texts finds in code that was there before the first release: told once, and let pass until a file changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from prefect_sluice.domain.verdict import EVIDENCE_ROWS, INHERITED, Evidence, Finding, Verdict

_NAMED = 3


def folded(
    findings: Iterable[Finding], files: Collection[str], what: str, *, named: bool = False
) -> tuple[Finding, ...]:
    """Return the findings with those that did not pass in `files` as one that warns: how many of `what`, and in which files.

    `files` are paths as `Finding.location` has them; with `named` the line names the first files. Pure.
    """
    kept: list[Finding] = []
    old: list[Finding] = []
    for finding in findings:
        is_old = finding.verdict is not Verdict.PASSED and file_of(finding) in files
        (old if is_old else kept).append(finding)
    return (*kept, _one(old, what, named)) if old else tuple(kept)


def file_of(finding: Finding) -> str:
    """Return the path of the file that a finding is in, "" for one in none."""
    path, _, line = finding.location.rpartition(":")
    return path if line.isdigit() else finding.location


def _one(old: Sequence[Finding], what: str, named: bool) -> Finding:
    found = sum(max(int(item.observed or 1), 1) for item in old)
    per_file = Counter(file_of(item) for item in old)
    checks = {path: sorted({item.check for item in old if file_of(item) == path}) for path in per_file}
    rows = tuple((path, str(n), ", ".join(checks[path])) for path, n in per_file.most_common())
    return Finding(
        old[0].gate,
        INHERITED,
        Verdict.WARNED,
        f"{found} {what if found == 1 else what + 's'} in {_places(tuple(per_file), named)}, there before; a file counts"
        " once it changes",
        observed=len(old),
        evidence=Evidence(("file", "findings", "checks"), rows[:EVIDENCE_ROWS], len(rows)),
        fix="mend it when you come by: what changes is held to the rules, what does not is left alone",
    )


def _places(paths: Sequence[str], named: bool) -> str:
    if not named:
        return f"{len(paths)} file{'' if len(paths) == 1 else 's'}"
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
