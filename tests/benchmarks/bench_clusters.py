"""An embedding of a million particles, in Chromium: drawn, drawn around, zoomed into."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from latentlaw.tracking import names

from dashboards import screenshot
from tests.benchmarks.memory import server_memory
from tests.benchmarks.ratio import Ratio
from tests.dashboards.dashboard_store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Page

POINTS, CLASSES, DIMENSIONS, ROUNDS = 1_000_000, 6, 8, 3
SECONDS, GIB = 2.0, 1.5
_PLOT = ".js-plotly-plot"


def measure() -> list[Ratio]:
    """Return seconds until the points are drawn, selected and zoomed, and GiB of the server.

    The peer is Plotly's WebGL chart of all points in a file, in the same browser. The first
    drawing includes the read of the artifact; the others, medians of fresh sessions, do not. A
    selection counts from the mouse's release until its members are counted and coloured.
    """
    with tempfile.TemporaryDirectory(prefix="latentlaw-clusters-") as scratch:
        store = Store(Path(scratch))
        table = _embedding()
        run = store.add("evaluate", model_family="affinity-vae")
        store.put(run, names.EMBEDDINGS, table)
        store.end(run)
        with screenshot.browser() as chromium:
            peer = _webgl(chromium.new_page(), table, Path(scratch) / "all.html")
            with screenshot.running_app(store.uri) as address:
                first, _, _ = _round(chromium.new_page(), address)
                rounds = [_round(chromium.new_page(), address) for _ in range(ROUNDS)]
                held = server_memory(address)
    drawn, selected, zoomed = (statistics.median(each) for each in zip(*rounds, strict=True))
    what, against = f"{POINTS:,} particles", "Plotly's WebGL of all points"
    times = {"first drawn": first, "drawn": drawn, "lassoed": selected, "zoomed": zoomed}
    return [
        *(Ratio(f"{what} {name}", against, taken, peer, "s", SECONDS, at_most=True)
          for name, taken in times.items()),
        Ratio("memory of the dashboard's server after it", f"{GIB} GiB", held / 2**30, GIB, "GiB",
              GIB, at_most=True),
    ]  # fmt: skip


def _embedding() -> pd.DataFrame:
    """Make an embedding as `evaluate` logs it: clusters on a circle."""
    rng = np.random.default_rng(0)
    code = rng.integers(CLASSES, size=POINTS)
    angle = code * 2 * np.pi / CLASSES
    centres = np.column_stack((np.cos(angle), np.sin(angle)))
    plane = centres + rng.normal(0, 0.2, centres.shape)
    classes = np.array([f"class {i}" for i in range(CLASSES)], dtype=object)
    table = pd.DataFrame(
        {
            "particle_id": [f"tomo_{i // 1000:04d}-{i % 1000:05d}" for i in range(POINTS)],
            "label": classes[code],
            "split": np.where(rng.random(POINTS) < 0.7, "train", "test"),
            "predicted": classes[code],
            "probability": rng.uniform(0.5, 1, POINTS),
            "novelty": rng.uniform(0, 1, POINTS),
        }
    )
    for dimension in range(DIMENSIONS):
        table[f"z{dimension}"] = rng.normal(size=POINTS).astype(np.float32)
    table[["px", "py"]] = plane
    return table


def _webgl(page: "Page", table: pd.DataFrame, file: Path) -> float:
    """Draw every point as Plotly does, and return the seconds of writing, loading and drawing."""
    start = time.perf_counter()
    figure = go.Figure()
    for name, part in table.groupby("label"):
        figure.add_scattergl(x=part["px"], y=part["py"], mode="markers", name=str(name))
    figure.write_html(file, include_plotlyjs=True)
    page.goto(file.as_uri(), timeout=120_000)
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.calcdata?.length > 0")
    page.wait_for_function("new Promise(r => requestAnimationFrame(() => r(true)))")
    taken = time.perf_counter() - start
    page.close()
    return taken


def _round(page: "Page", address: str) -> tuple[float, float, float]:
    """Return the seconds until the embedding is drawn, until a lasso is, and until a zoom is."""
    page.set_viewport_size({"width": 1440, "height": 1000})
    start = time.perf_counter()
    page.goto(f"{address}/clusters")
    picture = page.locator(f"{_PLOT} image").first
    picture.wait_for(state="attached", timeout=60_000)
    drawn = time.perf_counter() - start
    page.wait_for_timeout(1500)
    box = page.locator(f"{_PLOT} .nsewdrag").first.bounding_box()
    assert box is not None

    def to(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)

    before = picture.get_attribute("href")
    to(0.5, 0.1)
    page.mouse.down()
    for place in ((0.9, 0.1), (0.9, 0.9), (0.5, 0.9), (0.5, 0.12)):
        to(*place)
    start = time.perf_counter()
    page.mouse.up()
    page.get_by_text("of the embedding").wait_for()
    _await_another(page, before)
    selected = time.perf_counter() - start
    page.wait_for_timeout(500)
    before = picture.get_attribute("href")
    to(0.7, 0.5)
    page.get_by_test_id("stPlotlyChart").first.hover()
    start = time.perf_counter()
    page.locator(f"{_PLOT} [data-title='Zoom in']").first.click()
    _await_another(page, before)
    zoomed = time.perf_counter() - start
    page.close()
    return drawn, selected, zoomed


def _await_another(page: "Page", before: str | None) -> None:
    """Wait until the picture of the points is another one."""
    script = f"before => document.querySelector('{_PLOT} image')?.getAttribute('href') !== before"
    page.wait_for_function(script, arg=before)


if __name__ == "__main__":
    print(*measure(), sep="\n")
