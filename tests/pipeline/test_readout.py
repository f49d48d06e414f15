"""Where a module has its embeddings and logits, against what the module itself computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from review_embeddings.pipeline.errors import CheckpointError
from review_embeddings.pipeline.training.recording.modules import bare_module
from review_embeddings.pipeline.training.recording.readout import Readout
from review_embeddings.pipeline.training.recording.undisturbed import evaluating

CLASSES = 3


class Backbone(nn.Module):
    """A map of 5 channels; the size of the map is that of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x: Any) -> Any:
        return self.norm(self.conv(x)).relu()


class Classifier(nn.Module):
    """A backbone, a linear head, and an output of some form."""

    def __init__(self, form: Callable[[Any, Any], Any] = lambda logits, features: logits) -> None:
        super().__init__()
        self.backbone, self.head = Backbone(), nn.Linear(5, CLASSES)
        self.form = form

    def forward(self, x: Any) -> Any:
        features = self.backbone(x).mean(dim=(2, 3))
        return self.form(self.head(features), features)


class ConvClassifier(nn.Module):
    """The head is a 1x1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = Backbone(), nn.Conv2d(5, CLASSES, 1)

    def forward(self, x: Any) -> Any:
        return self.head(self.backbone(x).mean(dim=(2, 3), keepdim=True)).flatten(1)


class ChannelsLast(nn.Module):
    """Tokens in a map with the channels last, as in a Swin Transformer, and a norm of them."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.norm, self.head = Backbone(), nn.LayerNorm(5), nn.Linear(5, CLASSES)

    def forward(self, x: Any) -> Any:
        return self.head(self.norm(self.backbone(x).permute(0, 2, 3, 1)).mean(dim=(1, 2)))


