"""Pictures that runs logged."""

import streamlit as st
from latentlaw.tracking.reading.artifacts import Missing

from dashboards.reading import store
from dashboards.wording.escaping import for_markdown


def show_picture(picture: bytes | Missing, name: str) -> None:
    """Show a PNG artifact, or say that it is missing or damaged."""
    if isinstance(picture, Missing):
        store.explain(picture)
        return
    try:
        st.image(picture, width="stretch")
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a broken PNG
        st.error(for_markdown(f"{name} is damaged"), icon=":material/broken_image:")
