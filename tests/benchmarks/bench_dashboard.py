"""The page of runs over 10,000 runs, in Chromium: first paint, a filter, memory of the server."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from latentlaw.tracking.reading import queries

from dashboards import screenshot
from tests.benchmarks.memory import server_memory
from tests.benchmarks.ratio import Ratio
from tests.dashboards.many_runs import STAGES, many_runs

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS, ROUNDS = 10_000, 5
CACHE = Path(tempfile.gettempdir()) / "latentlaw-bench"
FIRST_PAINT_S, FILTER_S, MEMORY_GIB = 2.0, 0.3, 1.5


def measure() -> list[Ratio]:
    """Return medians of five: seconds to the first table, seconds of a filter, GiB at the end.

    The server has imported what pages need, as `python -m dashboards` does before it answers.
    Every round is a new session; its table is there when it says how many runs there are. Memory
    is the server's alone, after all rounds.
    """
    uri = many_runs(CACHE, RUNS)
    start = time.perf_counter()
    queries.list_runs(uri, limit=1000)
    a_thousand = time.perf_counter() - start
    paints: list[float] = []
    filters: list[float] = []
    with screenshot.running_app(uri) as address, screenshot.browser() as chromium:
        for _ in range(ROUNDS):
            context = chromium.new_context(viewport={"width": 1440, "height": 1000})
            page = context.new_page()
            start = time.perf_counter()
            page.goto(address)
            _await_count(page, RUNS)
            paints.append(time.perf_counter() - start)
            filters += [_filter(page, stage) for stage in ("Train", "Evaluate", "Discover laws")]
            context.close()
        held = server_memory(address)
    peer = "MLflow's own list of the newest 1,000"
    return [
        Ratio(f"first paint, {RUNS:,} runs", peer, statistics.median(paints), a_thousand, "s",
              FIRST_PAINT_S, at_most=True),
        Ratio(f"a filter, {RUNS:,} runs", peer, statistics.median(filters), a_thousand, "s",
              FILTER_S, at_most=True),
        Ratio("memory of the dashboard's server after it", "1.5 GiB", held / 2**30, 1.5, "GiB",
              MEMORY_GIB, at_most=True),
    ]  # fmt: skip


# From the click to the frame after the one in which the page says the count, by the page's clock:
# Playwright's own way to a click and back takes 0.1 s of the same processor.
_SECONDS_TO = """text => { window.latentlaw = new Promise(done => {
    let clicked = null;
    const note = e => { clicked ??= e.timeStamp; };
    document.addEventListener("click", note, {capture: true, once: true});
    const drawn = () => done((performance.now() - clicked) / 1000);
    const watch = new MutationObserver(() => {
        if (clicked === null || !document.body.textContent.includes(text)) return;
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(drawn));
    });
    watch.observe(document.body, {childList: true, subtree: true, characterData: true});
}); }"""


def _filter(page: "Page", stage: str) -> float:
    """Choose a step, return seconds to the count of its runs, and clear it again."""
    count = RUNS // len(STAGES)
    page.get_by_role("combobox", name="Step").click()
    option = page.get_by_role("option", name=stage, exact=True)
    option.wait_for()
    page.evaluate(_SECONDS_TO, _count(count))
    option.click()
    _await_count(page, count)
    taken: float = page.evaluate("window.latentlaw")
    page.get_by_test_id("stSelectbox").filter(has_text="Step").get_by_label("Clear").click()
    _await_count(page, RUNS)
    return taken


def _count(count: int) -> str:
    return f"of {count:,}"


def _await_count(page: "Page", count: int) -> None:
    page.get_by_text(_count(count)).wait_for()
    page.get_by_test_id("stDataFrame").locator("canvas").first.wait_for()


if __name__ == "__main__":
    print(*measure(), sep="\n")
