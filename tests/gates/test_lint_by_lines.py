"""`lint` on a file that was changed in part: what the change brings holds it, what was there before is told once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from prefect_sluice.domain.verdict import INHERITED, GateReport, Verdict
from prefect_sluice.gates.base import ReleaseView, Subject, ToolsView, ask_gate
from prefect_sluice.gates.lint.gate import Lint
from prefect_sluice.gates.remedies import remedied
from tests.gates.before import changed
from tests.gates.keeping import Kept
from tests.gates.test_lint import CONFIG, node
from tests.gates.views import but

PASSED, WARNED, INCONCLUSIVE, FAILED = Verdict.PASSED, Verdict.WARNED, Verdict.INCONCLUSIVE, Verdict.FAILED
OLD = "SELECT\n    a,\n    b,\n    c  AS d\nFROM  t\n"
"""With rule CP01 for lower case and LT01: five findings, on lines 1, 4 and 5."""
LOWER = f"{CONFIG}[sqlfluff:rules:capitalisation.keywords]\ncapitalisation_policy = lower\n"
PATH = "models/x.sql"
Told = list[tuple[Verdict, str, str]]


def rules(*codes: str) -> str:
    return f"[sqlfluff]\ndialect = duckdb\nrules = {', '.join(codes)}\n"


def linted(
    folder: Path, was: Mapping[str, str | bytes], now: Mapping[str, str | bytes], config: str = LOWER
) -> GateReport:
    former = changed(folder, was, now)
    (folder / ".sqlfluff").write_text(config)
    nodes = {one.unique_id: one for one in map(node, now) if one.path.endswith(".sql")}
    given = Subject(
        ReleaseView(folder, nodes, (), rewritten=tuple(nodes), touched=(*now,), former=former),
        tools=ToolsView(memory=Kept()),
    )
    return ask_gate(Lint(), given)


def told(report: GateReport) -> Told:
    return [(item.verdict, item.check.partition(" ")[0], item.location) for item in report.findings]


def of_change(folder: Path, was: str | bytes, now: str | bytes, config: str = LOWER) -> Told:
    return told(linted(folder, {PATH: was}, {PATH: now}, config))


INHERITS = (WARNED, INHERITED, "")
CLEAN = (PASSED, "sqlfluff", PATH)


def test_a_change_of_one_line_is_held_to_the_rules_and_the_others_are_told_once(tmp_path: Path) -> None:
    report = linted(tmp_path / "p", {PATH: OLD}, {PATH: OLD.replace("    b,", "    b  AS e,")})
    assert sorted(told(report)[:-1]) == [(FAILED, "CP01", f"{PATH}:3"), (FAILED, "LT01", f"{PATH}:3")]
    old = report.findings[-1]
    assert (old.verdict, old.check) == (WARNED, INHERITED)
    assert (
        old.summary == "5 findings in 1 file, on lines that were there before; a line counts once it changes"
    )
    assert old.evidence is not None
    assert old.evidence.rows == ((PATH, "5", "CP01 capitalisation.keywords, LT01 layout.spacing"),)


@pytest.mark.parametrize(
    "now",
    [
        OLD.replace("    b,", "    b,\n    e,"),
        f"-- what this is\n\n{OLD}",
        OLD.replace("    b,\n", ""),
        OLD.replace("\n", "\r\n"),
        f"\ufeff{OLD}",
    ],
    ids=["one more", "all moved down", "one less", "other ends of lines", "a mark before it"],
)
def test_what_stands_on_lines_that_stayed_or_only_moved_is_let_pass(tmp_path: Path, now: str) -> None:
    found = of_change(tmp_path / "p", OLD, now)
    assert found[-1] == INHERITS
    assert all(item == CLEAN for item in found[:-1])


def test_an_old_line_that_changes_counts_as_a_whole(tmp_path: Path) -> None:
    found = of_change(tmp_path / "p", OLD, OLD.replace("FROM  t", "FROM  u"))
    assert sorted(found[:-1]) == [(FAILED, "CP01", f"{PATH}:5"), (FAILED, "LT01", f"{PATH}:5")]


def test_a_new_file_counts_as_a_whole_and_so_does_a_copy(tmp_path: Path) -> None:
    report = linted(tmp_path / "p", {PATH: OLD}, {PATH: OLD, "models/y.sql": OLD})
    assert {item.location.partition(":")[0] for item in report.findings if item.verdict is FAILED} == {
        "models/y.sql"
    }


def test_a_file_that_was_renamed_with_small_edits_is_the_same_file(tmp_path: Path) -> None:
    now = {"models/marts/z.sql": OLD.replace("    b,", "    b  as e,")}
    found = told(linted(tmp_path / "p", {PATH: OLD, "models/other.sql": "select 1\n"}, now))
    assert found == [(FAILED, "LT01", "models/marts/z.sql:3"), INHERITS]


@pytest.mark.parametrize(
    ("code", "was", "now", "holds"),
    [
        # The end of a file, and its beginning.
        ("LT12", "select a\nfrom t", "select b\nfrom t", False),
        ("LT12", "select a\nfrom t\n", "select a\nfrom t", True),
        ("LT12", "select a\nfrom t\n", "select a\nfrom t\n\n\n", True),
        ("LT12", "select a\nfrom t\n\n\n", "select b\nfrom t\n\n\n", False),
        ("LT13", "\n\nselect a\nfrom t\n", "\n\nselect a\nfrom u\n", False),
        ("LT13", "select a\nfrom t\n", "\n\nselect a\nfrom t\n", True),
        # Told at the first line of a clause, and about all of it.
        ("ST06", "select\n    a,\n    c\nfrom t\n", "select\n    a,\n    b + 1 as b,\n    c\nfrom t\n", True),
        ("ST06", "select\n    b + 1 as b,\n    c\nfrom t\n", "select\n    b + 1 as b,\n    d\nfrom t\n", False),
        ("ST06", "select\n    b,\n    c + 1 as c,\n    d\nfrom t\n", "select\n    c + 1 as c,\n    d\nfrom t\n", False),
        # What cannot be read, wherever sqlfluff says so.
        ("LT01", "select a\nfrom (\n    select b\n)\n", "select a\nfrom (\n    select b\n", True),
        ("LT01", "select a\nfrom (\n    select b\n", "select a\nfrom (\n    select c\n", False),
    ],
)  # fmt: skip
def test_what_is_about_more_than_a_line_counts_if_the_change_brought_it(
    tmp_path: Path, code: str, was: str, now: str, holds: bool
) -> None:
    found = of_change(tmp_path / "p", was, now, rules(code))
    assert any(item[0] is FAILED for item in found) is holds, found
    assert (INHERITS in found) is not holds


def test_what_a_change_brings_to_lines_that_it_leaves_alone_is_told_and_holds_nothing(tmp_path: Path) -> None:
    """The case of the first keyword is what all others are measured by."""
    was = "select a\nfrom t\nwhere b\n"
    found = linted(tmp_path / "p", {PATH: was}, {PATH: was.replace("select", "SELECT")}, CONFIG)
    assert told(found) == [(WARNED, "CP01", f"{PATH}:2"), (WARNED, "CP01", f"{PATH}:3")]
    assert found.findings[0].summary == (
        "Keywords must be consistently upper case. The change brings this to a line that it leaves as it was."
    )
    trailing = of_change(
        tmp_path / "q", "select\n    a,\n    b\nfrom t\n", "select\n    a,\nfrom t\n", rules("CV03")
    )
    assert trailing == [(WARNED, "CV03", f"{PATH}:2")]


def test_a_rule_that_is_new_holds_lines_that_change_from_now_on(tmp_path: Path) -> None:
    """The rules of now are what both texts are judged by."""
    was = "select\n    b + 1 as b,\n    c\nfrom t\n"
    now = was.replace("from t", "from  u").replace("    c\n", "    d\n")
    assert of_change(tmp_path / "p", was, now, rules("ST06", "LT01")) == [
        (FAILED, "LT01", f"{PATH}:4"),
        INHERITS,
    ]


def test_what_keeps_a_file_from_being_linted_is_no_news_where_it_did_so_before(tmp_path: Path) -> None:
    small = f"{CONFIG}large_file_skip_byte_limit = 30\n"
    stays = {".sqlfluff": small}
    old = linted(tmp_path / "old", {PATH: OLD, **stays}, {PATH: OLD.replace("b,", "e,"), **stays}, small)
    assert told(old) == [(WARNED, "sqlfluff", PATH)]
    assert old.findings[0].summary.endswith(
        "are over large_file_skip_byte_limit = 30; so it was before the change"
    )
    grown = linted(tmp_path / "new", {PATH: "select a from t\n", **stays}, {PATH: OLD, **stays}, small)
    # With a limit that comes with the change nobody gets past the rules.
    limited = linted(tmp_path / "limit", {PATH: OLD, ".sqlfluff": CONFIG}, {PATH: f"{OLD}-- more\n"}, small)
    assert told(grown) == told(limited) == [(INCONCLUSIVE, "sqlfluff", PATH)]
    # Nor by taking away the settings of a folder, or the file out of it.
    nested = {"models/.sqlfluff": "[sqlfluff]\nlarge_file_skip_byte_limit = 0\n", ".sqlfluff": small}
    taken = linted(tmp_path / "taken", {PATH: OLD, **nested}, {PATH: f"{OLD}-- more\n", **stays}, small)
    away = {"marts/x.sql": f"{OLD}-- more\n", **nested}
    out = linted(tmp_path / "out", {PATH: OLD, **nested}, away, small)
    assert (told(taken), told(out)) == (
        [(INCONCLUSIVE, "sqlfluff", PATH)],
        [(INCONCLUSIVE, "sqlfluff", "marts/x.sql")],
    )
    # Nothing of it was linted, the lines of the change included: that is told by itself.
    asks = "select {{ run_query('select 1').columns[0] }}\nfrom from\n"
    unrendered = linted(
        tmp_path / "asks", {PATH: asks}, {PATH: f"{asks}-- more\n"}, f"{CONFIG}templater = dbt\n"
    )
    assert told(unrendered) == [(WARNED, "rendering", PATH)]


def test_where_nobody_knows_what_a_file_was_every_line_counts_and_that_is_said(tmp_path: Path) -> None:
    now = {PATH: OLD.replace("b,", "e,")}
    former = changed(tmp_path / "p", {PATH: OLD}, now)
    shutil.rmtree(tmp_path / "p-bundles")
    (tmp_path / "p" / ".sqlfluff").write_text(LOWER)
    nodes = {"model.shop.x": node(PATH)}
    report = ask_gate(
        Lint(), Subject(ReleaseView(tmp_path / "p", nodes, (), rewritten=tuple(nodes), former=former))
    )
    assert [item.verdict for item in report.findings] == [FAILED] * 5 + [WARNED]
    assert report.findings[-1].summary == (
        f"what {PATH} held before is not to be had any more: every line counts as changed"
    )


def test_a_model_that_becomes_a_link_counts_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    former = changed(folder, {PATH: OLD}, {"shared/x.sql": OLD})
    (folder / ".sqlfluff").write_text(LOWER)
    (folder / "models").mkdir()
    (folder / PATH).symlink_to("../shared/x.sql")
    nodes = {"model.shop.x": node(PATH)}
    given = Subject(ReleaseView(folder, nodes, (), rewritten=tuple(nodes), touched=(PATH,), former=former))
    assert {item.verdict for item in ask_gate(Lint(), given).findings} == {FAILED}
    # One that leads where it led is as old as what it leads to: so it is on a first release.
    link = f"link:{former.bundles.put(b'../shared/x.sql')}"
    stays = replace(former, before={PATH: link, "shared/x.sql": former.before[PATH]})
    assert told(ask_gate(Lint(), but(given, former=stays))) == [INHERITS]
    (folder / "shared/x.sql").write_text(OLD.replace("    b,", "    b  AS e,"))
    found = told(ask_gate(Lint(), but(given, former=stays)))
    assert (sorted({place for verdict, _, place in found if verdict is FAILED})) == [f"{PATH}:3"]


def test_the_remedy_is_sqlfluffs_only_where_sqlfluff_has_one(tmp_path: Path) -> None:
    def remedies(now: str, *codes: str) -> dict[str, str]:
        report = remedied(linted(tmp_path / codes[0], {}, {PATH: now}, rules(*codes)))
        return {item.check.partition(" ")[0]: item.fix for item in report.findings}

    by_hand = f"mend {PATH}:1, or, if it is right as it is, end that line with: -- noqa: "
    assert remedies("select a from  t\n", "LT01") == {"LT01": "let sqlfluff mend it: sluice lint --fix"}
    wide = f"select {'a' * 90} from t\n"
    assert remedies(f"select a as {'b' * 90} from t\n", "RF04", "RF03", "AL03", "ST03") == {"sqlfluff": ""}
    assert remedies("select 1, 2 as date from t\n", "RF04") == {"RF04": f"{by_hand}RF04"}
    assert remedies(wide.replace("from t", "as date from  t"), "LT01", "RF04") == {
        "RF04": f"{by_hand}RF04; sluice lint --fix mends 1 other",
        "LT01": "let sqlfluff mend what it can: sluice lint --fix; the rest is yours",
    }
    # What is mended is what differs from what an environment serves, which need not be the usual one.
    one = node(PATH)
    given = Subject(
        ReleaseView(
            tmp_path / "LT01", {one.unique_id: one}, (), rewritten=(one.unique_id,), environment="prod"
        )
    )
    assert "sluice lint --fix --env prod" in ask_gate(Lint(), given).findings[0].fix
    # Of a file that it cannot read it mends nothing.
    unread = remedies("select a  as b from from where\n", "LT01", "CP01")
    assert not any("--fix" in fix for fix in unread.values())
    assert ".sqlfluffignore" in unread["PRS"]
