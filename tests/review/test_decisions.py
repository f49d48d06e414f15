"""decisions.jsonl: only added to, on disk before it counts, never torn."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review_embeddings.pipeline.errors import BusyError, SettingsError, StorageError
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.review.decisions.judged import Judged
from review_embeddings.review.decisions.log import (
    DECISIONS,
    FIELDS,
    UNDECIDED,
    Decision,
    as_line,
    login_name,
    read_history,
    writing,
)

JUDGED = Judged({10: 0, 11: 1, 12: 2}, ["aa", "bb", "cc"], ["cat", "dog", None], ["cat", "dog"])


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_line_says_what_by_whom_when_and_about_which_content(run: RunFolder) -> None:
    with writing(run) as writer:
        writer.append(
            JUDGED.decide(
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
    assert tuple(content) == FIELDS
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
    with writing(run) as writer:
        for decision in ("keep", "remove"):
            writer.append(JUDGED.decide([10, 11], decision, reviewer="ada"))
        writer.append(JUDGED.decide([11], UNDECIDED, reviewer="bob"))
    history = read_history(run)
    assert {image: line.decision for image, line in history.current().items()} == {"aa": "remove"}
    assert [line.decision for line in history.lines] == [
        "keep",
        "keep",
        "remove",
        "remove",
        "undecided",
    ]
    assert history.faults == []


def test_a_list_is_what_was_saved_last_under_its_name(run: RunFolder) -> None:
    with writing(run) as writer:
        writer.append(JUDGED.decide([12, 10], None, list_name="odd", reviewer="ada"))
        writer.append(JUDGED.decide([11], "keep", reviewer="ada"))
        writer.append(JUDGED.decide([11, 12], None, list_name="odd", reviewer="bob"))
        writer.append(JUDGED.decide([10], None, list_name="even", reviewer="bob"))
    history = read_history(run)
    assert history.saved_lists() == {"odd": ["bb", "cc"], "even": ["aa"]}
    assert set(history.current()) == {"bb"}


def test_a_request_that_is_repeated_is_written_once(run: RunFolder) -> None:
    lines = JUDGED.decide([10, 11], "remove", reviewer="ada", request="r1")
    with writing(run) as writer:
        assert len(writer.append(lines[:1])) == 1
        assert [line.image_id for line in writer.append(lines)] == [11]
    with writing(run) as writer:  # and by a program that was started again
        assert writer.append(lines) == []
    assert len(read_history(run).lines) == 2


def test_a_last_line_cut_off_by_a_crash_is_set_aside_and_told(run: RunFolder) -> None:
    with writing(run) as writer:
        writer.append(JUDGED.decide([10], "keep", reviewer="ada"))
    whole = run.decisions.read_bytes()
    torn = as_line(JUDGED.decide([11], "remove", reviewer="ada")[0])[:-20]
    run.decisions.write_bytes(whole + torn)
    assert len(read_history(run).lines) == 1
    assert "cut off by a crash" in read_history(run).faults[0]
    with writing(run) as writer:
        assert "decisions.torn" in writer.history.faults[0]
        writer.append(JUDGED.decide([12], "unsure", reviewer="ada"))
    assert run.torn_decisions.read_bytes() == torn + b"\n"
    assert [line.image_id for line in read_history(run).lines] == [10, 12]
    assert run.decisions.read_bytes().startswith(whole)


def test_a_line_that_is_no_decision_is_left_out_and_told(run: RunFolder) -> None:
    with writing(run) as writer:
        writer.append(JUDGED.decide([10], "keep", reviewer="ada"))
    with run.decisions.open("ab") as file:
        file.write(b'{"half": 1}\nnonsense\n')
    with writing(run) as writer:
        writer.append(JUDGED.decide([11], "keep", reviewer="ada"))
    history = read_history(run)
    assert len(history.lines) == 2
    assert [fault.split(" of ")[0] for fault in history.faults] == ["Line 2", "Line 3"]


def test_only_one_writer_and_a_killed_one_leaves_no_lock(run: RunFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from review_embeddings.pipeline.run.folder import RunFolder; "
        "from review_embeddings.review.decisions.log import writing\n"
    )
    code += "with writing(RunFolder(Path(sys.argv[1]))): print('open', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        with pytest.raises(BusyError, match="open in another review"), writing(run):
            pass
        process.kill()
    with writing(run) as writer:
        assert writer.history.lines == []


def test_on_a_full_disk_nothing_stays_of_what_was_begun(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(run) as writer:
        writer.append(JUDGED.decide([10], "keep", reviewer="ada"))
        before = run.decisions.read_bytes()
        original = os.write

        def full(file: int, data: bytes) -> int:
            if len(data) <= 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            return original(file, bytes(data)[:-20])

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StorageError, match="disk is full"):
            writer.append(JUDGED.decide([11], "remove", reviewer="ada", request="again"))
        monkeypatch.undo()
        assert run.decisions.read_bytes() == before
        assert (
            len(writer.append(JUDGED.decide([11], "remove", reviewer="ada", request="again"))) == 1
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
        JUDGED.decide(**{"ids": [10], "reviewer": "ada", **said})  # type: ignore[arg-type]


texts = st.text(max_size=40) | st.sampled_from(
    ["<script>alert(1)</script>", '"; DROP', "a\nb\r\n", "👩‍🎨", "‮שלום", "=1+1", "\x00", "\ud83d"]
)


@given(note=texts, name=texts, label=texts, decision=st.sampled_from(DECISIONS))
def test_any_text_comes_back_as_it_was(note: str, name: str, label: str, decision: str) -> None:
    import tempfile

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
        with writing(run) as writer:
            writer.append([line])
        assert read_history(run).lines == [line]
        assert run.decisions.read_bytes().count(b"\n") == 1


def test_there_is_always_a_name_for_the_reviewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: (_ for _ in ()).throw(KeyError("uid")))
    assert login_name() == "unknown"
