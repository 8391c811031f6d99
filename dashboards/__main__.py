"""Serve the app: `python -m dashboards [--server.port 8501 …]`, with Streamlit's own options.

What pages import and the first question to MLflow cost seconds; here they are paid once, before
the app answers, and not by who opens it first.
"""

import logging
import sys
from importlib import import_module
from pathlib import Path

from latentlaw.errors import LatentlawError
from latentlaw.tracking.reading.queries import list_experiments
from streamlit.web import cli


def main() -> None:
    """Import what pages need, then serve until interrupted."""
    # Caches are made before there is a server, and are none the worse for it.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").setLevel(logging.ERROR)
    from dashboards.app import PAGES
    from dashboards.reading.store import tracking_uri

    for file, *_ in PAGES:
        import_module(f"dashboards.{file.removesuffix('.py').replace('/', '.')}")
    try:
        list_experiments(tracking_uri())
    except LatentlawError as error:
        print(f"{error}\nThe pages say so until it is there.", file=sys.stderr)
    app = Path(__file__).with_name("app.py")
    sys.argv = ["streamlit", "run", str(app), *sys.argv[1:]]
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
