"""Who made a change, by git and by what is recorded; and what a file or a ref says, read as a claim."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prefect_sluice.approvals.carried import CarriedDecision, carried, render_answer_file
from prefect_sluice.approvals.decide import Authors, authors_of, ruling
from prefect_sluice.approvals.expire import expire
from prefect_sluice.domain.errors import BadInput, Refused
from prefect_sluice.domain.generation import Cause
from prefect_sluice.domain.promotion import AnswerChannel, Decision, Promotion, State
from prefect_sluice.domain.release import Composed, Release
from prefect_sluice.planning.plan import Plan
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.promotions.commits import as_part, written_as_part
from prefect_sluice.promotions.hold_lease import holding
from prefect_sluice.source import git
from prefect_sluice.stages.approve import record, take_carried
from prefect_sluice.stages.candidate.commit_expectations import commit_declarations
from prefect_sluice.stages.plan_release import pack
from prefect_sluice.workspace.workspace import Workspace
from tests.policies import judge_by
from tests.repository import repository

NOW = datetime.now(UTC)
SETTINGS = "environments:\n  prod: {approvals: 1}\napprovals: {folder: said, ref: refs/sluice/approvals}\n"
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\n",
    "profiles.yml": "shop: {target: prod, outputs: {prod: {type: duckdb, path: shop.duckdb, schema: main}}}\n",
    "sluice.yml": SETTINGS,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of one commit, Ada's."""
    return repository(tmp_path, FILES)


def committed(folder: Path, author: str, message: str = "change") -> Release:
    """Commit something as somebody, and return its release."""
    command = ["git", "commit", "-q", "--allow-empty", "--author", author, "-m", message]
    subprocess.run(command, cwd=folder, check=True)
    return packed(folder)


def packed(folder: Path) -> Release:
    """Return the release of HEAD, recorded."""
    workspace = Workspace.at(folder)
    return pack(workspace, workspace.environment(), git.resolve(folder, "HEAD", "."), "Ada")


def waiting(folder: Path, release: Release, base: Release | None = None) -> Promotion:
    """Record a staged promotion of a release."""
    found = Promotion(
        "p1", "prod", release.id, Cause.RELEASE, 1 if base else 0, base.id if base else "", State.STAGED,
        "Ada", NOW, NOW, plan="plan", evidence="evidence",
    )  # fmt: skip
    with Workspace.at(folder).store.transaction() as transaction:
        transaction.put_promotion(found)
    return found


def test_all_who_committed_since_what_serves_are_authors(folder: Path) -> None:
    """Co-authors, too; who committed before is none."""
    base = committed(folder, "Old <old@example.com>")
    committed(folder, "Lin <lin@example.com>")
    release = committed(folder, "Bo <bo@example.com>", "two\n\nCo-authored-by: Kim <kim@example.com>")
    found = authors_of(Workspace.at(folder), waiting(folder, release, base))
    # Ada committed all of them.
    ada = "Ada <ada@example.com>"
    assert (found.persons, found.untold) == (
        ("Bo <bo@example.com>", "Kim <kim@example.com>", ada, "Lin <lin@example.com>"), "",
    )  # fmt: skip


