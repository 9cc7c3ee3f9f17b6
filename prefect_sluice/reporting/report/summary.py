"""The head of a report: the verdict in a word and a sentence, and what the reader should do next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_sluice.approvals.approval_policy import rule
from prefect_sluice.domain.counting import count
from prefect_sluice.domain.displaced_names import TAKE_BACK, describe_displaced
from prefect_sluice.domain.promotion import Approval, Decision, Promotion, State
from prefect_sluice.domain.verdict import Finding, Verdict
from prefect_sluice.reporting.part import titled
from prefect_sluice.reporting.report.model import Advice, GateRow, Headline, ReleaseRecord, Report
from prefect_sluice.reporting.styled_text import Style
from prefect_sluice.reporting.terminal.promotion import going_on

_FIXES = 3


def head(record: ReleaseRecord, gates: Sequence[GateRow], findings: Sequence[Finding]) -> Headline:
    """Return the head of a promotion's report; of a release that was never promoted, too."""
    promotion = record.promotion
    where = promotion.environment if promotion is not None else ""
    title = (
        titled(record.release, where, record.commits)
        if record.release
        else "A release that is not known any more"
    )
    if promotion is None:
        return Headline(title, "PACKED", Style.PLAIN, "It was never promoted anywhere.", ())
    if promotion.cause.goes_back:
        title = f"Rollback: {title}"
    elif promotion.cause.renews:
        title = f"Refresh: {title}"
    elif not promotion.cause.publishes:
        title = f"Check: {title}"
    match promotion.state:
        case State.STAGED:
            return _waiting(record, promotion, title, gates)
        case State.REFUSED:
            return _refused(record, promotion, title, gates, findings)
        case State.STABLE | State.DEPLOYED:
            return _served(record, promotion, title, gates)
        case State.APPROVED | State.DEPLOYING:
            sentence = (
                f"{_stop(_capital(promotion.message))} It is not served yet; {_now(record, promotion)}."
            )
            return Headline(title, "APPROVED", Style.GOOD, sentence.strip(), _go_on(record, promotion))
        case State.CHECKED:
            return _checked(record, promotion, title, gates)
        case State.STARTED:
            sentence = f"It was begun and has not come to an end; {_now(record, promotion)}."
            return Headline(title, "UNFINISHED", Style.WARN, sentence, _go_on(record, promotion))
        case _:
            # What became of the environment since, nobody can tell from here: `_now` would be wrong of an old one.
            sentence = _stop(_capital(promotion.message or promotion.state.value))
            return Headline(
                title, promotion.state.value.upper(), Style.BAD, sentence, _again(record, promotion)
            )


def waits_for_an_answer(report: Report) -> bool:
    """Say whether somebody has to say yes or no to it, and nobody has."""
    record = report.dossier
    promotion = record.promotion
    if promotion is None or promotion.state is not State.STAGED or not record.approvals_needed:
        return False
    return rule(promotion, record.approvals, record.at).by is None


def _checked(record: ReleaseRecord, promotion: Promotion, title: str, gates: Sequence[GateRow]) -> Headline:
    sentence = f"{_let_through(gates)}. This was a check: nothing was published, and nobody was asked; {_now(record, promotion)}."
    release = (
        f"sluice release {record.release.change.short} --env {promotion.environment}"
        if record.release
        else ""
    )
    advice = (Advice("To bring it to its readers, release it:", release),) if release else ()
    return Headline(title, "CHECKED", Style.GOOD, sentence, advice)


def _let_through(gates: Sequence[GateRow]) -> str:
    """Return that the gates let it through, and which of them with warnings."""
    judged = [gate for gate in gates if gate.verdict is not None]
    warned = [gate.gate for gate in judged if gate.verdict is not Verdict.PASSED]
    sentence = (
        f"{'All ' if len(judged) > 1 else ''}{count(len(judged), 'gate')} that could be asked let it through"
    )
    return sentence + (f", with warnings of {', '.join(warned)}" if warned else "")


def _waiting(record: ReleaseRecord, promotion: Promotion, title: str, gates: Sequence[GateRow]) -> Headline:
    sentence = _let_through(gates)
    if not record.approvals_needed:
        return Headline(
            title, "READY", Style.GOOD, f"{sentence}; {_now(record, promotion)}.", _go_on(record, promotion)
        )
    # Its state changes when the promotion goes on; whoever reads this must not be asked for what was answered.
    answer = rule(promotion, record.approvals, record.at).by
    if answer is not None:
        return _answered(record, promotion, title, answer)
    sentence += f". Until somebody says yes, {_now(record, promotion)}."
    advice = (
        Advice("You agree that readers get this:", f"sluice approve {promotion.id}"),
        Advice("You do not:", f'sluice reject {promotion.id} --comment "why"'),
        Advice("After the yes, it is deployed by:", _command(record, promotion)),
    )
    return Headline(title, "WAITING", Style.WARN, sentence, advice)


