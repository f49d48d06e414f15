"""The loops of the README and of pipeline/README, run: a plain one, Lightning, one like timm's
train.py, and a classifier like those of Ultralytics."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from samples import need, write_splits
from torch import nn

from review_embeddings.pipeline import Recorder, RunFolder, build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_splits(tmp_path_factory.mktemp("examples") / "pictures", train=4, test=3)


class Compose:
    """As torchvision's: Resize, ToTensor and Normalize after each other."""

    def __init__(self, *steps: Any) -> None:
        self.steps = steps

    def __call__(self, image: Any) -> Any:
        for step in self.steps:
            image = step(image)
        return image


def evaluation_transform(side: int = 16) -> Compose:
    return Compose(
        lambda image: image.resize((side, side)),
        lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255,
        lambda tensor: (tensor - 0.5) / 0.5,
    )


def small_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))


def batches(seed: int = 0) -> list[tuple[Any, Any]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(6, 3, 16, 16, generator=generator),
            torch.randint(0, 3, (6,), generator=generator),
        )
        for _ in range(3)
    ]


def example(file: Path, title: str) -> str:
    """The Python code under a heading."""
    text = file.read_text(encoding="utf-8").split(title, 1)[1]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def of_values(run: Path, step: int) -> Any:
    return RunFolder(run).read_array("embeddings", step)


def test_the_plain_loop_of_the_readme(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = example(ROOT / "README.md", "### 2. I have another training loop")
    code = code.replace('"path/to/images"', repr(str(pictures)))
    torch.manual_seed(0)
    model = small_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def train_one_epoch() -> float:
        model.train()
        for images, labels in batches():
            loss: Any = nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.detach())

    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "model": model,
        "evaluation_transform": evaluation_transform(),
        "epochs": 2,
        "steps_per_epoch": 3,
        "train_one_epoch": train_one_epoch,
    }
    exec(compile(code, "README.md", "exec"), names)
    built = build(tmp_path / "runs/mine")
    assert built.manifest.steps == [0, 3, 6]


# -- Lightning


