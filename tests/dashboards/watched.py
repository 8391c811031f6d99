"""A page of Chromium that is watched: what it complains of, and whom it asks."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from dashboards import screenshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# On a deep link Streamlit's client first looks for its server below the page's own path. When a
# page runs again, Streamlit forgets the pictures of the run before, which a slow browser may
# still ask for; those that are shown in the end must be whole.
_WHOLE = "[...document.images].every(each => each.complete && each.naturalWidth > 0)"
_STREAMLITS_OWN = re.compile(r"404 .*/(\w+/_stcore/(health|host-config)|media/\w+\.\w+)$")

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(screenshot.CHROMIUM).exists(),
        reason=f"no {screenshot.CHROMIUM}: apt-get install chromium, or set CHROMIUM",
    ),
]


@contextmanager
def watched_page(chromium: "Browser", **options: Any) -> "Iterator[Page]":
    """Open a page; at the end fail on errors, on pages that broke, and on other machines asked."""
    faults: list[str] = []
    asked: set[str] = set()
    page = chromium.new_page(viewport={"width": 1440, "height": 1000}, **options)

    def hear(message: Any) -> None:
        if message.type == "error":
            faults.append(f"{message.text} {message.location.get('url', '')}")

    page.on("console", hear)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
    yield page
    assert page.get_by_test_id("stException").count() == 0
    page.wait_for_function(_WHOLE, timeout=10_000)
    page.close()
    left = [fault for fault in faults if not _STREAMLITS_OWN.search(fault)]
    assert not left, left
    assert asked <= {"", "127.0.0.1"}, "the app asks nothing of other machines"
