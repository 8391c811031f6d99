"""Comparisons whose data and settings are fixed, so that anyone can make them again."""

from collections.abc import Callable

from pipelines.presets import alphanumeric, rendered, shrec, subtomograms
from pipelines.presets.preset import Order, Preset, Size

PRESETS: dict[str, Callable[[Order], Preset]] = {
    "alphanumeric": alphanumeric.make,
    "alphanumeric-rendered": rendered.make,
    "shrec": shrec.make,
    "subtomograms": subtomograms.make,
}

__all__ = ["PRESETS", "Order", "Preset", "Size"]
