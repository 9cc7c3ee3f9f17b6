"""What the help of each command shows at its end: how it is typed on an ordinary day. Each is parsed by a test."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "init": (
        ("sluice init", "for the project in this folder"),
        ("sluice init --project analytics", "for one of several projects"),
    ),
    "plan": (
        ("sluice plan", "what a release of HEAD would do"),
        ("sluice plan main --env prod --why fct_orders", "and why one model is built"),
        ("sluice plan feature/discounts --env prod --base main", "what of it is of this branch"),
    ),
    "lint": (
        ("sluice lint", "the models that you edited"),
        ("sluice lint models/marts --fix", "mend a folder"),
    ),
    "check": (
        ("sluice check", "HEAD, beside what the default environment serves"),
        ("sluice check feature/discounts --env prod", "a branch, beside what readers of prod have"),
        ("sluice check feature/discounts --env prod --base main", "and what of it main has already"),
        ("sluice check --env prod --report-to github", "in a job of GitHub: a status and a comment"),
    ),
    "lineage": (
        ("sluice lineage orders.amount", "both ways: what it is made of, what is made of it"),
        ("sluice lineage orders --env prod", "each column, with what it is directly made of"),
    ),
    "checks": (
        ("sluice checks", "of all environments"),
        ("sluice checks --env prod --limit 5", "the last five of one"),
    ),
    "previews": (
        ("sluice previews", "all that can be read now"),
        ("sluice previews --json", "for a script: names, schemas, when each ends"),
    ),
    "end-preview": (
        ("sluice end-preview pr-12", "its names go at once"),
        ("sluice end-preview pr-12 --as ada", "and the ledger says who ended it"),
        ("sluice end-preview pr-12 --if-exists", "in a job of CI: its check may never have passed"),
    ),
    "release": (
        ("sluice release", "HEAD, into the default environment"),
        ("sluice release main --env prod --wait 10m", "wait for another release to end"),
    ),
    "refresh": (
        ("sluice refresh --env prod", "what has new data"),
        ("sluice refresh --env prod --select +fct_orders", "one model and what it reads"),
    ),
    "promote": (
        ("sluice promote --to prod", "all that the environment before serves"),
        ("sluice promote --to prod --select fct_orders --plan", "see what a part would change"),
    ),
    "up": (
        ("sluice up --open", "on this machine, until Ctrl-C"),
        ("sluice up --port 4300", "at another port"),
    ),
    "approve": (
        ("sluice approve", "what waits, if only one does"),
        ("sluice approve 3f2a91 --comment 'agreed with finance'", "one of several"),
    ),
    "reject": (
        ("sluice reject", "what waits, if only one does"),
        ("sluice reject 3f2a91 --comment 'wrong month'", "and say why"),
    ),
    "rollback": (
        ("sluice rollback --env prod --reason 'wrong totals'", "to the former release"),
        ("sluice rollback --env prod --to 12", "to generation 12"),
    ),
    "hold": (
        ("sluice hold prod --reason 'close of books'", "until it is lifted"),
        ("sluice unhold prod --reason 'books closed'", "lift it"),
    ),
    "unhold": (
        ("sluice unhold prod --reason 'mended'", "after a rollback"),
        ("sluice status --env prod", "what else stops it"),
    ),
    "freeze": (
        ("sluice freeze --all --reason 'year end' --until 2d", "everything, for two days"),
        ("sluice freeze prod --reason 'audit'", "one environment, until it is lifted"),
    ),
    "unfreeze": (
        ("sluice unfreeze --all --reason 'year end is over'", "of all"),
        ("sluice unfreeze prod --reason 'audit is over'", "of one"),
    ),
    "block": (
        ("sluice block 4f2c81a --reason 'doubles orders'", "by release or commit"),
        ("sluice unblock 4f2c81a --reason 'it did not'", "lift it"),
    ),
    "unblock": (
        ("sluice unblock 4f2c81a --reason 'it was the source'", "by release or commit"),
        ("sluice history", "which releases there are"),
    ),
    "release-hold": (
        ("sluice release-hold prod --reason 'mended'", "every hold and freeze of prod"),
        ("sluice release-hold --all --reason 'over'", "the freeze of everything"),
    ),
    "status": (
        ("sluice status", "every environment"),
        ("sluice status --env prod --disk", "and what takes room"),
    ),
    "history": (
        ("sluice history --env prod", "the last 20 lines"),
        ("sluice history --env prod --limit 200 --json", "for a program"),
    ),
    "diff": (
        ("sluice diff --env prod", "what serves against what served before"),
        ("sluice diff 11 12 --env prod", "two generations"),
    ),
    "coverage": (("sluice coverage", "each model"), ("sluice coverage --json", "for a program")),
    "collect": (
        ("sluice collect --dry-run", "what would go"),
        ("sluice collect --env prod", "drop it"),
    ),
    "doctor": (("sluice doctor", "look"), ("sluice doctor --repair", "and mend what is safe")),
    "backup": (
        ("sluice backup state.backup", "the state store, while others work"),
        ("sluice backup --warehouse shop.backup --env prod", "a warehouse, while others read it"),
    ),
    "restore": (
        ("sluice restore state.backup", "into an empty state store"),
        ("sluice doctor", "see that it agrees with the warehouse"),
    ),
    "export": (("sluice export prod-for-ci --for ci --env prod", "while others work"),),
    "import": (
        ("sluice import prod-for-ci", "in a job's checkout"),
        ("sluice check --env prod", "check its commit beside it"),
    ),
    "leave": (("sluice leave dev --dry-run", "what would be done"), ("sluice leave dev", "do it")),
    "show": (("sluice show", "what serves"), ("sluice show 3f2a91", "a promotion, release or generation")),
    "logs": (
        ("sluice logs --env prod --follow", "the run that is at work"),
        ("sluice logs 3f2a91", "all runs of a promotion"),
    ),
    "report": (
        ("sluice report", "as Markdown, for a pull request"),
        ("sluice report 3f2a91 --output report.html", "as one page"),
    ),
    "open": (("sluice open", "the newest promotion"), ("sluice open 3f2a91", "one promotion")),
    "completion": (
        ("sluice completion --install", "for your own shell"),
        ("sluice completion zsh", "print the line"),
    ),
}


def text(name: str) -> str:
    """Return the examples of a command as the end of its help; "" if it has none."""
    rows = EXAMPLES.get(name, ())
    if not rows:
        return ""
    width = max(len(command) for command, _ in rows)
    return "\n".join(("\b", "Examples:", *(f"  {command:<{width}}  # {why}" for command, why in rows)))
