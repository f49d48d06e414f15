"""Fine-tunes an image classifier the way the examples of transformers do
(examples/pytorch/image-classification).

python trainer_script.py --model_name_or_path MODEL --data DATA --output_dir OUT --max_steps 6
--save_steps 2 …

One line makes of its output folder a run that can be reviewed while it is still training: the last
but one before train().
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import load_dataset
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)

from review_embeddings.pipeline.training.callback import EmbeddingCallback


@dataclass
class ScriptArguments:
    model_name_or_path: str
    data: str
    review: bool = True


def main() -> None:
    options, training_args = HfArgumentParser(
        (ScriptArguments, TrainingArguments)
    ).parse_args_into_dataclasses(sys.argv[1:])
    set_seed(training_args.seed)
    dataset = load_dataset(options.data)
    labels = dataset["train"].features["label"].names
    model = AutoModelForImageClassification.from_pretrained(
        options.model_name_or_path,
        num_labels=len(labels),
        label2id={label: str(i) for i, label in enumerate(labels)},
        id2label={str(i): label for i, label in enumerate(labels)},
        ignore_mismatched_sizes=True,
    )
    image_processor = AutoImageProcessor.from_pretrained(options.model_name_or_path)

    def transform(batch: dict[str, Any]) -> dict[str, Any]:
        batch["pixel_values"] = image_processor(
            [image.convert("RGB") for image in batch["image"]], return_tensors="pt"
        )["pixel_values"]
        del batch["image"]
        return batch

    def collate_fn(examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        pixel_values = torch.stack([example["pixel_values"] for example in examples])
        return {
            "pixel_values": pixel_values,
            "labels": torch.tensor([example["label"] for example in examples]),
        }

    def compute_metrics(p: Any) -> dict[str, float]:
        return {"accuracy": float((np.argmax(p.predictions, axis=1) == p.label_ids).mean())}

    dataset = dataset.with_transform(transform)
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=dataset["train"],
        eval_dataset=dataset["test"],
        compute_metrics=compute_metrics,
        processing_class=image_processor,
        data_collator=collate_fn,
    )
    if options.review:
        trainer.add_callback(EmbeddingCallback(options.data, split="test"))
    trainer.train(resume_from_checkpoint=training_args.resume_from_checkpoint)
    trainer.save_model()


if __name__ == "__main__":
    main()
