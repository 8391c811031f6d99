"""The Streamlit app: `streamlit run dashboards/app.py` from the repository root."""

import os
import sys
from pathlib import Path

import streamlit as st

# Streamlit puts this file's folder on the path, not the root, where `dashboards` is a package.
# Appended, not inserted: nothing in the root may shadow an installed package.
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.append(ROOT)

# A file of our own: the browser would fetch a named icon from a server on the internet.
ICON = str(Path(__file__).with_name("icon.svg"))

# Read when MLflow first runs: no bars in the terminal, no reports to anyone.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A page says within seconds that a tracking server is away; MLflow would try for minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

# File, title, icon, and path in the URL: the first page is at the root.
PAGES = (
    ("views/runs.py", "Runs", ":material/list:", ""),
    ("views/clusters.py", "Clusters", ":material/bubble_chart:", "clusters"),
    ("views/frontier.py", "Accuracy against complexity", ":material/show_chart:", "frontier"),
    ("views/equations.py", "Equations", ":material/function:", "equations"),
    ("views/particles.py", "Particles", ":material/view_in_ar:", "particles"),
    ("views/tuning.py", "Tuning", ":material/tune:", "tuning"),
    ("views/models.py", "Models", ":material/deployed_code:", "models"),
    ("views/help.py", "Help", ":material/help:", "help"),
)


# Streamlit leaves a tenth of the screen empty above a title.
_STYLE = "<style>.stMainBlockContainer {padding-top: 4.5rem; padding-bottom: 3rem}</style>"


def main() -> None:
    """Lay out the app and run the page that the URL names."""
    st.set_page_config(page_title="Latentlaw", page_icon=ICON, layout="wide")
    st.html(_STYLE)
    pages = [
        st.Page(path, title=title, icon=icon, url_path=url or None, default=not url)
        for path, title, icon, url in PAGES
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    main()
