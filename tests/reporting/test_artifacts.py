"""What a run shows in the Prefect UI: each page as a golden file, bounded, linked, and not to be broken by what is in the data.

SLUICE_TEST_UPDATE_GOLDEN=1 writes the files anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from prefect_sluice.approvals.approval_policy import ApprovalPolicy
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.node import NodeKind as NodeKind
from prefect_sluice.domain.promotion import State
from prefect_sluice.domain.release import Commit, Composed
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Verdict
from prefect_sluice.planning.costs import ExpectedCosts
from prefect_sluice.planning.plan import Action
from prefect_sluice.planning.reasons import Note, Noted
from prefect_sluice.reporting.approvers_line import asked_line, who
from prefect_sluice.reporting.prefect.approval import approval_page, lasting_things, request_text
from prefect_sluice.reporting.prefect.diff import diff_page, has_diff, report_page
from prefect_sluice.reporting.prefect.generation import generation_page, moved
from prefect_sluice.reporting.prefect.links import ArtifactKind, RunLinks, key, link, relinked
from prefect_sluice.reporting.prefect.plan import plan_page
from prefect_sluice.reporting.report import html
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.markdown import markdown
from prefect_sluice.reporting.report.model import ReleaseRecord, Report, WebLinks
from prefect_sluice.reporting.styled_text import plain
from prefect_sluice.reporting.terminal.plan import costs_line
from prefect_sluice.reporting.terminal.show import dossier_lines
from prefect_sluice.stages.adopt import TakenNames
from tests.reporting.reported import (
    APPROVAL,
    ATTACKS,
    NOW,
    PLAN,
    PROMOTION,
    RELEASE,
    WAITING,
    attacked,
    huge,
    plan,
    step,
    uid,
)

GOLDEN = Path(__file__).parent / "golden"
LINKS = RunLinks(
    "release HEAD → prod",
    "https://prefect.example.com/v2/runs/flow-run/1",
    {ArtifactKind.PLAN: "https://prefect.example.com/v2/artifacts/artifact/2",
     ArtifactKind.DIFF: "https://prefect.example.com/v2/artifacts/artifact/3"},
    "https://reports.example.com/5e9c1d2f3a.html",
)  # fmt: skip


def pointer(name: str, run: str) -> Pointer:
    address = Name("sluice_store", f"{name}__{'0' * 12}_{run}")
    return Pointer(Name("marts", name), address, uid(name), NodeKind.TABLE, "0" * 64, "")


def generation(number: int, *pointers: Pointer) -> Generation:
    return Generation("prod", number, RELEASE.id, PROMOTION.id, 1, Cause.RELEASE, number, NOW, pointers)


BEFORE = generation(3, pointer("daily", "aaaaaa"), pointer("same", "aaaaaa"), pointer("gone", "aaaaaa"))
AFTER = generation(4, pointer("daily", "bbbbbb"), pointer("same", "aaaaaa"), pointer("fresh", "bbbbbb"))
SERVING = replace(
    WAITING,
    promotion=replace(PROMOTION, state=State.STABLE, generation=4),
    approvals=(replace(APPROVAL, used_at=NOW + timedelta(minutes=1)),),
    serves=4,
)
ARTIFACTS: dict[str, Callable[[], str]] = {
    "plan": lambda: plan_page(report(WAITING), LINKS),
    "diff": lambda: diff_page(report(WAITING), LINKS),
    "approval": lambda: approval_page(report(WAITING), LINKS),
    "generation": lambda: generation_page(report(SERVING), LINKS, AFTER, BEFORE, "published in place"),
    "request": lambda: request_text(report(WAITING), LINKS),
}
FORMS: dict[str, Callable[[Report], str]] = {
    "plan": lambda made: plan_page(made, LINKS),
    "report": lambda made: report_page(made, LINKS),
    "diff": lambda made: diff_page(made, LINKS),
    "approval": lambda made: approval_page(made, LINKS),
    "generation": lambda made: generation_page(made, LINKS, AFTER, BEFORE),
    "request": lambda made: request_text(made, LINKS),
}


@pytest.mark.parametrize("name", ARTIFACTS)
def test_page(name: str) -> None:
    file, text = GOLDEN / f"artifact_{name}.md.txt", ARTIFACTS[name]()
    if os.environ.get("SLUICE_TEST_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("form", FORMS)
def test_each_says_what_it_is_about_and_where_the_rest_is(form: str) -> None:
    text = FORMS[form](report(SERVING))
    assert PROMOTION.id in text
    assert f"[full report]({LINKS.page})" in text
    assert ("[plan](" in text) == (form != "plan")
    if form != "request":
        assert f"[{LINKS.run}]({LINKS.run_url})" in text
        assert RELEASE.short in text


def test_what_stands_under_the_public_names_is_in_the_plan_and_its_way_out_is_one_line() -> None:
    names = tuple(f"main.orders_{number:02}" for number in range(31))
    way_out = "take them over: sluice release --adopt --env prod (it moves them into the store, and a rollback serves them)"
    taken = TakenNames(names, "hold relations that Sluice did not make", way_out)
    text = plan_page(report(WAITING), LINKS, taken=taken)
    head = "⚠️ **A release is refused:** these public names hold relations that Sluice did not make:\n\n* main.orders_00\n"
    assert head in text
    assert "\n* main.orders_29\n* and 1 more\n\n" in text
    assert f"\n\n{way_out}\n" in text.replace("\\", "")
    evil = replace(taken, names=("main.<b>x](https://evil)",))
    assert "](https://evil)" not in plan_page(report(WAITING), LINKS, taken=evil).replace("\\](", "")


def test_without_a_web_server_it_says_how_to_make_the_page() -> None:
    assert f"`sluice report {PROMOTION.id} --output report.html`" in plan_page(report(WAITING), RunLinks())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_in_the_data_stays_text(attack: str, form: str) -> None:
    text = FORMS[form](report(attacked(attack)))
    # The links that we make are all there are, and no HTML but the folding's.
    for target in re.findall(r"(?<!\\)\]\(([^)]*)\)", text):
        assert target.startswith("https://")
    assert set(re.findall(r"(?<!\\)<(/?\w+)", text.replace("<br>", ""))) <= {
        "details",
        "/details",
        "summary",
        "/summary",
    }
    assert "\x1b" not in text


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_relations_stay_readable(form: str) -> None:
    text = FORMS[form](report(huge(1_000, rows=12)))
    assert len(text) <= 65_536
    assert len(re.sub(r"(?s)<details>.*?</details>", "", text).splitlines()) < 2_000


def test_a_plan_of_a_thousand_relations_says_why_and_folds_the_rest() -> None:
    steps = tuple(step(f"m{n}", Action.BUILD, "its own code changed") for n in range(1_000))
    text = plan_page(report(replace(WAITING, plan=plan(steps, {}))), LINKS)
    assert "**1000 built, 0 reused, 0 removed**" in text
    assert "| 1000 | build | its own code changed |" in text
    assert text.count("<details>") == 1
    assert "and 560 more relations" in text


def test_a_plan_says_what_its_build_is_expected_to_cost_as_the_terminal_does() -> None:
    known = ExpectedCosts(2, 2, 5, 40.0, 1_200_000, 80_000_000)
    assert f"\n{costs_line(known)}\n" in plan_page(report(replace(WAITING, costs=known)), LINKS)


def test_an_approver_reads_first_what_changes_and_for_whom() -> None:
    first = request_text(report(WAITING), LINKS).splitlines()[0]
    assert "14 of 16 rows changed" in first
    assert "1 relation REMOVED" in first
    assert "Operations" in first


def test_why_an_answer_was_not_taken_stands_first() -> None:
    first = request_text(report(WAITING), LINKS, "the answer of *Mallory* was not taken").splitlines()[0]
    assert first == r"⚠️ **The answer of \*Mallory\* was not taken**"


def test_of_a_part_an_approver_reads_which_and_who_wrote_it() -> None:
    commits = (
        Commit("c1" * 20, "Ben <ben@example.com>", "Count twice", NOW),
        Commit("c2" * 20, "Cy <cy@example.com>", "Say who paid", NOW),
    )
    made = replace(
        RELEASE,
        change=replace(RELEASE.change, subject="Sales dashboard"),
        composed=Composed("prod", "of", "onto", "+exposure:sales", commits),
    )
    known = report(replace(WAITING, release=made))
    text = request_text(known, LINKS)
    assert "Only **Sales dashboard**. Written by Ben, Cy: c1c1c1c Count twice; c2c2c2c Say who paid." in text
    assert known.head.title == "Sales dashboard → prod"
    for page in (text, plan_page(known, LINKS), markdown(known), html.page(known)):
        assert "Ben, Cy" in page
        assert "Ada &lt;ada" not in page
        assert "+exposure" not in page


def test_the_form_names_what_a_yes_is_to() -> None:
    text = request_text(report(WAITING), LINKS)
    assert f"`{PROMOTION.binding[:8]}`" in text
    assert "sluice" not in text


def test_where_a_run_waits_nobody_is_asked_for_a_terminal() -> None:
    run = "https://prefect.example.com/v2/runs/flow-run/1"
    yes, no = (f"https://prefect.example.com/form?parameters={number}" for number in (1, 2))
    known = report(replace(WAITING, way=WebLinks(run, "release a1b2c3d → prod", yes, no, resumes=True)))
    for page in (approval_page(known, LINKS), request_text(known, LINKS), html.page(known)):
        assert "sluice approve" not in page
        assert "sluice report" not in page
    assert (
        f"**[Say yes]({yes})** or **[say no]({no})** in a form, or ⋮ → Resume in [release a1b2c3d → prod]({run})"
        in approval_page(known, LINKS)
    )
    told = html.page(known)
    assert (f'href="{yes}"' in told and f'href="{no}"' in told, told.count(f'href="{run}"')) == (True, 2)
    policy = ApprovalPolicy("prod", ("Grace", "Ada <ada@example.com>"), ("Ada <ada@example.com>",))
    line = asked_line(known, policy, "What changes", "https://reports.example.com/1.html")
    assert line == (
        "Grace: may 'Count a flight once' go to prod? What changes. "
        f"Answer: ⋮ → Resume here. Yes: {yes} No: {no} All of it: https://reports.example.com/1.html"
    )
    assert who(ApprovalPolicy("prod", (), ("Ada <ada@example.com>",))) == "Anybody but Ada"


def test_what_a_rollback_does_not_undo_is_said() -> None:
    steps = (replace(PLAN.steps[2], note=Note(Noted.IN_FULL)), *PLAN.steps[3:])
    made = report(replace(WAITING, plan=replace(PLAN, steps=steps)))
    assert lasting_things(made) == (f"marts.daily: {Noted.IN_FULL}",)
    assert "rows that its sources no longer hold" in request_text(made, LINKS)
    assert "What a rollback does not undo" in approval_page(made, LINKS)


@pytest.mark.parametrize(
    ("gone", "changed", "told"),
    [
        ("0", "14", "no row that served is gone"),
        ("1", "14", "1 row that served is gone"),
        ("20", "0", "20 rows that served are gone"),
        ("20", None, "rows that its sources no longer hold will be gone"),
    ],
)
def test_what_stage_counted_replaces_what_the_plan_warned_of(
    gone: str, changed: str | None, told: str
) -> None:
    """Without a key nobody can tell a row that is gone from one that changed: then the warning stays."""
    step = replace(PLAN.steps[2], note=Note(Noted.IN_FULL))
    rows = Evidence(
        ("rows", "count", "share"), (("removed", gone, None), ("changed", changed, None)), 2, "rows"
    )
    diff = Finding("diff", "daily", Verdict.PASSED, "daily: rows changed", (step.node,), more=(rows,))
    reports = (*WAITING.reports[:-1], GateReport("diff", (diff,)))
    made = report(replace(WAITING, plan=replace(PLAN, steps=(step,)), reports=reports))
    said = f"an incremental model rebuilt in full: {told}"
    for text in (html.page(made), markdown(made), plain(dossier_lines(made, width=200))):
        assert said in text
        assert ("will be gone" in text) == (changed is None)
    assert lasting_things(made) == (() if gone == "0" else (f"marts.daily: {said}",))


def test_the_same_rows_are_told_as_no_loss() -> None:
    step = replace(PLAN.steps[3], note=Note(Noted.IN_FULL))
    made = report(replace(WAITING, plan=replace(PLAN, steps=(step,))))
    assert lasting_things(made) == ()
    assert "rebuilt in full: no row that served is gone" in markdown(made)


def test_where_nobody_compared_there_is_no_diff() -> None:
    first = replace(WAITING, reports=(), stages=(), plan=replace(PLAN, steps=PLAN.steps[:2]))
    assert not has_diff(report(first))
    assert has_diff(report(WAITING))


def test_a_plan_that_does_nothing_has_a_page_without_a_promotion() -> None:
    text = plan_page(
        report(ReleaseRecord(RELEASE, plan=replace(PLAN, steps=PLAN.steps[:2]))), RunLinks("a run")
    )
    assert "No name gets another relation." in text


def test_names_that_differ_in_letters_only_are_the_same_name() -> None:
    loud = replace(pointer("daily", "aaaaaa"), name=Name("MARTS", "Daily"))
    assert moved((loud,), (pointer("daily", "aaaaaa"),)).same == 1


def test_a_key_is_what_prefect_takes_and_one_environment_has_one() -> None:
    assert key(ArtifactKind.PLAN, "prod") == "plan-prod"
    names = ["Prod", "prod", "dev_jo", "dev-jo", "prod.eu", "прод", "dev jo"]
    keys = [key(ArtifactKind.DIFF, name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-+[a-z0-9]+)*-*[a-z0-9]*", one) for one in keys)


def test_a_link_cannot_be_ended_by_its_address() -> None:
    assert link("a]b", "https://x/(1) 2>") == r"[a\]b](https://x/%281%29%202%3E)"


def test_an_older_artifact_leads_to_a_newer_one() -> None:
    old = plan_page(report(WAITING), RunLinks())
    new = relinked(old, LINKS, PROMOTION.id, ArtifactKind.PLAN)
    assert "[diff](" in new
    assert new.replace(next(line for line in new.split("\n") if line.startswith("→")), "") == old.replace(
        next(line for line in old.split("\n") if line.startswith("→")), ""
    )