class Tokens(nn.Module):
    """A sequence of tokens that begins with a CLS token."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.norm, self.head = Backbone(), nn.LayerNorm(5), nn.Linear(5, CLASSES)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 5))

    def forward(self, x: Any) -> Any:
        tokens = self.backbone(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), tokens], dim=1)
        return self.head(self.norm(tokens)[:, 0])


def images(count: int = 5) -> Any:
    return torch.randn(count, 3, 6, 6, generator=torch.Generator().manual_seed(1))


def made(kind: Callable[[], Any]) -> Any:
    torch.manual_seed(0)
    return kind()


def read(model: Any, *, classes: int | None = CLASSES, **options: Any) -> tuple[Any, Any, Readout]:
    settings = {"layer": None, "features": None, **options}
    with evaluating(bare_module(model)):
        readout = Readout(bare_module(model), classes=classes, **settings)
        readout.look(images()[:2])
        embeddings, logits = readout.encode(images())
        single, _ = readout.encode(images()[:1])
        assert torch.allclose(single, embeddings[:1], atol=1e-6)
    return embeddings, None if logits is None else logits.softmax(dim=1), readout


def expected(model: Any) -> tuple[Any, Any]:
    """Features and probabilities of a Classifier by a forward pass of its parts."""
    model = model.eval()
    with torch.no_grad():
        features = model.backbone(images()).mean(dim=(2, 3))
        return features, model.head(features).softmax(dim=1)


FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "a tensor": lambda logits, features: logits,
    "a dict": lambda logits, features: {"features": features, "logits": logits},
    "a tuple": lambda logits, features: (logits, features),
    "a tuple, features first": lambda logits, features: (features, logits),
    "probabilities": lambda logits, features: logits.softmax(dim=1),
    "probabilities and logits": lambda logits, features: (logits.softmax(dim=1), logits),
    "log-probabilities": lambda logits, features: logits.log_softmax(dim=1),
    "a copy": lambda logits, features: logits.clone(),
    "another shape": lambda logits, features: logits[:, :, None, None],
    "nested": lambda logits, features: [[features, logits], None],
}


@pytest.mark.parametrize("form", FORMS)
def test_logits_are_found_in_whatever_a_module_gives(form: str) -> None:
    model = made(lambda: Classifier(FORMS[form]))
    embeddings, probabilities, readout = read(model)
    features, likely = expected(model)
    assert torch.allclose(embeddings, features, atol=1e-6)
    assert torch.allclose(probabilities, likely, atol=1e-6)
    assert readout.count == CLASSES


def test_a_head_that_is_a_1x1_convolution_is_one() -> None:
    model = made(ConvClassifier)
    embeddings, probabilities, _ = read(model)
    with torch.no_grad():
        assert torch.allclose(embeddings, model.eval().backbone(images()).mean(dim=(2, 3)))
        assert torch.allclose(probabilities, model(images()).softmax(dim=1), atol=1e-6)


def test_of_two_outputs_that_fit_the_classes_the_taken_one_is_named() -> None:
    class TwoHeads(Classifier):
        def __init__(self) -> None:
            super().__init__()
            self.other = nn.Linear(5, CLASSES)

        def forward(self, x: Any) -> Any:
            features = self.backbone(x).mean(dim=(2, 3))
            return self.other(features), self.head(features)

    _, _, readout = read(made(TwoHeads))
    assert readout.rivals is not None and "2 outputs that fit the 3 classes" in readout.rivals
    assert "that of other is taken" in readout.rivals and "features=" in readout.rivals
    for form in ("probabilities and logits", "a tuple"):
        assert read(Classifier(FORMS[form]))[2].rivals is None


def scripted(way: str) -> Any:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(108, CLASSES)).eval()
    if way == "script":
        return torch.jit.script(plain)
    return torch.jit.trace(plain, images()[:2])  # type: ignore[no-untyped-call]  # torch's


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's own
@pytest.mark.parametrize("way", ["script", "trace"])
@pytest.mark.parametrize("layer", [None, "0"])
def test_a_scripted_module_asks_for_a_function(way: str, layer: str | None) -> None:
    with pytest.raises(CheckpointError, match="scripted module .* features="):
        read(scripted(way), layer=layer)


@pytest.mark.filterwarnings("ignore:.*torch.jit")  # torch's own
@pytest.mark.parametrize("way", ["script", "trace"])
def test_a_function_reads_a_scripted_module_and_its_output_are_logits(way: str) -> None:
    model = scripted(way)
    embeddings, probabilities, _ = read(model, features=lambda module, batch: batch.flatten(1))
    assert torch.equal(embeddings, images().flatten(1))
    assert torch.allclose(probabilities, model(images()).softmax(dim=1), atol=1e-6)


def test_sigmoids_are_no_probabilities_of_classes_that_exclude_each_other() -> None:
    _, _, readout = read(made(lambda: Classifier(lambda logits, features: logits.sigmoid())))
    assert readout.unclear


def test_a_named_layer_is_pooled_along_its_own_axes() -> None:
    model = made(ChannelsLast)
    embeddings, probabilities, _ = read(model, layer="norm")
    with torch.no_grad():
        maps = model.eval().backbone(images())
        assert torch.allclose(embeddings, model.norm(maps.permute(0, 2, 3, 1)).mean(dim=(1, 2)))
        assert torch.allclose(probabilities, model(images()).softmax(dim=1), atol=1e-6)
    assert torch.allclose(read(model, layer="backbone")[0], maps.mean(dim=(2, 3)))
    wrapped = read(model, layer="module.backbone.norm")[0]
    assert torch.equal(wrapped, read(model, layer="backbone.norm")[0])


class InPlace(nn.Module):
    """Changes in place what its layers took and gave."""

    def __init__(self, last: Callable[[Any], Any]) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True))
        self.head, self.last = nn.Linear(5, CLASSES), last

    def forward(self, x: Any) -> Any:
        features = self.features(x).mean(dim=(2, 3))
        logits = self.head(features)
        features.zero_()
        return self.last(logits)


def test_what_is_changed_in_place_afterwards_is_read_as_it_was() -> None:
    model = made(lambda: InPlace(lambda logits: logits))
    by_default, probabilities, _ = read(model)
    named_layer, _, _ = read(model, layer="features.1")
    model.eval()
    with torch.no_grad():
        maps = model.features[:2](images())
        features = maps.relu().mean(dim=(2, 3))
        assert torch.allclose(named_layer, maps.mean(dim=(2, 3)), atol=1e-6)
        assert torch.allclose(by_default, features, atol=1e-6)
        assert torch.allclose(probabilities, model.head(features).softmax(dim=1), atol=1e-6)


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_logits_that_are_changed_in_place_are_those_that_the_module_gives(
    classes: int | None,
) -> None:
    model = made(lambda: InPlace(lambda logits: logits.mul_(3)))
    _, probabilities, _ = read(model, classes=classes)
    with torch.no_grad():
        assert torch.allclose(probabilities, model.eval()(images()).softmax(dim=1), atol=1e-6)
    _, _, readout = read(made(lambda: InPlace(torch.sigmoid_)), classes=classes)
    assert readout.unclear


def test_of_tokens_the_cls_token_is_taken() -> None:
    model = made(Tokens)
    embeddings, _, _ = read(model, layer="norm")
    by_default, _, _ = read(model)
    assert torch.allclose(embeddings, by_default)


def test_features_are_what_the_function_gives() -> None:
    model = made(Classifier)
    features, likely = expected(model)

    def function(module: Any, batch: Any) -> Any:
        return module.backbone(batch).mean(dim=(2, 3)) * 2

    embeddings, probabilities, _ = read(model, features=function)
    assert torch.allclose(embeddings, 2 * features) and torch.allclose(probabilities, likely)
    embeddings, probabilities, _ = read(
        model, features=lambda module, batch: (function(module, batch), module(batch) * 0)
    )
    assert torch.allclose(probabilities, torch.full_like(probabilities, 1 / CLASSES))


def test_a_module_without_a_head_gives_embeddings() -> None:
    model = made(lambda: nn.Sequential(Backbone(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    embeddings, _, readout = read(model)
    with torch.no_grad():
        assert torch.allclose(embeddings, model.eval()(images()))
    assert readout.layer == "output"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "nowhere"}, "no layer nowhere"),
        ({"layer": "unused"}, "takes no part"),
        ({"features": lambda model, batch: batch}, "not one vector"),
        ({"features": lambda model, batch: "x"}, "not one vector"),
    ],
)
def test_what_cannot_be_read_is_said(options: dict[str, Any], words: str) -> None:
    model = made(Classifier)
    model.unused = nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match=words):
        read(model, **options)


def test_a_map_whose_axes_are_not_known_is_refused() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.head = nn.Identity(), nn.Linear(3, CLASSES)

        def forward(self, x: Any) -> Any:
            return self.head(self.inner(x[:, :, :2]).mean(dim=(2, 3)))

    with pytest.raises(CheckpointError, match="which axis"):
        read(made(Odd), layer="inner")


def test_a_module_that_no_linear_layer_ends_asks_for_a_layer() -> None:
    class Cosine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.prototypes = Backbone(), nn.Parameter(torch.randn(5, CLASSES))

        def forward(self, x: Any) -> Any:
            return nn.functional.normalize(self.backbone(x).mean(dim=(2, 3))) @ self.prototypes

    with pytest.raises(CheckpointError, match="layer="):
        read(made(Cosine))
    embeddings, probabilities, _ = read(made(Cosine), layer="backbone")
    assert embeddings.shape == (5, 5)
    with torch.no_grad():
        assert torch.allclose(probabilities, made(Cosine).eval()(images()).softmax(dim=1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_module_computes_in_its_own_type(dtype: torch.dtype) -> None:
    model = made(lambda: Classifier(FORMS["probabilities"])).to(dtype)
    embeddings, probabilities, _ = read(model)
    assert embeddings.dtype == probabilities.dtype == torch.float32
    with torch.no_grad():
        given = model.eval()(images().to(dtype)).float()
    assert torch.allclose(probabilities, given, atol=0.01)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(5))


def test_wrappers_are_taken_off() -> None:
    model = made(Classifier)
    compiled = torch.compile(model, backend="eager")
    assert bare_module(torch.nn.DataParallel(compiled)) is model
    averaged = torch.optim.swa_utils.AveragedModel(model)
    assert bare_module(averaged) is averaged.module
    with pytest.raises(CheckpointError, match="no module"):
        bare_module({"state_dict": 1})
    with pytest.raises(CheckpointError, match="lazy"):
        bare_module(nn.LazyLinear(3))
    with pytest.raises(CheckpointError, match="spread"):
        bare_module(nn.Linear(2, 2, device="meta"))
