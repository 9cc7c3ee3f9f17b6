"""What is said to a person in a browser: the form that does it, with its address, where a terminal is told the command. Pure.

A fix names a command (`lift it: sluice unhold prod --reason WHY`). Who reads it in Prefect has no terminal, and gets
`lift it: form controls, http://...`, filled in with what the command says. What has no form stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from prefect_sluice.domain.digests import Json
from prefect_sluice.domain.next_step import Command, NextStep

_TERMINAL = ((" (--wait 10m)", ""), ("run the command again", "run it again"))
"""Words that mean something only where a command was typed, and what is said in their place."""


@dataclass(frozen=True, slots=True)
class Web:
    """Where people do on the web what a command does. `forms` has a page and the parameters that it is opened with, by the
    form's name; `status` is the page that says what serves and waits; `report` gives the page of a promotion's report by its
    id. "" is what nobody serves."""

    forms: Mapping[str, tuple[str, Mapping[str, Json]]] = field(
        default_factory=dict[str, tuple[str, Mapping[str, Json]]]
    )
    status: str = ""
    report: Callable[[str], str] = lambda _: ""

    def form(self, name: str, filled: Mapping[str, Json]) -> str:
        """Return the page of a form with these fields filled in beside what it is opened with; "" where there is none."""
        if name not in self.forms:
            return ""
        url, parameters = self.forms[name]
        # What Prefect's own links to a form look like.
        fields_json = json.dumps({**parameters, **filled}, ensure_ascii=False, separators=(",", ":"))
        return f"{url}?parameters={quote(fields_json, safe='')}"


@dataclass(frozen=True, slots=True)
class _Form:
    """The form that does what a command does. `word` is the field that the command's first word fills in, `options` are those
    of its options ("": the form asks for it), `filled` what is filled in anyhow."""

    name: str
    word: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    filled: Mapping[str, Json] = field(default_factory=dict[str, Json])


_WHY = {"--reason": "", "--until": ""}


def _control(act: str, word: str = "environment") -> _Form:
    return _Form("controls", word, _WHY, {"act": act})


_FORMS: Mapping[str, _Form] = {
    "check": _Form("check", "ref", {"--env": "environment"}),
    "release": _Form("release", "ref", {"--env": "environment"}),
    "refresh": _Form("nightly-refresh", "", {"--env": "environment", "--select": "select"}),
    "promote": _Form("promote", "release", {"--to": "environment", "--from": "origin", "--select": "select"}),
    "rollback": _Form("rollback", "", {"--env": "environment", "--from": "from_generation", "--reason": ""}),
    "approve": _Form("answer", "promotion", {"--comment": ""}, {"decision": "approve"}),
    "reject": _Form("answer", "promotion", {"--comment": ""}, {"decision": "reject"}),
    "plan": _Form("plan", "ref", {"--env": "environment", "--why": "why"}),
    "collect": _Form("collect", "", {"--env": "environment"}),
    "hold": _control("hold"),
    "unhold": _control("lift the hold"),
    "freeze": _control("freeze"),
    "unfreeze": _control("lift the freeze"),
    "block": _control("block", "release"),
    "unblock": _control("lift the block", "release"),
    "history": _Form("rollback"),
    "end-preview": _Form("controls", "preview", {}, {"act": "end a preview"}),
}
_PAGE = _Form("", "promotion", {"--output": "", "--format": ""})
"""What is read of a command that has a page in place of a form."""
_FLAGS: Mapping[str, tuple[str, Json]] = {
    "--all": ("environment", "every environment"),
    "--dry-run": ("dry_run", True),
    "--catch-up": ("catch_up", True),
}
_NUMBERS = frozenset({"from_generation"})
_PAGES = frozenset({"show", "report"})
_VERB = re.compile(r"(?P<tick>`?)(?<![\w/.-])sluice (?P<verb>[a-z]+(?:-[a-z]+)*)(?![\w-])")
_OPTION = re.compile(r" (?P<name>--[a-z-]+)")
_WORD = re.compile(
    r"""[ =](?:'(?P<one>[^']*)'|"(?P<two>[^"]*)"|(?P<plain>[\w/@+~^{}*-]+(?:[.:][\w/@+~^{}*-]+)*))"""
)
_BLOCK = re.compile(r"^```(?:console|sh)\n(?P<text>sluice [^\n]*)\n```$", re.MULTILINE)
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Told:
    """A place in a text that names a command: where it ends, the form's name and its page."""

    start: int
    end: int
    what: str
    url: str


