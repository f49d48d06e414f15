"""Fine-tune one of the shared backbones on CIFAR-10 with checkpoints every 20 steps.

python -m tests.benchmarks.finetune_cifar10 --data DIR --model DIR --run RUN --image-size 112 --steps 400
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import datasets
from transformers import AutoImageProcessor, AutoModelForImageClassification, set_seed

from pipeline.finetune import TrainingSettings, finetune, set_image_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=112)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--save-steps", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    options = parser.parse_args()

    set_seed(42)
    train = datasets.load_dataset(str(options.data), split="train")
    names = train.features["label"].names
    processor = AutoImageProcessor.from_pretrained(options.model, backend="pil")
    model = AutoModelForImageClassification.from_pretrained(
        options.model,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        ignore_mismatched_sizes=True,
        dtype="float32",
    )
    set_image_size(model, processor, options.image_size)
    settings = TrainingSettings(
        steps=options.steps,
        save_steps=options.save_steps,
        learning_rate=options.learning_rate,
        warmup_steps=options.steps // 10,
        bf16=True,
    )
    started = time.perf_counter()
    finetune(model, processor, train, image_column="img", label_column="label", folder=options.run, settings=settings)
    seconds = time.perf_counter() - started
    print(f"{options.steps} steps in {seconds:.0f} s, {options.steps * settings.batch_size / seconds:.1f} images a second")


if __name__ == "__main__":
    main()
