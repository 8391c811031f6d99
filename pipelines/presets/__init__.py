"""Comparisons whose data and settings are fixed, so that anyone can make them again."""

from collections.abc import Callable
from typing import Literal

from pipelines.presets import alphanumeric, rendered, shrec, subtomograms
from pipelines.presets.preset import Order, Preset, Size

PresetName = Literal["alphanumeric", "alphanumeric-rendered", "shrec", "subtomograms"]
PRESETS: dict[PresetName, Callable[[Order], Preset]] = {
    "alphanumeric": alphanumeric.make,
    "alphanumeric-rendered": rendered.make,
    "shrec": shrec.make,
    "subtomograms": subtomograms.make,
}

__all__ = ["PRESETS", "Order", "Preset", "PresetName", "Size"]
