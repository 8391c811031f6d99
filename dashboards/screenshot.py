"""Save a picture of each page: `python -m dashboards.screenshot OUT_DIR [--tracking-uri URI]`.

Needs Playwright and a Chromium: `/usr/bin/chromium`, or the one that `CHROMIUM` names.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.app import PAGES, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_START_S = 60


@contextmanager
def running_app(tracking_uri: str | None = None) -> Iterator[str]:
    """Start the app on a free port of the loopback; yield its address; stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join((ROOT, str(Path(ROOT) / "platform")))
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": path}
    if tracking_uri:
        environment["MLFLOW_TRACKING_URI"] = tracking_uri
    command = [sys.executable, "-m", "dashboards"]
    app = subprocess.Popen(  # noqa: S603 - arguments of our own
        [*command, "--server.port", str(port), "--server.headless", "true"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(app, port)
        yield address
    finally:
        app.terminate()
        app.wait(timeout=20)


@contextmanager
def browser() -> Iterator["Browser"]:
    """Start a headless Chromium that asks nothing of the network by itself."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


def visit(page: "Page", address: str) -> None:
    """Open a page of the app and wait until it has run and drawn."""
    page.goto(address)
    page.get_by_test_id("stMainBlockContainer").get_by_role("heading").first.wait_for(
        timeout=_START_S * 1000
    )
    # Streamlit marks the app while its script runs; plots then draw for a moment.
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_timeout(1500)


def fit(page: "Page") -> None:
    """Make the viewport as tall as the page: the app scrolls an inner box."""
    height = page.get_by_test_id("stMainBlockContainer").evaluate("e => e.scrollHeight")
    page.set_viewport_size({"width": 1440, "height": min(max(int(height) + 20, 600), 6000)})
    page.wait_for_timeout(1000)


def save_all(out: Path, tracking_uri: str | None, query: dict[str, str] | None = None) -> None:
    """Save `runs.png`, `clusters.png`, … of the app into `out`.

    Parameters
    ----------
    out
        Folder, which is made.
    tracking_uri
        Of the store that the app shows; None: its own default.
    query
        Parameters of the URL, as in `run=ID&show=Lineage`, by page.
    """
    out.mkdir(parents=True, exist_ok=True)
    with running_app(tracking_uri) as address, browser() as chromium:
        for file, _, _, path in PAGES:
            name = Path(file).stem
            page = chromium.new_page(viewport={"width": 1440, "height": 1000})
            visit(page, f"{address}/{path}?{(query or {}).get(name, '')}")
            fit(page)
            page.screenshot(path=out / f"{name}.png")
            page.close()
            print(out / f"{name}.png")


def _await(app: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and app.poll() is None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
            try:
                connection.request("GET", "/_stcore/health")
                if connection.getresponse().status == HTTPStatus.OK:
                    return
            except (OSError, HTTPException):
                pass
        time.sleep(0.2)
    raise RuntimeError(f"the app did not answer on port {port} within {_START_S} s")


def main() -> None:
    """Read the command line and save the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracking-uri", default=None)
    parser.add_argument(
        "--query",
        nargs="*",
        default=[],
        metavar="PAGE:PARAMETERS",
        help="of a page's URL, as in runs:run=ID&show=Lineage or models:load=true",
    )
    arguments = parser.parse_args()
    query = dict(each.split(":", 1) for each in arguments.query)
    save_all(arguments.out, arguments.tracking_uri, query)


if __name__ == "__main__":
    main()
