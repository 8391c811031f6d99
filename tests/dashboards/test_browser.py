"""Every page in a real browser, in both themes: it draws, and its console holds no error."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dashboards import screenshot
from dashboards.app import PAGES
from tests.dashboards.dashboard_store import Store
from tests.dashboards.watched import in_a_browser, watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = in_a_browser


@pytest.fixture(scope="module")
def address(full_store: Store) -> Iterator[str]:
    with screenshot.running_app(full_store.uri) as running:
        yield running


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_draws_by_its_link_and_by_the_menu(
    theme: str, chromium: "Browser", address: str
) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium, color_scheme=theme) as page:
        screenshot.visit(page, f"{address}/{PAGES[-1][-1]}")
        for _, title, _, path in PAGES:
            page.get_by_role("link", name=title, exact=True).click()
            heading = page.get_by_role("heading", name=title, exact=True, level=1)
            expect(heading).to_be_visible(timeout=30_000)
            page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
            assert page.get_by_test_id("stException").count() == 0, title
            assert page.url.startswith(f"{address}/{path}")
