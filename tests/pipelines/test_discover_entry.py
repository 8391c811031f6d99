"""`discover` from a trained model: its records, awkward class names, and latents gone wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from latentlaw.data.particles.writer import new_stack
from latentlaw.models.vae import AutoEncoder
from mlflow import MlflowClient

from dashboards.charts.frontier import RUNG_FAMILIES

AWKWARD = (r"$\beta$-tubulin_{2} & co", "two words")
Entry = Callable[..., int]
QUICK: dict[str, Any] = {"epochs": 1, "budget_s": 1, "engine": "operon", "epsilons": 0.1}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs of two sizes, of either class 30."""
    path = tmp_path_factory.mktemp("discs") / "s.particles.zarr"
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    y, x = np.mgrid[:16, :16] - 7.5
    radii = (3 + 2 * labels + generator.normal(scale=0.3, size=60))[:, None, None]
    images = (np.hypot(y, x) < radii) * 100 + generator.normal(size=(60, 16, 16))
    table = pd.DataFrame(
        {"label": [AWKWARD[k] for k in labels], "group": np.arange(60).astype(str)}
    )
    with new_stack(path, item_shape=(1, 16, 16)) as writer:
        writer.append(images[:, None].astype(np.float32), table)
    return path


def newest(folder: Path, stage: str) -> str:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("latentlaw")
    assert experiment is not None
    runs = client.search_runs(
        [experiment.experiment_id], filter_string=f"tags.`latentlaw.stage` = '{stage}'"
    )
    return str(runs[0].info.run_id)


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read what the newest run of `discover` logged."""
    client, run = MlflowClient(f"sqlite:///{folder}/mlflow.db"), newest(folder, "discover")
    path = Path(client.download_artifacts(run, name))
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


@pytest.fixture
def trained(stack: Path, entry: Entry, tracking_folder: Path) -> str:
    """The run of a model, trained once for this module."""
    done = stack.parent / "run"
    if not done.exists():
        assert entry("train", data=stack, model="tc-vae", latent_dims=3, depth=2, epochs=2) == 0
        done.write_text(newest(tracking_folder, "train"))
    return done.read_text()


def test_awkward_class_names_reach_equations_and_every_family_the_frontier(
    stack: Path, trained: str, entry: Entry, tracking_folder: Path
) -> None:
    assert entry("discover", model=trained, data=stack, **QUICK) == 0
    equations = records(tracking_folder, "equations.json")
    assert [record["class"] for record in equations] == sorted(AWKWARD)
    frontier = records(tracking_folder, "frontier.json")
    assert {rung["family"] for rung in frontier} == set(RUNG_FAMILIES)
    client = MlflowClient(f"sqlite:///{tracking_folder}/mlflow.db")
    metrics = client.get_run(newest(tracking_folder, "discover")).data.metrics
    boxes = {r["complexity"] for r in frontier if r["family"] in ("cnn", "resnet")}
    assert metrics["discovery/blackbox_complexity"] in boxes
    assert {"robustness/cnn/eps_0.1", "robustness/resnet/eps_0.1"} <= set(metrics)
    # Area alone tells the discs apart.
    (features,) = (rung for rung in frontier if rung["family"] == "features")
    assert features["accuracy"] == 1


def test_black_boxes_and_the_sparse_method_can_be_chosen(
    stack: Path, trained: str, entry: Entry, tracking_folder: Path
) -> None:
    options = {"black_boxes": "cnn", "sparse_method": "rigl"}
    assert entry("discover", model=trained, data=stack, **options, **QUICK) == 0
    frontier = records(tracking_folder, "frontier.json")
    assert {rung["family"] for rung in frontier} == set(RUNG_FAMILIES) - {"resnet"}


@pytest.fixture
def change_latents(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, int, float], None]:
    """Give the latents of some particles a value that no network made."""
    infer = AutoEncoder.infer

    def change(particles: Any, latent: int, value: float) -> None:
        def changed(self: AutoEncoder, images: torch.Tensor) -> Any:
            encoding = infer(self, images)
            encoding.mu[particles, latent] = value
            return encoding

        monkeypatch.setattr(AutoEncoder, "infer", changed)

    return change


def test_latents_that_are_not_finite_are_named_before_a_black_box_is_trained(
    stack: Path,
    trained: str,
    entry: Entry,
    change_latents: Callable[[Any, int, float], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    change_latents(0, 1, float("nan"))
    assert entry("discover", model=trained, data=stack, **QUICK) == 2
    said = capsys.readouterr().err
    assert "latents: found NaN" in said
    assert "(in z1)" in said
    assert "train cnn" not in said


def test_latents_that_are_constant_are_said(
    stack: Path,
    trained: str,
    entry: Entry,
    change_latents: Callable[[Any, int, float], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    change_latents(slice(None), 1, 0.5)
    options = {"black_boxes": "cnn", "attacked": 2}
    assert entry("discover", model=trained, data=stack, **options, **QUICK) == 0
    assert "discover: z1 the same for every particle, left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"engine": "pysr"}, "engine: pysr cannot run here"),
        ({"operators": "add,sine"}, "operators: found 'sine' (did you mean 'sin'?)"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_read(
    entry: Entry,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, str],
    said: str,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # nor a Julia
    assert entry("discover", model="absent", data="absent", **asked) == 2
    assert said in capsys.readouterr().err
