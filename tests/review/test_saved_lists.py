"""Saved lists: saved, renamed, removed and taken back by two reviewers, in any order; what an
earlier version of the program makes of the same file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.compact import compact
from review_embeddings.review.decisions.lines import Decision
from review_embeddings.review.decisions.log import DecisionLog, read_history
from review_embeddings.review.decisions.messages import read_message
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.savedlists import lists_version, saved_lists
from review_embeddings.review.decisions.taking import MessageWriter

HASHES = ["aa" * 32, "bb" * 32, "cc" * 32]
REVIEWED = ReviewedImages({0: 0, 1: 1, 2: 2}, HASHES, None, None)
A, B, C = HASHES


class Review:
    """What one reviewer sends."""

    def __init__(self, run: RunFolder, reviewer: str) -> None:
        self.log = DecisionLog(run, lambda _: None)
        self.writer = MessageWriter(REVIEWED, self.log, reviewer)

    def send(self, kind: str, request: str, ids: Iterable[int] = (), **content: Any) -> None:
        message = read_message({"request": request, **content}, kind)
        with self.log.appending():
            if kind == "undo":
                self.writer.undo(message)
            else:
                self.writer.change_list(message, list(ids))

    def save(self, request: str, name: str, ids: Iterable[int], **content: Any) -> None:
        self.send("list", request, ids, name=name, **content)

    def rename(self, request: str, name: str, new: str, **content: Any) -> None:
        self.send("list", request, name=name, rename_to=new, **content)

    def remove(self, request: str, name: str, **content: Any) -> None:
        self.send("list", request, name=name, remove=True, **content)

    def undo(self, request: str) -> None:
        self.send("undo", request)


def lists_in(run: RunFolder) -> dict[str, list[str]]:
    return read_history(run, lambda _: None).saved_lists()


def lists_of_an_earlier_version(lines: Iterable[Decision]) -> dict[str, list[str]]:
    """As version 1.0 read the lists: the images of the last request with a name."""
    lists: dict[str, tuple[str, list[str]]] = {}
    for line in lines:
        if line.list is None:
            continue
        request, members = lists.get(line.list, ("", []))
        if request != line.request or not members:
            members = []
            lists[line.list] = (line.request, members)
        if line.image_hash not in members[-1:]:
            members.append(line.image_hash)
    return {name: list(dict.fromkeys(members)) for name, (_, members) in lists.items()}


def test_a_renamed_list_keeps_its_order_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    ada, bob = Review(run, "ada"), Review(run, "bob")
    ada.save("r1", "odd", [2, 0])
    bob.save("r2", "even", [1])
    bob.rename("r3", "odd", "strange")
    assert lists_in(run) == {"even": [B], "strange": [C, A]}
    ada.remove("r4", "even")
    assert lists_in(run) == {"strange": [C, A]}
    known = saved_lists(read_history(run, print).lines)["strange"]
    assert (known.last.reviewer, known.last.request) == ("bob", "r3")
    assert not read_history(run, print).current(), "a list decides nothing"
    bob.save("r5", "odd", [1])  # the name is free again
    assert lists_in(run) == {"odd": [B], "strange": [C, A]}


def test_a_request_that_comes_again_is_not_done_again(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    ada, bob = Review(run, "ada"), Review(run, "bob")
    ada.save("r1", "a", [0])
    ada.rename("r2", "a", "b")
    bob.rename("r3", "b", "c")
    ada.rename("r2", "a", "b")  # its answer was lost
    ada.save("r1", "a", [0])
    bob.remove("r4", "c")
    bob.remove("r4", "c")
    assert lists_in(run) == {}
    assert len(read_history(run, print).lines) == 1 + 2 + 2 + 1


def test_undo_gives_back_what_a_list_held_unless_it_was_changed_since(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    ada, bob = Review(run, "ada"), Review(run, "bob")
    ada.save("r1", "a", [0, 1])
    ada.save("r2", "a", [2])
    ada.undo("r2")
    assert lists_in(run) == {"a": [A, B]}
    ada.rename("r3", "a", "b")
    ada.undo("r3")
    ada.undo("r3")
    assert lists_in(run) == {"a": [A, B]}
    ada.remove("r4", "a")
    with pytest.raises(SettingsError, match="Only one's own decisions"):
        bob.undo("r4")
    ada.undo("r4")
    ada.undo("r1")  # what was undone counts for nothing: this is the last one again
    assert lists_in(run) == {}
    ada.save("r5", "a", [0])
    ada.rename("r6", "a", "b")
    bob.save("r7", "b", [2])
    with pytest.raises(SettingsError, match="The list b was changed since by bob"):
        ada.undo("r6")
    assert lists_in(run) == {"b": [C]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"name": "no", "rename_to": "x"}, "no saved list no any more"),
        ({"name": "no", "remove": True}, "no saved list no any more"),
        ({"name": "a", "rename_to": "b"}, "a saved list b already"),
        ({"name": "a", "rename_to": "x" * 201}, "Use 1 to 200"),
        ({"name": "a", "rename_to": ""}, "Use 1 to 200"),
        ({"name": "a", "rename_to": "x", "remove": True}, "Say one of them"),
        ({"name": "a", "remove": "yes"}, "neither true nor false"),
        ({"name": "a", "rename_to": 5}, "is no text"),
        ({"name": "a", "rename_to": "\ud83d"}, "no valid Unicode"),
        ({"name": "a", "rename_to": "x", "seen": 1}, "bob has saved the list a anew"),
    ],
)
def test_what_cannot_be_done_is_refused(
    tmp_path: Path, content: dict[str, Any], sentence: str
) -> None:
    run = RunFolder(tmp_path)
    ada, bob = Review(run, "ada"), Review(run, "bob")
    ada.save("r1", "b", [1])
    bob.save("r2", "a", [0])
    with pytest.raises(SettingsError, match=sentence):
        ada.send("list", "r3", **content)
    assert lists_in(run) == {"a": [A], "b": [B]}


NAMES = st.sampled_from(["a", "b", "c"])
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(
            st.tuples(st.just("save"), NAMES, st.permutations([0, 1, 2]), st.integers(1, 3)),
            st.tuples(st.just("rename"), NAMES, NAMES),
            st.tuples(st.just("remove"), NAMES),
            st.tuples(st.just("undo"), st.integers(0, 20)),
            st.tuples(st.just("again"), st.integers(0, 20)),
            st.tuples(st.just("compact")),
        ),
    ),
    max_size=14,
)


class Model:
    """What the lists are, as a person would keep them in mind."""

    def __init__(self) -> None:
        self.lists: dict[str, list[int]] = {}

    def apply(self, change: tuple[Any, ...]) -> bool:
        """Do it; False for what cannot be done."""
        match change:
            case ("save", name, order, count):
                self.lists[name] = list(order[:count])
            case ("rename", name, new) if name in self.lists and new not in self.lists:
                self.lists[new] = self.lists.pop(name)
            case ("remove", name) if name in self.lists:
                del self.lists[name]
            case _:
                return False
        return True


def send(review: Review, request: str, change: tuple[Any, ...]) -> None:
    match change:
        case ("save", name, order, count):
            review.save(request, name, order[:count])
        case ("rename", name, new):
            review.rename(request, name, new)
        case ("remove", name):
            review.remove(request, name)


@settings(max_examples=60, deadline=None)
@given(changes=CHANGES)
def test_lists_are_what_two_reviewers_made_of_them(changes: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run, model = RunFolder(Path(folder)), Model()
        reviews = [Review(run, "ada"), Review(run, "bob")]
        sent: list[tuple[int, str, tuple[Any, ...], dict[str, list[int]]]] = []
        for number, (who, change) in enumerate(changes):
            request = f"r{number}"
            before = dict(model.lists)
            if change[0] == "compact":
                if run.decisions.exists():
                    compact(run, lambda _: None)
                sent.clear()  # what is older cannot be taken back
            elif change[0] == "again" and sent:
                other, earlier, what, _ = sent[change[1] % len(sent)]
                send(reviews[other], earlier, what)
            elif change[0] == "undo" and sent and sent[-1][0] == who:
                _, earlier, _, lists = sent.pop()
                reviews[who].undo(earlier)
                model.lists = lists
            elif model.apply(change):
                send(reviews[who], request, change)
                sent.append((who, request, change, before))
            elif change[0] in {"rename", "remove"}:
                with pytest.raises(SettingsError):
                    send(reviews[who], request, change)
            history = read_history(run, lambda _: None)
            expected = {name: [HASHES[i] for i in ids] for name, ids in model.lists.items()}
            assert history.saved_lists() == expected
            old = lists_of_an_earlier_version(history.lines)
            assert {n: [h for h in old[n] if h] for n in old if any(old[n])} == expected
            for review in reviews:
                review.log.refresh()
                assert review.log.history.saved_lists() == expected, "read bit by bit"
        assert not read_history(run, lambda _: None).current()


def test_another_version_of_the_lists_is_told_after_each_change(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    ada = Review(run, "ada")
    versions = [lists_version([])]
    for step in ("save", "rename", "remove", "undo"):
        if step == "undo":
            ada.undo("remove")
        else:
            send(
                ada,
                step,
                {"save": ("save", "a", [0], 1), "rename": ("rename", "a", "b")}.get(
                    step, ("remove", "b")
                ),
            )
        versions.append(lists_version(read_history(run, print).lines))
    assert versions == sorted(set(versions))
