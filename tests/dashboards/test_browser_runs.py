"""Runs, Tuning, Models and Help in a real browser: every control, and what moves by itself."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from latentlaw.data.formats.mrc import write_mrc
from PIL import Image

from dashboards import screenshot
from tests.dashboards.dashboard_store import Store, fill
from tests.dashboards.many_runs import many_runs
from tests.dashboards.registered import add_model, add_study
from tests.dashboards.watched import in_a_browser, watched_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = in_a_browser
_SLOW_MS = 30_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Hold two chains, a study, a registered model, and a training that goes on."""
    made = fill(Store(tmp_path_factory.mktemp("browser")))
    made.ids["tune"] = add_study(made)
    add_model(made)
    made.ids["live"] = made.add("train", model_family="tc-vae")
    made.log(made.ids["live"], params={"beta": 1}, metrics={"train/loss": [3.0, 2.0]})
    return made


@pytest.fixture(scope="module")
def address(store: Store) -> Iterator[str]:
    with screenshot.running_app(store.uri) as running:
        yield running


def choose(page: "Page", label: str, option: str) -> None:
    """Choose an option of a select box, by keyboard, once the page has settled."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    box = page.get_by_role("combobox", name=label).first
    box.fill(option)
    page.get_by_role("option", name=option, exact=True).wait_for()
    box.press("Enter")


def test_filters_are_in_the_url_and_go_with_it(
    chromium: "Browser", address: str, store: Store
) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium) as page:
        screenshot.visit(page, address)
        expect(page.get_by_text("of 12", exact=False).first).to_be_visible()
        choose(page, "Step", "Train")
        expect(page.get_by_text("Runs 1 to 4 of 4")).to_be_visible()
        choose(page, "Model", "β-TCVAE")
        expect(page.get_by_text("Runs 1 to 2 of 2")).to_be_visible()
        choose(page, "Status", "Failed")
        expect(page.get_by_text("Runs 1 to 1 of 1")).to_be_visible()
        choose(page, "Sort by", "Validation loss, best first")
        page.get_by_role("textbox", name="Search").fill("nothing is called so")
        page.get_by_role("textbox", name="Search").press("Enter")
        expect(page.get_by_text("No run matches")).to_be_visible()
        expect(page).to_have_url(re.compile("q=nothing.*stage=Train.*status=Failed"))
        page.reload()
        expect(page.get_by_text("No run matches")).to_be_visible(timeout=_SLOW_MS)
        page.get_by_role("textbox", name="Search").fill("")
        page.get_by_role("textbox", name="Search").press("Enter")
        expect(page.get_by_text("Runs 1 to 1 of 1")).to_be_visible()


def test_more_filters(chromium: "Browser", address: str) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium) as page:
        screenshot.visit(page, address)
        page.get_by_role("button", name="More").click()
        choose(page, "Measure", "Silhouette (cosine distance)")
        page.get_by_label("At least").fill("0.5")
        page.get_by_label("At least").press("Enter")
        expect(page.get_by_text("Runs 1 to 1 of 1")).to_be_visible()
        page.get_by_label("Tag").fill("latentlaw.model_family=beta")
        page.get_by_label("Tag").press("Enter")
        expect(page.get_by_text("No run matches")).to_be_visible()


def test_pages_of_many_runs_turn(chromium: "Browser", tmp_path: Path) -> None:
    from playwright.sync_api import expect

    with (
        screenshot.running_app(many_runs(tmp_path, 400)) as running,
        watched_page(chromium) as page,
    ):
        screenshot.visit(page, running)
        expect(page.get_by_text("Runs 1 to 50 of 400")).to_be_visible()
        page.get_by_role("button", name="Page 3", exact=True).click()
        expect(page.get_by_text("Runs 101 to 150 of 400")).to_be_visible()
        page.get_by_test_id("stDataFrame").first.click(position={"x": 15, "y": 52})
        expect(page).to_have_url(re.compile("page=3.*run="))
        choose(page, "Step", "Train")
        expect(page.get_by_text("Runs 1 to 50 of 50")).to_be_visible()
        expect(page.get_by_text("trial 299 · ").first).to_be_visible()  # is picked still


def test_a_box_of_the_lineage_leads_to_its_run(
    chromium: "Browser", address: str, store: Store
) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium) as page:
        screenshot.visit(page, f"{address}/?run={store.ids['train']}&show=Lineage")
        box = page.get_by_test_id("stGraphVizChart").get_by_role("link", name="evaluate").first
        box.focus()
        page.keyboard.press("Enter")
        expect(page).not_to_have_url(re.compile(store.ids["train"]))
        expect(page.get_by_text("evaluate · ").first).to_be_visible(timeout=_SLOW_MS)


def test_losses_move_while_a_run_trains(chromium: "Browser", address: str, store: Store) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium) as page:
        screenshot.visit(page, f"{address}/?run={store.ids['live']}&show=Losses")
        expect(page.get_by_text("Read anew every")).to_be_visible()
        # Plotly puts its element there before it has drawn, and again at each reading.
        drawn = "() => document.querySelector('.js-plotly-plot')?.calcdata?.[0].length ?? 0"
        before = page.wait_for_function(drawn, timeout=_SLOW_MS).json_value()
        store.log(store.ids["live"], params={}, metrics={"train/loss": [3.0, 2.0, 1.0]})
        page.wait_for_function(f"({drawn})() > {before}", timeout=_SLOW_MS)


def test_tuning_and_help_draw(chromium: "Browser", address: str, store: Store) -> None:
    from playwright.sync_api import expect

    with watched_page(chromium, color_scheme="dark") as page:
        screenshot.visit(page, f"{address}/tuning?run={store.ids['tune']}")
        expect(page.locator(".js-plotly-plot")).to_have_count(4)
        choose(page, "Objective", "Complexity of equations (nodes)")
        expect(page.locator(".js-plotly-plot").first).to_contain_text("Complexity of equations")
        page.get_by_role("link", name="Help").click()
        expect(page.get_by_role("heading", name="Measures")).to_be_visible()


def test_a_model_is_tried_on_files(chromium: "Browser", address: str, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    write_mrc(tmp_path / "right.mrc", np.random.default_rng(0).random((8, 8, 8), np.float32), 10.0)
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(tmp_path / "wrong.png")
    with watched_page(chromium) as page:
        screenshot.visit(page, f"{address}/models")
        page.get_by_text("Load this model").click()
        expect(page.get_by_text("a volume of 8 x 8 x 8 voxels")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="A file of mine").or_(
            page.get_by_role("radio", name="A file of mine")
        ).click()
        page.locator("input[type=file]").set_input_files(tmp_path / "wrong.png")
        expect(page.get_by_text("expected").first).to_be_visible(timeout=_SLOW_MS)
        page.locator("input[type=file]").set_input_files(tmp_path / "right.mrc")
        expect(page.get_by_text("Equation of this class")).to_be_visible(timeout=_SLOW_MS)
        expect(page.get_by_text("10.00 Å")).to_be_visible()
        page.wait_for_load_state("networkidle")  # its pictures go with the tab
        page.get_by_role("tab", name="Versions").click()
        expect(page.get_by_text("An alias moves by")).to_be_visible()
