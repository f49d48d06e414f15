"""What a build with nothing to do looks at, and that what is remembered hides no change."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from samples import save_checkpoint

from review_embeddings.pipeline.errors import ReviewError
from review_embeddings.pipeline.models.weights import WeightsStamp
from review_embeddings.pipeline.models.weights import stamp_weights as stamped
from review_embeddings.pipeline.run import checksums
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.run.parquets import numbers_of
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages import keys
from review_embeddings.pipeline.stages.preview import preview

LOOKED = """
import collections, json, sys
opened = collections.Counter()

def note(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        opened[arguments[0]] += 1

sys.addaudithook(note)
from review_embeddings.pipeline.run import checksums
from review_embeddings.review.cli.program import main
checksums.SETTLED_SECONDS = -1.0  # the run lies there as if for long
sys.argv = ["review-embeddings", "build", "--run", sys.argv[1]]
try:
    main()
finally:
    print(json.dumps([sorted(sys.modules), opened]), file=sys.stderr)
"""

NOT_NEEDED = {
    *("torch", "transformers", "datasets", "pandas", "scipy", "sklearn", "cleanlab", "matplotlib"),
    *("safetensors", "huggingface_hub", "renumics", "numba", "fsspec"),
}


def test_nothing_to_do_imports_nothing_large_and_reads_each_result_once(built_run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOKED, str(built_run)], capture_output=True, text=True, check=True
    )
    assert "Everything was up to date." in done.stdout
    modules, opened = json.loads(done.stderr.splitlines()[-1])
    assert not NOT_NEEDED & set(modules)
    inside = {Path(name): count for name, count in opened.items() if str(built_run) in name}
    results = {path: count for path, count in inside.items() if path.stem.isdigit()}
    assert len(results) >= 12 and {path.suffix for path in results} == {".json"}
    assert set(results.values()) == {1}, "no array is opened, and no result twice"
    of_one = sum(count for path, count in inside.items() if "checkpoint-20" in path.parts)
    assert of_one <= 12, "configuration, image processor, Trainer's record, headers of weights"


# -- what is remembered hides nothing


def hashed_anew(source: str, known: WeightsStamp | None = None, *, base: str | None = None) -> Any:
    """Weights whose names, sizes and times say nothing."""
    return stamped(source, None, base=base)


def due(run: Path) -> Any:
    """What a build would do, or why it cannot."""
    try:
        jobs = preview(RunFolder(run), Request())
    except ReviewError as error:
        return str(error)
    return [(job.stage.name, job.step, job.fingerprint, job.reason) for job in jobs]


def due_by_the_slow_way(run: Path) -> Any:
    """The same with nothing remembered, and all weights hashed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "_contents", {})
        patch.setattr(checksums, "_checked", set())
        patch.setattr(keys, "stamp_weights", hashed_anew)
        return due(run)


def some(folder: Path, pattern: str, random: np.random.Generator) -> Path:
    return Path(random.choice(sorted(map(str, folder.glob(pattern)))))


def change_weights(run: Path, data: Path, random: np.random.Generator) -> None:
    folder = some(run, "checkpoint-*", random)
    save_checkpoint(folder, seed=int(random.integers(1 << 30)), step=int(folder.name[11:]))


def touch_weights(run: Path, data: Path, random: np.random.Generator) -> None:
    os.utime(some(run, "checkpoint-*/model.safetensors", random))


def lose_weights(run: Path, data: Path, random: np.random.Generator) -> None:
    if len(list(run.glob("checkpoint-*"))) > 1:
        shutil.rmtree(some(run, "checkpoint-*", random))


def change_a_setting_of_a_checkpoint(run: Path, data: Path, random: np.random.Generator) -> None:
    file = some(run, "checkpoint-*/preprocessor_config.json", random)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rescale_factor": random.random()}))


def change_a_label(run: Path, data: Path, random: np.random.Generator) -> None:
    image = some(data, "*/*.png", random)
    image.rename(data / "red" / f"moved-{random.integers(1 << 30)}.png")


def change_an_image(run: Path, data: Path, random: np.random.Generator) -> None:
    shutil.copy(some(data, "*/*.png", random), some(data, "*/*.png", random))


def add_an_image(run: Path, data: Path, random: np.random.Generator) -> None:
    shutil.copy(some(data, "*/*.png", random), data / "blue" / f"{random.integers(1 << 30)}.png")


def cut_a_result(run: Path, data: Path, random: np.random.Generator) -> None:
    file = some(run, "*/[0-9]*.npy", random)
    file.write_bytes(file.read_bytes()[:-1])


def lose_a_result(run: Path, data: Path, random: np.random.Generator) -> None:
    some(run, "*/[0-9]*.*", random).unlink()


def flip_a_digit(run: Path, data: Path, random: np.random.Generator) -> None:
    """Of a fingerprint: the file stays as long as it was."""
    file = some(run, "[!c]*/[0-9]*.json", random)
    text = file.read_text()
    place = text.index('"fingerprint": "') + 16
    file.write_text(text[:place] + ("0" if text[place] != "0" else "1") + text[place + 1 :])


def lose_a_part_of_the_table(run: Path, data: Path, random: np.random.Generator) -> None:
    if parts := sorted((run / "table").glob("*.parquet")):
        parts[int(random.integers(len(parts)))].unlink()


def nothing(run: Path, data: Path, random: np.random.Generator) -> None:
    """As it was."""


CHANGES: list[Callable[[Path, Path, np.random.Generator], None]] = [
    *(change_weights, touch_weights, lose_weights, change_a_setting_of_a_checkpoint),
    *(change_a_label, change_an_image, add_an_image, cut_a_result, lose_a_result, flip_a_digit),
    *(lose_a_part_of_the_table, nothing),
]


@pytest.mark.parametrize("seed", range(8))
def test_what_is_remembered_hides_no_change(
    seed: int, built_run: Path, image_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of a process that has looked before is that of one that hashes everything."""
    monkeypatch.setattr(checksums, "SETTLED_SECONDS", -1.0)
    run = Path(shutil.copytree(built_run, tmp_path / "run"))
    data = Path(shutil.copytree(image_folder, tmp_path / "data"))
    written = RunFolder(run).read_info()
    assert written is not None
    RunFolder(run).write_info(written.with_source(str(data)))
    random = np.random.default_rng(seed)
    first = due(run)
    for change in random.permutation(np.array(CHANGES, dtype=object))[:5]:
        change(run, data, random)
        found = due(run)
        assert found == due_by_the_slow_way(run), change.__name__
    assert found != first or seed


def test_numbers_of_a_column_are_those_that_pyarrow_gives() -> None:
    whole = pyarrow.array([9, None, 2, None, 7, 8, 6, 5, 4, None, 3], pyarrow.int32())
    column = pyarrow.chunked_array([whole[3:], whole[:0], whole[9:10], whole[4:7]])
    assert numbers_of(column, missing=-1).tolist() == [
        *(-1, 7, 8, 6, 5, 4, -1, 3),
        -1,
        *(7, 8, 6),
    ]
    assert numbers_of(column, missing=-1).dtype == np.int32
    empty = pyarrow.chunked_array([], pyarrow.int64())
    assert numbers_of(empty).tolist() == [] and numbers_of(empty).dtype == np.int64