def in_words(text: str, web: Web) -> str:
    """Return a line that may name commands with the forms in their place, each with its address."""
    return "".join(f"{text}, {url}" if url else text for text, url in in_pieces(text, web))


def step_in_words(step: NextStep, web: Web) -> str:
    """Return what to do next with the forms in place of its commands, each with its address. No text is searched."""
    return "".join(_part_in_words(part, web) for part in step.parts)


def _part_in_words(part: str | Command, web: Web) -> str:
    if isinstance(part, str):
        return in_words(part, web)
    form_and_page = _form_of(part.words, web)
    return ", ".join(form_and_page) if form_and_page is not None else str(part)


def in_pieces(text: str, web: Web) -> tuple[tuple[str, str], ...]:
    """Return a line that may name commands in pieces, each with the address that it leads to: the form in a command's place,
    and "" for what is text."""
    if not web.forms:
        return ((text, ""),)
    for terminal, on_the_web in _TERMINAL:
        text = text.replace(terminal, on_the_web)
    return tuple(_pieces(text, web))


def in_markdown(text: str, web: Web) -> str:
    """Return a text in Markdown with links to the forms in place of commands; other blocks of code stay as they are."""
    if not web.forms:
        return text

    def block(fence: re.Match[str]) -> str:
        linked = _linked(fence["text"], web)
        return fence[0] if linked == fence["text"] else linked

    parts = _FENCE.split(_BLOCK.sub(block, text))
    return "".join(part if part.startswith("```") else _linked(part, web) for part in parts)


def _linked(text: str, web: Web) -> str:
    return "".join(f"[{text}]({url})" if url else text for text, url in _pieces(text, web))


def _pieces(text: str, web: Web) -> Iterator[tuple[str, str]]:
    at = 0
    for verb_match in _VERB.finditer(text):
        form = _form_for_command(text, verb_match, web) if verb_match.start() >= at else None
        if form is not None:
            yield from ((text[at : form.start], ""), (form.what, form.url))
            at = form.end
    yield text[at:], ""


def _form_for_command(text: str, verb_match: re.Match[str], web: Web) -> _Told | None:
    """Return what stands for the command that begins there; None where there is nothing on the web that does it."""
    words, end = _read(text, verb_match)
    if verb_match["tick"]:
        if not text.startswith("`", end):
            return None
        end += 1
    form_and_page = _form_of(words, web)
    return _Told(verb_match.start(), end, *form_and_page) if form_and_page is not None else None


def _form_of(words: tuple[str, ...], web: Web) -> tuple[str, str] | None:
    """Return what stands for a command, and its page; None where there is nothing on the web that does it."""
    verb, *given = words
    filled = _filled(given, _FORMS.get(verb, _PAGE))
    if filled is None:
        return None
    match verb:
        case "status" | "previews":
            what, url = "what serves and waits", web.status
        case _ if verb in _PAGES:
            what, url = "its report", web.report(str(filled.get("promotion", "")))
        case _ if verb in _FORMS:
            form = _FORMS[verb]
            what = "the list in form rollback" if verb == "history" else f"form {form.name}"
            url = web.form(form.name, {**form.filled, **filled})
        case _:
            return None
    return (what, url) if url else None


def _read(text: str, verb_match: re.Match[str]) -> tuple[tuple[str, ...], int]:
    """Return the words of the command that begins there, as far as they can be a command's, and where they end."""
    verb, at = verb_match["verb"], verb_match.end()
    words = [verb]
    word = _WORD.match(text, at) if _FORMS.get(verb, _PAGE).word and not text.startswith(" --", at) else None
    if word is not None:
        words.append(_value(word))
        at = word.end()
    while (option := _OPTION.match(text, at)) is not None:
        words.append(option["name"])
        at = option.end()
        value = _WORD.match(text, at) if option["name"] not in _FLAGS else None
        if value is not None:
            words.append(_value(value))
            at = value.end()
    return tuple(words), at


def _filled(given: Sequence[str], form: _Form) -> dict[str, Json] | None:
    """Return the fields that a command's words fill in; None for what the form does not have."""
    filled: dict[str, Json] = {}
    left = iter(given)
    for number, word in enumerate(left):
        if word in _FLAGS:
            key, flag = _FLAGS[word]
            filled[key] = flag
        elif number == 0 and form.word and not word.startswith("--"):
            filled[form.word] = word
        elif word in form.options and (value := next(left, None)) is not None:
            key = form.options[word]
            filled |= {key: int(value) if key in _NUMBERS else value} if key else {}
        else:
            return None
    return filled


def _value(word: re.Match[str]) -> str:
    return next(part for part in word.groups() if part is not None)
