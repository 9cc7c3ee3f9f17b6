"""One model, several forms: nothing is lost on the way, nothing breaks out of its place, and everything fits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from prefect_sluice.domain.displaced_names import Displaced, Replacement
from prefect_sluice.domain.generation import Cause, Generation
from prefect_sluice.domain.ledger import chain
from prefect_sluice.domain.node import Name
from prefect_sluice.domain.promotion import Approval, Decision, State
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport, Verdict
from prefect_sluice.planning.column_reach import ChangeReach
from prefect_sluice.reporting.forms_for_commands import Web
from prefect_sluice.reporting.report.charts import share
from prefect_sluice.reporting.report.document import report_document
from prefect_sluice.reporting.report.html import LIMIT, page
from prefect_sluice.reporting.report.limits import fitting
from prefect_sluice.reporting.report.lineage import MOST
from prefect_sluice.reporting.report.make_report import report
from prefect_sluice.reporting.report.markdown import LIMITS, markdown
from prefect_sluice.reporting.report.mermaid import mermaid
from prefect_sluice.reporting.report.model import Report, WebLinks
from prefect_sluice.reporting.report.side_by_side import side_by_side
from prefect_sluice.reporting.styled_text import clean, plain
from prefect_sluice.reporting.terminal.show import dossier_lines
from tests.reporting.reported import ATTACKS, FULL, NOW, PROMOTION, SAMPLE, WAITING, attacked, huge, plan, uid


def as_json(found: object) -> str:
    return json.dumps(found, ensure_ascii=False)


def in_markdown(made: Report) -> str:
    return markdown(made, limit=LIMITS["gitlab"])


def in_json(made: Report) -> str:
    return as_json(report_document(made))


def on_a_terminal(made: Report) -> str:
    return plain(dossier_lines(made, width=300))


FORMS: dict[str, Callable[[Report], str]] = {
    "page": page,
    "markdown": in_markdown,
    "json": in_json,
    "show": on_a_terminal,
}


class Seen(HTMLParser):
    """The elements, attributes and text of a page, as a browser would read them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


# ---- the same content ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_what_decides(form: str) -> None:
    made = report(FULL)
    told = FORMS[form](made)
    for text in ("REFUSED", "Count a flight once", "86 rows break it", "no rows to look at", "14 of 16 rows changed",
                 "Morning board",
                 "its own code changed", "marts.gone", "sluice release --env prod", "Bo", "LGA-7", "1104"):  # fmt: skip
        assert text in told, text


def test_every_finding_is_in_the_page_and_the_document() -> None:
    made = report(FULL)
    text, document = Seen(page(made)).text, as_json(report_document(made))
    for finding in (item for each in FULL.reports for item in each.findings):
        said = finding.summary.removeprefix(f"{finding.check}: ")
        assert said in text
        assert finding.summary in document


def test_what_changed_columns_reach_is_a_table_and_what_reaches_nothing_a_line() -> None:
    text = Seen(page(report(FULL))).text
    assert (
        "carriers.share (= SUM(daily.on_time) / COUNT(*)), the rows of late, forecast (not known: python model)"
        in text
    )
    assert "nothing that is known reads daily.share (retyped: DOUBLE, was DECIMAL)" in text
    assert FULL.reach is not None
    assert report_document(report(FULL))["column_reach"] == FULL.reach.document()
    assert "What the changed columns reach" not in page(report(replace(FULL, reach=None)))
    untold = report(replace(FULL, reach=ChangeReach(untold="prod.duckdb is busy")))
    assert "It is not known: prod.duckdb is busy" in Seen(page(untold)).text


def test_the_worst_finding_comes_first() -> None:
    assert [item.verdict for item in report(FULL).findings] == [
        Verdict.FAILED,
        Verdict.INCONCLUSIVE,
        Verdict.WARNED,
    ]


def test_findings_of_the_impact_gate_stand_with_their_consumer() -> None:
    (one,) = report(FULL).reached
    assert (one.through, [item.gate for item in one.findings]) == (("daily",), ["impact"])
    assert "reads 2 changed columns" in Seen(page(report(FULL))).text


def test_an_impact_finding_may_name_its_consumer_by_the_check() -> None:
    by_check = Finding(
        "impact", "board", Verdict.WARNED, "loses a column", (uid("daily"),), fix="keep the column"
    )
    (one,) = report(replace(FULL, reports=(GateReport("impact", (by_check,)),))).reached
    assert one.findings == (by_check,)


