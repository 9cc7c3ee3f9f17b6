"""What Sluice says and serves in a team's month, held against the model of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from tests.cli.conftest import Answer, Run
from tests.cli.team_life import ENVIRONMENTS, QUERIES, Clone, Range, authors, declared, undeclared
from tests.cli.team_model import Place, Row, Rows, Waiting

MOST = 10
"""So many commits a plan lists."""
_WAITS = re.compile(r"[0-9a-f]{10}: (?:approved by (\w+) \(unauthenticated\), )?release ([0-9a-f]{7})")
_AGAIN = re.compile(
    r"^ {7}(\d+) commits? that serves? comes? again as (?:another|others), with the same change\n", re.M
)
_FILES = re.compile(r"^\d+ files? changed by ([0-9a-f]{7}|\d+ commits of [\w, ]+):\n((?: {2}.+\n?)*)", re.M)
_AS_IT_WAS = re.compile(r"as it was in generation (\d+)")


class WatchedTeam:
    """A project with two environments, what is believed of it, and the commands by which that is looked at."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.clone, self._run = Clone(folder), run
        self.places = {name: Place(name) for name in ENVIRONMENTS}
        self.waiting: dict[str, Waiting] = {}
        self.day = 0
        self.releases: dict[str, str] = {}
        self.steps: list[str] = []
        self.seen = Counter[str]()

    @property
    def prod(self) -> Place:
        """The environment that asks for a yes."""
        return self.places["prod"]

    def note(self, step: str) -> None:
        """Remember what is done, for whoever reads a failure."""
        self.steps.append(f"day {self.day}: {step}")

    def sluice(self, *words: str, code: int = 0) -> Answer:
        """Run a command that has to end with `code`."""
        answer = self._run(*words, "-C", self.clone.folder)
        assert answer.code == code, (words, answer.code, answer.out, answer.err)
        return answer

    def document(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command, and return its JSON."""
        return json.loads(self.sluice(*words, "--json", code=code).out)

    def compare(self) -> None:
        """Hold the rows of both environments, and what the page `status` says of them, against the model."""
        page = self.sluice("status").out
        blocks = dict(
            zip(ENVIRONMENTS, (" ".join(block.split()) for block in page.split("\n\n")), strict=False)
        )
        for place in self.places.values():
            if place.served:
                self._rows(place)
                self._sentence(place, blocks[place.name])
        waits = {self.releases[release]: by for by, release in _WAITS.findall(blocks["prod"])}
        living = {commit: self._living(commit) for commit in self.waiting}
        assert waits == living, f"what waits, and which yes lives: {waits}, not {living}"
        assert not _WAITS.search(blocks["dev"])
        self.seen.update("a yes lives" if by else "none does" for by in waits.values())

    def compare_document(self) -> None:
        """Hold what `status --json` says against the model."""
        for shown in self.document("status")["environments"]:
            now, generation = self.places[shown["environment"]].now, shown["generation"]
            served = [generation[key] for key in ("number", "origin", "cause")]
            assert [*served, shown["release"]["change"]["commit"]] == [
                now.number,
                now.origin,
                now.cause,
                now.commit,
            ]
            waiting = self.waiting if shown["environment"] == "prod" else ()
            assert {self.releases[open["release"][:7]] for open in shown["open"]} == set(waiting)

    def ids(self) -> dict[str, str]:
        """Return the ids of the promotions that wait, by commit."""
        _, prod = self.document("status")["environments"]
        return {self.releases[promotion["release"][:7]]: promotion["id"] for promotion in prod["open"]}

    def _living(self, commit: str) -> str:
        yes = self.waiting[commit].living(self.prod, self.clone, self.day)
        return yes.by if yes else ""

    def _rows(self, place: Place) -> None:
        now = place.now
        rows = rows_in(self.clone.folder / f"{place.name}.duckdb")
        for name, expected in now.rows.items():
            assert rows[name] == expected, f"{place.name}.{name} of generation {now.number}, {now.commit[:7]}"

    def _sentence(self, place: Place, words: str) -> None:
        now = place.now
        again = f" = generation {now.origin} again" if now.cause == "rollback" else ""
        release = next(release for release, commit in self.releases.items() if commit == now.commit)
        subject = self.clone.sentence(now.commit).rpartition(" (")[0]
        serves = f"{place.name} generation {now.number}{again}, 5 relations release {release} {subject} since"
        assert words.startswith(serves), words
        assert f"by {now.cause} warehouse" in words

    def planned(self, commit: str, place: Place) -> None:
        """Hold what a plan says, in words and as JSON, against git; nothing is done."""
        self.note(f"plan {place.name} {self.clone.sentence(commit)}")
        document = self.document("plan", commit, "--env", place.name)
        text = self.sluice("plan", commit, "--env", place.name).out
        if commit == place.now.commit:
            assert document["commits"] is None
            return
        self.hold_range(document["commits"], place, commit)
        self._hold_lines(text, place, commit)
        moved = [
            step for step in document["steps"] if (step["action"], step["reason"]) != ("reuse", "unchanged")
        ]
        names = {step["name"].removeprefix("main.") for step in moved}
        assert names == place.moving(self.clone, commit), document["steps"]
        for step in document["steps"]:
            was = _AS_IT_WAS.search(step["reason"])
            if was:
                self.seen["as it was"] += 1
                name = step["name"].removeprefix("main.")
                old = place.served[int(was[1]) - 1].rows[name]
                assert old == place.candidate(self.clone, commit)[name], step
        ended = {line.split()[0] for line in text.split("ends when it is published: promotion ")[1:]}
        waits = self.ids() if place is self.prod else {}
        assert ended == {name for other, name in waits.items() if other != commit}, text

    def hold_range(self, document: Mapping[str, Any], place: Place, commit: str) -> None:
        """Hold a document of commits against git: those that come, those that go, by whom, and whether it is old."""
        since = place.now.commit
        span = Range.between(self.clone, since, commit)
        assert (document["since"], document["until"], document["untold"]) == (since, commit, "")
        assert {entry["id"] for entry in document["comes"]} == span.comes
        assert {entry["id"] for entry in document["goes"]} == span.goes
        counted = (document["coming"], document["going"], document["again"], document["old"])
        assert counted == (len(span.comes), len(span.goes), span.again, span.is_old), document
        for entry in (*document["comes"], *document["goes"]):
            written = self.clone.git("show", "-s", "--format=%an <%ae>%n%s", entry["id"]).splitlines()
            assert [entry["author"], entry["subject"]] == written
        self.seen.update(comes=len(span.comes), goes=len(span.goes), again=span.again, old=span.is_old)
        self._hold_generation(document["generation"], place, commit, span)

    def _hold_generation(self, number: int, place: Place, commit: str, span: Range) -> None:
        """The generation that has an old commit as it was is the newest of it that can be served again."""
        shown = self.document("history", "--limit", "200", "--env", place.name) if span.is_old else {}
        history: list[dict[str, Any]] = shown.get("events", [])
        written = [event["generation"] for event in history if event.get("generation")]
        there = {generation["number"] for generation in written if not generation["collected_at"]}
        of_it = [old.number for old in place.served[:-1] if old.commit == commit and old.number in there]
        assert number == (max(of_it, default=0) if span.is_old else 0)

    def _hold_lines(self, text: str, place: Place, commit: str) -> None:
        since = place.now.commit
        span = Range.between(self.clone, since, commit)
        is_plain = not (span.goes or span.again) and span.comes == frozenset({commit})
        assert [int(number) for number in _AGAIN.findall(text)] == [span.again] * bool(span.again), text
        text = _AGAIN.sub("", text)
        for label, commits in (("comes", frozenset[str]() if is_plain else span.comes), ("goes", span.goes)):
            lines = listed(text, label)
            rest = len(commits) - MOST
            more = {f"and {rest} more commit{'s' if rest > 1 else ''}"} if rest > 0 else set[str]()
            assert lines & more == more, text
            assert lines - more <= {self.clone.sentence(id) for id in commits}, text
            assert len(lines - more) == min(len(commits), MOST), text
        assert ("is an old commit: what serves has all of it" in " ".join(text.split())) is span.is_old
        shown = _FILES.search(text)
        files = self.clone.ids("diff", "--name-only", f"{since}...{commit}") if span.comes else []
        assert set(shown[2].split() if shown else ()) == set(files), text
        by = f"{len(span.comes)} commits of " if len(span.comes) > 1 else commit[:7]
        assert shown is None or shown[1].startswith(by), text
        subject, author = self.clone.git("show", "-s", "--format=%s%n%an", commit).splitlines()
        assert text.splitlines()[1] == f"{commit[:7]} {subject}  {author}"

    def hold_finding(self, document: Mapping[str, Any], place: Place, commit: str) -> None:
        """Hold what Test found of commits that go against git: each by name, and who has to say so."""
        findings = [
            finding
            for report in document["reports"]
            for finding in report["findings"]
            if finding["check"] == "commits"
        ]
        span = Range.between(self.clone, place.now.commit, commit)
        idle = {
            finding["summary"].split()[5] for finding in findings if "says that commit" in finding["summary"]
        }
        words = declared(self.clone, place.now.commit, commit)
        assert idle == {word for word in words if not any(id.startswith(word) for id in span.goes)}
        findings = [finding for finding in findings if "says that commit" not in finding["summary"]]
        assert len(findings) == bool(span.goes), findings
        if not span.goes:
            return
        (finding,) = findings
        rest = undeclared(self.clone, place.now.commit, commit)
        assert finding["verdict"] == ("FAILED" if rest and place is self.prod else "WARNED"), finding
        gone = {self.clone.sentence(id) for id in rest or span.goes}
        assert {f"{id} {subject} ({by})" for id, by, _, subject in finding["evidence"]["rows"]} == gone
        assert sum(commit in finding["summary"] for commit in gone) == min(len(gone), 3), finding
        assert f"{len(gone)} commit{'s' if len(gone) > 1 else ''} " in finding["summary"]
        assert ("is an old commit" in finding["summary"]) is span.is_old

    def may_approve(self, commit: str, by: str) -> bool:
        """Say whether somebody wrote nothing of what comes."""
        return not self.prod.served or by not in authors(self.clone, self.prod.now.commit, commit)


def rows_in(file: Path) -> Rows:
    """Return what a reader of a warehouse sees."""
    with duckdb.connect(str(file)) as connection:
        return {name: Counter[Row](connection.execute(sql).fetchall()) for name, sql in QUERIES.items()}


def listed(text: str, label: str) -> set[str]:
    """Return the commits that stand below a label."""
    lines, shown = set[str](), False
    for line in text.splitlines():
        shown = line.startswith(f"{label:<7}") or (shown and line.startswith(" " * 7))
        if shown:
            lines.add(line[7:].strip())
    return lines
