"""Git, run as a command: resolves refs, reads trees, and says whether the working tree is clean."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from prefect_sluice.domain.errors import BadInput
from prefect_sluice.domain.release import Change
from prefect_sluice.domain.untrusted_text import is_text, parsing
from prefect_sluice.runtime import process

_FORMAT = "%H%x00%T%x00%an <%ae>%x00%aI%x00%s%x00%P%x00%B"
_ID = re.compile(r"[0-9a-f]{40,64}")
_FIXED = ("core.quotepath=off", "log.showSignature=false", "i18n.logOutputEncoding=UTF-8")
"""Settings of the user's that would change what git answers."""
_OF_DIFFS = frozenset({"GIT_DIFF_OPTS", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"})
"""Variables that would change what two folders differ in."""
IN_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"})
"""Variables that git sets for its hooks, which would lead us to another repository than the folder's."""


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a tree: its path in the repository, "644", "755" or "link", and its bytes."""

    path: str
    mode: str
    content: bytes


def root(folder: Path) -> Path:
    """Return the repository's top folder. Raises BadInput when `folder` is in none."""
    done = _run(folder, "rev-parse", "--show-toplevel")
    if b"dubious ownership" in done.stderr:
        what = "is in a git repository of another user's, which git does not read"
        raise BadInput(
            what, str(folder), "tell git that you trust it: git config --global --add safe.directory PATH"
        )
    if done.returncode:
        fix = "make one: git init && git add . && git commit -m first"
        raise BadInput("is not in a git repository", str(folder), fix)
    return Path(done.stdout.decode(errors="surrogateescape").rstrip("\n"))


def resolve(repository: Path, ref: str, project: str) -> Change:
    """Return the commit that `ref` names. Raises BadInput when there is none, and where a branch and a tag of this name are two
    commits: nobody guesses which is meant. A remote's branch has to be named in full."""
    commit = commit_of(repository, ref)
    if not commit:
        raise BadInput(f"{ref!r} is not a commit, branch or tag", str(repository), _instead(repository, ref))
    if len(set(_called(repository, ref, "refs/heads/", "refs/tags/").values())) > 1:
        fix = f"name one of them in full: refs/heads/{ref} or refs/tags/{ref}"
        raise BadInput(f"{ref!r} is a branch, and a tag on another commit", str(repository), fix)
    text = output(repository, "show", "--no-patch", f"--format={_FORMAT}", commit)
    with parsing("cannot be released", f"{repository}, commit {commit[:12]}", "write it anew"):
        name, tree, author, at, subject, parents, message = text.rstrip("\n").split("\0")
        time = datetime.fromisoformat(at).astimezone(UTC)
    return Change(
        name,
        tree,
        project,
        whole_text(author),
        time,
        whole_text(subject),
        tuple(parents.split()),
        _changed(repository, commit, bool(parents)),
        whole_text(message),
    )


def _instead(repository: Path, ref: str) -> str:
    """Return what to do about a ref that names nothing here."""
    if _run(repository, "rev-parse", "--verify", "--quiet", "HEAD").returncode:
        return "commit something first: git add . && git commit"
    remotes = _called(repository, ref, "refs/remotes/*/")
    if remotes:
        names = [name.removeprefix("refs/remotes/") for name in remotes]
        return f"it is a branch of a remote, known here as {' and '.join(names)}: sluice check {names[0]}"
    return "see which there are: git branch --all; git tag"


def _called(repository: Path, ref: str, *places: str) -> Mapping[str, str]:
    """Return the refs in these places that bear a name, each with its commit; none for what cannot be the name of one."""
    if (
        ref == "HEAD"
        or _ID.fullmatch(ref)
        or _run(repository, "check-ref-format", f"refs/heads/{ref}").returncode
    ):
        return {}
    form = "%(refname) %(objectname) %(*objectname)"
    patterns = [f"{place}{ref}" for place in places]
    named = [
        line.split()
        for line in output(repository, "for-each-ref", f"--format={form}", *patterns).splitlines()
    ]
    return {name: commit[-1] for name, *commit in named if name.endswith(f"/{ref}")}


def commit_of(repository: Path, ref: str) -> str:
    """Return the id of the commit that `ref` names, "" where there is none. `^HEAD` names none: git calls it all but HEAD."""
    done = _run(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    name = done.stdout.decode(errors="replace").strip()
    return name if not done.returncode and _ID.fullmatch(name) else ""


_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who made a commit, as `Name <address>` and as it is written in it: author and committer; and its message.

    `commit` is its id, `at` the author's time, UTC; 1970 where what is written is no time.
    """

    persons: tuple[str, ...]
    message: str
    commit: str = ""
    at: datetime = _NEVER

    @property
    def subject(self) -> str:
        """The first line of its message."""
        return self.message.partition("\n")[0]


def read_authorship(repository: Path, *revisions: str, paths: Sequence[str] = ()) -> tuple[Authorship, ...]:
    """Return the authorship of each commit that the revisions name (`until`, `^since`), the newest first; no .mailmap counts.

    With `paths`, as they are in the repository, only commits that touch one of them. Raises BadInput when a revision is not
    there.
    """
    # In full: of two branches that wrote the same, git would leave one out.
    arguments = ("log", "-z", "--stdin", "--full-history", "--format=%H %aI%n%an <%ae>%n%cn <%ce>%n%B")
    listed = output(repository, "--literal-pathspecs", *arguments, *revisions, given=lines("--", *paths))
    return tuple(_authorship(*entry.split("\n", 3)) for entry in listed.split("\0") if entry)


def lines(*words: str) -> str:
    """Return words as the input of a command of git's: there may be more of them than a command line takes."""
    return "".join(f"{word}\n" for word in words)


def _authorship(head: str, author: str, committer: str, message: str = "") -> Authorship:
    commit, _, at = head.partition(" ")
    persons = tuple(dict.fromkeys(map(whole_text, (author, committer))))
    return Authorship(persons, whole_text(message), commit, time_of(at))


def time_of(text: str) -> datetime:
    """Return the time that git tells. Of an old commit it may be none: the year 10000, a zone of 99 hours."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return _NEVER


def is_shallow(repository: Path) -> bool:
    """Say whether the clone has not the whole history."""
    return output(repository, "rev-parse", "--is-shallow-repository").strip() == "true"


def merge_base(repository: Path, one: str, other: str) -> str:
    """Return the newest commit that two commits both have above them, or are; "" where none is here."""
    return next(iter(merge_bases(repository, one, other)), "")


def merge_bases(repository: Path, one: str, other: str) -> tuple[str, ...]:
    """Return the commits that two commits both have above them, or are, and that are above no other such one, the newest first:
    several where each was merged into the other. None where none is here."""
    bases = _run(repository, "merge-base", "--all", one, other).stdout.decode().split()
    return tuple(bases)


def is_cut(repository: Path, since: str, until: str) -> bool:
    """Say whether a commit that `until` has and `since` has not lies at the edge of a shallow clone: more may be behind it."""
    if not is_shallow(repository):
        return False
    edge = output(repository, "rev-parse", "--git-path", "shallow").strip()
    cut = set((repository / edge).read_text(encoding="ascii").split())
    return bool(cut & set(output(repository, "rev-list", until, f"^{since}", "--").split()))


@dataclass(frozen=True, slots=True)
class RefNote:
    """The text that a ref carries beside code, and who wrote it ("": a blob has no author)."""

    text: str
    author: str


def note(repository: Path, ref: str) -> RefNote | None:
    """Return what a ref carries: the text of a blob, the message of a commit or annotated tag. None if there is no such ref.

    Raises BadInput for a ref to anything else.
    """
    named = _run(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", ref)
    if named.returncode:
        return None
    name = named.stdout.decode().strip()
    kind = output(repository, "cat-file", "-t", name).strip()
    if kind not in {"blob", "commit", "tag"}:
        raise BadInput(f"{ref} is a {kind}", str(repository), "let it name a blob, a commit or a tag")
    text = _bytes(repository, "cat-file", kind, name).decode(errors="replace")
    if kind == "blob":
        return RefNote(text, "")
    head, _, body = text.partition("\n\n")
    role = "author " if kind == "commit" else "tagger "
    written = next((line[len(role) :] for line in head.splitlines() if line.startswith(role)), "")
    return RefNote(body, written.partition(">")[0] + ">" if ">" in written else written)


def whole_text(message: str) -> str:
    """Return a text that git told as text in full: what is not in the encoding that it names is replaced."""
    return message.encode(errors="surrogateescape").decode(errors="replace").strip("\n")


def _changed(repository: Path, commit: str, has_parent: bool) -> tuple[str, ...]:
    if not has_parent:
        return ()
    names = output(
        repository, "diff-tree", "--no-commit-id", "--name-only", "-r", "-z", f"{commit}^1", commit
    )
    return tuple(name for name in names.split("\0") if name)


def uncommitted(repository: Path, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return paths that differ from HEAD: changed tracked files anywhere, and new, unignored ones in `folders`."""
    # A rename would be one entry with two paths.
    listed = output(
        repository, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"
    ).split("\0")
    inside = tuple(posixpath.normpath(folder) for folder in folders)
    paths: list[str] = []
    for entry in listed:
        code, path = entry[:2], entry[3:]
        is_new = code == "??"
        counts = any(folder == "." or path.startswith(f"{folder}/") for folder in inside) if is_new else path
        if code.strip() and counts:
            paths.append(path)
    return tuple(paths)


def edited_since(repository: Path, commit: str) -> tuple[str, ...] | None:
    """Return paths whose text in the working tree is not that of `commit`, new ones that git does not ignore included and
    removed ones left out; None if the repository has no such commit."""
    if _run(repository, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        return None
    changed = output(
        repository, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--diff-filter=d", commit
    )
    new = output(repository, "ls-files", "--others", "--exclude-standard", "-z")
    return tuple(sorted({name for name in (changed + new).split("\0") if name}))


def compare(folder: Path, *arguments: str) -> bytes:
    """Return git's diff of two folders in `folder`, which need not be in a repository; no setting of this machine applies
    to what is a line. Raises BadInput where git cannot compare them."""
    options = (
        "--no-index",
        "--text",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--src-prefix=a/",
        "--dst-prefix=b/",
    )
    fixed = ("-c", "core.autocrlf=false", "-c", f"core.attributesFile={os.devnull}")
    alone = {
        **dict.fromkeys(("GIT_ATTR_NOSYSTEM", "GIT_CONFIG_NOSYSTEM"), "1"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(folder.resolve().parent),
    }
    done = _run(folder, *fixed, "diff", *options, *arguments, environ=alone)
    if done.returncode not in (0, 1):  # 1: they differ
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BadInput(
            f"git diff: {lines[0] if lines else 'failed'}", str(folder), "see what git says to that"
        )
    return done.stdout


_MODES = {"100644": "644", "100755": "755", "120000": "link"}


def files(repository: Path, commit: str) -> Iterator[TreeFile]:
    """Yield every file of a commit's tree, byte for byte: no attribute and no setting of this machine applies.

    Submodules are left out; they are other repositories.
    """
    listed = [
        entry.split("\t", 1)
        for entry in output(repository, "ls-tree", "-r", "-z", commit).split("\0")
        if entry
    ]
    wanted = [(*head.split()[::2], path) for head, path in listed]
    blobs = [(_MODES[mode], name, path) for mode, name, path in wanted if mode in _MODES]
    names = "".join(f"{name}\n" for _, name, _ in blobs).encode()
    answer = io.BytesIO(_bytes(repository, "cat-file", "--batch", given=names))
    for mode, name, path in blobs:
        _refuse_bytes(repository, path)
        head = answer.readline().split()
        if len(head) != 3:
            raise BadInput(
                f"git has no object {name[:12]} for {path}", str(repository), "mend the repository: git fsck"
            )
        yield TreeFile(path, mode, answer.read(int(head[2])))
        answer.read(1)


def content(repository: Path, commit: str, path: str) -> bytes | None:
    """Return the bytes of one file of a commit; None where there is no such commit, or no such file in it."""
    done = _run(repository, "cat-file", "blob", f"{commit}:{path}")
    return None if done.returncode else done.stdout


def working_tree(repository: Path) -> Iterator[TreeFile]:
    """Yield the files of the working tree as they are: tracked ones and new ones that git does not ignore."""
    names = output(repository, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in sorted({name for name in names if name}):
        _refuse_bytes(repository, name)
        path = repository / name
        if path.is_symlink():
            yield TreeFile(name, "link", str(path.readlink()).encode())
        elif path.is_file():
            yield TreeFile(name, "755" if path.stat().st_mode & 0o100 else "644", path.read_bytes())


def _refuse_bytes(repository: Path, path: str) -> None:
    if not is_text(path):
        shown = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise BadInput(f"the file name {shown} is no UTF-8", str(repository), "rename that file: git mv")


def ignores(repository: Path, path: str) -> bool:
    """Say whether git is told to leave a path of the repository alone (.gitignore)."""
    return not _run(repository, "check-ignore", "--quiet", "--", path).returncode


def has(repository: Path, ref: str) -> bool:
    """Say whether a ref names a commit that is here."""
    return bool(commit_of(repository, ref))


def _run(
    folder: Path, *arguments: str, given: bytes = b"", environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run git. With `environ`, in that beside the environment of this process, without what changes diffs."""
    settings = [word for setting in _FIXED for word in ("-c", setting)]
    command = ["git", "--no-optional-locks", "--no-replace-objects", *settings, *arguments]
    left_out = IN_HOOKS if environ is None else IN_HOOKS | _OF_DIFFS
    variables = {name: value for name, value in process.environment().items() if name not in left_out}
    # Nobody is there to be asked for a password.
    variables |= {"LC_ALL": "C.UTF-8", "GIT_TERMINAL_PROMPT": "0", **(environ or {})}
    try:
        with parsing("git cannot be asked for that", str(folder), "name a commit, branch or tag"):
            for word in arguments:
                os.fsencode(word)
        return subprocess.run(
            command, cwd=folder, capture_output=True, input=given, check=False, env=variables
        )
    except ValueError as error:
        raise BadInput("a name holds a NUL character", str(folder), "name a commit, branch or tag") from error
    except FileNotFoundError as error:
        what = "git is not installed" if folder.is_dir() else "there is no such folder"
        raise BadInput(what, str(folder), "install git, or name another folder") from error
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        raise BadInput("what is asked of git is too long", str(folder), "give a shorter name") from error


def output(folder: Path, *arguments: str, given: str = "") -> str:
    """Return what git answers to these arguments, with `given` as its input. Raises BadInput where it says no."""
    told = given.encode(errors="surrogateescape")
    return _bytes(folder, *arguments, given=told).decode(errors="surrogateescape")


def _bytes(folder: Path, *arguments: str, given: bytes = b"") -> bytes:
    done = _run(folder, *arguments, given=given)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BadInput(
            f"git {arguments[0]}: {lines[0] if lines else 'failed'}", str(folder), "mend the repository"
        )
    return done.stdout
