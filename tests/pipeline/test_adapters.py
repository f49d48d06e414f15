"""Adapters: their values are those of the merged model, whatever was loaded before; where their
base model is found; what is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from adapting import TARGETS, classifier_on, lora, save_adapter, with_old_names
from safetensors.torch import load_file
from samples import CLASSES, save_checkpoint, save_start_model, write_splits

from review_embeddings.pipeline import table
from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.hub import forget_answer
from review_embeddings.pipeline.models import weights
from review_embeddings.pipeline.models.checkpoints import (
    Checkpoint,
    FoundCheckpoints,
    find_checkpoints,
)
from review_embeddings.pipeline.models.encoder import load_encoder
from review_embeddings.pipeline.models.forms.adapters import folder as adapterfolder
from review_embeddings.pipeline.models.forms.adapters import hub
from review_embeddings.pipeline.models.forms.adapters.form import describe_adapter
from review_embeddings.pipeline.models.heads import head_of
from review_embeddings.pipeline.models.loader import EncoderLoader
from review_embeddings.pipeline.models.weights import stamp_weights
from review_embeddings.pipeline.run.folder import RunFolder
from review_embeddings.pipeline.settings import Request
from review_embeddings.pipeline.stages.build import build

peft = pytest.importorskip("peft")

PIXELS = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))

NOISE = 2e-6
"""Of float32, for values around 1."""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_start_model(tmp_path_factory.mktemp("base") / "vit")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def embedded() -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Embeddings and probabilities of a checkpoint, all by one loader."""
    loader = EncoderLoader("cpu")

    def call(found: FoundCheckpoints, step: int, with_head: bool = True) -> tuple[Any, Any]:
        encoder = loader.encoder(
            found.by_step(step), pooling="auto", precision="fp32", with_head=with_head
        )
        vectors, logits = encoder.encode(PIXELS)
        return vectors, None if logits is None else logits.softmax(dim=-1)

    yield call
    loader.close()


def softmax(encoder: Any, pixels: Any) -> Any:
    return encoder.encode(pixels)[1].softmax(dim=-1)


def expected(model: Any) -> tuple[Any, Any]:
    """The same of PEFT's own model, never merged."""
    with torch.no_grad():
        hidden = model.base_model.model.vit(pixel_values=PIXELS).last_hidden_state
        return hidden[:, 0], model(pixel_values=PIXELS).logits.softmax(dim=-1)


KINDS: dict[str, Callable[[], Any]] = {
    "LoRA": lora,
    "rank-stabilised, ranks by module": lambda: lora(
        use_rslora=True, rank_pattern={"v_proj": 2}, alpha_pattern={"fc1": 5}
    ),
    "DoRA": lambda: lora(use_dora=True),
    "its own biases": lambda: lora(bias="lora_only"),
    "all biases": lambda: lora(bias="all"),
    "all linear layers, a norm saved whole": lambda: lora(
        target_modules="all-linear",
        exclude_modules=["classifier"],
        modules_to_save=["classifier", "layernorm"],
    ),
    "a pattern": lambda: lora(target_modules=r".*layers\.1.*(q_proj|fc2)"),
    "IA3": lambda: peft.IA3Config(
        target_modules=TARGETS, feedforward_modules=["fc1"], modules_to_save=["classifier"]
    ),
    "OFT": lambda: peft.OFTConfig(
        oft_block_size=4, target_modules=TARGETS, modules_to_save=["classifier"]
    ),
    "BOFT": lambda: peft.BOFTConfig(
        boft_block_size=4, target_modules=TARGETS, modules_to_save=["classifier"]
    ),
    "VeRA": lambda: peft.VeraConfig(
        r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"]
    ),
    "AdaLoRA": lambda: peft.AdaLoraConfig(
        total_step=10, target_modules=TARGETS, modules_to_save=["classifier"]
    ),
    "LoKr": lambda: peft.LoKrConfig(target_modules=TARGETS, modules_to_save=["classifier"]),
}