def lightning_of() -> Any:
    """The library, or a stand-in with as much of it as the example takes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import lightning
    except ImportError:
        return stand_in()
    return lightning


def stand_in() -> Any:
    class LightningModule(nn.Module):
        trainer: Any

        def log(self, name: str, value: Any) -> None:
            self.trainer.callback_metrics[name] = value.detach()

    class Callback:
        def on_train_start(self, trainer: Any, module: Any) -> None: ...

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None: ...

    class Trainer:
        def __init__(self, max_epochs: int, callbacks: list[Any], **_: Any) -> None:
            self.max_epochs, self.callbacks = max_epochs, callbacks
            self.callback_metrics: dict[str, Any] = {}
            self.global_step = self.current_epoch = 0

        def fit(self, module: Any, loader: Any) -> None:
            module.trainer = self
            optimizer = module.configure_optimizers()
            module.train()
            for one in self.callbacks:
                one.on_train_start(self, module)
            for epoch in range(self.max_epochs):
                self.current_epoch = epoch
                for index, batch in enumerate(loader):
                    loss = module.training_step(batch, index)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    self.global_step += 1
                for one in self.callbacks:
                    one.on_train_epoch_end(self, module)

    return SimpleNamespace(LightningModule=LightningModule, Callback=Callback, Trainer=Trainer)


@pytest.mark.parametrize("library", [lightning_of, stand_in])
def test_a_lightning_module_with_a_callback_of_ten_lines(
    pictures: Path, tmp_path: Path, library: Any
) -> None:
    lightning = library()

    class Classifier(lightning.LightningModule):  # type: ignore[misc, name-defined]  # made here
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.network, self.dropout = small_network(), nn.Dropout(0.5)

        def forward(self, images: Any) -> Any:
            return self.network(self.dropout(images))

        def training_step(self, batch: Any, index: int) -> Any:
            loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    names: dict[str, Any] = {"lightning": lightning}
    code = example(ROOT / "pipeline/README.md", "### Lightning")
    exec(compile(code.split("\nrecorder =")[0], "README.md", "exec"), names)
    recorder = Recorder(tmp_path / "run", pictures, split="test", transform=evaluation_transform())
    weights = []
    for callbacks in ([names["RecorderCallback"](recorder)], []):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = lightning.Trainer(
                max_epochs=2,
                callbacks=callbacks,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                accelerator="cpu",
                default_root_dir=tmp_path,
            )
            module = Classifier()
            torch.manual_seed(1)
            trainer.fit(module, torch.utils.data.DataLoader(batches(), batch_size=None))  # type: ignore[arg-type]  # a list is a data set
        weights.append(module.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    run = RunFolder(tmp_path / "run")
    assert run.steps_with("embeddings") == [0, 3, 6]
    metadata = run.result_metadata("embeddings", 6)
    assert metadata is not None and metadata["epoch"] == 2
    assert metadata["loss"] == metadata["metrics"]["train_loss"] > 0


# -- timm


def test_a_loop_like_timms_train_script(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import timm
        from timm.data import create_transform, resolve_data_config
        from timm.optim import create_optimizer_v2
        from timm.utils import ModelEmaV3
    except ImportError:
        need(False, "timm with a torchvision that fits torch (pip install .[timm])")
    from PIL import Image

    torch.manual_seed(0)
    model = timm.create_model("test_vit", num_classes=3, drop_rate=0.3)
    code = example(ROOT / "pipeline/README.md", "### timm")
    code = code.replace('"path/to/images"', repr(str(pictures)))
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3)
    ema = ModelEmaV3(model, decay=0.9)
    size = model.pretrained_cfg["input_size"][-1]

    def train_one_epoch() -> dict[str, float]:
        model.train()
        loss: Any = nn.functional.cross_entropy(
            model(torch.randn(4, 3, size, size)), torch.randint(0, 3, (4,))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update(model)
        return {"loss": float(loss.detach()), "top1": 50.0}

    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "model": model,
        "model_ema": ema,
        "train_one_epoch": train_one_epoch,
        "num_epochs": 2,
        "updates_per_epoch": 5,
    }
    exec(compile(code, "README.md", "exec"), names)
    recorder = names["recorder"]
    recorder.record(11, model)
    recorder.close()
    run = RunFolder(tmp_path / "output/train/mine")
    assert run.steps_with("embeddings") == [0, 5, 10, 11]
    transform = create_transform(**resolve_data_config({}, model=model))
    files = sorted((pictures / "test").rglob("*.png"))
    images = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    model.eval()
    with torch.no_grad():
        features = model.forward_head(model.forward_features(images), pre_logits=True)
        likely = model(images).softmax(dim=1)
    assert np.allclose(run.read_array("embeddings", 11), features, atol=1e-5)
    assert np.allclose(run.read_array("probabilities", 11), likely, atol=1e-5)
    assert not np.array_equal(run.read_array("embeddings", 10), features)  # of the average


# -- Ultralytics


class Classify(nn.Module):
    """The head of an Ultralytics classifier: logits in training; in evaluation the probabilities,
    and before version 8.4 nothing else."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(8, 12, 1, bias=False), nn.BatchNorm2d(12), nn.SiLU())
        self.pool, self.drop = nn.AdaptiveAvgPool2d(1), nn.Dropout(0.0)
        self.linear, self.both = nn.Linear(12, 3), both

    def forward(self, x: Any) -> Any:
        x = self.linear(self.drop(self.pool(self.conv(x)).flatten(1)))
        if self.training:
            return x
        return (x.softmax(1), x) if self.both else x.softmax(1)


@pytest.mark.parametrize("both", [True, False])
def test_a_classifier_like_those_of_ultralytics(pictures: Path, tmp_path: Path, both: bool) -> None:
    torch.manual_seed(0)
    model: Any = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.ReLU(), Classify(both))
    code = example(ROOT / "pipeline/README.md", "### Ultralytics")
    code = code.replace('"path/to/images"', repr(str(pictures)))
    code = code.replace('"runs/classify/mine"', repr(str(tmp_path / "run")))
    callbacks: dict[str, Any] = {}
    yolo = SimpleNamespace(add_callback=callbacks.__setitem__, train=lambda **_: None)
    names: dict[str, Any] = {"yolo": yolo, "transform": evaluation_transform()}
    exec(compile(code, "README.md", "exec"), names)
    trainer = SimpleNamespace(
        model=nn.DataParallel(model),
        epoch=0,
        metrics={"metrics/accuracy_top1": 0.5, "val/loss": 1.0},
        ema=SimpleNamespace(ema=model),
    )
    model.train()
    callbacks["on_fit_epoch_end"](trainer)
    assert model.training and model[2].training
    names["recorder"].close()
    from PIL import Image

    files = sorted((pictures / "test").rglob("*.png"))
    transform = evaluation_transform()
    images = torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    model.eval()
    with torch.no_grad():
        given = model(images)
        likely = given[0] if both else given
        head = model[2]
        features = head.pool(head.conv(model[1](model[0](images)))).flatten(1)
    run = RunFolder(tmp_path / "run")
    assert np.allclose(run.read_array("probabilities", 1), likely, atol=1e-6)
    assert np.allclose(run.read_array("embeddings", 1), features, atol=1e-6)
