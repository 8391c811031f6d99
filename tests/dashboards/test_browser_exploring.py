"""Drawing around particles, choosing a model and walking a latent space, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dashboards import screenshot
from tests.bundles import tiny_bundle
from tests.dashboards.dashboard_store import Store, fill
from tests.dashboards.watched import in_a_browser

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = in_a_browser


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    filled = fill(Store(tmp_path_factory.mktemp("exploring")))
    filled.put_bundle(filled.ids["discover"], tiny_bundle(decoder="conv", pose_dims=0))
    return filled


@pytest.fixture(scope="module")
def address(store: Store) -> Iterator[str]:
    with screenshot.running_app(store.uri) as running:
        yield running


def middle_of(element: "Locator") -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_particles_are_pointed_at_kept_drawn_around_and_cleared(
    page: "Page", address: str, store: Store
) -> None:
    from playwright.sync_api import expect

    run = store.ids["evaluate"]
    screenshot.visit(page, f"{address}/clusters?run={run}")
    plot = page.locator(".js-plotly-plot").first
    point = plot.locator(".scatterlayer .points path").nth(40)
    page.mouse.move(*middle_of(point))
    expect(page.get_by_text("pointed at", exact=False)).to_be_visible()
    expect(page.get_by_test_id("stImage").locator("img")).to_have_count(3)  # xy, xz, yz
    page.mouse.click(*middle_of(point))
    expect(page).to_have_url(re.compile(rf"particle={run}(~|%7E)\d+"))
    # All around: every particle of the embedding is a member.
    box = plot.locator(".nsewdrag").bounding_box()
    assert box is not None
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.03)]
    places = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
    expect(page.get_by_text("100.0% of the embedding")).to_be_visible()
    expect(page).to_have_url(re.compile("region="))
    with page.expect_download() as download:
        page.get_by_role("button", name="STAR").click()
    assert b"data_particles" in Path(download.value.path()).read_bytes()
    page.get_by_role("button", name="Clear the selection").click()
    expect(page.get_by_text("100.0% of the embedding")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("region="))
    # Zoomed in, the chart is drawn anew, of what is in view.
    page.get_by_test_id("stPlotlyChart").first.hover()
    before = plot.locator(".scatterlayer .points path").count()
    for _ in range(2):
        page.locator(".js-plotly-plot [data-title='Zoom in']").first.click()
        page.wait_for_timeout(800)
    assert 0 < plot.locator(".scatterlayer .points path").count() < before


def test_a_model_is_clicked_and_leads_to_its_equations(
    page: "Page", address: str, store: Store
) -> None:
    from playwright.sync_api import TimeoutError, expect

    run = store.ids["discover"]
    screenshot.visit(page, f"{address}/frontier?run={run}")
    expect(page.get_by_text("the simplest model above").first).to_contain_text("35 nodes")
    rungs = page.locator(".js-plotly-plot").first.locator(".scatterlayer .points path")
    chosen = page.get_by_text("The run's chosen equations")
    for place in range(rungs.count()):  # rings and keys of the legend are none
        page.mouse.click(*middle_of(rungs.nth(place)))
        with suppress(TimeoutError):
            page.wait_for_url("**model=**", timeout=2000)
            break
    expect(chosen).to_be_visible()
    chosen.click()
    expect(page.get_by_role("heading", name="Equations", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(f"equations.*run={run}"))


def test_a_slider_moves_the_picture_and_the_url(page: "Page", address: str, store: Store) -> None:
    from playwright.sync_api import expect

    run = store.ids["discover"]
    screenshot.visit(page, f"{address}/equations?run={run}&walk=true")
    expect(page.get_by_text("Decision boundary")).to_be_visible(timeout=60_000)
    decoded = page.get_by_test_id("stImage").locator("img").last
    before = decoded.get_attribute("src")
    chances = page.locator(".js-plotly-plot .bartext").all_inner_texts()
    slider = page.get_by_test_id("stSlider").filter(has_text="z0").get_by_role("slider")
    slider.focus()
    for _ in range(30):
        slider.press("ArrowRight")
    expect(page).to_have_url(re.compile("z0="))
    expect(decoded).not_to_have_attribute("src", before or "")
    assert page.locator(".js-plotly-plot .bartext").all_inner_texts() != chances


def test_slices_follow_their_sliders(page: "Page", address: str, store: Store) -> None:
    from playwright.sync_api import expect

    screenshot.visit(page, f"{address}/particles")
    expect(page.locator(".js-plotly-plot image")).to_have_count(3)
    before = page.locator(".js-plotly-plot image").first.get_attribute("href")
    slider = page.get_by_test_id("stSlider").filter(has_text="z (Å)").get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page).to_have_url(re.compile("[?&]z="))
    expect(page.locator(".js-plotly-plot image").first).not_to_have_attribute("href", before or "")
