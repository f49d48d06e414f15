"""Colours of a light and a dark page of the film."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours of everything that is not a class."""

    background: str
    text: str
    muted: str
    """Second-rate text and axes."""
    line: str
    """Frames and grids."""
    loss: str
    accuracy: str
    plain: str
    """Images without a label."""
    group: str
    """Rings round the images of groups that stand apart."""


THEMES = {
    "light": Theme(
        *("#ffffff", "#1a1c20", "#5f6670", "#d5d9de"),
        *("#c2255c", "#1864ab", "#8a929c", "#e6007e"),
    ),
    "dark": Theme(
        *("#0f1216", "#eef0f3", "#a3abb5", "#343b44"),
        *("#ff7aa2", "#74c0fc", "#7d8793", "#ff4fb0"),
    ),
}