def test_a_consumer_is_not_reached_where_the_gate_says_that_nothing_changes_for_it() -> None:
    nothing = Finding("impact", "consumers", Verdict.PASSED, "nothing changes for the one consumer declared")
    made = report(replace(FULL, reports=(GateReport("impact", (nothing,)),)))
    assert (made.reached, made.tallies[2].value) == ((), "0")
    unjudged = report(replace(FULL, reports=(GateReport("impact", not_applicable="not asked"),)))
    assert [one.through for one in unjudged.reached] == [("daily",)]


def test_shares_become_bars_and_changed_values_stand_side_by_side() -> None:
    seen = Seen(page(report(FULL)))
    fills = [
        float(about["width"] or 0)
        for name, about in seen.tags
        if name == "rect" and about.get("class") == "fill"
    ]
    assert 105.0 in fills  # 0.875 of 120
    assert 22.5 in fills
    assert "87.5 %" in seen.text
    assert [name for name, _ in seen.tags].count("del") == 3
    told = markdown(report(FULL))
    assert "█████████░ 87.5 %" in told
    assert "| 9E | 1104 → 1042 (-62, -5.62 %) | 0.70 → NULL |" in told


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.042", 0.042), ("4.2 %", 0.042), ("< 0.1 %", 0.001), ("1", 1.0), ("0", 0.0), ("NaN", None), ("2", None), ("-0.1", None),
     ("x", None), ("", None), (None, None), ("inf", None)],
)  # fmt: skip
def test_a_share_is_read_as_it_is_written(text: str | None, value: float | None) -> None:
    assert share(text) == (pytest.approx(value) if value is not None else None)


def test_a_table_of_another_shape_is_not_turned() -> None:
    assert side_by_side(Evidence(("column", "before", "after"), (("a", "1", "2"),), 1)) is None
    assert side_by_side(replace(SAMPLE, rows=())) is None
    many = tuple(("k", f"c{n}", "1", "2") for n in range(13))
    assert side_by_side(replace(SAMPLE, rows=many)) is None


def test_an_old_report_without_fix_and_tables_still_shows() -> None:
    old = GateReport("retired_gate", (Finding("retired_gate", "x", Verdict.FAILED, "said no long ago"),))
    found = replace(FULL, reports=(old,), stages=(), consumers=(), runs=(), plan=None)
    for form in FORMS.values():
        assert "said no long ago" in form(report(found))
    assert "was not recorded" in page(report(found))


# ---- what the head says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "word", "command"),
    [
        (State.STAGED, "WAITING", "sluice approve 5e9c1d2f3a"),
        (State.REFUSED, "REFUSED", "sluice release --env prod"),
        (State.STABLE, "SERVING", "sluice rollback --env prod --from 4"),
        (State.APPROVED, "APPROVED", "sluice release a1b2c3d --env prod"),
        (State.STARTED, "UNFINISHED", "sluice release a1b2c3d --env prod"),
        (State.REJECTED, "REJECTED", "sluice release --env prod"),
        (State.SUPERSEDED, "SUPERSEDED", "sluice release a1b2c3d --env prod"),
        (State.FAILED, "FAILED", "sluice release a1b2c3d --env prod"),
    ],
)
def test_the_head_has_one_word_and_the_next_command(state: State, word: str, command: str) -> None:
    promotion = replace(
        PROMOTION, state=state, generation=4 if state is State.STABLE else None, message="because"
    )
    head = report(replace(FULL, promotion=promotion, serves=4, approvals=())).head
    commands = [item.command for item in head.advice if item.command]
    assert (head.word, commands[0]) == (word, command)
    assert head.sentence.endswith(".")


def test_what_served_once_is_not_said_to_serve() -> None:
    promotion = replace(PROMOTION, state=State.STABLE, generation=4)
    head = report(replace(FULL, promotion=promotion, serves=6)).head
    assert (head.word, head.advice) == ("SERVED", ())
    assert "now it serves generation 6" in head.sentence


def test_a_release_that_needs_no_approval_is_not_waiting() -> None:
    assert report(replace(WAITING, approvals_needed=0)).head.word == "READY"


def test_a_gate_that_only_warns_has_stopped_nothing() -> None:
    found = replace(FULL, promotion=PROMOTION, warns=frozenset({"data_tests"}))
    made = report(found)
    assert not any(gate.holds for gate in made.gates)
    assert "a no here only warns" in page(made)


