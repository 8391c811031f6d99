"""Help: what each page answers, and what measures and words mean."""

from collections.abc import Sequence

import streamlit as st

from dashboards.wording import help_text


def render() -> None:
    """Show the page."""
    st.title("Help")
    st.markdown(
        "Latentlaw turns images into a latent space of a few numbers per particle, and that space "
        "into equations. Lengths are in ångström, angles in degrees, arrays in the order z, y, x."
    )
    st.subheader("Pages")
    for page, text in help_text.PAGES.items():
        st.markdown(f"**{page}** — {text}")
    st.subheader("Measures")
    st.markdown(
        _table(
            ("Measure", "Range, better", "What it says"),
            [(name, scale, text) for name, (scale, text) in help_text.MEASURES.items()],
        )
    )
    st.subheader("Words")
    st.markdown(_table(("Word", "What it means here"), list(help_text.WORDS.items())))
    st.subheader("Good to know")
    st.markdown(
        "* The address bar holds what you see: copy it to show a colleague the same runs, filters "
        "and tabs.\n"
        "* Tables sort by a click on a column's head, search with Ctrl+F, and download as CSV. "
        "Charts save as pictures from the camera in their corner.\n"
        "* By keyboard: Tab moves between controls, Enter and arrows work them, R runs the page "
        "anew. Dark or light: the menu at the top right.\n"
        "* Pages only read. They ask bounded questions, so that they do not slow a training.\n"
        "* Runs are read from `MLFLOW_TRACKING_URI`, or `mlflow.db` in the repository."
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, whose cells wrap over the whole width; the first column bold."""
    lines = [head, ["---"] * len(head), *([f"**{first}**", *rest] for first, *rest in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    render()