def test_of_a_part_those_are_authors_who_wrote_its_files(folder: Path) -> None:
    """Wherever the part is put, the commits are those since the whole one below: after a part, the rest never served."""
    base = packed(folder)
    for name in ("sales", "customers"):
        (folder / f"{name}.sql").write_text("select 1", encoding="utf-8")
        subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
        message = f"{name}\n\nExpect: {name} rows"
        whole = committed(folder, f"{name.title()} <{name}@example.com>", message)
    commits = written_as_part(Workspace.at(folder), whole, base, ("sales.sql",))
    assert [(item.author, item.subject) for item in commits] == [("Sales <sales@example.com>", "sales")]
    part = Release(
        replace(as_part(whole.change, commits), files=("sales.sql",)), {}, {},
        Composed("prod", whole.id, base.id, "sales", commits),
    )  # fmt: skip
    rest = replace(
        part,
        change=replace(part.change, files=("customers.sql",)),
        composed=Composed("prod", whole.id, part.id, "customers"),
    )
    with Workspace.at(folder).store.transaction() as transaction:
        for release in (part, rest):
            transaction.put_release(release)
    assert Workspace.at(folder).store.release(part.id) == part
    ada = "Ada <ada@example.com>"

    def persons(release: Release, onto: Release) -> set[str]:
        return set(authors_of(Workspace.at(folder), waiting(folder, release, onto)).persons)

    assert persons(part, base) == {"Sales <sales@example.com>", ada}
    assert {"Customers <customers@example.com>", ada} <= persons(rest, part)
    assert {"Sales <sales@example.com>", "Customers <customers@example.com>"} <= persons(whole, part)

    def declared(release: Release, onto: Release) -> list[str]:
        plan = Plan("prod", Cause.PROMOTION, release.id, 1, onto.id, (), (), (), NotesBefore({}, {}))
        return sorted(
            item.relation for item in commit_declarations(Workspace.at(folder), release, plan).expected
        )

    assert declared(part, base) == ["sales"]
    assert declared(rest, part) == ["customers"]
    assert declared(whole, part) == ["customers", "sales"]


def test_of_a_first_release_it_is_who_wrote_its_commit(folder: Path) -> None:
    release = committed(folder, "Lin <lin@example.com>")
    found = authors_of(Workspace.at(folder), waiting(folder, release))
    assert found == Authors(("Lin <lin@example.com>", "Ada <ada@example.com>"))


def test_a_refresh_has_no_author(folder: Path) -> None:
    release = packed(folder)
    assert authors_of(Workspace.at(folder), waiting(folder, release, release)) == Authors()


def test_where_git_knows_no_more_nobody_may_who_is_not_listed(folder: Path) -> None:
    """Another clone has other commits, as one has whose history was written anew: whoever may have written one of them."""
    base, release = packed(folder), committed(folder, "Lin <lin@example.com>")
    there = replace(base, change=replace(base.change, commit="0" * 40))
    with Workspace.at(folder).store.transaction() as transaction:
        transaction.put_release(there)
    asked = waiting(folder, release, there)
    found = authors_of(Workspace.at(folder), asked)
    assert (set(found.persons), found.untold) == (
        {"Lin <lin@example.com>", "Ada <ada@example.com>"},
        "commit 0000000 is not in this clone",
    )
    with pytest.raises(Refused, match=r"cannot be told: commit 0000000 is not .*git fetch --unshallow"):
        record(Workspace.at(folder), asked, Decision.APPROVE, by="Grace")
    judge_by(folder, SETTINGS.replace("approvals: 1", "approvals: 1, approvers: [Grace, Lin]"))
    with pytest.raises(Refused, match="Lin is an author"):
        record(Workspace.at(folder), stored(folder), Decision.APPROVE, by="Lin")
    assert record(Workspace.at(folder), stored(folder), Decision.APPROVE, by="Grace").by == "Grace"


