"""A month of a team of three: branches, hotfixes, nights, answers, rollbacks and collections, by one seed. After each step what
is served, what waits, which yes lives and each sentence about commits is held against a model of git and plain Python."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner

from tests.cli.conftest import Run
from tests.cli.team_checks import WatchedTeam, rows_in
from tests.cli.team_life import AUTHORS, ENVIRONMENTS, FILES, KNOBS, Clone, undeclared
from tests.cli.team_model import DAYS_OF_WAITING, Place, Raw, Waiting, Yes
from tests.moved_clock import MovedClock
from tests.repository import repository
from tests.warm import let_go

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

USUAL, VARIABLE = 5, "SLUICE_TEST_SEED"
SEED = int(os.environ.get(VARIABLE, USUAL))
DAYS = int(os.environ.get("SLUICE_TEST_DAYS", "30"))
SEEN = {
    *("dev done", "prod done", "prod waiting", "prod refused", "a yes lives", "none does"),
    *("comes", "goes", "again", "old", "as it was", "collected"),
}
"""What has to have happened once."""
ACTIONS = {
    "work": 3,
    "branch": 3,
    "merge": 2,
    "dev": 2,
    "take": 3,
    "answer": 6,
    "publish": 5,
    "back": 2,
    "old": 1,
    "plan": 3,
}
"""What happens by day, with its weight."""
SIDE_BY_SIDE = 2
"""With so many waiting, nobody begins another branch: each is planned again each night."""
SOURCE = (
    "create schema raw;"
    "create table raw.orders as select range::int as id, (range * 10)::int as amount from range(20)"
)


class Month(WatchedTeam):
    """The team at work, by the dice."""

    def __init__(self, folder: Path, run: Run, clock: MovedClock, seed: int) -> None:
        super().__init__(folder, run)
        self.clock, self.dice = clock, random.Random(seed)
        self.asked: dict[str, Waiting] = {}
        self.branches: list[str] = []
        for name in ENVIRONMENTS:
            execute(self.clone.folder / f"{name}.duckdb", SOURCE)

    def play(self) -> None:
        """Release for the first time, and live through the days."""
        for name in ENVIRONMENTS:
            self.release("main", name)
        self.answer("Grace")
        self.publish()
        for self.day in range(1, DAYS + 1):
            self.clock.pass_days(1)
            self.night()
            self.compare_document()
            for action in self.dice.choices(
                list(ACTIONS), list(ACTIONS.values()), k=self.dice.choice((1, 2, 3))
            ):
                getattr(self, action)()
            if self.day % 7 == 0:
                self.note("collect")
                self.seen["collected"] += "checkout" in self.sluice("collect").out
                self.sluice("doctor")
                self.compare()
        self.hotfix()

    def night(self) -> None:
        """Data arrives, and each environment is refreshed: dev not each night."""
        for name, place in self.places.items():
            if self.dice.random() < (0.5 if name == "prod" else 0.25):
                self.arrive(place)
            if name == "prod" or self.dice.random() < 0.4:
                self.refresh(place)
        self.compare()

    def arrive(self, place: Place) -> None:
        """Rows come; and an amount is corrected, gets lost or is mended, or an old row goes."""
        raw, newest = place.raw, max(place.raw)
        raw |= {newest + more: self.dice.randrange(1000) for more in range(1, self.dice.choice((2, 2, 3, 4)))}
        kind = self.dice.choice(("more", "more", "corrected", "lost", "mended", "deleted"))
        id = self.dice.choice(sorted(raw)[:-1])
        if kind == "deleted":
            del raw[id]
        elif kind in {"corrected", "lost"}:
            raw[id] = None if kind == "lost" else self.dice.randrange(1000)
        elif kind == "mended":
            raw |= {id: id for id, amount in raw.items() if amount is None}
        self.note(f"{place.name}: {kind} ({id})")
        execute(self.clone.folder / f"{place.name}.duckdb", loaded(raw))

    def refresh(self, place: Place) -> None:
        """Refresh an environment: where something new is served, what waits is planned again."""
        old = {
            commit for commit, waiting in self.waiting.items() if self.day - waiting.since >= DAYS_OF_WAITING
        }
        ended = {commit for commit in old if not self.waiting[commit].living(place, self.clone, self.day)}
        was_stale = place.is_stale
        answer = self.document("refresh", "--env", place.name, "--as", "cron")
        assert answer["status"] == ("done" if was_stale else "unchanged")
        if was_stale:
            place.publish(self.clone, place.now.commit, "refresh")
        if place is self.prod:
            for commit in old if was_stale else ended:
                del self.waiting[commit]
            for commit in ended:
                del self.asked[commit]

    def commit(self, by: str) -> None:
        """Commit another value of something, as somebody, on the branch that is checked out."""
        knob = self.dice.choice(list(KNOBS))
        newest = max(max(place.raw) for place in self.places.values())
        value = newest - self.dice.randrange(3) if knob == "since" else self.dice.randrange(2, 50)
        commit = self.clone.set_knob(knob, value, f"{knob} {value}", by)
        self.note(f"commit {self.clone.sentence(commit)}")

    def work(self) -> None:
        """Commit something on main."""
        self.clone.git("checkout", "--quiet", "main")
        self.commit(self.dice.choice(AUTHORS))

    def branch(self) -> None:
        """Begin a branch, a hotfix or a feature, on what serves in production, and ask for it."""
        if len(self.waiting) >= SIDE_BY_SIDE:
            return
        name, by = f"branch-{self.day}-{len(self.steps)}", self.dice.choice(AUTHORS)
        self.clone.git("checkout", "--quiet", "-b", name, self.prod.now.commit)
        for _ in range(self.dice.choice((1, 1, 2))):
            self.commit(by)
        self.branches.append(name)
        self.release(name, "prod")

    def hotfix(self) -> None:
        """Bob mends what serves, and it is published; Ada takes that along on her branch, where it is another commit."""
        former = self.prod.now.commit
        self.clone.git("checkout", "--quiet", "-b", "hotfix", former)
        commit = self.clone.set_knob("totals", 1000, "Hotfix", "Bob")
        self.release("hotfix", "prod")
        self.approve(commit, "Grace")
        self.release("hotfix", "prod")
        self.clone.git("checkout", "--quiet", "-b", "feature", former)
        self.clone.set_knob("fee", 1000, "Feature", "Ada")
        self.clone.git("cherry-pick", "hotfix", by="Ada")
        self.planned(self.clone.head("feature"), self.prod)
        self.release("feature", "prod")

    def merge(self) -> None:
        """Merge a branch into main, or take its last commit along."""
        if not self.branches:
            return
        name, by = self.branches.pop(self.dice.randrange(len(self.branches))), self.dice.choice(AUTHORS)
        self.clone.git("checkout", "--quiet", "main")
        if self.dice.random() < 0.4:
            self.note(f"pick {name}")
            self.clone.git("cherry-pick", "--strategy-option=theirs", "--keep-redundant-commits", name, by=by)
        else:
            self.note(f"merge {name}")
            words = ("--quiet", "--no-ff", "--strategy-option=theirs", "-m", f"Merge {name}")
            self.clone.git("merge", *words, name, by=by)

    def dev(self) -> None:
        """Release main to dev."""
        self.release("main", "dev")

    def take(self) -> None:
        """Ask for main in production; mostly with a word about what it would take away."""
        main = self.clone.head("main")
        rest = undeclared(self.clone, self.prod.now.commit, main)
        if rest and self.dice.random() < 0.5:
            self.clone.git("checkout", "--quiet", "main")
            words = "\n".join(f"Expect: {commit[:7]} goes (not needed)" for commit in sorted(rest))
            message, by = f"Without {len(rest)}\n\n{words}", self.dice.choice(AUTHORS)
            self.clone.git("commit", "--allow-empty", "-qm", message, by=by)
        self.release("main", "prod")

    def old(self) -> None:
        """Ask for a commit that what serves has."""
        place = self.places[self.dice.choice(ENVIRONMENTS)]
        older = self.clone.ids("rev-list", "--skip=1", "--max-count=5", place.now.commit)
        if older:
            self.release(self.dice.choice(older), place.name)

    def publish(self) -> None:
        """Release again what waits, mostly what somebody said yes to."""
        ready = [commit for commit, waiting in self.waiting.items() if waiting.yes]
        if ready or (self.waiting and self.dice.random() < 0.3):
            self.release(self.dice.choice(ready or list(self.waiting)), "prod")

    def plan(self) -> None:
        """Look at what a release would do."""
        ref = self.dice.choice(["main", "main", *self.branches[-3:], *self.waiting])
        self.planned(self.clone.head(ref), self.places[self.dice.choice(ENVIRONMENTS)])

    def back(self) -> None:
        """Go back to one of the last generations, which no collection takes."""
        place = self.places[self.dice.choice(ENVIRONMENTS)]
        older = [served for served in place.served[-3:-1] if served.origin != place.now.origin]
        if not older:
            return
        number, former = self.dice.choice(older).number, place.now.commit
        self.note(f"rollback {place.name} to {number}")
        answer = self.sluice("rollback", "--env", place.name, "--to", str(number), "--no-hold", "--as", "Lin")
        place.go_back(number)
        again = f"{place.name} serves generation {place.now.number} = generation {place.now.origin} again"
        assert again in " ".join(answer.out.split())
        if place is self.prod:
            self.end_all()
        self.compare()
        self.planned(former, place)

    def end_all(self) -> None:
        """What waited ends, and each yes with it: something else is published."""
        self.waiting.clear()
        for waiting in self.asked.values():
            waiting.yes.clear()

    def answer(self, by: str = "") -> None:
        """Say yes to something that waits, or no; who wrote of it may not say yes."""
        if not self.waiting:
            return
        commit = self.dice.choice(list(self.waiting))
        by = by or self.dice.choice((*AUTHORS, "Grace", "Grace"))
        if self.day and self.dice.random() < 0.12:
            self.note(f"{by} says no to {commit[:7]}")
            self.sluice("reject", self.ids()[commit], "--as", by)
            self.sluice("release", commit, "--env", "prod", "--as", "Ada", code=1)
            del self.waiting[commit], self.asked[commit]
        else:
            self.approve(commit, by)
        self.compare()

    def approve(self, commit: str, by: str) -> None:
        """Say yes to a commit that waits, which counts unless by who wrote of it."""
        may = self.may_approve(commit, by)
        self.note(f"{by} says yes to {commit[:7]}, and may{'' if may else ' not'}")
        self.sluice("approve", self.ids()[commit], "--as", by, code=0 if may else 1)
        if may:
            judged = self.prod.judged(self.clone, commit)
            self.waiting[commit].yes.append(Yes(by, self.day, judged))

    def release(self, ref: str, name: str) -> None:
        """Release something: it is refused, it waits, or it is published; each as git and the answers have it."""
        commit, place = self.clone.head(ref), self.places[name]
        if place.served and commit == place.now.commit:
            return
        code = self._expected(commit, place)
        self.note(f"release {name} {self.clone.sentence(commit)}: {code}")
        answer = self.document("release", commit, "--env", name, "--as", "Ada", code=code)
        self.releases[answer["release"]["id"][:7]] = commit
        if place.served:
            self.hold_range(answer["commits"], place, commit)
            self.hold_finding(answer, place, commit)
        self.seen[f"{name} {answer['status']}"] += 1
        if code == 0:
            place.publish(self.clone, commit, "release")
            if place is self.prod:
                self.asked.pop(commit)
                self.end_all()
        self.compare()

    def _expected(self, commit: str, place: Place) -> int:
        """Return the exit code that a release has to have; what is asked for waits from now on."""
        if place is not self.prod:
            return 0
        waiting = self.asked.setdefault(commit, Waiting(commit, self.day))
        if self.day - waiting.since >= DAYS_OF_WAITING:
            waiting.since = self.day
        if place.served and undeclared(self.clone, place.now.commit, commit):
            return 1
        self.waiting[commit] = waiting
        return 0 if waiting.living(place, self.clone, self.day) else 3


def execute(file: Path, sql: str) -> None:
    """Change the data in a warehouse."""
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def loaded(raw: Raw) -> str:
    """Return the SQL that has the source hold just this."""
    values = ", ".join(f"({id}, {'null' if amount is None else amount})" for id, amount in raw.items())
    return f"delete from raw.orders; insert into raw.orders values {values}"


def build_by_dbt(clone: Clone, place: Place, folder: Path) -> None:
    """Have dbt itself build what a place serves, in a folder that is not there: each generation that it goes on from, on the data
    of then; hold the rows of each against the model."""
    clone.git("clone", "--quiet", "--no-checkout", str(clone.folder), str(folder))
    plain, file = Clone(folder), folder / f"{place.name}.duckdb"
    execute(file, SOURCE)
    for served in place.lineage():
        plain.git("checkout", "--quiet", "--detach", served.commit)
        execute(file, loaded(served.raw))
        with contextlib.chdir(folder):
            words = ["--quiet", "build", "--target", place.name, "--profiles-dir", "."]
            answer = dbtRunner().invoke(words)  # pyright: ignore[reportUnknownMemberType]  # its keywords
        let_go()
        assert answer.success, answer
        assert rows_in(file) == served.rows, f"{place.name} {served.number}: dbt has other rows"


@pytest.fixture
def month(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Month:
    """The team before its first day."""
    return Month(repository(tmp_path / "shop", FILES), run, MovedClock(monkeypatch), SEED)


def test_a_month_of_a_team(month: Month, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\nseed {SEED} (another one: {VARIABLE})\n")
    try:
        month.play()
        for place in month.places.values():
            build_by_dbt(month.clone, place, tmp_path / place.name)
    finally:
        sys.stdout.write("\n".join((*month.steps, str(dict(month.seen)))))  # shown where it fails
    assert SEED != USUAL or not SEEN - (+month.seen).keys(), (
        "the usual seed is one by which all of it happens"
    )
