"""Pictures that runs logged, and of the particles behind them."""

import streamlit as st
from latentlaw.data.particles.stack import ParticleStack
from latentlaw.tracking.reading.artifacts import Missing

from dashboards.reading import store
from dashboards.reading.stacks import slices_of
from dashboards.wording.escaping import for_markdown

_SLICE = 110  # pixels on the page


def show_picture(picture: bytes | Missing, name: str) -> None:
    """Show a PNG artifact, or say that it is missing or damaged."""
    if isinstance(picture, Missing):
        store.explain(picture)
        return
    try:
        st.image(picture, width="stretch")
    except (OSError, ValueError, SyntaxError):  # what Pillow raises for a broken PNG
        st.error(for_markdown(f"{name} is damaged"), icon=":material/broken_image:")


def show_slices(stack: ParticleStack, row: int) -> None:
    """Show the central slices of a particle side by side, or below each other where narrow."""
    with st.container(horizontal=True, gap="small"):
        for plane, picture in slices_of(stack, stack.digest, row).items():
            st.image(picture, caption=plane, width=_SLICE, output_format="PNG")
