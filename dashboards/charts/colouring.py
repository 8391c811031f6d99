"""How a column colours points: a colour and symbol a class, or a scale for numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from dashboards.charts.palette import GREY, PALETTE, SYMBOLS

UNLABELLED = "no label"
SCALE = "cividis"  # even in lightness, and to all colour vision alike (Nuñez et al. 2018)
_STEPS = 256
_MOST_CLASSES = len(PALETTE) * len(SYMBOLS)
_OTHERS = "others"
_ENDS = (1, 99)  # percentiles, so that one outlier does not take the scale


@dataclass(frozen=True)
class Scheme:
    """What the values of a column look like, the same in every chart of a page.

    Attributes
    ----------
    names
        The classes, in the order of their colours; None for numbers.
    limits
        Numbers at the ends of the scale; unused for classes.
    """

    column: str
    names: tuple[str, ...] | None
    limits: tuple[float, float] = (0.0, 1.0)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """Colours `(k + 1, 3)`; the last is that of what has no value."""
        if self.names is None:
            colours = colormaps[SCALE](np.linspace(0, 1, _STEPS))[:, :3]
        else:
            colours = np.array([to_rgb(self.colour(i)) for i in range(len(self.names))])
        every = np.vstack((colours.reshape(-1, 3), to_rgb(GREY)))
        return np.asarray(np.rint(255 * every), dtype=np.uint8)

    def colour(self, place: int) -> str:
        """Return the colour of the class at `place`."""
        others = self.classes[place] in (UNLABELLED, _OTHERS)
        return GREY if others else PALETTE[place % len(PALETTE)]

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes.

        Raises
        ------
        ValueError
            If the colours are of numbers.
        """
        if self.names is None:
            raise ValueError("expected colours of classes, found a scale of numbers")
        return self.names

    @staticmethod
    def symbol(place: int) -> str:
        """Return the symbol of the class at `place`: where colours come again, another one."""
        return SYMBOLS[(place + place // len(PALETTE)) % len(SYMBOLS)]

    def codes(self, values: pd.Series) -> NDArray[np.intp]:
        """Return the row of `palette` of each value, `(n,)`."""
        if self.names is None:
            low, high = self.limits
            share = (pd.to_numeric(values, errors="coerce").to_numpy(float) - low) / (high - low)
            steps = np.clip(np.nan_to_num(share) * (_STEPS - 1), 0, _STEPS - 1).astype(np.intp)
            return np.where(np.isfinite(share), steps, _STEPS)
        codes, found = pd.factorize(values)
        places = {name: i for i, name in enumerate(self.names)}
        rest = places.get(_OTHERS, len(self.names))
        table = [places.get(str(name), rest) for name in found]
        return np.array([*table, places.get(UNLABELLED, len(self.names))], np.intp)[codes]


def is_number(column: str, values: pd.Series) -> bool:
    """Tell whether a column is drawn on a scale."""
    named = column in ("label", "predicted", "split")
    return bool(is_numeric_dtype(values) and not is_bool_dtype(values) and not named)


def scheme_of(column: str, tables: Sequence[pd.DataFrame]) -> Scheme:
    """Return what a column looks like over all tables that have it."""
    parts = [table[column] for table in tables if column in table]
    if parts and all(is_number(column, part) for part in parts):
        values = np.concatenate([part.to_numpy(float) for part in parts])
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, _ENDS).tolist() if len(values) else (0.0, 1.0)
        return Scheme(column, None, (low, high if high > low else low + 1.0))
    return Scheme(column, tuple(categories(parts)))


def categories(columns: Sequence[pd.Series]) -> list[str]:
    """List the values of columns, sorted; then `others` of too many to tell, then `no label`."""
    found: set[str] = set()
    for values in columns:
        found |= {str(value) for value in values.dropna().unique()}
    names = sorted(found - {UNLABELLED})
    if len(names) > _MOST_CLASSES:
        names = [*names[: _MOST_CLASSES - 1], _OTHERS]
    lacking = any(values.isna().any() for values in columns)
    return [*names, UNLABELLED] if lacking or UNLABELLED in found else names


def as_category(values: pd.Series) -> pd.Series:
    """Turn values into text; null becomes `no label`."""
    return values.astype(object).where(values.notna(), UNLABELLED).astype(str)


def choices(tables: Sequence[pd.DataFrame]) -> list[str]:
    """List the columns that points can be coloured by, the most asked for first."""
    skipped: set[Any] = {"particle_id", "px", "py"}
    known = ["label", "predicted", "probability", "novelty", "split"]
    found = dict.fromkeys(c for table in tables for c in table.columns if c not in skipped)
    return [c for c in known if c in found] + [str(c) for c in found if c not in known]