@pytest.mark.filterwarnings("ignore::UserWarning:peft")
def test_each_kind_of_adapter_gives_what_peft_gives_whatever_was_loaded_before(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    models = {}
    for seed, make in enumerate(KINDS.values()):
        for number in range(2):  # the second is loaded by an exchange of tensors
            step = 10 * seed + number + 1
            folder = run / f"checkpoint-{step}"
            models[step] = save_adapter(folder, base, seed=step, config=make())
    found = find_checkpoints(run)
    assert not found.skipped
    for step in [*models, 1]:
        vectors, probabilities = embedded(found, step)
        true_vectors, true_probabilities = expected(models[step])
        assert (vectors - true_vectors).abs().max() < NOISE, step
        assert (probabilities - true_probabilities).abs().max() < NOISE, step


def test_lora_is_the_base_plus_b_a_alpha_over_r(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    """By hand, without PEFT; with rsLoRA the factor is alpha over the root of r."""
    save_adapter(run / "checkpoint-1", base, seed=1)
    save_adapter(run / "checkpoint-2", base, seed=2, config=lora(use_rslora=True))
    for step, factor in ((1, 16 / 4), (2, 16 / math.sqrt(4))):
        tensors = load_file(run / f"checkpoint-{step}" / "adapter_model.safetensors")
        model = classifier_on(base).eval()
        with torch.no_grad():
            for name, down in tensors.items():
                if name.endswith("lora_A.weight"):
                    up = tensors[name.replace("lora_A", "lora_B")]
                    module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                    model.get_submodule(module).weight += up @ down * factor
            for part in ("weight", "bias"):
                saved = tensors[f"base_model.model.classifier.{part}"]
                getattr(model.classifier, part).copy_(saved)
            hidden = model.vit(pixel_values=PIXELS).last_hidden_state[:, 0]
            probabilities = model(pixel_values=PIXELS).logits.softmax(dim=-1)
        vectors, found = embedded(find_checkpoints(run), step)
        assert (vectors - hidden).abs().max() < NOISE
        assert (found - probabilities).abs().max() < NOISE


def test_checkpoints_exchange_tensors_without_loading_the_base_anew(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from review_embeddings.pipeline.models.forms.adapters import merging

    loads = []
    original = merging._load_base

    def noting(*given: Any) -> Any:
        loads.append(given)
        return original(*given)

    monkeypatch.setattr(merging, "_load_base", noting)
    for step in (1, 2, 3):
        save_adapter(run / f"checkpoint-{step}", base, seed=step)
    save_adapter(run / "checkpoint-4", base, seed=4, config=lora(r=2))
    found = find_checkpoints(run)
    for step in (1, 2, 3):
        embedded(found, step)
    assert len(loads) == 1
    embedded(found, 4)
    assert len(loads) == 2, "another rank is another kind"


def test_adapters_of_transformers_4_are_found_by_the_old_names_of_modules(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    config = lora(
        rank_pattern={"v_proj": 2},
        alpha_pattern={"fc1": 5},
        bias="all",
        modules_to_save=["classifier", "layers.1.mlp"],
    )
    one = save_adapter(run / "checkpoint-1", base, seed=1, config=config)
    two = save_adapter(run / "checkpoint-2", base, seed=2, config=KINDS["IA3"]())
    with_old_names(
        run / "checkpoint-1",
        rank_pattern={"value": 2},
        alpha_pattern={"intermediate.dense": 5},
        modules_to_save=["classifier", "layer.1.intermediate", "layer.1.output"],
    )
    with_old_names(run / "checkpoint-2", feedforward_modules=["intermediate.dense"])
    found = find_checkpoints(run)
    for step, model in ((1, one), (2, two)):
        vectors, probabilities = embedded(found, step)
        assert (vectors - expected(model)[0]).abs().max() < NOISE
        assert (probabilities - expected(model)[1]).abs().max() < NOISE


def test_a_pickled_adapter_is_read_without_running_code(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    model = save_adapter(run / "checkpoint-1", base, seed=1)
    file = run / "checkpoint-1" / "adapter_model.safetensors"
    torch.save(load_file(file), file.with_name("adapter_model.bin"))
    file.unlink()
    vectors, _ = embedded(find_checkpoints(run), 1)
    assert (vectors - expected(model)[0]).abs().max() < NOISE
    file.with_name("adapter_model.bin").write_bytes(b"\x80\x02cos\nsystem\n(S'echo'\ntR.")
    with pytest.raises(CheckpointError, match="adapter_model.bin cannot be read"):
        embedded(find_checkpoints(run), 1, with_head=False)


# -- in a run


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("pictures") / "set", train=3, test=2)


def request(pictures: Path, **changes: Any) -> Request:
    settings = {"precision": "fp32"}
    dataset = {"source": str(pictures), "split": "test"}
    return Request(dataset=dataset, settings=settings, device="cpu", **changes)


def test_step_0_is_the_base_and_has_no_probabilities_where_no_head_was_saved(
    run: Path, base: Path, pictures: Path
) -> None:
    for step in (10, 20):
        save_adapter(run / f"checkpoint-{step}", base, seed=step)
    built = build(RunFolder(run), request(pictures))
    assert built.wanted == [0, 10, 20]
    frame = table.read(run)
    assert frame[frame["checkpoint"] == 0]["prediction"].isna().all()
    assert set(frame["prediction"].cat.categories) == set(CLASSES), "named after the data set"
    assert not frame[frame["checkpoint"] == 20]["prediction"].isna().any()
    pixels = [folder for folder in (run / "pixels").glob("*") if folder.is_dir()]
    assert len(pixels) <= 1, "all checkpoints and the base have the base's image processor"


def test_another_base_model_makes_results_stale(run: Path, base: Path, pictures: Path) -> None:
    mine = Path(shutil.copytree(base, run / "base"))
    save_adapter(run / "checkpoint-10", mine, seed=1)
    build(RunFolder(run), request(pictures))
    before = np.array(RunFolder(run).read_array("embeddings", 10))
    from safetensors.torch import save_file

    file = mine / "model.safetensors"
    changed = {name: tensor * 1.5 for name, tensor in load_file(file).items()}
    save_file(changed, file, {"format": "pt"})
    build(RunFolder(run), request(pictures))
    assert not np.allclose(before, RunFolder(run).read_array("embeddings", 10))


def test_a_base_without_a_fitting_head_and_an_adapter_without_one_give_no_probabilities(
    run: Path, tmp_path: Path, pictures: Path
) -> None:
    five = save_checkpoint(tmp_path / "five", seed=1, step=10, classes=list("abcde"))
    save_adapter(run / "checkpoint-10", five, seed=1, config=lora(modules_to_save=None))
    build(RunFolder(run), request(pictures))
    assert table.read(run)["prediction"].isna().all()


def test_the_head_of_the_base_is_used_where_it_fits(
    run: Path, tmp_path: Path, pictures: Path
) -> None:
    trained = save_checkpoint(tmp_path / "three", seed=1, step=10)
    save_adapter(run / "checkpoint-10", trained, seed=1, config=lora(modules_to_save=None))
    build(RunFolder(run), request(pictures))
    frame = table.read(run)
    assert sorted(frame["checkpoint"].unique()) == [0, 10]
    assert not frame["prediction"].isna().any()


def test_a_base_with_a_head_of_another_size_takes_the_saved_head(
    run: Path, tmp_path: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    five = save_checkpoint(tmp_path / "five", seed=1, step=10, classes=list("abcde"))
    model = save_adapter(run / "checkpoint-10", five, seed=1)
    _, probabilities = embedded(find_checkpoints(run), 10)
    assert (probabilities - expected(model)[1]).abs().max() < NOISE


def test_the_final_adapter_in_the_runs_folder_is_the_last_checkpoint_or_one_more(
    run: Path, base: Path
) -> None:
    save_adapter(run / "checkpoint-10", base, seed=1)
    save_adapter(run, base, seed=1)
    assert find_checkpoints(run).steps == [0, 10]
    save_adapter(run, base, seed=2)
    assert find_checkpoints(run).steps == [0, 10, 11]


def test_whole_weights_beside_an_adapter_do_not_replace_it(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    """They may be the base's, and loading the folder would put the adapter onto them once more."""
    model = save_adapter(run / "checkpoint-10", base, seed=1)
    for name in ("config.json", "model.safetensors"):
        shutil.copy(base / name, run / "checkpoint-10" / name)
    vectors, _ = embedded(find_checkpoints(run), 10)
    assert (vectors - expected(model)[0]).abs().max() < NOISE


# -- where the base model is


def name_base(folder: Path, name: str | None) -> None:
    file = folder / "adapter_config.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "base_model_name_or_path": name}))


@pytest.mark.parametrize("name", ["models/vit", "../models/vit", "./vit"])
def test_a_relative_path_is_looked_for_in_the_folders_around_the_adapter(
    tmp_path: Path, base: Path, name: str
) -> None:
    run = tmp_path / "runs" / "one"
    save_adapter(run / "checkpoint-10", base, seed=1)
    target = {"models/vit": "models/vit", "../models/vit": "models/vit", "./vit": "runs/vit"}[name]
    shutil.copytree(base, tmp_path / target)
    name_base(run / "checkpoint-10", name)
    assert find_checkpoints(run).by_step(10).adapts == str((tmp_path / target).resolve())


@pytest.mark.parametrize("name", ["/gone/vit", "./gone", None])
def test_a_base_that_is_gone_is_named_with_the_option(
    run: Path, base: Path, name: str | None
) -> None:
    save_adapter(run / "checkpoint-10", base, seed=1)
    name_base(run / "checkpoint-10", name)
    found = find_checkpoints(run)
    assert not found.usable
    assert (
        "--base" in found.skipped[0].reason and str(name or "not named") in found.skipped[0].reason
    )
    named = find_checkpoints(run, str(base))
    assert named.steps == [0, 10]
    assert named.by_step(10).adapts == str(base)


def test_the_adapters_own_base_counts_before_another_that_is_named(
    run: Path, base: Path, tmp_path: Path
) -> None:
    save_adapter(run / "checkpoint-10", base, seed=1)
    other = save_checkpoint(tmp_path / "other", seed=3, step=0)
    assert find_checkpoints(run, str(other)).by_step(10).adapts == str(base.resolve())


def test_a_hub_name_out_of_reach_is_refused_at_once_with_the_option(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    forget_answer()
    save_adapter(run / "checkpoint-10", base, seed=1)
    name_base(run / "checkpoint-10", "somebody/model-that-is-nowhere")
    (skipped,) = find_checkpoints(run).skipped
    assert "somebody/model-that-is-nowhere, cannot be had" in skipped.reason
    assert "--base" in skipped.reason
    assert find_checkpoints(run, str(base)).steps == [0, 10]
    forget_answer()


def test_a_hub_that_does_not_answer_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(*_: Any, **__: Any) -> None:
        asked.append(1)
        raise OSError("no route")

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("urllib.request.urlopen", silent)
    forget_answer()
    for _ in range(3):
        with pytest.raises(CheckpointError, match="cannot be reached"):
            hub.HubModel("somebody/model-that-is-nowhere").file("config.json")
    assert len(asked) == 1
    forget_answer()


def test_the_base_is_hashed_once_for_all_checkpoints(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    for step in (10, 20, 30):
        save_adapter(run / f"checkpoint-{step}", base, seed=step)
    file = base / "model.safetensors"
    os.utime(file, (1e9, 1e9))
    weights._known_digest.cache_clear()
    read: list[Path] = []
    original = weights._read_digest

    def noting(path: Path) -> bytes:
        read.append(path)
        return original(path)

    monkeypatch.setattr(weights, "_read_digest", noting)
    stamps = {stamp_weights(str(run / f"checkpoint-{step}")).sha256 for step in (10, 20, 30)}
    assert len(stamps) == 3
    assert read.count(file) == 1


# -- what is refused


def test_an_adapter_that_does_not_fit_its_base_is_refused(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    from safetensors.torch import save_file

    for step in (10, 20):
        save_adapter(run / f"checkpoint-{step}", base, seed=step)
    file = run / "checkpoint-10" / "adapter_model.safetensors"
    tensors = load_file(file)
    lacking = next(name for name in tensors if "lora_A" in name)
    save_file({name: value for name, value in tensors.items() if name != lacking}, file)
    file = run / "checkpoint-20" / "adapter_model.safetensors"
    more = "base_model.model.vit.layers.7.x.lora_A.weight"
    save_file({**tensors, more: tensors[lacking].clone()}, file)
    found = find_checkpoints(run)
    with pytest.raises(CheckpointError, match="lacks .*lora_A.*--base"):
        embedded(found, 10)
    with pytest.raises(CheckpointError, match=r"has .*layers\.7.*--base"):
        embedded(found, 20)


def test_what_is_no_adapter_that_can_be_used_is_left_out_with_its_reason(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(1, 6):
        save_adapter(run / f"checkpoint-{step}", base, seed=step)
    (run / "checkpoint-1" / "adapter_config.json").write_text('{"peft_')
    (run / "checkpoint-2" / "adapter_model.safetensors").unlink()
    file = run / "checkpoint-3" / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    content = json.loads((run / "checkpoint-4" / "adapter_config.json").read_text())
    mapping = {"base_model_class": "MyModel", "parent_library": "__main__"}
    (run / "checkpoint-4" / "adapter_config.json").write_text(
        json.dumps({**content, "auto_mapping": mapping})
    )
    (run / "checkpoint-5" / "adapter_config.json").write_text(
        json.dumps({**content, "peft_type": "PROMPT_TUNING"})
    )
    found = find_checkpoints(run)
    assert not found.usable
    assert [one.reason.split(" (")[0].split(":")[0] for one in found.skipped] == [
        "its adapter_config.json cannot be read",
        "no weights yet",
        "still being written",
        "its adapter was trained on MyModel, a class of the training script, which cannot be built "
        "from here. Merge it there",
        "an adapter of the kind PROMPT_TUNING cannot be merged into its base model",
    ]


def test_without_peft_it_is_said_how_to_install_it(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_adapter(run / "checkpoint-10", base, seed=1)
    monkeypatch.setattr(
        "review_embeddings.pipeline.models.forms.adapters.form.importlib.util.find_spec",
        lambda name: None,
    )
    (skipped,) = find_checkpoints(run).skipped
    assert skipped.reason == (
        "it is an adapter, and peft is not installed. Install it: "
        "pip install 'review-embeddings[peft]'"
    )


def test_an_adapter_under_a_name_of_its_own_lies_in_a_folder_of_that_name(
    run: Path, base: Path
) -> None:
    save_adapter(run / "made" / "mine", base, seed=1)
    (run / "made").rename(run / "checkpoint-10")
    assert find_checkpoints(run).steps == [0, 10]
    assert adapterfolder.adapter_in(run) is None


def test_the_configuration_that_was_saved_counts_before_the_bases(
    run: Path, base: Path, embedded: Callable[..., tuple[Any, Any]]
) -> None:
    """Only where it is one of the same architecture."""
    model = save_adapter(run / "checkpoint-10", base, seed=1)
    config = model.get_base_model().config
    config.id2label = {0: "x", 1: "y", 2: "z"}
    config.save_pretrained(run / "checkpoint-10")
    head = head_of(find_checkpoints(run).by_step(10))
    assert head is not None and head.names == ["x", "y", "z"]
    vectors, _ = embedded(find_checkpoints(run), 10)
    assert (vectors - expected(model)[0]).abs().max() < NOISE
    file = run / "checkpoint-10" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": "swin"}))
    head = head_of(find_checkpoints(run).by_step(10))
    assert head is not None and head.names is None and head.count == 3


def test_an_adapter_on_a_model_that_was_never_saved_is_described_as_far_as_it_goes(
    run: Path, base: Path
) -> None:
    """So that what was embedded while it was trained stays known, though it cannot be loaded."""
    model = save_adapter(run / "checkpoint-10", base, seed=1)
    name_base(run / "checkpoint-10", "")
    checkpoint = Checkpoint(10, str(run / "checkpoint-10"))
    assert head_of(checkpoint) is None
    assert len(stamp_weights(checkpoint.source).files) == 1
    describe_adapter(model, run / "checkpoint-10")
    head = head_of(checkpoint)
    assert head is not None and head.count == 3
    with pytest.raises(CheckpointError, match="not named in it. Name the folder with --base"):
        load_encoder(checkpoint, pooling="auto", precision="fp32", device="cpu", with_head=True)


def test_an_adapter_on_layers_that_standardise_their_weights_is_not_merged(
    run: Path, tmp_path: Path
) -> None:
    """Merged, it would be standardised with the weights: another function than was trained."""
    from transformers import BitConfig, BitForImageClassification

    options = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_groups": 4}
    torch.manual_seed(0)
    BitForImageClassification(BitConfig(**options, num_labels=3)).save_pretrained(tmp_path / "bit")
    config = lora(target_modules=["conv1", "conv2"], modules_to_save=["classifier.1"])
    loader = EncoderLoader("cpu")
    for step in (1, 2):
        model = save_adapter(run / f"checkpoint-{step}", tmp_path / "bit", seed=step, config=config)
        encoder = loader.encoder(
            find_checkpoints(run).by_step(step), pooling="auto", precision="fp32", with_head=True
        )
        pixels = torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            true = model(pixel_values=pixels).logits.softmax(dim=-1)
        assert (softmax(encoder, pixels) - true).abs().max() < NOISE
    loader.close()


def test_running_statistics_that_are_the_bases_are_told_once(run: Path, tmp_path: Path) -> None:
    """Unless the adapter holds those of every batch norm."""
    from transformers import ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    options = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
    base = tmp_path / "resnet"
    config = ResNetConfig(**options, layer_type="basic", num_labels=3)
    ResNetForImageClassification(config).save_pretrained(base)
    saved = {"classifier": ["classifier.1"], "all": ["classifier.1", "normalization"]}
    for step in (1, 2):
        config = lora(target_modules=["convolution"], modules_to_save=saved["classifier"])
        save_adapter(run / f"checkpoint-{step}", base, seed=step, config=config)
    (note,) = find_checkpoints(run).notes
    assert note.startswith("checkpoint-1 and 1 more: its base model has batch norms whose running")
    for step in (1, 2):
        config = lora(target_modules=["convolution"], modules_to_save=saved["all"])
        save_adapter(run / f"checkpoint-{step}", base, seed=step, config=config)
    assert not find_checkpoints(run).notes
    save_adapter(run / "checkpoint-1", save_checkpoint(tmp_path / "vit", seed=1, step=0), seed=1)
    assert not find_checkpoints(run).notes
