"""Source's view of git, on real repositories."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.source import git
from prefect_sluice.source.branches import branch_heads
from prefect_sluice.source.git import TreeFile


class Repository:
    """A repository in a folder. Who commits, and that nothing of the user's is read, the surroundings say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self("init", "-q", "-b", "main")

    def __call__(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def commit(self, subject: str = "a change") -> str:
        self("add", "--all")
        self("commit", "-q", "--allow-empty", "-m", subject)
        return self("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


# ---- messages ------------------------------------------------------------------------------------------


def test_the_whole_message_belongs_to_a_change(repository: Repository) -> None:
    repository.commit("größe\n\nWhy, in two lines:\nso.\n\nExpect: a.b up to 3%\n")
    change = git.resolve(repository.folder, "HEAD", ".")
    assert change.subject == "größe"
    assert change.message == "größe\n\nWhy, in two lines:\nso.\n\nExpect: a.b up to 3%"


def test_a_message_in_another_encoding_is_text_all_the_same(repository: Repository) -> None:
    message = repository.folder / "message"
    message.write_bytes(b"gr\xf6\xdfe")
    repository("add", "--all")
    repository("commit", "-q", "-F", str(message))
    git.resolve(repository.folder, "HEAD", ".").message.encode()


@pytest.mark.parametrize("date", ["1700000000 +9999", "253402300800 +0000", "-5 +0000"])
def test_a_commit_whose_date_is_none_is_among_those_between(repository: Repository, date: str) -> None:
    first = repository.commit("first")
    by = f"author A <a@x> {date}\ncommitter A <a@x> {date}"
    text = f"tree {repository('rev-parse', 'HEAD^{tree}')}\nparent {first}\n{by}\n\nodd\n"
    (repository.folder / "odd").write_text(text)
    odd = repository("hash-object", "-t", "commit", "-w", "--literally", "odd")
    found = git.read_authorship(repository.folder, odd, f"^{first}")
    assert [(item.subject, item.persons, item.at.year) for item in found] == [("odd", ("A <a@x>",), 1970)]


def test_messages_of_the_commits_between(repository: Repository) -> None:
    first, second = repository.commit("first"), repository.commit("second\n\nmore")
    repository("checkout", "-q", "-b", "other", first)
    third = repository.commit("third")
    repository("merge", "-q", "--no-ff", "-m", "merged", "main")
    head = repository("rev-parse", "HEAD")
    found = git.read_authorship(repository.folder, head, f"^{first}")
    told = {item.commit: item.message for item in found}
    assert told == {head: "merged", second: "second\n\nmore", third: "third"}
    assert (found[0].commit, found[0].at.tzinfo) == (head, UTC)
    assert git.read_authorship(repository.folder, first, f"^{head}") == ()
    with pytest.raises(BadInput):
        git.read_authorship(repository.folder, head, f"^{'0' * 40}")


# ---- resolving -----------------------------------------------------------------------------------------


def test_a_commit_with_all_that_a_release_says_of_it(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-03-01T12:00:00+02:00")
    repository.write("models/a.sql", "select 1")
    first = repository.commit("first")
    repository.write("models/größe x.sql", "select 2")
    repository.write("models/a.sql", "select 3")
    second = repository.commit("second: größe")
    change = git.resolve(repository.folder, "HEAD", "analytics")
    assert (change.commit, change.short, change.project) == (second, second[:7], "analytics")
    assert change.tree == repository("rev-parse", "HEAD^{tree}")
    assert (change.author, change.subject) == ("Ada <ada@example.com>", "second: größe")
    assert change.at == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert change.at.tzinfo is UTC
    assert change.parents == (first,)
    assert change.files == ("models/a.sql", "models/größe x.sql")
    assert git.resolve(repository.folder, "HEAD~1", ".").files == (), (
        "a first commit has nothing to differ from"
    )


def test_whatever_names_a_commit(repository: Repository) -> None:
    commit = repository.commit()
    repository("tag", "light")
    repository("tag", "-a", "heavy", "-m", "annotated")
    repository("branch", "feature/x")
    for ref in ("HEAD", "main", "light", "heavy", "feature/x", commit, commit[:8], "refs/tags/heavy"):
        assert git.resolve(repository.folder, ref, ".").commit == commit


def test_a_merge_is_what_it_brings_to_the_branch(repository: Repository) -> None:
    repository.write("a.sql")
    base = repository.commit("base")
    repository("checkout", "-q", "-b", "side")
    repository.write("b.sql")
    side = repository.commit("side")
    repository("checkout", "-q", "main")
    repository.write("c.sql")
    main = repository.commit("main")
    repository("merge", "-q", "--no-ff", "side", "-m", "merge")
    change = git.resolve(repository.folder, "HEAD", ".")
    assert (change.parents, change.files) == ((main, side), ("b.sql",))
    assert base not in change.parents


@pytest.mark.parametrize(
    "ref", ["nowhere", "", "--all", "HEAD:a.sql", "HEAD^{tree}", "HEAD~9", "a b", "$(date)"]
)
def test_what_names_no_commit(repository: Repository, ref: str) -> None:
    repository.write("a.sql")
    repository.commit()
    with pytest.raises(
        BadInput, match="is not a commit, branch or tag; see which there are: git branch"
    ) as caught:
        git.resolve(repository.folder, ref, ".")
    assert repr(ref) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_branch_that_only_a_remote_has_is_named_in_full(repository: Repository, tmp_path: Path) -> None:
    """It is not resolved: a release must not take what somebody else pushed for what was meant."""
    repository.commit()
    repository("branch", "team/feature")
    repository("branch", "feature")
    clone = Repository(tmp_path / "clone")
    clone("remote", "add", "origin", str(repository.folder))
    clone("fetch", "-q", "origin")
    clone.commit()
    for name in ("feature", "team/feature"):
        with pytest.raises(BadInput) as refused:
            git.resolve(clone.folder, name, ".")
        assert (
            refused.value.fix
            == f"it is a branch of a remote, known here as origin/{name}: sluice check origin/{name}"
        )
        assert git.resolve(clone.folder, f"origin/{name}", ".").commit == repository("rev-parse", name)
    clone("remote", "add", "fork", str(repository.folder))
    clone("fetch", "-q", "fork")
    with pytest.raises(
        BadInput, match=r"known here as fork/feature and origin/feature: sluice check fork/feature"
    ):
        git.resolve(clone.folder, "feature", ".")


def test_a_branch_and_a_tag_of_one_name_are_told_apart(repository: Repository) -> None:
    """Git takes the tag, with a warning that nobody sees."""
    first = repository.commit()
    repository("branch", "v1")
    repository("tag", "-a", "v1", "-m", "the same commit", "refs/heads/v1")
    assert git.resolve(repository.folder, "v1", ".").commit == first
    second = repository.commit("another")
    repository("branch", "-f", "v1", second)
    with pytest.raises(
        BadInput, match=r"'v1' is a branch, and a tag on another commit; name one of them in full"
    ):
        git.resolve(repository.folder, "v1", ".")
    assert git.resolve(repository.folder, "refs/heads/v1", ".").commit == second
    assert git.resolve(repository.folder, "refs/tags/v1", ".").commit == first


def test_a_repository_without_a_commit(repository: Repository) -> None:
    with pytest.raises(
        BadInput, match="'HEAD' is not a commit, branch or tag; commit something first: git add"
    ):
        git.resolve(repository.folder, "HEAD", ".")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log.showSignature", "true"),
        ("i18n.logOutputEncoding", "latin1"),
        ("core.quotepath", "true"),
        ("status.renames", "copies"),
    ],
)
def test_settings_of_the_users_change_nothing(repository: Repository, key: str, value: str) -> None:
    repository.write("größe.sql")
    repository.commit("größe")
    repository("config", key, value)
    change = git.resolve(repository.folder, "HEAD", ".")
    assert change.subject == "größe"
    assert [file.path for file in git.files(repository.folder, "HEAD")] == ["größe.sql"]


# ---- where the repository is ---------------------------------------------------------------------------


def test_the_top_folder_is_found_from_any_below(repository: Repository) -> None:
    repository.write("a/b/c.sql")
    assert git.root(repository.folder / "a" / "b") == repository.folder


def test_a_folder_in_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(BadInput, match="is not in a git repository; make one: git init") as caught:
        git.root(tmp_path)
    assert caught.value.where == str(tmp_path)
    with pytest.raises(BadInput, match="there is no such folder"):
        git.root(tmp_path / "none")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user(repository: Repository) -> None:
    os.chown(repository.folder, 12345, 12345)
    with pytest.raises(BadInput, match=r"of another user's, which git does not read; .*safe\.directory"):
        git.root(repository.folder)


def test_a_hook_of_another_repository_may_start_it(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git gives its hooks GIT_DIR and GIT_INDEX_FILE."""
    repository.write("a.sql")
    commit = repository.commit()
    other = Repository(tmp_path / "other")
    other.commit("another")
    monkeypatch.setenv("GIT_DIR", str(other.folder / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.folder / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.folder))
    assert git.root(repository.folder) == repository.folder
    assert git.resolve(repository.folder, "HEAD", ".").commit == commit
    assert [file.path for file in git.working_tree(repository.folder)] == ["a.sql"]


def test_git_that_is_not_installed(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository.folder))
    with pytest.raises(BadInput, match="git is not installed; install git"):
        git.root(repository.folder)


# ---- is the tree clean? --------------------------------------------------------------------------------


@pytest.fixture
def released(repository: Repository) -> Repository:
    for path in ("models/a.sql", "macros/m.sql", "README.md"):
        repository.write(path, "x\n" * 20)
    repository.write(".gitignore", "ignored.sql\ntarget/\n")
    repository.commit()
    return repository


@pytest.mark.parametrize(
    ("done", "found"),
    [
        ([], ()),
        (["models/a.sql"], ("models/a.sql",)),
        (["README.md"], ("README.md",)),
        (["models/new.sql"], ("models/new.sql",)),
        (["models/deep/new ü.sql"], ("models/deep/new ü.sql",)),
        (["models/ignored.sql", "target/x"], ()),
        (["notes.txt", "models2/x.sql"], ()),
    ],
)
def test_what_is_not_committed(released: Repository, done: list[str], found: tuple[str, ...]) -> None:
    for path in done:
        released.write(path, "changed\n")
    assert git.uncommitted(released.folder, ("models", "macros/")) == found


def test_staged_deleted_and_renamed_files_are_not_committed(released: Repository) -> None:
    (released.folder / "README.md").unlink()
    released("mv", "models/a.sql", "models/b.sql")
    released.write("macros/m.sql", "staged\n")
    released("add", "macros/m.sql")
    assert sorted(git.uncommitted(released.folder, ("models",))) == [
        "README.md",
        "macros/m.sql",
        "models/a.sql",
        "models/b.sql",
    ]


@pytest.mark.parametrize("folder", ["./models", "models/", "macros/../models", "."])
def test_folders_may_be_spelled_in_any_way(released: Repository, folder: str) -> None:
    released.write("models/new.sql")
    assert git.uncommitted(released.folder, (folder,)) == ("models/new.sql",)


def test_looking_leaves_the_index_alone(released: Repository) -> None:
    index = released.folder / ".git" / "index"
    before = index.read_bytes()
    os.utime(released.folder / "models" / "a.sql", (0, 0))
    assert git.uncommitted(released.folder, ("models",)) == ()
    assert index.read_bytes() == before


# ---- the files -----------------------------------------------------------------------------------------


def tree(repository: Repository) -> None:
    repository.write("models/größe x.sql", "select 'ü'")
    repository.write("bin/run.sh", "#!/bin/sh").chmod(0o755)
    (repository.folder / "link").symlink_to("models/größe x.sql")
    (repository.folder / "empty").touch()
    (repository.folder / "bytes.bin").write_bytes(bytes(range(256)))


EXPECTED = {
    "models/größe x.sql": TreeFile("models/größe x.sql", "644", "select 'ü'".encode()),
    "bin/run.sh": TreeFile("bin/run.sh", "755", b"#!/bin/sh"),
    "link": TreeFile("link", "link", "models/größe x.sql".encode()),
    "empty": TreeFile("empty", "644", b""),
    "bytes.bin": TreeFile("bytes.bin", "644", bytes(range(256))),
}


def test_the_files_of_a_commit(repository: Repository) -> None:
    tree(repository)
    commit = repository.commit()
    repository.write("models/größe x.sql", "changed since")
    assert {file.path: file for file in git.files(repository.folder, commit)} == EXPECTED


def test_the_files_of_the_working_tree(repository: Repository) -> None:
    tree(repository)
    repository.commit()
    repository.write("new.sql", "new")
    repository.write("ignored.sql", "no")
    repository.write(".git/info/exclude", "ignored.sql\n")
    (repository.folder / "empty").unlink()
    found = {file.path: file for file in git.working_tree(repository.folder)}
    expected = {path: file for path, file in EXPECTED.items() if path != "empty"}
    assert found == {**expected, "new.sql": TreeFile("new.sql", "644", b"new")}


def test_a_commit_and_a_clean_working_tree_have_the_same_files(repository: Repository) -> None:
    tree(repository)
    commit = repository.commit()
    committed = sorted(git.files(repository.folder, commit), key=lambda file: file.path)
    assert committed == list(git.working_tree(repository.folder))


def test_no_attribute_leaves_a_file_out_or_changes_one(repository: Repository) -> None:
    """A failing test that is not exported would not fail; a file that this machine rewrites is another release."""
    repository.write(".gitattributes", "tests/ export-ignore\nstamp export-subst\nlines text eol=crlf\n")
    for name, text in {"tests/x": "a\n", "stamp": "$Format:%H$\n", "lines": "1\n2\n"}.items():
        repository.write(name, text)
    found = {file.path: file.content for file in git.files(repository.folder, repository.commit())}
    assert sorted(found) == [".gitattributes", "lines", "stamp", "tests/x"]
    assert (found["stamp"], found["lines"]) == (b"$Format:%H$\n", b"1\n2\n")


def test_files_of_a_commit_that_is_not_there(repository: Repository) -> None:
    repository.commit()
    with pytest.raises(BadInput, match=r"git ls-tree: fatal: .*; mend the repository"):
        list(git.files(repository.folder, "0" * 40))


def test_the_heads_of_branches_are_told_the_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the remote, where there is one; its HEAD is another name of one of them."""
    repository = Repository(tmp_path / "here")
    first = repository.commit("first")
    repository("branch", "feature/a")
    repository("clone", "-q", str(repository.folder), str(tmp_path / "clone"))
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2050-01-01T00:00:00Z")
    second = repository.commit("second")
    heads = branch_heads(repository.folder)
    assert [(head.branch, head.commit) for head in heads] == [("main", second), ("feature/a", first)]
    assert heads[0].at == datetime(2050, 1, 1, tzinfo=UTC)
    clone = branch_heads(tmp_path / "clone", "origin")
    assert {(head.branch, head.commit) for head in clone} == {("main", first), ("feature/a", first)}
