"""The label column of one split: which class each row has, and which value says that it has another
one. Changes values only, never the type of a column, but for classes that are added to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from review_embeddings.pipeline.images.dataset import quiet_datasets
from review_embeddings.pipeline.images.inplace import feature_of, field_of, split_name

if TYPE_CHECKING:
    import datasets


@dataclass(frozen=True)
class LabelColumn:
    """The labels of the rows of a split, by name."""

    column: str
    """Its name, or that of a field in a column of structs (``json.label``)."""
    feature: Any
    """Its type."""
    values: Sequence[Any]
    """Of each row."""
    names: Mapping[Any, str]
    """Class of each value that occurs, or is declared."""

    def name_of(self, row: int) -> str:
        """The class of a row, empty for none."""
        return _name(self.names, self.values[row])

    def value_of(self, name: str) -> Any:
        """The value that stands for a class. Raises KeyError where the column cannot say it."""
        for value, known in self.names.items():
            if known == name:
                return value
        kind = str(getattr(self.feature, "dtype", ""))
        if isinstance(getattr(self.feature, "names", None), list) or kind == "bool":
            raise KeyError(name)
        try:
            if kind.startswith(("int", "uint")):
                return int(name)
            return float(name) if kind.startswith("float") else name
        except ValueError:
            raise KeyError(name) from None

    def named_by(self, classes: Mapping[int, str], known: Sequence[str]) -> LabelColumn:
        """The same, its numbers by the names that a review gave them.

        ``classes`` gives the class that was reviewed of some rows, ``known`` all classes in order.
        Where all numbers are positions among these, from 0 or from 1 on, so are the others.
        """
        if not _is_number(self.feature):
            return self
        learnt: dict[Any, str] = {}
        for row, name in classes.items():
            value = self.values[row]
            if name and _name(self.names, value) and learnt.setdefault(value, name) != name:
                return self
        if all(_name(self.names, value) == name for value, name in learnt.items()):
            return self
        offsets = {value - known.index(name) for value, name in learnt.items() if name in known}
        if len(offsets) == 1:
            first = offsets.pop()
            learnt = {first + place: name for place, name in enumerate(known)} | learnt
        return replace(self, names={**self.names, **learnt})


def label_column(rows: datasets.Dataset, column: str | None) -> LabelColumn | None:
    """The labels of a split; None where it has no such column."""
    if column is None or (feature := feature_of(rows.features, column)) is None:
        return None
    outer, field = split_name(rows.features, column)
    cells = rows.select_columns([outer]).with_format("arrow")[:].column(outer).to_pylist()
    values = [field_of(cell, field) for cell in cells]
    declared = getattr(feature, "names", None)
    if isinstance(declared, list):
        return LabelColumn(column, feature, values, dict(enumerate(map(str, declared))))
    names: dict[Any, str] = {}
    for value in values:
        if _is_class(value):
            names.setdefault(value, _text(value))
    if getattr(feature, "dtype", None) == "bool":
        names |= {False: str(False), True: str(True)}
    return LabelColumn(column, feature, values, names)


def _name(names: Mapping[Any, str], value: Any) -> str:
    return names.get(value, "") if _is_class(value) else ""


def _is_class(value: Any) -> bool:
    """Whether a value says a class: no null, no NaN, no whole number below 0."""
    if value is None or isinstance(value, (list, dict)) or value != value:
        return False
    return not (isinstance(value, (int, float)) and value < 0 and float(value).is_integer())


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)


def _is_number(feature: Any) -> bool:
    if isinstance(getattr(feature, "names", None), list):
        return False
    return str(getattr(feature, "dtype", "")).startswith(("int", "uint", "float"))


def relabelled(
    rows: datasets.Dataset, labels: LabelColumn, values: Mapping[int, Any]
) -> datasets.Dataset:
    """The rows with the labels of some of them changed; the column keeps its place and type."""
    outer, field = split_name(rows.features, labels.column)
    cells = rows.select_columns([outer]).with_format("arrow")[:].column(outer).to_pylist()
    for row, value in values.items():
        cells[row] = {**(cells[row] or {}), field: value} if field else value
    return _with_cells(rows, outer, cells, rows.features[outer])


def with_classes(
    rows: datasets.Dataset, column: str | None, added: Sequence[str]
) -> datasets.Dataset:
    """The rows with more classes declared, after those there are; what has no declared classes
    stays as it is."""
    import datasets

    feature = None if column is None else feature_of(rows.features, column)
    if column is None or not isinstance(feature, datasets.ClassLabel):
        return rows
    names = [*feature.names, *(name for name in added if name not in feature.names)]
    outer, field = split_name(rows.features, column)
    cells = rows.select_columns([outer]).with_format("arrow")[:].column(outer).to_pylist()
    wider: Any = datasets.ClassLabel(names=names)
    return _with_cells(
        rows, outer, cells, {**rows.features[outer], field: wider} if field else wider
    )


def _with_cells(
    rows: datasets.Dataset, column: str, cells: list[Any], feature: Any
) -> datasets.Dataset:
    """Another content of a column; nothing is written beside the source."""
    order = rows.column_names
    with quiet_datasets():
        others = rows.remove_columns(column)
        return others.add_column(column, cells, feature=feature).select_columns(order)
