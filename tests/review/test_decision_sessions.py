"""Several reviews of a run at once, whatever else happens to the file: what was answered as saved
is there, nothing twice, and what counts is what people expect."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from review_embeddings.pipeline.errors import (
    BusyError,
    SettingsError,
    StorageError,
    UnwritableError,
)
from review_embeddings.pipeline.images.runimages import read_images
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.identity import OtherRunError, run_id
from review_embeddings.review.decisions import reviewed
from review_embeddings.review.decisions.compact import compact
from review_embeddings.review.decisions.history import last_decisions
from review_embeddings.review.decisions.lines import Decision, as_line, read_line
from review_embeddings.review.decisions.log import DecisionLog, read_history
from review_embeddings.review.decisions.messages import read_message
from review_embeddings.review.decisions.reviewed import ReviewedImages
from review_embeddings.review.decisions.session import DecisionSession, ReadOnlyError
from review_embeddings.review.decisions.taking import MessageWriter
from review_embeddings.review.exchange.imports import Imported, import_decisions

IMAGES = ["aa" * 32, "bb" * 32, "cc" * 32]
REVIEWED = ReviewedImages({0: 0, 1: 1, 2: 2}, IMAGES, None, None)
DECIDED = ("keep", "remove", "unsure")


class Review:
    """One review of the run, as its server does it."""

    def __init__(self, run: RunFolder, reviewer: str) -> None:
        self.log = DecisionLog(run, lambda _: None)
        self.writer = MessageWriter(REVIEWED, self.log, reviewer)
        self.reviewer = reviewer


class Page:
    """A page of a review, which decides by what it has seen."""

    def __init__(self, review: Review, name: str) -> None:
        self.review, self.name, self.seen = review, name, 0
        self.made: list[str] = []


class Sessions(RuleBasedStateMachine):
    """Any order of decisions, undos, restarts, replaced files and compactions."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.run_folder = RunFolder(self.folder)
        self.reviews = [Review(self.run_folder, name) for name in ("ada", "bob")]
        self.pages = [Page(self.reviews[number % 2], f"page-{number}") for number in range(4)]
        self.messages: dict[str, dict[str, Any]] = {}
        self.saved: dict[tuple[str, str], str] = {}
        """Decision by request and image, of what was answered as saved and not dropped since."""
        self.proposed: set[tuple[str, str]] = set()
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    # -- what pages do

    @rule(number=st.integers(0, 3))
    def look(self, number: int) -> None:
        page = self.pages[number]
        page.review.log.refresh()
        page.seen = page.review.log.revision

    @rule(
        number=st.integers(0, 3),
        images=st.sets(st.sampled_from(IMAGES), min_size=1),
        decision=st.sampled_from(DECIDED),
    )
    def decide(self, number: int, images: set[str], decision: str) -> None:
        page = self.pages[number]
        self.count += 1
        request = f"r{self.count}"
        message = {
            "request": request,
            "images": sorted(images),
            "seen": page.seen,
            "client": page.name,
            "decision": decision,
        }
        self.messages[request] = message
        page.made.append(request)
        before = last_decisions(read_history(self.run_folder, lambda _: None).lines)
        left = self.send(page.review, message)
        for image in images:
            self.saved[request, image] = decision
            other = before.get(image)
            is_others = other is not None and other.client != page.name
            if image in left:
                self.proposed.add((request, image))
                assert other is not None and other.decision == left[image] != decision
                assert is_others, "nobody is asked about a decision of one's own"
        if page.seen == page.review.log.revision:
            assert not left

    def send(self, review: Review, message: dict[str, Any]) -> dict[str, str]:
        with review.log.appending():
            read = read_message(message, "decide")
            saved = review.writer.decide(read, REVIEWED.ids_of(message["images"]))
        assert saved.saved == len(message["images"]) - len(saved.left)
        return {one.image: one.decision for one in saved.left}

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """The answer was lost."""
        message = self.messages[data.draw(st.sampled_from(sorted(self.messages)))]
        owner = next(page for page in self.pages if message["client"] == page.name)
        before = read_history(self.run_folder, lambda _: None).lines
        self.send(owner.review, message)
        assert read_history(self.run_folder, lambda _: None).lines == before

    @rule(number=st.integers(0, 3))
    def undo(self, number: int) -> None:
        page = self.pages[number]
        if not page.made:
            return
        request = page.made.pop()
        before = last_decisions(read_history(self.run_folder, lambda _: None).lines)
        try:
            with page.review.log.appending():
                message = read_message({"request": request, "client": page.name}, "undo")
                page.review.writer.undo(message)
        except SettingsError as error:
            assert "compacted" in str(error)
            return
        after = last_decisions(read_history(self.run_folder, lambda _: None).lines)
        for image, line in before.items():
            if line != after[image]:
                assert after[image].request == f"undo-{request}"
                restored = line.request in {request} or line.request.startswith("undo-")
                assert restored, "the later decision of somebody else is gone"

    # -- what happens to them

    @rule(number=st.integers(0, 1))
    def restart(self, number: int) -> None:
        old = self.reviews[number]
        self.reviews[number] = Review(self.run_folder, old.reviewer)
        for page in self.pages:
            if page.review is old:
                page.review = self.reviews[number]

    @precondition(lambda self: self.run_folder.decisions.exists())
    @rule(data=st.data())
    def killed_while_writing(self, data: st.DataObject) -> None:
        line = as_line(Decision("2026-01-01T00:00:00Z", "eve", IMAGES[0], 0, None, "keep"))
        with self.run_folder.decisions.open("ab") as file:
            if file.tell() and self.run_folder.decisions.read_bytes()[-1:] == b"\n":
                file.write(line[: data.draw(st.integers(1, len(line) - 3))])

    @precondition(lambda self: self.run_folder.decisions.exists())
    @rule()
    def put_in_its_place(self) -> None:
        """As rsync, git checkout and editors do."""
        copy = self.folder / "copy"
        shutil.copy(self.run_folder.decisions, copy)
        copy.replace(self.run_folder.decisions)

    @precondition(lambda self: self.run_folder.decisions.exists())
    @rule(another=st.booleans())
    def put_an_older_one_in_its_place(self, another: bool) -> None:
        """Lines of reviews that have ended go; those of open ones come back."""
        lines = self.run_folder.decisions.read_bytes().splitlines(keepends=True)
        kept = lines[: len(lines) // 2]
        copy = self.folder / "copy"
        copy.write_bytes(b"".join(kept))
        copy.replace(self.run_folder.decisions)
        if another:
            self.run_folder.decisions.unlink()
        open_ones = {line.key for review in self.reviews for line in review.log.own}
        there = {line.key for line in read_history(self.run_folder, lambda _: None).lines}
        keys = {(request, image): (request, image, None) for request, image in self.saved}
        gone = [key for key, full in keys.items() if full not in open_ones | there]
        for key in gone:
            del self.saved[key]
        for request in {request for request, _ in gone}:
            self.messages.pop(request, None)
            for page in self.pages:
                page.made = [one for one in page.made if one != request]

    @precondition(lambda self: self.run_folder.decisions.exists())
    @rule()
    def make_short(self) -> None:
        for number in range(2):
            self.restart(number)
        before = read_history(self.run_folder, lambda _: None)
        compact(self.run_folder, lambda _: None)
        after = read_history(self.run_folder, lambda _: None)
        assert contents(after.current().values()) == contents(before.current().values())
        assert contents(after.proposals()) == contents(before.proposals())
        assert after.saved_lists() == before.saved_lists()

    # -- what holds

    @invariant()
    def all_that_was_saved_is_there_once(self) -> None:
        for review in self.reviews:
            review.log.refresh()
            if review.log.lacking:
                with review.log.appending():
                    pass
        log = DecisionLog(self.run_folder, lambda _: None)
        log.refresh()
        keys = [line.key for line in log.history.lines]
        assert len(keys) == len(set(keys))
        for (request, image), decision in self.saved.items():
            line = Decision("", "", image, 0, None, decision, request=request)
            assert log.has(line), f"{request} of {image[:2]} is lost"
        sequences = [line.sequence for line in log.history.lines]
        assert sequences == sorted(set(sequences))

    @invariant()
    def all_reviews_show_the_same(self) -> None:
        shown = []
        for review in self.reviews:
            review.log.refresh()
            shown.append(review.log.history.current())
        assert shown[0] == shown[1]


def contents(lines: Iterable[Decision]) -> list[tuple[str, str, str]]:
    return sorted((line.image_hash, str(line.decision), line.request) for line in lines)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is cut here, and disks take long."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


Sessions.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestSessions = Sessions.TestCase


# -- what reviews of a real run do


def said(request: str, row: int = 0, decision: str = "remove", **more: object) -> dict[str, object]:
    return {"request": request, "rows": [row], "decision": decision, **more}


def requests_in(run: RunFolder) -> list[str]:
    return [line.request for line in read_history(run, pytest.fail).lines]


def test_a_run_of_an_earlier_version_gets_an_id_that_stays(run: RunFolder) -> None:
    content = json.loads(run.run_json.read_text())
    del content["id"]
    run.run_json.write_text(json.dumps(content))
    session = DecisionSession(run, "ada")
    stored = json.loads(run.run_json.read_text())
    assert re.fullmatch("[0-9a-f]{32}", stored["id"]) and session.metadata()["run"] == stored["id"]
    for unequal in (stored, content):
        unequal.pop("checksum", None)
    assert stored == {**content, "id": stored["id"]}
    session.close()
    with run.lock():
        info = run.read_info()
        assert info is not None
        run.write_info(replace(info, id=None))
    assert run_id(run) == stored["id"]


def test_an_id_is_derived_where_run_json_cannot_be_written(run: RunFolder) -> None:
    content = json.loads(run.run_json.read_text())
    del content["id"]
    run.run_json.write_text(json.dumps(content))
    with run.lock():
        derived = run_id(run)
        assert run_id(run) == derived and "id" not in json.loads(run.run_json.read_text())
        info = run.read_info()
        assert info is not None
        run.write_info(info)  # by the build that has the lock
    assert run_id(run) == derived


def test_messages_go_to_the_run_they_were_made_for(run: RunFolder, tmp_path: Path) -> None:
    session = DecisionSession(run, "ada")
    session.decide(said("a", run=session.run_id))
    with pytest.raises(OtherRunError, match="another run"):
        session.decide(said("b", run="0" * 32))
    run.path.rename(tmp_path / "moved")
    with pytest.raises(StorageError, match="not there any more"):
        session.decide(said("c"))
    assert not run.path.exists() and "not there any more" in session.metadata()["faults"][0]
    shutil.copytree(tmp_path / "moved", run.path)
    assert session.decide(said("c", 1)).saved == 1, "a copy of it is the same run"
    content = json.loads(run.run_json.read_text())
    run.run_json.write_text(json.dumps(content | {"id": "1" * 32}))
    with pytest.raises(OtherRunError, match="Another run lies"):
        session.decide(said("d"))
    assert requests_in(run) == ["a", "c"]


def test_a_late_decision_is_a_proposal_that_both_see(run: RunFolder) -> None:
    ada, bob = DecisionSession(run, "ada"), DecisionSession(run, "bob")
    image = bob.hashes()[:32].hex()
    seen = ada.changes(0).revision
    bob.decide(said("b", 0, "keep", note="fine"))
    answer = ada.decide(said("a", 0, "remove", seen=seen))
    (left,) = answer.left
    assert (answer.saved, left.decision, left.reviewer, left.note) == (0, "keep", "bob", "fine")
    for session in (ada, bob):
        changes = session.changes(0)
        assert (changes.decisions, changes.reviewers) == (["keep"], ["bob"])
        (proposal,) = changes.proposals
        assert (proposal.image, proposal.decision, proposal.reviewer) == (image, "remove", "ada")
    assert ada.decide(said("mine", 0, "remove", seen=answer.revision)).left == []
    changes = bob.changes(answer.revision)
    assert (changes.decisions, changes.proposals, changes.reset) == (["remove"], [], False)


def test_two_windows_of_one_reviewer_are_asked_too(run: RunFolder) -> None:
    session = DecisionSession(run, "ada")
    session.decide(said("one", 0, "keep", client="first", seen=0))
    assert session.decide(said("two", 0, "remove", client="first", seen=0)).left == []
    assert len(session.decide(said("three", 0, "keep", client="second", seen=0)).left) == 1
    assert session.decide(said("same", 0, "remove", client="second", seen=0)).left == []


def put(file: Path, content: bytes) -> None:
    copy = file.with_name("copy")
    copy.write_bytes(content)
    copy.replace(file)


def other_line(content: bytes) -> bytes:
    """The first line as another machine decided it."""
    first = content.splitlines(keepends=True)[0]
    return as_line(replace(read_line(first), request="other", decision="keep"))


WAYS: dict[str, Callable[[Path], object]] = {
    "the same under another inode": lambda file: put(file, file.read_bytes()),
    "another machine's, with one line more": lambda file: put(
        file, file.read_bytes() + other_line(file.read_bytes())
    ),
    "another machine's alone": lambda file: put(file, other_line(file.read_bytes())),
    "deleted": lambda file: file.unlink(),
    "written anew in place": lambda file: file.write_bytes(
        file.read_bytes().splitlines(keepends=True)[0]
    ),
    "emptied": lambda file: file.write_bytes(b""),
    "without its last line end": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "with Windows line ends": lambda file: put(file, file.read_bytes().replace(b"\n", b"\r\n")),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_is_replaced_under_a_review_loses_nothing(run: RunFolder, way: str) -> None:
    session, reader = DecisionSession(run, "ada"), DecisionSession(run, "bob")
    for number in range(2):
        session.decide(said(f"r{number}", number))
    seen = reader.changes(0).revision
    WAYS[way](run.decisions)
    for number in (2, 3):
        assert session.decide(said(f"r{number}", number)).saved == 1
    wanted = [f"r{number}" for number in range(4)] + ["other"] * (
        "another" in way and "line" in way
    )
    found = requests_in(run)
    assert sorted(set(found) | {"other"}) == sorted({*wanted, "other"})
    assert len(found) == len(set(found))
    changes = reader.changes(seen)
    assert set(changes.rows) >= {2, 3} and reader.changes(0).rows
    assert set(reader.changes(0).rows) == {0, 1, 2, 3}
    if changes.reset:
        assert any("replaced by another program" in fault for fault in changes.faults)


def test_undo_takes_back_ones_own_last_decision_only(run: RunFolder) -> None:
    session, bob = DecisionSession(run, "ada"), DecisionSession(run, "bob")
    session.decide({"request": "a", "rows": [0, 1], "decision": "keep"})
    bob.decide(said("b", 0, "remove"))
    answer = session.undo({"request": "a"})
    assert (answer.saved, [one.decision for one in answer.left]) == (1, ["remove"])
    again = session.undo({"request": "a"})
    assert (again.saved, len(again.left)) == (1, 1), "once"
    with pytest.raises(SettingsError, match="decided by bob"):
        session.undo({"request": "b"})
    session.decide(said("c", 1, "keep"))
    session.decide(said("d", 1, "unsure"))
    for request, decision in (("d", "keep"), ("c", "undecided")):
        assert session.undo({"request": request}).saved == 1
        changes = session.changes(0)
        assert changes.decisions[changes.rows.index(1)] == decision


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_a_sentence_and_not_a_hang(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", refuse)
        session = DecisionSession(run, "ada")
        assert "has no locks" in session.metadata()["read_only"]
        assert "name the copy with --run" in session.read_only
        with pytest.raises(ReadOnlyError, match="has no locks"):
            session.decide(said("a"))
        with pytest.raises(UnwritableError, match="has no locks"), run.lock(wait=True):
            pass
    assert session.metadata()["read_only"] == ""
    assert session.decide(said("a")).saved == 1


def test_decisions_of_an_earlier_run_are_followed(run: RunFolder, tmp_path: Path) -> None:
    earlier = RunFolder(Path(shutil.copytree(run.path, tmp_path / "earlier")))
    other, session = DecisionSession(earlier, "bob"), DecisionSession(run, "ada", [earlier])
    seen = session.changes(0).revision
    other.decide(said("b", 3, "keep"))
    changes = session.changes(seen)
    assert changes.reset and (changes.rows, changes.decisions) == ([3], ["keep"])
    assert not session.changes(changes.revision).rows


def test_half_a_character_is_refused_with_its_place(run: RunFolder) -> None:
    session = DecisionSession(run, "ada")
    with pytest.raises(SettingsError, match=r"note is no valid Unicode: character 6 .*U\+D83D"):
        session.decide(said("a", note="half \ud83d"))
    with pytest.raises(SettingsError, match="name is no valid Unicode"):
        session.change_list({"request": "l", "rows": [0], "name": "\ud83d"})
    assert requests_in(run) == []


def test_decisions_are_not_compacted_under_a_review(run: RunFolder) -> None:
    session = DecisionSession(run, "ada")
    for number, decision in enumerate(["keep", "remove", "keep"]):
        session.decide(said(f"r{number}", 0, decision))
    with pytest.raises(BusyError, match="open in a review"):
        compact(run, pytest.fail)
    session.close()
    done = compact(run, pytest.fail)
    assert (done.kept, done.moved) == (1, 2) and done.file is not None
    assert done.file.read_bytes().count(b"\n") == 2 and requests_in(run) == ["r2"]
    assert compact(run, pytest.fail).moved == 0
    again = DecisionSession(run, "ada")
    again.decide(said("r0", 0, "keep"))
    assert requests_in(run) == ["r2"], "a request that was moved is known"
    with pytest.raises(SettingsError, match="compacted"):
        again.undo({"request": "r2"})
    assert again.changes(0).decisions == ["keep"]


def outbox_of(session: DecisionSession, *messages: Mapping[str, object]) -> str:
    return json.dumps(
        {
            "format": "review-embeddings-outbox",
            "version": 1,
            "run": session.run_id,
            "messages": list(messages),
        }
    )


def test_an_outbox_is_imported_once(run: RunFolder, tmp_path: Path) -> None:
    session = DecisionSession(run, "ada")
    hashes = session.hashes().hex()
    images = [hashes[start : start + 64] for start in range(0, len(hashes), 64)]
    common = {"path": "decisions", "time": "2026-01-01T10:00:00.000Z", "seen": 0, "client": "tab"}
    first = common | {"request": "a", "images": images[:2], "decision": "remove"}
    second = common | {"request": "b", "images": [images[2]], "decision": "keep"}
    gone = common | {"request": "c", "images": ["f" * 64], "decision": "keep"}
    undone = {"path": "undo", "request": "b", "client": "tab", "run": session.run_id}
    file = tmp_path / "outbox.json"
    file.write_text(outbox_of(session, first, second, gone, undone))
    taken = import_decisions(run, file, "ada", note=pytest.fail)
    assert (taken.added, taken.known, taken.proposed) == (4, 0, 0)
    assert len(taken.refused) == 1 and "Message 3: The image with hash" in taken.refused[0]
    assert session.decide(said("a", 0)).saved == 1, "sent from the browser too, it stays one"
    again = import_decisions(run, file, "ada", note=pytest.fail)
    assert (again.added, again.known) == (0, 3)
    assert {line.image_hash for line in read_history(run, print).current().values()} == set(
        images[:2]
    )


def test_imports_compare_times_and_keep_what_another_decided_earlier(
    run: RunFolder, tmp_path: Path
) -> None:
    session = DecisionSession(run, "ada")
    session.decide({"request": "a", "rows": [0, 1, 2], "decision": "keep"})
    images = read_images(run)
    assert images is not None
    rows = [
        (images.ids[0], "2020-01-01T00:00:00Z"),
        (images.ids[1], "2099-01-01T00:00:00Z"),
        (images.ids[2], ""),
    ]
    file = tmp_path / "list.csv"
    lines = [f"{image},remove,{time}" for image, time in rows]
    file.write_text("\n".join(["image_id,decision,decided_at", *lines]) + "\n")
    taken = import_decisions(run, file, "bob", note=pytest.fail)
    assert taken == Imported(3, beside=1, disputed=3), "bob's older one stands, ada's counts"
    assert session.changes(0).decisions == ["keep", "remove", "remove"]


def test_a_clock_that_was_ahead_does_not_keep_later_decisions_out(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = DecisionSession(run, "ada")
    with monkeypatch.context() as patch:
        patch.setattr(reviewed, "now", lambda: "2099-01-01T00:00:00.000000Z")
        patch.setattr("time.time_ns", lambda: 4_070_908_800 * 10**9)
        session.decide({"request": "ahead", "rows": [0, 1, 2], "decision": "keep"})
    session.decide(said("now", 0, "remove"))
    images = read_images(run)
    assert images is not None
    file = tmp_path / "list.csv"
    later = "2098-01-01T00:00:00Z"
    file.write_text(
        f"image_id,decision,decided_at\n{images.ids[1]},remove,{later}\n{images.ids[2]},unsure,\n"
    )
    assert import_decisions(run, file, "bob", note=pytest.fail) == Imported(2, disputed=2)
    assert session.changes(0).decisions == ["remove", "remove", "unsure"]
    written = [line.sequence for line in read_history(run, print).lines]
    assert written == sorted(set(written))
