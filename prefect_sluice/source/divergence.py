"""Two commits and what each has that the other has not, as git tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefect_sluice.domain.release import Commit
from prefect_sluice.source import git

_FORMAT = "%m%H%n%P%n%aI%n%an <%ae>%n%s"


@dataclass(frozen=True, slots=True)
class Divergence:
    """The commits that only the `new` of two commits has, and those that only the `old` one has, each newest first. Of the old
    one's, those whose change the new one has as another commit are counted (`again`), and merges that add nothing are left out:
    what they merged stands for itself."""

    comes: tuple[Commit, ...]
    goes: tuple[Commit, ...]
    again: int = 0


def diverged(repository: Path, old: str, new: str, paths: Sequence[str] = ()) -> Divergence:
    """Return what two commits differ in; with `paths`, as they are in the repository, in commits that touch one of them.

    Raises BadInput when a commit is not here.
    """
    # In full: of two branches that wrote the same, git would leave one out.
    options = (
        "log",
        "-z",
        "--stdin",
        "--full-history",
        "--left-right",
        "--cherry-mark",
        f"--format={_FORMAT}",
    )
    asked = ("--literal-pathspecs", *options, f"{old}...{new}")
    listed = git.output(repository, *asked, given=git.lines("--", *paths))
    entries = [entry.split("\n", 4) for entry in listed.split("\0") if entry]
    old_alike = _only_in(repository, old, new) if any(head[0] == "=" for head, *_ in entries) else set[str]()
    comes = [entry for entry in entries if entry[0][0] != "<" and entry[0][1:] not in old_alike]
    goes = [entry for entry in entries if entry[0][0] == "<"]
    empty = _empty_merges(repository, [head[1:] for head, parents, *_ in goes if " " in parents])
    return Divergence(
        tuple(map(_commit, comes)),
        tuple(_commit(entry) for entry in goes if entry[0][1:] not in empty),
        sum(entry[0][0] == "=" and entry[0][1:] in old_alike for entry in entries),
    )


def changed_files(repository: Path, old: str, new: str) -> tuple[str, ...]:
    """Return the paths that `new` changes since it and `old` parted; since `old`, where they have nothing in common. Raises
    BadInput when a commit is not here."""
    since = git.merge_base(repository, old, new) or old
    options = ("--name-only", "-z", "--no-renames", "--no-ext-diff")
    names = git.output(repository, "diff", *options, since, new, "--")
    return tuple(name for name in names.split("\0") if name)


def ancestry(repository: Path, commit: str, since: str) -> frozenset[str]:
    """Return the ids of a commit and all above it that `since` has not. Raises BadInput when one of them is not here."""
    return frozenset(_only_in(repository, commit, since))


def _only_in(repository: Path, commit: str, since: str) -> set[str]:
    return set(git.output(repository, "rev-list", commit, f"^{since}", "--").split())


def _empty_merges(repository: Path, merges: Sequence[str]) -> set[str]:
    """Return the merges of which no file is other than in one of their parents."""
    if not merges:
        return set()
    options = ("diff-tree", "--stdin", "--cc", "-r", "--name-only")
    lines = git.output(repository, *options, given=git.lines(*merges)).splitlines()
    known = set(merges)
    followed = [
        line for line, after in zip(lines, [*lines[1:], ""], strict=True) if after and after not in known
    ]
    return known - set(followed)


def _commit(entry: Sequence[str]) -> Commit:
    head, _, at, author, subject = entry
    return Commit(head[1:], git.whole_text(author), git.whole_text(subject), git.time_of(at))
