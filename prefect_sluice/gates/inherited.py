"""What a gate of texts finds on lines that were there before the change: told once, and let pass until a line changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.former_text import FormerText
from prefect_sluice.domain.verdict import EVIDENCE_ROWS, INHERITED, Evidence, Finding, Verdict

_NAMED = 3


def folded(
    own: Sequence[Finding], old: Sequence[Finding], what: str, *, named: bool = False
) -> tuple[Finding, ...]:
    """Return a change's own findings, and those that are not as one that warns: how many of `what`, and in which files.

    With `named` the line names the first files. Pure.
    """
    return (*own, _one(old, what, named)) if old else tuple(own)


def unknown_former_texts(gate: str, former: Mapping[str, FormerText | None]) -> tuple[Finding, ...]:
    """Return the finding that says of which files nobody knows any more what they were before, if there are any. Pure."""
    lost = sorted(path for path, text in former.items() if text is None)
    if not lost:
        return ()
    what = f"what {_places(lost, named=True)} held before is not to be had any more: every line counts as changed"
    rows = Evidence(("file",), tuple((path,) for path in lost[:EVIDENCE_ROWS]), len(lost))
    fix = "see whether the bundle store is whole: sluice doctor"
    return (Finding(gate, "lines", Verdict.WARNED, what, evidence=rows, fix=fix),)


def _file_of(finding: Finding) -> str:
    """Return the path of the file that a finding is in, "" for one in none."""
    path, _, line = finding.location.rpartition(":")
    return path if line.isdigit() else finding.location


def _one(old: Sequence[Finding], what: str, named: bool) -> Finding:
    found = sum(max(int(item.observed or 1), 1) for item in old)
    per_file = Counter(_file_of(item) for item in old)
    checks = {path: sorted({item.check for item in old if _file_of(item) == path}) for path in per_file}
    rows = tuple((path, str(n), ", ".join(checks[path])) for path, n in per_file.most_common())
    return Finding(
        old[0].gate,
        INHERITED,
        Verdict.WARNED,
        f"{count(found, what)} in {_places(tuple(per_file), named)}, on lines that were there"
        " before; a line counts once it changes",
        observed=len(old),
        evidence=Evidence(("file", "findings", "checks"), rows[:EVIDENCE_ROWS], len(rows)),
        fix="mend it when you come by: lines that change are held to the rules, others are left alone",
    )


def _places(paths: Sequence[str], named: bool) -> str:
    if not named:
        return count(len(paths), "file")
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