def test_a_rollback_and_an_unpromoted_release_have_a_report() -> None:
    back = replace(
        FULL, promotion=replace(PROMOTION, cause=Cause.ROLLBACK, state=State.STABLE), plan=None, reports=()
    )
    for found in (back, replace(FULL, promotion=None, plan=None, reports=())):
        for form in FORMS.values():
            assert "Count a flight once" in form(report(found))
    assert [lap.stage for lap in report(back).laps] == ["Rollback", "Monitor"]


def test_stages_sum_their_runs_and_say_where_it_stands() -> None:
    laps = {lap.stage: lap for lap in report(replace(FULL, runs=(*FULL.runs, *FULL.runs))).laps}
    assert (laps["Build"].seconds, laps["Stage"].state, laps["Deploy"].state) == (
        7.0,
        "said no",
        "not reached",
    )
    assert report(WAITING).laps[4].state == "waits for a yes"


def test_how_long_the_yes_took_comes_from_the_ledger() -> None:
    given = chain(
        FULL.entries[-1], event="approval.given", actor="Bo", at=NOW.replace(minute=3), environment="prod"
    )
    waited = report(replace(FULL, entries=(*FULL.entries, given))).waited
    assert waited is not None
    assert waited.total_seconds() == 180


# ---- nothing breaks out --------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_the_data_becomes_markup(attack: str) -> None:
    calm, hit = Seen(page(report(attacked("calm")))), Seen(page(report(attacked(attack))))
    # Links of consumers apart, the page is the same, element by element, whatever the data say.
    assert [name for name, _ in hit.tags] == [name for name, _ in calm.tags]
    assert [sorted(about) for _, about in hit.tags] == [sorted(about) for _, about in calm.tags]
    assert clean(attack) in hit.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", page(report(attacked(attack))))


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "//evil.example", "http://[", ""],
)
def test_only_web_addresses_become_links(url: str) -> None:
    found = replace(FULL, consumers=(replace(FULL.consumers[0], url=url),))
    links = [about["href"] or "" for name, about in Seen(page(report(found))).tags if name == "a"]
    assert all(link.startswith("#") for link in links)


