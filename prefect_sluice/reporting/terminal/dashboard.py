"""The story of a dashboard's promotion in plain words: what changes in what it shows, and who else sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prefect_sluice.domain.counting import count, noun
from prefect_sluice.domain.declarations import Consumer
from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.node import short_name
from prefect_sluice.domain.verdict import Evidence, Finding, GateReport
from prefect_sluice.planning.impact import ImpactInputs, in_words, reached, reads, title
from prefect_sluice.planning.plan import Action, Plan, Step
from prefect_sluice.planning.reasons import Because, some
from prefect_sluice.reporting.markdown import escaped
from prefect_sluice.reporting.styled_text import BLANK, Line, Style, wrapped
from prefect_sluice.reporting.table import WIDTH
from prefect_sluice.reporting.terminal.findings import DIFF, changes

_MOST = 20


@dataclass(frozen=True, slots=True)
class DashboardStory:
    """What a dashboard's promotion changes. `relations` counts all that it reads, directly or not; `changes` are those in
    which its readers will find something changed, each with how; `same` counts those built anew with the same rows.

    `beside` are relations that change although the dashboard does not read them: they read one that it does. `others` are
    the other dashboards, with the relations in which they see a change, too. `built` says that it was built and compared;
    before that it is what the code tells.
    """

    title: str
    environment: str
    relations: int
    changes: tuple[tuple[str, str], ...]
    same: int
    beside: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, tuple[str, ...]], ...]
    built: bool

    def document(self) -> Json:
        """Return it as JSON."""
        return {
            "title": self.title,
            "environment": self.environment,
            "relations": self.relations,
            "changes": [{"relation": name, "told": sentence} for name, sentence in self.changes],
            "same": self.same,
            "beside": [{"relation": name, "told": sentence} for name, sentence in self.beside],
            "others": [{"title": name, "relations": list(names)} for name, names in self.others],
            "compared": self.built,
        }


def story(
    consumer: Consumer,
    declared: Iterable[Consumer],
    plan: Plan,
    *,
    reports: Sequence[GateReport] = (),
    impact_inputs: ImpactInputs | None = None,
) -> DashboardStory:
    """Return what the plan changes for a dashboard's readers. `declared` are all dashboards, `reports` what the gates found
    so far, `impact_inputs` what the code tells where nothing is built yet. Pure."""
    read = _read(consumer, plan)
    built = any(report.gate == DIFF and not report.not_applicable for report in reports)
    changed = {
        uid: words
        for uid, words in _changes_by_node(plan, reports, impact_inputs, built=built).items()
        if words
    }
    moved = {step.node for step in _moved(plan)}
    others = (
        (title(other), tuple(short_name(uid) for uid in reads(other, plan) if uid in changed))
        for other in declared
        if other.unique_id != consumer.unique_id
    )
    return DashboardStory(
        title=title(consumer),
        environment=plan.environment,
        relations=len(read),
        changes=tuple((short_name(uid), changed[uid]) for uid in read if uid in changed),
        same=sum(uid in moved and uid not in changed for uid in read),
        beside=tuple((short_name(uid), words) for uid, words in changed.items() if uid not in read),
        others=tuple(sorted(other for other in others if other[1])),
        built=built,
    )


def _read(consumer: Consumer, plan: Plan) -> tuple[str, ...]:
    """Return all that a dashboard reads, directly or not, in build order."""
    there = {step.node: step for step in plan.steps}
    seen: set[str] = set()
    todo = [uid for uid in reads(consumer, plan) if uid in there]
    while todo:
        uid = todo.pop()
        if uid not in seen:
            seen.add(uid)
            makeup = plan.notes.makeup.get(uid)
            todo += [parent for parent in (makeup.reads if makeup else ()) if parent in there]
    return tuple(uid for uid in there if uid in seen)


def _moved(plan: Plan) -> list[Step]:
    return [step for step in plan.steps if step.moves and not step.is_by_product]


def _changes_by_node(
    plan: Plan, reports: Sequence[GateReport], impact_inputs: ImpactInputs | None, *, built: bool
) -> Mapping[str, str]:
    """Return what readers find changed, by unique id; "" where nothing is."""
    compared = {finding.subject: changed_rows_text(finding) for finding in changes(reports)}
    by_code: Mapping[str, str] = _by_code(plan, impact_inputs) if impact_inputs else dict[str, str]()
    sentences: dict[str, str] = {}
    for step in _moved(plan):
        if step.action is Action.REMOVE:
            sentences[step.node] = "is removed"
        elif step.reason.kind is Because.NEW:
            sentences[step.node] = "is new"
        elif step.node in compared:
            sentences[step.node] = compared[step.node]
        else:
            sentences[step.node] = "" if built else by_code.get(step.node, str(step.reason))
    return sentences


def _by_code(plan: Plan, impact_inputs: ImpactInputs) -> Mapping[str, str]:
    """Return what the code tells of each relation: as if somebody read them all."""
    everybody = Consumer("", "", parents=tuple(step.node for step in plan.steps))
    consumers = reached(impact_inputs, [everybody])
    effects = consumers[0].effects if consumers else ()
    uids = dict.fromkeys(effect.relation for effect in effects)
    return {uid: in_words([effect for effect in effects if effect.relation == uid]) for uid in uids}


def changed_rows_text(finding: Finding) -> str:
    """Return what the diff found in one relation as people say it: `120 of 4,000 rows change, in delay_minutes`."""
    tables = {table.title: table for table in finding.more}
    counted = {row[0]: row[1] for row in tables["rows"].rows} if "rows" in tables else {}
    if not counted:
        return finding.told_below(finding.check)
    parts = [_changed(counted, tables.get("columns"))]
    parts += [_rows(counted["added"], "comes", "come") if _some(counted, "added") else ""]
    parts += [_rows(counted["removed"], "goes", "go") if _some(counted, "removed") else ""]
    parts += _schema(tables.get("schema"))
    sentence_parts = [part for part in parts if part]
    return ", ".join(sentence_parts) if sentence_parts else f"{_rows(counted['before'])}, as before"


def _changed(counted: Mapping[str | None, str | None], columns: Evidence | None) -> str:
    if counted["changed"] is None:
        return f"other rows than before (no key tells which of {_rows(counted['before'])})"
    if not _some(counted, "changed"):
        return ""
    place = columns.columns.index("changed") if columns else 0
    names = [str(row[0]) for row in columns.rows if row[place] not in {None, "0"}] if columns else []
    where = f", in {some(names, most=4)}" if names else ""
    verb = "changes" if counted["changed"] == "1" else "change"
    return f"{_number(counted['changed'])} of {_rows(counted['before'])} {verb}{where}"


def _schema(table: Evidence | None) -> list[str]:
    rows = table.rows if table else ()
    new = [str(row[0]) for row in rows if row[1] is None]
    gone = [str(row[0]) for row in rows if row[2] is None]
    retyped = [f"{row[0]} is {row[2]}, was {row[1]}" for row in rows if row[1] and row[2]]
    return [
        *([f"new: {some(new, most=4)}"] if new else []),
        *([f"without {some(gone, most=4)}"] if gone else []),
        *retyped,
    ]


def _some(counted: Mapping[str | None, str | None], what: str) -> bool:
    return (counted.get(what) or "0") != "0"


def _rows(text: str | None, one: str = "row", many: str = "rows") -> str:
    return f"{_number(text)} {noun(1 if text == '1' else 2, one, many)}"


def _number(text: str | None) -> str:
    return f"{int(text):,}" if text and text.isdecimal() else str(text)


def headline(story: DashboardStory) -> str:
    """Return the first sentence: `Dashboard 'Ops board' (owner Operations): 2 of its 5 relations change in prod`."""
    changing = len(story.changes)
    if story.relations == 1:
        what = f"the one relation that it reads {'changes' if changing else 'does not change'}"
    else:
        which = f"{changing or 'none'} of the {count(story.relations, 'relation')} that it reads"
        what = f"{which} {noun(changing or 1, 'changes', 'change')}"
    return f"Dashboard {story.title}: {what} in {story.environment}"


def sentences(story: DashboardStory) -> tuple[str, ...]:
    """Return the whole story as plain lines: the headline, then each change, and who else sees it."""
    lines = [headline(story) + ("" if story.built else ", by their code (nothing is built yet)")]
    lines += [f"{name}: {words}" for name, words in story.changes[:_MOST]]
    lines += _more(len(story.changes))
    if story.same:
        lines.append(f"built anew with the same rows: {count(story.same, 'more relation')}")
    if story.beside:
        lines.append("It does not read these, and they change because they read one that it does:")
        lines += [f"{name}: {words}" for name, words in story.beside[:_MOST]]
        lines += _more(len(story.beside))
    lines.append(_others(story))
    return tuple(lines)


def _more(number: int) -> list[str]:
    return [f"and {number - _MOST} more"] if number > _MOST else []


def _others(story: DashboardStory) -> str:
    if not story.others:
        return "No other declared dashboard sees a change."
    other_stories = (f"{name}: {', '.join(names)}" for name, names in story.others[:_MOST])
    rest = f"; and {len(story.others) - _MOST} more" if len(story.others) > _MOST else ""
    return f"Other dashboards see a change, too: {'; '.join(other_stories)}{rest}"


def story_lines(story: DashboardStory, *, width: int = WIDTH) -> list[Line]:
    """Return the story for a terminal."""
    first, *rest = sentences(story)
    return [
        BLANK,
        *wrapped(first, width, indent=0, style=Style.STRONG),
        *(part for one in rest for part in wrapped(one, width)),
    ]


def story_markdown(story: DashboardStory) -> str:
    """Return the story for Prefect's artifacts, and for an approval's form."""
    first, *rest = sentences(story)
    listed = [f"- {escaped(one)}" for one in rest[:-1]]
    return "\n".join([f"### {escaped(first)}", "", *listed, "", escaped(rest[-1]), ""])
