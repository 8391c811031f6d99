"""The Streamlit app: runs, clusters, accuracy against complexity, equations."""