def _answered(record: ReleaseRecord, promotion: Promotion, title: str, answer: Approval) -> Headline:
    """Return the head of one that somebody said yes or no to, and that did not go on since."""
    if answer.decision is Decision.APPROVE:
        sentence = f"Approved by {answer.who}. It is not served yet; {_now(record, promotion)}."
        return Headline(title, "APPROVED", Style.GOOD, sentence, _go_on(record, promotion))
    why = f": {answer.comment}" if answer.comment else ""
    sentence = f"Rejected by {answer.who}{why}; {_now(record, promotion)}."
    again = Advice("Change what was objected to and commit. Then release again:", _command(record, None))
    return Headline(title, "REJECTED", Style.BAD, sentence, (again,))


def _refused(
    record: ReleaseRecord,
    promotion: Promotion,
    title: str,
    gates: Sequence[GateRow],
    findings: Sequence[Finding],
) -> Headline:
    held = [gate.gate for gate in gates if gate.holds]
    bad = [finding for finding in findings if finding.gate in held and not finding.verdict.lets_through]
    sentence = (
        f"{count(len(bad), 'finding')} of {_and(held)} stopped it" if held else _capital(promotion.message)
    )
    sentence = f"{sentence}; {_now(record, promotion)}, and nothing that people read has changed by it."
    fixes = {finding.fix: finding for finding in reversed(bad) if finding.fix}
    advice = [
        Advice(_stop(f"{finding.gate} {finding.check}: {fix}"), finding=finding)
        for fix, finding in list(reversed(fixes.items()))[:_FIXES]
    ]
    advice += [
        Advice(
            f"See the findings below, mend the project and commit. Then {_verb(promotion)} again:",
            _command(record, None),
        )
    ]
    return Headline(title, "REFUSED", Style.BAD, sentence, tuple(advice))


def _verb(promotion: Promotion) -> str:
    return "release" if promotion.cause.publishes else "check"


def _served(record: ReleaseRecord, promotion: Promotion, title: str, gates: Sequence[GateRow]) -> Headline:
    number, where = promotion.generation, promotion.environment
    warned = [gate.gate for gate in gates if gate.verdict is not None and gate.verdict is not Verdict.PASSED]
    warnings = f", with warnings of {_and(warned)}" if warned else ""
    if number == record.serves:
        sentence = f"{where} serves it as generation {number}{_again_served(record)}{warnings}."
        if record.displaced:
            sentence = f"{sentence[:-1]}, but its readers find something else: {describe_displaced(record.displaced)}."
            return Headline(
                title, "DISPLACED", Style.BAD, sentence, (Advice("Take the names back:", TAKE_BACK),)
            )
        back = Advice(
            "If it turns out to be wrong, go back:", f"sluice rollback --env {where} --from {number}"
        )
        return Headline(title, "SERVING", Style.GOOD, sentence, (back,) if number and number > 1 else ())
    sentence = (
        f"{where} served it as generation {number}{_again_served(record)}{warnings};"
        f" now it serves generation {record.serves}."
    )
    return Headline(title, "SERVED", Style.PLAIN, sentence, ())


def _again_served(record: ReleaseRecord) -> str:
    """Return which generation a rollback serves again; what readers find is what that one had."""
    older = [generation.origin for generation in record.generations if generation.origin != generation.number]
    return f" (generation {older[0]} again)" if older else ""


def _now(record: ReleaseRecord, promotion: Promotion) -> str:
    """Return what its environment goes on serving without it; an old promotion's serves another by now."""
    if record.serves and record.serves != promotion.base:
        return f"{promotion.environment} serves generation {record.serves} by now"
    if not promotion.base:
        return f"{promotion.environment} still serves nothing"
    return f"{promotion.environment} still serves generation {promotion.base}"


def _command(record: ReleaseRecord, promotion: Promotion | None) -> str:
    if promotion is not None:
        return going_on(promotion, record.release.change.commit if record.release else "")
    attempt = record.promotion
    assert attempt is not None
    return going_on(attempt)


def _go_on(record: ReleaseRecord, promotion: Promotion) -> tuple[Advice, ...]:
    return (Advice("Go on with it:", _command(record, promotion)),)


def _again(record: ReleaseRecord, promotion: Promotion) -> tuple[Advice, ...]:
    if promotion.state is State.UNCHANGED:
        return ()
    if promotion.state is State.REJECTED:
        return (
            Advice("Change what was objected to and commit. Then release again:", _command(record, None)),
        )
    return (Advice("Run it again; it is planned anew:", _command(record, promotion)),)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "no gate"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stop(text: str) -> str:
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
