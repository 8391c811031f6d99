"""Help: what each page answers, and what measures and words mean."""

import pandas as pd
import streamlit as st

from dashboards import help_text


def render() -> None:
    """Show the page."""
    st.title("Help")
    st.markdown(
        "Latentlaw turns images into a latent space of a few numbers a particle, and that space "
        "into equations. Lengths are in ångström, angles in degrees, arrays in the order z, y, x."
    )
    st.subheader("Pages")
    for page, text in help_text.PAGES.items():
        st.markdown(f"**{page}** — {text}")
    st.subheader("Measures")
    measures = pd.DataFrame(
        [(name, scale, text) for name, (scale, text) in help_text.MEASURES.items()],
        columns=["Measure", "Range, better", "What it says"],
    )
    st.table(measures.set_index("Measure"))
    st.subheader("Words")
    st.table(pd.Series(help_text.WORDS, name="What it means here").rename_axis("Word").to_frame())
    st.subheader("Good to know")
    st.markdown(
        "* The address bar holds what you see: copy it to show a colleague the same runs, filters "
        "and tabs.\n"
        "* Tables sort by a click on a column's head, search with Ctrl+F, and download as CSV. "
        "Charts save as pictures from the camera in their corner.\n"
        "* By keyboard: Tab moves between controls, Enter and arrows work them, R runs the page "
        "anew. Dark or light: the menu at the top right, Settings.\n"
        "* Pages only read. They ask bounded questions, so that they do not slow a training.\n"
        "* Runs are read from `MLFLOW_TRACKING_URI`, or `mlflow.db` in the repository."
    )


if __name__ == "__main__":
    render()
