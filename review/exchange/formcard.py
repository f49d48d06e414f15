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


def configurations(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """The splits of each configuration: splits with other columns, or in another order, need one of
    their own, since `datasets` gives all splits of one the same columns.

    With several none is the default, so that no split is passed over without a word.
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
    return {_name_of(group): group for group in groups}


def _name_of(splits: Sequence[str]) -> str:
    name = "-".join(splits)
    return name if len(name) <= MAX_NAME else f"{splits[0]}-and-{len(splits) - 1}-more"


def card(splits: Mapping[str, SplitFiles], identity: str) -> str:
    """The card; ``identity`` is a fingerprint of the data set, the same for all of its
    configurations."""
    groups = configurations({name: one.features for name, one in splits.items()})
    configs = [
        {
            "config_name": name,
            "description": identity,
            "data_files": [
                {"split": split, "path": list(splits[split].patterns)} for split in group
            ],
            **_declared([splits[split] for split in group]),
        }
        for name, group in groups.items()
    ]
    return f"---\n{json.dumps({'configs': configs}, indent=1)}\n---\n"  # JSON is YAML


def _declared(group: Sequence[SplitFiles]) -> dict[str, Any]:
    if not any(one.declared for one in group):
        return {}
    return {"features": group[0].features._to_yaml_list()}
