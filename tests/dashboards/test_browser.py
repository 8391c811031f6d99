"""The app in a real browser; pictures go where `LATENTLAW_SCREENSHOTS` says, if it does."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from dashboard_store import Store

from dashboards import screenshot

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage

# On a deep link Streamlit's client first looks for its server below the page's own path.
PROBES = re.compile(r"404 .*/(clusters|frontier|equations)/_stcore/(health|host-config)$")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(screenshot.CHROMIUM).exists(),
        reason=f"no {screenshot.CHROMIUM}: apt-get install chromium, or set CHROMIUM",
    ),
]


@pytest.fixture(scope="module")
def address(full_store: Store) -> Iterator[str]:
    with screenshot.running_app(full_store.uri) as running:
        yield running


def _fault(message: "ConsoleMessage") -> str:
    return f"{message.text} {message.location.get('url', '')}"


def test_pages_draw_without_console_errors(address: str, full_store: Store) -> None:
    pytest.importorskip("playwright")
    from playwright.sync_api import expect

    out = os.environ.get("LATENTLAW_SCREENSHOTS")
    faults: list[str] = []
    asked: set[str] = set()
    with screenshot.browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.on("console", lambda m: faults.append(_fault(m)) if m.type == "error" else None)
        page.on("request", lambda r: asked.add(urlsplit(r.url).netloc))
        page.on("pageerror", lambda error: faults.append(str(error)))

        def save(name: str) -> None:
            assert page.get_by_test_id("stException").count() == 0
            if out:
                Path(out).mkdir(parents=True, exist_ok=True)
                screenshot.fit(page)
                page.screenshot(path=Path(out) / f"{name}.png")

        screenshot.visit(page, f"{address}/?run={full_store.ids['train']}")
        expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
        expect(page.get_by_test_id("stDataFrame")).to_have_count(2)
        expect(page.locator(".js-plotly-plot .scatterlayer .trace")).to_have_count(8)
        save("runs")

        # A click on a row of the table picks it as well: the failed run is the first.
        page.get_by_test_id("stDataFrame").first.click(position={"x": 15, "y": 52})
        expect(page).to_have_url(re.compile("run=.*&run=.*"))

        screenshot.visit(page, f"{address}/clusters")
        expect(page.locator(".js-plotly-plot")).to_have_count(6)
        assert page.locator(".js-plotly-plot .scatterlayer .points path").count() > 600
        save("clusters")

        # By the menu: what was picked on one page does not follow to another.
        page.get_by_role("link", name="Accuracy against complexity").click()
        expect(page.get_by_text("the simplest model above").first).to_be_visible()
        expect(page.locator(".js-plotly-plot")).to_have_count(1)
        assert page.get_by_text("Not among the runs").count() == 0
        save("frontier")

        discover = full_store.ids["discover"]
        screenshot.visit(page, f"{address}/equations?run={discover}")
        expect(page.locator(".katex-display")).to_have_count(4 + 3)  # laws, latents
        assert page.locator(".katex-error").count() == 0
        expect(page.get_by_test_id("stImage")).to_have_count(3)
        assert discover in page.url
        save("equations")
    assert not [fault for fault in faults if not PROBES.search(fault)]
    assert asked - {""} == {urlsplit(address).netloc}, "the app asks nothing of other machines"
