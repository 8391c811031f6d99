"""Controls that pages share: a number that the URL carries, and files to take away."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def slider(
    label: str, low: float, high: float, default: float, step: float, *, key: str, form: str
) -> float:
    """Ask for a number; one that is kept from elsewhere and out of range gives way to `default`.

    Parameters
    ----------
    label
        Shown above it.
    low, high
        The range, ends included.
    default
        What it is at first.
    step
        Between numbers that can be chosen.
    key
        Name in the URL.
    form
        printf format of the value.
    """
    kept = st.session_state.get(key)
    if isinstance(kept, int | float) and not low <= kept <= high:
        st.session_state[key] = default
    chosen = st.slider(label, low, high, default, step, key=key, bind="query-params", format=form)
    return float(chosen)


def download(
    label: str,
    name: str,
    content: Callable[[], str | bytes],
    media: str,
    *,
    place: DeltaGenerator | None = None,
    **look: Any,
) -> None:
    """Offer a file, which is made when it is asked for.

    Parameters
    ----------
    label
        On the button.
    name
        Of the file.
    content
        Makes what the file holds.
    media
        Type of the file, as in `text/csv`.
    place
        Where the button goes; None: below what is there.
    look
        As `st.download_button` takes it.
    """
    (place or st).download_button(
        label, content, name, media, icon=":material/download:", on_click="ignore", **look
    )


def download_csv(
    table: pd.DataFrame, name: str, *, place: DeltaGenerator | None = None, **look: Any
) -> None:
    """Offer a table as CSV, without its index."""
    download("CSV", name, lambda: table.to_csv(index=False), "text/csv", place=place, **look)
