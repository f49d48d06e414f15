"""The card (``README.md``) of a cleaned data set that is written as files: which files make up
which split, so that `datasets` takes no name for another one, and which splits have columns of
their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CARD = "README.md"

DEFAULT = "default"
"""The configuration of a data set whose splits have the same columns."""

MAX_NAME = 60
"""Characters of a configuration that is named by its splits."""


@dataclass(frozen=True)
class SplitFiles:
    """Where a split lies, and what it holds."""

    patterns: Sequence[str]
    features: Any
    """Names and types of its columns."""
    declared: bool
    """Whether the card has to say these, because `datasets` would take a column for another
    thing."""


def common_columns(features: Mapping[str, Any]) -> Any:
    """The columns that any of the splits has; None where two have columns of one name and of
    different types."""
    import datasets

    found = datasets.Features()
    for columns in features.values():
        for name, feature in columns.items():
            if found.setdefault(name, feature) != feature:
                return None
    return found


def configurations(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """The splits of each configuration, since `datasets` gives all splits of one the same columns.

    The default one has all splits; a column that a split lacks is null there. Where splits differ
    in their columns, or in the order of these, further ones hold each split as it is. There is no
    default where the columns do not fit together, so that no split is passed over without a word.
    """
    groups: list[list[str]] = []
    for split in features:
        columns = list(features[split].items())
        known = (one for one in groups if list(features[one[0]].items()) == columns)
        if (group := next(known, None)) is None:
            groups.append([split])
        else:
            group.append(split)
    if len(groups) == 1:
        return {DEFAULT: groups[0]}
    fits = common_columns(features) is not None
    return {**({DEFAULT: list(features)} if fits else {}), **{_name_of(one): one for one in groups}}


def _name_of(splits: Sequence[str]) -> str:
    name = "-".join(splits)
    if len(name) > MAX_NAME:
        name = f"{splits[0]}-and-{len(splits) - 1}-more"
    return f"{name}-only" if name == DEFAULT else name


def card_configs(splits: Mapping[str, SplitFiles]) -> list[dict[str, Any]]:
    """What a card says of each configuration: its name, the files of its splits and, where it has
    to, its columns."""
    groups = configurations({name: one.features for name, one in splits.items()})
    return [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": list(splits[split].patterns)} for split in group
            ],
            **_declared({split: splits[split] for split in group}, always=len(groups) > 1),
        }
        for name, group in groups.items()
    ]


def card(splits: Mapping[str, SplitFiles], identity: str) -> str:
    """The card; ``identity`` is a fingerprint of the data set."""
    configs = [{"description": identity, **one} for one in card_configs(splits)]
    return f"---\n{json.dumps({'configs': configs}, indent=1)}\n---\n"  # JSON is YAML


def _declared(group: Mapping[str, SplitFiles], *, always: bool) -> dict[str, Any]:
    if not always and not any(one.declared for one in group.values()):
        return {}
    features = common_columns({name: one.features for name, one in group.items()})
    return {"features": features._to_yaml_list()}
