"""What sqlfluff said of a file, as findings: those of the change, and those on lines that were there before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prefect_sluice.domain.counting import count
from prefect_sluice.domain.former_text import FormerText
from prefect_sluice.domain.node import Node
from prefect_sluice.domain.verdict import Finding, Verdict, WayPast
from prefect_sluice.gates.lint.sqlfluff import UNREADABLE, LintedFile, Violation

ID = "lint"
_FAULT = "Unexpected exception: "
"""How sqlfluff begins what it says of a rule of its own that failed."""
_NOT_RULES = {"TMP": "templating", "LXR": "lexing", "PRS": "parsing"}
"""What sqlfluff finds before any rule is asked has a code and no name."""
_TOO_LARGE = "set large_file_skip_byte_limit in .sqlfluff (0: no limit), or list the file in .sqlfluffignore"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A finding, and whether sqlfluff mends it: how that is said depends on whether it mends all of them."""

    finding: Finding
    mends: bool = False

    def of_the_rest(self) -> LintFinding:
        """Return what a change brings to lines that it left alone (the first keyword is in capitals now, and so all others are
        not as it is) as a warning, with nothing to mend."""
        summary = f"{self.finding.summary.removesuffix('.')}. The change brings this to a line that it leaves as it was."
        told = replace(self.finding, verdict=Verdict.WARNED, summary=summary, fix="", way_past=WayPast.UNSAID)
        return LintFinding(told)


@dataclass(frozen=True, slots=True)
class Linted:
    """One file: the node that it is of, what sqlfluff says of it, what it was before (None: it is new, or that is lost), and
    what sqlfluff says of that where it has to be known."""

    node: Node
    answer: LintedFile
    former: FormerText | None = None
    past: LintedFile | None = None

    @property
    def asks_past(self) -> bool:
        """Say whether it takes what sqlfluff says of the former text to tell whose a finding is."""
        if self.former is None or not self.former.hunks:
            return False
        return self.answer.is_whole or any(self._origin(item) for item in self.answer.violations)

    def findings(self) -> tuple[list[LintFinding], list[Finding]]:
        """Return the findings of the change, and those that were there before."""
        is_as_it_was = self.former is not None and not self.former.hunks
        if self.answer.is_whole:
            said = _whole(self.node, self.answer)
            return ([], [said]) if is_as_it_was else ([LintFinding(self._softened(said))], [])
        own: list[LintFinding] = []
        old: list[Finding] = []
        for item in self.answer.violations:
            said = _violation_finding(self.node, item, self.answer.is_read)
            if self._was_there(item):
                old.append(said.finding)
            else:
                own.append(said.of_the_rest() if self._is_elsewhere(item) else said)
        if not own and not (old and is_as_it_was):
            told = "no violations on the lines that changed" if old else "no violations"
            own.append(LintFinding(said_of(self.node, "sqlfluff", Verdict.PASSED, told)))
        return own, old

    def _origin(self, item: Violation) -> int | None:
        return self.former.origin(item.line) if self.former else None

    def _was_there(self, item: Violation) -> bool:
        """Say whether the file had a violation before: of the same rule, on the line that its line was."""
        line = self._origin(item)
        if line is None or self.former is None or not self.former.hunks:
            return line is not None
        past = self.past.violations if self.past else ()
        return any((was.code, was.line) == (item.code, line) for was in past)

    def _is_elsewhere(self, item: Violation) -> bool:
        """Say whether all that a violation is about is as it was. What cannot be read is about the whole file."""
        if self.former is None or self._origin(item) is None or item.code in UNREADABLE:
            return False
        return not self.former.touches(item.line, item.end)

    def _softened(self, said: Finding) -> Finding:
        """Return what kept a file from being linted as a warning, where it did so before the change, too."""
        past = self.past
        is_same = past is not None and (bool(past.skipped), bool(past.broken)) == (
            bool(self.answer.skipped),
            bool(self.answer.broken),
        )
        if said.verdict.lets_through or not is_same:
            return said
        return replace(said, verdict=Verdict.WARNED, summary=f"{said.summary}; so it was before the change")


def advised(findings: Sequence[LintFinding], environment: str) -> list[Finding]:
    """Return findings whose remedies agree: where sqlfluff can mend some of them only, all say so. What is mended is what
    differs from what the environment serves."""
    command = f"sluice lint --fix --env {environment}" if environment else "sluice lint --fix"
    many = sum(item.mends for item in findings)
    is_all = many == sum(not item.finding.verdict.lets_through for item in findings)
    mends = (
        f"let sqlfluff mend it: {command}"
        if is_all
        else f"let sqlfluff mend what it can: {command}; the rest is yours"
    )
    others = f"; {command} mends {count(many, 'other')}" if many else ""
    return [
        replace(item.finding, fix=mends if item.mends else item.finding.fix and item.finding.fix + others)
        for item in findings
    ]


def said_of(node: Node, check: str, verdict: Verdict, summary: str, line: int = 0, past: str = "") -> Finding:
    """Return a finding about a node's file, or a line of it. `past` is what helps and names a way past the gate."""
    location = f"{node.path}:{line}" if line else node.path
    way_past = WayPast.NAMED if past else WayPast.UNSAID
    return Finding(
        ID, check, verdict, summary, (node.unique_id,), location=location, fix=past, way_past=way_past
    )


def _whole(node: Node, answer: LintedFile) -> Finding:
    if answer.broken:
        return said_of(node, "sqlfluff", Verdict.ERRORED, answer.broken)
    if answer.skipped:
        return said_of(node, "sqlfluff", Verdict.INCONCLUSIVE, answer.skipped, past=_TOO_LARGE)
    return said_of(node, "rendering", Verdict.WARNED, f"not linted, because {answer.unrendered}")


def _violation_finding(node: Node, found: Violation, is_read: bool) -> LintFinding:
    rule = f"{found.code} {_NOT_RULES.get(found.code, found.name)}"
    if found.description.startswith(_FAULT):
        # What the linter cannot do is no fault of the file's.
        words = " ".join(found.description.removeprefix(_FAULT).split())
        why = words.partition("; Could you open an issue")[0]
        told = f"not asked, because sqlfluff failed at this rule: {why}"
        return LintFinding(said_of(node, rule, Verdict.WARNED, told, found.line))
    verdict = Verdict.WARNED if found.warning else Verdict.FAILED
    # Of a file that it cannot read whole, sqlfluff mends nothing.
    mends = found.fixable and is_read and not _is_without_remedy(found)
    past = "" if mends or _is_without_remedy(found) else _past(node, found)
    return LintFinding(said_of(node, rule, verdict, found.description, found.line, past), mends)


def _is_without_remedy(found: Violation) -> bool:
    return found.warning or found.code in UNREADABLE


def _past(node: Node, found: Violation) -> str:
    return f"mend {node.path}:{found.line}, or, if it is right as it is, end that line with: -- noqa: {found.code}"
