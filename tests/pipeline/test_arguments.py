"""TrainingArguments from what a person wrote."""

import dataclasses
from pathlib import Path

import pytest
from transformers import TrainingArguments

from review_embeddings.pipeline.errors import SettingsError
from review_embeddings.pipeline.training.arguments import (
    FIXED,
    OWN_OPTIONS,
    check_names,
    make,
    parse_pairs,
    parse_values,
    read_file,
)


def test_texts_become_the_types_of_the_fields() -> None:
    parsed = parse_values(
        parse_pairs(
            [
                "learning_rate=2e-4",
                "per_device_train_batch_size=16",
                "bf16=false",
                "lr_scheduler_type=cosine",
                'lr_scheduler_kwargs={"num_cycles": 2}',
                "warmup-steps=0.1",
                "report_to=tensorboard,wandb",
                "optim_args=a=1,b=2",
            ]
        )
    )
    assert parsed["learning_rate"] == 2e-4
    assert parsed["per_device_train_batch_size"] == 16
    assert parsed["bf16"] is False
    assert parsed["lr_scheduler_type"] == "cosine"
    assert parsed["warmup_steps"] == 0.1
    assert parsed["report_to"] == ["tensorboard", "wandb"]
    assert parsed["optim_args"] == "a=1,b=2"
    arguments = make(
        {name: value for name, value in parsed.items() if name != "report_to"}, {"use_cpu": True}
    )
    assert arguments.lr_scheduler_kwargs == {"num_cycles": 2}


def test_a_yaml_file_whose_numbers_yaml_reads_as_text(tmp_path: Path) -> None:
    file = tmp_path / "arguments.yaml"
    file.write_text(
        "learning_rate: 2e-4\nweight_decay: 0.1\nfp16: no\nreport_to: "
        "[tensorboard]\nlr_scheduler_kwargs:\n  num_cycles: 2\n"
    )
    parsed = parse_values(read_file(file))
    assert parsed["learning_rate"] == 2e-4
    assert parsed["fp16"] is False
    assert parsed["report_to"] == ["tensorboard"]
    assert make(
        {"lr_scheduler_kwargs": parsed["lr_scheduler_kwargs"]}, {"use_cpu": True}
    ).lr_scheduler_kwargs == {"num_cycles": 2}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("learning_rat=1", "Did you mean learning_rate"),
        ("per_device_batch=1", "Did you mean per_device"),
        ("learning_rate=fast", "--set learning_rate: invalid float value: 'fast'"),
        ("bf16=perhaps", "--set bf16: Truthy value expected"),
        ("lr_scheduler_type=cosin", "--set lr_scheduler_type: invalid choice: 'cosin'"),
        ("logging_steps=often", "--set logging_steps"),
        ("output_dir=there", "Use --run"),
        ("save_steps=5", "Use --save-steps"),
        ("load_best_model_at_end=true", "Use --load-best"),
        ("remove_unused_columns=true", "cannot be changed"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(pair: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_values(parse_pairs([pair]))


@pytest.mark.parametrize("pair", ["learning_rate", "=3", ""])
def test_a_pair_needs_a_name_and_an_equals_sign(pair: str) -> None:
    with pytest.raises(SettingsError, match="key=value"):
        parse_pairs([pair])


@pytest.mark.parametrize(
    ("text", "said"), [("- a\n- b\n", "holds list"), ("a: [", "cannot be read")]
)
def test_a_file_without_names_and_values_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "arguments.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_file(file)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "arguments.yaml"
    file.write_text("# nothing yet\n")
    assert read_file(file) == {}


def test_values_that_do_not_go_together_get_one_line() -> None:
    with pytest.raises(SettingsError, match="do not go together"):
        make({"bf16": True, "fp16": True}, {"use_cpu": True})


def test_every_field_is_reachable_but_those_with_an_option_of_their_own() -> None:
    names = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}
    assert set(OWN_OPTIONS) | set(FIXED) <= names
    check_names(dict.fromkeys(names - set(OWN_OPTIONS) - set(FIXED)))