def test_a_shallow_clone_knows_not_all(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The commit that serves is here, and what a branch brought that was merged since is not."""
    base = packed(folder)
    for command in (
        ["checkout", "-q", "-b", "side"],
        ["commit", "-q", "--allow-empty", "--author", "Kim <kim@example.com>", "-m", "a"],
        ["commit", "-q", "--allow-empty", "--author", "Bo <bo@example.com>", "-m", "b"],
        ["checkout", "-q", "main"],
        ["merge", "-q", "--no-ff", "side", "-m", "merge"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    release = packed(folder)
    whole = authors_of(Workspace.at(folder), waiting(folder, release, base))
    assert ("Kim <kim@example.com>" in whole.persons, whole.untold) == (True, "")
    clone = tmp_path_factory.mktemp("clone") / "shop"
    command = ["git", "clone", "-q", "--depth", "2", f"file://{folder}", str(clone)]
    subprocess.run(command, check=True)
    state = str(folder / ".sluice" / "state.db")
    text = f"state: {state}\nbundles: {folder / '.sluice' / 'bundles'}\n{SETTINGS}"
    (clone / "sluice.yml").write_text(text, encoding="utf-8")
    cut = authors_of(Workspace.at(clone), waiting(folder, release, base))
    assert "Kim <kim@example.com>" not in cut.persons
    assert "this clone is shallow" in cut.untold


def test_a_mailmap_makes_more_people_authors_and_never_fewer(folder: Path) -> None:
    """Of the release that serves and of the change: one that is written into the change hides nobody."""
    (folder / ".mailmap").write_text("Lin Wu <lin@example.com> <wu@example.com>\n", encoding="utf-8")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    base = committed(folder, "Old <old@example.com>")
    (folder / ".mailmap").write_text("Nobody <nobody@example.com> <wu@example.com>\n", encoding="utf-8")
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    release = committed(folder, "wu <wu@example.com>")
    asked = waiting(folder, release, base)
    for by in ("Lin Wu", "lin@example.com", "wu", "Nobody"):
        with pytest.raises(Refused, match="is an author of the change"):
            record(Workspace.at(folder), asked, Decision.APPROVE, by=by)
    assert record(Workspace.at(folder), asked, Decision.APPROVE, by="Grace").who == "Grace (unauthenticated)"


def stored(folder: Path) -> Promotion:
    """Return the promotion as it is recorded."""
    found = Workspace.at(folder).store.promotion("p1")
    assert found is not None
    return found


def test_a_yes_is_refused_with_the_setting_and_the_next_command(folder: Path) -> None:
    asked = waiting(folder, packed(folder))
    with pytest.raises(Refused) as told:
        record(Workspace.at(folder), asked, Decision.APPROVE, by="Ada")
    assert "Ada is an author of the change" in str(told.value)
    assert "sluice approve --as NAME" in str(told.value)
    assert "environments.prod.self_approval: allow" in str(told.value)
    allows = SETTINGS.replace("approvals: 1", "approvals: 1, self_approval: allow")
    (folder / "sluice.yml").write_text(allows, encoding="utf-8")
    with pytest.raises(Refused, match="an author"):  # what lies here is no policy
        record(Workspace.at(folder), asked, Decision.APPROVE, by="Ada")
    judge_by(folder, allows)
    assert record(Workspace.at(folder), stored(folder), Decision.APPROVE, by="Ada").by == "Ada"
    # What is allowed no more has not been said.
    judge_by(folder, SETTINGS)
    assert ruling(Workspace.at(folder), stored(folder)).by is None


def test_what_is_another_one_by_now_is_not_approved(folder: Path) -> None:
    """Between looking and saying yes it was staged again."""
    asked = waiting(folder, packed(folder))
    with Workspace.at(folder).store.transaction() as transaction:
        transaction.put_promotion(replace(asked, evidence="other"))
    with pytest.raises(Refused, match="is not what it was"):
        record(Workspace.at(folder), asked, Decision.APPROVE, by="Grace")


def expired(workspace: Workspace) -> list[str]:
    """Expire what is overdue, and return what is said of each."""
    with holding(workspace, workspace.environment("prod"), "Ada") as ours:
        return [item.message for item in expire(ours, ours.environment("prod"))]


def test_what_is_decided_does_not_expire(folder: Path) -> None:
    asked = waiting(folder, packed(folder))
    old = replace(asked, updated_at=NOW - timedelta(days=6, hours=23))
    with Workspace.at(folder).store.transaction() as transaction:
        transaction.put_promotion(old)
    workspace = Workspace.at(folder)
    assert expired(workspace) == []
    with workspace.store.transaction() as transaction:
        transaction.put_promotion(asked)
    judge_by(folder, SETTINGS.replace("approvals: 1", "approvals: 1, waits: 1h"))
    record(workspace, stored(folder), Decision.APPROVE, by="Grace")
    with workspace.store.transaction() as transaction:
        transaction.put_promotion(replace(stored(folder), updated_at=NOW - timedelta(hours=2)))
    workspace = Workspace.at(folder)
    assert expired(workspace) == []
    with workspace.store.transaction() as transaction:
        transaction.use_approval(workspace.store.approvals("p1")[0].id, NOW)
    assert expired(workspace) == ["nobody decided within 1h (environments.prod.waits); run it again"]


def test_a_file_says_what_was_written(folder: Path) -> None:
    """And is used once, however often it is read."""
    asked = waiting(folder, packed(folder))
    (folder / "said").mkdir()
    text = render_answer_file(asked, Decision.APPROVE, 'Grace: "G" # <g@example.com>', "a: b\nc")
    (folder / "said" / "p1.yml").write_text(text, encoding="utf-8")
    (found,) = carried(Workspace.at(folder), asked)
    assert isinstance(found, CarriedDecision)
    assert (found.channel, found.decision, found.by) == (
        AnswerChannel.FILE,
        Decision.APPROVE,
        'Grace: "G" # <g@example.com>',
    )
    assert take_carried(Workspace.at(folder), asked) == (
        'said/p1.yml: approve by Grace: "G" # <g@example.com> (unauthenticated)',
    )
    assert take_carried(Workspace.at(folder), asked) == ()
    assert len(Workspace.at(folder).store.approvals("p1")) == 1


WRONG = {
    "no YAML": ("decision: [", "is not YAML"),
    "no keys": ("approve", "must hold keys"),
    "unknown key": ("decision: approve\nsignature: x", "unknown key 'signature'"),
    "another promotion": ("promotion: p2\ndecision: approve", "it speaks of promotion p2"),
    "no decision": ("decision: true\nname: Grace", "decision has to be approve or reject"),
    "no name": ("decision: approve\nname: ' '", "it has no name"),
    "no binding": ("decision: approve\nname: Grace", "binding has to be at least 12 digits"),
    "too few digits": ("decision: approve\nname: Grace\nbinding: 'abc'", "at least 12 digits"),
    "another plan": (
        "decision: approve\nname: Grace\nbinding: aaaaaaaaaaaa",
        "another plan or other evidence",
    ),
    "large": ("#" * 20_000, "larger than 10000 bytes"),
    "no text": (b"\xff\xfe\x00", "cannot be read"),
}


def test_a_file_that_says_nothing_is_told_and_no_more(folder: Path) -> None:
    asked = waiting(folder, packed(folder))
    workspace = Workspace.at(folder)
    (folder / "said").mkdir()
    for name, (text, why) in WRONG.items():
        (folder / "said" / "p1.yml").write_bytes(text if isinstance(text, bytes) else text.encode())
        (line,) = take_carried(workspace, asked)
        assert (why in line, "said/p1.yml" in line, "\n" in line) == (True, True, False), (name, line)
    assert workspace.store.approvals("p1") == ()


def test_a_tag_a_blob_and_a_tree(folder: Path) -> None:
    """A tag says who made it, a blob has to, a tree says nothing."""
    asked = waiting(folder, packed(folder))
    told = f"decision: approve\nbinding: {asked.binding}\n"
    ref = "refs/sluice/approvals/p1"

    def point(name: str) -> None:
        subprocess.run(["git", "update-ref", ref, name], cwd=folder, check=True)

    subprocess.run(["git", "tag", "-a", "yes", "-m", told], cwd=folder, check=True)
    point("refs/tags/yes")
    (found,) = carried(Workspace.at(folder), asked)
    assert isinstance(found, CarriedDecision)
    assert (found.channel, found.by) == (AnswerChannel.REF, "Ada <ada@example.com>")
    # Ada wrote the change.
    assert "an author of the change" in take_carried(Workspace.at(folder), asked)[0]
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=folder, check=True, capture_output=True,
        input=f"{told}name: Grace\n".encode(),
    )  # fmt: skip
    point(blob.stdout.decode().strip())
    assert take_carried(Workspace.at(folder), asked) == (f"{ref}: approve by Grace (unauthenticated)",)
    point("HEAD^{tree}")
    assert "is a tree" in take_carried(Workspace.at(folder), asked)[0]


def test_a_ref_that_is_none_is_a_mistake_in_the_file(folder: Path) -> None:
    (folder / "sluice.yml").write_text("approvals: {ref: approvals}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="refs/sluice/approvals"):
        Workspace.at(folder)
