"""decisions.jsonl: only added to, on disk before it counts, never torn."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from changes import ADD, CUT, NEWER, Change, changes
from hypothesis import given, settings
from hypothesis import strategies as st

from review_embeddings.pipeline.errors import BusyError, SettingsError, StorageError
from review_embeddings.pipeline.run import runlocks
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.records import RecordError
from review_embeddings.review.decisions.kinds import DECISIONS, UNDECIDED
from review_embeddings.review.decisions.lines import (
    CHANGED,
    FIELDS,
    HALF,
    Decision,
    UnreadableLine,
    as_line,
    login_name,
    read_line,
)
from review_embeddings.review.decisions.log import read_history, writing
from review_embeddings.review.decisions.reviewed import ReviewedImages

REVIEWED = ReviewedImages(
    {10: 0, 11: 1, 12: 2}, ["aa", "bb", "cc"], ["cat", "dog", None], ["cat", "dog"]
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_line_says_what_by_whom_when_and_about_which_content(run: RunFolder) -> None:
    with writing(run, print) as writer:
        writer.append(
            REVIEWED.decide(
                [10],
                "relabel",
                new_label="dog",
                note="a hound\nreally",
                checkpoints=[0, 400],
                reviewer="ada",
            )
        )
    (line,) = run.decisions.read_text().splitlines()
    content = json.loads(line)
    assert tuple(content) == (*FIELDS, "checksum")
    assert content["image_hash"] == "aa" and content["image_id"] == 10 and content["label"] == "cat"
    assert (
        content["decision"] == "relabel"
        and content["new_label"] == "dog"
        and content["note"] == "a hound\nreally"
    )
    assert (
        content["checkpoints"] == [0, 400]
        and content["reviewer"] == "ada"
        and content["time"].endswith("Z")
    )


def test_the_last_line_counts_and_all_stay(run: RunFolder) -> None:
    with writing(run, print) as writer:
        for decision in ("keep", "remove"):
            writer.append(REVIEWED.decide([10, 11], decision, reviewer="ada"))
        writer.append(REVIEWED.decide([11], UNDECIDED, reviewer="bob"))
    notes: list[str] = []
    history = read_history(run, notes.append)
    assert {image: line.decision for image, line in history.current().items()} == {"aa": "remove"}
    assert [line.decision for line in history.lines] == [
        "keep",
        "keep",
        "remove",
        "remove",
        "undecided",
    ]
    assert history.unreadable == [] and notes == []


def test_a_list_is_what_was_saved_last_under_its_name(run: RunFolder) -> None:
    with writing(run, print) as writer:
        writer.append(REVIEWED.decide([12, 10], None, list_name="odd", reviewer="ada"))
        writer.append(REVIEWED.decide([11], "keep", reviewer="ada"))
        writer.append(REVIEWED.decide([11, 12], None, list_name="odd", reviewer="bob"))
        writer.append(REVIEWED.decide([10], None, list_name="even", reviewer="bob"))
    history = read_history(run, print)
    assert history.saved_lists() == {"odd": ["bb", "cc"], "even": ["aa"]}
    assert set(history.current()) == {"bb"}


def test_a_request_that_is_repeated_is_written_once(run: RunFolder) -> None:
    lines = REVIEWED.decide([10, 11], "remove", reviewer="ada", request="r1")
    with writing(run, print) as writer:
        assert len(writer.append(lines[:1])) == 1
        assert [line.image_id for line in writer.append(lines)] == [11]
    with writing(run, print) as writer:  # and by a program that was started again
        assert writer.append(lines) == []
    assert len(read_history(run, print).lines) == 2


def test_a_last_line_cut_off_by_a_crash_is_set_aside_and_told(run: RunFolder) -> None:
    with writing(run, print) as writer:
        writer.append(REVIEWED.decide([10], "keep", reviewer="ada"))
    whole = run.decisions.read_bytes()
    torn = as_line(REVIEWED.decide([11], "remove", reviewer="ada")[0])[:-20]
    run.decisions.write_bytes(whole + torn)
    notes: list[str] = []
    history = read_history(run, notes.append)
    assert len(history.lines) == 1 and history.unreadable == []
    assert len(notes) == 1 and "cut off by a crash" in notes[0]
    with writing(run, notes.append) as writer:
        assert len(notes) == 2 and "decisions.torn" in notes[1]
        writer.append(REVIEWED.decide([12], "unsure", reviewer="ada"))
    assert run.torn_decisions.read_bytes() == torn + b"\n"
    assert [line.image_id for line in read_history(run, print).lines] == [10, 12]
    assert run.decisions.read_bytes().startswith(whole)


KEPT = {
    "time": "2026-01-01T00:00:00.000000Z",
    "reviewer": "ada",
    "image_hash": "aa",
    "image_id": 10,
    "label": "cat",
    "decision": "keep",
}
"""A line with what every line has."""


def lines_of(run: RunFolder, *lines: bytes | dict[str, Any]) -> None:
    encoded = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    run.decisions.write_bytes(b"".join(line + b"\n" for line in encoded))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"nonsense", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b'{"note": "\xff"}', "it is no UTF-8 text at byte 11"),
        (b"[1]", "it is a list, not an object"),
        ({"half": 1}, "time is missing"),
        ({**KEPT, "image_hash": 7}, "image_hash is 7, not a text"),
        ({**KEPT, "checkpoints": [0, "x"]}, 'checkpoints[1] is "x", not a whole number'),
        (
            {**KEPT, "decision": "crop"},
            'decision is "crop", none of keep, relabel, remove, duplicate, unsure, undecided',
        ),
        ({**KEPT, "decision": "relabel"}, "new_label is missing"),
        (
            {"format_version": 2, "what": "region"},
            "made by a newer version of review-embeddings",
        ),
        ({**KEPT, "format_version": "2"}, 'format_version is "2", not a whole number from 1 on'),
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_said(
    run: RunFolder, line: bytes | dict[str, Any], reason: str
) -> None:
    lines_of(run, KEPT, b"", line, {**KEPT, "image_hash": "bb"})
    notes: list[str] = []
    history = read_history(run, notes.append)
    assert [one.image_hash for one in history.lines] == ["aa", "bb"]
    newer = "newer version" in reason
    assert history.unreadable == [UnreadableLine(3, reason, newer=newer)], "an empty one is none"
    assert notes == [f"Line 3 ({reason}) of {run.decisions} cannot be read and is left out."]


def test_many_lines_that_cannot_be_read_are_one_sentence(run: RunFolder) -> None:
    lines_of(run, *[b"x"] * 1004, KEPT)
    notes: list[str] = []
    before = run.decisions.read_bytes()
    with writing(run, notes.append) as writer:
        assert len(writer.history.unreadable) == 1004
        writer.append(REVIEWED.decide([11], "keep", reviewer="ada"))
    named = ", ".join(f"{number} (it is no JSON)" for number in range(1, 6))
    assert notes == [
        f"Lines {named} and 999 more of {run.decisions} cannot be read and are left out."
    ]
    assert run.decisions.read_bytes().startswith(before), "and stay in the file"


def test_what_a_newer_version_adds_to_a_line_does_no_harm(run: RunFolder) -> None:
    lines_of(run, {**KEPT, "box": [1, 2], "format_version": 1})
    (line,) = read_history(run, pytest.fail).lines
    assert line.decision == "keep" and line.unknown == {"box": [1, 2], "format_version": 1}
    assert json.loads(as_line(line)) == {**json.loads(as_line(line)), "box": [1, 2]}


def test_no_flipped_bit_makes_another_decision(run: RunFolder) -> None:
    (decision,) = REVIEWED.decide([10], "keep", note="Émile", reviewer="ada")
    line = as_line(decision)[:-1]
    for bit in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(RecordError):
            assert read_line(bytes(flipped)) == decision, flipped  # in the key's own name


def test_a_line_that_was_edited_is_said_and_counts_without_its_checksum(run: RunFolder) -> None:
    (decision,) = REVIEWED.decide([10], "keep", reviewer="ada")
    edited = json.loads(as_line(decision)) | {"decision": "remove"}
    lines_of(run, edited)
    notes: list[str] = []
    assert read_history(run, notes.append).lines == []
    assert len(notes) == 1 and f"Line 1 ({CHANGED})" in notes[0]
    del edited["checksum"]
    lines_of(run, edited)
    (read,) = read_history(run, pytest.fail).lines
    assert read.decision == "remove"


def test_a_line_that_another_program_spaces_otherwise_is_as_it_was_written(run: RunFolder) -> None:
    (decision,) = REVIEWED.decide([10], "keep", note="Émile", reviewer="ada")
    content = json.loads(as_line(decision))
    assert read_line(json.dumps(content).encode()) == decision
    assert read_line(json.dumps(content, indent=1).encode()) == decision
    later = content | {"note": "x", "checksum": "blake9:00"}
    assert read_line(json.dumps(later).encode()).note == "x", "of a version that we do not know"


def whole(value: object) -> object:
    """As a line is read: without half characters."""
    return HALF.sub("\ufffd", value) if isinstance(value, str) else value


LINE = {**KEPT, "note": "n", "list": None, "checkpoints": [0, 5]}


@settings(max_examples=200, deadline=None)
@given(change=changes(LINE))
def test_a_changed_line_is_the_decision_that_it_was_or_said(change: Change) -> None:
    """Whatever becomes of a line, it is never silently left out and never another decision."""
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        run = RunFolder(Path(name))
        run.decisions.write_bytes(change.text + b"\n")
        history = read_history(run, notes.append)
        with writing(run, notes.append) as writer:
            writer.append(REVIEWED.decide([11], "keep", reviewer="ada"))
        assert run.decisions.read_bytes().startswith(change.text + b"\n")
    if history.unreadable:
        assert not history.lines and change.kind != ADD
        assert len(notes) == 2 and notes[0] == notes[1] and "\n" not in notes[0]
    else:
        (line,) = history.lines
        assert not notes and change.kind not in {CUT, NEWER}
        read = json.loads(as_line(line))
        expected = {key: whole(value) for key, value in json.loads(change.text).items()}
        assert {key: whole(read[key]) for key in change.content} == expected


def test_only_one_writer_and_a_killed_one_leaves_no_lock(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from review_embeddings.pipeline.run.folder import RunFolder; "
        "from review_embeddings.review.decisions.log import writing\n"
    )
    code += "run = RunFolder(Path(sys.argv[1]))\n"
    code += "with writing(run, print): print('open', flush=True); time.sleep(60)"
    monkeypatch.setattr(runlocks, "DECISION_LOCK_SECONDS", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        with (
            pytest.raises(BusyError, match="decided about by another process"),
            writing(run, print),
        ):
            pass
        process.kill()
    with writing(run, print) as writer:
        assert writer.history.lines == []


def test_on_a_full_disk_nothing_stays_of_what_was_begun(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(run, print) as writer:
        writer.append(REVIEWED.decide([10], "keep", reviewer="ada"))
        before = run.decisions.read_bytes()
        original = os.write

        def full(file: int, data: bytes) -> int:
            if len(data) <= 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(file, bytes(data)[:-20])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StorageError, match="disk is full"):
            writer.append(REVIEWED.decide([11], "remove", reviewer="ada", request="again"))
        monkeypatch.undo()
        assert run.decisions.read_bytes() == before
        assert (
            len(writer.append(REVIEWED.decide([11], "remove", reviewer="ada", request="again")))
            == 1
        )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"decision": "delete"}, "is no decision"),
        ({"decision": None}, "Neither a decision nor the name"),
        ({"decision": "relabel"}, "needs a new label"),
        ({"decision": "keep", "new_label": "dog"}, "needs a new label"),
        (
            {"decision": "relabel", "new_label": "fish"},
            r"'fish' is none of the classes \(cat, dog\)",
        ),
        ({"decision": "keep", "note": "x" * 2001}, "2001 characters"),
        ({"decision": None, "list_name": ""}, "0 characters"),
        ({"decision": "keep", "ids": [10, 99]}, "Image 99 is not in this run"),
    ],
)
def test_what_cannot_be_said_is_refused(said: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        REVIEWED.decide(**{"ids": [10], "reviewer": "ada", **said})  # type: ignore[arg-type]


texts = st.text(max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", '"; DROP', "a\nb\r\n", "👩‍🎨", "‮שלום", "=1+1", "\x00", "\ud83d"]
)


@given(note=texts, name=texts, label=texts, decision=st.sampled_from(DECISIONS))
def test_any_text_comes_back_as_it_was(note: str, name: str, label: str, decision: str) -> None:
    line = Decision(
        "2026-01-01T00:00:00.000000Z",
        name,
        "aa",
        1,
        label,
        decision,
        label,
        note,
        name,
        (1, 2),
        "r",
        "v",
    )
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        with writing(run, print) as writer:
            if HALF.search(note + name + label):
                with pytest.raises(SettingsError, match="is no valid Unicode: character"):
                    writer.append([line])
                assert not run.decisions.exists()
                return
            (written,) = writer.append([line])
        assert read_history(run, print).lines == [written]
        assert replace(written, sequence=0) == line
        assert run.decisions.read_bytes().count(b"\n") == 1


def test_there_is_always_a_name_for_the_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(KeyError("uid")))
    assert login_name() == "unknown"
