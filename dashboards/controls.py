"""Controls that the URL carries."""

import streamlit as st


def slider(
    label: str, low: float, high: float, default: float, step: float, *, key: str, form: str
) -> float:
    """Ask for a number; one that is kept from elsewhere and out of range gives way to `default`.

    Parameters
    ----------
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
