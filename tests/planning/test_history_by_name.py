"""What goes on with which history: by public name, by the same code under other ids, and what rests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from prefect_sluice.domain.declarations import Consumer, Declarations, DeclaredTest, NodeDescription
from prefect_sluice.domain.generation import Cause, Generation, Pointer
from prefect_sluice.domain.node import FingerprintParts, Name, Node, NodeKind
from prefect_sluice.planning import history_by_name
from prefect_sluice.planning.plan_notes import NotesBefore
from prefect_sluice.planning.reasons import Note, Noted

NONE = history_by_name.Renames()
INCREMENTAL, SNAPSHOT, TABLE, VIEW = NodeKind.INCREMENTAL, NodeKind.SNAPSHOT, NodeKind.TABLE, NodeKind.VIEW


def name(identifier: str) -> Name:
    return Name("main", identifier)


def pointer(node: str, public: str, kind: NodeKind = INCREMENTAL, fingerprint: str = "f") -> Pointer:
    return Pointer(name(public), Name("store", f"{public}__{fingerprint}"), node, kind, fingerprint, "i")


def node(uid: str, public: str, kind: NodeKind = INCREMENTAL, fingerprint: str = "f", **more: object) -> Node:
    made = Node(uid, kind, name(public), "", "sql", (), fingerprint)
    return replace(made, **more)  # pyright: ignore[reportArgumentType]  # the cases give the fields


def generation(*pointers: Pointer) -> Generation:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return Generation("prod", 1, "r", "p", 1, Cause.RELEASE, 1, at, pointers)


def ids(**names: str) -> dict[Name, str]:
    return {name(public): uid for public, uid in names.items()}


@pytest.mark.parametrize(
    ("before", "today", "expected"),
    [
        ({"x": "m.s.a"}, {"x": "m.s.a"}, {"x": "m.s.a"}),
        ({"x": "m.s.a"}, {"x": "m.s.b"}, {"x": "m.s.b"}),
        ({"X": "m.s.a"}, {"x": "m.s.b"}, {"X": "m.s.b"}),
        ({"x": "m.s.a", "y": "m.s.b"}, {"x": "m.s.b", "y": "m.s.a"}, {"x": "m.s.b", "y": "m.s.a"}),
        ({"x": "m.s.a"}, {"z": "m.s.a"}, {"x": "m.s.a"}),
        ({"x": "m.s.a", "z": "m.s.w"}, {"z": "m.s.a"}, {"x": "former.main.x", "z": "m.s.a"}),
        ({"x": "m.s.a"}, {}, {"x": "m.s.a"}),
    ],
    ids=["same", "another id", "another case", "names swapped", "moved", "moved onto another", "gone"],
)
def test_what_served_is_known_by_its_name(
    before: dict[str, str], today: dict[str, str], expected: dict[str, str]
) -> None:
    live = generation(*(pointer(uid, public) for public, uid in before.items()))
    known = live.known_as(ids(**today))
    assert {item.name.identifier: item.node for item in known.pointers} == expected
    assert known.known_as(ids(**today)) == known
    changed = {before[public]: uid for public, uid in expected.items() if before[public] != uid}
    assert live.new_ids(ids(**today)) == changed


def test_notes_follow_the_name() -> None:
    makeup = FingerprintParts("1", {"code": "c"}, reads={"m.s.p": None})
    noted = NotesBefore(
        {"m.s.a": "1", "m.s.p": "2"}, {"t": "1"}, {"clock:day in m.s.a": "d", "raw.x": "v"},
        {"m.s.a": makeup}, {"m.s.a": {"clock:day in m.s.a": "d"}}, {"m.s.a": ("m.s.oldest",)},
    )  # fmt: skip
    moved = noted.renamed({"m.s.a": "m.t.a", "m.s.p": "m.t.p"})
    assert moved.nodes == {"m.t.a": "1", "m.t.p": "2"}
    assert moved.versions == {"clock:day in m.t.a": "d", "raw.x": "v"}
    assert moved.behind == {"m.t.a": {"clock:day in m.t.a": "d"}}
    assert moved.makeup["m.t.a"].reads == {"m.t.p": None}
    assert moved.former == {"m.t.a": ("m.s.a", "m.s.oldest"), "m.t.p": ("m.s.p",)}
    assert moved.new_ids == {"m.s.a": "m.t.a", "m.s.oldest": "m.t.a", "m.s.p": "m.t.p"}
    assert NotesBefore.read(moved.document()) == moved
    assert noted.renamed({}) == noted


def test_declarations_follow_the_name() -> None:
    reader = Consumer("exposure.s.r", "r", parents=("m.s.a",), columns={"m.s.a": ("id",)})
    test = DeclaredTest("test.s.t", "t", node="m.s.a", parents=("m.s.a",))
    found = Declarations({"r": reader}, {"t": test}, {"m.s.a": NodeDescription("told")}).renamed(
        {"m.s.a": "m.t.a"}
    )
    assert (found.consumers["r"].parents, found.consumers["r"].columns) == (("m.t.a",), {"m.t.a": ("id",)})
    assert (found.tests["t"].node, found.tests["t"].parents) == ("m.t.a", ("m.t.a",))
    assert found.described == {"m.t.a": NodeDescription("told")}


@pytest.mark.parametrize(
    ("past", "now", "goes_on", "says"),
    [
        (SNAPSHOT, node("m", "x", SNAPSHOT, "other"), True, None),
        (INCREMENTAL, node("m", "x"), True, None),
        (INCREMENTAL, node("m", "x", fingerprint="other"), False, Noted.IN_FULL),
        (
            INCREMENTAL,
            node("m", "x", fingerprint="other", forward_only=True),
            True,
            Noted.FORWARD_ONLY,
        ),
        (
            INCREMENTAL,
            node("m", "x", fingerprint="other", never_in_full=True),
            True,
            Noted.NEVER_IN_FULL,
        ),
        (INCREMENTAL, node("same", "x", fingerprint="other"), True, None),
        (INCREMENTAL, node("m", "x", TABLE), False, Noted.OTHER_KIND),
        (SNAPSHOT, node("m", "x", VIEW), False, Noted.OTHER_KIND),
        (INCREMENTAL, node("m", "x", SNAPSHOT), False, Noted.OTHER_KIND),
        (TABLE, node("m", "x", SNAPSHOT), False, None),
        (TABLE, node("m", "x", TABLE), False, None),
    ],
)
def test_what_goes_on_and_what_is_said(past: NodeKind, now: Node, goes_on: bool, says: Noted | None) -> None:
    before = pointer("m", "x", past)
    assert history_by_name.carries(now, before, {"same"}) is goes_on
    assert history_by_name.note(now, before, {"same"}) == (says and Note(says))


def _made(uid: str, reads: tuple[str, ...] = (), **parts: str) -> Node:
    words = {"code": "c", **{key.replace("__", " "): value for key, value in parts.items()}}
    makeup = FingerprintParts("w", words, reads=dict.fromkeys(reads))
    return node(uid, uid.rpartition(".")[2], parents=reads, makeup=makeup)


def test_code_is_the_same_where_only_ids_changed() -> None:
    """A parent that changed, or an ingredient of another name, is another code."""
    now = [
        _made("m.t.a"), _made("m.t.b", ("m.t.a",)), _made("m.t.c", code="changed"), _made("m.t.d", ("m.t.c",)),
    ]  # fmt: skip
    then = {
        "m.t.a": FingerprintParts("v", {"code": "c"}),
        "m.t.b": FingerprintParts("v", {"code": "c"}, reads={"m.t.a": None}),
        "m.t.c": FingerprintParts("v", {"code": "c"}),
        "m.t.d": FingerprintParts("v", {"code": "c"}, reads={"m.t.c": None}),
    }
    former = {uid: (uid.replace(".t.", ".s."),) for uid in then}
    nodes = {item.unique_id: item for item in now}
    noted = NotesBefore({}, {}, makeup=then)
    assert history_by_name.same_code(nodes, replace(noted, former=former), NONE) == {"m.t.a", "m.t.b"}
    assert history_by_name.same_code(nodes, noted, NONE) == frozenset()
    assert history_by_name.same_code(nodes, noted, NONE, moved=True) == {"m.t.a", "m.t.b"}, (
        "a name moved, no id did"
    )


def test_a_macro_of_the_project_keeps_its_name_without_the_project() -> None:
    makeup = FingerprintParts("w", {"macro t.money": "1", "on-run-start t-on-run-start-0": "2"})
    nodes = {"m.t.a": node("m.t.a", "a", makeup=makeup)}
    then = FingerprintParts("v", {"macro s.money": "1", "on-run-start s-on-run-start-0": "2"})
    assert history_by_name.same_code(
        nodes, NotesBefore({}, {}, makeup={"m.t.a": then}, former={"m.t.a": ("m.s.a",)}), NONE
    )


def test_what_reads_itself_is_the_same_as_it_is_written() -> None:
    """`{{ this }}` gives another text under another name: its compiled code, and so its fingerprint, differ."""
    then = FingerprintParts("v", {"code": "reads itself as a"}, text="as written")
    now = FingerprintParts("w", {"code": "reads itself as b"}, text="as written")
    b = node("m.s.b", "b", fingerprint="w", makeup=now)
    noted = NotesBefore({}, {}, makeup={"m.s.a": then})
    gone = {"m.s.a": pointer("m.s.a", "a", fingerprint="v")}
    found = history_by_name.renames({"m.s.b": b}, gone, noted, ())
    assert found.certain == {"m.s.b": gone["m.s.a"]}
    assert history_by_name.same_code({"m.s.b": b}, noted, found) == {"m.s.b"}
    assert not history_by_name.renames({"m.s.b": replace(b, kind=SNAPSHOT)}, gone, noted, ()).certain
    unknown = replace(noted, makeup={"m.s.a": replace(then, text="")})
    assert not history_by_name.renames({"m.s.b": b}, gone, unknown, ()).certain, (
        "what an older Sluice wrote has no text"
    )


def test_a_new_name_is_known_by_the_text_where_only_one_can_be_meant() -> None:
    a, z = pointer("m.s.a", "a"), pointer("m.s.z", "z")
    b, c = node("m.s.b", "b"), node("m.s.c", "c")

    def found(
        gone: list[Pointer], *new: Node, rests: dict[Name, Pointer] | None = None
    ) -> history_by_name.Renames:
        served = {item.node: item for item in gone}
        nodes = {item.unique_id: item for item in new}
        renames = history_by_name.renames(nodes, served, None, rests or {})
        assert history_by_name.older(nodes, served, rests or {}, renames) == {
            **renames.certain,
            **served,
            **back(rests),
        }
        return renames

    def back(rests: dict[Name, Pointer] | None) -> dict[str, Pointer]:
        return {"m.s.b": rests[name("b")]} if rests else {}

    assert found([a], b) == history_by_name.Renames({"m.s.b": a})
    assert found([a], b, c) == history_by_name.Renames({}, {"m.s.b": (a.name,), "m.s.c": (a.name,)})
    assert found([a, z], b) == history_by_name.Renames({}, {"m.s.b": (a.name, z.name)})
    assert "main.a or main.z" in str(history_by_name.doubt((a.name, z.name)))
    assert found([a], replace(b, fingerprint="other")) == NONE
    assert found([a], b, rests={name("b"): pointer("m.s.b", "b", fingerprint="older")}) == NONE


def test_what_rests_is_the_last_history_of_a_name_that_nothing_serves() -> None:
    old, last = pointer("m.s.a", "a", fingerprint="1"), pointer("m.s.a", "a", fingerprint="2")
    pasts = [
        (last, 2, 3),
        (old, 1, 2),
        (pointer("m.s.b", "b"), 1, None),
        (pointer("m.s.c", "c", TABLE), 1, 2),
    ]
    present = {item.address for item, _, _ in pasts}
    nowhere: dict[Name, Name] = {}
    assert history_by_name.resting(pasts, present, lambda _: nowhere) == {name("a"): last}
    assert history_by_name.resting(pasts, present - {last.address}, lambda _: nowhere) == {}
    taken_along = {3: {last.address: name("d")}}
    assert history_by_name.resting(pasts, present, lambda number: taken_along.get(number, nowhere)) == {}
    replaced = [*pasts, (pointer("m.s.t", "a", TABLE), 3, None)]
    assert history_by_name.resting(replaced, present, lambda _: nowhere) == {}


def test_a_new_name_that_was_rolled_back_has_no_history_beside_the_old_one_that_serves() -> None:
    """Served as `a`, renamed to `b` in generation 2, rolled back in 3: what serves goes on, under whatever name comes next."""
    a, b = pointer("m.s.a", "a"), pointer("m.s.b", "b")
    pasts = [(a, 1, 2), (b, 2, 3), (a, 3, None)]
    taken: dict[int, dict[Name, Name]] = {2: {a.address: name("b")}}
    present = {a.address, b.address}
    assert history_by_name.resting(pasts, present, lambda number: taken.get(number, {})) == {}
    assert history_by_name.resting(pasts, present, lambda _: {}) == {name("b"): b}, (
        "another history: b was new"
    )
    gone = [*pasts[:2], (a, 3, 4)]
    assert history_by_name.resting(gone, present, lambda number: taken.get(number, {})) == {
        name("a"): a,
        name("b"): b,
    }
