"""Packs arrays into one binary, as numbers of few bits; blob/arrays.js reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = {"u1": "u8", "u2": "u16", "u4": "u32", "i2": "i16", "i4": "i32", "f4": "f32"}
"""What the page calls the types."""

WHOLE = {name: kind for kind, name in NAMES.items() if kind.startswith("u")}
"""Types of whole numbers that may stand for others, by what the page calls them."""

SIZES = {name: int(kind[1]) for kind, name in NAMES.items()} | {"top16": 2}
"""Bytes of a number, by what the page calls its type."""

ALIGNED = 4
"""Bytes of the largest number, at multiples of which all arrays begin."""


class ArrayPack:
    """Arrays one after the other, each with its description."""

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}
        self._content = bytearray()

    def copy(self) -> ArrayPack:
        """One that grows by itself."""
        return deepcopy(self)

    @property
    def content(self) -> bytes:
        return bytes(self._content)

    def add_bytes(self, data: bytes) -> tuple[int, int]:
        """Add what is no array; where it begins, and its length."""
        start = len(self._content)
        self._content += data + bytes(-len(data) % ALIGNED)
        return start, len(data)

    def some(self, wanted: Mapping[str, Sequence[int] | None]) -> ArrayPack:
        """Those of the arrays that are named: whole, or at some indices of their first axis."""
        found = ArrayPack()
        for name, indices in wanted.items():
            spec = {key: value for key, value in self.specs[name].items() if key != "at"}
            size = SIZES[spec["type"]] * int(np.prod(spec["shape"][indices is not None :]))
            begins = {at: self.specs[name]["at"] + at * size for at in indices or [0]}
            rows = {
                at: found.add_bytes(bytes(self._content[begin : begin + size]))[0]
                for at, begin in begins.items()
            }
            found.specs[name] = spec | ({"at": rows[0]} if indices is None else {"rows": rows})
        return found

    def add_whole(self, name: str, numbers: NDArray[Any]) -> None:
        """Add whole numbers, in as few bytes as hold them all."""
        smallest, largest = (int(numbers.min()), int(numbers.max())) if numbers.size else (0, 0)
        types = ("i2", "i4") if smallest < 0 else ("u1", "u2", "u4")
        kind = next(one for one in types if largest <= np.iinfo(one).max)
        self._add(name, numbers.astype(f"<{kind}"), NAMES[kind])

    def add_shares(self, name: str, numbers: NDArray[Any], high: float = 1.0) -> None:
        """Add numbers in [0, ``high``] in steps of 1/254 of that; NaN for those that there are
        not."""
        codes = np.where(np.isnan(numbers), 255, np.round(np.clip(numbers / high, 0, 1) * 254))
        self._add(name, codes.astype("u1"), "u8", low=0.0, high=high, hasNone=True)

    def add_range(self, name: str, numbers: NDArray[Any]) -> None:
        """Add finite numbers in 65,536 steps from the lowest to the highest."""
        exact = numbers.astype(np.float64)
        low, high = (float(exact.min()), float(exact.max())) if exact.size else (0.0, 0.0)
        codes = np.round((exact - low) / ((high - low) or 1.0) * 65535)
        self._add(name, codes.astype("<u2"), "u16", low=low, high=high)

    def add_halves(self, name: str, numbers: NDArray[Any]) -> None:
        """Add numbers of any size by the upper halves of their float32: exact to 0.4 %."""
        bits = numbers.astype("<f4").view("<u4")
        rounded = np.minimum(bits.astype(np.uint64) + 0x8000, 0xFFFFFFFF)
        self._add(name, (rounded >> 16).astype("<u2"), "top16")

    def add_scaled(self, name: str, other: str, *, low: float, step: float) -> None:
        """Add what is ``low`` and so many steps as the whole numbers of another array say, which it
        shares."""
        spec = self.specs[other]
        largest = np.iinfo(WHOLE[spec["type"]]).max
        self.specs[name] = {**spec, "low": low, "high": low + step * largest}

    def _add(self, name: str, numbers: NDArray[Any], kind: str, **meaning: object) -> None:
        start, _ = self.add_bytes(np.ascontiguousarray(numbers).tobytes())
        self.specs[name] = {"type": kind, "shape": list(numbers.shape), "at": start, **meaning}