def test_the_policy_allows_the_pages_own_style_and_script_only() -> None:
    seen = Seen(page(report(FULL)))
    (policy,) = [about["content"] or "" for _, about in seen.tags if about.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    outside = [
        about
        for _, about in seen.tags
        if "src" in about or "style" in about or any(key.startswith("on") for key in about)
    ]
    assert outside == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_and_mermaid_hold_no_markup_of_the_data(attack: str) -> None:
    made = report(attacked(attack))
    told = markdown(made)
    prose = re.sub(r"```mermaid\n.*?\n```", "", told, flags=re.DOTALL)
    assert not re.search(r"(?<!\\)<(script|img|svg|br)", prose)
    assert not re.search(r"(?<!\\)\]\(", prose)
    labels = re.findall(r'n\d+\S*?"([^"]*)"', mermaid(made.lineage))
    assert len(labels) == len(made.lineage.dots)
    assert all("<" not in label.replace("<br>", "") and "`" not in label for label in labels)


def test_nobody_is_called_by_what_stands_in_the_data() -> None:
    calling = Finding("lint", "x", Verdict.WARNED, "by @ada, see #12 and ada@example.com")
    told = markdown(report(replace(FULL, reports=(GateReport("lint", (calling,)),))))
    assert "@ada," not in told
    assert "#12" not in told
    assert "ada@example.com" in told


# ---- in a browser --------------------------------------------------------------------------------------


UI = "http://127.0.0.1:4200/v2"
WEB = Web(
    {name: (f"{UI}/{name}", {}) for name in ("release", "promote", "rollback", "answer", "nightly-refresh")}
)
ASKS = Finding(
    "build",
    "orders",
    Verdict.FAILED,
    "orders: other inputs",
    fix="first: sluice refresh --env prod; then again",
)


@pytest.mark.parametrize(
    ("state", "form"),
    [(State.STAGED, "answer"), (State.APPROVED, "release"), (State.REFUSED, "release"), (State.REJECTED, "release"),
     (State.STABLE, "rollback"), (State.FAILED, "release"), (State.STARTED, "release")],
)  # fmt: skip
def test_where_forms_are_served_the_page_asks_for_no_command(state: State, form: str) -> None:
    yes = WEB.form("answer", {"decision": "approve"})
    promotion = replace(PROMOTION, state=state, generation=3 if state is State.STABLE else None)
    told = replace(
        WAITING, promotion=promotion, reports=(*WAITING.reports, GateReport("build", (ASKS,))), serves=3, web=WEB,
        way=WebLinks(yes=yes) if state is State.STAGED else WebLinks(),
    )  # fmt: skip
    served, alone = page(report(told)), page(report(replace(told, web=Web(), way=WebLinks())))

    assert re.findall(r"sluice [a-z]+", Seen(served).text) == []
    assert f'href="{UI}/{form}?parameters=' in served
    assert f'href="{UI}/nightly-refresh?parameters=' in served, "what a finding says is a link, too"
    assert "sluice refresh --env prod" in Seen(alone).text
    assert f"sluice report {PROMOTION.id} --format json" in Seen(alone).text


def test_what_no_form_does_stays_a_command_on_the_page() -> None:
    away = Displaced(Name("main", "orders"), Name("store", "orders__1"), Replacement.TABLE)
    serves = replace(
        FULL, promotion=replace(PROMOTION, state=State.STABLE, generation=3), serves=3, displaced=(away,)
    )
    assert '<code class="command">sluice doctor --repair</code>' in page(report(replace(serves, web=WEB)))


# ---- it fits -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_thousands_of_findings_fit_and_what_is_left_out_is_counted() -> None:
    made = report(huge(3_000))
    whole = page(made)
    assert len(whole) <= LIMIT
    text = Seen(whole).text
    assert text.index("this must be seen") < text.index("warning 0")
    left = [int(number) for number in re.findall(r"and (\d+) more findings?", text)]
    shown = len(re.findall(r'id="finding-\d+"', whole))
    assert 3_001 - shown in left
    assert "drawn together" in text or "lineage" not in whole


@pytest.mark.parametrize("limit", [200, 1_000, 3_000, 10_000, LIMITS["github"], LIMITS["gitlab"]])
def test_markdown_fits_its_limit_and_begins_with_the_verdict(limit: int) -> None:
    told = markdown(report(huge(60)), limit=limit)
    assert len(told) <= limit
    assert "**REFUSED.**" in told
    assert limit < 10_000 or "this must be seen" in told


def test_the_last_resort_is_a_cut_that_is_said() -> None:
    assert fitting(lambda _: "x" * 500, 100).endswith(
        "(cut here: the report is longer than this place takes)\n"
    )
    assert [len(fitting(lambda _: "x" * 500, limit)) for limit in (1, 20, 100)] == [1, 20, 100]


def test_a_big_lineage_keeps_what_tells_and_draws_the_rest_together() -> None:
    lineage = report(huge(500, rows=1)).lineage
    alone = [dot for dot in lineage.dots if dot.part != "rest"]
    assert any(dot.id == uid("m0") and dot.verdict is Verdict.FAILED for dot in alone)
    together = sum(int(dot.label.split()[0]) for dot in lineage.dots if dot.part == "rest")
    assert (together, len(alone) + together) == (lineage.left_out, 500)


def test_a_wide_lineage_is_bounded() -> None:
    from tests.reporting.reported import Action, plan, step

    steps = tuple(step(f"m{n}", Action.BUILD, "changed") for n in range(200))
    lineage = report(
        replace(FULL, plan=plan(steps, {f"m{n}": ("m0",) for n in range(1, 200)}), reports=())
    ).lineage
    assert len(lineage.dots) <= MOST + 2
    assert lineage.left_out == 200 - MOST
    known = {dot.id for dot in lineage.dots}
    assert all(above in known and below in known for above, below in lineage.edges)


def test_the_terminal_says_what_to_do_about_a_finding() -> None:
    assert "what to do: Group by one column less" in on_a_terminal(report(FULL))


# ---- what whoever decides sees first -------------------------------------------------------------------


def test_a_terminal_counts_the_promotions_of_a_release_that_has_thousands() -> None:
    others = tuple(replace(PROMOTION, id=f"other-{number:04}") for number in range(3000))
    made = report(replace(FULL, others=others))
    lines = on_a_terminal(made)
    assert "other-0019" in lines
    assert "other-0020" not in lines
    assert "and 2980 more (all of them: --json)" in lines
    assert "other-2999" in in_json(made)


def test_every_gate_that_stopped_it_is_among_the_first_points() -> None:
    """A gate with many findings must not hide the one that says whose dashboard breaks."""
    many = tuple(
        Finding("contracts", f"c{n}", Verdict.FAILED, "there is no such column", (uid("daily"),))
        for n in range(9)
    )
    breaks = Finding(
        "impact", "board", Verdict.FAILED, "Morning board would break", (uid("daily"),), fix="keep it"
    )
    parity = Finding("parity", "engine", Verdict.FAILED, "two engines")
    secret = Finding("secrets", "key", Verdict.FAILED, "a key in models/a.sql")
    reports = tuple(
        GateReport(gate, found)
        for gate, found in (
            ("contracts", many),
            ("impact", (breaks,)),
            ("parity", (parity,)),
            ("secrets", (secret,)),
        )
    )
    made = report(replace(FULL, reports=reports))
    assert [item.about.split()[0] for item in made.points[:4]] == ["contracts", "impact", "parity", "secrets"]
    assert made.points[0].text == "daily: there is no such column"
    assert made.points[4].text == "and 8 more findings"
    assert made.head.advice[0].text == "impact board: keep it."


def test_a_change_that_somebody_reads_comes_before_those_that_nobody_reads() -> None:
    unread = tuple(
        Finding(
            "diff", f"stage_{n}", Verdict.PASSED, f"stage_{n}: 1 of 2 rows changed", (uid(f"stage_{n}"),), 0.5
        )
        for n in range(5)
    )
    read = Finding("diff", "daily", Verdict.PASSED, "daily: 2 of 2 rows changed", (uid("daily"),), 1.0)
    made = report(replace(WAITING, reports=(GateReport("diff", (*unread, read)),)))
    point = next(item for item in made.points if item.anchor.startswith("diff-"))
    assert point.text == "2 of 2 rows changed; read by Morning board (Operations)"
    assert f'id="{point.anchor}"' in page(made)
    assert made.changed[int(point.anchor.removeprefix("diff-")) - 1].name == "daily"


@pytest.mark.parametrize("state", [State.REFUSED, State.STAGED, State.STARTED])
def test_an_old_promotion_does_not_say_that_what_was_served_then_still_is(state: State) -> None:
    head = report(replace(FULL, promotion=replace(PROMOTION, state=state), serves=7)).head
    assert "still serves" not in head.sentence
    assert "prod serves generation 7 by now" in head.sentence


def test_a_rollback_says_what_is_served_again() -> None:
    promotion = replace(PROMOTION, state=State.STABLE, cause=Cause.ROLLBACK, generation=5)
    again = Generation("prod", 5, PROMOTION.release, PROMOTION.id, 1, Cause.ROLLBACK, 2, NOW, ())
    made = report(replace(FULL, promotion=promotion, serves=5, generations=(again,), plan=None, reports=()))
    assert "as generation 5 (generation 2 again)." in made.head.sentence
    for form in (page, markdown):
        assert "an older generation is served again" in form(made)


def test_a_form_does_not_say_that_nothing_changes_where_nothing_was_compared() -> None:
    early = GateReport("lint", (Finding("lint", "LT01", Verdict.FAILED, "a line too long"),))
    made = report(replace(FULL, reports=(early,), plan=plan((), {})))
    for form in (page, markdown):
        assert "was found to change" not in form(made)
        assert "it ended before that" in form(made)


def test_a_table_of_numbers_has_blanks_in_markdown_too() -> None:
    numbers = Evidence(
        ("rows", "count", "share"), (("before", "30", None),), 1, title="rows", bars=("share",)
    )
    one = Finding("diff", "daily", Verdict.PASSED, "daily: 1 row", (uid("daily"),), 0.5, more=(numbers,))
    told = markdown(report(replace(FULL, reports=(GateReport("diff", (one,)),))))
    assert "| before | 30 |  |" in told


@pytest.mark.parametrize(
    ("decision", "word"), [(Decision.REJECT, "REJECTED"), (Decision.APPROVE, "APPROVED")]
)
def test_nobody_is_asked_for_an_answer_that_was_given(decision: Decision, word: str) -> None:
    """The promotion stays staged until it goes on: the answer counts before that."""
    given = Approval(
        "a1", PROMOTION.id, PROMOTION.binding, decision, "Bo", "as agreed", NOW, NOW + timedelta(days=3)
    )
    found = replace(WAITING, approvals=(given,), at=NOW + timedelta(hours=1))
    head = report(found).head
    assert (head.word, "Bo" in head.sentence) == (word, True)
    assert not any("sluice approve" in item.command for item in head.advice)
    other = replace(given, binding="00" * 32)
    for void in (other, replace(given, expires_at=NOW)):
        assert report(replace(found, approvals=(void,))).head.word == "WAITING", "it does not count"
